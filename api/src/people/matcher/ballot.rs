//! Who a searched face belongs to, out of what SearchFaces found. Pure.

use std::collections::{HashMap, HashSet};

use entity::{FaceId, PhotoId, face};

use super::{Decided, Decision, Group};
use crate::people::MatcherSettings;
use crate::people::roster::{KnownFace, Roster};
use crate::vision::CollectionMatch;

/// Counts the votes of assigned faces.
pub(super) struct Ballot<'a> {
    roster: &'a Roster,
    sure: f32,
    /// Decisions of this batch.
    groups: HashMap<FaceId, Group>,
    sizes: HashMap<Group, u32>,
    founders: Vec<FaceId>,
    covers: HashSet<FaceId>,
    /// Photos on which this batch put a face into a group.
    photos: HashMap<Group, HashSet<PhotoId>>,
}

#[derive(Default)]
struct Votes {
    faces: u32,
    best: f32,
    cover: bool,
    /// One of them is on the searched face's own photo.
    here: bool,
}

impl<'a> Ballot<'a> {
    pub(super) fn new(roster: &'a Roster, settings: &MatcherSettings) -> Self {
        let sizes = roster
            .people
            .iter()
            .map(|(id, person)| (Group::Person(*id), person.face_count))
            .collect();
        let covers = roster
            .people
            .values()
            .filter_map(|p| Some(p.cover.as_ref()?.id));
        Self {
            roster,
            sure: settings.sure(),
            groups: HashMap::new(),
            sizes,
            founders: Vec::new(),
            covers: covers.collect(),
            photos: HashMap::new(),
        }
    }

    /// Whether this batch decided on the face already.
    pub(super) fn has(&self, face: FaceId) -> bool {
        self.groups.contains_key(&face)
    }

    /// Decides on the searched face, and on those of its matches that are beyond doubt.
    pub(super) fn settle(
        &mut self,
        searched: &KnownFace,
        matches: &[CollectionMatch],
        rows: Vec<face::Model>,
        decided: &mut Decided,
    ) {
        let similarity: HashMap<&str, f32> = matches
            .iter()
            .map(|found| (found.face_id.as_str(), found.similarity))
            .collect();
        let found: Vec<(face::Model, f32)> = rows
            .into_iter()
            .filter_map(|row| {
                let its = similarity.get(row.collection_face_id.as_deref()?)?;
                Some((row, *its))
            })
            .collect();
        let (group, its) = match self.choose(searched.photo_id, &found) {
            Some((group, similarity)) => (group, Some(similarity)),
            None if searched.can_found => {
                self.founders.push(searched.id);
                (Group::New(self.founders.len() - 1), None)
            }
            None => {
                decided.decisions.insert(searched.id, Decision::Unmatched);
                return;
            }
        };
        self.join(searched.id, searched.photo_id, group, its, decided);
        for (row, similarity) in found {
            let free =
                row.grouping != face::Grouping::Assigned && !self.groups.contains_key(&row.id);
            let twice = self.is_on(group, row.photo_id);
            if !free || similarity < self.sure || twice {
                continue;
            }
            self.join(row.id, row.photo_id, group, Some(similarity), decided);
            if row.grouping == face::Grouping::Unmatched {
                decided.claimed.push(row.into());
            }
        }
    }

    /// The group with the most similar face, among those that enough of their faces vote for: more
    /// than half of them, or a quarter with the cover or the founder. At 0.4 % false matches a
    /// single vote out of many would be wrong too often.
    ///
    /// Nobody stands twice on one photo: a group that has a face there already is out, unless the
    /// two are beyond doubt alike, as in a mirror or a collage.
    fn choose(&self, photo: PhotoId, found: &[(face::Model, f32)]) -> Option<(Group, f32)> {
        let mut votes: HashMap<Group, Votes> = HashMap::new();
        for (row, similarity) in found {
            let group = match self.groups.get(&row.id) {
                Some(group) => *group,
                None => match row.person_id {
                    Some(person) if self.roster.people.contains_key(&person) => {
                        Group::Person(person)
                    }
                    _ => continue,
                },
            };
            let votes = votes.entry(group).or_default();
            votes.faces += 1;
            votes.best = votes.best.max(*similarity);
            votes.cover |= self.covers.contains(&row.id) || self.founders.contains(&row.id);
            votes.here |= row.photo_id == photo;
        }
        votes
            .into_iter()
            .filter(|(group, votes)| {
                let here = votes.here || self.is_on(*group, photo);
                if here && votes.best < self.sure {
                    return false;
                }
                let size = self.sizes.get(group).copied().unwrap_or_default();
                votes.faces * 2 > size || (votes.cover && votes.faces * 4 >= size)
            })
            .max_by(|(_, a), (_, b)| a.best.total_cmp(&b.best).then(a.faces.cmp(&b.faces)))
            .map(|(group, votes)| (group, votes.best))
    }

    fn is_on(&self, group: Group, photo: PhotoId) -> bool {
        self.photos
            .get(&group)
            .is_some_and(|photos| photos.contains(&photo))
    }

    fn join(
        &mut self,
        face: FaceId,
        photo: PhotoId,
        group: Group,
        similarity: Option<f32>,
        decided: &mut Decided,
    ) {
        self.groups.insert(face, group);
        self.photos.entry(group).or_default().insert(photo);
        *self.sizes.entry(group).or_default() += 1;
        decided
            .decisions
            .insert(face, Decision::Joins { group, similarity });
    }
}
