//! Variables against the types that the operation declares for them.
//!
//! async-graphql finds a missing or wrong variable while it executes, when other fields may have
//! answered (or written) already. The specification wants a request error before.

use std::collections::HashMap;

use async_graphql_parser::types::{BaseType, OperationDefinition, Type};
use async_graphql_value::{ConstValue as Value, Variables};

use super::price::Limits;
use super::problem::Problem;
use super::shape::{Input, InputKind, Shape};

/// Checks every variable of `operation`.
///
/// # Errors
/// Which variable, and what is wrong with it; its value is not repeated.
pub fn check(
    operation: &OperationDefinition,
    variables: &Variables,
    shape: &Shape,
    limits: &Limits,
) -> Result<(), Problem> {
    let mut values = 0;
    for (name, value) in variables.iter() {
        measure(value, limits, &mut values)
            .map_err(|what| Problem::input(format!("variable \"${name}\" has {what}")))?;
        if has_nul(value) {
            return Err(nul(&format!("${name}")));
        }
    }
    for definition in &operation.variable_definitions {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        let path = Path::Variable(name);
        let default = definition.node.default_value.as_ref();
        if default.is_some_and(|value| has_nul(&value.node)) {
            return Err(nul(&format!("${name}")).at(definition.pos));
        }
        match variables.get(name) {
            Some(value) => coerce(ty, value, shape, &path),
            None if ty.nullable || definition.node.default_value.is_some() => Ok(()),
            None => Err(path.problem(format!("is of type {ty} and must be given"))),
        }
        .map_err(|problem| problem.at(definition.pos))?;
    }
    Ok(())
}

fn measure(value: &Value, limits: &Limits, values: &mut u64) -> Result<(), String> {
    *values += 1;
    if *values > limits.values {
        return Err(format!("more than {} values", limits.values));
    }
    match value {
        Value::List(items) if items.len() as u64 > limits.list => {
            Err(format!("a list of more than {} elements", limits.list))
        }
        Value::List(items) => items.iter().try_for_each(|v| measure(v, limits, values)),
        Value::Object(fields) => fields.values().try_for_each(|v| measure(v, limits, values)),
        _ => Ok(()),
    }
}

/// Whether there is a NUL in a text of this value. PostgreSQL takes none in any text, and no text of
/// people has one.
pub(super) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.values().any(has_nul),
        _ => false,
    }
}

/// Says so.
pub(super) fn nul(place: &str) -> Problem {
    Problem::input(format!(
        "\"{place}\" has a text with the character NUL in it"
    ))
}

enum Path<'a> {
    Variable(&'a str),
    Field(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "${name}"),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}.{index}"),
        }
    }
}

impl Path<'_> {
    fn problem(&self, what: impl std::fmt::Display) -> Problem {
        Problem::input(format!("variable \"{self}\" {what}"))
    }
}

fn coerce(ty: &Type, value: &Value, shape: &Shape, path: &Path<'_>) -> Result<(), Problem> {
    if *value == Value::Null {
        return if ty.nullable {
            Ok(())
        } else {
            Err(path.problem(format!("is of type {ty} and must not be null")))
        };
    }
    match (&ty.base, value) {
        (BaseType::List(inner), Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                coerce(inner, item, shape, &Path::Index(path, index))?;
            }
            Ok(())
        }
        // One value stands for a list of it.
        (BaseType::List(inner), value) => coerce(inner, value, shape, path),
        (BaseType::Named(name), value) => match shape.input(name) {
            InputKind::Object(fields) => object(name, fields, value, shape, path),
            InputKind::Enum(names) => {
                let known = match value {
                    Value::String(text) => names.contains(text),
                    Value::Enum(text) => names.contains(text.as_str()),
                    _ => false,
                };
                expect(known, format_args!("must be a value of {name}"), path)
            }
            InputKind::Scalar => expect(
                scalar(name, value),
                format_args!("must be of type {name}"),
                path,
            ),
        },
    }
}

fn object(
    name: &str,
    fields: &HashMap<String, Input>,
    value: &Value,
    shape: &Shape,
    path: &Path<'_>,
) -> Result<(), Problem> {
    let Value::Object(given) = value else {
        return Err(path.problem(format!("must be of type {name}")));
    };
    for (field, value) in given {
        let path = Path::Field(path, field);
        let input = fields
            .get(field.as_str())
            .ok_or_else(|| path.problem(format!("is no field of {name}")))?;
        coerce(&input.ty, value, shape, &path)?;
    }
    for (field, input) in fields {
        if input.required && !given.contains_key(field.as_str()) {
            return Err(Path::Field(path, field).problem("must be given"));
        }
    }
    Ok(())
}

fn expect(ok: bool, what: std::fmt::Arguments<'_>, path: &Path<'_>) -> Result<(), Problem> {
    if ok { Ok(()) } else { Err(path.problem(what)) }
}

fn scalar(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("Int", Value::Number(number)) => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        ("ID", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => true,
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        // Scalars of ours read themselves.
        _ => true,
    }
}

#[cfg(test)]
mod tests;
