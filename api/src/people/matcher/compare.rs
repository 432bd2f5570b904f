//! CompareFaces against contact sheets: nothing biometric is kept at AWS.
//!
//! Each waiting face is compared with the covers of all people, 100 a call. Those that match nobody
//! are drawn on sheets of their own and compared with each other: the best of them founds a person
//! and takes whom it matches directly, then the next best of the rest. A face in whose crop
//! CompareFaces sees none founds nobody: every copy of it would be a person of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use entity::{FaceId, GalleryId, PersonId, PhotoId, SheetId, face};
use futures::StreamExt as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::crops::{self, Crop, Order};
use super::source::Source;
use super::{
    Decided, Decision, FaceMatcher, Fence, Group, SheetChanges, drawing, internal_error,
    storage_error,
};
use crate::clock::Clock;
use crate::db::Db;
use crate::job::JobError;
use crate::people::MatcherSettings;
use crate::people::roster::{Batch, KnownFace, Roster};
use crate::people::sheet::{CELLS, cell_of};
use crate::storage::{ObjectKey, ObjectStore};
use crate::vision::{Analyser, FaceMatch, Picture, VisionError};

/// Comparisons under way at a time; the vision port paces them to the account's quota.
const AT_A_TIME: usize = 8;

/// The matcher, for one run.
pub struct CompareMatcher {
    db: Db,
    clock: Clock,
    store: Arc<dyn ObjectStore>,
    analyser: Arc<dyn Analyser>,
    gallery: GalleryId,
    settings: MatcherSettings,
    /// Faces of the latest batch, for drawing their covers.
    crops: HashMap<FaceId, Crop>,
}

