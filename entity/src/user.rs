//! People who can sign in.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, UserId};

/// A user account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_account")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// Address as the user typed it (trimmed).
    pub email: String,
    /// Address in lower case; unique.
    pub email_key: String,
    /// Name shown to other members.
    pub name: String,
    /// Argon2id PHC string.
    pub password_hash: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
