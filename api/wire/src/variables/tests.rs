use crate::document::parse;
use serde_json::json;

use super::*;
use crate::price::LIMITS;

const SDL: &str = "
type Query { f(id: ID, n: Int, size: Size, filter: Filter): String }
enum Size { SMALL LARGE }
input Filter { name: String! tags: [String!] limit: Int! = 3 inner: Filter at: DateTime }
scalar DateTime
";

fn checked(definitions: &str, variables: serde_json::Value) -> Result<(), Problem> {
    let document = parse(&format!("query({definitions}) {{ f }}")).unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let shape = Shape::from_sdl(SDL).unwrap();
    check(
        &operation.node,
        &Variables::from_json(variables),
        &shape,
        &LIMITS,
    )
}

#[test]
fn what_fits_passes() {
    for (definitions, variables) in [
        ("$id: ID", json!({})),
        ("$id: ID", json!({ "id": null })),
        ("$id: ID!", json!({ "id": 7 })),
        ("$n: Int! = 3", json!({})),
        ("$n: [Int!]", json!({ "n": 3 })),
        ("$x: Float", json!({ "x": 3 })),
        ("$size: Size!", json!({ "size": "LARGE" })),
        (
            "$f: Filter",
            json!({ "f": { "name": "a", "tags": ["b"], "inner": { "name": "c" } } }),
        ),
        (
            "$f: Filter",
            json!({ "f": { "name": "a", "at": "2026-11-22T00:00:00Z" } }),
        ),
        ("$id: ID", json!({ "unknown": 1 })),
    ] {
        assert_eq!(checked(definitions, variables), Ok(()), "{definitions}");
    }
}

#[test]
fn what_does_not_fit_is_named_without_its_value() {
    for (definitions, variables, place) in [
        ("$id: ID!", json!({}), "$id"),
        ("$id: ID!", json!({ "id": null }), "$id"),
        ("$n: Int", json!({ "n": 2_147_483_648_u64 }), "$n"),
        ("$n: Int", json!({ "n": 1.5 }), "$n"),
        ("$n: Int", json!({ "n": "1" }), "$n"),
        ("$n: [Int!]", json!({ "n": [1, null] }), "$n.1"),
        ("$b: Boolean", json!({ "b": 1 }), "$b"),
        ("$size: Size", json!({ "size": "HUGE" }), "$size"),
        ("$f: Filter", json!({ "f": {} }), "$f.name"),
        ("$f: Filter", json!({ "f": [] }), "$f"),
        (
            "$f: Filter",
            json!({ "f": { "name": "secret", "x": 1 } }),
            "$f.x",
        ),
        (
            "$f: Filter",
            json!({ "f": { "name": "a", "tags": [1] } }),
            "$f.tags.0",
        ),
    ] {
        let problem = checked(definitions, variables).unwrap_err();
        assert_eq!(problem.code, "BAD_USER_INPUT");
        assert!(
            problem.message.contains(&format!("\"{place}\"")),
            "{}",
            problem.message
        );
        assert!(!problem.message.contains("secret"));
    }
}

#[test]
fn sizes_are_bounded() {
    let long = json!({ "unused": vec![0; 1_001] });
    assert!(checked("$id: ID", long).is_err());
    let wide = json!({ "unused": vec![vec![0; 100]; 300] });
    assert!(checked("$id: ID", wide).is_err());
    let fields: serde_json::Map<_, _> = (0..300).map(|i| (format!("f{i}"), json!(1))).collect();
    assert!(checked("$f: Filter", json!({ "f": fields })).is_err());
}
