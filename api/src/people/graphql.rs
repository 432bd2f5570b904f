//! People and faces as clients see them.

use async_graphql::connection::Connection;
use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::document::{self, DocumentFace};
use entity::person;

use super::loader::{FaceLoader, PersonLoader};
use super::service::{FaceInPhoto, PersonChange, PersonFilter as Filter};
use crate::access::Authorized;
use crate::db::retried;
use crate::error::Error;
use crate::gallery::graphql::Gallery;
use crate::gallery::loader::GalleryLoader;
use crate::graphql::connection::connection;
use crate::graphql::error::{GraphResult, UserError, user_errors};
use crate::graphql::{id, pages, services, viewer};
use crate::page::Cursor;
use crate::photo::graphql::Photo;

/// A person: a group of faces within one gallery.
#[derive(Clone)]
pub struct Person(pub Authorized<person::Model>);

/// A person: a group of faces within one gallery, found by the analysis.
#[Object]
impl Person {
    /// Global id.
    pub async fn id(&self) -> ID {
        id::encode(self.0.id)
    }

    /// Name, if somebody gave one.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Whether lists leave the person out unless asked.
    async fn hidden(&self) -> bool {
        self.0.hidden
    }

    /// The face that shows the person best, or that somebody chose.
    async fn cover_face(&self, ctx: &Context<'_>) -> GraphResult<Option<Face>> {
        let Some(cover) = self.0.cover_face_id else {
            return Ok(None);
        };
        let loader = ctx.data_unchecked::<DataLoader<FaceLoader>>();
        let found = loader.load_one(cover).await?;
        Ok(found.map(|face| Face(self.0.with(face))))
    }

    /// Faces in the group.
    async fn face_count(&self) -> i32 {
        self.0.face_count
    }

    /// Photos that show the person.
    async fn photo_count(&self) -> i32 {
        self.0.photo_count
    }

    /// The gallery that the person belongs to.
    async fn gallery(&self, ctx: &Context<'_>) -> GraphResult<Gallery> {
        let loader = ctx.data_unchecked::<DataLoader<GalleryLoader>>();
        let gallery = loader.load_one(self.0.gallery_id).await?;
        Ok(gallery.map(Gallery::from).ok_or(Error::NotFound)?)
    }

    /// Photos that show the person, newest first, a page at a time.
    async fn photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
    ) -> GraphResult<Connection<Cursor, Photo>> {
        let (request, _place) = pages::turn(ctx, first, after.as_deref()).await?;
        let page = services(ctx).photo.page_of_person(&self.0, request).await?;
        Ok(connection(page.map(Photo::from), request.after.is_some()))
    }
}

/// Which people to list.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PersonFilter {
    /// Only people with a name (true) or without (false).
    pub named: Option<bool>,
    /// Hidden people too.
    #[graphql(default)]
    pub include_hidden: bool,
}

impl From<PersonFilter> for Filter {
    fn from(filter: PersonFilter) -> Self {
        Self {
            named: filter.named,
            include_hidden: filter.include_hidden,
        }
    }
}

/// A face that was found in a photo.
#[derive(Clone)]
pub struct Face(pub Authorized<FaceInPhoto>);

impl Face {
    /// A face of an authorised photo, out of the photo's document.
    #[must_use]
    pub fn of(photo: &Authorized<entity::photo::Model>, face: DocumentFace) -> Self {
        Self(photo.with(FaceInPhoto {
            gallery_id: photo.gallery_id,
            photo_id: photo.id,
            face,
        }))
    }

    fn face(&self) -> &DocumentFace {
        &self.0.face
    }
}

/// A face that was found in a photo.
#[Object]
impl Face {
    /// Global id.
    pub async fn id(&self) -> ID {
        id::encode(self.face().id)
    }

    /// Where it is in the photo as shown.
    async fn bounding_box(&self) -> BoundingBox {
        self.face().detail.bounding_box.into()
    }

    /// How sure it is that this is a face, 0 to 100.
    async fn confidence(&self) -> f32 {
        self.face().detail.confidence
    }

    /// How well it shows its person, 0 to 100, from pose, sharpness and size.
    async fn quality(&self) -> f32 {
        self.face().quality
    }

    /// Eyes, mouth, nose and so on.
    async fn landmarks(&self) -> Vec<Landmark> {
        let landmarks = self.face().detail.landmarks.iter();
        landmarks.map(Landmark::from).collect()
    }

    /// Which way it looks.
    async fn pose(&self) -> Pose {
        let detail = &self.face().detail;
        Pose {
            roll: detail.roll,
            yaw: detail.yaw,
            pitch: detail.pitch,
        }
    }

    /// Whose it is, once it is grouped.
    async fn person(&self, ctx: &Context<'_>) -> GraphResult<Option<Person>> {
        let Some(person) = self.face().person_id else {
            return Ok(None);
        };
        let loader = ctx.data_unchecked::<DataLoader<PersonLoader>>();
        let found = loader.load_one(person).await?;
        let own = found.filter(|person| person.gallery_id == self.0.gallery_id);
        Ok(own.map(|person| Person(self.0.with(person))))
    }

