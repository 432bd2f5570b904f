//! Everything at once: twenty clients upload 300 photos to two API and two worker processes, which are
//! killed every few seconds while store, Rekognition and database have a bad day. In the end every
//! confirmed photo is READY, none is doubled, nothing is left behind, and no event was missed.
//!
//! `tests/run chaos` runs it on PostgreSQL and on MariaDB.

mod check;
mod clients;
mod fleet;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eventgallery::db::Db;
use harness::Actor;
use harness::database::is_server;
use tokio::task::JoinSet;

use clients::{Follower, Uploads};
use world::World;

const PHOTOS: usize = 300;
const CLIENTS: usize = 20;
/// Kills and faults go on until half of the photos are ready, but for at least and at most so long.
const STORM: [Duration; 2] = [Duration::from_secs(45), Duration::from_secs(120)];
/// Longest time for the whole, on a machine with two cores.
const BOUND: Duration = Duration::from_secs(420);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes of work for all cores: tests/run chaos"]
async fn every_confirmed_photo_is_ready_once_whatever_is_killed_or_breaks() {
    assert!(
        is_server(),
        "set TEST_DATABASE_URL to a PostgreSQL or MariaDB server"
    );
    tokio::time::timeout(BOUND, run())
        .await
        .expect("an end in time");
}

async fn run() {
    let began = Instant::now();
    let world = World::new().await;
    let ada = Actor::at(&world.urls[0], "ada").await;
    let gallery = ada.gallery("chaos").await;
    let db = Db::connect(&world.database.url, 2).await.unwrap();

    world.break_things();
    let over = Arc::new(AtomicBool::new(false));
    let follower = Follower::new(&ada, &world.urls, &gallery);
    let follower = tokio::spawn(follower.run(db.clone(), Arc::clone(&over)));
    let mut uploads = JoinSet::new();
    for (number, pictures) in clients::pictures().chunks(PHOTOS / CLIENTS).enumerate() {
        let uploading = Uploads::new(&ada, &world, &gallery, number);
        uploads.spawn(uploading.run(pictures.to_vec()));
    }
    let killing = tokio::spawn(fleet::kill(world.fleet.clone(), world.line.clone()));
    let uploads: Vec<_> = uploads.join_all().await;
    let confirmed: Vec<String> = uploads
        .iter()
        .flat_map(|done| done.confirmed.clone())
        .collect();
    let uploaded = began.elapsed();
    let mut ready_in_the_storm = 0;
    while began.elapsed() < STORM[0]
        || began.elapsed() < STORM[1] && ready_in_the_storm < PHOTOS / 2
    {
        tokio::time::sleep(Duration::from_millis(500)).await;
        ready_in_the_storm = check::ready(&db, &gallery).await;
    }
    killing.abort();
    let _ = killing.await;
    world.calm().await;
    let calm = began.elapsed();

    check::all_ready(&db, &gallery, &confirmed).await;
    check::queue_is_empty(&db).await;
    over.store(true, Ordering::SeqCst);
    let events = follower.await.unwrap();

    let people = check::nothing_is_doubled(&db, &gallery, &confirmed).await;
    check::nothing_is_left(&db, &world, &gallery).await;
    check::no_event_is_missed(&db, &gallery, &events, &confirmed).await;

    let retries: u64 = uploads.iter().map(|done| done.retries).sum();
    let kills = world.fleet.kills();
    println!("database          {:?}", db.backend());
    println!(
        "photos            {PHOTOS} uploaded by {CLIENTS} clients, {} confirmed",
        confirmed.len()
    );
    println!(
        "ready             {} ({ready_in_the_storm} of them in the storm)",
        confirmed.len()
    );
    println!("people            {people}");
    println!(
        "kill -9           {kills:?}, {} started in vain",
        world.fleet.vain()
    );
    println!(
        "faults            store and Rekognition {:?}",
        world.gate.injected()
    );
    println!(
        "                  uploads {:?}, database {:?}",
        world.public.injected(),
        world.fleet.cuts()
    );
    println!("retries           {retries} by clients");
    println!(
        "events            {} followed over {} connections, 0 missed, 0 twice",
        events.seqs.len(),
        events.connections
    );
    println!("duplicates        0");
    println!("orphans           0");
    println!(
        "time              {:.0} s: uploads {:.0} s, storm {:.0} s, then {:.0} s of calm",
        began.elapsed().as_secs_f32(),
        uploaded.as_secs_f32(),
        calm.as_secs_f32(),
        (began.elapsed() - calm).as_secs_f32(),
    );
    assert!(kills.values().sum::<u64>() >= 10, "{kills:?}");
    db.close().await.unwrap();
    world.end().await;
}
