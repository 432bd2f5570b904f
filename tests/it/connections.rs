//! Connections to the database end, run out and lead elsewhere. Servers only: SQLite has none.

use std::time::Duration;

use entity::photo;
use harness::actor::text;
use harness::database::{self, TestDatabase};
use harness::line::Line;
use harness::{Actor, TestApp, pictures};
use sea_orm::sea_query::LockBehavior;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Statement, TransactionTrait as _,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// An application whose database is at the other end of a line.
async fn behind_a_line() -> (TestApp, Line, TestDatabase, tempfile::TempDir) {
    behind_a_line_with(&[]).await
}

async fn behind_a_line_with(
    settings: &[(&str, &str)],
) -> (TestApp, Line, TestDatabase, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let (line, url) = Line::to_database(&database.url).await;
    let app = TestApp::with(&[&[("DATABASE_URI", url.as_str())], settings].concat()).await;
    (app, line, database, folder)
}

const WRITE: &str =
    "mutation($input: CreateGalleryInput!) { createGallery(input: $input) { gallery { id } } }";

/// Makes a gallery; `true` where it was made, `false` where the answer was `UNAVAILABLE`.
async fn write(actor: &Actor) -> bool {
    let input = json!({ "input": { "name": "finish line" } });
    let (_, answer) = actor.send(WRITE, input).await;
    if answer["errors"].is_null() {
        return true;
    }
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
        "{answer:#}"
    );
    false
}

