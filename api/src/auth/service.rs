//! The rules of accounts and sessions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use entity::{Timestamp, UserId, gallery, gallery_member, refresh_token, user};
use sea_orm::prelude::Expr;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, TransactionTrait,
};
use uuid::Uuid;

use crate::access::{Guest, Viewer};
use crate::auth::limiter::{Key, Limiter};
use crate::auth::oidc::ExternalIssuer;
use crate::auth::password::Passwords;
use crate::auth::rules::{MAX_EMAIL_BYTES, check_registration};
use crate::auth::token::{self, DeviceAccount, Origin, TokenKeys};
use crate::auth::{Access, Profile, Session, Source, external};
use crate::clock::Clock;
use crate::db::{Db, Transaction, unless_taken};
use crate::error::{Error, Result, UserErrorCode};
use crate::text::email_key;

/// How accounts are kept.
#[derive(Debug)]
pub struct AuthSettings {
    /// Life of a refresh token in seconds.
    pub refresh_seconds: u32,
    /// Whether there are accounts with a password of ours.
    pub own_accounts: bool,
    /// Whose tokens count besides ours.
    pub external: Option<ExternalIssuer>,
}

/// Accounts and sessions.
#[derive(Debug)]
pub struct AuthService {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) passwords: Passwords,
    keys: TokenKeys,
    pub(super) limiter: Arc<Limiter>,
    settings: AuthSettings,
    pub(super) seen: external::Seen,
}

impl AuthService {
    /// A service that signs with `keys`. Hashes once, which takes some 30 ms.
    ///
    /// # Errors
    /// `Internal` when password hashing does not work.
    pub fn new(
        db: Db,
        clock: Clock,
        keys: TokenKeys,
        limiter: Arc<Limiter>,
        settings: AuthSettings,
    ) -> Result<Self> {
        Ok(Self {
            passwords: Passwords::new(clock.clone())?,
            limiter,
            seen: external::Seen::default(),
            settings,
            db,
            clock,
            keys,
        })
    }

