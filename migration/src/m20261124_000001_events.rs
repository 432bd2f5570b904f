//! The outbox. No foreign keys: see `entity::gallery_event`.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut events = table::create(manager, "gallery_event");
        events
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("seq").big_integer().not_null())
            .col(ColumnDef::new("kind").string_len(24).not_null())
            .col(ColumnDef::new("subject").uuid().not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .primary_key(Index::create().col("gallery_id").col("seq"));
        manager.create_table(events).await?;
        manager
            .create_index(table::index("gallery_event", &["created_at"]))
            .await?;
        let mut sequences = table::create(manager, "event_sequence");
        sequences
            .col(ColumnDef::new("gallery_id").uuid().not_null().primary_key())
            .col(ColumnDef::new("last").big_integer().not_null());
        manager.create_table(sequences).await?;
        // Galleries of before begin their history now.
        let existing = Query::select()
            .column("id")
            .expr(Expr::value(0))
            .from("gallery")
            .to_owned();
        let mut backfill = Query::insert();
        backfill
            .into_table("event_sequence")
            .columns(["gallery_id", "last"])
            .select_from(existing)
            .map_err(|error| DbErr::Custom(error.to_string()))?;
        manager.exec_stmt(backfill).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, &["event_sequence", "gallery_event"]).await
    }
}
