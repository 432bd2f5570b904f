//! The schema's object types, and what of them has rights of its own.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, Field, Selection, SelectionSet, Type,
    TypeKind, TypeSystemDefinition,
};

/// One field: its arguments that must be given, and the type that it leads to.
pub(super) struct FieldOf {
    pub(super) name: String,
    pub(super) required: Vec<String>,
    pub(super) leads_to: String,
}

/// Object types, their fields in order; and the types that are nodes.
pub(super) struct Types {
    pub(super) objects: BTreeMap<String, Vec<FieldOf>>,
    pub(super) nodes: BTreeSet<String>,
    interfaces: BTreeSet<String>,
}

pub(super) const ROOTS: [&str; 3] = ["Query", "Mutation", "Subscription"];

impl Types {
    pub(super) fn read() -> Self {
        let sdl = eventgallery::graphql::schema::sdl();
        let document = async_graphql_parser::parse_schema(sdl).unwrap();
        let (mut objects, mut nodes) = (BTreeMap::new(), BTreeSet::new());
        let mut interfaces = BTreeSet::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(ty) = definition else {
                continue;
            };
            let name = ty.node.name.node.to_string();
            match ty.node.kind {
                TypeKind::Object(object) => {
                    if object.implements.iter().any(|of| of.node == "Node") {
                        nodes.insert(name.clone());
                    }
                    let fields = object.fields.into_iter().map(|field| FieldOf {
                        name: field.node.name.node.to_string(),
                        required: field
                            .node
                            .arguments
                            .into_iter()
                            .filter(|a| !a.node.ty.node.nullable && a.node.default_value.is_none())
                            .map(|a| a.node.name.node.to_string())
                            .collect(),
                        leads_to: base(&field.node.ty.node),
                    });
                    objects.insert(name, fields.collect());
                }
                TypeKind::Interface(_) | TypeKind::Union(_) => {
                    interfaces.insert(name);
                }
                _ => {}
            }
        }
        Self {
            objects,
            nodes,
            interfaces,
        }
    }

    /// Names of all root fields.
    pub(super) fn roots(&self) -> Vec<String> {
        let fields = ROOTS.iter().flat_map(|root| &self.objects[*root]);
        fields.map(|field| field.name.clone()).collect()
    }

    /// Types whose fields are shown to whoever sees a field that leads there: they lead to values only.
    pub(super) fn values(&self, doors: &[&str]) -> Vec<(&str, String)> {
        let is_plain = |name: &str| {
            !ROOTS.contains(&name) && !doors.contains(&name) && !is_payload(name) && !is_page(name)
        };
        let values: BTreeSet<&str> = self
            .objects
            .keys()
            .map(String::as_str)
            .filter(|n| is_plain(n))
            .collect();
        let mut found = Vec::new();
        for name in &values {
            let fields = &self.objects[*name];
            for field in fields {
                let to = field.leads_to.as_str();
                let is_value = !self.interfaces.contains(to)
                    && (!self.objects.contains_key(to) || values.contains(to));
                assert!(
                    is_value,
                    "{name}.{} leads to {to}, which has rights of its own: {name} needs a door in the access matrix",
                    field.name
                );
            }
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            found.push((*name, names.join(" ")));
        }
        found
    }

    /// Pages are made by the library, all alike: what they hold has rights, they have none.
    pub(super) fn check_pages(&self) {
        for (name, fields) in self.objects.iter().filter(|(name, _)| is_page(name)) {
            let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            names.sort_unstable();
            let expected: &[&str] = match name.as_str() {
                "PageInfo" => &["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"],
                name if name.ends_with("Edge") => &["cursor", "node"],
                _ => &["edges", "nodes", "pageInfo"],
            };
            assert_eq!(names, expected, "{name}");
        }
    }

    /// Fields of payloads and of their results that a call of `root` does not ask for.
    pub(super) fn unasked(&self, root: &str, document: &str) -> Vec<String> {
        let ty = ROOTS
            .iter()
            .flat_map(|root| &self.objects[*root])
            .find(|field| field.name == root)
            .map(|field| field.leads_to.clone())
            .unwrap();
        let document = wire::document::parse(document).unwrap();
        let field = fields(&operation(&document)).next().unwrap().clone();
        let mut missing = Vec::new();
        self.compare(&ty, &field, &mut missing);
        missing
    }

    fn compare(&self, ty: &str, asked: &Field, missing: &mut Vec<String>) {
        if !is_payload(ty) {
            return;
        }
        for field in &self.objects[ty] {
            let found = fields(&asked.selection_set.node)
                .find(|asked| asked.name.node == field.name.as_str())
                .cloned();
            match found {
                Some(asked) => self.compare(&field.leads_to, &asked, missing),
                None => missing.push(format!("{ty}.{}", field.name)),
            }
        }
    }
}

fn is_payload(name: &str) -> bool {
    name.ends_with("Payload") || name.ends_with("Result")
}

fn is_page(name: &str) -> bool {
    name == "PageInfo" || name.ends_with("Connection") || name.ends_with("Edge")
}

fn base(ty: &Type) -> String {
    match &ty.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => base(inner),
    }
}

fn operation(document: &ExecutableDocument) -> SelectionSet {
    let DocumentOperations::Single(operation) = &document.operations else {
        panic!("one operation");
    };
    operation.node.selection_set.node.clone()
}

fn fields(set: &SelectionSet) -> impl Iterator<Item = &Field> {
    set.items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => Some(&field.node),
        _ => None,
    })
}
