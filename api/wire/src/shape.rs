//! The schema as a table, for what happens to a document before it is executed.
//!
//! async-graphql keeps its registry to itself, so the table is read from the SDL that it exports.

use std::collections::{HashMap, HashSet};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql_value::{ConstValue as Value, Name};

/// Types by name.
#[derive(Debug, Default)]
pub struct Shape {
    outputs: HashMap<String, HashMap<String, Field>>,
    inputs: HashMap<String, HashMap<String, Input>>,
    enums: HashMap<String, HashSet<String>>,
    /// Names of unions and scalars, which have no fields.
    others: HashSet<String>,
    /// Names of the root types.
    pub roots: Roots,
}

/// Names of the root types.
#[derive(Debug, Default)]
pub struct Roots {
    /// Of queries.
    pub query: String,
    /// Of mutations.
    pub mutation: String,
    /// Of subscriptions.
    pub subscription: String,
}

/// A field of an object or interface.
#[derive(Debug)]
pub struct Field {
    /// Name of the type of its values, without list and non-null.
    pub ty: String,
    /// Whether it answers a list.
    pub is_list: bool,
    /// Default of its argument `first`, if it has one.
    pub first: First,
}

/// What a field's argument `first` says about the length of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// There is no such argument.
    Absent,
    /// There is; left out it means this.
    Default(Option<u64>),
}

/// A field of an input object.
#[derive(Debug)]
pub struct Input {
    /// Type.
    pub ty: Type,
    /// Whether it must be given.
    pub required: bool,
}

/// What a named input type is.
#[derive(Debug)]
pub enum InputKind<'a> {
    /// An input object with these fields.
    Object(&'a HashMap<String, Input>),
    /// An enum with these values.
    Enum(&'a HashSet<String>),
    /// A scalar, ours or the specification's.
    Scalar,
}

impl Shape {
    /// Reads the table from an SDL.
    ///
    /// # Errors
    /// When the SDL does not parse.
    pub fn from_sdl(sdl: &str) -> Result<Self, async_graphql_parser::Error> {
        let document = async_graphql_parser::parse_schema(sdl)?;
        let mut shape = Self {
            roots: Roots {
                query: "Query".into(),
                mutation: "Mutation".into(),
                subscription: "Subscription".into(),
            },
            ..Self::default()
        };
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Type(ty) => {
                    shape.add(ty.node.name.node.as_str(), ty.node.kind);
                }
                TypeSystemDefinition::Schema(schema) => {
                    let name = |root: Option<Positioned<_>>| {
                        root.map(|name: Positioned<Name>| name.node.to_string())
                            .unwrap_or_default()
                    };
                    shape.roots = Roots {
                        query: name(schema.node.query),
                        mutation: name(schema.node.mutation),
                        subscription: name(schema.node.subscription),
                    };
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        Ok(shape)
    }

    fn add(&mut self, name: &str, kind: TypeKind) {
        match kind {
            TypeKind::Object(object) => {
                self.outputs.insert(name.to_owned(), fields(object.fields));
            }
            TypeKind::Interface(interface) => {
                self.outputs
                    .insert(name.to_owned(), fields(interface.fields));
            }
            TypeKind::InputObject(object) => {
                let fields = object.fields.into_iter().map(|field| input(field.node));
                self.inputs.insert(name.to_owned(), fields.collect());
            }
            TypeKind::Enum(values) => {
                let names = values.values.into_iter();
                let names = names.map(|value| value.node.value.node.to_string());
                self.enums.insert(name.to_owned(), names.collect());
            }
            TypeKind::Union(_) | TypeKind::Scalar => {
                self.others.insert(name.to_owned());
            }
        }
    }

    /// A field of an output type; none for what validation will refuse anyway.
    #[must_use]
    pub fn field(&self, ty: &str, field: &str) -> Option<&Field> {
        self.outputs.get(ty)?.get(field)
    }

    /// Whether there is a type of this name, ours or the specification's.
    #[must_use]
    pub fn has_type(&self, name: &str) -> bool {
        self.outputs.contains_key(name)
            || self.inputs.contains_key(name)
            || self.enums.contains_key(name)
            || self.others.contains(name)
            || matches!(name, "ID" | "String" | "Boolean" | "Int" | "Float")
    }

    /// What the named input type is.
    #[must_use]
    pub fn input(&self, ty: &str) -> InputKind<'_> {
        if let Some(fields) = self.inputs.get(ty) {
            InputKind::Object(fields)
        } else if let Some(values) = self.enums.get(ty) {
            InputKind::Enum(values)
        } else {
            InputKind::Scalar
        }
    }
}

fn fields(definitions: Vec<Positioned<FieldDefinition>>) -> HashMap<String, Field> {
    let field = |definition: Positioned<FieldDefinition>| {
        let FieldDefinition {
            name,
            arguments,
            ty,
            ..
        } = definition.node;
        let mut first = First::Absent;
        for argument in arguments {
            if argument.node.name.node == "first" {
                let default = argument.node.default_value.and_then(|v| natural(&v.node));
                first = First::Default(default);
            }
        }
        let field = Field {
            ty: base_name(&ty.node).to_owned(),
            is_list: matches!(ty.node.base, BaseType::List(_)),
            first,
        };
        (name.node.to_string(), field)
    };
    definitions.into_iter().map(field).collect()
}

fn input(definition: InputValueDefinition) -> (String, Input) {
    let input = Input {
        required: !definition.ty.node.nullable && definition.default_value.is_none(),
        ty: definition.ty.node,
    };
    (definition.name.node.to_string(), input)
}

/// The name of a type without list and non-null.
pub(super) fn base_name(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base_name(inner),
    }
}

/// The number that a value is, if it is a whole one; negative ones count as 0.
pub(super) fn natural(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    number.as_u64().or_else(|| {
        number
            .as_i64()
            .map(|n| u64::try_from(n).unwrap_or_default())
    })
}
