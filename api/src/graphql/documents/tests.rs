use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const SDL: &str = "
type Query { hello: String pages(first: Int!): Pages! }
type Pages { nodes: [Pages!]! pages(first: Int!): Pages! id: ID! }
";
const A: &str = "{ hello }";
const B: &str = "query B($n: Int!) { pages(first: $n) { id } }";

fn shape() -> Shape {
    Shape::from_sdl(SDL).unwrap()
}

fn documents(mode: Mode, manifest: Option<&Path>) -> Result<Documents> {
    Documents::new(mode, manifest, 1 << 20, shape(), LIMITS)
}

fn hex_of(text: &str) -> String {
    hex::encode(hash(text))
}

fn written(manifest: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest.json");
    std::fs::write(&file, manifest).unwrap();
    (folder, file)
}

fn apollo(operations: &[(&str, &str)]) -> Value {
    let operations: Vec<Value> = operations
        .iter()
        .map(|(id, body)| json!({ "id": id, "name": "X", "type": "query", "body": body }))
        .collect();
    json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations })
}

fn code(found: Result<Found, Problem>) -> &'static str {
    found.map_or_else(|problem| problem.code, |_| "found")
}

#[test]
fn what_was_registered_is_found_by_its_hash() {
    let documents = documents(Mode::Apq, None).unwrap();
    let reference = Reference::hash(hex_of(A));
    assert_eq!(
        code(documents.find("", Some(&reference))),
        "PERSISTED_QUERY_NOT_FOUND"
    );
    let first = documents.find(A, Some(&reference)).unwrap();
    // Not before it has run.
    assert_eq!(
        code(documents.find("", Some(&reference))),
        "PERSISTED_QUERY_NOT_FOUND"
    );
    documents.keep(first.registration.unwrap());
    for reference in [reference, Reference::id(format!("sha256:{}", hex_of(A)))] {
        let again = documents.find("", Some(&reference)).unwrap();
        assert!(Arc::ptr_eq(&again.document, &first.document));
        let both = documents.find(A, Some(&reference)).unwrap();
        assert!(Arc::ptr_eq(&both.document, &first.document) && both.registration.is_none());
    }
    // The text alone is parsed again: nobody asked to keep it.
    assert!(!Arc::ptr_eq(
        &documents.find(A, None).unwrap().document,
        &first.document
    ));
}

#[test]
fn hashes_have_one_spelling_and_belong_to_one_text() {
    let documents = documents(Mode::Apq, None).unwrap();
    for hash in [
        hex_of(B),
        hex_of(A).to_uppercase(),
        format!("{} ", hex_of(A)),
        String::new(),
        "0".repeat(63),
    ] {
        let found = documents.find(A, Some(&Reference::hash(hash)));
        assert_eq!(
            found.unwrap_err().message,
            "provided sha does not match query"
        );
    }
}

#[test]
fn a_price_that_does_not_vary_is_made_once() {
    let documents = documents(Mode::Apq, None).unwrap();
    let cost = |text: &str| {
        let reference = Reference::hash(hex_of(text));
        let document = documents.find(text, Some(&reference)).unwrap().document;
        let (_, operation) = document.parsed.operations.iter().next().unwrap();
        document.cost(operation).map(|cost| cost.price.cost)
    };
    assert_eq!(cost(A), Some(1));
    assert_eq!(cost(B), None);
    let page = "{ hello { hello } pages(first: 5) { id } }";
    assert_eq!(cost(page), Some(2 + 1 + price::PAGE + 5));
}

