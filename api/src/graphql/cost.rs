//! `extensions.cost`: what a document costs, for clients that ask for it and for those that are refused.
//!
//! Asked for with `"extensions": { "cost": true }`, which every transport has; a header would be out of
//! reach on a socket that is open already.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value};
use wire::price::Cost;

/// Key in `extensions` of a request, an answer and an error.
pub const KEY: &str = "cost";

/// Numbers beside their limits, and what each field of the root adds.
#[must_use]
pub fn told(cost: &Cost) -> Value {
    let (price, limits) = (&cost.price, &cost.limits);
    let pair = |requested: u64, limit: u64| {
        object([("requested", requested.into()), ("limit", limit.into())])
    };
    let roots = cost.roots.iter();
    let roots = roots.map(|(name, cost)| (Name::new(name), Value::from(*cost)));
    object([
        ("requested", price.cost.into()),
        ("limit", limits.cost.into()),
        ("fields", Value::Object(roots.collect())),
        ("depth", pair(price.depth, limits.depth)),
        ("selections", pair(cost.selections, limits.selections)),
        ("aliases", pair(price.aliases, limits.aliases)),
        ("directives", pair(price.directives, limits.directives)),
        (
            "introspection",
            pair(price.introspection_cost, limits.introspection_cost),
        ),
        (
            "introspectionDepth",
            pair(price.introspection_depth, limits.introspection_depth),
        ),
    ])
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter();
    Value::Object(
        fields
            .map(|(name, value)| (Name::new(name), value))
            .collect::<IndexMap<_, _>>(),
    )
}
