//! The pictures of a folder, and what in it is none.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::{Picture, count};

/// What is not uploaded.
#[derive(Debug, Default)]
struct LeftOut {
    others: usize,
    /// Their types as the file names have them.
    types: BTreeSet<String>,
    empty: usize,
    folders: usize,
}

impl LeftOut {
    /// `2 files of other types (GIF, HEIC), 1 empty file`; nothing where nothing was left out.
    fn words(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.others > 0 {
            let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
            let files = count(self.others, "file of another type", "files of other types");
            parts.push(format!("{files} ({})", types.join(", ")));
        }
        if self.empty > 0 {
            parts.push(count(self.empty, "empty file", "empty files"));
        }
        if self.folders > 0 {
            parts.push(count(self.folders, "folder", "folders"));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The sample pictures that arrive with the models.
pub(super) fn samples() -> Vec<Picture> {
    assets::samples::PHOTOS
        .iter()
        .map(|photo| Picture {
            name: photo.name.to_owned(),
            content_type: "image/jpeg",
            bytes: photo.bytes.to_vec(),
        })
        .collect()
}

/// # Errors
/// When it is not a folder.
pub(super) fn check(folder: &Path) -> Result<()> {
    if folder.is_file() {
        bail!(
            "{} is a file; give the folder that it is in",
            folder.display()
        );
    }
    if !folder.is_dir() {
        bail!("there is no folder {}", folder.display());
    }
    Ok(())
}

/// Reads the pictures and says on standard error what was left out.
#[expect(
    clippy::print_stderr,
    reason = "nobody should look for a photo that was not uploaded"
)]
pub(super) fn pictures(folder: &Path) -> Result<Vec<Picture>> {
    let (pictures, left_out) = read(folder)?;
    if let Some(words) = left_out.words() {
        eprintln!("left out: {words}");
    }
    if pictures.is_empty() {
        bail!("there is no JPEG, PNG or WebP in {}", folder.display());
    }
    Ok(pictures)
}

fn read(folder: &Path) -> Result<(Vec<Picture>, LeftOut)> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut pictures = Vec::new();
    let mut left_out = LeftOut::default();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read {}", folder.display()))?
            .path();
        if path.is_dir() {
            left_out.folders += 1;
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let Some(content_type) = content_type(&extension.to_lowercase()) else {
            left_out.others += 1;
            left_out.types.insert(match extension.to_uppercase() {
                none if none.is_empty() => "no ending".to_owned(),
                ending => ending,
            });
            continue;
        };
        let bytes =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if bytes.is_empty() {
            left_out.empty += 1;
            continue;
        }
        let name = path.file_name().unwrap_or_default();
        pictures.push(Picture {
            name: name.to_string_lossy().into_owned(),
            content_type,
            bytes,
        });
    }
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((pictures, left_out))
}

fn content_type(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a.png", "c.HEIC", "d.gif", "e.heic", "notes"] {
            std::fs::write(folder.path().join(name), "bytes").unwrap();
        }
        std::fs::write(folder.path().join("f.webp"), "").unwrap();
        std::fs::create_dir(folder.path().join("more.jpg")).unwrap();
        let (pictures, left_out) = read(folder.path()).unwrap();
        let names: Vec<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["a.png", "b.JPG"]);
        assert_eq!(
            left_out.words().unwrap(),
            "4 files of other types (GIF, HEIC, no ending), 1 empty file, 1 folder"
        );
        let file = folder.path().join("a.png");
        assert!(check(&file).unwrap_err().to_string().contains("is a file"));
    }
}
