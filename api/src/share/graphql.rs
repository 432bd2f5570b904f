//! Share links as clients see them.

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::share_link;

use super::service::NewShareLink;
use crate::access::Authorized;
use crate::auth::graphql::User;
use crate::auth::loader::UserLoader;
use crate::db::retried;
use crate::error::Error;
use crate::gallery::graphql::Gallery;
use crate::graphql::error::{GraphResult, UserError, user_errors};
use crate::graphql::{id, services, viewer};

/// A link under which guests see a gallery.
#[derive(Clone)]
pub struct ShareLink(pub Authorized<share_link::Model>);

/// A link under which guests see a gallery without an account. Owners see it.
#[Object]
impl ShareLink {
    /// Global id.
    pub async fn id(&self) -> ID {
        id::encode(self.0.id)
    }

    /// What its maker calls it.
    async fn label(&self) -> &str {
        &self.0.label
    }

    /// Who made it.
    async fn created_by(&self, ctx: &Context<'_>) -> GraphResult<Option<User>> {
        let loader = ctx.data_unchecked::<DataLoader<UserLoader>>();
        let user = loader.load_one(self.0.created_by).await?;
        Ok(user.map(|row| User::new(row, viewer(ctx))))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at.to_utc()
    }

    /// From then on it is taken no longer; null: until it is revoked.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at.map(|end| end.to_utc())
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at.map(|end| end.to_utc())
    }
}

/// A new link.
#[derive(InputObject)]
pub struct CreateShareLinkInput {
    /// Which gallery.
    gallery_id: ID,
    /// What to call it, up to 200 characters.
    #[graphql(default)]
    label: String,
    /// From then on it is taken no longer; none: until it is revoked. It cannot be changed later.
    expires_at: Option<DateTime<Utc>>,
}

/// The new link, or why not.
#[derive(SimpleObject)]
pub struct CreateShareLinkPayload {
    /// The link.
    share_link: Option<ShareLink>,
    /// Its secret: put it into the address that you hand out, best after a `#`, which browsers send to
    /// no server. It is told this once.
    token: Option<String>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Which link to end.
#[derive(InputObject)]
pub struct RevokeShareLinkInput {
    /// Which link.
    share_link_id: ID,
}

/// The link as it is now, or why not.
#[derive(SimpleObject)]
pub struct RevokeShareLinkPayload {
    /// The link.
    share_link: Option<ShareLink>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// What a guest was handed.
#[derive(InputObject)]
pub struct RedeemShareLinkInput {
    /// The token of the link.
    #[graphql(secret)]
    token: String,
}

/// What a guest can do now, or why not.
#[derive(SimpleObject, Default)]
pub struct RedeemShareLinkPayload {
    /// The gallery that the link shows.
    gallery: Option<Gallery>,
    /// Send it as `Authorization: Bearer <token>`. It opens this gallery for looking, and nothing else.
    access_token: Option<String>,
    /// When the access token ends; redeem the link again for the next one.
    expires_at: Option<DateTime<Utc>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Mutations of share links.
#[derive(Default)]
pub struct ShareMutation;

/// Mutations of share links.
#[Object]
impl ShareMutation {
    /// Makes a link under which guests see a gallery without an account: as viewers do, but neither
    /// its members nor where photos were taken. Owners.
    async fn create_share_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new link.")] input: CreateShareLinkInput,
    ) -> GraphResult<CreateShareLinkPayload> {
        let gallery = id::decode(&input.gallery_id)?;
        let new = NewShareLink {
            label: input.label,
            expires_at: input.expires_at.map(Into::into),
        };
        let service = &services(ctx).share;
        let create = || service.create(viewer(ctx), gallery, new.clone());
        Ok(match Error::split(retried(create).await)? {
            Ok((link, token)) => CreateShareLinkPayload {
                share_link: Some(ShareLink(link)),
                token: Some(token),
                user_errors: Vec::new(),
            },
            Err(errors) => CreateShareLinkPayload {
                share_link: None,
                token: None,
                user_errors: user_errors(errors),
            },
        })
    }

    /// Ends a link for good, and at once what its guests have open. Image URLs that they have loaded
    /// run out by themselves. Owners.
    async fn revoke_share_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which link.")] input: RevokeShareLinkInput,
    ) -> GraphResult<RevokeShareLinkPayload> {
        let link = id::decode(&input.share_link_id)?;
        let service = &services(ctx).share;
        let revoke = || service.revoke(viewer(ctx), link);
        Ok(match Error::split(retried(revoke).await)? {
            Ok(link) => RevokeShareLinkPayload {
                share_link: Some(ShareLink(link)),
                user_errors: Vec::new(),
            },
            Err(errors) => RevokeShareLinkPayload {
                share_link: None,
                user_errors: user_errors(errors),
            },
        })
    }

    /// Exchanges the token of a share link for an access token of a few minutes. Works without an
    /// account, and as often as needed.
    async fn redeem_share_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token of a link.")] input: RedeemShareLinkInput,
    ) -> GraphResult<RedeemShareLinkPayload> {
        let redeemed = services(ctx).share.redeem(&input.token).await;
        Ok(match Error::split(redeemed)? {
            Ok(admission) => RedeemShareLinkPayload {
                gallery: Some(admission.gallery.into()),
                access_token: Some(admission.access_token),
                expires_at: Some(admission.expires_at.to_utc()),
                user_errors: Vec::new(),
            },
            Err(errors) => RedeemShareLinkPayload {
                user_errors: user_errors(errors),
                ..RedeemShareLinkPayload::default()
            },
        })
    }
}