impl CompareMatcher {
    /// For one run over `gallery`.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        store: Arc<dyn ObjectStore>,
        analyser: Arc<dyn Analyser>,
        settings: MatcherSettings,
        gallery: GalleryId,
    ) -> Self {
        Self {
            db,
            clock,
            store,
            analyser,
            gallery,
            settings,
            crops: HashMap::new(),
        }
    }

    /// Removes pictures that no row names, and takes everybody off sheets whose picture is gone.
    async fn sweep(&self, roster: &mut Roster) -> Result<(), JobError> {
        let prefix = format!("{}sheets/", ObjectKey::gallery_prefix(self.gallery));
        let named: HashMap<ObjectKey, SheetId> = roster
            .sheets
            .iter()
            .map(|(id, version)| (ObjectKey::sheet(self.gallery, *id, *version), *id))
            .collect();
        let mut present = HashSet::new();
        let mut orphans = Vec::new();
        let mut after: Option<ObjectKey> = None;
        loop {
            let listed = self
                .store
                .list(&prefix, after.as_ref())
                .await
                .map_err(storage_error)?;
            let Some(last) = listed.last() else { break };
            after = Some(last.key.clone());
            for key in listed.into_iter().map(|object| object.key) {
                match named.get(&key) {
                    Some(id) => {
                        present.insert(*id);
                    }
                    None => orphans.push(key),
                }
            }
        }
        for chunk in orphans.chunks(1000) {
            self.store.delete(chunk).await.map_err(storage_error)?;
        }
        for person in roster.people.values_mut() {
            person.place = person.place.filter(|(sheet, _)| present.contains(sheet));
        }
        Ok(())
    }

    /// Compares the source with every sheet: the most similar person.
    /// [`VisionError::NoFace`]: it could be compared with none of them.
    async fn best_person(
        analyser: &dyn Analyser,
        mut source: Source,
        book: &Book,
        threshold: f32,
    ) -> Result<Option<(PersonId, f32)>, VisionError> {
        let mut best: Option<(PersonId, f32)> = None;
        let mut seen = book.sheets.is_empty();
        for (sheet, picture) in &book.sheets {
            let matches = match source.compare(analyser, picture, threshold).await {
                Ok(matches) => matches,
                Err(VisionError::NoFace) => continue,
                Err(error) => return Err(error),
            };
            seen = true;
            for found in matches {
                let place = cell_of(&found.bounding_box).map(|cell| (*sheet, cell));
                let Some(person) = place.and_then(|place| book.people.get(&place)) else {
                    continue;
                };
                if best.is_none_or(|(_, similarity)| found.similarity > similarity) {
                    best = Some((*person, found.similarity));
                }
            }
        }
        if seen {
            Ok(best)
        } else {
            Err(VisionError::NoFace)
        }
    }

    /// First part: who is somebody of the roster. Answers the faces that are nobody.
    async fn recognise(
        &self,
        roster: &Roster,
        waiting: &[&KnownFace],
        decided: &mut Decided,
    ) -> Rest {
        let book = Arc::new(Book::new(roster));
        let threshold = self.settings.threshold;
        let comparisons: Vec<_> = waiting
            .iter()
            .filter_map(|face| {
                let id = face.id;
                let source = Source::new(id, self.crops.get(&id)?.source.clone());
                let (analyser, book) = (Arc::clone(&self.analyser), Arc::clone(&book));
                Some(async move {
                    let best = Self::best_person(&*analyser, source, &book, threshold).await;
                    (id, best)
                })
            })
            .collect();
        let mut comparisons = futures::stream::iter(comparisons).buffer_unordered(AT_A_TIME);
        let (mut nobody, mut unseen) = (HashSet::new(), HashSet::new());
        while let Some((id, best)) = comparisons.next().await {
            match best {
                Ok(Some((person, similarity))) => {
                    let decision = Decision::Joins {
                        group: Group::Person(person),
                        similarity: Some(similarity),
                    };
                    decided.decisions.insert(id, decision);
                }
                Ok(None) => {
                    nobody.insert(id);
                }
                Err(VisionError::NoFace) => {
                    nobody.insert(id);
                    unseen.insert(id);
                }
                Err(error) if blames_face(&error) => {
                    tracing::warn!(face = %id, %error, "face cannot be compared");
                    decided.decisions.insert(id, Decision::Unmatched);
                }
                Err(error) => {
                    decided.stopped = Some(error);
                    break;
                }
            }
        }
        let nobody = waiting.iter().filter(|face| nobody.contains(&face.id));
        let faces = nobody.map(|face| (*face).clone()).collect();
        Rest { faces, unseen }
    }

    /// Second part: who of the rest belongs together.
    async fn found(&self, rest: &Rest, decided: &mut Decided) -> Result<(), JobError> {
        let sheets = self.contact_sheets(rest).await?;
        let Rest {
            faces: rest,
            unseen,
        } = rest;
        let mut joined: HashMap<FaceId, (usize, Option<f32>)> = HashMap::new();
        let mut founded = 0;
        'founders: for founder in rest.iter().filter(|face| face.can_found) {
            if joined.contains_key(&founder.id) {
                continue;
            }
            let Some(crop) = self.crops.get(&founder.id) else {
                continue;
            };
            let mut source = Source::new(founder.id, crop.source.clone());
            let mut found: Vec<(FaceId, f32)> = Vec::new();
            let (mut asked, mut seen) = (false, false);
            for (faces, sheet) in rest.chunks(CELLS as usize).zip(&sheets) {
                let open =
                    |face: &KnownFace| face.id != founder.id && !joined.contains_key(&face.id);
                // Who was not seen before is looked at on the sheet with the own cell, at least.
                if !faces.iter().any(open) && !unseen.contains(&founder.id) {
                    continue;
                }
                let threshold = self.settings.threshold;
                asked = true;
                let matches = match source.compare(&*self.analyser, sheet, threshold).await {
                    Ok(matches) => matches,
                    Err(VisionError::NoFace) => continue,
                    Err(error @ VisionError::Permanent { .. }) => {
                        tracing::warn!(face = %founder.id, %error, "face cannot be compared");
                        decided.decisions.insert(founder.id, Decision::Unmatched);
                        continue 'founders;
                    }
                    Err(error) => {
                        decided.stopped = Some(error);
                        break 'founders;
                    }
                };
                seen = true;
                found.extend(on_sheet(faces, &matches));
            }
            if asked && !seen {
                tracing::info!(face = %founder.id, "no face is seen in a crop: it founds nobody");
                continue;
            }
            joined.insert(founder.id, (founded, None));
            for (face, similarity) in found {
                // Between two founders the more similar one wins; a founder stays with itself.
                let better = joined
                    .get(&face)
                    .is_none_or(|(_, its)| its.is_some_and(|its| similarity > its));
                if better {
                    joined.insert(face, (founded, Some(similarity)));
                }
            }
            founded += 1;
        }
        for (face, (number, similarity)) in &joined {
            let group = Group::New(*number);
            let decision = Decision::Joins {
                group,
                similarity: *similarity,
            };
            decided.decisions.insert(*face, decision);
        }
        if decided.stopped.is_none() {
            for face in rest {
                let decision = decided.decisions.entry(face.id);
                decision.or_insert(Decision::Unmatched);
            }
        }
        Ok(())
    }

    /// Sheets of these faces, 100 each, that live for this batch only. One face alone needs none,
    /// unless nobody knows yet whether it is seen.
    async fn contact_sheets(&self, rest: &Rest) -> Result<Vec<Picture>, JobError> {
        let faces = &rest.faces;
        let alone = faces.len() < 2 && rest.unseen.is_empty();
        if alone || !faces.iter().any(|face| face.can_found) {
            return Ok(Vec::new());
        }
        let mut sheets = Vec::new();
        for faces in faces.chunks(CELLS as usize) {
            let cells: Vec<_> = faces
                .iter()
                .filter_map(|face| Some(self.crops.get(&face.id)?.cell.clone()))
                .collect();
            let bytes = tokio::task::spawn_blocking(move || drawing::contact_sheet(cells.iter()))
                .await
                .map_err(internal_error)?
                .map_err(internal_error)?;
            sheets.push(Picture::Bytes(bytes));
        }
        Ok(sheets)
    }

    /// Crops of covers that the latest batch did not cut.
    async fn cut_covers(&mut self, covers: &[(PersonId, KnownFace)]) -> Result<(), JobError> {
        let missing: Vec<&KnownFace> = covers
            .iter()
            .map(|(_, face)| face)
            .filter(|face| !self.crops.contains_key(&face.id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let photos = missing.iter().map(|face| face.photo_id);
        let faces: Vec<KnownFace> = face::Entity::find()
            .filter(face::Column::PhotoId.is_in(photos))
            .order_by_asc(face::Column::PhotoId)
            .all(self.db.read())
            .await?
            .into_iter()
            .map(Into::into)
            .collect();
        let wanted: HashSet<FaceId> = missing.iter().map(|face| face.id).collect();
        let batch = Batch { faces };
        let orders = orders(&batch, |face| wanted.contains(&face.id));
        let cut = crops::cut_all(&self.store, self.gallery, orders).await?;
        self.crops.extend(cut);
        Ok(())
    }
}

#[async_trait]
impl FaceMatcher for CompareMatcher {
    /// Also draws people who have no place yet: after a merge, a new cover, or a run of the other
    /// matcher.
    async fn begin(&mut self, roster: &mut Roster) -> Result<SheetChanges, JobError> {
        self.sweep(roster).await?;
        let mut homeless: Vec<(PersonId, KnownFace)> = roster
            .people
            .iter()
            .filter(|(_, person)| person.place.is_none())
            .filter_map(|(id, person)| Some((*id, person.cover.clone()?)))
            .collect();
        homeless.sort_by_key(|(id, _)| *id);
        self.draw(roster, &homeless).await
    }

    async fn decide(
        &mut self,
        roster: &Roster,
        batch: &Batch,
        _fence: &dyn Fence,
    ) -> Result<Decided, JobError> {
        let orders = orders(batch, |face| face.waiting);
        self.crops = crops::cut_all(&self.store, self.gallery, orders).await?;
        let mut decided = Decided::default();
        let waiting = batch.waiting();
        for face in &waiting {
            if !self.crops.contains_key(&face.id) {
                decided.decisions.insert(face.id, Decision::Unmatched);
            }
        }
        let rest = self.recognise(roster, &waiting, &mut decided).await;
        if decided.stopped.is_none() {
            self.found(&rest, &mut decided).await?;
        }
        Ok(decided)
    }

    async fn draw(
        &mut self,
        roster: &Roster,
        covers: &[(PersonId, KnownFace)],
    ) -> Result<SheetChanges, JobError> {
        self.cut_covers(covers).await?;
        let drawable: Vec<_> = covers
            .iter()
            .filter(|(_, face)| self.crops.contains_key(&face.id))
            .cloned()
            .collect();
        let sheets = drawing::allot(roster, &drawable, || self.clock.new_id());
        drawing::draw(&self.store, &self.clock, self.gallery, sheets, &self.crops).await
    }

    async fn recorded(&mut self, changes: &SheetChanges) {
        if changes.replaced.is_empty() {
            return;
        }
        // What stays is swept at the start of the next run.
        if let Err(error) = self.store.delete(&changes.replaced).await {
            tracing::warn!(%error, "old contact sheets stay for now");
        }
    }

    fn retries_unmatched(&self) -> bool {
        true
    }
}

/// Who is nobody of the roster.
struct Rest {
    /// The best founders first.
    faces: Vec<KnownFace>,
    /// Those that could be compared with no sheet. Either their crop or the sheet shows no face.
    unseen: HashSet<FaceId>,
}

/// The sheets of a roster, ready to be compared with.
struct Book {
    sheets: Vec<(SheetId, Picture)>,
    people: HashMap<(SheetId, u32), PersonId>,
}

impl Book {
    fn new(roster: &Roster) -> Self {
        let people: HashMap<(SheetId, u32), PersonId> = roster
            .people
            .iter()
            .filter_map(|(id, person)| Some((person.place?, *id)))
            .collect();
        let used: HashSet<SheetId> = people.keys().map(|(sheet, _)| *sheet).collect();
        let sheets = roster
            .sheets
            .iter()
            .filter(|(id, _)| used.contains(id))
            .map(|(id, version)| {
                let key = ObjectKey::sheet(roster.gallery, *id, *version);
                (*id, Picture::Object(key))
            })
            .collect();
        Self { sheets, people }
    }
}

/// Whether an error is about the face, rather than about the sheet that all faces share.
fn blames_face(error: &VisionError) -> bool {
    matches!(error, VisionError::Permanent { code, .. } if !code.starts_with("InvalidS3Object"))
}

/// The faces of a contact sheet that were found in it.
fn on_sheet(faces: &[KnownFace], matches: &[FaceMatch]) -> Vec<(FaceId, f32)> {
    matches
        .iter()
        .filter_map(|found| {
            let cell = usize::try_from(cell_of(&found.bounding_box)?).ok()?;
            Some((faces.get(cell)?.id, found.similarity))
        })
        .collect()
}

fn orders(batch: &Batch, wanted: impl Fn(&KnownFace) -> bool) -> Vec<Order> {
    batch
        .photos()
        .filter_map(|faces| {
            let photo: PhotoId = faces.first()?.photo_id;
            let wanted: Vec<_> = faces.iter().filter(|f| wanted(f)).map(|f| f.id).collect();
            (!wanted.is_empty()).then(|| Order {
                photo,
                faces: faces.to_vec(),
                wanted,
            })
        })
        .collect()
}
