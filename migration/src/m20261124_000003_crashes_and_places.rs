//! Jobs count the workers that died of them; photos whose metadata may tell a location are marked.
//!
//! The columns have defaults: while replicas roll, the version before still inserts rows without
//! them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut crashes = ColumnDef::new("crashes");
        crashes.integer().not_null().default(0);
        manager.alter_table(add("job", crashes)).await?;
        let mut may_tell = ColumnDef::new("may_tell_location");
        may_tell.boolean().not_null().default(false);
        manager.alter_table(add("photo", may_tell)).await?;
        // Of photos of before only what EXIF told is known.
        let mut known = Query::update();
        known
            .table("photo")
            .value("may_tell_location", true)
            .and_where(Expr::col("latitude").is_not_null());
        manager.exec_stmt(known).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [("photo", "may_tell_location"), ("job", "crashes")] {
            let mut change = Table::alter();
            change.table(table).drop_column(column);
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}

fn add(table: &'static str, column: ColumnDef) -> TableAlterStatement {
    let mut change = Table::alter();
    change.table(table).add_column(column);
    change
}
