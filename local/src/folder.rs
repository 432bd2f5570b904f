//! One server per data folder.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::LocalError;

/// Held while a server owns a data folder. Given up with the process, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(crate) fn take(data_dir: &Path) -> Result<Self, LocalError> {
        fs::create_dir_all(data_dir)
            .map_err(LocalError::io(format!("make {}", data_dir.display())))?;
        let path = data_dir.join("lock");
        let file =
            File::create(&path).map_err(LocalError::io(format!("make {}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LocalError::InUse(data_dir.to_path_buf())),
            Err(TryLockError::Error(error)) => {
                Err(LocalError::io(format!("lock {}", path.display()))(error))
            }
        }
    }
}
