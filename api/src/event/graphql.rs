//! Events as clients see them.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use entity::gallery_event::{self, Kind};
use entity::{GalleryId, PersonId, PhotoId};
use futures::stream::{self, Stream, StreamExt as _};

use super::cursor;
use super::hub::PATIENCE;
use super::service::{Batch, Following};
use crate::access::Viewer;
use crate::error::Error;
use crate::gallery::graphql::Gallery;
use crate::graphql::error::{GraphError, GraphResult};
use crate::graphql::pace::Pace;
use crate::graphql::{Services, id, services, viewer};
use crate::people::graphql::Person;
use crate::photo::graphql::Photo;

/// Something that happened in a gallery.
#[derive(Interface)]
#[expect(
    clippy::large_enum_variant,
    reason = "each lives for the one answer that it becomes"
)]
#[graphql(
    field(
        name = "cursor",
        ty = "&String",
        desc = "Its place in the gallery's history: subscribe again with it as `after` to go on from here."
    ),
    field(
        name = "occurred_at",
        ty = "&DateTime<Utc>",
        desc = "When it happened."
    )
)]
pub enum GalleryEvent {
    /// Where the subscription begins.
    Started(GalleryEventsStarted),
    /// A photo.
    PhotoChanged(PhotoChanged),
    /// A photo went.
    PhotoDeleted(PhotoDeleted),
    /// A person.
    PersonChanged(PersonChanged),
    /// A person went.
    PersonDeleted(PersonDeleted),
    /// The gallery.
    GalleryChanged(GalleryChanged),
    /// The gallery went.
    GalleryDeleted(GalleryDeleted),
}

/// The subscription stands: whatever happens from `cursor` on comes after this. A page that is loaded
/// once this has arrived has no gap to the events that follow.
#[derive(SimpleObject)]
pub struct GalleryEventsStarted {
    /// From where on events come.
    cursor: String,
    /// When the subscription began.
    occurred_at: DateTime<Utc>,
}

/// A confirmed photo appeared, or its status, analysis, faces, people or labels changed.
#[derive(SimpleObject)]
pub struct PhotoChanged {
    /// Its place in the gallery's history.
    cursor: String,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// Global id of the photo.
    photo_id: ID,
    /// The photo as it is now; null where it is deleted by now.
    photo: Option<Photo>,
}

/// A confirmed photo was deleted.
#[derive(SimpleObject)]
pub struct PhotoDeleted {
    /// Its place in the gallery's history.
    cursor: String,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// Global id that the photo had.
    photo_id: ID,
}

/// A person appeared, or their name, visibility, cover or counts changed.
#[derive(SimpleObject)]
pub struct PersonChanged {
    /// Its place in the gallery's history.
    cursor: String,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// Global id of the person.
    person_id: ID,
    /// The person as they are now; null where they are gone by now.
    person: Option<Person>,
}

/// A person went: merged into another, or left without faces.
#[derive(SimpleObject)]
pub struct PersonDeleted {
    /// Its place in the gallery's history.
    cursor: String,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// Global id that the person had.
    person_id: ID,
}

/// The gallery's own fields or its members changed.
#[derive(SimpleObject)]
pub struct GalleryChanged {
    /// Its place in the gallery's history.
    cursor: String,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// The gallery as it is now.
    gallery: Gallery,
}

/// The gallery was deleted. The subscription ends after it.
#[derive(SimpleObject)]
pub struct GalleryDeleted {
    /// Its place in the gallery's history.
    cursor: String,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// Global id that the gallery had.
    gallery_id: ID,
}

/// What can be followed.
#[derive(Default)]
pub struct EventSubscription;

/// What can be followed.
#[Subscription]
impl EventSubscription {
    /// Follows a gallery: `GalleryEventsStarted` at once, then every change, in its order, each
    /// exactly once. After a break subscribe again with the last `cursor` that arrived: on any
    /// replica nothing is missed and nothing comes twice, as long as events are kept (a week, unless
    /// configured otherwise). CURSOR_TOO_OLD: load the gallery anew and subscribe without `after`.
    /// NOT_FOUND ends it once the viewer may not see the gallery any more.
    async fn gallery_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The gallery.")] gallery_id: ID,
        #[graphql(desc = "Go on after the event with this cursor; left out: from now on.")]
        after: Option<String>,
    ) -> Result<impl Stream<Item = GraphResult<GalleryEvent>> + use<>, GraphError> {
        let gallery: GalleryId = id::decode(&gallery_id)?;
        let services = services(ctx).clone();
        let following = services
            .event
            .follow(viewer(ctx), gallery, after.as_deref())
            .await?;
        let started = GalleryEvent::Started(GalleryEventsStarted {
            cursor: following.start(),
            occurred_at: services.gallery.now().to_utc(),
        });
        let begin = stream::once(std::future::ready(Ok(started)));
        let events = stream::unfold(Some(following), move |following| {
            let services = services.clone();
            batch(following, services)
        });
        let events = begin.chain(events.flat_map(stream::iter));
        Ok(ctx.data_unchecked::<Pace>().clone().events(events))
    }
}

