//! Where a job goes on that does not end in one run.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut jobs = Table::alter();
        jobs.table("job").add_column(ColumnDef::new("place").text());
        manager.alter_table(jobs).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut jobs = Table::alter();
        jobs.table("job").drop_column("place");
        manager.alter_table(jobs).await
    }
}
