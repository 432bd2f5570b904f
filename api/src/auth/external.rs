//! Users whom an external issuer vouches for.
//!
//! Issuer and subject together are the user; nothing else is, and above all not the e-mail address:
//! whoever registers here with another's address, which nobody verifies, would be handed the account
//! of the address's owner, or its owner theirs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity::{UserId, external_identity, user};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::oidc::Identity;
use super::rules::{is_email, is_name};
use super::service::AuthService;
use crate::db::{is_taken, retried};
use crate::error::{Error, Result};
use crate::text::email_key;

/// Subjects that are remembered; beyond them all are looked up again.
const CAPACITY: usize = 10_000;
/// Attempts at an insert: one may meet the same subject, one the same address.
const ATTEMPTS: usize = 3;
/// What somebody is called whose token does not say.
const UNNAMED: &str = "Unnamed";

/// Which subjects are which users, so that a request needs no statement for it. That never changes.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, UserId>>);

impl Seen {
    fn get(&self, subject: &str) -> Option<UserId> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(subject).copied()
    }

    fn insert(&self, subject: String, user: UserId) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= CAPACITY {
            seen.clear();
        }
        seen.insert(subject, user);
    }
}

impl AuthService {
    /// Who that is here; a new user at first sight.
    pub(super) async fn user_of(&self, identity: Identity) -> Result<UserId> {
        if let Some(user) = self.seen.get(&identity.subject) {
            return Ok(user);
        }
        let user = retried(|| self.known_or_new(&identity)).await?;
        self.seen.insert(identity.subject, user);
        Ok(user)
    }

    async fn known_or_new(&self, identity: &Identity) -> Result<UserId> {
        for _ in 0..ATTEMPTS {
            let key = (identity.issuer.clone(), identity.subject.clone());
            let known = external_identity::Entity::find_by_id(key)
                .one(self.db.read())
                .await?;
            if let Some(known) = known {
                return Ok(known.user_id);
            }
            if let Some(user) = self.first_sight(identity).await? {
                return Ok(user);
            }
        }
        Err(Error::internal("a first sight met others again and again"))
    }

    /// None where somebody was faster, with the subject or the address.
    async fn first_sight(&self, identity: &Identity) -> Result<Option<UserId>> {
        let id: UserId = self.clock.new_id();
        let now = self.clock.now();
        let txn = self.db.begin().await?;
        let mut email = identity.email.as_deref().map(str::trim).unwrap_or_default();
        if !is_email(email) {
            email = "";
        }
        let mut key = email_key(email);
        let address_taken = user::Entity::find()
            .filter(user::Column::EmailKey.eq(&key))
            .one(&*txn)
            .await?
            .is_some();
        if email.is_empty() || address_taken {
            // No address can be an id.
            (email, key) = ("", id.to_string());
        }
        let name = identity.name.as_deref().map(str::trim);
        let row = user::ActiveModel {
            id: Set(id),
            email: Set(email.to_owned()),
            email_key: Set(key),
            name: Set(name
                .filter(|name| is_name(name))
                .unwrap_or(UNNAMED)
                .to_owned()),
            password_hash: Set(String::new()),
            created_at: Set(now),
        };
        let inserted = user::Entity::insert(row)
            .exec_without_returning(&*txn)
            .await;
        if !is_first(inserted)? {
            return Ok(None);
        }
        let row = external_identity::ActiveModel {
            issuer: Set(identity.issuer.clone()),
            subject: Set(identity.subject.clone()),
            user_id: Set(id),
            created_at: Set(now),
        };
        let inserted = external_identity::Entity::insert(row)
            .exec_without_returning(&*txn)
            .await;
        if !is_first(inserted)? {
            return Ok(None);
        }
        txn.commit().await?;
        Ok(Some(id))
    }
}

/// Whether nobody was faster. If somebody was, the transaction is given up: it wrote nothing else.
fn is_first<T>(inserted: Result<T, sea_orm::DbErr>) -> Result<bool> {
    match inserted {
        Ok(_) => Ok(true),
        Err(e) if is_taken(&e) => Ok(false),
        Err(e) => Err(e.into()),
    }
}
