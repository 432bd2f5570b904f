//! The character NUL, which PostgreSQL takes in no text, in every text of the schema.

use std::collections::{BTreeMap, HashSet, VecDeque};

use async_graphql_parser::types::{
    BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
};
use harness::{Actor, TestApp};
use serde_json::{Value, json};

const TEXT: &str = "a\0b";

/// The schema's types by name.
struct Schema(BTreeMap<String, TypeKind>);

/// A field that takes arguments, and how a document gets there.
struct Place {
    /// Opens every selection above the field.
    head: String,
    /// Closes them.
    tail: String,
    name: String,
    arguments: Vec<InputValueDefinition>,
    /// What is selected of its answer.
    selection: &'static str,
}

/// One text within an argument: the names and list positions that lead to it.
type Leaf = Vec<String>;

impl Schema {
    fn read() -> Self {
        let sdl = eventgallery::graphql::schema::sdl();
        let document = async_graphql_parser::parse_schema(&sdl).expect("SDL");
        let types = document
            .definitions
            .into_iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(ty) => {
                    Some((ty.node.name.node.to_string(), ty.node.kind))
                }
                _ => None,
            });
        Self(types.collect())
    }

    /// Every field with arguments that can be reached, each once.
    fn places(&self) -> Vec<Place> {
        let roots = [
            ("query", "Query"),
            ("mutation", "Mutation"),
            ("subscription", "Subscription"),
        ];
        let mut queue: VecDeque<(String, String, String)> = roots
            .into_iter()
            .map(|(word, ty)| (ty.to_owned(), format!("{word} VARS {{ "), "}".to_owned()))
            .collect();
        let mut seen = HashSet::new();
        let mut places = Vec::new();
        while let Some((ty, head, tail)) = queue.pop_front() {
            let Some(TypeKind::Object(object)) = self.0.get(&ty) else {
                continue;
            };
            if !seen.insert(ty) {
                continue;
            }
            for field in &object.fields {
                let name = field.node.name.node.to_string();
                let answer = named(&field.node.ty.node).to_owned();
                let arguments: Vec<InputValueDefinition> = field
                    .node
                    .arguments
                    .iter()
                    .map(|argument| argument.node.clone())
                    .collect();
                let has_fields = matches!(
                    self.0.get(&answer),
                    Some(TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_))
                );
                let call = self.call(&name, &arguments);
                let (head, tail) = (head.clone(), tail.clone());
                queue.push_back((answer, format!("{head}{call} {{ "), format!("}} {tail}")));
                places.push(Place {
                    head,
                    tail,
                    name,
                    arguments,
                    selection: if has_fields { "{ __typename }" } else { "" },
                });
            }
        }
        places
    }

    /// A field with the arguments that it must have.
    fn call(&self, name: &str, arguments: &[InputValueDefinition]) -> String {
        let required: Vec<String> = arguments
            .iter()
            .filter(|argument| is_required(argument))
            .map(|argument| {
                let ty = &argument.ty.node;
                let value = self.value(ty, None);
                format!("{}: {}", argument.name.node, self.literal(ty, &value))
            })
            .collect();
        match required.is_empty() {
            true => name.to_owned(),
            false => format!("{name}({})", required.join(", ")),
        }
    }

    /// The texts within a type.
    fn leaves(&self, ty: &Type) -> Vec<Leaf> {
        match &ty.base {
            BaseType::List(inner) => self.leaves(inner),
            BaseType::Named(name) => match self.0.get(name.as_str()) {
                Some(TypeKind::InputObject(object)) => object
                    .fields
                    .iter()
                    .flat_map(|field| {
                        let below = self.leaves(&field.node.ty.node).into_iter();
                        let name = field.node.name.node.to_string();
                        below.map(move |leaf| [vec![name.clone()], leaf].concat())
                    })
                    .collect(),
                Some(TypeKind::Enum(_)) => Vec::new(),
                _ if ["Int", "Float", "Boolean"].contains(&name.as_str()) => Vec::new(),
                _ => vec![Vec::new()],
            },
        }
    }

    /// A value of the type, with the NUL at `leaf` if there is one.
    fn value(&self, ty: &Type, leaf: Option<&[String]>) -> Value {
        let name = match &ty.base {
            BaseType::List(inner) => return json!([self.value(inner, leaf)]),
            BaseType::Named(name) => name.as_str(),
        };
        match self.0.get(name) {
            Some(TypeKind::InputObject(object)) => {
                let mut value = json!({});
                for field in &object.fields {
                    let key = field.node.name.node.as_str();
                    let below = leaf.filter(|leaf| leaf[0] == key).map(|leaf| &leaf[1..]);
                    if below.is_some() || is_required(&field.node) {
                        value[key] = self.value(&field.node.ty.node, below);
                    }
                }
                value
            }
            Some(TypeKind::Enum(values)) => json!(values.values[0].node.value.node.as_str()),
            _ => match name {
                "Int" => json!(1),
                "Float" => json!(0.5),
                "Boolean" => json!(true),
                _ => json!(leaf.map_or("x", |_| TEXT)),
            },
        }
    }

    /// The value as it is written in a document.
    fn literal(&self, ty: &Type, value: &Value) -> String {
        match (&ty.base, value) {
            (BaseType::List(inner), Value::Array(items)) => {
                let items: Vec<String> = items.iter().map(|v| self.literal(inner, v)).collect();
                format!("[{}]", items.join(", "))
            }
            (BaseType::Named(name), value) => match (self.0.get(name.as_str()), value) {
                (Some(TypeKind::InputObject(object)), Value::Object(given)) => {
                    let fields = object.fields.iter().filter_map(|field| {
                        let key = field.node.name.node.as_str();
                        let value = self.literal(&field.node.ty.node, given.get(key)?);
                        Some(format!("{key}: {value}"))
                    });
                    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
                }
                (Some(TypeKind::Enum(_)), Value::String(name)) => name.clone(),
                _ => value.to_string(),
            },
            _ => unreachable!("made by ourselves"),
        }
    }
}

fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

fn is_required(input: &InputValueDefinition) -> bool {
    !input.ty.node.nullable && input.default_value.is_none()
}

/// The code of the only error, and that nothing was executed.
async fn refusal(ada: &Actor, document: &str, variables: Value) -> Value {
    let (_, answer) = ada.send(document, variables).await;
    assert!(answer.get("data").is_none(), "{document}: {answer}");
    answer["errors"][0]["extensions"]["code"].clone()
}

#[tokio::test]
async fn a_nul_is_refused_wherever_a_text_may_stand() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let schema = Schema::read();
    let mut tried = Vec::new();
    for place in schema.places() {
        for argument in &place.arguments {
            let ty = &argument.ty.node;
            for leaf in schema.leaves(ty) {
                let others: Vec<String> = place
                    .arguments
                    .iter()
                    .filter(|other| other.name.node != argument.name.node && is_required(other))
                    .map(|other| {
                        let value = schema.value(&other.ty.node, None);
                        let literal = schema.literal(&other.ty.node, &value);
                        format!("{}: {literal}, ", other.name.node)
                    })
                    .collect();
                let document = |given: &str, variables: &str| {
                    let Place {
                        head,
                        tail,
                        name,
                        selection,
                        ..
                    } = &place;
                    let (others, key) = (others.concat(), &argument.name.node);
                    format!("{head}{name}({others}{key}: {given}) {selection} {tail}")
                        .replace("VARS", variables)
                };
                let value = schema.value(ty, Some(&leaf));
                let literal = schema.literal(ty, &value);
                let in_text = document(&literal, "");
                let in_variable = document("$v", &format!("($v: {ty})"));
                let in_default = document("$v", &format!("($v: {ty} = {literal})"));
                for (document, variables) in [
                    (in_text, json!({})),
                    (in_variable, json!({ "v": value })),
                    (in_default, json!({})),
                ] {
                    let code = refusal(&ada, &document, variables).await;
                    assert_eq!(code, "BAD_USER_INPUT", "{document}");
                }
                tried.push(format!("{}.{}", place.name, leaf.join(".")));
            }
        }
    }
    for known in [
        "register.email",
        "signIn.password",
        "updatePerson.name",
        "setGalleryMember.email",
        "requestPhotoUploads.files.clientRef",
        "requestPhotoUploads.idempotencyKey",
        "photos.text",
        "photos.labels",
        "galleryEvents.",
    ] {
        assert!(tried.iter().any(|place| place == known), "{tried:?}");
    }
    println!("{} texts", tried.len());
    app.stop().await;
}

#[tokio::test]
async fn names_have_no_control_characters() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let input =
        json!({ "email": "eve@example.com", "name": "E\u{1b}ve", "password": "password12" });
    let payload = ada
        .attempt("register", "RegisterInput", input, "accessToken")
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID");
    let input = json!({ "name": "two\nlines" });
    let payload = ada
        .attempt(
            "createGallery",
            "CreateGalleryInput",
            input,
            "gallery { id }",
        )
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID");
    app.stop().await;
}
