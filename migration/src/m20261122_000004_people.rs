//! Contact sheets, people and faces.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut sheets = table::create(manager, "sheet");
        sheets
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("version").integer().not_null())
            .col(ColumnDef::new("cells").integer().not_null())
            .col(ColumnDef::new("updated_at").big_integer().not_null())
            .foreign_key(&mut table::belongs_to("sheet", "gallery_id", "gallery"));
        manager.create_table(sheets).await?;
        manager
            .create_index(table::index("sheet", &["gallery_id"]))
            .await?;

        let mut people = table::create(manager, "person");
        people
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("name").string_len(200))
            .col(ColumnDef::new("hidden").boolean().not_null())
            .col(ColumnDef::new("cover_face_id").uuid())
            .col(ColumnDef::new("face_count").integer().not_null())
            .col(ColumnDef::new("photo_count").integer().not_null())
            .col(ColumnDef::new("sheet_id").uuid())
            .col(ColumnDef::new("sheet_cell").integer())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .col(ColumnDef::new("updated_at").big_integer().not_null())
            .foreign_key(&mut table::belongs_to("person", "gallery_id", "gallery"));
        manager.create_table(people).await?;
        // Serves "people of a gallery, most seen first".
        manager
            .create_index(table::index("person", &["gallery_id", "photo_count", "id"]))
            .await?;

        let mut faces = table::create(manager, "face");
        faces
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("gallery_id").uuid().not_null())
            .col(ColumnDef::new("photo_id").uuid().not_null())
            .col(ColumnDef::new("ordinal").integer().not_null())
            .col(ColumnDef::new("detail").json_binary().not_null())
            .col(ColumnDef::new("quality").float().not_null())
            .col(ColumnDef::new("can_found").boolean().not_null())
            .col(ColumnDef::new("grouping").string_len(16).not_null())
            .col(ColumnDef::new("person_id").uuid())
            .col(ColumnDef::new("assigned_by").string_len(16))
            .col(ColumnDef::new("similarity").float())
            .col(ColumnDef::new("collection_face_id").string_len(64))
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .foreign_key(&mut table::belongs_to("face", "photo_id", "photo"));
        manager.create_table(faces).await?;
        manager
            .create_index(table::unique("face", &["photo_id", "ordinal"]))
            .await?;
        manager
            .create_index(table::index("face", &["gallery_id", "grouping"]))
            .await?;
        manager
            .create_index(table::index("face", &["person_id", "photo_id"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, &["face", "person", "sheet"]).await
    }
}
