//! GraphQL parameters out of a body or a query string. Types are strict: a wrong one is refused
//! rather than guessed.
//!
//! A document is named by its text, by Apollo's `extensions.persistedQuery`, by `documentId` (the
//! appendix on persisted documents), or by Relay's `doc_id`.

use std::borrow::Cow;

use axum::extract::Query;
use http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::graphql::cost;
use crate::graphql::documents::Reference;
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
    let query = text(&mut fields, "query", "a string")?;
    let operation_name = text(&mut fields, "operationName", "a string or null")?;
    let document_id = text(&mut fields, "documentId", "a string")?;
    let doc_id = text(&mut fields, "doc_id", "a string")?;
    let variables = object("variables", fields.remove("variables"))?;
    let extensions = object("extensions", fields.remove("extensions"))?;
    Given {
        query,
        operation_name,
        ids: [document_id, doc_id],
        variables,
        extensions,
    }
    .read()
}

/// What a request says, whatever it is written in.
struct Given {
    query: Option<String>,
    operation_name: Option<String>,
    ids: [Option<String>; 2],
    variables: Map<String, Value>,
    extensions: Map<String, Value>,
}

impl Given {
    fn read(mut self) -> Result<Parameters, Problem> {
        let not_empty = |text: &String| !text.is_empty();
        let ids = self.ids.into_iter().flatten().filter(not_empty);
        let hash = persisted(self.extensions.remove("persistedQuery"))?;
        let mut references: Vec<Reference> = ids.map(Reference::id).collect();
        references.extend(hash.map(Reference::hash));
        let reference = references.pop();
        if !references.is_empty() {
            return Err(Problem::bad_request(
                "one of `documentId`, `doc_id` and `extensions.persistedQuery` names a document",
            ));
        }
        let query = match (self.query, &reference) {
            (Some(query), _) => query,
            (None, Some(_)) => String::new(),
            (None, None) => return Err(missing_query()),
        };
        let cost = match self.extensions.remove(cost::KEY) {
            Some(Value::Bool(asked)) => asked,
            None | Some(Value::Null) => false,
            Some(_) => return Err(must_be("extensions.cost", "true, false or null")),
        };
        Ok(Parameters {
            query,
            reference,
            operation_name: self.operation_name.filter(not_empty),
            variables: self.variables,
            cost,
        })
    }
}

/// The hash of Apollo's `persistedQuery`.
fn persisted(value: Option<Value>) -> Result<Option<String>, Problem> {
    let mut fields = match value {
        Some(Value::Object(fields)) => fields,
        None | Some(Value::Null) => return Ok(None),
        Some(_) => return Err(must_be("extensions.persistedQuery", "an object")),
    };
    if fields.get("version").and_then(Value::as_u64) != Some(1) {
        return Err(Problem::bad_request("Unsupported persisted query version"));
    }
    match fields.remove("sha256Hash") {
        Some(Value::String(hash)) => Ok(Some(hash)),
        _ => Err(must_be("extensions.persistedQuery.sha256Hash", "a string")),
    }
}

fn text(
    fields: &mut Map<String, Value>,
    name: &str,
    what: &str,
) -> Result<Option<String>, Problem> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None | Some(Value::Null) => Ok(None),
        Some(_) => Err(must_be(name, what)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueryString<'a> {
    query: Option<String>,
    operation_name: Option<String>,
    document_id: Option<String>,
    #[serde(rename = "doc_id")]
    doc_id: Option<String>,
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
    let extensions = json("extensions", given.extensions)?;
    Given {
        query: given.query.filter(|query| !query.is_empty()),
        operation_name: given.operation_name,
        ids: [given.document_id, given.doc_id],
        variables,
        extensions,
    }
    .read()
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
            r#"{"query":"{a}","extensions":{"cost":1}}"#,
            r#"{"query":"{a}","extensions":{"persistedQuery":"x"}}"#,
            r#"{"query":"{a}","extensions":{"persistedQuery":{"sha256Hash":"x"}}}"#,
            r#"{"query":"{a}","extensions":{"persistedQuery":{"version":2,"sha256Hash":"x"}}}"#,
            r#"{"query":"{a}","extensions":{"persistedQuery":{"version":1,"sha256Hash":1}}}"#,
            r#"{"documentId":1}"#,
            r#"{"documentId":""}"#,
            r#"{"documentId":"a","doc_id":"b"}"#,
            r#"{"documentId":"a","extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn documents_are_named_in_three_ways() {
        let read = |text: &str| from_json(text.as_bytes()).unwrap();
        let apollo = r#"{"version":1,"sha256Hash":"x"}"#;
        for (text, expected) in [
            (r#"{"query":"{a}"}"#, None),
            (r#"{"query":"{a}","documentId":""}"#, None),
            (r#"{"documentId":"x"}"#, Some(Reference::id("x".into()))),
            (r#"{"doc_id":"x"}"#, Some(Reference::id("x".into()))),
            (
                &format!(r#"{{"extensions":{{"persistedQuery":{apollo}}}}}"#),
                Some(Reference::hash("x".into())),
            ),
            (
                &format!(r#"{{"query":"{{a}}","extensions":{{"persistedQuery":{apollo}}}}}"#),
                Some(Reference::hash("x".into())),
            ),
        ] {
            assert_eq!(read(text).reference, expected, "{text}");
        }
        let get = from_uri(&"/graphql?documentId=sha256:ab".parse().unwrap()).unwrap();
        assert_eq!(get.reference, Some(Reference::id("sha256:ab".into())));
        assert!(read(r#"{"query":"{a}","extensions":{"cost":true}}"#).cost);
        assert!(!read(r#"{"query":"{a}","extensions":{"cost":null}}"#).cost);
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
