//! The migrations go up, down and up again on every database, alone and all at once.

use eventgallery::db;
use harness::database::{TestDatabase, schema, version};
use migration::{Migrator, MigratorTrait as _};

#[tokio::test]
#[expect(
    clippy::print_stdout,
    reason = "docs/databases.md says which versions are tested"
)]
async fn each_step_down_undoes_its_step_up() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let connection = database.connect().await;
    println!("{}", version(&connection).await);
    Migrator::install(&connection).await.unwrap();
    let mut before = vec![schema(&connection).await];
    for _ in Migrator::migrations() {
        Migrator::up(&connection, Some(1)).await.unwrap();
        before.push(schema(&connection).await);
    }
    let newest = before.pop().unwrap();
    assert!(newest.len() > before[0].len() + 30, "{newest:#?}");
    for expected in before.iter().rev() {
        Migrator::down(&connection, Some(1)).await.unwrap();
        assert_eq!(schema(&connection).await, *expected);
    }
    Migrator::up(&connection, None).await.unwrap();
    assert_eq!(schema(&connection).await, newest);
    let pending = Migrator::get_pending_migrations(&connection).await;
    assert!(pending.unwrap().is_empty());
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_at_once_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let alone = TestDatabase::create(folder.path()).await;
    db::migrate(&alone.url).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let shared = TestDatabase::create(folder.path()).await;
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = shared.url.clone();
        replicas.spawn(async move { db::migrate(&url).await });
    }
    for migrated in replicas.join_all().await {
        migrated.unwrap();
    }
    let (one, other) = (alone.connect().await, shared.connect().await);
    assert_eq!(schema(&one).await, schema(&other).await);
    let applied = Migrator::get_applied_migrations(&other).await.unwrap();
    assert_eq!(applied.len(), Migrator::migrations().len());
    for (connection, database) in [(one, alone), (other, shared)] {
        connection.close().await.unwrap();
        database.drop().await;
    }
}
