//! Credentials that sign URLs: held between pages, renewed before a URL would outlive them.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use entity::Timestamp;
use tokio::sync::Mutex;

use super::StorageError;

/// How long credentials without an end are held before the provider is asked again, as the SDK does.
const HELD_SECONDS: i64 = 900;
/// Providers such as the instance metadata service give the same session until it is rotated:
/// asking for a longer one is pointless more often than this.
const ASK_AGAIN_SECONDS: i64 = 60;

/// Longest wait for the provider: somebody waits for a page or an upload.
const PATIENCE: Duration = Duration::from_secs(8);

/// Credentials and their end.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) credentials: Credentials,
    /// When they end; none for those of a user.
    pub(super) expires_at: Option<Timestamp>,
    fetched_at: Timestamp,
}

impl Held {
    fn alive(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    fn good(&self, now: Timestamp, wanted: Timestamp) -> bool {
        match self.expires_at {
            Some(end) => {
                end >= wanted
                    || (end > now && now < self.fetched_at.plus_seconds(ASK_AGAIN_SECONDS))
            }
            None => now < self.fetched_at.plus_seconds(HELD_SECONDS),
        }
    }
}

/// A provider with a memory. The SDK's own cache lives in its clients, out of a signer's reach.
#[derive(Debug)]
pub(super) struct SigningCredentials {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<Held>>,
}

impl SigningCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            held: Mutex::new(None),
        }
    }

    /// Credentials that live for `wanted` from `now` where the provider has such, else those it has.
    pub(super) async fn current(
        &self,
        now: Timestamp,
        wanted: Duration,
    ) -> Result<Held, StorageError> {
        let wanted = now.plus_seconds(i64::try_from(wanted.as_secs()).unwrap_or(i64::MAX));
        let mut slot = self.held.lock().await;
        if let Some(held) = slot.as_ref().filter(|held| held.good(now, wanted)) {
            return Ok(held.clone());
        }
        let asked = tokio::time::timeout(PATIENCE, self.provider.provide_credentials()).await;
        let given = asked.unwrap_or(Err(CredentialsError::provider_timed_out(PATIENCE)));
        match given {
            Ok(credentials) => {
                let held = Held {
                    expires_at: expiry(&credentials),
                    credentials,
                    fetched_at: now,
                };
                if !held.alive(now) {
                    return Err(StorageError::Unavailable(anyhow::anyhow!(
                        "the provider gave credentials that have expired"
                    )));
                }
                *slot = Some(held.clone());
                Ok(held)
            }
            Err(error) => match slot.as_ref().filter(|held| held.alive(now)) {
                Some(held) => {
                    tracing::warn!(%error, "credentials were not renewed; the old ones still live");
                    Ok(held.clone())
                }
                None => Err(classify(error)),
            },
        }
    }
}

/// What the presigning client of the SDK asks: the credentials that [`SigningCredentials::current`]
/// chose last.
#[derive(Clone, Debug)]
pub(super) struct HeldProvider(pub(super) std::sync::Arc<SigningCredentials>);

impl ProvideCredentials for HeldProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            if let Some(held) = self.0.held.lock().await.as_ref() {
                return Ok(held.credentials.clone());
            }
            self.0.provider.provide_credentials().await
        })
    }
}

fn expiry(credentials: &Credentials) -> Option<Timestamp> {
    let since_epoch = credentials.expiry()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX),
    ))
}

fn classify(error: CredentialsError) -> StorageError {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            StorageError::Refused(anyhow::Error::new(error).context("no credentials for S3"))
        }
        other => {
            StorageError::Unavailable(anyhow::Error::new(other).context("no credentials for S3"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Gives sessions of an hour, numbered, from a time that the test sets.
    #[derive(Debug)]
    struct Sessions {
        now: AtomicI64,
        given: AtomicI64,
    }

    #[derive(Clone, Debug)]
    struct Provider(Arc<Sessions>);

    impl ProvideCredentials for Provider {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.0.given.fetch_add(1, Ordering::SeqCst);
            let end = self.0.now.load(Ordering::SeqCst) + 3_600;
            let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap());
            future::ProvideCredentials::ready(Ok(Credentials::new(
                format!("AK{number}"),
                "secret",
                Some("token".into()),
                Some(end),
                "test",
            )))
        }
    }

    #[tokio::test]
    async fn sessions_are_renewed_before_a_url_outlives_them() {
        let sessions = Arc::new(Sessions {
            now: AtomicI64::new(1_000_000),
            given: AtomicI64::new(0),
        });
        let credentials =
            SigningCredentials::new(SharedCredentialsProvider::new(Provider(sessions.clone())));
        let start = Timestamp(1_000_000 * 1_000_000);
        let half_an_hour = Duration::from_secs(1_800);
        let mut keys = Vec::new();
        for seconds in [0, 1_000, 1_800, 1_801, 1_900] {
            sessions.now.store(1_000_000 + seconds, Ordering::SeqCst);
            let held = credentials
                .current(start.plus_seconds(seconds), half_an_hour)
                .await
                .unwrap();
            keys.push(held.credentials.access_key_id().to_owned());
        }
        assert_eq!(keys, ["AK0", "AK0", "AK0", "AK1", "AK1"]);
    }
}
