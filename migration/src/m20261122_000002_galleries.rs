//! Galleries and their members.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut galleries = table::create(manager, "gallery");
        galleries
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("created_by").uuid().not_null())
            .col(ColumnDef::new("name").string_len(200).not_null())
            .col(ColumnDef::new("description").text().not_null())
            .col(ColumnDef::new("event_date").string_len(10))
            .col(ColumnDef::new("cover_photo_id").uuid())
            .col(ColumnDef::new("matcher").string_len(16).not_null())
            .col(ColumnDef::new("face_analysis").boolean().not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .col(ColumnDef::new("updated_at").big_integer().not_null())
            .col(ColumnDef::new("deleted_at").big_integer());
        manager.create_table(galleries).await?;

        let mut members = table::create(manager, "gallery_member");
        members
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("role").string_len(16).not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .primary_key(Index::create().col("gallery_id").col("user_id"))
            .foreign_key(&mut table::belongs_to(
                "gallery_member",
                "gallery_id",
                "gallery",
            ))
            .foreign_key(&mut table::belongs_to(
                "gallery_member",
                "user_id",
                "user_account",
            ));
        manager.create_table(members).await?;
        // Serves "my galleries, newest membership first".
        manager
            .create_index(table::index(
                "gallery_member",
                &["user_id", "created_at", "gallery_id"],
            ))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, &["gallery_member", "gallery"]).await
    }
}