    /// Who put the face to its person.
    async fn assigned_by(&self) -> Option<FaceAssigner> {
        self.face().assigned_by.as_deref().map(|by| match by {
            "user" => FaceAssigner::User,
            _ => FaceAssigner::Matcher,
        })
    }

    /// Similarity that decided it, 0 to 100; none for the face that founded the group and for
    /// faces that people assigned.
    async fn similarity(&self) -> Option<f32> {
        self.face().similarity
    }
}

/// Who put a face to its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum FaceAssigner {
    /// The analysis.
    Matcher,
    /// Somebody.
    User,
}

/// A box relative to the photo as shown: shares of its width and height, 0 to 1.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct BoundingBox {
    /// Left edge as a share of the width.
    pub left: f32,
    /// Top edge as a share of the height.
    pub top: f32,
    /// Width as a share of the photo's width.
    pub width: f32,
    /// Height as a share of the photo's height.
    pub height: f32,
}

impl From<document::BoundingBox> for BoundingBox {
    fn from(value: document::BoundingBox) -> Self {
        Self {
            left: value.left,
            top: value.top,
            width: value.width,
            height: value.height,
        }
    }
}

/// A named point of a face, relative to the photo as shown.
#[derive(Clone, Debug, SimpleObject)]
pub struct Landmark {
    /// Rekognition's landmark type, for example `eyeLeft`.
    pub kind: String,
    /// Share of the width.
    pub x: f32,
    /// Share of the height.
    pub y: f32,
}

impl From<&document::Landmark> for Landmark {
    fn from(landmark: &document::Landmark) -> Self {
        Self {
            kind: landmark.kind.clone(),
            x: landmark.x,
            y: landmark.y,
        }
    }
}

/// Which way a face looks, in degrees.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct Pose {
    /// Rotation in the picture's plane.
    pub roll: f32,
    /// Turn to the side.
    pub yaw: f32,
    /// Nod.
    pub pitch: f32,
}

/// What to change of a person; a field that is left out stays as it is.
#[derive(Clone, Debug, InputObject)]
pub struct UpdatePersonInput {
    /// The person.
    pub person_id: ID,
    /// Name, 1 to 200 characters; null takes it away.
    pub name: MaybeUndefined<String>,
    /// Whether lists leave the person out.
    pub hidden: Option<bool>,
    /// One of the person's faces.
    pub cover_face_id: Option<ID>,
}

impl UpdatePersonInput {
    fn change(&self) -> Result<PersonChange, Error> {
        Ok(PersonChange {
            name: match self.name.clone() {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(name) => Some(Some(name)),
            },
            hidden: self.hidden,
            cover_face: self.cover_face_id.as_ref().map(id::decode).transpose()?,
        })
    }
}

/// Outcome of `updatePerson`.
#[derive(SimpleObject)]
pub struct UpdatePersonPayload {
    /// The person as changed; none if there are errors.
    pub person: Option<Person>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// Which people are one and the same.
#[derive(Clone, Debug, InputObject)]
pub struct MergePeopleInput {
    /// Who stays, with name and cover.
    pub into_person_id: ID,
    /// Who goes, at most 100; their faces move.
    pub from_person_ids: Vec<ID>,
}

/// Outcome of `mergePeople`.
#[derive(SimpleObject)]
pub struct MergePeoplePayload {
    /// The person that stays; none if there are errors.
    pub person: Option<Person>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// Queries about people.
#[derive(Default)]
pub struct PeopleQuery;

#[Object]
impl PeopleQuery {
    /// A person of a gallery that you can see.
    async fn person(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the person.")] id: ID,
    ) -> GraphResult<Person> {
        let id = id::decode(&id)?;
        Ok(Person(services(ctx).people.person(viewer(ctx), id).await?))
    }
}

/// Mutations of people.
#[derive(Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Names, hides or shows a person, or chooses the cover. Editors and owners may.
    async fn update_person(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UpdatePersonInput,
    ) -> GraphResult<UpdatePersonPayload> {
        let id = id::decode(&input.person_id)?;
        let people = &services(ctx).people;
        let change = input.change()?;
        let update = || people.update_person(viewer(ctx), id, change.clone());
        let result = retried(update).await;
        let (person, errors) = match Error::split(result)? {
            Ok(person) => (Some(Person(person)), Vec::new()),
            Err(errors) => (None, errors),
        };
        Ok(UpdatePersonPayload {
            person,
            user_errors: user_errors(errors),
        })
    }

    /// Makes one person of several. Calling it again changes nothing. Editors and owners may.
    async fn merge_people(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is the same person.")] input: MergePeopleInput,
    ) -> GraphResult<MergePeoplePayload> {
        let into = id::decode(&input.into_person_id)?;
        let from = id::decode_all(&input.from_person_ids)?;
        let people = &services(ctx).people;
        let result = retried(|| people.merge_people(viewer(ctx), into, &from)).await;
        let (person, errors) = match Error::split(result)? {
            Ok(person) => (Some(Person(person)), Vec::new()),
            Err(errors) => (None, errors),
        };
        Ok(MergePeoplePayload {
            person,
            user_errors: user_errors(errors),
        })
    }
}
