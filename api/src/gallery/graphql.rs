//! Galleries as clients see them.

use async_graphql::connection::Connection;
use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, ID, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{gallery, gallery_member};

pub use super::input::{
    CreateGalleryInput, DeleteGalleryInput, FaceMatcherKind, GalleryRole, RemoveGalleryMemberInput,
    SetGalleryMemberInput, UpdateGalleryInput,
};
use super::loader::{CoverLoader, PhotoCountLoader};
use super::service::{GalleryChanges, LabelCount as Count, NewGallery};
use crate::access::Authorized;
use crate::auth::graphql::User;
use crate::auth::loader::UserLoader;
use crate::db::retried;
use crate::error::Error;
use crate::graphql::connection::connection;
use crate::graphql::error::{GraphResult, UserError, user_errors};
use crate::graphql::{id, pages, services, viewer};
use crate::page::Cursor;
use crate::people::graphql::{Person, PersonFilter};
use crate::photo::graphql::{Photo, PhotoFilter, PhotoOrder};
use crate::share::graphql::ShareLink;

/// One event: its photos, the people in them, the members who see it.
#[derive(Clone)]
pub struct Gallery(pub Authorized<gallery::Model>);

/// One event: its photos, the people in them, the members who see it.
#[Object]
impl Gallery {
    /// Global id.
    pub async fn id(&self) -> ID {
        id::encode(self.0.id)
    }

    /// Name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Free text.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Day of the event as YYYY-MM-DD.
    async fn event_date(&self) -> Option<&str> {
        self.0.event_date.as_deref()
    }

    /// What you may do here; null for guests of a share link, who look and are no members.
    async fn viewer_role(&self) -> Option<GalleryRole> {
        self.0.role().map(Into::into)
    }

    /// How faces are told apart.
    async fn face_matcher(&self) -> FaceMatcherKind {
        self.0.matcher.into()
    }

    /// Whether faces are looked for at all.
    async fn face_analysis(&self) -> bool {
        self.0.face_analysis
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at.to_utc()
    }

    /// Photos, those that still await their upload left out.
    async fn photo_count(&self, ctx: &Context<'_>) -> GraphResult<i64> {
        let count = ctx
            .data_unchecked::<DataLoader<PhotoCountLoader>>()
            .load_one(self.0.id)
            .await;
        Ok(count?.unwrap_or_default())
    }

    /// The chosen cover, else the newest photo that can be shown.
    async fn cover_photo(&self, ctx: &Context<'_>) -> GraphResult<Option<Photo>> {
        let loader = ctx.data_unchecked::<DataLoader<CoverLoader>>();
        let cover = loader.load_one((self.0.id, self.0.cover_photo_id)).await?;
        Ok(cover.map(|row| Photo::from(self.0.with(row))))
    }

    /// Photos, a page at a time.
    async fn photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only photos for which everything named here holds.")] filter: Option<
            PhotoFilter,
        >,
        #[graphql(desc = "Order.", default)] order_by: PhotoOrder,
    ) -> GraphResult<Connection<Cursor, Photo>> {
        let (request, _place) = pages::turn(ctx, first, after.as_deref()).await?;
        let filter = filter
            .map(PhotoFilter::read)
            .transpose()?
            .unwrap_or_default();
        let page = services(ctx)
            .photo
            .page(&self.0, request, filter, order_by.into())
            .await?;
        Ok(connection(page.map(Photo::from), request.after.is_some()))
    }

    /// People, most seen first.
    async fn people(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "Which people.")] filter: Option<PersonFilter>,
    ) -> GraphResult<Connection<Cursor, Person>> {
        let (request, _place) = pages::turn(ctx, first, after.as_deref()).await?;
        let page = services(ctx)
            .people
            .page(&self.0, request, filter.unwrap_or_default().into())
            .await?;
        Ok(connection(page.map(Person), request.after.is_some()))
    }

    /// Labels of the photos with their counts, most frequent first.
    async fn labels(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 50)] first: i32,
    ) -> GraphResult<Vec<LabelCount>> {
        let (request, _place) = pages::turn(ctx, first, None).await?;
        let labels = services(ctx).gallery.labels(&self.0, request.first).await?;
        Ok(labels.into_iter().map(Into::into).collect())
    }

    /// Members, first come first. FORBIDDEN for guests of a share link.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
    ) -> GraphResult<Connection<Cursor, GalleryMember>> {
        let (request, _place) = pages::turn(ctx, first, after.as_deref()).await?;
        let page = services(ctx).gallery.members(&self.0, request).await?;
        Ok(connection(page.map(GalleryMember), request.after.is_some()))
    }

    /// Share links, newest first, with those that have ended. FORBIDDEN for all but owners.
    async fn share_links(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
    ) -> GraphResult<Connection<Cursor, ShareLink>> {
        let (request, _place) = pages::turn(ctx, first, after.as_deref()).await?;
        let page = services(ctx).share.page(&self.0, request).await?;
        Ok(connection(page.map(ShareLink), request.after.is_some()))
    }
}

