//! Processes that are killed and started again, as a cluster does it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventgallery::clock::Clock;
use harness::line::Line;
use harness::process::Process;

/// A process and how it is started.
struct Slot {
    name: String,
    arguments: Vec<&'static str>,
    environment: HashMap<String, String>,
    process: Process,
}

#[derive(Default)]
struct Book {
    slots: Vec<Slot>,
    kills: BTreeMap<String, u64>,
    vain: u64,
    cuts: BTreeMap<&'static str, u64>,
}

/// The processes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Fleet {
    folder: PathBuf,
    book: Arc<Mutex<Book>>,
}

impl Fleet {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            book: Arc::default(),
        }
    }

    pub(super) fn add(
        &self,
        name: &str,
        arguments: &[&'static str],
        environment: HashMap<String, String>,
    ) {
        let process = Process::start(&self.folder, name, arguments, &environment);
        self.book.lock().unwrap().slots.push(Slot {
            name: name.to_owned(),
            arguments: arguments.to_vec(),
            environment,
            process,
        });
    }

    /// Kills the next one, by SIGKILL, and starts it again.
    fn kill_one(&self) {
        let mut book = self.book.lock().unwrap();
        let count = book.slots.len();
        let kills: u64 = book.kills.values().sum();
        // One of the API, one worker, the other of the API, the other worker.
        let which = (kills as usize * 2 + kills as usize / 2 % 2) % count;
        let name = book.slots[which].name.clone();
        self.start(&mut book.slots[which]);
        *book.kills.entry(name).or_default() += 1;
    }

    fn start(&self, slot: &mut Slot) {
        slot.process.kill();
        slot.process = Process::start(&self.folder, &slot.name, &slot.arguments, &slot.environment);
    }

    /// Starts what ended by itself, for example because there was no database at its start.
    pub(super) fn keep_up(&self) {
        let mut book = self.book.lock().unwrap();
        for which in 0..book.slots.len() {
            if book.slots[which].process.has_ended() {
                book.vain += 1;
                self.start(&mut book.slots[which]);
            }
        }
    }

    fn note(&self, what: &'static str) {
        *self.book.lock().unwrap().cuts.entry(what).or_default() += 1;
    }

    /// Kills so far, by process.
    pub(super) fn kills(&self) -> BTreeMap<String, u64> {
        self.book.lock().unwrap().kills.clone()
    }

    /// Starts that came to nothing.
    pub(super) fn vain(&self) -> u64 {
        self.book.lock().unwrap().vain
    }

    /// What was done to the database's connections.
    pub(super) fn cuts(&self) -> BTreeMap<&'static str, u64> {
        self.book.lock().unwrap().cuts.clone()
    }

    /// The end of every log.
    pub(super) fn logs(&self) -> String {
        let book = self.book.lock().unwrap();
        let logs = book.slots.iter().map(|slot| {
            let log = slot.process.log();
            let from = log.len().saturating_sub(3_000);
            let end = log.get(from..).unwrap_or_default();
            format!("--- {}\n{end}\n", slot.name)
        });
        logs.collect()
    }

    /// Ends them all.
    pub(super) fn end(&self) {
        self.book.lock().unwrap().slots.clear();
    }
}

/// Kills processes and hurts the database's connections until it is stopped.
pub(super) async fn kill(fleet: Fleet, line: Line) {
    let pause = |from: f64, to: f64| {
        let seconds = from + Clock::system().random_share() * (to - from);
        tokio::time::sleep(Duration::from_secs_f64(seconds))
    };
    let kills = async {
        loop {
            pause(1.5, 3.5).await;
            fleet.kill_one();
        }
    };
    let cuts = async {
        loop {
            for round in 0..3 {
                pause(4.0, 7.0).await;
                if round < 2 {
                    line.cut();
                    fleet.note("cut");
                } else {
                    line.close().await;
                    pause(1.0, 2.5).await;
                    line.open().await;
                    fleet.note("away");
                }
            }
        }
    };
    let up = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            fleet.keep_up();
        }
    };
    tokio::join!(kills, cuts, up);
}
