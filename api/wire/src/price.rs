//! What a document may cost, decided before it is validated or executed.
//!
//! async-graphql visits a fragment again at every spread, in validation already, so that a document
//! of 900 bytes can keep a core busy for hours (2^31 visits). Here each fragment is priced once and
//! its price added up, saturating, wherever it is spread: time is linear in the document.

mod limits;

use std::collections::HashMap;

use async_graphql_parser::types::{
    BaseType, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::{ConstValue as Value, Name, Variables};

pub use limits::{LIMITS, Limits, MAX_FIRST};

use super::problem::Problem;
use super::shape::{First, InputKind, Shape, natural};
use super::variables::{has_nul, nul};

/// Longest name of [`Cost::roots`]; names are ASCII.
const ROOT_NAME_BYTES: usize = 50;
/// Assumed length of a list whose length no argument tells, such as a photo's faces.
const LIST_LENGTH: u64 = 10;
/// What a page costs beside its fields: it takes a statement of its own for each object it hangs on,
/// where other fields are loaded for all of them together. Without it 300 bytes ask for 20,000 statements.
pub const PAGE: u64 = 100;
/// Assumed `first` where neither argument nor default tells: the largest page.
const WHOLE_PAGE: u64 = MAX_FIRST as u64;
/// Assumed lengths of the lists of introspection.
const INTROSPECTION_LISTS: [(&str, u64); 7] = [
    ("types", 100),
    ("fields", 10),
    ("inputFields", 5),
    ("enumValues", 5),
    ("possibleTypes", 2),
    ("args", 2),
    ("directives", 5),
];
/// Parent type of everything below `__schema` and `__type`.
const INTROSPECTION: &str = "__Introspection";

/// What a selection set, and everything in it, asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// See [`Limits::cost`].
    pub cost: u64,
    /// See [`Limits::introspection_cost`].
    pub introspection_cost: u64,
    /// See [`Limits::depth`].
    pub depth: u64,
    /// See [`Limits::introspection_depth`].
    pub introspection_depth: u64,
    /// See [`Limits::selections`].
    pub selections: u64,
    /// See [`Limits::aliases`].
    pub aliases: u64,
    /// See [`Limits::directives`].
    pub directives: u64,
    nesting: u64,
    /// Of this set alone, with its fragments written out.
    set_fields: u64,
    set_aliases: u64,
}

impl Price {
    fn add(&mut self, other: &Self) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.cost, other.cost);
        sum(&mut self.introspection_cost, other.introspection_cost);
        sum(&mut self.selections, other.selections);
        sum(&mut self.aliases, other.aliases);
        sum(&mut self.directives, other.directives);
        sum(&mut self.set_fields, other.set_fields);
        sum(&mut self.set_aliases, other.set_aliases);
        self.depth = self.depth.max(other.depth);
        self.introspection_depth = self.introspection_depth.max(other.introspection_depth);
        self.nesting = self.nesting.max(other.nesting);
    }

    fn selected(mut self, directives: usize) -> Self {
        self.selections = self.selections.saturating_add(1);
        self.nesting = self.nesting.saturating_add(1);
        self.directives = self.directives.saturating_add(directives as u64);
        self
    }
}

/// What a document costs, beside what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Of the operation that will run.
    pub price: Price,
    /// [`Limits::selections`] counts those of the whole document.
    pub selections: u64,
    /// What each selection at the operation's root adds to [`Price::cost`]: fields by their names in
    /// the answer, fragments as `...Name`.
    pub roots: Vec<(String, u64)>,
    /// Selections that were looked at to find this out: at most twice those that are written.
    pub visits: u64,
    /// Whether other values of its variables would make another price.
    pub varies: bool,
    /// The limits.
    pub limits: Limits,
}

