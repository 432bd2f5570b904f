//! The one root field of a subscription.
//!
//! The specification allows exactly one, however it is written. async-graphql does not count, and
//! of the root it runs plain fields only: what stands in a fragment there would be left out in
//! silence.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Positioned, parser::types::Directive};

use super::problem::Problem;

/// Checks the root of the subscription called `name` (or the only operation), and writes its field
/// where it is run. The document must have been priced: its fragments do not spread themselves.
///
/// # Errors
/// When it is not one field, or one that depends on a condition.
pub fn settle(document: &mut ExecutableDocument, name: Option<&str>) -> Result<(), Problem> {
    let mut fields = Vec::new();
    if let Some(operation) = operation(document, name) {
        collect(&operation.node.selection_set.node, document, &mut fields)?;
    }
    let mut fields = fields.into_iter();
    let mut field: Positioned<Field> = fields.next().ok_or_else(not_one)?;
    if field.node.name.node.starts_with("__") {
        return Err(
            Problem::invalid("a subscription's field is none of introspection").at(field.pos),
        );
    }
    for other in fields {
        if !is_same(&field.node, &other.node) {
            return Err(not_one().at(other.pos));
        }
        let items = other.node.selection_set.node.items;
        field.node.selection_set.node.items.extend(items);
    }
    if let Some(operation) = operation_mut(document, name) {
        let items = &mut operation.node.selection_set.node.items;
        // Fragments stay: validation looks at them, and execution does not.
        items.retain(|item| !matches!(item.node, Selection::Field(_)));
        let pos = field.pos;
        items.insert(0, Positioned::new(Selection::Field(field), pos));
    }
    Ok(())
}

fn not_one() -> Problem {
    Problem::invalid("a subscription has exactly one field at its root")
}

/// Whether two selections are one field of the answer.
fn is_same(one: &Field, other: &Field) -> bool {
    one.response_key() == other.response_key()
        && one.name == other.name
        && one.arguments == other.arguments
}

fn collect(
    set: &SelectionSet,
    document: &ExecutableDocument,
    fields: &mut Vec<Positioned<Field>>,
) -> Result<(), Problem> {
    for item in &set.items {
        unconditional(item.node.directives())?;
        match &item.node {
            Selection::Field(field) => fields.push(field.clone()),
            Selection::InlineFragment(fragment) => {
                collect(&fragment.node.selection_set.node, document, fields)?;
            }
            Selection::FragmentSpread(spread) => {
                // Validation names one that is missing.
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    collect(&fragment.node.selection_set.node, document, fields)?;
                }
            }
        }
    }
    Ok(())
}

fn unconditional(directives: &[Positioned<Directive>]) -> Result<(), Problem> {
    let condition = directives
        .iter()
        .find(|directive| matches!(directive.node.name.node.as_str(), "skip" | "include"));
    match condition {
        Some(directive) => Err(Problem::invalid(
            "@skip and @include have no place at the root of a subscription",
        )
        .at(directive.pos)),
        None => Ok(()),
    }
}

fn operation<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a Positioned<OperationDefinition>> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name),
        (DocumentOperations::Multiple(named), None) => named.values().next(),
    }
}

fn operation_mut<'a>(
    document: &'a mut ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a mut Positioned<OperationDefinition>> {
    match (&mut document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(named), Some(name)) => named.get_mut(name),
        (DocumentOperations::Multiple(named), None) => named.values_mut().next(),
    }
}

#[cfg(test)]
mod tests {
    use wire::document::parse;

    use super::*;

    fn settled(text: &str) -> Result<String, String> {
        let mut document = parse(text).unwrap();
        settle(&mut document, None).map_err(|problem| problem.message)?;
        let root = &operation(&document, None).unwrap().node.selection_set.node;
        let fields: Vec<_> = root
            .items
            .iter()
            .filter_map(|item| match &item.node {
                Selection::Field(field) => Some(format!(
                    "{}/{}",
                    field.node.response_key().node,
                    field.node.selection_set.node.items.len()
                )),
                _ => None,
            })
            .collect();
        Ok(fields.join(" "))
    }

    #[test]
    fn one_field_however_it_is_written() {
        for (text, expected) in [
            ("subscription { a { x } }", "a/1"),
            ("subscription S { b: a { x y } }", "b/2"),
            (
                "subscription { ...F } fragment F on Subscription { a { x } }",
                "a/1",
            ),
            (
                "subscription { ... on Subscription { ... { a { x } } } }",
                "a/1",
            ),
            ("subscription { a(i: 1) { x } a(i: 1) { y } }", "a/2"),
        ] {
            assert_eq!(settled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_field_is_refused() {
        for text in [
            "subscription { a { x } b { x } }",
            "subscription { a { x } c: a { x } }",
            "subscription { a(i: 1) { x } a(i: 2) { x } }",
            "subscription { a { x } ...F } fragment F on Subscription { b { x } }",
            "subscription { __typename }",
            "subscription { a { x } __typename }",
            "subscription { ...Missing }",
            "subscription($y: Boolean!) { a @include(if: $y) { x } }",
            "subscription { ... @skip(if: false) { a { x } } }",
            "subscription { ...F @skip(if: true) } fragment F on Subscription { a { x } }",
        ] {
            assert!(settled(text).is_err(), "{text}");
        }
    }
}
