//! People: the faces of a gallery, grouped.
//!
//! [`job`] runs one grouping at a time per gallery. It hands the waiting faces in batches to the
//! gallery's [matcher](matcher::FaceMatcher), turns what the matcher decided into a [`plan`] and
//! writes that in one transaction ([`commit`]). People live in the database only; a matcher keeps
//! nothing between runs but its pictures in S3 or its collection at Rekognition.

pub mod commit;
pub mod graphql;
pub mod job;
pub mod loader;
pub mod matcher;
pub mod merge;
pub mod overdue;
pub mod plan;
mod removal;
pub mod roster;
pub mod service;
pub mod sheet;
pub mod tally;
#[cfg(test)]
mod tests;

use entity::GalleryId;

/// Kind of the job that groups the waiting faces of a gallery; its subject is the gallery's id.
pub const GROUP: &str = "group";

/// How faces are told apart.
#[derive(Clone, Debug)]
pub struct MatcherSettings {
    /// Similarity from which two faces may be one person, 0 to 100.
    pub threshold: f32,
    /// What the names of our Rekognition collections begin with, for example `eventgallery-`.
    pub collection_prefix: String,
    /// Seconds by which every commit of a run extends the job's lease.
    pub lease_seconds: u32,
}

impl MatcherSettings {
    /// Settings with the usual collection prefix.
    #[must_use]
    pub fn new(threshold: f32, lease_seconds: u32) -> Self {
        Self {
            threshold,
            collection_prefix: "eventgallery-".into(),
            lease_seconds,
        }
    }

    /// Similarity from which one match alone is believed: half-way from the threshold to 100.
    ///
    /// One comparison at the threshold is wrong in some per mille of pairs, and a face meets
    /// hundreds of others in one search: what lies between the two must be confirmed by votes.
    #[must_use]
    pub fn sure(&self) -> f32 {
        f32::midpoint(self.threshold, 100.0)
    }

    /// Name of a gallery's collection.
    #[must_use]
    pub fn collection(&self, gallery: GalleryId) -> String {
        format!("{}{gallery}", self.collection_prefix)
    }
}
