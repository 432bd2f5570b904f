//! Reads a whole gallery, page by page.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::client::Client;

/// Everything that the tables and the contact sheet show.
pub(super) struct Gallery {
    pub(super) photos: Vec<Photo>,
    pub(super) people: Vec<Person>,
    /// Label name and photos that carry it.
    pub(super) labels: Vec<(String, i64)>,
}

pub(super) struct Photo {
    pub(super) filename: String,
    pub(super) status: String,
    pub(super) error: Option<String>,
    pub(super) url: Option<String>,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) faces: Vec<Face>,
    pub(super) labels: Vec<(String, f64)>,
}

pub(super) struct Face {
    /// Left, top, width, height as shares of the picture.
    pub(super) region: [f64; 4],
    pub(super) person: Option<String>,
}

pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) faces: i64,
    pub(super) photos: i64,
}

const PHOTOS: &str =
    "query($id: ID!, $after: String) { gallery(id: $id) { photos(first: 50, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes { filename status width height analysis { step state error { code message } }
    image(size: PREVIEW) { url } labels(minConfidence: 55) { name confidence }
    faces { boundingBox { left top width height } person { id } } } } } }";

const PEOPLE: &str =
    "query($id: ID!, $after: String) { gallery(id: $id) { people(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor } nodes { id name faceCount photoCount } } } }";

const LABELS: &str =
    "query($id: ID!) { gallery(id: $id) { labels(first: 100) { name photoCount } } }";

const UNDER_WAY: &str = "query($id: ID!, $after: String) { gallery(id: $id) {
  photos(first: 100, after: $after, filter: { status: [PROCESSING] }) {
    pageInfo { hasNextPage endCursor } nodes { id } } } }";

/// How many photos are still being analysed.
pub(super) async fn under_way(client: &Client, id: &str) -> Result<usize> {
    Ok(pages(client, UNDER_WAY, id, "photos").await?.len())
}

/// Reads everything.
pub(super) async fn load(client: &Client, id: &str) -> Result<Gallery> {
    let photos = pages(client, PHOTOS, id, "photos")
        .await?
        .iter()
        .map(photo)
        .collect();
    let people = pages(client, PEOPLE, id, "people")
        .await?
        .iter()
        .map(person)
        .collect();
    let labels = client.query(LABELS, json!({ "id": id })).await?;
    let labels = list(&labels["gallery"]["labels"])
        .map(|label| {
            (
                text(&label["name"]),
                label["photoCount"].as_i64().unwrap_or_default(),
            )
        })
        .collect();
    Ok(Gallery {
        photos,
        people,
        labels,
    })
}

async fn pages(client: &Client, document: &str, id: &str, field: &str) -> Result<Vec<Value>> {
    let mut nodes = Vec::new();
    let mut after = Value::Null;
    loop {
        let mut data = client
            .query(document, json!({ "id": id, "after": after }))
            .await?;
        let mut page = data["gallery"][field].take();
        if let Value::Array(more) = page["nodes"].take() {
            nodes.extend(more);
        }
        if !page["pageInfo"]["hasNextPage"]
            .as_bool()
            .context("no page info")?
        {
            return Ok(nodes);
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

fn photo(node: &Value) -> Photo {
    let failed = list(&node["analysis"]).find(|step| !step["error"].is_null());
    Photo {
        filename: text(&node["filename"]),
        status: text(&node["status"]),
        error: failed.map(|step| text(&step["error"]["message"])),
        url: node["image"]["url"].as_str().map(str::to_owned),
        width: node["width"].as_i64().unwrap_or(1),
        height: node["height"].as_i64().unwrap_or(1),
        faces: list(&node["faces"]).map(face).collect(),
        labels: list(&node["labels"])
            .map(|label| {
                (
                    text(&label["name"]),
                    label["confidence"].as_f64().unwrap_or_default(),
                )
            })
            .collect(),
    }
}

fn face(node: &Value) -> Face {
    let side = |name: &str| node["boundingBox"][name].as_f64().unwrap_or_default();
    Face {
        region: [side("left"), side("top"), side("width"), side("height")],
        person: node["person"]["id"].as_str().map(str::to_owned),
    }
}

fn person(node: &Value) -> Person {
    Person {
        id: text(&node["id"]),
        name: node["name"].as_str().map(str::to_owned),
        faces: node["faceCount"].as_i64().unwrap_or_default(),
        photos: node["photoCount"].as_i64().unwrap_or_default(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
