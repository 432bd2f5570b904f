//! Links under which guests see a gallery.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut links = table::create(manager, "share_link");
        links
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("token_hash").string_len(64).not_null())
            .col(ColumnDef::new("label").string_len(200).not_null())
            .col(ColumnDef::new("created_by").uuid().not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .col(ColumnDef::new("expires_at").big_integer())
            .col(ColumnDef::new("revoked_at").big_integer())
            .foreign_key(&mut table::belongs_to(
                "share_link",
                "gallery_id",
                "gallery",
            ));
        manager.create_table(links).await?;
        manager
            .create_index(table::unique("share_link", &["token_hash"]))
            .await?;
        manager
            .create_index(table::index(
                "share_link",
                &["gallery_id", "created_at", "id"],
            ))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, &["share_link"]).await
    }
}