    /// Makes an account and signs it in.
    ///
    /// # Errors
    /// User errors: `Invalid` for each wrong field, `Taken` for the address. `RateLimited` after too
    /// many from one address: each costs a password hash, and tells who has an account.
    /// `SignInElsewhere` without own accounts.
    pub async fn register(
        &self,
        email: &str,
        name: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<Session> {
        self.own_accounts()?;
        let (email, name) = (email.trim(), name.trim());
        check_registration(email, name, &password)?;
        let email_key = email_key(email);
        if let Some(address) = address {
            self.limited(&Key::registrations(address))?;
        }
        if self.account(&email_key).await?.is_some() {
            return Err(taken());
        }
        let turn = self.passwords.turn(&[], address).await?;
        let password_hash = self.passwords.hash(turn, password).await?;
        let now = self.clock.now();
        let row = user::ActiveModel {
            id: Set(self.clock.new_id()),
            email: Set(email.to_owned()),
            email_key: Set(email_key),
            name: Set(name.to_owned()),
            password_hash: Set(password_hash),
            created_at: Set(now),
        };
        let txn = self.db.begin().await?;
        // Somebody may have been faster since the look above; the savepoint keeps the rest usable.
        let savepoint = txn.begin().await?;
        let inserted = row.insert(&savepoint).await;
        let user = unless_taken(savepoint, inserted).await?.ok_or_else(taken)?;
        let family = self.clock.new_token();
        self.start(txn, user, family, now).await
    }

    /// Signs in. An unknown address and a wrong password get the same answer in the same time.
    ///
    /// # Errors
    /// User errors `WrongCredentials`, and `SignInElsewhere` without own accounts; `RateLimited` after
    /// too many failures.
    pub async fn sign_in(
        &self,
        email: &str,
        password: String,
        source: Source<'_>,
    ) -> Result<Session> {
        self.own_accounts()?;
        // Longer ones cannot be registered; cutting bounds what the limiter keeps.
        let email = email.trim();
        let email_key = email_key(&email[..email.floor_char_boundary(MAX_EMAIL_BYTES + 1)]);
        let keys = self.admitted(&email_key, source).await?;
        let user = self.account(&email_key).await?;
        let hash = user.as_ref().and_then(password_hash);
        let address = source.address;
        let right = self.verified(&keys, address, &email_key, password, hash);
        let user = match (right.await?, user) {
            (true, Some(user)) => user,
            _ => return Err(wrong_credentials()),
        };
        let txn = self.db.begin().await?;
        // A password that was changed meanwhile has signed everybody out, and this must not come late.
        let user = unchanged(&*txn, user)
            .await?
            .ok_or_else(wrong_credentials)?;
        let family = self.clock.new_token();
        self.start(txn, user, family, self.clock.now()).await
    }

    /// What an attempt to sign in counts by: the device, if it has signed in to the account before.
    ///
    /// # Errors
    /// `RateLimited`.
    async fn admitted(&self, email_key: &str, source: Source<'_>) -> Result<Vec<Key>> {
        let now = self.clock.now();
        let token = source.device_token;
        let known = token.and_then(|token| self.keys.device(token, now));
        let keys = match known.filter(|(_, account)| account.has(email_key)) {
            Some((device, account)) if self.is_account(email_key, &account).await? => {
                vec![Key::Device(device)]
            }
            _ => Key::sign_in(email_key, source.address),
        };
        self.room(&keys, email_key)?;
        Ok(keys)
    }

    /// Whether an account has room for an attempt that counts by `keys`. Those that succeed have a
    /// limit, too: each costs a hash, for which others wait.
    ///
    /// # Errors
    /// `RateLimited`.
    pub(super) fn room(&self, keys: &[Key], email_key: &str) -> Result<()> {
        let sign_ins = Key::SignIns(email_key.to_owned());
        let all = [&[sign_ins], keys].concat();
        let room = self.limiter.check(&all, self.clock.now());
        room.map_err(Error::rate_limited)
    }

    /// Whether a password is the one of the account with this hash. The attempt is counted once it is
    /// its turn: who gives up waiting has failed nothing. Once the password is known to be right,
    /// whatever else fails is nobody's guess.
    ///
    /// # Errors
    /// `RateLimited` where others used up what [`AuthService::room`] had seen.
    pub(super) async fn verified(
        &self,
        keys: &[Key],
        address: Option<IpAddr>,
        email_key: &str,
        password: String,
        hash: Option<String>,
    ) -> Result<bool> {
        let turn = self.passwords.turn(keys, address).await?;
        self.room(keys, email_key)?;
        self.limited(keys)?;
        let right = self.passwords.verify(turn, password, hash).await?;
        if right {
            self.limiter.succeeded(keys);
            self.limited(&[Key::SignIns(email_key.to_owned())])?;
        }
        Ok(right)
    }

    /// Exchanges a refresh token for the next pair. A token that was exchanged before is in two
    /// hands: its family ends.
    ///
    /// # Errors
    /// User errors `InvalidRefreshToken`, and `SignInElsewhere` without own accounts; `RateLimited`
    /// after too many, with the token as good as before.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Session> {
        self.own_accounts()?;
        let now = self.clock.now();
        let txn = self.db.begin().await?;
        let Some((row, user)) = locked(&*txn, refresh_token).await? else {
            return Err(invalid_refresh_token());
        };
        if row.revoked_at.is_some() || row.expires_at <= now {
            return Err(invalid_refresh_token());
        }
        if row.used_at.is_some() {
            revoke(&*txn, row.family_id, now).await?;
            txn.commit().await?;
            tracing::warn!(user = %row.user_id, "a refresh token came back: its family is revoked");
            return Err(invalid_refresh_token());
        }
        self.limited(&[Key::Refreshes(user.id)])?;
        refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
            .filter(refresh_token::Column::TokenHash.eq(&row.token_hash))
            .exec(&*txn)
            .await?;
        self.start(txn, user, row.family_id, now).await
    }

    /// Ends the session that a refresh token belongs to; its access token runs out by itself. An
    /// unknown token is no error: nothing is left to end.
    ///
    /// # Errors
    /// The database's.
    pub async fn sign_out(&self, refresh_token: &str) -> Result<()> {
        let txn = self.db.begin().await?;
        if let Some((row, _)) = locked(&*txn, refresh_token).await? {
            revoke(&*txn, row.family_id, self.clock.now()).await?;
        }
        Ok(txn.commit().await?)
    }

