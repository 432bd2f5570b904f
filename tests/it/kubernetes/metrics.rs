//! Alerts and dashboard name metrics, labels and limits that there are.

use std::collections::BTreeSet;

use eventgallery::metrics::{Kind, NAMES, Name};

use super::{GIVEN, config, documents, settings, text, with};

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

fn metric(name: &str) -> Option<&'static Name> {
    NAMES.iter().find(|known| match known.kind {
        Kind::Counter | Kind::Gauge => name == known.name,
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| name.strip_suffix(end) == Some(known.name)),
    })
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let mut used = BTreeSet::new();
    for expression in expressions() {
        let mut known: Vec<&str> = ADDED.to_vec();
        for (name, selected) in named(&expression) {
            let Name { name, labels, .. } =
                metric(&name).unwrap_or_else(|| panic!("no metric {name}: {expression}"));
            used.insert(*name);
            known.extend(*labels);
            for label in selected {
                let fits = labels.contains(&label.as_str()) || ADDED.contains(&label.as_str());
                assert!(fits, "{name} has no label {label}: {expression}");
            }
        }
        for label in grouped(&expression) {
            assert!(
                known.contains(&label.as_str()),
                "no label {label}: {expression}"
            );
        }
    }
    let unseen: Vec<_> = NAMES
        .iter()
        .map(|known| known.name)
        .filter(|name| !used.contains(name))
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
