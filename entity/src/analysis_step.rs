//! Where each analysis step of a photo stands.

use sea_orm::entity::prelude::*;

use crate::{PhotoId, Timestamp};

/// A step of the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Step {
    /// Check the bytes, read EXIF, write thumbnail and preview.
    Renditions,
    /// DetectFaces.
    Faces,
    /// DetectLabels.
    Labels,
    /// Put each face to a person.
    Grouping,
}

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum State {
    /// Waits for its turn or for a retry.
    Pending,
    /// Done.
    Done,
    /// Not needed, for example grouping a photo without faces.
    Skipped,
    /// Failed for good; `retryPhotoAnalysis` starts it again.
    Failed,
}

/// One step of one photo.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "analysis_step")]
pub struct Model {
    /// Photo.
    #[sea_orm(primary_key, auto_increment = false)]
    pub photo_id: PhotoId,
    /// Step.
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: Step,
    /// State.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// Code of the last failure.
    pub error_code: Option<String>,
    /// The failure in words for people.
    pub error_message: Option<String>,
    /// Whether trying again can help.
    pub retryable: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