/// Prices a document whose operation `selected` will run, and refuses it when it passes a limit.
///
/// # Errors
/// Which limit, in words; with the whole price where it came to one.
pub fn check(
    document: &ExecutableDocument,
    selected: &Positioned<OperationDefinition>,
    variables: &Variables,
    shape: &Shape,
    limits: &Limits,
) -> Result<Cost, Problem> {
    if document.operations.iter().count() > limits.operations {
        return Err(too("operations in one document", limits.operations));
    }
    let mut pricer = Pricer::new(document, &selected.node, variables, shape, limits);
    let (price, roots) = pricer.operation(&selected.node)?;
    let varies = pricer.varies;
    // Validation visits the whole document, not only what will run.
    let mut selections = price.selections;
    for (_, operation) in document.operations.iter() {
        if operation.pos != selected.pos {
            selections = selections.saturating_add(pricer.operation(&operation.node)?.0.selections);
        }
    }
    for (name, fragment) in &document.fragments {
        let price = pricer.fragment(name, &fragment.node, false, 0)?;
        selections = selections.saturating_add(price.selections);
    }
    let cost = Cost {
        price,
        selections,
        roots,
        visits: pricer.visits,
        varies,
        limits: *limits,
    };
    match beyond(&cost) {
        None => Ok(cost),
        Some(problem) => Err(Problem {
            cost: Some(Box::new(cost)),
            ..problem
        }),
    }
}

/// The first limit that is passed.
fn beyond(cost: &Cost) -> Option<Problem> {
    let (price, limits) = (&cost.price, &cost.limits);
    let passed = [
        (
            cost.selections,
            limits.selections,
            "selections with fragments written out",
        ),
        (price.depth, limits.depth, "fields inside each other"),
        (
            price.introspection_depth,
            limits.introspection_depth,
            "fields inside each other in introspection",
        ),
        (
            price.nesting,
            limits.nesting,
            "selections inside each other",
        ),
        (price.set_fields, limits.root_fields, "fields at the root"),
        (price.aliases, limits.aliases, "aliases"),
        (price.directives, limits.directives, "directives"),
        (
            price.cost,
            limits.cost,
            "fields in the answer, a page being 100 more: ask for fewer or shorter pages, or fewer fields",
        ),
        (
            price.introspection_cost,
            limits.introspection_cost,
            "fields in the answer of introspection",
        ),
    ]
    .into_iter()
    .find(|(value, limit, _)| value > limit);
    passed.map(|(_, limit, what)| too(what, limit))
}

fn too(what: &str, limit: impl std::fmt::Display) -> Problem {
    Problem::too_complex(format!("the document asks for more than {limit} {what}"))
}

#[derive(Clone, Copy)]
enum Fragment {
    Open,
    Priced(Price),
}

/// What a variable says about lengths.
#[derive(Clone)]
struct Told {
    number: Value,
    /// Elements of the longest list in it.
    length: u64,
    /// Whether a value of its type can say anything about lengths at all.
    can: bool,
}

struct Pricer<'a> {
    document: &'a ExecutableDocument,
    shape: &'a Shape,
    limits: &'a Limits,
    /// What a variable says about lengths.
    variables: HashMap<&'a str, Told>,
    /// A variable that may say something about lengths was read.
    varies: bool,
    visits: u64,
    fragments: HashMap<(&'a str, bool), Fragment>,
}

impl<'a> Pricer<'a> {
    fn new(
        document: &'a ExecutableDocument,
        operation: &'a OperationDefinition,
        variables: &'a Variables,
        shape: &'a Shape,
        limits: &'a Limits,
    ) -> Self {
        let defined = operation.variable_definitions.iter().map(|definition| {
            let name = &definition.node.name.node;
            let value = variables
                .get(name)
                .or_else(|| definition.node.default_value.as_ref().map(|v| &v.node));
            let number = match value {
                Some(Value::Number(number)) => Value::Number(number.clone()),
                _ => Value::Null,
            };
            let told = Told {
                number,
                length: value.map_or(0, longest_list),
                can: tells_lengths(&definition.node.var_type.node.base, shape),
            };
            (name.as_str(), told)
        });
        Self {
            document,
            shape,
            limits,
            variables: defined.collect(),
            varies: false,
            visits: 0,
            fragments: HashMap::new(),
        }
    }

