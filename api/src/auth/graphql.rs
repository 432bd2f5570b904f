//! Accounts and sessions in the schema.

use std::net::IpAddr;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::access::Viewer;
use crate::auth::{ClientAddress, Profile, Session, Source};
use crate::db::retried;
use crate::error::{Error, Result};
use crate::graphql::error::{GraphResult, UserError, user_errors};
use crate::graphql::{id, services, viewer};

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub struct User {
    profile: Profile,
    is_viewer: bool,
}

impl User {
    /// As `viewer` may see them: only one's own e-mail address shows.
    #[must_use]
    pub fn new(profile: Profile, viewer: Viewer) -> Self {
        Self {
            is_viewer: viewer == Viewer::User(profile.id),
            profile,
        }
    }
}

/// Somebody with an account.
#[Object]
impl User {
    /// Global id.
    pub async fn id(&self) -> ID {
        id::encode(self.profile.id)
    }

    /// Name shown to other members of a gallery.
    async fn name(&self) -> &str {
        &self.profile.name
    }

    /// E-mail address; null unless it is your own account, and where an external issuer vouches for
    /// none.
    async fn email(&self) -> Option<&str> {
        let email = self.profile.email.as_str();
        (self.is_viewer && !email.is_empty()).then_some(email)
    }
}

/// A new account.
#[derive(InputObject)]
pub struct RegisterInput {
    /// E-mail address; upper and lower case are the same account.
    email: String,
    /// Name shown to other members, 1 to 200 characters.
    name: String,
    /// 8 to 256 characters.
    #[graphql(secret)]
    password: String,
}

/// Credentials of an account.
#[derive(InputObject)]
pub struct SignInInput {
    /// E-mail address.
    email: String,
    /// Password.
    #[graphql(secret)]
    password: String,
    /// The device token of an earlier sign-in to this account. With it, what others fail at the account
    /// or from the same network keeps nobody waiting. One that is not good any more counts as none.
    #[graphql(secret)]
    device_token: Option<String>,
}

/// The session to go on with.
#[derive(InputObject)]
pub struct RefreshTokensInput {
    /// The newest refresh token of the session. It works once: using it again ends the session.
    #[graphql(secret)]
    refresh_token: String,
}

/// The session to end.
#[derive(InputObject)]
pub struct SignOutInput {
    /// Any refresh token of the session.
    #[graphql(secret)]
    refresh_token: String,
}

/// Another password for your account.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The present one.
    #[graphql(secret)]
    current_password: String,
    /// 8 to 256 characters.
    #[graphql(secret)]
    new_password: String,
}

/// A session that began or goes on, or why not.
#[derive(SimpleObject, Default)]
pub struct SessionPayload {
    /// Who is signed in.
    user: Option<User>,
    /// Send it as `Authorization: Bearer <token>`.
    access_token: Option<String>,
    /// Exchange it with `refreshTokens` before or after the access token ends. Works once.
    refresh_token: Option<String>,
    /// Keep it over signing out, for half a year, and send it with the next `signIn`. It opens nothing.
    device_token: Option<String>,
    /// When the access token ends.
    expires_at: Option<DateTime<Utc>>,
    /// What stood in the way; empty on success.
    user_errors: Vec<UserError>,
}

impl SessionPayload {
    fn new(result: Result<Session>) -> GraphResult<Self> {
        Ok(match Error::split(result)? {
            Ok(session) => Self {
                user: Some(User {
                    profile: session.user,
                    is_viewer: true,
                }),
                access_token: Some(session.access_token),
                refresh_token: Some(session.refresh_token),
                device_token: Some(session.device_token),
                expires_at: Some(session.expires_at.to_utc()),
                user_errors: Vec::new(),
            },
            Err(errors) => Self {
                user_errors: user_errors(errors),
                ..Self::default()
            },
        })
    }
}

/// The end of a session.
#[derive(SimpleObject)]
pub struct SignOutPayload {
    /// What stood in the way; empty on success.
    user_errors: Vec<UserError>,
}

/// Who asks.
#[derive(Debug, Default)]
pub struct AuthQuery;

#[Object]
impl AuthQuery {
    /// Your account; null without a token, and for guests of a share link.
    async fn viewer(&self, ctx: &Context<'_>) -> GraphResult<Option<User>> {
        let viewer = viewer(ctx);
        let Viewer::User(me) = viewer else {
            return Ok(None);
        };
        let found = services(ctx).auth.profiles(&[me]).await?;
        Ok(found
            .into_values()
            .next()
            .map(|profile| User::new(profile, viewer)))
    }
}

fn address(ctx: &Context<'_>) -> Option<IpAddr> {
    ctx.data_opt::<ClientAddress>().map(|address| address.0)
}

/// Accounts and sessions.
#[derive(Debug, Default)]
pub struct AuthMutation;

#[Object]
impl AuthMutation {
    /// Makes an account and signs it in. Too many from one address within a minute have to wait
    /// (RATE_LIMITED). SIGN_IN_ELSEWHERE where the server leaves accounts to an external issuer.
    async fn register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: RegisterInput,
    ) -> GraphResult<SessionPayload> {
        let address = address(ctx);
        let auth = &services(ctx).auth;
        let register = || auth.register(&input.email, &input.name, input.password.clone(), address);
        SessionPayload::new(retried(register).await)
    }

    /// Signs in. After five failures at an account a network, or a device that has signed in to it
    /// before, waits for twelve minutes before each further attempt (RATE_LIMITED).
    /// SIGN_IN_ELSEWHERE where the server leaves accounts to an external issuer.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SignInInput,
    ) -> GraphResult<SessionPayload> {
        let source = Source {
            address: address(ctx),
            device_token: input.device_token.as_deref(),
        };
        let auth = &services(ctx).auth;
        let sign_in = || auth.sign_in(&input.email, input.password.clone(), source);
        SessionPayload::new(retried(sign_in).await)
    }

    /// Exchanges a refresh token for new tokens. After 60 in a minute a user waits (RATE_LIMITED).
    async fn refresh_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to go on with.")] input: RefreshTokensInput,
    ) -> GraphResult<SessionPayload> {
        let auth = &services(ctx).auth;
        SessionPayload::new(retried(|| auth.refresh(&input.refresh_token)).await)
    }

    /// Gives your account another password, and you the tokens of a new session. Every other session
    /// ends: its refresh tokens work no more, and its access tokens run out within their minutes. Device
    /// tokens of before are void: keep the new one.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The old and the new password.")] input: ChangePasswordInput,
    ) -> GraphResult<SessionPayload> {
        let (viewer, address) = (viewer(ctx), address(ctx));
        let auth = &services(ctx).auth;
        let change = || {
            let (current, new) = (input.current_password.clone(), input.new_password.clone());
            auth.change_password(viewer, current, new, address)
        };
        SessionPayload::new(retried(change).await)
    }

    /// Ends a session: none of its refresh tokens works any more, and its access token runs out.
    async fn sign_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session to end.")] input: SignOutInput,
    ) -> GraphResult<SignOutPayload> {
        let auth = &services(ctx).auth;
        retried(|| auth.sign_out(&input.refresh_token)).await?;
        Ok(SignOutPayload {
            user_errors: Vec::new(),
        })
    }
}
