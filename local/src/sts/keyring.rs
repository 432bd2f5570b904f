//! Every access key that is accepted: the machine's own, and the temporary ones that STS gave
//! out. Temporary keys survive a restart, as they do at AWS.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ACCOUNT_ID;
use crate::sigv4::{Credential, CredentialStore};
use crate::{LocalError, clock};

const FILE_NAME: &str = "sessions.json";

/// Temporary credentials, as `AssumeRole` answers them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: String,
    pub(super) expires_at: DateTime<Utc>,
    /// `arn:aws:sts::…:assumed-role/<role>/<session name>`.
    pub(super) principal_arn: String,
}

/// The keys of one data folder.
pub(crate) struct Keyring {
    access_key_id: String,
    secret_access_key: String,
    path: PathBuf,
    sessions: RwLock<HashMap<String, Session>>,
}

impl Keyring {
    pub(crate) fn open(
        data_dir: &Path,
        access_key_id: String,
        secret_access_key: String,
    ) -> Result<Self, LocalError> {
        let path = data_dir.join(FILE_NAME);
        let stored: Vec<Session> = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| LocalError::Credentials {
                    path: path.clone(),
                    reason: error.to_string(),
                })?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(LocalError::io(format!("read {}", path.display()))(error)),
        };
        let sessions = stored
            .into_iter()
            .map(|session| (session.access_key_id.clone(), session))
            .collect();
        Ok(Self {
            access_key_id,
            secret_access_key,
            path,
            sessions: RwLock::new(sessions),
        })
    }

    /// Remembers new temporary credentials, on disk too, and forgets those that ended an hour
    /// ago (until then their holder is told that they expired).
    pub(super) fn add(&self, session: Session) -> std::io::Result<()> {
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let horizon = clock::now_utc() - chrono::TimeDelta::hours(1);
        sessions.retain(|_, session| session.expires_at > horizon);
        sessions.insert(session.access_key_id.clone(), session);
        let kept: Vec<&Session> = sessions.values().collect();
        super::credentials::write_private(&self.path, &kept)
    }
}

impl CredentialStore for Keyring {
    fn find(&self, access_key_id: &str) -> Option<Credential> {
        if access_key_id == self.access_key_id {
            return Some(Credential {
                secret_access_key: self.secret_access_key.clone(),
                session_token: None,
                expires_at: None,
                principal_arn: format!("arn:aws:iam::{ACCOUNT_ID}:user/local"),
            });
        }
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(access_key_id).map(|session| Credential {
            secret_access_key: session.secret_access_key.clone(),
            session_token: Some(session.session_token.clone()),
            expires_at: Some(session.expires_at),
            principal_arn: session.principal_arn.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, minutes: i64) -> Session {
        Session {
            access_key_id: id.to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "token".to_owned(),
            expires_at: clock::now_utc() + chrono::TimeDelta::minutes(minutes),
            principal_arn: "arn".to_owned(),
        }
    }

    #[test]
    fn sessions_survive_a_restart_and_old_ones_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Keyring::open(folder.path(), "AKIA".to_owned(), "own".to_owned()).unwrap();
        let keyring = open();
        for (id, minutes) in [("ASIAOLD", -90), ("ASIAENDED", -5), ("ASIANEW", 5)] {
            keyring.add(session(id, minutes)).unwrap();
        }
        let again = open();
        assert!(again.find("ASIAOLD").is_none());
        let ended = again.find("ASIAENDED").unwrap();
        assert!(ended.expires_at.unwrap() < clock::now_utc());
        let new = again.find("ASIANEW").unwrap();
        assert_eq!(new.session_token.as_deref(), Some("token"));
        let own = again.find("AKIA").unwrap();
        assert_eq!((own.session_token, own.expires_at), (None, None));
    }
}