/// The next events; nothing after the gallery's end, nor after an error.
async fn batch(
    following: Option<Following>,
    services: Services,
) -> Option<(Vec<GraphResult<GalleryEvent>>, Option<Following>)> {
    let mut following = following?;
    Some(match next(&mut following, &services).await {
        Ok((events, ends)) => {
            let events = events.into_iter().map(Ok).collect();
            (events, Some(following).filter(|_| !ends))
        }
        Err(error) => (vec![Err(error)], None),
    })
}

/// The next events, and whether they are the last.
async fn next(
    following: &mut Following,
    services: &Services,
) -> GraphResult<(Vec<GalleryEvent>, bool)> {
    following.wait().await?;
    let load = async {
        let batch = following.take().await?;
        let ends = batch.gallery.is_none();
        Ok((present(batch, following.viewer(), services).await?, ends))
    };
    let loaded = tokio::time::timeout(PATIENCE, load).await;
    loaded.unwrap_or_else(|elapsed| {
        let (what, source) = ("the database", elapsed.into());
        Err(Error::Unavailable { what, source }.into())
    })
}

/// Loads what the events are about, as it is now: at most two statements a kind.
async fn present(
    batch: Batch,
    viewer: Viewer,
    services: &Services,
) -> GraphResult<Vec<GalleryEvent>> {
    let of = |kind: Kind| {
        let events = batch.events.iter();
        events
            .filter(move |event| event.kind == kind)
            .map(|event| event.subject)
    };
    let photos: Vec<PhotoId> = of(Kind::PhotoChanged).map(PhotoId).collect();
    let people: Vec<PersonId> = of(Kind::PersonChanged).map(PersonId).collect();
    let mut seen = Seen::default();
    if !photos.is_empty() {
        let rows = services.photo.visible(viewer, &photos).await?;
        seen.photos = rows.into_iter().map(|row| (row.id, row.into())).collect();
    }
    if !people.is_empty() {
        let rows = services.people.visible(viewer, &people).await?;
        seen.people = rows.into_iter().map(|row| (row.id, Person(row))).collect();
    }
    let gallery = batch.gallery.map(Gallery::from);
    Ok(batch
        .events
        .into_iter()
        .filter_map(|event| seen.event(event, gallery.as_ref()))
        .collect())
}

#[derive(Default)]
struct Seen {
    photos: HashMap<PhotoId, Photo>,
    people: HashMap<PersonId, Person>,
}

impl Seen {
    /// `None` only for a change of a gallery that is gone, of which its deletion tells.
    fn event(
        &self,
        event: gallery_event::Model,
        gallery: Option<&Gallery>,
    ) -> Option<GalleryEvent> {
        let cursor = cursor::encode(event.gallery_id, event.seq);
        let occurred_at = event.created_at.to_utc();
        Some(match event.kind {
            Kind::PhotoChanged => GalleryEvent::PhotoChanged(PhotoChanged {
                cursor,
                occurred_at,
                photo_id: id::encode(PhotoId(event.subject)),
                photo: self.photos.get(&PhotoId(event.subject)).cloned(),
            }),
            Kind::PhotoDeleted => GalleryEvent::PhotoDeleted(PhotoDeleted {
                cursor,
                occurred_at,
                photo_id: id::encode(PhotoId(event.subject)),
            }),
            Kind::PersonChanged => GalleryEvent::PersonChanged(PersonChanged {
                cursor,
                occurred_at,
                person_id: id::encode(PersonId(event.subject)),
                person: self.people.get(&PersonId(event.subject)).cloned(),
            }),
            Kind::PersonDeleted => GalleryEvent::PersonDeleted(PersonDeleted {
                cursor,
                occurred_at,
                person_id: id::encode(PersonId(event.subject)),
            }),
            Kind::GalleryChanged => GalleryEvent::GalleryChanged(GalleryChanged {
                cursor,
                occurred_at,
                gallery: gallery?.clone(),
            }),
            Kind::GalleryDeleted => GalleryEvent::GalleryDeleted(GalleryDeleted {
                cursor,
                occurred_at,
                gallery_id: id::encode(event.gallery_id),
            }),
        })
    }
}
