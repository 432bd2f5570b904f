//! How long a sign-in takes while somebody floods the process with sign-ins of their own.
//!
//! ```sh
//! cargo bench --workspace --bench sign_ins
//! ```
//!
//! The flood has the right passwords of many accounts, so that no limit of failures ends it, and comes
//! from one network over as many connections. Beside it somebody signs in now and then: from another
//! network, and from the same one. Compare the lines with the first, which has no flood.

#![expect(clippy::print_stdout, reason = "a measurement prints")]

use std::time::{Duration, Instant};

use harness::{Actor, TestApp};
use serde_json::json;

/// Accounts of the flood, each with a connection of its own.
const ACCOUNTS: usize = 100;
/// Sign-ins that are measured, in each line.
const TIMES: usize = 15;
const FLOOD: &str = "203.0.113.1";
const ELSEWHERE: &str = "203.0.113.2";

#[tokio::main]
async fn main() {
    let settings = [
        ("TRUSTED_PROXIES", "1"),
        ("REGISTRATIONS_PER_MINUTE", "1000"),
    ];
    let app = TestApp::with(&settings).await;
    let mut accounts = Vec::new();
    for n in 0..ACCOUNTS {
        accounts.push(app.user(&format!("account{n}")).await);
    }
    println!("{ACCOUNTS} connections flood; milliseconds\n");
    println!("| sign-in | median | longest |");
    println!("|---|---|---|");
    let victim = app.user("quiet").await;
    line("no flood", measured(&victim, ELSEWHERE).await);
    for (name, address) in [("another network", ELSEWHERE), ("its network", FLOOD)] {
        // Sixty of each account a minute, and the clock stands still.
        app.clock.advance(60);
        let victim = app.user("victim").await;
        let floods: Vec<_> = accounts.iter().cloned().map(flood).collect();
        line(name, measured(&victim, address).await);
        assert!(
            floods.iter().any(|flood| !flood.is_finished()),
            "the flood ended before"
        );
        for flood in floods {
            flood.abort();
        }
    }
    app.stop().await;
}

fn line(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    let (median, longest) = (millis(took.get(took.len() / 2)), millis(took.last()));
    println!("| {name} | {median:.0} | {longest:.0} |");
}

/// Signs in until it is refused.
fn flood(account: Actor) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move { while sign_in(&account, FLOOD).await == "OK" {} })
}

async fn measured(victim: &Actor, address: &str) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let start = Instant::now();
        assert_eq!(sign_in(victim, address).await, "OK");
        took.push(start.elapsed());
    }
    took
}

async fn sign_in(actor: &Actor, address: &str) -> String {
    let input = json!({ "email": actor.email, "password": actor.password });
    actor.sign_in_from(address, input).await
}
