//! `node` and `nodes`: any object by its global id.
//!
//! A new type takes a variant of [`Node`], a line in `load` and a function that loads many of it
//! for a viewer.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object};
use entity::{FaceId, GalleryId, PersonId, PhotoId, ShareLinkId, UserId};
use uuid::Uuid;

use super::error::GraphResult;
use super::id::{self, GlobalId};
use super::{services, viewer};
use crate::auth::graphql::User;
use crate::error::Error;
use crate::gallery::graphql::Gallery;
use crate::people::graphql::{Face, Person};
use crate::photo::graphql::Photo;
use crate::share::graphql::ShareLink;

/// Objects that one call may ask for.
const MAX_IDS: usize = 100;

/// An object with a global id.
#[expect(
    clippy::large_enum_variant,
    reason = "at most 100 a request; async-graphql's interfaces take no boxes"
)]
#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id."))]
pub enum Node {
    /// A user.
    User(User),
    /// A gallery.
    Gallery(Gallery),
    /// A photo.
    Photo(Photo),
    /// A person.
    Person(Person),
    /// A face.
    Face(Face),
    /// A share link.
    ShareLink(ShareLink),
}

/// Objects by id.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id; null when there is none that you may see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id.")] id: ID,
    ) -> GraphResult<Option<Node>> {
        Ok(find(ctx, &[id]).await?.pop().flatten())
    }

    /// The objects with these ids, in their order, null where there is none that you may see. At
    /// most 100.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids.")] ids: Vec<ID>,
    ) -> GraphResult<Vec<Option<Node>>> {
        if ids.len() > MAX_IDS {
            let message = format!("`ids` has at most {MAX_IDS} elements");
            return Err(Error::BadUserInput(message).into());
        }
        find(ctx, &ids).await
    }
}

async fn find(ctx: &Context<'_>, ids: &[ID]) -> GraphResult<Vec<Option<Node>>> {
    viewer(ctx).known()?;
    let mut wanted: HashMap<u8, Vec<Uuid>> = HashMap::new();
    for (tag, uuid) in ids.iter().filter_map(id::split) {
        wanted.entry(tag).or_default().push(uuid);
    }
    let mut found = Vec::with_capacity(ids.len());
    found.resize_with(ids.len(), || None);
    for (tag, uuids) in wanted {
        let nodes = load(ctx, tag, &uuids).await?;
        for (place, id) in found.iter_mut().zip(ids) {
            if let Some((of, uuid)) = id::split(id)
                && of == tag
            {
                *place = nodes.get(&uuid).cloned();
            }
        }
    }
    Ok(found)
}

async fn load(ctx: &Context<'_>, tag: u8, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    match tag {
        UserId::TAG => users(ctx, ids).await,
        GalleryId::TAG => galleries(ctx, ids).await,
        PhotoId::TAG => photos(ctx, ids).await,
        PersonId::TAG => people(ctx, ids).await,
        FaceId::TAG => faces(ctx, ids).await,
        ShareLinkId::TAG => share_links(ctx, ids).await,
        _ => Ok(HashMap::new()),
    }
}

async fn users(ctx: &Context<'_>, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    let ids: Vec<UserId> = ids.iter().copied().map(Into::into).collect();
    let viewer = viewer(ctx);
    let found = services(ctx).auth.visible(viewer, &ids).await?;
    let node =
        |profile: crate::auth::Profile| (profile.id.0, Node::User(User::new(profile, viewer)));
    Ok(found.into_iter().map(node).collect())
}

async fn galleries(ctx: &Context<'_>, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    let ids: Vec<GalleryId> = ids.iter().copied().map(Into::into).collect();
    let found = services(ctx).gallery.visible(viewer(ctx), &ids).await?;
    Ok(found
        .into_iter()
        .map(|row| (row.id.0, Node::Gallery(Gallery(row))))
        .collect())
}

async fn photos(ctx: &Context<'_>, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    let ids: Vec<PhotoId> = ids.iter().copied().map(Into::into).collect();
    let found = services(ctx).photo.visible(viewer(ctx), &ids).await?;
    Ok(found
        .into_iter()
        .map(|row| (row.id.0, Node::Photo(Photo(row))))
        .collect())
}

async fn people(ctx: &Context<'_>, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    let ids: Vec<PersonId> = ids.iter().copied().map(Into::into).collect();
    let found = services(ctx).people.visible(viewer(ctx), &ids).await?;
    Ok(found
        .into_iter()
        .map(|row| (row.id.0, Node::Person(Person(row))))
        .collect())
}

async fn faces(ctx: &Context<'_>, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    let ids: Vec<FaceId> = ids.iter().copied().map(Into::into).collect();
    let found = services(ctx)
        .people
        .visible_faces(viewer(ctx), &ids)
        .await?;
    Ok(found
        .into_iter()
        .map(|row| (row.face.id.0, Node::Face(Face(row))))
        .collect())
}

async fn share_links(ctx: &Context<'_>, ids: &[Uuid]) -> GraphResult<HashMap<Uuid, Node>> {
    let ids: Vec<ShareLinkId> = ids.iter().copied().map(Into::into).collect();
    let found = services(ctx).share.visible(viewer(ctx), &ids).await?;
    Ok(found
        .into_iter()
        .map(|row| (row.id.0, Node::ShareLink(ShareLink(row))))
        .collect())
}
