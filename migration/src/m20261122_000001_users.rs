//! Accounts and their refresh tokens.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut users = table::create(manager, "user_account");
        users
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("email").string_len(320).not_null())
            .col(ColumnDef::new("email_key").string_len(320).not_null())
            .col(ColumnDef::new("name").string_len(200).not_null())
            .col(ColumnDef::new("password_hash").string_len(255).not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null());
        manager.create_table(users).await?;
        manager
            .create_index(table::unique("user_account", &["email_key"]))
            .await?;

        let mut tokens = table::create(manager, "refresh_token");
        tokens
            .col(
                ColumnDef::new("token_hash")
                    .string_len(64)
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new("family_id").uuid().not_null())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .col(ColumnDef::new("expires_at").big_integer().not_null())
            .col(ColumnDef::new("used_at").big_integer())
            .col(ColumnDef::new("revoked_at").big_integer())
            .foreign_key(&mut table::belongs_to(
                "refresh_token",
                "user_id",
                "user_account",
            ));
        manager.create_table(tokens).await?;
        manager
            .create_index(table::index("refresh_token", &["family_id"]))
            .await?;
        manager
            .create_index(table::index("refresh_token", &["expires_at"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, &["refresh_token", "user_account"]).await
    }
}
