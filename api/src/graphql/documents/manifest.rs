//! Manifests of trusted documents, as clients' build tools write them: Apollo's
//! `apollo-persisted-query-manifest`, and Relay's `{ "<id>": "<text>" }`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;
use wire::price::Limits;
use wire::shape::Shape;
use wire::unknown;

use super::{Document, Hash, form, hash};

/// Longest manifest in bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// What Apollo's say of themselves.
const APOLLO: &str = "apollo-persisted-query-manifest";

/// Documents that the server was started with.
#[derive(Debug, Default)]
pub(super) struct Trusted {
    by_id: HashMap<String, Arc<Document>>,
    by_hash: HashMap<Hash, Arc<Document>>,
    /// By their definitions: see [`form`].
    by_form: HashMap<Hash, Arc<Document>>,
    unknown: Vec<Unknown>,
}

/// A document of a manifest that asks for what the schema does not have. That is no fault where a newer
/// client's manifest is there before the newer server; called now, it is refused as any other text.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The document's, in its manifest.
    pub id: String,
    /// What the schema does not have: the first of it, `Type` or `Type.field`.
    pub name: String,
}

impl Trusted {
    /// Reads a file, or every `*.json` of a folder.
    pub(super) fn read(path: &Path, shape: &Shape, limits: &Limits) -> Result<Self> {
        let mut trusted = Self::default();
        for file in files(path)? {
            trusted
                .add_file(&file, shape, limits)
                .with_context(|| file.display().to_string())?;
        }
        Ok(trusted)
    }

    pub(super) fn by_id(&self, id: &str) -> Option<Arc<Document>> {
        self.by_id.get(id).cloned()
    }

    pub(super) fn by_hash(&self, hash: &Hash) -> Option<Arc<Document>> {
        self.by_hash.get(hash).cloned()
    }

    /// The same definitions, in any order.
    pub(super) fn by_text(&self, text: &str) -> Option<Arc<Document>> {
        self.by_form.get(&form(text)).cloned()
    }

    /// In the order of files and ids.
    pub(super) fn unknown(&self) -> &[Unknown] {
        &self.unknown
    }

    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    fn add_file(&mut self, file: &Path, shape: &Shape, limits: &Limits) -> Result<()> {
        let bytes = std::fs::metadata(file)?.len();
        ensure!(bytes <= MAX_BYTES, "has {bytes} bytes; {MAX_BYTES} at most");
        let manifest = serde_json::from_slice(&std::fs::read(file)?).context("is no JSON")?;
        for (id, text) in documents(&manifest)? {
            self.add(id, text, shape, limits)
                .with_context(|| format!("the document {id:?}"))?;
        }
        Ok(())
    }

    fn add(&mut self, id: &str, text: &str, shape: &Shape, limits: &Limits) -> Result<()> {
        ensure!(!id.is_empty(), "has no id");
        let form = form(text);
        let document = match self.by_form.get(&form) {
            Some(document) => Arc::clone(document),
            None => {
                let mut document = Document::parse(text).map_err(|p| anyhow!(p.message))?;
                document
                    .price(shape, limits)
                    .map_err(|problem| anyhow!(problem.message))?;
                let unknown = unknown::first(&document.parsed, shape);
                self.unknown.extend(unknown.map(|name| Unknown {
                    id: id.to_owned(),
                    name,
                }));
                Arc::new(document)
            }
        };
        // Manifests of several releases overlap.
        let before = self.by_id.insert(id.to_owned(), Arc::clone(&document));
        ensure!(
            before.is_none_or(|before| Arc::ptr_eq(&before, &document)),
            "has the id of another one"
        );
        self.by_form.insert(form, Arc::clone(&document));
        self.by_hash.insert(hash(text), document);
        Ok(())
    }
}

/// In their order by name, so that the same of several faults is told each time.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let place = || path.display().to_string();
    if !path.is_dir() {
        ensure!(path.exists(), "{}: there is no such file", place());
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(place)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = paths.with_context(place)?;
    files.retain(|file| file.is_file() && file.extension().is_some_and(|end| end == "json"));
    ensure!(!files.is_empty(), "{}: no *.json in this folder", place());
    files.sort();
    Ok(files)
}

/// Ids and texts of a manifest.
fn documents(manifest: &Value) -> Result<Vec<(&str, &str)>> {
    let unknown = || {
        anyhow!(
            "is neither a manifest of Apollo ({{\"format\": \"{APOLLO}\", \"version\": 1, \
             \"operations\": […]}}) nor one of Relay ({{\"<id>\": \"<document>\"}})"
        )
    };
    let fields = manifest.as_object().ok_or_else(unknown)?;
    if fields.get("format").is_some_and(|format| format == APOLLO) {
        let version = &manifest["version"];
        ensure!(*version == 1, "is of version {version}; 1 is known");
        let Some(operations) = manifest["operations"].as_array() else {
            bail!("has no list of `operations`");
        };
        let mut documents = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            let (Some(id), Some(body)) = (
                operation.get("id").and_then(Value::as_str),
                operation.get("body").and_then(Value::as_str),
            ) else {
                bail!("operation {index} lacks `id` or `body`");
            };
            documents.push((id, body));
        }
        return Ok(documents);
    }
    fields
        .iter()
        .map(|(id, text)| Some((id.as_str(), text.as_str()?)))
        .collect::<Option<_>>()
        .ok_or_else(unknown)
}
