//! What a document asks for and the schema does not have: its client is of another release.

use async_graphql_parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection,
    SelectionSet, TypeCondition,
};
use async_graphql_parser::{Pos, Positioned};

use super::shape::{Shape, base_name};

/// A name, and where it stands.
type Named = (Pos, String);

/// The first name in a document that is none of the schema's: `Type` or `Type.field`. Linear in the
/// document, which must have been priced: that bounds how deep its selections go.
#[must_use]
pub fn first(document: &ExecutableDocument, shape: &Shape) -> Option<String> {
    let operations = document.operations.iter();
    let operations = operations.filter_map(|(_, definition)| operation(definition, shape));
    // Where they are defined, not where they are spread: each once.
    let fragments = document.fragments.values();
    let fragments = fragments.filter_map(|definition| fragment(&definition.node, shape));
    let (_, name) = operations.chain(fragments).min()?;
    Some(name)
}

fn operation(definition: &Positioned<OperationDefinition>, shape: &Shape) -> Option<Named> {
    let operation = &definition.node;
    let root = match operation.ty {
        OperationType::Query => &shape.roots.query,
        OperationType::Mutation => &shape.roots.mutation,
        OperationType::Subscription => &shape.roots.subscription,
    };
    if !shape.has_type(root) {
        return Some((definition.pos, operation.ty.to_string()));
    }
    let mut variables = operation.variable_definitions.iter();
    variables
        .find_map(|variable| {
            let ty = &variable.node.var_type;
            named_type(base_name(&ty.node), ty.pos, shape)
        })
        .or_else(|| set(&operation.selection_set.node, root, shape))
}

fn fragment(fragment: &FragmentDefinition, shape: &Shape) -> Option<Named> {
    on(
        &fragment.type_condition,
        &fragment.selection_set.node,
        shape,
    )
}

/// A type condition, and what is selected under it.
fn on(condition: &Positioned<TypeCondition>, set: &SelectionSet, shape: &Shape) -> Option<Named> {
    let name = &condition.node.on;
    named_type(name.node.as_str(), name.pos, shape)
        .or_else(|| self::set(set, name.node.as_str(), shape))
}

fn set(set: &SelectionSet, parent: &str, shape: &Shape) -> Option<Named> {
    // Introspection is the language's own.
    if parent.starts_with("__") {
        return None;
    }
    set.items.iter().find_map(|item| match &item.node {
        Selection::Field(given) => field(given, parent, shape),
        Selection::InlineFragment(fragment) => {
            let set = &fragment.node.selection_set.node;
            match &fragment.node.type_condition {
                Some(condition) => on(condition, set, shape),
                None => self::set(set, parent, shape),
            }
        }
        Selection::FragmentSpread(_) => None,
    })
}

fn field(field: &Positioned<Field>, parent: &str, shape: &Shape) -> Option<Named> {
    let name = field.node.name.node.as_str();
    let is_root = parent == shape.roots.query;
    if name == "__typename" || (is_root && matches!(name, "__schema" | "__type")) {
        return None;
    }
    match shape.field(parent, name) {
        Some(known) => set(&field.node.selection_set.node, &known.ty, shape),
        None => Some((field.pos, format!("{parent}.{name}"))),
    }
}

fn named_type(name: &str, pos: Pos, shape: &Shape) -> Option<Named> {
    let is_known = name.starts_with("__") || shape.has_type(name);
    (!is_known).then(|| (pos, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::document::parse;

    use super::*;

    const SDL: &str = "
        schema { query: Root mutation: Change }
        scalar Time
        enum Size { SMALL }
        input Filter { since: Time }
        interface Node { id: ID! }
        union Found = Photo | Person
        type Root { node: Node photo(size: Size): Photo! photos(filter: Filter): [Photo!]! found: Found }
        type Change { remove: Photo }
        type Photo implements Node { id: ID! name: String people: [Person!]! }
        type Person { name: String }
    ";

    fn first(document: &str) -> Option<String> {
        let shape = Shape::from_sdl(SDL).unwrap();
        super::first(&parse(document).unwrap(), &shape)
    }

    #[test]
    fn what_the_schema_has_is_known() {
        for document in [
            "{ photo { id name people { name } } }",
            "query($f: Filter, $s: [Size!]!, $t: Time, $i: Int, $x: ID!) { photos(filter: $f) { id } }",
            "{ node { id __typename ... on Photo { name } ... { id } ...F } } fragment F on Node { id }",
            "{ found { __typename ... on Person { name } } }",
            "{ __schema { types { name ...T } } __type(name: \"X\") { of } } fragment T on __Type { kind }",
            "mutation { remove { id } }",
        ] {
            assert_eq!(first(document), None, "{document}");
        }
    }

    #[test]
    fn the_first_that_it_does_not_have_is_named() {
        for (document, name) in [
            ("{ photo { id size } }", "Photo.size"),
            ("{ nothing { id } }", "Root.nothing"),
            ("{ photo { name { first } } }", "String.first"),
            ("{ found { name } }", "Found.name"),
            ("{ node { ... on Video { length } } }", "Video"),
            ("{ node { ... { ... on Photo { size } } } }", "Photo.size"),
            ("{ ...F } fragment F on Video { length }", "Video"),
            (
                "{ ...F } fragment F on Root { photo { size } }",
                "Photo.size",
            ),
            (
                "{ photo { ...F size } nothing } fragment F on Photo { length }",
                "Photo.size",
            ),
            (
                "query($o: [Order!]) { photos(order: $o) { size } }",
                "Order",
            ),
            (
                "{ photo { __schema { types { name } } } }",
                "Photo.__schema",
            ),
            ("subscription { followed }", "subscription"),
            // In the order of the text, whatever the order of the names.
            ("query Z { photo { z } } query A { photo { a } }", "Photo.z"),
            (
                "fragment F on Photo { z } query A { photo { a ...F } }",
                "Photo.z",
            ),
        ] {
            assert_eq!(first(document).as_deref(), Some(name), "{document}");
        }
    }

    #[test]
    fn fragments_are_looked_at_once() {
        // 2^60 fields, if each spread were followed.
        let mut document = String::from("{ ...F0 }");
        for level in 0..60 {
            let next = level + 1;
            write!(
                document,
                " fragment F{level} on Root {{ ...F{next} ...F{next} }}"
            )
            .unwrap();
        }
        document.push_str(" fragment F60 on Root { last }");
        assert_eq!(first(&document).as_deref(), Some("Root.last"));
    }
}