#[test]
fn manifests_of_apollo_and_relay() {
    let relay = json!({ "7dba": A, "other": B }).to_string();
    for manifest in [apollo(&[("7dba", A), ("other", B)]).to_string(), relay] {
        let (_folder, file) = written(&manifest);
        for mode in [Mode::Apq, Mode::TrustedOnly] {
            let documents = documents(mode, Some(&file)).unwrap();
            for (text, reference) in [
                ("", Reference::id("7dba".into())),
                ("", Reference::hash("7dba".into())),
                ("", Reference::id(format!("sha256:{}", hex_of(A)))),
                ("", Reference::hash(hex_of(A))),
                (A, Reference::hash(hex_of(A))),
                (A, Reference::id("7dba".into())),
            ] {
                let found = documents.find(text, Some(&reference)).unwrap();
                assert_eq!(found.document.costs.len(), 1, "priced at start");
                assert!(found.registration.is_none());
            }
            let wrong = documents.find(B, Some(&Reference::id("7dba".into())));
            assert_eq!(code(wrong), "BAD_REQUEST");
            let unknown = Reference::id("unknown".into());
            assert_eq!(
                code(documents.find("", Some(&unknown))),
                "PERSISTED_QUERY_NOT_FOUND"
            );
        }
    }
}

#[test]
fn where_only_trusted_ones_run_no_other_does() {
    let (_folder, file) = written(&apollo(&[("a", A)]).to_string());
    let documents = documents(Mode::TrustedOnly, Some(&file)).unwrap();
    assert_eq!(
        code(documents.find(A, None)),
        "found",
        "byte for byte the same"
    );
    let long = format!("{{ hello }} #{}", "x".repeat(MAX_QUERY_BYTES));
    for text in [B, "{ hello  }", "{ __typename }", "not GraphQL", &long] {
        assert_eq!(code(documents.find(text, None)), "QUERY_NOT_TRUSTED");
    }
    let reference = Reference::hash(hex_of(B));
    assert_eq!(
        code(documents.find(B, Some(&reference))),
        "QUERY_NOT_TRUSTED"
    );
    assert_eq!(code(documents.find(" ", None)), "BAD_REQUEST");
}

#[test]
fn definitions_stand_in_any_order() {
    const SENT: &str = "query Q { ...B ...A }\n\nfragment B on Query { b: hello }\n\nfragment A on Query { a: hello }";
    const WRITTEN: &str = "query Q { ...B ...A }\nfragment A on Query { a: hello }\nfragment B on Query { b: hello }\n";
    let (_folder, file) = written(&apollo(&[("q", WRITTEN), ("a", A)]).to_string());
    let trusted = documents(Mode::TrustedOnly, Some(&file)).unwrap();
    let named = trusted
        .find("", Some(&Reference::id("q".into())))
        .unwrap()
        .document;
    let references = [
        None,
        Some(Reference::hash("q".into())),
        Some(Reference::hash(hex_of(SENT))),
    ];
    for reference in &references {
        let found = trusted.find(SENT, reference.as_ref()).unwrap();
        assert!(Arc::ptr_eq(&found.document, &named) && found.registration.is_none());
    }
    let other = trusted.find(SENT, Some(&Reference::id("a".into())));
    assert_eq!(code(other), "BAD_REQUEST");
    // Fewer, more, or with other bytes in them.
    let (query, fragments) = SENT.split_once("\n\n").unwrap();
    for text in [
        query.to_owned(),
        fragments.to_owned(),
        format!("{SENT} {A}"),
        format!("{SENT} {query}"),
        SENT.replace("{ a:", "{  a:"),
    ] {
        assert_eq!(
            code(trusted.find(&text, None)),
            "QUERY_NOT_TRUSTED",
            "{text}"
        );
        let id = Reference::id("q".into());
        assert_eq!(code(trusted.find(&text, Some(&id))), "BAD_REQUEST");
    }
    // Where clients register documents, a hash is that of the text.
    let apq = documents(Mode::Apq, Some(&file)).unwrap();
    let found = apq.find(SENT, Some(&Reference::hash(hex_of(SENT))));
    assert!(found.unwrap().registration.is_some());
    let id = Reference::hash("q".into());
    assert_eq!(code(apq.find(SENT, Some(&id))), "found");
}