    fn operation(
        &mut self,
        operation: &'a OperationDefinition,
    ) -> Result<(Price, Vec<(String, u64)>), Problem> {
        let roots = &self.shape.roots;
        let root = match operation.ty {
            OperationType::Query => &roots.query,
            OperationType::Mutation => &roots.mutation,
            OperationType::Subscription => &roots.subscription,
        };
        let set = &operation.selection_set.node;
        let mut price = Price::default();
        let mut roots: Vec<(String, u64)> = Vec::new();
        for item in &set.items {
            let inner = self.item(&item.node, root, false, 0)?;
            price.add(&inner);
            let name = root_name(&item.node);
            if let Some((_, cost)) = roots.iter_mut().find(|(known, _)| *known == name) {
                *cost = cost.saturating_add(inner.cost);
            } else if roots.len() as u64 <= self.limits.root_fields {
                // With more of them it is refused anyway.
                roots.push((name, inner.cost));
            }
        }
        self.few_aliases(&price)?;
        let directives = operation.directives.len() as u64;
        price.directives = price.directives.saturating_add(directives);
        Ok((price, roots))
    }

    /// `counted`: an argument of the field above has told how long the lists in here are.
    fn set(
        &mut self,
        set: &'a SelectionSet,
        parent: &'a str,
        counted: bool,
        nesting: u64,
    ) -> Result<Price, Problem> {
        // Also keeps this recursion short, whatever the order of the fragments.
        if nesting > self.limits.nesting {
            return Err(too("selections inside each other", self.limits.nesting));
        }
        let mut price = Price::default();
        for item in &set.items {
            price.add(&self.item(&item.node, parent, counted, nesting)?);
        }
        self.few_aliases(&price)?;
        Ok(price)
    }

    fn few_aliases(&self, price: &Price) -> Result<(), Problem> {
        let limit = self.limits.aliases_per_set;
        match price.set_aliases > limit {
            true => Err(too("aliases in one selection set", limit)),
            false => Ok(()),
        }
    }

