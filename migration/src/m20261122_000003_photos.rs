//! Upload requests, photos and their analysis steps and labels.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut requests = table::create(manager, "upload_request");
        requests
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("user_id").uuid().not_null())
            .col(ColumnDef::new("idempotency_key").string_len(128).not_null())
            .col(ColumnDef::new("fingerprint").string_len(64).not_null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .foreign_key(&mut table::belongs_to(
                "upload_request",
                "gallery_id",
                "gallery",
            ));
        manager.create_table(requests).await?;
        manager
            .create_index(table::unique(
                "upload_request",
                &["gallery_id", "user_id", "idempotency_key"],
            ))
            .await?;

        manager.create_table(photos(manager)).await?;
        for columns in [
            // Pages, by time taken and by time made; the reaper; an upload request's photos.
            &["gallery_id", "taken_at", "id"][..],
            &["gallery_id", "created_at", "id"],
            &["gallery_id", "status"],
            &["status", "upload_expires_at"],
            &["upload_request_id"],
        ] {
            manager.create_index(table::index("photo", columns)).await?;
        }
        manager
            .create_index(table::unique("photo", &["gallery_id", "dedup_key"]))
            .await?;

        let mut steps = table::create(manager, "analysis_step");
        steps
            .col(ColumnDef::new("photo_id").uuid().not_null())
            .col(ColumnDef::new("step").string_len(16).not_null())
            .col(ColumnDef::new("state").string_len(16).not_null())
            .col(ColumnDef::new("attempts").integer().not_null())
            .col(ColumnDef::new("retry_at").big_integer())
            .col(ColumnDef::new("error_code").string_len(64))
            .col(ColumnDef::new("error_message").text())
            .col(ColumnDef::new("retryable").boolean().not_null())
            .col(ColumnDef::new("updated_at").big_integer().not_null())
            .primary_key(Index::create().col("photo_id").col("step"))
            .foreign_key(&mut table::belongs_to("analysis_step", "photo_id", "photo"));
        manager.create_table(steps).await?;

        let mut labels = table::create(manager, "photo_label");
        labels
            .col(ColumnDef::new("photo_id").uuid().not_null())
            .col(ColumnDef::new("name").string_len(128).not_null())
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("confidence").float().not_null())
            .col(ColumnDef::new("detail").json_binary().not_null())
            .primary_key(Index::create().col("photo_id").col("name"))
            .foreign_key(&mut table::belongs_to("photo_label", "photo_id", "photo"));
        manager.create_table(labels).await?;
        manager
            .create_index(table::index(
                "photo_label",
                &["gallery_id", "name", "photo_id"],
            ))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(
            manager,
            &["photo_label", "analysis_step", "photo", "upload_request"],
        )
        .await
    }
}

fn photos(manager: &SchemaManager<'_>) -> TableCreateStatement {
    table::create(manager, "photo")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("gallery_id").uuid().not_null())
        .col(ColumnDef::new("uploader_id").uuid().not_null())
        .col(ColumnDef::new("upload_request_id").uuid().not_null())
        .col(ColumnDef::new("client_ref").string_len(256))
        .col(ColumnDef::new("filename").string_len(1024).not_null())
        .col(ColumnDef::new("content_type").string_len(64).not_null())
        .col(ColumnDef::new("byte_size").big_integer().not_null())
        .col(ColumnDef::new("sha256").string_len(64).not_null())
        .col(ColumnDef::new("dedup_key").string_len(64).not_null())
        .col(ColumnDef::new("status").string_len(16).not_null())
        .col(ColumnDef::new("failure_code").string_len(64))
        .col(ColumnDef::new("upload_expires_at").big_integer().not_null())
        .col(ColumnDef::new("confirmed_at").big_integer())
        .col(ColumnDef::new("width").integer())
        .col(ColumnDef::new("height").integer())
        .col(ColumnDef::new("preview_width").integer())
        .col(ColumnDef::new("preview_height").integer())
        .col(ColumnDef::new("thumbnail_width").integer())
        .col(ColumnDef::new("thumbnail_height").integer())
        .col(ColumnDef::new("taken_at").big_integer().not_null())
        .col(ColumnDef::new("taken_at_known").boolean().not_null())
        .col(ColumnDef::new("camera").string_len(200))
        .col(ColumnDef::new("latitude").double())
        .col(ColumnDef::new("longitude").double())
        .col(ColumnDef::new("thumbhash").string_len(64))
        .col(ColumnDef::new("document").json_binary())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .foreign_key(&mut table::belongs_to("photo", "gallery_id", "gallery"))
        .foreign_key(&mut table::belongs_to(
            "photo",
            "upload_request_id",
            "upload_request",
        ))
        .to_owned()
}
