//! Files of the store: opaque names, written once, never changed.
//!
//! ```text
//! tmp/<id>            being written; emptied at start
//! blobs/<2 hex>/<id>  complete and on disk; without a row in the index it is litter
//! ```

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

use super::index::Blob;
use crate::{LocalError, clock};

/// The folders, and which files are being read.
#[derive(Debug)]
pub(super) struct Files {
    temporary: PathBuf,
    blobs: PathBuf,
    pins: Mutex<HashMap<String, Pin>>,
}

#[derive(Debug, Default)]
struct Pin {
    readers: usize,
    /// Removed from the index while somebody reads it: the last reader unlinks it.
    doomed: bool,
}

impl Files {
    pub(super) fn open(data_dir: &Path) -> Result<Self, LocalError> {
        let files = Self {
            temporary: data_dir.join("tmp"),
            blobs: data_dir.join("blobs"),
            pins: Mutex::default(),
        };
        let make = |path: &Path| {
            fs::create_dir_all(path).map_err(LocalError::io(format!("make {}", path.display())))
        };
        make(&files.temporary)?;
        for prefix in 0..=u8::MAX {
            make(&files.blobs.join(format!("{prefix:02x}")))?;
        }
        sync_folder(&files.blobs)
            .map_err(LocalError::io(format!("sync {}", files.blobs.display())))?;
        Ok(files)
    }

    /// Removes what a crash left behind: half-written files, and complete ones that the index
    /// does not know. Only before the first request.
    pub(super) fn sweep(&self, known: &HashSet<String>) -> Result<usize, LocalError> {
        let mut removed = 0;
        let failed = |path: &Path| LocalError::io(format!("sweep {}", path.display()));
        for entry in fs::read_dir(&self.temporary).map_err(failed(&self.temporary))? {
            let path = entry.map_err(failed(&self.temporary))?.path();
            fs::remove_file(&path).map_err(failed(&path))?;
            removed += 1;
        }
        for folder in fs::read_dir(&self.blobs).map_err(failed(&self.blobs))? {
            let folder = folder.map_err(failed(&self.blobs))?.path();
            for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
                let entry = entry.map_err(failed(&folder))?;
                let name = entry.file_name();
                if !name.to_str().is_some_and(|name| known.contains(name)) {
                    fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// A new file to write to. It vanishes unless it is [kept](Temporary::keep).
    pub(super) fn create(self: &Arc<Self>) -> io::Result<(File, Temporary)> {
        let name = clock::new_id().simple().to_string();
        let path = self.temporary.join(&name);
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok((
            file,
            Temporary {
                files: Arc::clone(self),
                path: Some(path),
                name,
            },
        ))
    }

    /// A second name for the bytes of a file, on disk when this returns.
    pub(super) fn link(&self, blob: &Blob) -> io::Result<Blob> {
        let name = clock::new_id().simple().to_string();
        let target = self.path(&name);
        match fs::hard_link(self.path(&blob.name), &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            // Some file systems know no hard links.
            Err(_) => {
                fs::copy(self.path(&blob.name), &target)?;
                File::open(&target)?.sync_all()?;
            }
            Ok(()) => {}
        }
        sync_parent(&target)?;
        Ok(Blob {
            name,
            size: blob.size,
        })
    }

    pub(super) fn open_blob(&self, blob: &Blob) -> io::Result<File> {
        File::open(self.path(&blob.name))
    }

    pub(super) fn exists(&self, blob: &Blob) -> bool {
        self.path(&blob.name).exists()
    }

    /// Removes files, at once or when their last reader is done.
    pub(super) fn discard(&self, blobs: &[Blob]) {
        let mut pins = self.lock();
        for blob in blobs {
            match pins.get_mut(&blob.name) {
                Some(pin) => pin.doomed = true,
                None => self.unlink(&blob.name),
            }
        }
    }

    /// Keeps files from being removed until the answer is dropped.
    pub(super) fn pin(self: &Arc<Self>, blobs: &[Blob]) -> Pinned {
        let mut pins = self.lock();
        for blob in blobs {
            pins.entry(blob.name.clone()).or_default().readers += 1;
        }
        Pinned {
            files: Arc::clone(self),
            names: blobs.iter().map(|blob| blob.name.clone()).collect(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.blobs.join(&name[..2.min(name.len())]).join(name)
    }

    fn unlink(&self, name: &str) {
        let path = self.path(name);
        // What cannot be removed now is collected at the next start.
        if let Err(error) = fs::remove_file(&path) {
            warn!(path = %path.display(), %error, "a file of the store stays behind");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Pin>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Files that somebody reads.
#[derive(Debug)]
pub(super) struct Pinned {
    files: Arc<Files>,
    names: Vec<String>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut pins = self.files.lock();
        for name in &self.names {
            if let Some(pin) = pins.get_mut(name) {
                pin.readers -= 1;
                if pin.readers == 0 {
                    if pin.doomed {
                        self.files.unlink(name);
                    }
                    pins.remove(name);
                }
            }
        }
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Temporary {
    files: Arc<Files>,
    path: Option<PathBuf>,
    name: String,
}

impl Temporary {
    /// Gives the file (written and synced) its final name, on disk when this returns. It has no
    /// row in the index yet: until then nobody sees it, and a crash makes it litter.
    pub(super) fn keep(mut self, size: u64) -> io::Result<Blob> {
        if let Some(path) = &self.path {
            let target = self.files.path(&self.name);
            fs::rename(path, &target)?;
            self.path = None;
            sync_parent(&target)?;
        }
        Ok(Blob {
            name: std::mem::take(&mut self.name),
            size,
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            warn!(path = %path.display(), %error, "a temporary file stays behind");
        }
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix lets a folder be opened and synced; elsewhere the rename itself is durable.
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn write(files: &Arc<Files>, content: &[u8]) -> Blob {
        let (mut file, temporary) = files.create().unwrap();
        file.write_all(content).unwrap();
        file.sync_all().unwrap();
        temporary.keep(content.len() as u64).unwrap()
    }

    #[test]
    fn a_file_that_is_read_outlives_its_removal() {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(folder.path()).unwrap());
        let blob = write(&files, b"content");
        let (first, second) = (
            files.pin(std::slice::from_ref(&blob)),
            files.pin(std::slice::from_ref(&blob)),
        );
        files.discard(std::slice::from_ref(&blob));
        drop(first);
        assert!(files.open_blob(&blob).is_ok());
        drop(second);
        assert!(files.open_blob(&blob).is_err());
    }

    #[test]
    fn a_copy_does_not_depend_on_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(folder.path()).unwrap());
        let blob = write(&files, b"content");
        let copy = files.link(&blob).unwrap();
        files.discard(&[blob]);
        let text = io::read_to_string(files.open_blob(&copy).unwrap()).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn sweeping_leaves_only_what_the_index_knows() {
        let folder = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(folder.path()).unwrap());
        let (known, litter) = (write(&files, b"a"), write(&files, b"b"));
        fs::write(folder.path().join("tmp/half"), b"c").unwrap();
        let removed = files.sweep(&HashSet::from([known.name.clone()])).unwrap();
        assert_eq!(removed, 2);
        assert!(files.open_blob(&known).is_ok());
        assert!(files.open_blob(&litter).is_err());
    }
}
