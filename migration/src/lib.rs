//! The schema of the database, one change a file, the same on SQLite, MySQL/MariaDB and PostgreSQL.

use sea_orm_migration::prelude::*;

mod m20261122_000001_users;
mod m20261122_000002_galleries;
mod m20261122_000003_photos;
mod m20261122_000004_people;
mod m20261122_000005_jobs;
mod m20261124_000001_events;
mod m20261124_000002_job_place;
mod m20261124_000003_crashes_and_places;
mod m20261124_000004_external_identities;
mod m20261124_000005_share_links;
mod table;

pub use sea_orm_migration::MigratorTrait;

/// All changes in their order. Run it over a connection of its own, with a pool of one:
/// on SQLite a migration changes pragmas of the connection that it runs on.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_users::Migration),
            Box::new(m20261122_000002_galleries::Migration),
            Box::new(m20261122_000003_photos::Migration),
            Box::new(m20261122_000004_people::Migration),
            Box::new(m20261122_000005_jobs::Migration),
            Box::new(m20261124_000001_events::Migration),
            Box::new(m20261124_000002_job_place::Migration),
            Box::new(m20261124_000003_crashes_and_places::Migration),
            Box::new(m20261124_000004_external_identities::Migration),
            Box::new(m20261124_000005_share_links::Migration),
        ]
    }
}