impl From<Authorized<gallery::Model>> for Gallery {
    fn from(row: Authorized<gallery::Model>) -> Self {
        Self(row)
    }
}

/// A member of a gallery.
pub struct GalleryMember(gallery_member::Model);

/// A member of a gallery.
#[Object]
impl GalleryMember {
    /// Who.
    async fn user(&self, ctx: &Context<'_>) -> GraphResult<User> {
        let loader = ctx.data_unchecked::<DataLoader<UserLoader>>();
        let user = loader.load_one(self.0.user_id).await?;
        Ok(user
            .map(|row| User::new(row, viewer(ctx)))
            .ok_or(Error::NotFound)?)
    }

    /// What they may do.
    async fn role(&self) -> GalleryRole {
        self.0.role.into()
    }

    /// When they were added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at.to_utc()
    }
}

/// A label and how many photos carry it.
#[derive(SimpleObject)]
pub struct LabelCount {
    /// Label name as Rekognition gives it, for example `Dog`.
    name: String,
    /// Photos that carry it.
    photo_count: i64,
}

impl From<Count> for LabelCount {
    fn from(count: Count) -> Self {
        Self {
            name: count.name,
            photo_count: count.photos,
        }
    }
}

/// The gallery as it is now, or why not.
#[derive(SimpleObject)]
pub struct GalleryPayload {
    /// The gallery.
    gallery: Option<Gallery>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// What was deleted, or why not.
#[derive(SimpleObject)]
pub struct DeleteGalleryPayload {
    /// Id of the deleted gallery.
    deleted_gallery_id: Option<ID>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// The membership as it is now, or why not.
#[derive(SimpleObject)]
pub struct GalleryMemberPayload {
    /// The gallery.
    gallery: Option<Gallery>,
    /// The member; null where a membership ended.
    member: Option<GalleryMember>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl GalleryPayload {
    fn of(result: crate::error::Result<Authorized<gallery::Model>>) -> GraphResult<Self> {
        Ok(match Error::split(result)? {
            Ok(row) => Self {
                gallery: Some(row.into()),
                user_errors: Vec::new(),
            },
            Err(errors) => Self {
                gallery: None,
                user_errors: user_errors(errors),
            },
        })
    }
}

/// Queries of galleries.
#[derive(Default)]
pub struct GalleryQuery;

/// Queries of galleries.
#[Object]
impl GalleryQuery {
    /// A gallery that you are a member of, or that your share link shows.
    async fn gallery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> GraphResult<Gallery> {
        Ok(services(ctx)
            .gallery
            .get(viewer(ctx), id::decode(&id)?)
            .await?
            .into())
    }

