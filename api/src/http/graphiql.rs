//! GraphiQL without the internet: its files come out of the program, under a policy that lets the
//! page run no script but these.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::Shared;

macro_rules! example {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("graphiql/examples/", $name, ".graphql")),
            include_str!(concat!("graphiql/examples/", $name, ".json")),
        )
    };
}

/// Operations that open as tabs: title, document, variables.
pub const EXAMPLES: &[(&str, &str, &str)] = &[
    example!("register"),
    example!("sign-in"),
    example!("create-gallery"),
    example!("request-uploads"),
    example!("confirm-uploads"),
    example!("gallery-page"),
    example!("follow-gallery"),
    example!("viewer"),
];

/// No inline script or style, no other site. Pictures may come from anywhere: GraphiQL shows a
/// signed URL's picture when the pointer rests on it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    font-src 'self' data:; img-src 'self' data: http: https:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its files.
pub(super) struct Graphiql {
    page: Bytes,
    files: Vec<File>,
}

struct File {
    name: &'static str,
    content_type: &'static str,
    bytes: Cow<'static, [u8]>,
    /// Of the content, in hex.
    version: String,
}

impl Graphiql {
    /// Hashes the files once, so that browsers may keep them for good.
    pub(super) fn new() -> Self {
        let javascript = "text/javascript; charset=utf-8";
        let ours = [
            file_of(
                "app.css",
                "text/css; charset=utf-8",
                include_str!("graphiql/app.css").as_bytes(),
            ),
            file_of("examples.json", "application/json", examples().into_bytes()),
            file_of(
                "app.js",
                javascript,
                include_str!("graphiql/app.js").as_bytes(),
            ),
        ];
        let files: Vec<File> = assets::graphiql::FILES
            .iter()
            .map(|asset| file_of(asset.name, asset.content_type, asset.bytes))
            .chain(ours)
            .collect();
        let mut links = String::new();
        for file in &files {
            // Relative, so that the page also works behind a path prefix.
            let url = format!("graphiql/{}?v={}", file.name, file.version);
            // Writing to a string does not fail.
            let _ = match file.content_type.split(';').next() {
                Some("text/css") => writeln!(links, r#"<link rel="stylesheet" href="{url}">"#),
                Some("text/javascript") => {
                    writeln!(links, r#"<script defer src="{url}"></script>"#)
                }
                _ => writeln!(
                    links,
                    r#"<link id="examples" rel="preload" as="fetch" crossorigin href="{url}">"#
                ),
            };
        }
        let page = include_str!("graphiql/page.html").replace("<!-- files -->", links.trim_end());
        Self {
            page: page.into(),
            files,
        }
    }

    /// The page.
    pub(super) fn page(&self) -> Response {
        let mut response = Response::new(Body::from(self.page.clone()));
        let headers = response.headers_mut();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(CONTENT_TYPE, html);
        let policy = HeaderValue::from_static(POLICY);
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

fn file_of(
    name: &'static str,
    content_type: &'static str,
    bytes: impl Into<Cow<'static, [u8]>>,
) -> File {
    let bytes = bytes.into();
    let version = hex::encode(&Sha256::digest(&bytes)[..8]);
    File {
        name,
        content_type,
        bytes,
        version,
    }
}

/// [`EXAMPLES`] as the page reads them.
fn examples() -> String {
    let tabs: Vec<serde_json::Value> = EXAMPLES
        .iter()
        .map(|(title, query, variables)| {
            serde_json::json!({ "title": title, "query": query, "variables": variables })
        })
        .collect();
    serde_json::Value::Array(tabs).to_string()
}

/// `/graphiql/{name}`
pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let files = shared.graphiql.iter().flat_map(|graphiql| &graphiql.files);
    let Some(file) = files.into_iter().find(|file| file.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{}\"", file.version);
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains(&etag));
    // Only a URL that names this very content may be kept without asking again.
    let named = query.is_some_and(|query| query == format!("v={}", file.version));
    let cache = if named {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = match &file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::copy_from_slice(bytes),
        };
        let mut response = Response::new(Body::from(bytes));
        let content_type = HeaderValue::from_static(file.content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_parse_and_carry_their_variables() {
        for (title, query, variables) in EXAMPLES {
            let document = wire::document::parse(query).unwrap();
            assert_eq!(document.operations.iter().count(), 1, "{title}");
            let variables: serde_json::Value = serde_json::from_str(variables).unwrap();
            let (_, operation) = document.operations.iter().next().unwrap();
            for definition in &operation.node.variable_definitions {
                let name = definition.node.name.node.as_str();
                let given = variables.get(name).is_some();
                assert!(
                    given || definition.node.var_type.node.nullable,
                    "{title}: {name}"
                );
            }
        }
    }

    #[test]
    fn examples_fit_into_the_editors_of_a_small_screen() {
        for (title, query, variables) in EXAMPLES {
            for line in query.lines().chain(variables.lines()) {
                assert!(line.chars().count() <= 58, "{title}: {line}");
            }
        }
    }

    #[test]
    fn page_links_every_file_and_holds_no_inline_code() {
        let graphiql = Graphiql::new();
        let page = std::str::from_utf8(&graphiql.page).unwrap();
        for file in &graphiql.files {
            assert!(page.contains(&format!("graphiql/{}?v={}", file.name, file.version)));
        }
        assert_eq!(
            page.matches("<script").count(),
            page.matches("></script>").count()
        );
        assert!(!page.contains("<style") && !page.contains("://"));
    }
}
