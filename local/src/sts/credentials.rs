//! The access key pair of this machine's AWS, kept in the data folder.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{LocalError, clock};

const FILE_NAME: &str = "credentials.json";

/// An access key pair. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Such as `AKIA…`, twenty characters.
    pub access_key_id: String,
    /// Forty characters.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Reads the access key pair of `data_dir`, or makes one at the first start (random, readable by
/// the owner only).
///
/// # Errors
/// [`LocalError::Io`] when the folder or file cannot be made or read, [`LocalError::Credentials`]
/// when the file is not what this function wrote.
pub fn load_or_create_credentials(data_dir: &Path) -> Result<Credentials, LocalError> {
    fs::create_dir_all(data_dir).map_err(LocalError::io(format!("make {}", data_dir.display())))?;
    let path = data_dir.join(FILE_NAME);
    if let Some(found) = read(&path)? {
        return Ok(found);
    }
    let made = Credentials {
        access_key_id: clock::access_key_id("AKIA"),
        secret_access_key: clock::secret_access_key(),
    };
    // A hard link publishes the whole file or nothing, and the first of two starters wins.
    let temporary = temporary_name(&path);
    let written = write(&temporary, &made).and_then(|()| fs::hard_link(&temporary, &path));
    let removed = fs::remove_file(&temporary);
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other.map_err(LocalError::io(format!("write {}", path.display())))?,
    }
    removed.map_err(LocalError::io(format!("remove {}", temporary.display())))?;
    read(&path)?.ok_or_else(|| LocalError::Credentials {
        path,
        reason: "vanished while it was read".to_owned(),
    })
}

fn read(path: &Path) -> Result<Option<Credentials>, LocalError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LocalError::io(format!("read {}", path.display()))(error)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| LocalError::Credentials {
            path: path.to_path_buf(),
            reason: error.to_string(),
        })
}

/// Replaces a file whole, readable by the owner only.
pub(super) fn write_private(path: &Path, content: &impl Serialize) -> std::io::Result<()> {
    let temporary = temporary_name(path);
    write(&temporary, content)?;
    fs::rename(&temporary, path)
}

fn temporary_name(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.tmp", clock::new_id().simple()))
}

fn write(path: &Path, content: &impl Serialize) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file: File = options.open(path)?;
    serde_json::to_writer(&mut file, content)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_persists_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_create_credentials(folder.path()).unwrap();
        assert_eq!(first.access_key_id.len(), 20);
        assert_eq!(first.secret_access_key.len(), 40);
        assert_eq!(load_or_create_credentials(folder.path()).unwrap(), first);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file stays");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.path().join(FILE_NAME)).unwrap();
            assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        }
        assert!(!format!("{first:?}").contains(&first.secret_access_key));
    }

    #[test]
    fn a_file_that_is_not_ours_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "{}").unwrap();
        let error = load_or_create_credentials(folder.path()).unwrap_err();
        assert!(error.to_string().contains(FILE_NAME), "{error}");
    }
}
