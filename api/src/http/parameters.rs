//! GraphQL parameters out of a body or a query string. Types are strict: a wrong one is refused
//! rather than guessed.

use std::borrow::Cow;

use axum::extract::Query;
use http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::graphql::execute::Parameters;
use crate::graphql::problem::Problem;

/// Parameters of a JSON body.
pub(super) fn from_json(body: &[u8]) -> Result<Parameters, Problem> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is no JSON: {error}")))?;
    match value {
        Value::Object(fields) => from_object(fields),
        Value::Array(_) => Err(Problem::bad_request("batches are not supported")),
        _ => Err(Problem::bad_request("the body is no JSON object")),
    }
}

/// Parameters of a JSON object.
pub(super) fn from_object(mut fields: Map<String, Value>) -> Result<Parameters, Problem> {
    let query = match fields.remove("query") {
        Some(Value::String(query)) => query,
        None | Some(Value::Null) => return Err(missing_query()),
        Some(_) => return Err(must_be("query", "a string")),
    };
    let operation_name = match fields.remove("operationName") {
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        None | Some(Value::Null) => None,
        Some(_) => return Err(must_be("operationName", "a string or null")),
    };
    let variables = object("variables", fields.remove("variables"))?;
    object("extensions", fields.remove("extensions"))?;
    Ok(Parameters {
        query,
        operation_name,
        variables,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryString<'a> {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Cow<'a, str>>,
    extensions: Option<Cow<'a, str>>,
}

/// Parameters of a query string; `variables` and `extensions` are JSON in it.
pub(super) fn from_uri(uri: &Uri) -> Result<Parameters, Problem> {
    let Query(given): Query<QueryString<'static>> = Query::try_from_uri(uri)
        .map_err(|error| Problem::bad_request(format!("query string: {error}")))?;
    let json = |name: &str, text: Option<Cow<'_, str>>| match text {
        None => Ok(Map::new()),
        Some(text) if text.is_empty() => Ok(Map::new()),
        Some(text) => {
            let value =
                serde_json::from_str(&text).map_err(|_| must_be(name, "a JSON object or null"))?;
            object(name, Some(value))
        }
    };
    let variables = json("variables", given.variables)?;
    json("extensions", given.extensions)?;
    Ok(Parameters {
        query: given
            .query
            .filter(|query| !query.is_empty())
            .ok_or_else(missing_query)?,
        operation_name: given.operation_name.filter(|name| !name.is_empty()),
        variables,
    })
}

fn object(name: &str, value: Option<Value>) -> Result<Map<String, Value>, Problem> {
    match value {
        Some(Value::Object(fields)) => Ok(fields),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(must_be(name, "an object or null")),
    }
}

fn missing_query() -> Problem {
    Problem::bad_request("`query` is missing")
}

fn must_be(name: &str, what: &str) -> Problem {
    Problem::bad_request(format!("`{name}` must be {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let read = |text: &str| from_json(text.as_bytes());
        let good = read(r#"{"query":"{a}","operationName":"A","variables":{"x":1},"more":0}"#);
        let good = good.unwrap();
        assert_eq!((good.query.as_str(), good.variables.len()), ("{a}", 1));
        assert_eq!(good.operation_name.as_deref(), Some("A"));
        assert!(read(r#"{"query":"{a}","operationName":null,"variables":null}"#).is_ok());
        for bad in [
            "",
            "null",
            "{",
            "[]",
            "{}",
            r#"{"query":1}"#,
            r#"{"query":"{a}","operationName":1}"#,
            r#"{"query":"{a}","variables":[]}"#,
            r#"{"query":"{a}","variables":"{}"}"#,
            r#"{"query":"{a}","extensions":0}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn query_strings() {
        let read = |text: &str| from_uri(&text.parse().unwrap());
        let good = read("/graphql?query=%7Ba%7D&operationName=A&variables=%7B%22x%22%3A1%7D");
        let good = good.unwrap();
        assert_eq!((good.query.as_str(), good.variables.len()), ("{a}", 1));
        assert_eq!(good.operation_name.as_deref(), Some("A"));
        for bad in [
            "/graphql",
            "/graphql?query=",
            "/graphql?query=a&variables=1",
            "/graphql?query=a&extensions=x",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
