//! Share links: whoever holds one sees a gallery without an account.
//!
//! The link's token is exchanged for an access token of a few minutes, as often as the guest needs
//! one. So a guest is one more viewer to [`crate::access`], no second kind of rights; the long-lived
//! secret does not travel with every request; and a link that is revoked is looked at with every
//! load, a link that expires takes its access tokens along.

pub mod graphql;
pub mod service;
