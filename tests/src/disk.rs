//! A disk that a test can fill.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A small file system in memory; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// One of so many megabytes; none where nobody lets us mount it.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "what was left out is said")]
    pub fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={megabytes}m"))
            .arg("none")
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        println!("skipped: only root can mount a small disk");
        None
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes until nothing goes on it any more. The file to remove to make room.
    #[must_use]
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [64 << 10, 1] {
            let piece = vec![b'x'; size];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        path
    }

    /// Bytes of files, the ballast left out.
    #[must_use]
    pub fn used(&self) -> u64 {
        fn of(folder: &Path) -> u64 {
            let entries = std::fs::read_dir(folder).expect("a folder").flatten();
            let sizes = entries.map(|entry| match entry.metadata() {
                Ok(data) if data.is_dir() => of(&entry.path()),
                Ok(data) if entry.file_name() != "ballast" => data.len(),
                _ => 0,
            });
            sizes.sum()
        }
        of(self.path())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still has files open keeps them; the name goes.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
