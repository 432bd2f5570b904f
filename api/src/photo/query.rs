//! Pages of photos: filters, orders, keyset.

use entity::photo::{Column, Entity, Status};
use entity::{GalleryId, PersonId, Timestamp, UserId, face, person, photo, photo_label};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LikeExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::page::{Cursor, Direction, PageRequest};

/// What a page shows: everything named must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// All of these people are in the photo.
    pub people: Vec<PersonId>,
    /// The photo carries all of these labels.
    pub labels: Vec<String>,
    /// Taken at or after this time.
    pub taken_from: Option<Timestamp>,
    /// Taken before this time.
    pub taken_before: Option<Timestamp>,
    /// Uploaded by one of these users.
    pub uploaders: Vec<UserId>,
    /// In one of these states; none: confirmed ones.
    pub statuses: Vec<Status>,
    /// File name, a label or a person's name contains this text, in any case.
    pub text: Option<String>,
}

/// By what a page is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newest picture first.
    TakenAtDesc,
    /// Oldest picture first.
    TakenAtAsc,
    /// Latest upload first.
    CreatedAtDesc,
    /// Earliest upload first.
    CreatedAtAsc,
}

impl Order {
    fn column(self) -> Column {
        match self {
            Self::TakenAtDesc | Self::TakenAtAsc => Column::TakenAt,
            Self::CreatedAtDesc | Self::CreatedAtAsc => Column::CreatedAt,
        }
    }

    fn direction(self) -> Direction {
        match self {
            Self::TakenAtDesc | Self::CreatedAtDesc => Direction::Descending,
            Self::TakenAtAsc | Self::CreatedAtAsc => Direction::Ascending,
        }
    }

    /// A photo's place in this order.
    #[must_use]
    pub fn cursor(self, row: &photo::Model) -> Cursor {
        let key = if self.column() as u8 == Column::TakenAt as u8 {
            row.taken_at
        } else {
            row.created_at
        };
        Cursor {
            key: key.0,
            id: row.id.0,
        }
    }
}

/// The rows of one page and one more.
#[must_use]
pub fn select(
    gallery: GalleryId,
    filter: &Filter,
    order: Order,
    request: PageRequest,
) -> Select<Entity> {
    let photos = filtered(gallery, filter);
    request.of(photos, order.direction(), order.column(), Column::Id)
}

fn filtered(gallery: GalleryId, filter: &Filter) -> Select<Entity> {
    let mut select = Entity::find().filter(Column::GalleryId.eq(gallery));
    select = if filter.statuses.is_empty() {
        select.filter(Column::Status.is_not_in([Status::AwaitingUpload, Status::Deleting]))
    } else {
        let visible = filter
            .statuses
            .iter()
            .copied()
            .filter(|status| *status != Status::Deleting);
        select.filter(Column::Status.is_in(visible))
    };
    for person in &filter.people {
        let shown = face::Entity::find()
            .select_only()
            .column(face::Column::PhotoId)
            .filter(face::Column::PersonId.eq(*person));
        select = select.filter(Column::Id.in_subquery(shown.into_query()));
    }
    for label in &filter.labels {
        let labelled = photo_label::Entity::find()
            .select_only()
            .column(photo_label::Column::PhotoId)
            .filter(photo_label::Column::GalleryId.eq(gallery))
            .filter(photo_label::Column::Name.eq(label.as_str()));
        select = select.filter(Column::Id.in_subquery(labelled.into_query()));
    }
    if let Some(from) = filter.taken_from {
        select = select.filter(Column::TakenAt.gte(from));
    }
    if let Some(before) = filter.taken_before {
        select = select.filter(Column::TakenAt.lt(before));
    }
    if !filter.uploaders.is_empty() {
        select = select.filter(Column::UploaderId.is_in(filter.uploaders.iter().copied()));
    }
    if let Some(text) = &filter.text {
        select = select.filter(containing(gallery, text));
    }
    select
}

fn containing(gallery: GalleryId, text: &str) -> Condition {
    let labelled = photo_label::Entity::find()
        .select_only()
        .column(photo_label::Column::PhotoId)
        .filter(photo_label::Column::GalleryId.eq(gallery))
        .filter(like(
            Expr::col((photo_label::Entity, photo_label::Column::Name)),
            text,
        ));
    let people = person::Entity::find()
        .select_only()
        .column(person::Column::Id)
        .filter(person::Column::GalleryId.eq(gallery))
        .filter(like(
            Expr::col((person::Entity, person::Column::Name)),
            text,
        ));
    let shown = face::Entity::find()
        .select_only()
        .column(face::Column::PhotoId)
        .filter(face::Column::PersonId.in_subquery(people.into_query()));
    Condition::any()
        .add(like(Expr::col((Entity, Column::Filename)), text))
        .add(Column::Id.in_subquery(labelled.into_query()))
        .add(Column::Id.in_subquery(shown.into_query()))
}

/// `lower(column) LIKE '%text%'`: LIKE looks at the case on PostgreSQL and not on the others;
/// `%` and `_` of the text stand for themselves.
fn like(column: Expr, text: &str) -> Expr {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Expr::expr(Func::lower(column)).like(LikeExpr::new(pattern).escape('!'))
}
