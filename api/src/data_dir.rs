//! The data folder: SQLite, what the local stand-ins keep, secrets that were made here.

use std::path::Path;

use anyhow::{Context as _, Result};
use local::LocalError;

/// Makes the folder where it is missing, for nobody but the user who runs this: it holds keys. One that
/// is there keeps its permissions.
///
/// # Errors
/// The file system's, with the folder.
pub fn make(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    // Those above it are as any other folder.
    let above = folder.parent().filter(|p| !p.as_os_str().is_empty());
    above
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| builder.create(folder))
        .with_context(|| {
            format!(
                "cannot make the data folder {}; set DATA_DIR (data_dir) to another",
                folder.display()
            )
        })
}

/// Adds the way out where another server holds the folder.
pub fn in_use(error: LocalError) -> anyhow::Error {
    match error {
        LocalError::InUse(folder) => anyhow::anyhow!(
            "{} is in use by another running server; stop that one, or set DATA_DIR (data_dir) to \
             another folder",
            folder.display()
        ),
        other => other.into(),
    }
}
