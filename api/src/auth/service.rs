//! The rules of accounts and sessions.

use std::collections::HashMap;
use std::net::IpAddr;

use entity::{Timestamp, UserId, gallery, gallery_member, refresh_token, user};
use sea_orm::prelude::Expr;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, SqlErr, TransactionTrait,
};
use uuid::Uuid;

use crate::access::Viewer;
use crate::auth::limiter::{Key, Limiter};
use crate::auth::password::Passwords;
use crate::auth::token::{self, TokenKeys};
use crate::auth::{Access, Profile, Session};
use crate::clock::Clock;
use crate::config::Tokens;
use crate::db::{Db, Transaction};
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::text::{email_key, is_plain, is_seen};

/// Longest e-mail address, as RFC 5321 has it.
const MAX_EMAIL_BYTES: usize = 254;
/// Longest name in characters.
const MAX_NAME_CHARS: usize = 200;
/// Characters of a password.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=256;

/// Accounts and sessions.
#[derive(Debug)]
pub struct AuthService {
    db: Db,
    clock: Clock,
    passwords: Passwords,
    keys: TokenKeys,
    limiter: Limiter,
    refresh_seconds: u32,
}

impl AuthService {
    /// A service that signs with `keys` and takes `registrations` a minute from an address. Hashes
    /// once, which takes some 30 ms.
    ///
    /// # Errors
    /// `Internal` when password hashing does not work.
    pub fn new(
        db: Db,
        clock: Clock,
        keys: TokenKeys,
        tokens: &Tokens,
        registrations: u32,
    ) -> Result<Self> {
        Ok(Self {
            passwords: Passwords::new(clock.clone())?,
            limiter: Limiter::new(registrations),
            refresh_seconds: tokens.refresh_seconds,
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
    pub async fn register(
        &self,
        email: &str,
        name: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<Session> {
        let (email, name) = (email.trim(), name.trim());
        check_registration(email, name, &password)?;
        let email_key = email_key(email);
        if let Some(address) = address {
            self.limited(&[Key::registrations(address)])?;
        }
        if self.account(&email_key).await?.is_some() {
            return Err(taken());
        }
        let password_hash = self.passwords.hash(password).await?;
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
        let user = match row.insert(&savepoint).await {
            Ok(user) => user,
            Err(e) if matches!(e.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                return Err(taken());
            }
            Err(e) => return Err(e.into()),
        };
        savepoint.commit().await?;
        let family = self.clock.new_token();
        self.start(txn, user, family, now).await
    }

    /// Signs in. An unknown address and a wrong password get the same answer in the same time.
    ///
    /// # Errors
    /// User error `WrongCredentials`; `RateLimited` after too many failures.
    pub async fn sign_in(
        &self,
        email: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<Session> {
        // Longer ones cannot be registered; cutting bounds what the limiter keeps.
        let email = email.trim();
        let email_key = email_key(&email[..email.floor_char_boundary(MAX_EMAIL_BYTES + 1)]);
        let keys = Key::sign_in(&email_key, address);
        self.limited(&keys)?;
        let user = self.account(&email_key).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let user = match (self.passwords.verify(password, hash).await?, user) {
            (true, Some(user)) => user,
            _ => {
                return Err(Error::user(
                    UserErrorCode::WrongCredentials,
                    &["input"],
                    "e-mail address and password do not belong together",
                ));
            }
        };
        self.limiter.succeeded(&keys);
        let txn = self.db.begin().await?;
        let family = self.clock.new_token();
        self.start(txn, user, family, self.clock.now()).await
    }

    /// Exchanges a refresh token for the next pair. A token that was exchanged before is in two
    /// hands: its family ends.
    ///
    /// # Errors
    /// User error `InvalidRefreshToken`.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Session> {
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

    /// Who a bearer token speaks for, and for how long. Takes no statement.
    ///
    /// # Errors
    /// `Unauthenticated` for anything but a live access token.
    pub fn access_of(&self, bearer: &str) -> Result<Access> {
        let (user, until) = self.keys.verify(bearer, self.clock.now())?;
        Ok(Access {
            viewer: Viewer::User(user),
            until: Some(until),
        })
    }

    /// The users among `ids` that the viewer may see: themselves, and those
    /// with whom they share a gallery. In no order; the others are left out.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible(&self, viewer: Viewer, ids: &[UserId]) -> Result<Vec<Profile>> {
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

    fn limited(&self, keys: &[Key]) -> Result<()> {
        let counted = self.limiter.attempt(keys, self.clock.now());
        counted.map_err(|retry_after_seconds| Error::RateLimited {
            retry_after_seconds,
        })
    }

    async fn account(&self, email_key: &str) -> Result<Option<user::Model>> {
        Ok(user::Entity::find()
            .filter(user::Column::EmailKey.eq(email_key))
            .one(self.db.read())
            .await?)
    }

    /// Writes the next refresh token of `family`, commits, and signs an access token.
    async fn start(
        &self,
        txn: Transaction,
        user: user::Model,
        family: Uuid,
        now: Timestamp,
    ) -> Result<Session> {
        let (access_token, expires_at) = self.keys.issue(user.id, now)?;
        let refresh_token = token::new_refresh_token(&self.clock);
        let row = refresh_token::ActiveModel {
            token_hash: Set(token::refresh_token_hash(&refresh_token)),
            family_id: Set(family),
            user_id: Set(user.id),
            created_at: Set(now),
            expires_at: Set(now.plus_seconds(i64::from(self.refresh_seconds))),
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
    let hash = token::refresh_token_hash(refresh_token);
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

fn invalid_refresh_token() -> Error {
    Error::user(
        UserErrorCode::InvalidRefreshToken,
        &["input", "refreshToken"],
        "the refresh token is unknown, used, expired or revoked",
    )
}

fn check_registration(email: &str, name: &str, password: &str) -> Result<()> {
    let mut errors = Vec::new();
    let mut must = |ok: bool, field: &str, message: &str| {
        if !ok {
            let path = ["input", field];
            errors.push(UserError::new(UserErrorCode::Invalid, &path, message));
        }
    };
    must(
        is_email(email) && email_key(email).len() <= MAX_EMAIL_BYTES,
        "email",
        "not an e-mail address",
    );
    must(
        (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && is_plain(name),
        "name",
        "a name has 1 to 200 characters and no control characters",
    );
    must(
        PASSWORD_CHARS.contains(&password.chars().count()),
        "password",
        "a password has 8 to 256 characters",
    );
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::User(errors))
    }
}

/// Only what no address can be is refused: whether it exists, only a letter to it can tell.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63;
    text.len() <= MAX_EMAIL_BYTES
        && (1..=64).contains(&local.len())
        && text.chars().all(is_seen)
        && !local.contains('@')
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in ["a@b.example", "guest+1@localhost", "zoë@exämple.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b..c",
            "a@.b",
            "a b@c",
            "a@b\n",
            "a@@b",
            "a\u{200b}@b",
            "\u{202e}a@b",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(!is_email(&format!("{}@b", "a".repeat(65))));
    }
}
