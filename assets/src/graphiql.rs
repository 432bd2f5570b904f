//! GraphiQL, the in-browser GraphQL editor, as files that a page loads without a bundler.

use crate::{Asset, file};

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// In the order in which a page must load them: `React`, `ReactDOM` and `GraphiQL` become globals.
pub const FILES: &[Asset] = &[
    Asset {
        name: "react.production.min.js",
        content_type: JAVASCRIPT,
        bytes: file!("react.production.min.js"),
    },
    Asset {
        name: "react-dom.production.min.js",
        content_type: JAVASCRIPT,
        bytes: file!("react-dom.production.min.js"),
    },
    Asset {
        name: "graphiql.min.js",
        content_type: JAVASCRIPT,
        bytes: file!("graphiql.min.js"),
    },
    Asset {
        name: "graphiql.min.css",
        content_type: "text/css; charset=utf-8",
        bytes: file!("graphiql.min.css"),
    },
];
