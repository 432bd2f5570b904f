//! What a request is called in metrics.

use std::borrow::Cow;
use std::time::Instant;

use async_graphql::Positioned;
use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};

use wire::shape::Shape;

/// For what is not known, or not in the schema.
const OTHER: &str = "other";
/// Fields of every schema's query type that no SDL lists.
const INTROSPECTION: [&str; 3] = ["__schema", "__type", "__typename"];
/// Fragments within fragments that are looked into for the first field.
const DEPTH: usize = 16;

/// Type and first root field of an operation. Clients choose names of operations and aliases freely:
/// neither is part of it, and a field that the schema lacks is `other`.
#[derive(Clone, Debug)]
pub struct Signature {
    /// `query`, `mutation`, `subscription`; `other` for a document that was not understood.
    pub operation: &'static str,
    /// Field of the schema's root, or `other`.
    pub field: Cow<'static, str>,
    /// When the request came.
    pub began: Instant,
}

impl Signature {
    /// Of a request that nothing is known of yet.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            operation: OTHER,
            field: Cow::Borrowed(OTHER),
            began: Instant::now(),
        }
    }

    /// Of an operation that has been chosen from a document.
    pub(super) fn learn(
        &mut self,
        operation: &Positioned<OperationDefinition>,
        document: &ExecutableDocument,
        shape: &Shape,
    ) {
        let (name, root) = match operation.node.ty {
            OperationType::Query => ("query", &shape.roots.query),
            OperationType::Mutation => ("mutation", &shape.roots.mutation),
            OperationType::Subscription => ("subscription", &shape.roots.subscription),
        };
        self.operation = name;
        let first = first_field(&operation.node.selection_set.node, document, DEPTH);
        if let Some(first) = first {
            if let Some(known) = INTROSPECTION.iter().find(|known| **known == first) {
                self.field = Cow::Borrowed(known);
            } else if shape.field(root, first).is_some() {
                self.field = Cow::Owned(first.to_owned());
            }
        }
    }
}

fn first_field<'a>(
    selections: &'a SelectionSet,
    document: &'a ExecutableDocument,
    depth: usize,
) -> Option<&'a str> {
    let depth = depth.checked_sub(1)?;
    match &selections.items.first()?.node {
        Selection::Field(field) => Some(field.node.name.node.as_str()),
        Selection::InlineFragment(inline) => {
            first_field(&inline.node.selection_set.node, document, depth)
        }
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node)?;
            first_field(&fragment.node.selection_set.node, document, depth)
        }
    }
}
