//! Where documents come from: the text of a request, or one that the server knows by its hash or id.
//!
//! Two kinds are known. Trusted documents are read from manifests at start and stay. Those of Apollo's
//! protocol APQ are registered by clients and kept while there is room; a replica that does not know
//! one says so, and the client sends its text again.

mod cache;
mod manifest;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use async_graphql::Variables;
use async_graphql::parser::Pos;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};
use sha2::{Digest as _, Sha256};
use wire::definitions;
use wire::price::{self, Cost, LIMITS, Limits};
use wire::shape::Shape;
use wire::weight;

use super::problem::Problem;
use super::schema;
use crate::config;
use cache::Cache;
use manifest::Trusted;
pub use manifest::Unknown;

/// Longest document in bytes.
pub const MAX_QUERY_BYTES: usize = 100 * 1024;
/// SHA-256 of a document's text.
type Hash = [u8; 32];

/// Which documents run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those that come as text.
    Off,
    /// Those that come as text, those of the manifests, and what clients register.
    Apq,
    /// Those of the manifests and no other.
    TrustedOnly,
}

impl Mode {
    /// As the configuration spells it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "apq" => Some(Self::Apq),
            "trusted-only" => Some(Self::TrustedOnly),
            _ => None,
        }
    }
}

/// How a client names a document, in place of its text or beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As it stands in manifests.
    id: String,
    /// Of the text, where the name says it.
    hash: Option<Hash>,
}

impl Reference {
    /// `extensions.persistedQuery.sha256Hash`: a hash, or an id of an Apollo manifest.
    #[must_use]
    pub fn hash(text: String) -> Self {
        let hash = from_hex(&text);
        Self { id: text, hash }
    }

    /// `documentId`: `sha256:` and a hash, or an id of a manifest.
    #[must_use]
    pub fn id(text: String) -> Self {
        let hash = text.strip_prefix("sha256:").and_then(from_hex);
        Self { id: text, hash }
    }
}

/// Only in lower case: each hash has one spelling.
fn from_hex(text: &str) -> Option<Hash> {
    let is_lower = !text.contains(|c: char| c.is_ascii_uppercase());
    let bytes = hex::decode(text).ok().filter(|_| is_lower)?;
    bytes.try_into().ok()
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// Of a text's definitions, each byte for byte, in whatever order: Apollo's generator sorts them, its
/// clients send them as the app has them.
fn form(text: &str) -> Hash {
    let definitions = definitions::split(text).into_iter();
    let mut hashes: Vec<Hash> = definitions.map(hash).collect();
    hashes.sort_unstable();
    Sha256::digest(hashes.concat()).into()
}

/// A document that is parsed.
#[derive(Debug)]
pub struct Document {
    /// As the library reads it.
    pub parsed: ExecutableDocument,
    /// Of each operation whose price no variable changes, by its place.
    costs: Vec<(Pos, Arc<Cost>)>,
}

impl Document {
    fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(Problem::bad_request(format!(
                "`query` has more than {MAX_QUERY_BYTES} bytes"
            )));
        }
        let parsed = wire::document::parse(text)?;
        let costs = Vec::new();
        Ok(Self { parsed, costs })
    }

    /// Prices every operation, once for all requests. Returns what is wrong with one, where that does
    /// not depend on variables.
    fn price(&mut self, shape: &Shape, limits: &Limits) -> Result<(), Problem> {
        let variables = Variables::default();
        let mut costs = Vec::new();
        let mut outcome = Ok(());
        // Up to the first that is refused: most limits are those of the whole document.
        for (_, operation) in self.parsed.operations.iter() {
            match price::check(&self.parsed, operation, &variables, shape, limits) {
                Ok(cost) if !cost.varies => costs.push((operation.pos, Arc::new(cost))),
                Ok(_) => {}
                Err(problem) => {
                    outcome = Err(problem);
                    break;
                }
            }
        }
        self.costs = costs;
        outcome
    }

    /// What an operation costs; none where it depends on variables.
    #[must_use]
    pub fn cost(
        &self,
        operation: &async_graphql::Positioned<OperationDefinition>,
    ) -> Option<Arc<Cost>> {
        let known = self.costs.iter().find(|(pos, _)| *pos == operation.pos)?;
        Some(Arc::clone(&known.1))
    }

    /// Bytes of memory, from above.
    fn weight(&self) -> usize {
        let roots = self.costs.iter().flat_map(|(_, cost)| &cost.roots);
        let costs = self.costs.len() * 2 * size_of::<Cost>();
        let named = roots.map(|(name, _)| size_of::<(String, u64)>() + name.len() + 32);
        size_of::<Self>() + costs + named.sum::<usize>() + weight::weigh(&self.parsed)
    }
}

/// A document that a client asks to be known, once it has proven to be worth it.
#[derive(Debug)]
pub struct Registration {
    hash: Hash,
    document: Arc<Document>,
}

/// What a request wants to run.
#[derive(Debug)]
pub struct Found {
    /// The document.
    pub document: Arc<Document>,
    /// Set where it is to be known from now on.
    pub registration: Option<Registration>,
}

