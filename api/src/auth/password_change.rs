//! The change of a password, which signs every other session out.

use entity::{Timestamp, UserId, refresh_token, user};
use sea_orm::prelude::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use std::net::IpAddr;

use super::Session;
use super::limiter::Key;
use super::rules::check_password;
use super::service::{AuthService, password_hash, unchanged};
use crate::access::Viewer;
use crate::error::{Error, Result, UserErrorCode};

impl AuthService {
    /// Gives the viewer another password and a session that begins now. No refresh token of before
    /// works any more; access tokens of before run out by themselves.
    ///
    /// # Errors
    /// `Unauthenticated`, `Forbidden` for guests; user errors `Invalid` for the new password,
    /// `WrongCredentials` for the present one, `InvalidState` for users without a password,
    /// `SignInElsewhere` without own accounts; `RateLimited` after too many failures: who has found a
    /// token must not find the password by it.
    pub async fn change_password(
        &self,
        viewer: Viewer,
        current: String,
        new: String,
        address: Option<IpAddr>,
    ) -> Result<Session> {
        let me = viewer.user()?;
        self.own_accounts()?;
        check_password(&new, "newPassword")?;
        let user = user::Entity::find_by_id(me)
            .one(self.db.read())
            .await?
            .ok_or(Error::Unauthenticated)?;
        let Some(hash) = password_hash(&user) else {
            let message = "this account has no password here";
            let code = UserErrorCode::InvalidState;
            return Err(Error::user(code, &["input"], message));
        };
        let keys = Key::password_change(me, address);
        self.room(&keys, &user.email_key)?;
        let right = self.verified(&keys, address, &user.email_key, current, Some(hash));
        if !right.await? {
            return Err(wrong_password());
        }
        let turn = self.passwords.turn(&keys, address).await?;
        let hash = self.passwords.hash(turn, new).await?;
        let now = self.clock.now();
        let txn = self.db.begin().await?;
        // With the lock nobody can go on with a session while it is ended, nor begin one with the
        // password of before.
        let user = unchanged(&*txn, user).await?.ok_or_else(wrong_password)?;
        user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, Expr::value(hash.as_str()))
            .filter(user::Column::Id.eq(me))
            .exec(&*txn)
            .await?;
        revoke_all(&*txn, me, now).await?;
        let user = user::Model {
            password_hash: hash,
            ..user
        };
        let family = self.clock.new_token();
        self.start(txn, user, family, now).await
    }
}

async fn revoke_all(connection: &impl ConnectionTrait, user: UserId, now: Timestamp) -> Result<()> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::RevokedAt, Expr::value(now))
        .filter(refresh_token::Column::UserId.eq(user))
        .filter(refresh_token::Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    Ok(())
}

fn wrong_password() -> Error {
    Error::user(
        UserErrorCode::WrongCredentials,
        &["input", "currentPassword"],
        "that is not the present password",
    )
}
