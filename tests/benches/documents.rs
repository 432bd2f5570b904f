//! How long the refusal of each bomb takes, and whether the process answers others meanwhile.
//!
//! ```sh
//! cargo bench --workspace --bench documents
//! ```
//!
//! Over real HTTP, with as many senders as there are cores, while `/health/live` is asked again and
//! again. Ends with an error where the refusal of a document below [`SMALL`] takes [`LIMIT`] or longer;
//! the larger ones show that it grows with what was sent, and with nothing else.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement prints, and a broken premise ends it"
)]

use std::time::{Duration, Instant};

use harness::document::bomb;
use harness::{Actor, TestApp};
use serde_json::json;

/// Longest refusal, seen by its client.
const LIMIT: Duration = Duration::from_millis(50);
/// Bytes of a document below which nothing but its bombs could make it slow.
const SMALL: usize = 10_000;
/// Refusals of each bomb by each sender.
const TIMES: usize = 50;

#[tokio::main]
async fn main() {
    let app = TestApp::start().await;
    let senders = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("{senders} senders; milliseconds\n");
    println!("| document | bytes | median | longest | longest /health/live meanwhile |");
    println!("|---|---|---|---|---|");
    let mut is_slow = false;
    for (name, query) in [
        ("2^31", bomb(31, 2)),
        ("2^1000", bomb(1000, 2)),
        ("100^5", bomb(5, 100)),
        ("1000^5", bomb(5, 1000)),
    ] {
        let (mut refusals, alive) = attacked(&app, senders, &query).await;
        refusals.sort_unstable();
        let longest = refusals.last().copied().unwrap_or_default();
        is_slow |= query.len() < SMALL && longest >= LIMIT;
        println!(
            "| {name} | {} | {:.1} | {:.1} | {:.1} |",
            query.len(),
            millis(refusals[refusals.len() / 2]),
            millis(longest),
            millis(alive),
        );
    }
    app.stop().await;
    assert!(!is_slow, "a refusal took {LIMIT:?} or longer");
}

/// How long each refusal took, and the longest `/health/live` of that time.
async fn attacked(app: &TestApp, senders: usize, query: &str) -> (Vec<Duration>, Duration) {
    let sending = (0..senders).map(|_| {
        let (actor, query) = (app.anonymous(), query.to_owned());
        tokio::spawn(async move { refused(&actor, &query).await })
    });
    let sending: Vec<_> = sending.collect();
    let watcher = app.anonymous();
    let live = format!("{}/health/live", app.url);
    let mut longest = Duration::default();
    while sending.iter().any(|sender| !sender.is_finished()) {
        let start = Instant::now();
        let answer = watcher.http().get(&live).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        longest = longest.max(start.elapsed());
    }
    let mut refusals = Vec::new();
    for sender in sending {
        refusals.extend(sender.await.expect("a sender"));
    }
    (refusals, longest)
}

async fn refused(actor: &Actor, query: &str) -> Vec<Duration> {
    let body = json!({ "query": query });
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let request = actor.http().post(actor.endpoint()).json(&body);
        let start = Instant::now();
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        took.push(start.elapsed());
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("QUERY_TOO_COMPLEX"), "{text}");
    }
    took
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
