//! Contact sheets in S3: allotting cells, drawing, writing new versions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use entity::{FaceId, GalleryId, PersonId, SheetId};
use image::RgbImage;

use super::crops::Crop;
use super::{SheetChanges, SheetVersion, internal_error, storage_error};
use crate::clock::Clock;
use crate::job::JobError;
use crate::people::roster::{KnownFace, Roster};
use crate::people::sheet::{self, CELLS, SheetError};
use crate::storage::{ObjectKey, ObjectStore, StorageError};

/// Longest sheet that is read: Rekognition's limit for pictures in S3.
const SHEET_LIMIT: u64 = 15 * 1024 * 1024;

/// What to draw on one sheet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Strokes {
    /// Version of the picture to draw over; none: a new sheet.
    pub(super) version: Option<i32>,
    /// Cells that stay.
    pub(super) kept: HashSet<u32>,
    /// Cells to draw.
    pub(super) drawn: Vec<(u32, PersonId, FaceId)>,
}

/// Gives every person a cell: the one they have, else a free one, else the first of a new sheet.
pub(super) fn allot(
    roster: &Roster,
    covers: &[(PersonId, KnownFace)],
    mut new_id: impl FnMut() -> SheetId,
) -> BTreeMap<SheetId, Strokes> {
    let mut sheets: BTreeMap<SheetId, Strokes> = roster
        .sheets
        .iter()
        .map(|(id, version)| {
            let strokes = Strokes {
                version: Some(*version),
                ..Strokes::default()
            };
            (*id, strokes)
        })
        .collect();
    for (sheet, cell) in roster.people.values().filter_map(|person| person.place) {
        if let Some(strokes) = sheets.get_mut(&sheet) {
            strokes.kept.insert(cell);
        }
    }
    for (person, cover) in covers {
        let place = roster.people.get(person).and_then(|person| person.place);
        let (sheet, cell) = match place {
            Some(place) => place,
            None => free_cell(&sheets).unwrap_or_else(|| (new_id(), 0)),
        };
        let strokes = sheets.entry(sheet).or_default();
        strokes.kept.insert(cell);
        strokes.drawn.push((cell, *person, cover.id));
    }
    sheets.retain(|_, strokes| !strokes.drawn.is_empty());
    sheets
}

fn free_cell(sheets: &BTreeMap<SheetId, Strokes>) -> Option<(SheetId, u32)> {
    sheets.iter().find_map(|(id, strokes)| {
        let cell = (0..CELLS).find(|cell| !strokes.kept.contains(cell))?;
        Some((*id, cell))
    })
}

/// Draws sheets and puts them into the store under new keys.
pub(super) async fn draw(
    store: &Arc<dyn ObjectStore>,
    clock: &Clock,
    gallery: GalleryId,
    sheets: BTreeMap<SheetId, Strokes>,
    crops: &HashMap<FaceId, Crop>,
) -> Result<SheetChanges, JobError> {
    let mut changes = SheetChanges::default();
    for (id, strokes) in sheets {
        let old = strokes.version.map(|v| ObjectKey::sheet(gallery, id, v));
        let base = match &old {
            Some(key) => read(store, key).await?,
            None => None,
        };
        let faces: Vec<(u32, RgbImage)> = strokes
            .drawn
            .iter()
            .filter_map(|(cell, _, face)| Some((*cell, crops.get(face)?.cell.clone())))
            .collect();
        let kept = strokes.kept.clone();
        let bytes = tokio::task::spawn_blocking(move || compose(base.as_ref(), &kept, &faces))
            .await
            .map_err(internal_error)?
            .map_err(internal_error)?;
        let version = next_version(strokes.version, clock);
        let key = ObjectKey::sheet(gallery, id, version);
        store
            .put(&key, "image/jpeg", bytes)
            .await
            .map_err(storage_error)?;
        changes.sheets.push(SheetVersion {
            id,
            version,
            cells: u32::try_from(strokes.kept.len()).unwrap_or(CELLS),
            is_new: strokes.version.is_none(),
        });
        let places = strokes.drawn.into_iter();
        changes
            .places
            .extend(places.map(|(cell, person, _)| (person, id, cell)));
        changes.replaced.extend(old);
    }
    Ok(changes)
}

/// One sheet's bytes with these faces, for one batch only.
pub(super) fn contact_sheet<'a>(
    faces: impl Iterator<Item = &'a RgbImage>,
) -> Result<Bytes, SheetError> {
    let mut picture = sheet::blank();
    for (cell, face) in (0..CELLS).zip(faces) {
        sheet::draw(&mut picture, cell, Some(face));
    }
    sheet::encode(&picture)
}

async fn read(store: &Arc<dyn ObjectStore>, key: &ObjectKey) -> Result<Option<Bytes>, JobError> {
    match store.get(key, SHEET_LIMIT).await {
        Ok(bytes) => Ok(Some(bytes)),
        // `begin` found it missing and took everybody off it: start over.
        Err(StorageError::NotFound) => Ok(None),
        Err(error) => Err(storage_error(error)),
    }
}

fn compose(
    base: Option<&Bytes>,
    kept: &HashSet<u32>,
    faces: &[(u32, RgbImage)],
) -> Result<Bytes, SheetError> {
    let mut picture = match base {
        Some(bytes) => sheet::decode(bytes)?,
        None => sheet::blank(),
    };
    // People who left must not stay in the picture.
    for cell in (0..CELLS).filter(|cell| !kept.contains(cell)) {
        sheet::draw(&mut picture, cell, None);
    }
    for (cell, face) in faces {
        sheet::draw(&mut picture, *cell, Some(face));
    }
    sheet::encode(&picture)
}

/// Versions grow by a random step: a worker that lost its lease while it drew must not overwrite
/// the picture that its successor put under the next number.
fn next_version(version: Option<i32>, clock: &Clock) -> i32 {
    let step = 1 + (clock.random_share() * 1000.0) as i32;
    version.unwrap_or_default().saturating_add(step)
}
