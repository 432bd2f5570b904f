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
fn every_type_field_and_argument_is_described() {
    let sdl = eventgallery::graphql::schema::sdl();
    let document = async_graphql_parser::parse_schema(&sdl).expect("SDL");
    let mut bare = Vec::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(ty) = definition else {
            continue;
        };
        let name = ty.node.name.node.to_string();
        // async-graphql makes connections itself; their fields are described.
        let made = ["Query", "Mutation", "Subscription"].contains(&name.as_str())
            || name.ends_with("Connection");
        if ty.node.description.is_none() && !made {
            bare.push(name.clone());
        }
        let (TypeKind::Object(_)
        | TypeKind::InputObject(_)
        | TypeKind::Enum(_)
        | TypeKind::Interface(_)) = &ty.node.kind
        else {
            continue;
        };
        match ty.node.kind {
            TypeKind::Object(object) => {
                for field in object.fields {
                    let place = format!("{name}.{}", field.node.name.node);
                    if field.node.description.is_none() {
                        bare.push(place.clone());
                    }
                    for argument in field.node.arguments {
                        // One `input` says it in its own type.
                        if argument.node.description.is_none() && argument.node.name.node != "input"
                        {
                            bare.push(format!("{place}({})", argument.node.name.node));
                        }
                    }
                }
            }
            TypeKind::InputObject(object) => bare.extend(
                object
                    .fields
                    .iter()
                    .filter(|f| f.node.description.is_none())
                    .map(|f| format!("{name}.{}", f.node.name.node)),
            ),
            TypeKind::Enum(values) => bare.extend(
                values
                    .values
                    .iter()
                    .filter(|v| v.node.description.is_none())
                    .map(|v| format!("{name}.{}", v.node.value.node)),
            ),
            _ => {}
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}
