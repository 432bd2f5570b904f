//! Refresh tokens: each is used once; all that descend from one sign-in form a family.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// One refresh token. Only its SHA-256 is kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// SHA-256 of the token, lower-case hex; primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: String,
    /// The sign-in that this token descends from.
    pub family_id: Uuid,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// After this it is refused.
    pub expires_at: Timestamp,
    /// When it was exchanged for its successor; a second use then revokes the family.
    pub used_at: Option<Timestamp>,
    /// When its family was revoked (sign-out or reuse).
    pub revoked_at: Option<Timestamp>,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