    /// Who a bearer token speaks for, and for how long. Takes no statement, save for the first token
    /// of a user whom an external issuer vouches for.
    ///
    /// # Errors
    /// `Unauthenticated` for anything but a live access token; `Unavailable` where the external
    /// issuer's keys cannot be had.
    pub async fn access_of(&self, bearer: &str) -> Result<Access> {
        let (viewer, until) = match token::origin(bearer)? {
            Origin::Own => self.keys.verify(bearer, self.clock.now())?,
            Origin::External => {
                let external = self.settings.external.as_ref();
                let issuer = external.ok_or(Error::Unauthenticated)?;
                let identity = issuer.verify(bearer).await?;
                let until = identity.until;
                (Viewer::User(self.user_of(identity).await?), until)
            }
        };
        Ok(Access {
            viewer,
            until: Some(until),
        })
    }

    /// An access token for whoever holds a share link, and when it ends: with the link at the latest.
    ///
    /// # Errors
    /// `Internal`.
    pub fn admit(&self, guest: Guest, end: Option<Timestamp>) -> Result<(String, Timestamp)> {
        self.keys.issue_guest(guest, self.clock.now(), end)
    }

    /// The users among `ids` that the viewer may see: themselves, and those
    /// with whom they share a gallery. In no order; the others are left out.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible(&self, viewer: Viewer, ids: &[UserId]) -> Result<Vec<Profile>> {
        if let Viewer::Guest(_) = viewer {
            // They have no fellows.
            return Ok(Vec::new());
        }
        let me = viewer.user()?;
        let mine = Query::select()
            .column(gallery_member::Column::GalleryId)
            .from(gallery_member::Entity)
            .and_where(gallery_member::Column::UserId.eq(me))
            .to_owned();
        let fellows = gallery_member::Entity::find()
            .select_only()
            .column(gallery_member::Column::UserId)
            .join(JoinType::InnerJoin, gallery_member::Relation::Gallery.def())
            .filter(gallery::Column::DeletedAt.is_null())
            .filter(gallery_member::Column::GalleryId.in_subquery(mine));
        let rows = user::Entity::find()
            .filter(user::Column::Id.is_in(ids.iter().copied()))
            .filter(
                Condition::any()
                    .add(user::Column::Id.eq(me))
                    .add(user::Column::Id.in_subquery(sea_orm::QueryTrait::into_query(fellows))),
            )
            .all(self.db.read())
            .await?;
        Ok(rows.into_iter().map(profile).collect())
    }

    /// Users by id, for objects that the viewer was already allowed to see (an uploader may have
    /// left the gallery since). One statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn profiles(&self, ids: &[UserId]) -> Result<HashMap<UserId, Profile>> {
        let rows = user::Entity::find()
            .filter(user::Column::Id.is_in(ids.iter().copied()))
            .all(self.db.read())
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, profile(row))).collect())
    }

    /// Deletes refresh tokens whose time is over, `limit` at most, and answers how many.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn purge_expired(&self, limit: u64) -> Result<u64> {
        let ended: Vec<String> = refresh_token::Entity::find()
            .select_only()
            .column(refresh_token::Column::TokenHash)
            .filter(refresh_token::Column::ExpiresAt.lt(self.clock.now()))
            .order_by_asc(refresh_token::Column::ExpiresAt)
            .limit(limit)
            .into_tuple()
            .all(self.db.read())
            .await?;
        let count = ended.len() as u64;
        let txn = self.db.begin().await?;
        refresh_token::Entity::delete_many()
            .filter(refresh_token::Column::TokenHash.is_in(ended))
            .exec(&*txn)
            .await?;
        txn.commit().await?;
        Ok(count)
    }

    /// # Errors
    /// User error `SignInElsewhere` where there are no accounts with a password of ours.
    pub(super) fn own_accounts(&self) -> Result<()> {
        if self.settings.own_accounts {
            return Ok(());
        }
        let issuer = self.settings.external.as_ref().map(ExternalIssuer::url);
        let issuer = issuer.unwrap_or("the token issuer");
        let message = format!("accounts are kept elsewhere: sign in at {issuer}");
        Err(Error::user(
            UserErrorCode::SignInElsewhere,
            &["input"],
            message,
        ))
    }

    pub(super) fn limited(&self, keys: &[Key]) -> Result<()> {
        let counted = self.limiter.attempt(keys, self.clock.now());
        counted.map_err(Error::rate_limited)
    }

    async fn is_account(&self, email_key: &str, account: &DeviceAccount) -> Result<bool> {
        let user = self.account(email_key).await?;
        Ok(user.is_some_and(|user| DeviceAccount::new(&user) == *account))
    }

    async fn account(&self, email_key: &str) -> Result<Option<user::Model>> {
        Ok(user::Entity::find()
            .filter(user::Column::EmailKey.eq(email_key))
            .one(self.db.read())
            .await?)
    }

    /// Writes the next refresh token of `family`, commits, and signs an access token.
    pub(super) async fn start(
        &self,
        txn: Transaction,
        user: user::Model,
        family: Uuid,
        now: Timestamp,
    ) -> Result<Session> {
        let (access_token, expires_at) = self.keys.issue(user.id, now)?;
        // A session is a device: however often it is refreshed, it has the same few attempts.
        let device_token = self.keys.issue_device(family, &user, now)?;
        let refresh_token = token::new_secret(&self.clock);
        let row = refresh_token::ActiveModel {
            token_hash: Set(token::secret_hash(&refresh_token)),
            family_id: Set(family),
            user_id: Set(user.id),
            created_at: Set(now),
            expires_at: Set(now.plus_seconds(i64::from(self.settings.refresh_seconds))),
            used_at: Set(None),
            revoked_at: Set(None),
        };
        refresh_token::Entity::insert(row)
            .exec_without_returning(&*txn)
            .await?;
        txn.commit().await?;
        Ok(Session {
            user: profile(user),
            access_token,
            refresh_token,
            device_token,
            expires_at,
        })
    }
}

