//! The attacks that GraphQL servers are known to fall to, each on every transport that could carry it,
//! with the answer that it gets. `wire::price` counts that none of them is more than linear work; here
//! the process goes on answering others meanwhile.

use std::time::Duration;

use harness::document::bomb;
use harness::transport::Transport;
use harness::{Actor, Socket, TestApp};
use serde_json::{Value, json};

/// Longest refusal in bytes, whatever was sent.
const LONGEST_REFUSAL: usize = 2_000;
/// Longest address that a GET is tried with.
const LONGEST_GET: usize = 30_000;
/// No refusal takes so long, on a machine that does other things as well. Unpriced, most of these would
/// take minutes to hours.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends it over every transport; each refuses it with this code, in one short error.
async fn is_refused(actor: &Actor, name: &str, query: &str, code: &str) {
    for transport in Transport::ALL {
        if transport == Transport::Get && query.len() > LONGEST_GET {
            continue;
        }
        let body = json!({ "query": query });
        let answer = tokio::time::timeout(PATIENCE, actor.ask(transport, &body)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{name} by {transport:?} takes too long"));
        let shown = answer.body.to_string();
        let shown = &shown[..shown.len().min(500)];
        assert_eq!(answer.code(), code, "{name} by {transport:?}: {shown}");
        assert!(answer.body.get("data").is_none(), "{name}: {shown}");
        assert!(answer.bytes < LONGEST_REFUSAL, "{name}: {}", answer.bytes);
        if matches!(transport, Transport::Post | Transport::Get) {
            assert_eq!(answer.status, Some(400), "{name} by {transport:?}");
        }
    }
}

async fn is_alive(app: &TestApp) {
    let live = format!("{}/health/live", app.url);
    let answer = app.anonymous().http().get(live).send().await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn fragment_bombs() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let empty = bomb(31, 2).replace("{ __typename }", "{ ...Nowhere }");
    let unused = bomb(24, 2).replace("{ ...F0 }", "{ __typename }");
    let inline = format!(
        "{{ {} __typename {} }}",
        "... { ".repeat(40),
        "} ".repeat(40)
    );
    for (name, query) in [
        ("2^24", bomb(24, 2)),
        ("2^31", bomb(31, 2)),
        ("100^5", bomb(5, 100)),
        ("2^1000", bomb(1000, 2)),
        ("without a field", empty),
        ("in fragments that are not used", unused),
        ("inline", inline),
    ] {
        let (_, ()) = tokio::join!(
            is_refused(&nobody, name, &query, "QUERY_TOO_COMPLEX"),
            is_alive(&app)
        );
    }
    let circles = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    is_refused(&nobody, "a circle", circles, "GRAPHQL_VALIDATION_FAILED").await;
    app.stop().await;
}

#[tokio::test]
async fn aliases_and_fields_by_the_thousand() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let aliased = |field: &str| -> String { (0..101).map(|i| format!(" a{i}: {field}")).collect() };
    let sign_in = r#"signIn(input: { email: "a@example.com", password: "x" }) { accessToken }"#;
    let page = r#"gallery(id: "x") { id }"#;
    let sets: String = (0..11)
        .map(|i| {
            format!(
                " viewer {{ {} }}",
                aliased("id").replace('a', &format!("s{i}"))
            )
        })
        .collect();
    for (name, query) in [
        (
            "aliases of a sign-in",
            format!("mutation {{{} }}", aliased(sign_in)),
        ),
        ("aliases of a query", format!("{{{} }}", aliased(page))),
        ("aliases in many sets", format!("{{{sets} }}")),
        (
            "one field 10 000 times",
            format!("{{{} }}", " nodes".repeat(10_000)),
        ),
        (
            "one field 10 000 times below",
            format!("{{ viewer {{{} }} }}", " id".repeat(10_000)),
        ),
        (
            "mutations in a row",
            format!("mutation {{{} }}", format!(" {sign_in}").repeat(31)),
        ),
        (
            "operations",
            (0..1000)
                .map(|i| format!("query Q{i} {{ __typename }} "))
                .collect(),
        ),
    ] {
        let code = match name {
            // Which one to run is not said either.
            "operations" => "BAD_REQUEST",
            _ => "QUERY_TOO_COMPLEX",
        };
        is_refused(&ada, name, &query, code).await;
    }
    let many: String = (0..1000)
        .map(|i| format!("query Q{i} {{ __typename }} "))
        .collect();
    for transport in Transport::ALL {
        let body = json!({ "query": many, "operationName": "Q7" });
        if transport == Transport::Get && many.len() > LONGEST_GET {
            continue;
        }
        assert_eq!(ada.ask(transport, &body).await.code(), "QUERY_TOO_COMPLEX");
    }
    app.stop().await;
}