    fn item(
        &mut self,
        item: &'a Selection,
        parent: &'a str,
        counted: bool,
        nesting: u64,
    ) -> Result<Price, Problem> {
        self.visits += 1;
        let price = match item {
            Selection::Field(field) => self.field(&field.node, parent, counted, nesting)?,
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let ty = condition.map_or(parent, |on| on.node.on.node.as_str());
                self.set(&fragment.node.selection_set.node, ty, counted, nesting + 1)?
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                match self.document.fragments.get_key_value(name) {
                    Some((name, fragment)) => {
                        self.fragment(name, &fragment.node, counted, nesting + 1)?
                    }
                    // Validation names it.
                    None => Price::default(),
                }
            }
        };
        Ok(price.selected(item.directives().len()))
    }

    fn fragment(
        &mut self,
        name: &'a Name,
        fragment: &'a FragmentDefinition,
        counted: bool,
        nesting: u64,
    ) -> Result<Price, Problem> {
        let key = (name.as_str(), counted);
        match self.fragments.get(&key) {
            Some(Fragment::Priced(price)) => return Ok(*price),
            Some(Fragment::Open) => {
                return Err(Problem::invalid("a fragment spreads itself"));
            }
            None => {}
        }
        self.fragments.insert(key, Fragment::Open);
        let ty = fragment.type_condition.node.on.node.as_str();
        let price = self
            .set(&fragment.selection_set.node, ty, counted, nesting)?
            .selected(fragment.directives.len());
        self.fragments.insert(key, Fragment::Priced(price));
        Ok(price)
    }

    fn field(
        &mut self,
        field: &'a Field,
        parent: &'a str,
        counted: bool,
        nesting: u64,
    ) -> Result<Price, Problem> {
        let name = field.name.node.as_str();
        let (length, first) = self.arguments(field)?;
        let within_introspection = parent.starts_with("__");
        let enters = !within_introspection && matches!(name, "__schema" | "__type");
        let mut page = 0;
        let (ty, times, counted) = if within_introspection || enters {
            let list = INTROSPECTION_LISTS.iter().find(|(list, _)| *list == name);
            (INTROSPECTION, list.map_or(1, |(_, length)| *length), false)
        } else {
            match self.shape.field(parent, name) {
                None => ("", length.max(1), false),
                Some(known) => {
                    let told = match known.first {
                        First::Default(default) => {
                            page = PAGE;
                            Some(first.or(default).unwrap_or(WHOLE_PAGE).max(1))
                        }
                        First::Absent => (length > 0).then_some(length),
                    };
                    let times = match told {
                        Some(times) => times,
                        None if known.is_list && !counted => LIST_LENGTH,
                        None => 1,
                    };
                    let counted = told.is_some() && !known.is_list;
                    (known.ty.as_str(), times, counted)
                }
            }
        };
        let set = &field.selection_set.node;
        let inner = self.set(set, ty, counted, nesting + 1)?;
        let mut price = Price {
            cost: times.saturating_mul(inner.cost).saturating_add(1 + page),
            introspection_cost: inner.introspection_cost,
            depth: inner.depth.saturating_add(1),
            set_fields: 1,
            set_aliases: u64::from(field.alias.is_some()),
            ..inner
        };
        price.aliases = price.aliases.saturating_add(price.set_aliases);
        if enters {
            price.introspection_cost = std::mem::replace(&mut price.cost, 1);
            price.introspection_depth = std::mem::replace(&mut price.depth, 1);
        }
        Ok(price)
    }

    /// The longest list in a field's arguments, and its `first`.
    fn arguments(&mut self, field: &Field) -> Result<(u64, Option<u64>), Problem> {
        let (mut longest, mut first) = (0, None);
        for (name, value) in &field.arguments {
            let constant = value.node.clone().into_const_with(|variable| {
                let Some(told) = self.variables.get(variable.as_str()) else {
                    return Ok(Value::Null);
                };
                self.varies |= told.can;
                longest = longest.max(told.length);
                Ok::<_, std::convert::Infallible>(told.number.clone())
            });
            let Ok(constant) = constant;
            longest = longest.max(longest_list(&constant));
            if has_nul(&constant) {
                return Err(nul(name.node.as_str()).at(value.pos));
            }
            if name.node == "first" {
                first = natural(&constant);
            }
            if longest > self.limits.list {
                return Err(long_list(self.limits.list, value.pos));
            }
        }
        Ok((longest, first))
    }
}

/// Whether values of a type can hold lists, or numbers that `first` takes. What is declared as
/// something else and is a list is refused with the other variables.
fn tells_lengths(ty: &BaseType, shape: &Shape) -> bool {
    match ty {
        BaseType::List(_) => true,
        BaseType::Named(name) => match name.as_str() {
            "ID" | "String" | "Boolean" | "Float" => false,
            name => !matches!(shape.input(name), InputKind::Enum(_)),
        },
    }
}

/// A selection at the root, for people: what clients call it, as far as that is bearable in an answer.
fn root_name(item: &Selection) -> String {
    let (dots, name) = match item {
        Selection::Field(field) => ("", field.node.response_key().node.as_str()),
        Selection::InlineFragment(_) => ("...", ""),
        Selection::FragmentSpread(spread) => ("...", spread.node.fragment_name.node.as_str()),
    };
    format!("{dots}{}", name.get(..ROOT_NAME_BYTES).unwrap_or(name))
}

fn long_list(limit: u64, pos: Pos) -> Problem {
    Problem::input(format!("a list has more than {limit} elements")).at(pos)
}

/// Elements of the longest list in a value.
fn longest_list(value: &Value) -> u64 {
    match value {
        Value::List(items) => {
            let inner = items.iter().map(longest_list).max().unwrap_or_default();
            inner.max(items.len() as u64)
        }
        Value::Object(fields) => fields.values().map(longest_list).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