    /// Your galleries, newest membership first.
    async fn galleries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
    ) -> GraphResult<Connection<Cursor, Gallery>> {
        let (request, _place) = pages::turn(ctx, first, after.as_deref()).await?;
        let page = services(ctx).gallery.page(viewer(ctx), request).await?;
        Ok(connection(page.map(Gallery::from), request.after.is_some()))
    }
}

/// Mutations of galleries.
#[derive(Default)]
pub struct GalleryMutation;

/// Mutations of galleries.
#[Object]
impl GalleryMutation {
    /// Makes a gallery; you become its owner.
    async fn create_gallery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new gallery.")] input: CreateGalleryInput,
    ) -> GraphResult<GalleryPayload> {
        let new = NewGallery {
            name: input.name,
            description: input.description,
            event_date: input.event_date,
            matcher: input.face_matcher.map(Into::into),
            face_analysis: input.face_analysis,
        };
        let service = &services(ctx).gallery;
        GalleryPayload::of(retried(|| service.create(viewer(ctx), new.clone())).await)
    }

    /// Changes a gallery. Editors and owners.
    async fn update_gallery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UpdateGalleryInput,
    ) -> GraphResult<GalleryPayload> {
        let cover = match input.cover_photo_id {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(photo) => Some(Some(id::decode(&photo)?)),
        };
        let changes = GalleryChanges {
            name: input.name,
            description: input.description,
            event_date: input.event_date.as_opt_ref().map(|date| date.cloned()),
            cover_photo: cover,
        };
        let gallery = id::decode(&input.gallery_id)?;
        let service = &services(ctx).gallery;
        let update = || service.update(viewer(ctx), gallery, changes.clone());
        GalleryPayload::of(retried(update).await)
    }

    /// Deletes a gallery with its photos, people and faces, for good. Owners.
    async fn delete_gallery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which gallery.")] input: DeleteGalleryInput,
    ) -> GraphResult<DeleteGalleryPayload> {
        let gallery = id::decode(&input.gallery_id)?;
        let service = &services(ctx).gallery;
        let result = retried(|| service.delete(viewer(ctx), gallery)).await;
        Ok(match Error::split(result)? {
            Ok(()) => DeleteGalleryPayload {
                deleted_gallery_id: Some(input.gallery_id),
                user_errors: Vec::new(),
            },
            Err(errors) => DeleteGalleryPayload {
                deleted_gallery_id: None,
                user_errors: user_errors(errors),
            },
        })
    }

    /// Makes an account a member, or changes a member's role. Owners; after 100 a user waits 36 seconds
    /// before each further one (RATE_LIMITED).
    async fn set_gallery_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and as what.")] input: SetGalleryMemberInput,
    ) -> GraphResult<GalleryMemberPayload> {
        let gallery = id::decode(&input.gallery_id)?;
        let service = &services(ctx).gallery;
        let (email, role) = (&input.email, input.role.into());
        let result = retried(|| service.set_member(viewer(ctx), gallery, email, role)).await;
        Ok(match Error::split(result)? {
            Ok((gallery, member)) => GalleryMemberPayload {
                gallery: Some(gallery.into()),
                member: Some(GalleryMember(member)),
                user_errors: Vec::new(),
            },
            Err(errors) => GalleryMemberPayload {
                gallery: None,
                member: None,
                user_errors: user_errors(errors),
            },
        })
    }

    /// Ends a membership: owners anybody's, everybody their own.
    async fn remove_gallery_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose membership, and where.")] input: RemoveGalleryMemberInput,
    ) -> GraphResult<GalleryMemberPayload> {
        let gallery = id::decode(&input.gallery_id)?;
        let user = id::decode(&input.user_id)?;
        let service = &services(ctx).gallery;
        Ok(
            match Error::split(retried(|| service.remove_member(viewer(ctx), gallery, user)).await)?
            {
                Ok(()) => {
                    // Whoever left does not see the gallery any more.
                    let gallery = service
                        .get(viewer(ctx), gallery)
                        .await
                        .ok()
                        .map(Gallery::from);
                    GalleryMemberPayload {
                        gallery,
                        member: None,
                        user_errors: Vec::new(),
                    }
                }
                Err(errors) => GalleryMemberPayload {
                    gallery: None,
                    member: None,
                    user_errors: user_errors(errors),
                },
            },
        )
    }
}
