//! Documents that clients registered, by the hash of their text, within so many bytes: what was asked
//! for longest ago makes room.
//!
//! Our own, and not a crate's: a lock around two maps is all that it takes, and weights are ours to
//! tell. Whoever fills it with documents of no use makes others send theirs again, and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Document, Hash};

/// What an entry takes beside its document: its places in both maps.
const ENTRY_BYTES: usize = 256;

#[derive(Debug)]
pub(super) struct Cache {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Hash, Entry>,
    /// By when they were asked for last.
    uses: BTreeMap<u64, Hash>,
    now: u64,
    weight: usize,
}

#[derive(Debug)]
struct Entry {
    document: Arc<Document>,
    weight: usize,
    used: u64,
}

impl Cache {
    /// With room for so many bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::default(),
        }
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<Document>> {
        let mut inner = self.inner();
        let now = inner.tick();
        let entry = inner.entries.get_mut(hash)?;
        let before = std::mem::replace(&mut entry.used, now);
        let document = Arc::clone(&entry.document);
        inner.uses.remove(&before);
        inner.uses.insert(now, *hash);
        Some(document)
    }

    /// What is too heavy for the whole cache is not kept.
    pub(super) fn insert(&self, hash: Hash, document: Arc<Document>, weight: usize) {
        let weight = weight.saturating_add(ENTRY_BYTES);
        if weight > self.capacity {
            return;
        }
        let mut inner = self.inner();
        inner.remove(&hash);
        while inner.weight + weight > self.capacity {
            let Some((_, oldest)) = inner.uses.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            inner.remove(&oldest);
        }
        let used = inner.tick();
        inner.weight += weight;
        inner.uses.insert(used, hash);
        let entry = Entry {
            document,
            weight,
            used,
        };
        inner.entries.insert(hash, entry);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn remove(&mut self, hash: &Hash) {
        if let Some(entry) = self.entries.remove(hash) {
            self.uses.remove(&entry.used);
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Arc<Document> {
        Arc::new(Document::parse("{ a }").unwrap())
    }

    #[test]
    fn what_was_asked_for_longest_ago_makes_room() {
        let cache = Cache::new(3 * (1000 + ENTRY_BYTES));
        for name in 1..=3 {
            cache.insert([name; 32], document(), 1000);
        }
        assert!(cache.get(&[1; 32]).is_some());
        cache.insert([4; 32], document(), 1000);
        let known = |name: u8| cache.get(&[name; 32]).is_some();
        assert_eq!([1, 2, 3, 4].map(known), [true, false, true, true]);
    }

    #[test]
    fn weights_bound_it_and_come_back() {
        let room = 10 * (1000 + ENTRY_BYTES);
        let cache = Cache::new(room);
        for name in 0..200 {
            cache.insert([name; 32], document(), 500 + usize::from(name) * 7);
            let inner = cache.inner();
            assert!(inner.weight <= room);
            assert_eq!(inner.entries.len(), inner.uses.len());
        }
        // Again under the same hash: counted once.
        cache.insert([199; 32], document(), 1);
        let inner = cache.inner();
        let sum: usize = inner.entries.values().map(|entry| entry.weight).sum();
        assert_eq!(inner.weight, sum);
        drop(inner);
        cache.insert([250; 32], document(), room);
        assert!(cache.get(&[250; 32]).is_none(), "heavier than all of it");
        assert!(cache.get(&[199; 32]).is_some(), "and nothing made room");
    }
}
