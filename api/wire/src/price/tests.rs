use std::fmt::Write as _;

use crate::document::parse;

use super::*;

const SDL: &str = "
schema { query: Query mutation: Mutation }
type Query { hello: String galleries(first: Int!): GalleryConnection! gallery: Gallery nodes(ids: [ID!]!): [Gallery]! }
type Mutation { deletePhotos(ids: [ID!]!): Deleted! }
type Deleted { results: [Gallery!]! }
type GalleryConnection { edges: [GalleryEdge!]! nodes: [Gallery!]! pageInfo: PageInfo! }
type GalleryEdge { node: Gallery! }
type PageInfo { hasNextPage: Boolean! }
type Gallery { id: ID! name: String faces: [Face!]! labels(first: Int = 50): [Label!]! galleries(first: Int!): GalleryConnection! gallery: Gallery }
type Face { id: ID! }
type Label { name: String! }
";

/// graphql-js 16, `getIntrospectionQuery()`, with its options on.
const INTROSPECTION_QUERY: &str = "
query IntrospectionQuery { __schema { description queryType { name } mutationType { name } subscriptionType { name }
  types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }
";

fn price_with(query: &str, variables: serde_json::Value) -> Result<Price, Problem> {
    let shape = Shape::from_sdl(SDL).unwrap();
    let document = parse(query).unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let variables = Variables::from_json(variables);
    let cost = check(&document, operation, &variables, &shape, &LIMITS)?;
    assert_eq!(
        cost.roots.iter().map(|(_, cost)| cost).sum::<u64>(),
        cost.price.cost
    );
    Ok(cost.price)
}

fn price(query: &str) -> Result<Price, Problem> {
    price_with(query, serde_json::json!({}))
}

fn refused(query: &str, what: &str) {
    let problem = price(query).unwrap_err();
    assert!(problem.message.contains(what), "{}", problem.message);
}

fn bomb(levels: usize, width: usize) -> String {
    let mut text = String::from("{ ...F0 }");
    for level in 0..levels {
        let spread = format!(" ...F{}", level + 1).repeat(width);
        write!(text, " fragment F{level} on Query {{{spread} }}").unwrap();
    }
    write!(text, " fragment F{levels} on Query {{ hello }}").unwrap();
    text
}

#[test]
fn fragment_bombs_are_priced_and_not_visited() {
    // Written out: 2^12, 2^31 and 100^5 fields. The last two would not end before this test does.
    for (levels, width) in [(12, 2), (29, 2), (31, 2), (5, 100), (3_000, 2)] {
        let problem = price(&bomb(levels, width)).unwrap_err();
        let Some(cost) = problem.cost else {
            assert!(levels as u64 > LIMITS.nesting - 2, "{width}^{levels}");
            continue;
        };
        let written = 1 + (levels * width + 1) as u64;
        assert!(cost.visits <= written, "{width}^{levels}: {}", cost.visits);
        let all = (width as u64).saturating_pow(levels as u32);
        assert!(cost.price.cost >= all, "{width}^{levels}: {cost:?}");
    }
    assert!(price(&bomb(4, 2)).is_ok());
}

#[test]
fn bombs_without_fields_or_in_unused_fragments_are_refused() {
    let empty = bomb(12, 2).replace("{ hello }", "{ ...Nowhere }");
    refused(&empty, "selections");
    let unused = bomb(12, 2).replace("{ ...F0 }", "{ hello }");
    refused(&unused, "selections");
    refused(
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "spreads itself",
    );
}

#[test]
fn lists_multiply_once() {
    let cost = |query: &str| price(query).unwrap().cost;
    assert_eq!(cost("{ hello }"), 1);
    // galleries, which is a page, + 7 x (edges, node, id)
    assert_eq!(
        cost("{ galleries(first: 7) { edges { node { id } } } }"),
        1 + PAGE + 7 * 3
    );
    // A list that no argument counts, and one with a default.
    assert_eq!(cost("{ gallery { faces { id } } }"), 1 + 1 + 10);
    assert_eq!(cost("{ gallery { labels { name } } }"), 1 + 1 + PAGE + 50);
    assert_eq!(cost("{ nodes(ids: [1, 2, 3]) { id } }"), 1 + 3);
    // The length of the input is the length of the answer.
    let mutation = "mutation { deletePhotos(ids: [1, 2, 3]) { results { faces { id } } } }";
    assert_eq!(cost(mutation), 1 + 3 * (1 + 1 + 10));
    // Fragments count as what they hold.
    let spread =
        "{ galleries(first: 7) { ...C } } fragment C on GalleryConnection { nodes { id } }";
    assert_eq!(cost(spread), 1 + PAGE + 7 * 2);
}

#[test]
fn variables_and_defaults_count() {
    let query = "query($n: Int! = 5, $ids: [ID!]!) { galleries(first: $n) { nodes { id } } nodes(ids: $ids) { id } }";
    let cost = |variables| price_with(query, variables).unwrap().cost;
    assert_eq!(cost(serde_json::json!({})), 1 + PAGE + 5 * 2 + 1 + 10);
    let given = serde_json::json!({ "n": 50, "ids": ["a", "b"] });
    assert_eq!(cost(given), 1 + PAGE + 50 * 2 + 1 + 2);
    let huge = serde_json::json!({ "ids": vec![0; 1_001] });
    let problem = price_with(query, huge).unwrap_err();
    assert_eq!(problem.code, "BAD_USER_INPUT");
}

#[test]
fn nested_pages_are_too_expensive() {
    let inner =
        |first: u32, set: &str| format!("galleries(first: {first}) {{ nodes {{ {set} }} }}");
    let three = format!("{{ {} }}", inner(100, &inner(100, &inner(100, "id"))));
    refused(&three, "fields in the answer");
    let most = format!("{{ {} }}", inner(u32::MAX, &inner(u32::MAX, "id")));
    refused(&most, "fields in the answer");
}

#[test]
fn depth_aliases_directives_and_roots_are_bounded() {
    let nested = |n: usize| format!("{{ {}id{} }}", "gallery { ".repeat(n), " }".repeat(n));
    assert_eq!(price(&nested(11)).unwrap().depth, 12);
    refused(&nested(12), "12 fields inside each other");
    let inline = format!("{{ {}hello{} }}", "... { ".repeat(40), " }".repeat(40));
    refused(&inline, "selections inside each other");

    let aliases = |n: usize| -> String { (0..n).map(|i| format!(" a{i}: hello")).collect() };
    assert!(price(&format!("{{{} }}", aliases(30))).is_ok());
    refused(
        &format!("{{{} }}", aliases(31)),
        "aliases in one selection set",
    );
    let hidden = format!(
        "{{{} ...F }} fragment F on Query {{ b: hello }}",
        aliases(30)
    );
    refused(&hidden, "aliases in one selection set");
    refused(
        &format!("{{{} }}", " hello".repeat(31)),
        "fields at the root",
    );
    refused(
        &format!("{{ hello{} }}", " @skip(if: false)".repeat(51)),
        "directives",
    );
    let operations: String = (0..21)
        .map(|i| format!("query Q{i} {{ hello }} "))
        .collect();
    refused(&operations, "operations");
}

#[test]
fn introspection_has_a_rule_of_its_own() {
    let price = price(INTROSPECTION_QUERY).unwrap();
    assert!(price.introspection_depth >= 13, "{price:?}");
    assert_eq!((price.depth, price.cost), (1, 1));
    let circles = |n: usize| {
        let inner = "fields { type { ".repeat(n);
        format!(
            "{{ __schema {{ types {{ {inner}name{} }} }} }}",
            " } }".repeat(n)
        )
    };
    assert!(super::tests::price(&circles(2)).is_ok());
    refused(&circles(4), "in the answer of introspection");
    let mixed = "{ hello __schema { types { name } } }";
    assert_eq!(super::tests::price(mixed).unwrap().cost, 2);
}

#[test]
fn a_refusal_tells_the_whole_price() {
    let page = |inner: &str| format!("galleries(first: 100) {{ nodes {{ {inner} }} }}");
    let dear = format!("{{ hello a: {} }}", page(&page(&page("id"))));
    let cost = *price(&dear).unwrap_err().cost.unwrap();
    assert!(cost.price.cost > LIMITS.cost);
    assert_eq!((cost.price.depth, cost.limits), (7, LIMITS));
    assert_eq!(cost.roots[0], ("hello".to_owned(), 1));
    assert_eq!(cost.roots[1], ("a".to_owned(), cost.price.cost - 1));
    let named = format!("{{ {}: hello }}", "x".repeat(5_000)).replacen(
        "hello",
        "hello ".repeat(31).as_str(),
        1,
    );
    let long = price(&named).unwrap_err().cost.unwrap();
    assert_eq!(long.roots[0].0.len(), 50, "no answer repeats all of it");
    let bomb = price(&bomb(20, 2)).unwrap_err().cost.unwrap();
    assert_eq!(bomb.roots[0], ("...F0".to_owned(), 1 << 20));
    assert!(bomb.selections > 1 << 20, "{bomb:?}");
}

#[test]
fn prices_that_depend_on_variables_are_known_for_it() {
    let shape = Shape::from_sdl(SDL).unwrap();
    let varies = |query: &str| {
        let document = parse(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let variables = Variables::default();
        let cost = check(&document, operation, &variables, &shape, &LIMITS).unwrap();
        cost.varies
    };
    assert!(varies(
        "query($n: Int!) { galleries(first: $n) { nodes { id } } }"
    ));
    assert!(varies("query($ids: [ID!]!) { nodes(ids: $ids) { id } }"));
    assert!(varies("query($id: X!) { nodes(ids: { a: [$id] }) { id } }"));
    assert!(!varies("query($id: ID!) { nodes(ids: [$id]) { id } }"));
    assert!(!varies(
        "query($n: Int!) { galleries(first: 3) { nodes { id } } }"
    ));
}
