//! Every field of every type that has rights of its own, through the one way that leads there.

use harness::{Actor, TestApp, pictures};
use serde_json::{Value, json};

use super::outcome;
use super::schema::{FieldOf, Types};
use super::world::World;

/// How to come to an object of a type.
pub(super) struct Door {
    pub(super) ty: &'static str,
    /// With `{}` for what is asked of it.
    document: &'static str,
    /// Where it stands in the data.
    pointer: &'static str,
}

const fn door(ty: &'static str, document: &'static str, pointer: &'static str) -> Door {
    Door {
        ty,
        document,
        pointer,
    }
}

/// One for every type that is no value.
pub(super) const DOORS: &[Door] = &[
    door(
        "Gallery",
        "query($gallery: ID!) { gallery(id: $gallery) { {} } }",
        "/gallery",
    ),
    door(
        "GalleryMember",
        "query($gallery: ID!) { gallery(id: $gallery) { members(first: 1) { nodes { {} } } } }",
        "/gallery/members/nodes/0",
    ),
    door(
        "ShareLink",
        "query($gallery: ID!) { gallery(id: $gallery) { shareLinks(first: 1) { nodes { {} } } } }",
        "/gallery/shareLinks/nodes/0",
    ),
    door(
        "Photo",
        "query($photo: ID!) { photo(id: $photo) { {} } }",
        "/photo",
    ),
    door(
        "User",
        "query($photo: ID!) { photo(id: $photo) { uploadedBy { {} } } }",
        "/photo/uploadedBy",
    ),
    door(
        "Person",
        "query($person: ID!) { person(id: $person) { {} } }",
        "/person",
    ),
    door(
        "Face",
        "query($photo: ID!) { photo(id: $photo) { faces { {} } } }",
        "/photo/faces/0",
    ),
    door("PhotoChanged", EVENTS, "/galleryEvents"),
    door("PersonChanged", EVENTS, "/galleryEvents"),
    door("GalleryChanged", EVENTS, "/galleryEvents"),
];

const EVENTS: &str = "subscription($gallery: ID!, $after: String) {
  galleryEvents(galleryId: $gallery, after: $after) { __typename {} } }";

/// Rows of the matrix, one cell an actor.
pub(super) async fn rows(
    app: &TestApp,
    owner: &Actor,
    types: &Types,
    actors: &[Actor],
) -> Vec<(String, Vec<String>)> {
    // The same gallery for all: nothing is changed.
    let (world, actors) = (Box::pin(World::of(app, owner, 200)).await, actors);
    let mut here = Vec::new();
    for (kind, actor) in super::world::ACTORS.iter().zip(actors) {
        here.push(match *kind {
            "guest" | "owner" => Box::pin(world.actor(app, owner, kind)).await,
            "anonymous" | "expired" | "stranger" => actor.clone(),
            role => {
                owner
                    .admit(&world.gallery, actor, &role.to_uppercase())
                    .await;
                actor.clone()
            }
        });
    }
    let after = Box::pin(happen(owner, &world)).await;
    let variables = json!({
        "gallery": world.gallery, "photo": world.photo, "person": world.person, "after": after,
    });
    let mut rows = Vec::new();
    for door in DOORS {
        for field in &types.objects[door.ty] {
            let mut row = Vec::new();
            for actor in &here {
                row.push(Box::pin(ask(actor, door, field, types, &variables)).await);
            }
            rows.push((format!("{}.{}", door.ty, field.name), row));
        }
    }
    for ty in &types.nodes {
        let id = match ty.as_str() {
            "Gallery" => &world.gallery,
            "Photo" => &world.photo,
            "Person" => &world.person,
            "Face" => &world.face,
            "User" => &owner.id,
            "ShareLink" => &world.link,
            other => panic!("no {other} in the access matrix"),
        };
        let mut row = Vec::new();
        for actor in &here {
            let document = "query($id: ID!) { node(id: $id) { __typename id } }";
            let (_, answer) = actor.send(document, json!({ "id": id })).await;
            if let Some(found) = answer["data"]["node"]["__typename"].as_str() {
                assert_eq!(found, ty);
            }
            row.push(outcome("node", &answer));
        }
        rows.push((format!("node of {ty}"), row));
    }
    rows
}

/// Lets one event of each kind with an object happen; the cursor before them.
async fn happen(owner: &Actor, world: &World) -> Value {
    let mut events = owner.follow(&world.gallery, None).await;
    let started = events.next().await.unwrap();
    let input = json!({ "galleryId": world.gallery, "name": "another", "eventDate": "2026-06-20",
        "coverPhotoId": world.photo });
    owner
        .mutate("updateGallery", "UpdateGalleryInput", input, "")
        .await;
    let input = json!({ "personId": world.person, "hidden": false });
    owner
        .mutate("updatePerson", "UpdatePersonInput", input, "")
        .await;
    owner
        .upload(&world.gallery, &[pictures::plain("b.jpg", 201)])
        .await;
    events.until("PhotoChanged").await;
    started["cursor"].clone()
}

async fn ask(
    actor: &Actor,
    door: &Door,
    field: &FieldOf,
    types: &Types,
    variables: &Value,
) -> String {
    let arguments: Vec<String> = field
        .required
        .iter()
        .map(|name| match name.as_str() {
            "first" => "first: 1".to_owned(),
            other => panic!("what to give {}.{} as {other}?", door.ty, field.name),
        })
        .collect();
    let arguments = match arguments.as_slice() {
        [] => String::new(),
        given => format!("({})", given.join(", ")),
    };
    let inner = match types.objects.contains_key(&field.leads_to) {
        true => " { __typename }",
        false => "",
    };
    let asked = format!("asked: {}{arguments}{inner}", field.name);
    let is_event = door.document == EVENTS;
    let asked = match is_event {
        true => format!("... on {} {{ {asked} }}", door.ty),
        false => asked,
    };
    let document = door.document.replace("{}", &asked);
    // Only what the document declares: one too many is refused.
    let mut given = variables.clone();
    given
        .as_object_mut()
        .unwrap()
        .retain(|name, _| document.contains(&format!("${name}:")));
    let answer = match is_event {
        true => event(actor, &document, given, door.ty).await,
        false => actor.send(&document, given).await.1,
    };
    if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
        return code.to_owned();
    }
    match answer["data"].pointer(door.pointer) {
        Some(object) if !object["asked"].is_null() => "OK".to_owned(),
        _ => "null".to_owned(),
    }
}

/// The first event of a type, or why there is none.
async fn event(actor: &Actor, document: &str, variables: Value, ty: &str) -> Value {
    let mut events = match actor.try_events(document, variables).await {
        Ok(events) => events,
        Err(answer) => return answer,
    };
    loop {
        let answer = events.next_answer().await.expect("an event of each kind");
        let is_it = answer["data"]["galleryEvents"]["__typename"] == ty;
        if is_it || answer["errors"].is_array() {
            return answer;
        }
    }
}
