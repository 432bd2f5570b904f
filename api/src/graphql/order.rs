//! The order of an answer's fields.
//!
//! The specification writes them in the order of the document ("Serialized Map Ordering").
//! async-graphql 7.2 writes them in the order in which their resolvers happen to end, which differs
//! from one run to the next.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Value};

/// The fields of a selection set, fragments written out, each with those below it.
#[derive(Clone, Debug, Default)]
pub struct Order(Vec<(Name, Order)>);

impl Order {
    /// Of an operation's answer. The document must have been priced: that bounds what its fragments
    /// grow to, and they do not spread themselves.
    #[must_use]
    pub fn of(operation: &OperationDefinition, document: &ExecutableDocument) -> Self {
        let mut order = Self::default();
        order.collect(&operation.selection_set.node, document);
        order
    }

    fn collect(&mut self, set: &SelectionSet, document: &ExecutableDocument) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    let place = match self.0.iter().position(|(known, _)| known == key) {
                        Some(place) => place,
                        None => {
                            self.0.push((key.clone(), Self::default()));
                            self.0.len() - 1
                        }
                    };
                    if let Some((_, below)) = self.0.get_mut(place) {
                        below.collect(&field.node.selection_set.node, document);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.node.selection_set.node, document);
                }
                Selection::FragmentSpread(spread) => {
                    // Validation names one that is missing.
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node)
                    {
                        self.collect(&fragment.node.selection_set.node, document);
                    }
                }
            }
        }
    }

    /// Puts the fields of an answer into this order. What it does not know keeps its place behind.
    pub fn apply(&self, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Object(fields) => self.apply_to(fields),
            _ => {}
        }
    }

    fn apply_to(&self, fields: &mut IndexMap<Name, Value>) {
        let present = self.0.iter().filter(|(key, _)| fields.contains_key(key));
        if !present
            .map(|(key, _)| key)
            .eq(fields.keys().take(self.0.len()))
        {
            let mut sorted = IndexMap::with_capacity(fields.len());
            for (key, _) in &self.0 {
                if let Some((key, value)) = fields.swap_remove_entry(key) {
                    sorted.insert(key, value);
                }
            }
            sorted.extend(std::mem::take(fields));
            *fields = sorted;
        }
        for (key, below) in self.0.iter().filter(|(_, below)| !below.0.is_empty()) {
            if let Some(value) = fields.get_mut(key) {
                below.apply(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::document::parse;

    use super::*;

    fn ordered(query: &str, answer: &str) -> String {
        let document = parse(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let mut answer: Value = serde_json::from_str(answer).unwrap();
        Order::of(&operation.node, &document).apply(&mut answer);
        serde_json::to_string(&answer).unwrap()
    }

    #[test]
    fn fields_come_as_the_document_has_them() {
        let query = "{ a list { x y } ...F b: a } fragment F on Query { c { z } list { w } }";
        let answer =
            r#"{"b":1,"c":{"z":2},"list":[{"w":3,"y":4,"x":5},{"x":6,"y":7,"w":8}],"a":null}"#;
        let expected =
            r#"{"a":null,"list":[{"x":5,"y":4,"w":3},{"x":6,"y":7,"w":8}],"c":{"z":2},"b":1}"#;
        assert_eq!(ordered(query, answer), expected);
    }

    #[test]
    fn what_is_not_there_or_not_known_does_no_harm() {
        assert_eq!(ordered("{ a b c }", r#"{"c":1,"a":2}"#), r#"{"a":2,"c":1}"#);
        assert_eq!(
            ordered("{ a b }", r#"{"x":0,"b":1,"a":2}"#),
            r#"{"a":2,"b":1,"x":0}"#
        );
        assert_eq!(ordered("{ a { b } }", "null"), "null");
        // A scalar may look like an object.
        assert_eq!(
            ordered("{ a }", r#"{"a":{"y":1,"x":2}}"#),
            r#"{"a":{"y":1,"x":2}}"#
        );
    }
}
