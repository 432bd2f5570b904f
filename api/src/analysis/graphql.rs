//! Analysis steps in GraphQL.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::analysis_step::Step;
use entity::document::DocumentStep;

use super::service::Retried;
use crate::db::retried;
use crate::error::Error;
use crate::graphql::error::{GraphError, UserError, user_errors};
use crate::graphql::{id, services, viewer};
use crate::photo::graphql::Photo;

/// A step of a photo's analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AnalysisStepKind {
    /// Check the file, read EXIF, make thumbnail and preview.
    Renditions,
    /// Find faces.
    Faces,
    /// Name what is to be seen.
    Labels,
    /// Put each face to a person.
    Grouping,
}

impl From<AnalysisStepKind> for Step {
    fn from(kind: AnalysisStepKind) -> Self {
        match kind {
            AnalysisStepKind::Renditions => Self::Renditions,
            AnalysisStepKind::Faces => Self::Faces,
            AnalysisStepKind::Labels => Self::Labels,
            AnalysisStepKind::Grouping => Self::Grouping,
        }
    }
}

/// Where a step of the analysis stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AnalysisStepState {
    /// Waits for its turn or for the next attempt.
    Pending,
    /// Done.
    Done,
    /// Not needed or not possible, for example grouping a photo without faces.
    Skipped,
    /// Failed for good; `retryPhotoAnalysis` starts it again.
    Failed,
}

/// Why a step of the analysis did not work.
#[derive(Clone, Debug, SimpleObject)]
pub struct AnalysisStepError {
    /// Rekognition's error name, or one of ours in capitals, such as `TRUNCATED`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether trying again can help.
    pub retryable: bool,
}

/// One step of a photo's analysis.
#[derive(Clone, Debug, SimpleObject)]
pub struct AnalysisStep {
    /// Which step.
    pub step: AnalysisStepKind,
    /// Where it stands.
    pub state: AnalysisStepState,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried again, after a failure that may pass.
    pub retry_at: Option<DateTime<Utc>>,
    /// What went wrong last, or why it was skipped.
    pub error: Option<AnalysisStepError>,
}

impl AnalysisStep {
    /// From a photo's document; `None` for a step or state that this version does not know.
    #[must_use]
    pub fn new(step: &DocumentStep) -> Option<Self> {
        Some(Self {
            step: match step.step.as_str() {
                "renditions" => AnalysisStepKind::Renditions,
                "faces" => AnalysisStepKind::Faces,
                "labels" => AnalysisStepKind::Labels,
                "grouping" => AnalysisStepKind::Grouping,
                _ => return None,
            },
            state: match step.state.as_str() {
                "pending" => AnalysisStepState::Pending,
                "done" => AnalysisStepState::Done,
                "skipped" => AnalysisStepState::Skipped,
                "failed" => AnalysisStepState::Failed,
                _ => return None,
            },
            attempts: step.attempts,
            retry_at: step.retry_at.and_then(DateTime::from_timestamp_micros),
            error: step.error_code.clone().map(|code| AnalysisStepError {
                code,
                message: step.error_message.clone().unwrap_or_default(),
                retryable: step.retryable,
            }),
        })
    }
}

/// Which steps of which photos start again.
#[derive(Clone, Debug, InputObject)]
pub struct RetryPhotoAnalysisInput {
    /// Photos, 1 to 100, each once.
    pub photo_ids: Vec<ID>,
    /// Steps to start again, whatever came of them before.
    pub steps: Vec<AnalysisStepKind>,
}

/// What became of one photo.
#[derive(SimpleObject)]
pub struct RetryPhotoAnalysisResult {
    /// The photo as it stands now; null where it was not started again.
    pub photo: Option<Photo>,
    /// Why it was not.
    pub user_errors: Vec<UserError>,
}

impl From<Retried> for RetryPhotoAnalysisResult {
    fn from(result: Retried) -> Self {
        match result {
            Ok(photo) => Self {
                photo: Some(photo.into()),
                user_errors: Vec::new(),
            },
            Err(error) => Self {
                photo: None,
                user_errors: vec![error.into()],
            },
        }
    }
}

/// Answer of `retryPhotoAnalysis`.
#[derive(SimpleObject)]
pub struct RetryPhotoAnalysisPayload {
    /// One per photo, in the order given.
    pub results: Vec<RetryPhotoAnalysisResult>,
    /// What is wrong with the call as a whole; nothing was started then.
    pub user_errors: Vec<UserError>,
}

/// Mutations of the analysis.
#[derive(Debug, Default)]
pub struct AnalysisMutation;

#[Object]
impl AnalysisMutation {
    /// Starts analysis steps again: failed ones, or any. Editors may do it for every photo of the
    /// gallery, others for what they uploaded.
    async fn retry_photo_analysis(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which steps of which photos.")] input: RetryPhotoAnalysisInput,
    ) -> Result<RetryPhotoAnalysisPayload, GraphError> {
        let photos = id::decode_all(&input.photo_ids)?;
        let steps: Vec<Step> = input.steps.into_iter().map(Into::into).collect();
        let service = &services(ctx).analysis;
        let result = retried(|| service.retry(viewer(ctx), &photos, &steps)).await;
        Ok(match Error::split(result)? {
            Ok(results) => RetryPhotoAnalysisPayload {
                results: results.into_iter().map(Into::into).collect(),
                user_errors: Vec::new(),
            },
            Err(errors) => RetryPhotoAnalysisPayload {
                results: Vec::new(),
                user_errors: user_errors(errors),
            },
        })
    }
}
