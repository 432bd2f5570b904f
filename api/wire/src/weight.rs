//! What a parsed document takes of the memory, for whoever keeps it.

use std::mem::size_of;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    Directive, ExecutableDocument, FragmentDefinition, OperationDefinition, Selection,
    SelectionSet, VariableDefinition,
};
use async_graphql_value::{ConstValue, Name, Value};

/// A name or number on the heap: its counters, its text, what an allocation costs.
const TEXT: usize = 48;

/// Bytes, from above: each thing at its size, each text as an allocation of its own. Linear in the
/// document, which must have been priced: that bounds how deep its selections go.
#[must_use]
pub fn weigh(document: &ExecutableDocument) -> usize {
    let operations = document.operations.iter().map(|(name, operation)| {
        let definition = &operation.node;
        let variables = definition.variable_definitions.iter().map(|variable| {
            let default = variable.node.default_value.as_ref();
            size_of::<Positioned<VariableDefinition>>()
                + 2 * TEXT
                + directives(&variable.node.directives)
                + default.map_or(0, |value| constant(&value.node))
        });
        size_of::<Positioned<OperationDefinition>>()
            + name.map_or(0, text)
            + variables.sum::<usize>()
            + directives(&definition.directives)
            + set(&definition.selection_set.node)
    });
    let fragments = document.fragments.iter().map(|(name, fragment)| {
        size_of::<Positioned<FragmentDefinition>>()
            + 2 * text(name)
            + directives(&fragment.node.directives)
            + set(&fragment.node.selection_set.node)
    });
    operations.sum::<usize>() + fragments.sum::<usize>()
}

fn set(set: &SelectionSet) -> usize {
    let items = set.items.iter().map(|item| {
        // Vectors grow by doubling.
        let own = 2 * size_of::<Positioned<Selection>>();
        let below = match &item.node {
            Selection::Field(field) => {
                let field = &field.node;
                let alias = field.alias.as_ref().map_or(0, |alias| text(&alias.node));
                let named = text(&field.name.node) + alias;
                named + arguments(&field.arguments) + self::set(&field.selection_set.node)
            }
            Selection::FragmentSpread(spread) => text(&spread.node.fragment_name.node),
            Selection::InlineFragment(fragment) => {
                TEXT + self::set(&fragment.node.selection_set.node)
            }
        };
        own + below + directives(item.node.directives())
    });
    items.sum()
}

fn directives(directives: &[Positioned<Directive>]) -> usize {
    let weights = directives.iter().map(|directive| {
        2 * size_of::<Positioned<Directive>>()
            + text(&directive.node.name.node)
            + arguments(&directive.node.arguments)
    });
    weights.sum()
}

fn arguments(arguments: &[(Positioned<Name>, Positioned<Value>)]) -> usize {
    let weights = arguments.iter().map(|(name, given)| {
        2 * size_of::<(Positioned<Name>, Positioned<Value>)>()
            + text(&name.node)
            + value(&given.node)
    });
    weights.sum()
}

fn value(given: &Value) -> usize {
    2 * size_of::<Value>()
        + match given {
            Value::List(items) => items.iter().map(value).sum(),
            Value::Object(fields) => {
                let fields = fields.iter();
                fields
                    .map(|(name, given)| 2 * text(name) + value(given))
                    .sum()
            }
            Value::String(text) => text.len(),
            Value::Enum(name) | Value::Variable(name) => text(name),
            _ => TEXT,
        }
}

fn constant(given: &ConstValue) -> usize {
    value(&given.clone().into_value())
}

fn text(name: &Name) -> usize {
    TEXT + name.len()
}

#[cfg(test)]
mod tests {
    use crate::document::parse;

    use super::*;

    #[test]
    fn documents_weigh_more_the_more_is_in_them() {
        let weigh = |text: &str| super::weigh(&parse(text).unwrap());
        let field = weigh("{ a }");
        assert!(field > size_of::<Positioned<Selection>>());
        for more in [
            "{ a b }",
            "{ a { b } }",
            "{ ... { a } }",
            "{ a(x: 1) }",
            "{ a @skip(if: true) }",
            "query($x: I = { a: [1, 2] }) { a }",
            "{ a ...F } fragment F on Q { b }",
            "query A { a } query B { b }",
        ] {
            assert!(weigh(more) > field, "{more}");
        }
        let long = |count: usize| format!("{{ a(x: [{}]) }}", "1,".repeat(count));
        assert!(weigh(&long(1000)) > 1000 * size_of::<Value>());
        assert!(weigh(&format!("{{ a(x: \"{}\") }}", "x".repeat(5000))) > 5000);
    }
}
