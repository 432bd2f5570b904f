//! What one document may ask for.

/// The limits of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields inside each other.
    pub depth: u64,
    /// The same below `__schema` and `__type`: the introspection query of graphql-js has 15.
    pub introspection_depth: u64,
    /// Fields in the answer, when every list is as long as its arguments allow, and 100 more for each
    /// page (field with `first`): it takes a statement of its own.
    pub cost: u64,
    /// The same below `__schema` and `__type`, which answer out of memory.
    pub introspection_cost: u64,
    /// Selections of the whole document with every fragment written out: what validation visits.
    pub selections: u64,
    /// Selections inside each other, inline fragments and spreads included.
    pub nesting: u64,
    /// Fields at the root: mutations multiply there.
    pub root_fields: u64,
    /// Aliases in one selection set.
    pub aliases_per_set: u64,
    /// Aliases in one operation.
    pub aliases: u64,
    /// Directives in one operation.
    pub directives: u64,
    /// Operations in one document.
    pub operations: usize,
    /// Elements of one list in an argument or variable.
    pub list: u64,
    /// Values in all variables.
    pub values: u64,
}

/// The limits that count where the configuration says nothing else.
pub const LIMITS: Limits = Limits {
    depth: 12,
    introspection_depth: 20,
    cost: 100_000,
    introspection_cost: 400_000,
    selections: 5_000,
    nesting: 32,
    root_fields: 30,
    aliases_per_set: 30,
    aliases: 100,
    directives: 50,
    operations: 20,
    list: 1_000,
    values: 20_000,
};

/// Largest page of any connection.
pub const MAX_FIRST: u32 = 100;
