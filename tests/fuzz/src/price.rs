//! Any bytes as a document: parse, price, weigh. It never panics, never does more than linear work,
//! and what is within the limits is so with its fragments written out.

#![no_main]

use async_graphql_parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::Variables;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::price::{self, LIMITS};
use wire::shape::Shape;
use wire::{definitions, document, unknown, variables, weight};

/// The schema itself.
static SHAPE: LazyLock<Shape> = LazyLock::new(|| {
    Shape::from_sdl(include_str!("../../../schema.graphql")).expect("the schema parses")
});

fuzz_target!(|data: &[u8]| {
    // Behind the first NUL, variables as JSON.
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let text = parts.next().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let json = serde_json::from_slice(parts.next().unwrap_or_default());
    let variables = Variables::from_json(json.unwrap_or_default());
    let pieces = definitions::split(text);
    let Ok(document) = document::parse(text) else {
        return;
    };
    let written = written(&document);
    let count = document.operations.iter().count() + document.fragments.len();
    // And comments behind the last one.
    assert!((count..=count + 1).contains(&pieces.len()), "{pieces:?}");
    for (_, operation) in document.operations.iter() {
        let priced = price::check(&document, operation, &variables, &SHAPE, &LIMITS);
        let cost = match &priced {
            Ok(cost) => Some(cost),
            Err(problem) => problem.cost.as_deref(),
        };
        if let Some(cost) = cost {
            assert!(cost.visits <= 2 * written, "{} of {written}", cost.visits);
        }
        if let Ok(cost) = &priced {
            let set = &operation.node.selection_set.node;
            // Would not come to an end for a bomb that was let through.
            let real = visited(set, &document);
            assert!(real <= cost.selections, "{real} of {}", cost.selections);
            assert!(weight::weigh(&document) > 0);
            let _ = unknown::first(&document, &SHAPE);
        }
        let _ = variables::check(&operation.node, &variables, &SHAPE, &LIMITS);
    }
});

/// Selections as they are written.
fn written(document: &ExecutableDocument) -> u64 {
    let operations = document.operations.iter();
    let operations = operations.map(|(_, operation)| count(&operation.node.selection_set.node));
    let fragments = document.fragments.values();
    let fragments = fragments.map(|fragment| count(&fragment.node.selection_set.node));
    operations.sum::<u64>() + fragments.sum::<u64>()
}

fn count(set: &SelectionSet) -> u64 {
    let items = set.items.iter().map(|item| match &item.node {
        Selection::Field(field) => 1 + count(&field.node.selection_set.node),
        Selection::InlineFragment(fragment) => 1 + count(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 1,
    });
    items.sum()
}

/// Selections with fragments written out, the slow way.
fn visited(set: &SelectionSet, document: &ExecutableDocument) -> u64 {
    let items = set.items.iter().map(|item| match &item.node {
        Selection::Field(field) => 1 + visited(&field.node.selection_set.node, document),
        Selection::InlineFragment(fragment) => {
            1 + visited(&fragment.node.selection_set.node, document)
        }
        Selection::FragmentSpread(spread) => {
            let name = &spread.node.fragment_name.node;
            match document.fragments.get(name) {
                Some(fragment) => 1 + visited(&fragment.node.selection_set.node, document),
                None => 1,
            }
        }
    });
    items.sum()
}