/// All documents that a process knows.
#[derive(Debug)]
pub struct Documents {
    mode: Mode,
    trusted: Trusted,
    registered: Cache,
    shape: Shape,
    limits: Limits,
}

impl Documents {
    /// As the configuration says.
    ///
    /// # Errors
    /// As [`Documents::new`].
    pub fn of(config: &config::Graphql) -> Result<Self> {
        let shape = Shape::from_sdl(&schema::sdl()).context("the schema cannot be read back")?;
        let limits = Limits {
            cost: u64::from(config.max_cost),
            ..LIMITS
        };
        let mode = Mode::parse(&config.persisted).context("graphql.persisted is unknown")?;
        let bytes = config.registered_mb as usize * 1024 * 1024;
        Self::new(mode, config.manifest.as_deref(), bytes, shape, limits)
    }

    /// Reads the manifests: `manifest` is a file, or a folder whose `*.json` are all read. `bytes`
    /// bounds what clients may register.
    ///
    /// # Errors
    /// What is wrong with which manifest.
    pub fn new(
        mode: Mode,
        manifest: Option<&Path>,
        bytes: usize,
        shape: Shape,
        limits: Limits,
    ) -> Result<Self> {
        let trusted = match manifest {
            Some(path) => Trusted::read(path, &shape, &limits)
                .context("the manifest of graphql.manifest (GRAPHQL_MANIFEST)")?,
            None if mode == Mode::TrustedOnly => bail!("trusted-only takes a manifest"),
            None => Trusted::default(),
        };
        Ok(Self {
            mode,
            trusted,
            registered: Cache::new(bytes),
            shape,
            limits,
        })
    }

    /// How many were known at start.
    #[must_use]
    pub fn trusted(&self) -> usize {
        self.trusted.len()
    }

    /// Which of them ask for what the schema does not have.
    #[must_use]
    pub fn unknown(&self) -> &[Unknown] {
        self.trusted.unknown()
    }

    /// The schema as a table.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The limits of each document.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What a request means by its text, its reference, or both.
    ///
    /// # Errors
    /// When there is no such document, when the two do not belong together, or when the text does not
    /// parse.
    pub fn find(&self, text: &str, reference: Option<&Reference>) -> Result<Found, Problem> {
        let text = Some(text).filter(|text| !text.trim().is_empty());
        match (text, reference) {
            (_, Some(_)) if self.mode == Mode::Off => Err(Problem::persisted_unsupported()),
            (None, None) => Err(Problem::bad_request("`query` is empty")),
            (Some(text), None) => self.by_text(text).map(found),
            (None, Some(reference)) => self
                .known(reference)
                .map(found)
                .ok_or_else(Problem::not_persisted),
            (Some(text), Some(reference)) => self.both(text, reference),
        }
    }

    /// Keeps a document that was executed.
    pub fn keep(&self, registration: Registration) {
        let Registration { hash, document } = registration;
        let weight = document.weight();
        self.registered.insert(hash, document, weight);
    }

    fn by_text(&self, text: &str) -> Result<Arc<Document>, Problem> {
        match self.mode {
            // The same definitions: then it does not matter that they came as text.
            Mode::TrustedOnly => self.trusted.by_text(text).ok_or_else(Problem::not_trusted),
            Mode::Off | Mode::Apq => Document::parse(text).map(Arc::new),
        }
    }

    fn known(&self, reference: &Reference) -> Option<Arc<Document>> {
        self.trusted
            .by_id(&reference.id)
            .or_else(|| self.by_hash(&reference.hash?))
    }

    fn by_hash(&self, hash: &Hash) -> Option<Arc<Document>> {
        self.trusted
            .by_hash(hash)
            .or_else(|| self.registered.get(hash))
    }

    /// A registration, or a client that plays safe.
    fn both(&self, text: &str, reference: &Reference) -> Result<Found, Problem> {
        let mismatch = || Problem::bad_request("provided sha does not match query");
        if text.len() > MAX_QUERY_BYTES {
            return Document::parse(text).map(|document| found(Arc::new(document)));
        }
        let hash = hash(text);
        if reference.hash != Some(hash) {
            // An id of a manifest stands for one document.
            let named = self.trusted.by_id(&reference.id);
            return match (named, self.trusted.by_text(text)) {
                (Some(named), Some(meant)) if Arc::ptr_eq(&named, &meant) => Ok(found(named)),
                _ => Err(mismatch()),
            };
        }
        match (self.by_hash(&hash), self.mode) {
            (Some(document), _) => Ok(found(document)),
            (None, Mode::TrustedOnly) => self.by_text(text).map(found),
            (None, Mode::Off | Mode::Apq) => {
                let mut document = Document::parse(text)?;
                // What is wrong is told when the chosen operation is priced.
                let _ = document.price(&self.shape, &self.limits);
                let document = Arc::new(document);
                Ok(Found {
                    document: Arc::clone(&document),
                    registration: Some(Registration { hash, document }),
                })
            }
        }
    }
}

fn found(document: Arc<Document>) -> Found {
    Found {
        document,
        registration: None,
    }
}

#[cfg(test)]
mod tests;
