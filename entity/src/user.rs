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
    /// Address as the user typed it (trimmed); empty where an external issuer vouches for none.
    pub email: String,
    /// Address in lower case; unique. Without an address the id, which is none.
    pub email_key: String,
    /// Name shown to other members.
    pub name: String,
    /// Argon2id PHC string; empty for users of an external issuer, who have no password here.
    pub password_hash: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
