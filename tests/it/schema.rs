//! The schema as a document.

use std::path::Path;

use async_graphql_parser::types::{TypeKind, TypeSystemDefinition};

#[test]
fn schema_graphql_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    let written = std::fs::read_to_string(file).expect("schema.graphql");
    assert!(
        written == eventgallery::graphql::schema::sdl(),
        "schema.graphql is not current: run `cargo run -- schema > schema.graphql`"
    );
}

#[test]
fn everything_is_described() {
    let sdl = eventgallery::graphql::schema::sdl();
    let document = async_graphql_parser::parse_schema(&sdl).expect("SDL");
    let mut bare = Vec::new();
    let mut seen = 0;
    let mut look = |place: String, described: bool| {
        seen += 1;
        if !described {
            bare.push(place);
        }
    };
    for definition in document.definitions {
        // Directives are those of the specification.
        let TypeSystemDefinition::Type(ty) = definition else {
            continue;
        };
        let ty = ty.node;
        let name = &ty.name.node;
        look(name.to_string(), ty.description.is_some());
        let (fields, inputs, values) = match ty.kind {
            TypeKind::Object(object) => (object.fields, vec![], vec![]),
            TypeKind::Interface(interface) => (interface.fields, vec![], vec![]),
            TypeKind::InputObject(object) => (vec![], object.fields, vec![]),
            TypeKind::Enum(values) => (vec![], vec![], values.values),
            TypeKind::Scalar | TypeKind::Union(_) => continue,
        };
        for field in fields {
            let place = format!("{name}.{}", field.node.name.node);
            look(place.clone(), field.node.description.is_some());
            for argument in field.node.arguments {
                let argument = argument.node;
                let place = format!("{place}({})", argument.name.node);
                look(place, argument.description.is_some());
            }
        }
        for input in inputs {
            let place = format!("{name}.{}", input.node.name.node);
            look(place, input.node.description.is_some());
        }
        for value in values {
            let place = format!("{name}.{}", value.node.value.node);
            look(place, value.node.description.is_some());
        }
    }
    assert_eq!(bare, Vec::<String>::new());
    assert!(seen > 300, "only {seen} were looked at");
}
