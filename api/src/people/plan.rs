//! What a batch's decisions mean for people: who is new, and whose cover changes. Pure.

use std::collections::HashMap;

use entity::{FaceId, PersonId};

use super::matcher::{Decided, Decision, Group};
use super::roster::{Batch, KnownFace, Roster};

/// What becomes of one face.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The face.
    pub face: KnownFace,
    /// Its person; none: unmatched.
    pub person: Option<PersonId>,
    /// Similarity that decided it; none for a founder.
    pub similarity: Option<f32>,
}

/// A new cover.
#[derive(Clone, Debug)]
pub struct CoverChange {
    /// Whose.
    pub person: PersonId,
    /// The cover that it replaces: if somebody chose another meanwhile, theirs stays.
    pub from: Option<FaceId>,
    /// The new one.
    pub to: KnownFace,
}

/// What the transaction of a batch writes.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Faces.
    pub assignments: Vec<Assignment>,
    /// People that are founded.
    pub founded: Vec<PersonId>,
    /// Covers.
    pub covers: Vec<CoverChange>,
}

impl Plan {
    /// Makes it. `best` tells the best quality among the faces that a person had before, and
    /// `new_id` makes ids of people.
    #[must_use]
    pub fn new(
        roster: &Roster,
        batch: &Batch,
        decided: &Decided,
        best: &HashMap<PersonId, f32>,
        mut new_id: impl FnMut() -> PersonId,
    ) -> Self {
        let mut plan = Self::default();
        let mut new_people: HashMap<usize, PersonId> = HashMap::new();
        for face in batch.faces.iter().chain(&decided.claimed) {
            let Some(decision) = decided.decisions.get(&face.id) else {
                continue;
            };
            let (person, similarity) = match *decision {
                Decision::Unmatched => (None, None),
                Decision::Joins { group, similarity } => {
                    let person = match group {
                        Group::Person(person) => person,
                        Group::New(number) => *new_people.entry(number).or_insert_with(|| {
                            let person = new_id();
                            plan.founded.push(person);
                            person
                        }),
                    };
                    (Some(person), similarity)
                }
            };
            plan.assignments.push(Assignment {
                face: face.clone(),
                person,
                similarity,
            });
        }
        plan.covers = covers(roster, &plan.assignments, best);
        plan
    }

    /// Everybody who gains a face, each once.
    #[must_use]
    pub fn people(&self) -> Vec<PersonId> {
        let mut people: Vec<_> = self.assignments.iter().filter_map(|a| a.person).collect();
        people.sort_unstable();
        people.dedup();
        people
    }
}

/// The best new face of each person, where it is better than the cover.
///
/// A cover that is not the person's best face was chosen by somebody: it stays.
fn covers(
    roster: &Roster,
    assignments: &[Assignment],
    best: &HashMap<PersonId, f32>,
) -> Vec<CoverChange> {
    let mut changes: HashMap<PersonId, &KnownFace> = HashMap::new();
    for assignment in assignments {
        let Some(person) = assignment.person else {
            continue;
        };
        let entry = changes.entry(person).or_insert(&assignment.face);
        if assignment.face.quality > entry.quality {
            *entry = &assignment.face;
        }
    }
    let mut covers: Vec<_> = changes
        .into_iter()
        .filter_map(|(person, to)| {
            let cover = roster.people.get(&person).and_then(|m| m.cover.as_ref());
            let chosen = cover
                .is_some_and(|cover| best.get(&person).is_some_and(|best| *best > cover.quality));
            let better = cover.is_none_or(|cover| to.quality > cover.quality);
            (better && !chosen).then(|| CoverChange {
                person,
                from: cover.map(|cover| cover.id),
                to: to.clone(),
            })
        })
        .collect();
    covers.sort_by_key(|change| change.person);
    covers
}