#[tokio::test]
async fn connections_that_broke_while_idle_cost_no_request() {
    if !database::is_server() {
        return;
    }
    let (app, line, database, _folder) = behind_a_line().await;
    let ada = app.user("ada").await;
    for _ in 0..3 {
        line.cut();
        for _ in 0..8 {
            assert!(write(&ada).await);
        }
    }
    app.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_moves_to_another_address_is_found_there() {
    if !database::is_server() {
        return;
    }
    let (app, line, database, _folder) = behind_a_line().await;
    let ada = app.user("ada").await;
    let (elsewhere, _) = Line::to_database(&database.url).await;
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let ada = ada.clone();
        writers.spawn(async move {
            let mut made = 0;
            for _ in 0..30 {
                made += usize::from(write(&ada).await);
            }
            made
        });
    }
    assert!(write(&ada).await);
    line.move_to(&elsewhere.address());
    let made: usize = writers.join_all().await.into_iter().sum();
    for _ in 0..8 {
        assert!(write(&ada).await, "nothing of it is left");
    }
    assert!(elsewhere.taken() > 0);
    // What was answered stands. More may: the answer to a COMMIT can get lost.
    let galleries = entity::gallery::Entity::find().all(app.db().read()).await;
    assert!(galleries.unwrap().len() >= made + 9);
    app.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_loses_its_power_takes_no_place_in_the_pool() {
    const PLACES: usize = 5;
    if !database::is_server() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let (line, url) = Line::to_database(&database.url).await;
    let app = TestApp::with(&[
        ("DATABASE_URI", &url),
        ("DATABASE_MAX_CONNECTIONS", "5"),
        ("DATABASE_ACQUIRE_SECONDS", "1"),
    ])
    .await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("finish line").await;
    let (elsewhere, _) = Line::to_database(&database.url).await;

    // Somebody holds the row that all requests wait for, so each place is in the middle of a statement.
    let operator = database.connect().await;
    let holding = operator.begin().await.unwrap();
    holding
        .execute_unprepared("UPDATE gallery SET description = 'held'")
        .await
        .unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..PLACES {
        let (ada, gallery) = (ada.clone(), gallery.clone());
        writers.spawn(async move {
            let update = "mutation($input: UpdateGalleryInput!) { updateGallery(input: $input) { gallery { id } } }";
            let input = json!({ "input": { "galleryId": gallery, "name": "goal" } });
            ada.send(update, input).await
        });
    }
    while app.db().begin().await.is_ok() {}
    line.strand(&elsewhere.address());
    // The clients hang up.
    writers.shutdown().await;
    let all_places = async {
        loop {
            let begun = (0..PLACES).map(|_| app.db().begin());
            let begun = futures::future::join_all(begun).await;
            if begun.iter().all(Result::is_ok) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_places)
        .await
        .expect("no place stays taken");
    holding.rollback().await.unwrap();
    assert!(write(&ada).await);
    app.stop().await;
    // The old server's sessions, with their transactions, go with it.
    line.cut();
    operator.close().await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_hears_on_after_a_server_lost_its_power() {
    if !database::is_server() {
        return;
    }
    let (app, line, database, _folder) = behind_a_line().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("start").await;
    let (elsewhere, _) = Line::to_database(&database.url).await;
    let mut events = ada.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;
    // It happens while the reader of events is in the middle of a statement.
    let operator = database.connect().await;
    lock(&operator, "gallery_event").await;
    waited_for(&operator, 1).await;
    line.strand(&elsewhere.address());
    let_go(&operator).await;
    let renamed = async {
        let update = "mutation($input: UpdateGalleryInput!) \
            { updateGallery(input: $input) { gallery { id } } }";
        let input = json!({ "input": { "galleryId": gallery, "name": "goal" } });
        while !ada.send(update, input.clone()).await.1["errors"].is_null() {}
        events.until("GalleryChanged").await
    };
    tokio::time::timeout(Duration::from_secs(60), renamed)
        .await
        .expect("it is told");
    drop(events);
    app.stop().await;
    line.cut();
    operator.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn one_clients_pages_leave_connections_to_the_others() {
    if !database::is_server() {
        return;
    }
    let (app, _line, database, _folder) = behind_a_line_with(&[
        ("DATABASE_MAX_CONNECTIONS", "4"),
        ("DATABASE_ACQUIRE_SECONDS", "1"),
    ])
    .await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("start").await;
    let operator = database.connect().await;
    lock(&operator, "photo").await;
    let pages: String = (0..20)
        .map(|n| format!("a{n}: photos(first: 1) {{ nodes {{ id }} }} "))
        .collect();
    let document = format!("query($g: ID!) {{ gallery(id: $g) {{ {pages} }} }}");
    let asks = async |client: &Actor| client.send(&document, json!({ "g": gallery })).await;
    let another = app.fresh(&ada).await;
    let (first, second, ()) = tokio::join!(asks(&ada), asks(&another), async {
        // As many as one client may have read, over both of its requests.
        waited_for(&operator, 2).await;
        for _ in 0..5 {
            let found = bob.query(
                "{ viewer { id } galleries(first: 1) { nodes { id } } }",
                json!({}),
            );
            assert!(found.await["viewer"]["id"].is_string());
        }
        assert_eq!(waiting(&operator).await, 2);
        let_go(&operator).await;
    });
    for (_, answer) in [first, second] {
        assert_eq!(answer["errors"], Value::Null, "{answer:#}");
    }
    app.stop().await;
    operator.close().await.unwrap();
    database.drop().await;
}

/// Locks a table, so that whoever reads it waits.
async fn lock(operator: &DatabaseConnection, table: &str) {
    let lock = match operator.get_database_backend() {
        DbBackend::Postgres => format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
        _ => format!("LOCK TABLES {table} WRITE"),
    };
    operator.execute_unprepared(&lock).await.unwrap();
}

async fn let_go(operator: &DatabaseConnection) {
    let let_go = match operator.get_database_backend() {
        DbBackend::Postgres => "ROLLBACK",
        _ => "UNLOCK TABLES",
    };
    operator.execute_unprepared(let_go).await.unwrap();
}

/// How many statements wait for a lock.
async fn waiting(operator: &DatabaseConnection) -> i64 {
    let backend = operator.get_database_backend();
    let waiting = match backend {
        DbBackend::Postgres => {
            // Within a transaction, unlike this view, the one of activities stands still.
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
             (SELECT oid FROM pg_database WHERE datname = current_database())"
        }
        _ => {
            "SELECT count(*) FROM information_schema.processlist \
             WHERE db = DATABASE() AND state LIKE 'Waiting for table%'"
        }
    };
    let waiting = Statement::from_string(backend, waiting);
    let row = operator.query_one_raw(waiting).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

/// Looks until so many wait.
async fn waited_for(operator: &DatabaseConnection, count: i64) {
    let wait = async { while waiting(operator).await < count {} };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("they wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_sessions_is_unavailable_and_no_more() {
    if !database::is_server() {
        return;
    }
    let (app, _line, database, _folder) = behind_a_line().await;
    let ada = app.user("ada").await;
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let ada = ada.clone();
        writers.spawn(async move {
            for _ in 0..30 {
                write(&ada).await;
            }
        });
    }
    let operator = database.connect().await;
    let mut ended = 0;
    while !writers.is_empty() {
        ended += end_sessions(&operator).await;
        let next = tokio::time::timeout(Duration::from_millis(50), writers.join_next()).await;
        if let Ok(Some(written)) = next {
            written.unwrap();
        }
    }
    assert!(ended > 0);
    assert!(write(&ada).await);
    operator.close().await.unwrap();
    app.stop().await;
    database.drop().await;
}

/// Ends all sessions of this database but this one; how many.
async fn end_sessions(operator: &DatabaseConnection) -> usize {
    let backend = operator.get_database_backend();
    let others = match backend {
        DbBackend::Postgres => {
            "SELECT pid::bigint FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        _ => {
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    let rows = operator
        .query_all_raw(Statement::from_string(backend, others))
        .await
        .unwrap();
    for row in &rows {
        let id: i64 = row.try_get_by_index(0).unwrap();
        let end = match backend {
            DbBackend::Postgres => format!("SELECT pg_terminate_backend({id})"),
            _ => format!("KILL {id}"),
        };
        // It may have ended by itself.
        let _ = operator.execute_unprepared(&end).await;
    }
    rows.len()
}

#[tokio::test]
async fn a_full_pool_is_unavailable_and_not_waited_for_without_end() {
    if !database::is_server() {
        return;
    }
    let settings = [
        ("DATABASE_MAX_CONNECTIONS", "2"),
        ("DATABASE_ACQUIRE_SECONDS", "1"),
    ];
    let app = TestApp::with(&settings).await;
    let ada = app.user("ada").await;
    let held = [app.db().begin().await, app.db().begin().await];
    assert!(held.iter().all(Result::is_ok));
    assert!(!write(&ada).await);
    let read = "query { galleries(first: 1) { nodes { id } } }";
    assert_eq!(ada.error_code(read, Value::Null).await, "UNAVAILABLE");
    drop(held);
    assert!(write(&ada).await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_loses_a_deadlock_is_tried_again() {
    if !database::is_server() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("finish line").await;
    let pictures: Vec<_> = (0..20).map(|n| pictures::plain("a.jpg", n)).collect();
    let files: Vec<Value> = pictures.iter().map(harness::Picture::file).collect();
    ada.request(&gallery, &files).await;
    let ids: Vec<entity::PhotoId> = photo::Entity::find()
        .select_only()
        .column(photo::Column::Id)
        .order_by_asc(photo::Column::Id)
        .into_tuple()
        .all(app.db().read())
        .await
        .unwrap();
    let (first, last) = (ids[0], ids[19]);

    // The other one has written much, so that a server which ends the smaller transaction of two ends
    // the request; and waits for less long, so that one which ends the first to look does as well.
    let other = app.db().begin().await.unwrap();
    photo::Entity::update_many()
        .col_expr(
            photo::Column::UpdatedAt,
            sea_orm::sea_query::Expr::value(1_i64),
        )
        .filter(photo::Column::Id.is_in(ids[1..].iter().copied()))
        .exec(&*other)
        .await
        .unwrap();
    let photos = [first, last].map(|id| text(&json!(eventgallery::graphql::id::encode(id).0)));
    let request = tokio::spawn({
        let ada = ada.clone();
        async move {
            let input = json!({ "photoIds": photos });
            let selection = "results { deletedPhotoId }";
            ada.mutate("deletePhotos", "DeletePhotosInput", input, selection)
                .await
        }
    });
    while is_free(&app, first).await {
        tokio::task::yield_now().await;
    }
    // Now each waits for the other.
    photo::Entity::find_by_id(first)
        .lock_exclusive()
        .one(&*other)
        .await
        .expect("the request loses");
    other.commit().await.unwrap();
    let deleted = request.await.unwrap();
    assert!(
        deleted["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|result| result["deletedPhotoId"].is_string())
    );
    app.stop().await;
}

async fn is_free(app: &TestApp, photo: entity::PhotoId) -> bool {
    let look = app.db().begin().await.unwrap();
    photo::Entity::find_by_id(photo)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(&*look)
        .await
        .unwrap()
        .is_some()
}