/// Pages take a statement for each object they hang on: few bytes must not ask for thousands.
#[tokio::test]
async fn pages_within_pages() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let within = |pages: &str| {
        format!(
            "{{ gallery(id: \"{gallery}\") {{ photos(first: 50) {{ nodes {{ gallery {{ \
             photos(first: 50) {{ nodes {{ gallery {{ {pages} }} }} }} }} }} }} }} }}"
        )
    };
    let labels: String = (0..9)
        .map(|n| format!("a{n}: labels(first: 1) {{ name }} "))
        .collect();
    let photos = "photos(first: 1, filter: { text: \"x\" }) { nodes { id } }";
    let aliased: String = (0..28).map(|n| format!("a{n}: {photos} ")).collect();
    let few = within(&aliased).replace(
        "photos(first: 50) { nodes { gallery { a0",
        "photos(first: 1) { nodes { gallery { a0",
    );
    for (name, query) in [
        ("labels", within(&labels)),
        ("photos", within(photos)),
        ("aliases", few),
    ] {
        is_refused(&ada, name, &query, "QUERY_TOO_COMPLEX").await;
    }
    // What a start page asks for.
    let overview = "{ galleries(first: 50) { nodes { name photos(first: 4) { nodes { id } }
        people(first: 8) { nodes { id name } } labels(first: 5) { name } } } }";
    ada.query(overview, json!({})).await;
    app.stop().await;
}

#[tokio::test]
async fn long_labels_in_a_filter() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let document = "query($id: ID!, $labels: [String!]) { gallery(id: $id) {
        photos(first: 1, filter: { labels: $labels }) { nodes { id } } } }";
    let with = |length: usize| json!({ "id": gallery, "labels": ["é".repeat(length)] });
    ada.query(document, with(200)).await;
    let code = ada.error_code(document, with(201)).await;
    assert_eq!(code, "BAD_USER_INPUT");
    app.stop().await;
}

#[tokio::test]
async fn directives_by_the_thousand() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    for (name, directive) in [
        ("known", "@skip(if: false) "),
        ("unknown", "@unknown "),
        ("unknown with arguments", "@unknown(a: 1) "),
    ] {
        let query = format!("{{ __typename {} }}", directive.repeat(1000));
        is_refused(&nobody, name, &query, "QUERY_TOO_COMPLEX").await;
        let query = format!("query {} {{ __typename }}", directive.repeat(1000));
        is_refused(&nobody, name, &query, "QUERY_TOO_COMPLEX").await;
    }
    app.stop().await;
}

#[tokio::test]
async fn depth_and_pages_in_pages() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let nested = |levels: usize| {
        let inner = "gallery { ".repeat(levels);
        format!(
            "{{ photo(id: \"x\") {{ {inner} id {} }} }}",
            "} ".repeat(levels)
        )
    };
    is_refused(&ada, "depth", &nested(11), "QUERY_TOO_COMPLEX").await;
    let fits = ada
        .ask(Transport::Post, &json!({ "query": nested(10) }))
        .await;
    assert_ne!(fits.code(), "QUERY_TOO_COMPLEX", "{:#}", fits.body);
    // The parser has a limit of its own.
    is_refused(
        &ada,
        "depth without end",
        &nested(2000),
        "GRAPHQL_PARSE_FAILED",
    )
    .await;
    let page = |inner: &str| format!("photos(first: 100) {{ nodes {{ {inner} }} }}");
    let third = page("id");
    let second = page(&format!("gallery {{ {third} }}"));
    let first = page(&format!("gallery {{ {second} }}"));
    let query = format!("{{ gallery(id: \"x\") {{ {first} }} }}");
    is_refused(&ada, "100 x 100 x 100", &query, "QUERY_TOO_COMPLEX").await;
    app.stop().await;
}

#[tokio::test]
async fn introspection_in_circles() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let circles = |times: usize| {
        let (open, close) = ("fields { type { ".repeat(times), "} } ".repeat(times));
        format!("{{ __schema {{ types {{ {open} name {close} }} }} }}")
    };
    for times in [4, 8, 12] {
        is_refused(&nobody, "circles", &circles(times), "QUERY_TOO_COMPLEX").await;
    }
    app.stop().await;
}

#[tokio::test]
async fn texts_that_the_parser_should_not_have_to_like() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    // As many as an address has room for.
    let deep = 5_000;
    let lists = |open: &str, close: &str| {
        let values = open.repeat(deep) + &close.repeat(deep);
        format!("{{ photo(id: {values}) {{ id }} }}")
    };
    let in_lists = |begin: &str, end: &str| {
        let (open, close) = ("[".repeat(deep), "]".repeat(deep));
        format!("{begin}{open}{close}{end}")
    };
    for (name, query) in [
        ("braces that do not end", "{ a ".repeat(2000)),
        ("brackets", lists("[", "")),
        ("no GraphQL, and long", "x".repeat(20_000)),
        (
            "a string that does not end",
            format!("{{ photo(id: \"{}", "x".repeat(20_000)),
        ),
        ("quotes", "\"".repeat(20_001)),
        ("control characters", "{ \u{1}\u{0} }".to_owned()),
    ] {
        is_refused(&nobody, name, &query, "GRAPHQL_PARSE_FAILED").await;
    }
    // Values in values, from which the parser's stack does not come back: short and at once.
    for query in [
        lists("[", "]"),
        lists("{a:", "}"),
        in_lists("query($a: ID = ", ") { __typename }"),
        in_lists("query($a: ", ") { __typename }"),
        in_lists("{ __typename @skip(if: ", ") }"),
    ] {
        for transport in Transport::ALL {
            let body = json!({ "query": query });
            let answer = tokio::time::timeout(PATIENCE, nobody.ask(transport, &body)).await;
            let answer = answer.expect("in time");
            assert!(answer.bytes < LONGEST_REFUSAL && !answer.code().is_empty());
            assert_eq!(answer.code(), "GRAPHQL_PARSE_FAILED", "{:#}", answer.body);
        }
    }
    is_alive(&app).await;
    app.stop().await;
}

