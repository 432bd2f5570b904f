//! The binary as processes of their own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// `eventgallery` with these arguments; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it in `folder` with this environment and no other settings. Its log is in the folder,
    /// under `name`.
    pub fn start(
        folder: &Path,
        name: &str,
        arguments: &[&str],
        environment: &HashMap<String, String>,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log);
        let child = Command::new(binary())
            .args(arguments)
            .current_dir(folder)
            .envs(environment)
            .stdout(Stdio::piped())
            .stderr(file.expect("a log"))
            .spawn()
            .expect("the process starts");
        Self { child, log }
    }

    /// The first line that it prints.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().expect("stdout"))
            .read_line(&mut line)
            .expect("a line");
        assert!(!line.is_empty(), "it ended at once: {}", self.log());
        line
    }

    /// What it logged, earlier processes of the same name included.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{kill}");
    }

    /// Kills it, by SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        // One that has ended is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it runs no more.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// How it ended, if it does within `time`.
    pub async fn ended(&mut self, time: Duration) -> Option<ExitStatus> {
        let ending = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("a child of ours") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(time, ending).await.ok()
    }

    /// Most memory that the process ever held, in bytes.
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `eventgallery serve`, with its own worker and the stand-ins; killed when dropped.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub process: Process,
    /// Where it answers.
    pub url: String,
}

impl Server {
    /// Starts it on a data folder in `folder`, and waits until it answers.
    pub fn start(folder: &Path, database: &str) -> Self {
        let data = folder.join("data").display().to_string();
        let environment = [
            ("DATA_DIR", data.as_str()),
            ("DATABASE_URI", database),
            ("EVENTGALLERY_LISTEN", "127.0.0.1:0"),
            ("WORKER_LEASE_SECONDS", "10"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut process = Process::start(folder, "server", &[], &environment.into());
        let line = process.first_line();
        let url = line.split_whitespace().last();
        let url = url.expect("where GraphiQL is").trim_end_matches("/graphql");
        let url = url.to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{line}");
        Self { process, url }
    }
}

/// The binary beside the tests.
#[must_use]
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().expect("this test's file");
    let file = tests
        .ancestors()
        .nth(2)
        .expect("target/debug")
        .join("eventgallery");
    assert!(
        file.exists(),
        "run `cargo build` first: {} is missing",
        file.display()
    );
    file
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
