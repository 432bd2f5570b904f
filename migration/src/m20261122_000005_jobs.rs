//! The queue.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut jobs = table::create(manager, "job");
        jobs.col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("kind").string_len(64).not_null())
            .col(ColumnDef::new("subject").string_len(128).not_null())
            .col(ColumnDef::new("generation").integer().not_null())
            .col(ColumnDef::new("priority").integer().not_null())
            .col(ColumnDef::new("available_at").big_integer().not_null())
            .col(ColumnDef::new("lease_token").uuid())
            .col(ColumnDef::new("attempts").integer().not_null())
            .col(ColumnDef::new("max_attempts").integer().not_null())
            .col(ColumnDef::new("buried_at").big_integer())
            .col(ColumnDef::new("last_error").text())
            .col(ColumnDef::new("created_at").big_integer().not_null());
        manager.create_table(jobs).await?;
        manager
            .create_index(table::unique("job", &["kind", "subject"]))
            .await?;
        manager
            .create_index(table::index(
                "job",
                &["buried_at", "available_at", "priority"],
            ))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, &["job"]).await
    }
}
