//! Every list of the schema multiplies what is below it, and is bounded.

use async_graphql_parser::parse_schema;
use async_graphql_parser::types::{BaseType, Type, TypeKind, TypeSystemDefinition};
use eventgallery::graphql::schema::sdl;
use wire::price::{self, LIMITS};
use wire::shape::Shape;

/// Lists whose length no argument tells, and what bounds it. A new one needs an entry, or an argument.
const BOUNDED: &[(&str, &str)] = &[
    ("Face.landmarks", "Rekognition knows 30"),
    ("Photo.analysis", "the steps of an analysis"),
    ("Photo.faces", "Rekognition finds 100 in a picture at most"),
    ("Photo.labels", "DetectLabels is asked for so many"),
    (
        "PhotoLabel.instances",
        "DetectLabels tells those that it found",
    ),
    ("PhotoLabel.parents", "the levels of Rekognition's taxonomy"),
    ("PhotoUploadTarget.headers", "the server writes them"),
    ("UserError.field", "a path in the input"),
];

/// One field of an object: its place, its type, its arguments.
struct Field {
    parent: String,
    name: String,
    ty: Type,
    arguments: Vec<String>,
}

fn fields() -> Vec<Field> {
    let mut fields = Vec::new();
    for definition in parse_schema(sdl()).expect("SDL").definitions {
        let TypeSystemDefinition::Type(ty) = definition else {
            continue;
        };
        let parent = ty.node.name.node.to_string();
        let definitions = match ty.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        for field in definitions {
            let names = field.node.arguments.iter();
            fields.push(Field {
                parent: parent.clone(),
                name: field.node.name.node.to_string(),
                arguments: names
                    .map(|argument| argument.node.name.node.to_string())
                    .collect(),
                ty: field.node.ty.node,
            });
        }
    }
    fields
}

/// What `selection` costs on this type.
fn cost(shape: &Shape, parent: &str, selection: &str) -> u64 {
    let text = format!("{{ ...F }} fragment F on {parent} {{ {selection} }}");
    let document = wire::document::parse(&text).expect("a document");
    let (_, operation) = document.operations.iter().next().expect("an operation");
    let cost = price::check(&document, operation, &Default::default(), shape, &LIMITS);
    cost.expect("a price").price.cost
}

fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

#[test]
fn every_list_multiplies_and_is_bounded() {
    let shape = Shape::from_sdl(&sdl()).expect("SDL");
    let (mut lists, mut bounded) = (0, Vec::new());
    for field in fields() {
        let place = format!("{}.{}", field.parent, field.name);
        let connection = base(&field.ty).ends_with("Connection");
        if connection {
            assert!(
                field.arguments.contains(&"first".to_owned()),
                "{place} counts nothing"
            );
            let selection = format!(
                "{}(first: 7) {{ nodes {{ __typename }} edges {{ node {{ __typename }} }} }}",
                field.name
            );
            assert_eq!(
                cost(&shape, &field.parent, &selection),
                1 + price::PAGE + 7 * (2 + 3),
                "{place}"
            );
        }
        if !matches!(field.ty.base, BaseType::List(_)) {
            continue;
        }
        lists += 1;
        let of_connection = field.parent.ends_with("Connection");
        let of_payload = field.parent.ends_with("Payload") || field.parent.ends_with("Result");
        let counted = field
            .arguments
            .iter()
            .any(|name| name == "first" || name == "ids");
        // Pages multiply where the connection is asked for; payloads by the lists in the input, and what is wrong
        // with an input has at most a line for each of its fields.
        if !of_connection && !of_payload && !counted {
            bounded.push(place.clone());
        }
        let is_object = shape.field(base(&field.ty), "id").is_some()
            || fields().iter().any(|other| other.parent == base(&field.ty));
        if is_object {
            let (argument, expected) = match field
                .arguments
                .iter()
                .find(|name| *name == "first" || *name == "ids")
            {
                Some(name) if name == "first" => ("(first: 7)", 1 + price::PAGE + 7),
                Some(_) => ("(ids: [1, 2, 3, 4, 5, 6, 7])", 1 + 7),
                None => ("", 1 + 10),
            };
            let selection = format!("{}{argument} {{ __typename }}", field.name);
            let cost = cost(&shape, &field.parent, &selection);
            assert_eq!(cost, expected, "{place}");
        }
    }
    assert!(lists > 30, "{lists}");
    bounded.sort();
    let expected: Vec<&str> = BOUNDED.iter().map(|(place, _)| *place).collect();
    assert_eq!(bounded, expected);
}
