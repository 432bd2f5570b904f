//! Which subject of an external issuer is which user.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// One subject of one issuer. Both compare by their bytes, as OpenID Connect wants it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "external_identity")]
pub struct Model {
    /// `iss` of its tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub issuer: String,
    /// `sub` of its tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Who that is here.
    pub user_id: UserId,
    /// When it was first seen.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
