//! Alerts and dashboard name metrics, labels and limits that there are.

use std::collections::BTreeSet;

use super::{GIVEN, config, documents, settings, text, with};

/// What kind of metric it is; a histogram is several series.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Histogram,
}
use Kind::{Histogram, Plain};

/// Every metric of ours, and its labels.
const METRICS: [(&str, Kind, &[&str]); 20] = [
    ("eventgallery_build_info", Plain, &["version"]),
    (
        "eventgallery_graphql_requests_total",
        Plain,
        &["operation", "field", "outcome"],
    ),
    (
        "eventgallery_graphql_request_seconds",
        Histogram,
        &["operation", "field"],
    ),
    ("eventgallery_graphql_errors_total", Plain, &["code"]),
    ("eventgallery_user_errors_total", Plain, &["code"]),
    ("eventgallery_jobs", Plain, &["kind", "state"]),
    ("eventgallery_job_oldest_due_seconds", Plain, &["kind"]),
    ("eventgallery_job_runs_total", Plain, &["kind", "outcome"]),
    ("eventgallery_job_run_seconds", Histogram, &["kind"]),
    (
        "eventgallery_rekognition_calls_total",
        Plain,
        &["operation", "outcome"],
    ),
    (
        "eventgallery_rekognition_call_seconds",
        Histogram,
        &["operation"],
    ),
    (
        "eventgallery_s3_calls_total",
        Plain,
        &["operation", "outcome"],
    ),
    ("eventgallery_s3_call_seconds", Histogram, &["operation"]),
    ("eventgallery_urls_signed_total", Plain, &["method"]),
    ("eventgallery_uploads_reaped_total", Plain, &["outcome"]),
    ("eventgallery_events_written_total", Plain, &[]),
    ("eventgallery_subscriptions", Plain, &[]),
    (
        "eventgallery_database_connections",
        Plain,
        &["pool", "state"],
    ),
    ("eventgallery_database_statements_total", Plain, &[]),
    ("up", Plain, &[]),
];
/// What Prometheus adds to each of them, and what histograms have.
const ADDED: [&str; 5] = ["namespace", "pod", "container", "instance", "le"];

/// PromQL of the alerts and of the dashboard.
fn expressions() -> Vec<String> {
    fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                found.extend(map.get("expr").and_then(|e| e.as_str()).map(str::to_owned));
                map.values().for_each(|value| collect(value, found));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let dashboard = text("k8s/components/monitoring/eventgallery.json");
    let mut found = Vec::new();
    collect(&serde_json::from_str(&dashboard).unwrap(), &mut found);
    for document in documents("k8s/components/monitoring/rules.yaml") {
        for group in document["spec"]["groups"].as_vec().unwrap() {
            for rule in group["rules"].as_vec().unwrap() {
                found.push(rule["expr"].as_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// Metrics that an expression names, each with the labels that it selects by.
fn named(expression: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find("eventgallery_") {
        let from = &rest[start..];
        let end = from
            .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let selector = after
            .strip_prefix('{')
            .and_then(|s| s.split_once('}'))
            .map_or("", |(inside, _)| inside);
        let labels = selector
            .split(',')
            .filter_map(|term| term.split_once(['=', '!']))
            .map(|(label, _)| label.trim().to_owned())
            .collect();
        found.push((name.to_owned(), labels));
        rest = after;
    }
    found
}

/// The labels within `by (…)`.
fn grouped(expression: &str) -> Vec<String> {
    expression
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .flat_map(|(labels, _)| labels.split(','))
        .map(|label| label.trim().to_owned())
        .collect()
}

fn metric(name: &str) -> Option<&'static (&'static str, Kind, &'static [&'static str])> {
    METRICS.iter().find(|(known, kind, _)| match kind {
        Plain => name == *known,
        Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| name.strip_suffix(end) == Some(known)),
    })
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let mut used = BTreeSet::new();
    for expression in expressions() {
        let mut known: Vec<&str> = ADDED.to_vec();
        for (name, selected) in named(&expression) {
            let (metric, _, labels) =
                metric(&name).unwrap_or_else(|| panic!("no metric {name}: {expression}"));
            used.insert(*metric);
            known.extend(*labels);
            for label in selected {
                let fits = labels.contains(&label.as_str()) || ADDED.contains(&label.as_str());
                assert!(fits, "{metric} has no label {label}: {expression}");
            }
        }
        for label in grouped(&expression) {
            assert!(
                known.contains(&label.as_str()),
                "no label {label}: {expression}"
            );
        }
    }
    let unseen: Vec<_> = METRICS
        .iter()
        .map(|(name, _, _)| *name)
        .filter(|name| *name != "up" && !used.contains(name))
        .collect();
    assert!(unseen.is_empty(), "nobody looks at {unseen:?}");
}

#[test]
fn connections_are_used_up_where_the_alert_says_so() {
    let connections = config(&with(&settings(Some("mysql")), &GIVEN))
        .unwrap()
        .database
        .max_connections;
    let end = format!("eventgallery_database_connections{{state=\"used\"}}) >= {connections}");
    assert!(
        expressions().iter().any(|e| e.ends_with(&end)),
        "no alert ends with {end}"
    );
}
