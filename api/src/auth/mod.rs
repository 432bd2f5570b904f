//! Accounts: passwords, access tokens (JWT, minutes) and refresh tokens (rotated, weeks).
//!
//! A refresh token works once. All tokens that descend from one sign-in form a family; a second
//! use of one of them means that it was stolen, and ends the family.
//!
//! Beside our own tokens those of one external issuer count ([`oidc`]), if one is configured.

mod external;
pub mod graphql;
pub mod job;
pub mod limiter;
pub mod loader;
pub mod oidc;
pub mod password;
mod password_change;
mod rules;
pub mod service;
pub mod token;
pub mod turns;

use std::net::IpAddr;

use entity::{Timestamp, UserId};

use crate::access::Viewer;

/// A user, without the password hash. [`graphql::User`] shows the e-mail address to its owner only.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// Whose it is.
    pub id: UserId,
    /// Name shown to other members.
    pub name: String,
    /// E-mail address; empty where an external issuer vouches for none.
    pub email: String,
}

impl std::fmt::Debug for Profile {
    /// Without name and address, so that neither reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Profile({})", self.id)
    }
}

/// A fresh pair of tokens.
#[derive(Clone)]
pub struct Session {
    /// Whose they are.
    pub user: Profile,
    /// Bearer token for the `Authorization` header.
    pub access_token: String,
    /// Exchanged once for the next pair.
    pub refresh_token: String,
    /// For the device's next sign-in, by which [`limiter`] knows it.
    pub device_token: String,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Session {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?}, until {})", self.user, self.expires_at.0)
    }
}

/// Who asks, and until when that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub viewer: Viewer,
    /// When the access token ends; what goes on for longer ends then. None without a token.
    pub until: Option<Timestamp>,
}

impl Access {
    /// Without a token.
    pub const ANONYMOUS: Self = Self {
        viewer: Viewer::Anonymous,
        until: None,
    };
}

/// Where a request came from, for limits by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Where an attempt to sign in comes from, for limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The address, where it is known.
    pub address: Option<IpAddr>,
    /// The device token of an earlier sign-in. What is no token of ours for the account counts as none.
    pub device_token: Option<&'a str>,
}