/// A refresh token as it is once its user's row is locked. Without that lock an exchange that runs
/// at the same time could add a token to a family while another request revokes it.
async fn locked(
    connection: &impl ConnectionTrait,
    refresh_token: &str,
) -> Result<Option<(refresh_token::Model, user::Model)>> {
    let hash = token::secret_hash(refresh_token);
    let find = || refresh_token::Entity::find_by_id(&hash).one(connection);
    let Some(row) = find().await? else {
        return Ok(None);
    };
    let user = user::Entity::find_by_id(row.user_id)
        .lock_exclusive()
        .one(connection)
        .await?;
    Ok(find().await?.zip(user))
}

async fn revoke(connection: &impl ConnectionTrait, family: Uuid, now: Timestamp) -> Result<()> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::RevokedAt, Expr::value(now))
        .filter(refresh_token::Column::FamilyId.eq(family))
        .filter(refresh_token::Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    Ok(())
}

/// The hash of a user's password, if they have one.
pub(super) fn password_hash(user: &user::Model) -> Option<String> {
    let hash = Some(user.password_hash.clone());
    hash.filter(|hash| !hash.is_empty())
}

/// The user with their row locked, unless their password is another one by now.
pub(super) async fn unchanged(
    connection: &impl ConnectionTrait,
    user: user::Model,
) -> Result<Option<user::Model>> {
    let now = user::Entity::find_by_id(user.id)
        .lock_exclusive()
        .one(connection)
        .await?;
    Ok(now.filter(|now| now.password_hash == user.password_hash))
}

fn profile(row: user::Model) -> Profile {
    Profile {
        id: row.id,
        name: row.name,
        email: row.email,
    }
}

fn taken() -> Error {
    Error::user(
        UserErrorCode::Taken,
        &["input", "email"],
        "this e-mail address has an account",
    )
}

fn wrong_credentials() -> Error {
    Error::user(
        UserErrorCode::WrongCredentials,
        &["input"],
        "e-mail address and password do not belong together",
    )
}

fn invalid_refresh_token() -> Error {
    Error::user(
        UserErrorCode::InvalidRefreshToken,
        &["input", "refreshToken"],
        "the refresh token is unknown, used, expired or revoked",
    )
}