#[tokio::test]
async fn more_bytes_than_anybody_needs() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let url = format!("{}/graphql", app.url);
    let text = format!("{{ __typename }} #{}", "x".repeat(100 * 1024));
    let body = json!({ "query": text });
    let answer = nobody.ask(Transport::Post, &body).await;
    assert_eq!((answer.status, answer.code()), (Some(413), "BAD_REQUEST"));
    let answer = nobody.ask(Transport::Events, &body).await;
    assert_eq!((answer.status, answer.code()), (Some(413), "BAD_REQUEST"));
    // A socket has no room for so long a message: it closes.
    let mut socket = Socket::initialised(&app.url, None).await;
    let message = json!({ "id": "1", "type": "subscribe", "payload": body });
    socket.send(message).await;
    assert_eq!(socket.closed().await.0, 1009);
    let huge = json!({ "query": "{ __typename }", "variables": { "x": "x".repeat(1 << 20) } });
    for accept in ["application/json", "text/event-stream"] {
        let request = nobody
            .http()
            .post(&url)
            .header("accept", accept)
            .json(&huge);
        assert_eq!(request.send().await.unwrap().status(), 413, "{accept}");
    }
    // As long as an address can be.
    let long = json!({ "query": "x".repeat(60_000) });
    let answer = nobody.ask(Transport::Get, &long).await;
    assert_eq!(
        (answer.status, answer.code()),
        (Some(400), "GRAPHQL_PARSE_FAILED")
    );
    assert!(answer.bytes < LONGEST_REFUSAL);
    app.stop().await;
}

#[tokio::test]
async fn batches_are_no_requests() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let url = format!("{}/graphql", app.url);
    let one = json!({ "query": "{ __typename }" });
    for count in [0, 1, 2, 11, 1000] {
        let batch: Vec<&Value> = (0..count).map(|_| &one).collect();
        for accept in ["application/json", "text/event-stream"] {
            let request = nobody
                .http()
                .post(&url)
                .header("accept", accept)
                .json(&batch);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 400, "{count} {accept}");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn methods_and_types_of_other_sites() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let url = format!("{}/graphql", app.url);
    let query = json!({ "query": "{ __typename }" });
    for method in ["PUT", "PATCH", "DELETE", "TRACE"] {
        let method = method.parse().unwrap();
        let request = nobody.http().request(method, &url).json(&query);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ] {
        for accept in ["application/json", "text/event-stream"] {
            let request = nobody.http().post(&url).header("accept", accept);
            let request = request.header("content-type", content_type);
            let response = request.body(query.to_string()).send().await.unwrap();
            assert_eq!(response.status(), 415, "{content_type} {accept}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn numbers_beyond_their_type_and_lists_beyond_reason() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let photos = |first: &str| {
        format!("{{ gallery(id: \"x\") {{ photos(first: {first}) {{ nodes {{ id }} }} }} }}")
    };
    let ids = format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"a\",".repeat(1001));
    for transport in Transport::ALL {
        for query in [
            photos("2147483648"),
            photos("-2147483649"),
            photos("99999999999999999999999999"),
            photos("1e400"),
            photos("1.5"),
            ids.clone(),
        ] {
            let answer = ada.ask(transport, &json!({ "query": query })).await;
            let shown = &query[..query.len().min(80)];
            let known = [
                "BAD_USER_INPUT",
                "GRAPHQL_VALIDATION_FAILED",
                "QUERY_TOO_COMPLEX",
                "GRAPHQL_PARSE_FAILED",
                "NOT_FOUND",
            ];
            assert!(
                known.contains(&answer.code()),
                "{transport:?} {shown}: {:#}",
                answer.body
            );
        }
        let list: Vec<&str> = vec!["a"; 1001];
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let body = json!({ "query": query, "variables": { "ids": list } });
        let answer = ada.ask(transport, &body).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{transport:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn nothing_is_suggested() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for query in [
        "{ viewr { id } }",
        "{ viewer { emial } }",
        "{ photo(idd: \"x\") { id } }",
        "{ node(id: \"x\") { ... on Galery { id } } }",
        "mutation { signIm(input: {}) { accessToken } }",
    ] {
        for transport in Transport::ALL {
            if transport == Transport::Get && query.starts_with("mutation") {
                continue;
            }
            let answer = ada.ask(transport, &json!({ "query": query })).await;
            assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{query}");
            assert!(
                !answer.body.to_string().contains("Did you mean"),
                "{:#}",
                answer.body
            );
        }
    }
    app.stop().await;
}
