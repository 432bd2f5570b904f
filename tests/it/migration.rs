//! The migrations go up, down and up again on every database.

use harness::database::TestDatabase;
use migration::MigratorTrait as _;
use sea_orm::{ConnectOptions, Database};

#[tokio::test]
async fn up_down_up() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let mut options = ConnectOptions::new(&database.url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    migration::Migrator::up(&connection, None).await.unwrap();
    migration::Migrator::down(&connection, None).await.unwrap();
    migration::Migrator::up(&connection, None).await.unwrap();
    assert!(
        migration::Migrator::get_pending_migrations(&connection)
            .await
            .unwrap()
            .is_empty()
    );
    connection.close().await.unwrap();
    database.drop().await;
}
