//! Accounts of an external issuer: which of its subjects is which user.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut identities = table::create(manager, "external_identity");
        identities
            .col(ColumnDef::new("issuer").string_len(255).not_null())
            .col(ColumnDef::new("subject").string_len(255).not_null())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .primary_key(Index::create().col("issuer").col("subject"))
            .foreign_key(&mut table::belongs_to(
                "external_identity",
                "user_id",
                "user_account",
            ));
        manager.create_table(identities).await?;
        manager
            .create_index(table::index("external_identity", &["user_id"]))
            .await?;
        // A change of the password ends every session of its user.
        if has_index_of_foreign_key(manager) {
            return Ok(());
        }
        manager
            .create_index(table::index("refresh_token", &["user_id"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !has_index_of_foreign_key(manager) {
            let index = Index::drop()
                .name("ix_refresh_token_user_id")
                .table("refresh_token")
                .to_owned();
            manager.drop_index(index).await?;
        }
        table::drop(manager, &["external_identity"]).await
    }
}

/// MySQL makes an index for every foreign key. One of ours would take its place, and then could not
/// be dropped again.
fn has_index_of_foreign_key(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::MySql
}