#[test]
fn what_the_schema_does_not_have_is_told_once_a_document() {
    let newer = "query N { newer other hello }";
    let (folder, file) = written(&apollo(&[("b", newer), ("a", A), ("c", newer)]).to_string());
    let older = json!({ "d": newer, "e": "{ pages(first: 1) { ... on Gone { id } } }" });
    std::fs::write(folder.path().join("older.json"), older.to_string()).unwrap();
    let documents = documents(Mode::TrustedOnly, Some(folder.path())).unwrap();
    let unknown = |id: &str, name: &str| Unknown {
        id: id.into(),
        name: name.into(),
    };
    assert_eq!(
        documents.unknown(),
        [unknown("b", "Query.newer"), unknown("e", "Gone")]
    );
    assert_eq!(documents.trusted(), 3);
    drop(file);
}

#[test]
fn off_knows_none() {
    let documents = documents(Mode::Off, None).unwrap();
    assert_eq!(code(documents.find(A, None)), "found");
    for text in ["", A] {
        let found = documents.find(text, Some(&Reference::hash(hex_of(A))));
        assert_eq!(code(found), "PERSISTED_QUERY_NOT_SUPPORTED");
    }
}

#[test]
fn a_folder_of_manifests_is_one() {
    let (folder, file) = written(&apollo(&[("a", A), ("b", B)]).to_string());
    let other = folder.path().join("older.json");
    std::fs::write(&other, json!({ "a": A, "c": "{ a: hello }" }).to_string()).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no manifest").unwrap();
    let documents = documents(Mode::TrustedOnly, Some(folder.path())).unwrap();
    assert_eq!(documents.trusted.len(), 3);
    // One id for two documents.
    std::fs::write(&other, json!({ "a": B }).to_string()).unwrap();
    let error = self::documents(Mode::Apq, Some(folder.path())).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("older.json: the document \"a\": has the id of another one"),
        "{error}"
    );
    drop(file);
}

#[test]
fn a_manifest_that_cannot_be_used_is_told() {
    let dear = "{ pages(first: 100) { nodes { pages(first: 100) { nodes { pages(first: 100) { id } } } } } }";
    let long = format!("{{ hello }} #{}", "x".repeat(MAX_QUERY_BYTES));
    for (manifest, expected) in [
        ("{".to_owned(), "is no JSON"),
        ("[]".to_owned(), "is neither a manifest of Apollo"),
        (json!({ "a": 1 }).to_string(), "is neither a manifest of Apollo"),
        (json!({ "format": "other", "operations": [] }).to_string(), "is neither"),
        (
            json!({ "format": "apollo-persisted-query-manifest", "version": 2 }).to_string(),
            "is of version 2; 1 is known",
        ),
        (
            json!({ "format": "apollo-persisted-query-manifest", "version": 1 }).to_string(),
            "has no list of `operations`",
        ),
        (
            json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [{ "id": "a" }] }).to_string(),
            "operation 0 lacks `id` or `body`",
        ),
        (apollo(&[("a", "{")]).to_string(), "the document \"a\": syntax error"),
        (apollo(&[("", A)]).to_string(), "the document \"\": has no id"),
        (apollo(&[("a", A), ("a", B)]).to_string(), "has the id of another one"),
        (json!({ "a": dear }).to_string(), "asks for more than 100000 fields"),
        (json!({ "a": long }).to_string(), "has more than 102400 bytes"),
    ] {
        let (_folder, file) = written(&manifest);
        let error = format!("{:#}", documents(Mode::Apq, Some(&file)).unwrap_err());
        for part in ["graphql.manifest (GRAPHQL_MANIFEST)", "manifest.json", expected] {
            assert!(error.contains(part), "{error}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    for path in [missing.as_path(), folder.path()] {
        let error = format!("{:#}", documents(Mode::Apq, Some(path)).unwrap_err());
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
    assert!(documents(Mode::TrustedOnly, None).is_err());
}
