//! What was found in the last few images: DetectFaces and IndexFaces of one preview, one after
//! the other, run the detector once. Results only, never pixels; in this process only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vision::{DetectedFace, DetectedObject, Embedding};

/// How many images are remembered.
const CAPACITY: usize = 64;

/// What is known of one image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Its faces, largest first; `None` when nobody looked for any.
    pub(crate) faces: Option<Arc<Vec<DetectedFace>>>,
    /// Embeddings by the face's place in `faces`.
    pub(crate) embeddings: HashMap<usize, Embedding>,
    /// Its objects.
    pub(crate) objects: Option<Arc<Vec<DetectedObject>>>,
}

/// The least recently used image is forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By the SHA-256 of the encoded image; the latest at the back.
    images: Mutex<VecDeque<([u8; 32], Findings)>>,
}

impl Memory {
    /// What is known of an image.
    pub(crate) fn recall(&self, digest: &[u8; 32]) -> Findings {
        let mut images = self.lock();
        let Some(found) = position(&images, digest).and_then(|at| images.remove(at)) else {
            return Findings::default();
        };
        let findings = found.1.clone();
        images.push_back(found);
        findings
    }

    /// Adds what was found to what is known already.
    pub(crate) fn add(&self, digest: [u8; 32], new: Findings) {
        let mut images = self.lock();
        let mut known = position(&images, &digest)
            .and_then(|at| images.remove(at))
            .map_or_else(Findings::default, |(_, findings)| findings);
        known.faces = new.faces.or(known.faces);
        known.objects = new.objects.or(known.objects);
        known.embeddings.extend(new.embeddings);
        images.push_back((digest, known));
        while images.len() > CAPACITY {
            images.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<([u8; 32], Findings)>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position(images: &VecDeque<([u8; 32], Findings)>, digest: &[u8; 32]) -> Option<usize> {
    images.iter().position(|(known, _)| known == digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_one_image_add_up_and_the_oldest_image_goes_first() {
        let memory = Memory::default();
        let digest = |n: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_le_bytes());
            digest
        };
        memory.add(
            digest(0),
            Findings {
                objects: Some(Arc::default()),
                ..Findings::default()
            },
        );
        memory.add(
            digest(0),
            Findings {
                faces: Some(Arc::default()),
                embeddings: HashMap::from([(3, Embedding([0.5; 128]))]),
                ..Findings::default()
            },
        );
        let known = memory.recall(&digest(0));
        assert!(known.objects.is_some() && known.faces.is_some());
        assert_eq!(known.embeddings[&3].0[0], 0.5);

        memory.add(digest(1), Findings::default());
        // Looked at again, so image 1 is now the one that nobody asked for.
        memory.recall(&digest(0));
        for n in 2..=CAPACITY {
            memory.add(digest(n), Findings::default());
        }
        assert!(memory.recall(&digest(0)).faces.is_some());
        assert_eq!(memory.lock().len(), CAPACITY);
        assert!(position(&memory.lock(), &digest(1)).is_none());
    }
}
