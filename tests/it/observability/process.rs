//! The binary itself, with its log.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::Actor;
use serde_json::{Value, json};

/// A process of the binary that writes its log as JSON into a file; killed when dropped.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    /// Where the API answers; empty for a worker.
    pub(super) url: String,
}

impl Process {
    /// `eventgallery serve` or `worker` in a folder, with these names of the environment set.
    pub(super) fn start(command: &str, folder: &Path, environment: &[(&str, &str)]) -> Self {
        let log = folder.join(format!("{command}.log"));
        let mut child = Command::new(harness::process::binary())
            .arg(command)
            .current_dir(folder)
            .env_remove("RUST_LOG")
            .env("DATA_DIR", folder.join("data"))
            .env("EVENTGALLERY_LISTEN", "127.0.0.1:0")
            .env("METRICS_LISTEN", "127.0.0.1:0")
            .env("LOG_JSON", "true")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut url = String::new();
        if command == "serve" {
            let mut line = String::new();
            let stdout = child.stdout.take().unwrap();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            let said = line.split_whitespace().last();
            let said = said.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(&log).unwrap()));
            url = said.trim_end_matches("/graphql").to_owned();
        }
        Self { child, log, url }
    }

    /// What it has logged.
    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What it has logged, a value a line.
    pub(super) fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in: {line}"))
        };
        self.text().lines().map(parse).collect()
    }

    /// Waits for a line with this message.
    pub(super) async fn line(&self, message: &str) -> Value {
        until(&format!("the line `{message}`"), async || {
            let text = self.text();
            let complete = text.rfind('\n').map_or("", |end| &text[..end]);
            complete
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap())
                .find(|line| line["message"] == message)
        })
        .await
    }

    /// Base URL of its port for operators.
    pub(super) async fn operations(&self) -> String {
        let line = self.line("metrics and health checks").await;
        format!("http://{}", line["address"].as_str().unwrap())
    }

    /// Tells it to stop and waits until it has, with success.
    pub(super) async fn stop(&mut self) {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        let status = until("the end of the process", async || {
            self.child.try_wait().unwrap()
        })
        .await;
        assert!(status.success(), "{status}\n{}", self.text());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until there is an answer.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "no {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a photo is no longer being analysed; its status.
pub(super) async fn analysed(actor: &Actor, id: &str) -> String {
    until("analysed photo", async || {
        let photo = actor.photo(id, "status").await;
        let status = photo["status"].as_str().unwrap().to_owned();
        (status != "PROCESSING").then_some(status)
    })
    .await
}

/// The span of this name that a line was written in.
pub(super) fn span<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    let spans = line["spans"].as_array()?;
    spans.iter().find(|span| span["name"] == json!(name))
}
