//! Reads what `/metrics` answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use harness::TestApp;
use tokio::net::TcpListener;

/// The port for operators of an application under test.
pub(crate) struct Operations {
    pub(crate) url: String,
}

impl Operations {
    /// Opens it, until the test ends.
    pub(crate) async fn of(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let routes = app.app().operations();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            url: format!("http://{address}"),
        }
    }

    pub(crate) async fn scrape(&self) -> Exposition {
        Exposition::fetch(&self.url).await
    }

    /// HTTP status and body of a health check.
    pub(crate) async fn health(&self, name: &str) -> (u16, serde_json::Value) {
        let answer = reqwest::get(format!("{}/health/{name}", self.url))
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// One scrape.
pub(crate) struct Exposition {
    pub(crate) text: String,
    samples: BTreeMap<String, f64>,
    /// Kind by name, as declared.
    pub(crate) kinds: BTreeMap<String, String>,
}

impl Exposition {
    pub(crate) async fn fetch(url: &str) -> Self {
        let answer = reqwest::get(format!("{url}/metrics")).await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        Self::parse(answer.text().await.unwrap())
    }

    fn parse(text: String) -> Self {
        assert!(text.ends_with("# EOF\n"), "cut off");
        let (mut samples, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let before = samples.insert(series.to_owned(), value.parse().unwrap());
                assert!(before.is_none(), "twice: {series}");
            }
        }
        Self {
            text,
            samples,
            kinds,
        }
    }

    /// Value of a series, written as it stands there.
    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    /// Value of a series that must be there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.get(series)
            .unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }

    /// All values that a label has in a metric.
    pub(crate) fn labels(&self, metric: &str, label: &str) -> BTreeSet<String> {
        let start = format!("{label}=\"");
        self.samples
            .keys()
            .filter(|series| series.split('{').next() == Some(metric))
            .filter_map(|series| {
                let (_, rest) = series.split_once(&start)?;
                Some(rest.split('"').next()?.to_owned())
            })
            .collect()
    }
}
