//! Counters of what the local servers did, by service and operation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A copy of the counters, keyed `service:Operation`, such as `s3:GetObject`,
/// `rekognition:DetectFaces` or `sts:AssumeRole`. CORS preflights count as `s3:Preflight`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// One entry for each operation that was called at least once.
    pub operations: BTreeMap<String, OperationStats>,
}

impl Stats {
    /// The counters of one operation, zero when it was never called.
    #[must_use]
    pub fn operation(&self, name: &str) -> OperationStats {
        self.operations.get(name).copied().unwrap_or_default()
    }
}

/// What one operation did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationStats {
    /// Requests received, refused ones included.
    pub calls: u64,
    /// Requests answered with a 4xx or 5xx status or with a dropped connection.
    pub errors: u64,
    /// Body bytes received, without framing.
    pub bytes_in: u64,
    /// Body bytes sent, without framing.
    pub bytes_out: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    operations: Mutex<BTreeMap<String, Arc<Counter>>>,
}

#[derive(Debug, Default)]
pub(crate) struct Counter {
    calls: AtomicU64,
    errors: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counters {
    /// The counter of `operation`, with the call counted.
    pub(crate) fn start(&self, operation: &str) -> Arc<Counter> {
        let mut operations = self
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let counter = match operations.get(operation) {
            Some(counter) => Arc::clone(counter),
            None => Arc::clone(operations.entry(operation.to_owned()).or_default()),
        };
        counter.calls.fetch_add(1, Ordering::Relaxed);
        counter
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let operations = self
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Stats {
            operations: operations
                .iter()
                .map(|(name, counter)| (name.clone(), counter.snapshot()))
                .collect(),
        }
    }
}

impl Counter {
    pub(crate) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn snapshot(&self) -> OperationStats {
        OperationStats {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}
