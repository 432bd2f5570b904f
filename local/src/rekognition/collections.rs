//! Collections and their faces: everything but searching.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::error::ApiError;
use super::quality::reasons;
use super::request::{self, QualityFilter, collection_id, count, required, violation, wants_all};
use super::response::{
    self, Face, FaceDetail, FaceRecord, UnindexedFace, UnsuccessfulFaceDeletion,
};
use super::store::StoredFace;
use super::{FACE_MODEL_VERSION, Rekognition};
use crate::clock;

/// Most entries of a page or of a list of face ids, and what a page holds when nobody says.
const PAGE: usize = 4096;

impl Rekognition {
    pub(crate) async fn create_collection(
        &self,
        request: request::Collection,
    ) -> Result<response::CreateCollection, ApiError> {
        let name = collection_id(request.collection_id)?;
        self.store.create(name.clone(), clock::now_millis()).await?;
        Ok(response::CreateCollection {
            status_code: 200,
            // Without "arn:", as the service answers here, and here only.
            collection_arn: self.collection_name(&name),
            face_model_version: FACE_MODEL_VERSION,
        })
    }

    pub(crate) async fn describe_collection(
        &self,
        request: request::Collection,
    ) -> Result<response::DescribeCollection, ApiError> {
        let name = collection_id(request.collection_id)?;
        let (info, faces) = self.store.faces(&name).await?;
        let creation_timestamp = info.created_millis as f64 / 1000.0;
        Ok(response::DescribeCollection {
            face_count: faces.len() as u64,
            face_model_version: FACE_MODEL_VERSION,
            collection_arn: format!("arn:{}", self.collection_name(&name)),
            creation_timestamp,
            user_count: 0,
        })
    }

    pub(crate) async fn list_collections(
        &self,
        request: request::ListCollections,
    ) -> Result<response::ListCollections, ApiError> {
        let page = page_size(request.max_results)?;
        let after = request
            .next_token
            .map_or(Ok(0), |token| after(&token, "collections"))?;
        let mut rest = self.store.list().await;
        rest.retain(|info| info.id > after);
        let more = rest.len() > page;
        rest.truncate(page);
        Ok(response::ListCollections {
            next_token: rest
                .last()
                .filter(|_| more)
                .map(|info| next_token(info.id, "collections")),
            face_model_versions: vec![FACE_MODEL_VERSION; rest.len()],
            collection_ids: rest.into_iter().map(|info| info.name).collect(),
        })
    }

    pub(crate) async fn delete_collection(
        &self,
        request: request::Collection,
    ) -> Result<response::DeleteCollection, ApiError> {
        self.store
            .delete(collection_id(request.collection_id)?)
            .await?;
        Ok(response::DeleteCollection { status_code: 200 })
    }

    /// Detects, filters and stores the faces of an image. The same bytes twice are two images
    /// and twice the faces, as at AWS.
    pub(crate) async fn index_faces(
        &self,
        request: request::IndexFaces,
    ) -> Result<response::IndexFaces, ApiError> {
        let name = collection_id(request.collection_id)?;
        let external_image_id = request::external_image_id(request.external_image_id)?;
        let all = wants_all(
            request.detection_attributes.as_deref(),
            "detectionAttributes",
        )?;
        let at_most = count(request.max_faces, "maxFaces", 1..=i64::MAX)?.unwrap_or(usize::MAX);
        let filter = request.quality_filter.unwrap_or(QualityFilter::Auto);
        // Asked before the networks run: a wrong name should not cost a second.
        self.store.faces(&name).await?;
        let image = self.source_image(request.image, "image").await?;

        // The detector's order is by size, so the smallest are over the limit. Poor faces are
        // gone by then: they do not count.
        let refusals = move |faces: &[vision::DetectedFace]| -> Vec<Vec<&'static str>> {
            let mut room = at_most;
            let refuse = |face| {
                let mut refused = reasons(face, filter);
                if refused.is_empty() {
                    match room.checked_sub(1) {
                        Some(left) => room = left,
                        None => refused.push("EXCEEDS_MAX_FACES"),
                    }
                }
                refused
            };
            faces.iter().map(refuse).collect()
        };
        let select = move |faces: &[vision::DetectedFace]| {
            let refusals = refusals(faces);
            (0..faces.len())
                .filter(|index| refusals[*index].is_empty())
                .collect()
        };
        let faces = self.analyser.faces(image, select).await?;

        let image_id = clock::new_id();
        let (mut stored, mut face_records, mut unindexed_faces) = (vec![], vec![], vec![]);
        for (index, (face, reasons)) in faces.all.iter().zip(refusals(&faces.all)).enumerate() {
            let face_detail = FaceDetail::new(face, all);
            if !reasons.is_empty() {
                unindexed_faces.push(UnindexedFace {
                    reasons,
                    face_detail,
                });
                continue;
            }
            let face = StoredFace {
                sequence: 0,
                face_id: clock::new_id(),
                image_id,
                external_image_id: external_image_id.clone(),
                bounding_box: face.bounding_box,
                confidence: face.confidence,
                embedding: *faces.embedding(index)?,
            };
            face_records.push(FaceRecord {
                face: described(&face),
                face_detail,
            });
            stored.push(face);
        }
        self.store.add(name, stored).await?;
        Ok(response::IndexFaces {
            face_records,
            face_model_version: FACE_MODEL_VERSION,
            unindexed_faces,
        })
    }

    pub(crate) async fn list_faces(
        &self,
        request: request::ListFaces,
    ) -> Result<response::ListFaces, ApiError> {
        let name = collection_id(request.collection_id)?;
        let page = page_size(request.max_results)?;
        let only = request.face_ids.map(face_ids).transpose()?;
        let (info, faces) = self.store.faces(&name).await?;
        if let Some(user) = request.user_id {
            return Err(ApiError::ResourceNotFound(format!(
                "The userId: {user} does not exist"
            )));
        }
        // The collection's number is in the token: another collection's is not taken.
        let scope = format!("faces of {}", info.id);
        let after = request
            .next_token
            .map_or(Ok(0), |token| after(&token, &scope))?;
        let mut rest = faces
            .iter()
            .filter(|face| face.sequence > after)
            .filter(|face| only.as_ref().is_none_or(|ids| ids.contains(&face.face_id)));
        let shown: Vec<&StoredFace> = rest.by_ref().take(page).collect();
        let more = rest.next().is_some();
        Ok(response::ListFaces {
            next_token: shown
                .last()
                .filter(|_| more)
                .map(|face| next_token(face.sequence, &scope)),
            faces: shown.into_iter().map(described).collect(),
            face_model_version: FACE_MODEL_VERSION,
        })
    }

    pub(crate) async fn delete_faces(
        &self,
        request: request::DeleteFaces,
    ) -> Result<response::DeleteFaces, ApiError> {
        let name = collection_id(request.collection_id)?;
        let asked = face_ids(required(request.face_ids, "faceIds")?)?;
        let deleted = self.store.remove(name, asked.clone()).await?;
        Ok(response::DeleteFaces {
            unsuccessful_face_deletions: asked
                .iter()
                .filter(|id| !deleted.contains(id))
                .map(|id| UnsuccessfulFaceDeletion {
                    face_id: id.to_string(),
                    reasons: vec!["FACE_NOT_FOUND"],
                })
                .collect(),
            deleted_faces: deleted.iter().map(Uuid::to_string).collect(),
        })
    }

    fn collection_name(&self, name: &str) -> String {
        let (region, account) = (&self.region, &self.account_id);
        format!("aws:rekognition:{region}:{account}:collection/{name}")
    }
}

/// A stored face as answers show it.
pub(crate) fn described(face: &StoredFace) -> Face {
    Face {
        face_id: face.face_id.to_string(),
        bounding_box: face.bounding_box.into(),
        image_id: face.image_id.to_string(),
        external_image_id: face.external_image_id.clone(),
        confidence: face.confidence,
        index_faces_model_version: FACE_MODEL_VERSION,
    }
}

/// A face id: a UUID in small letters.
pub(crate) fn face_id(text: &str, member: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text)
        .ok()
        .filter(|id| id.to_string() == text)
        .ok_or_else(|| {
            let pattern = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
            let constraint = format!("satisfy regular expression pattern: {pattern}");
            violation(text, member, &constraint)
        })
}

/// 1 to 4096 of them; each counts once.
fn face_ids(texts: Vec<String>) -> Result<Vec<Uuid>, ApiError> {
    if texts.is_empty() || texts.len() > PAGE {
        let constraint = if texts.is_empty() {
            "have length greater than or equal to 1"
        } else {
            "have length less than or equal to 4096"
        };
        return Err(violation("[]", "faceIds", constraint));
    }
    let mut seen = HashSet::new();
    let mut ids = Vec::with_capacity(texts.len());
    for text in texts {
        let id = face_id(&text, "faceIds")?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// `MaxResults`, 0 to 4096; 0 means as many as there may be.
fn page_size(asked: Option<i64>) -> Result<usize, ApiError> {
    let asked = count(asked, "maxResults", 0..=PAGE as i64)?;
    Ok(asked.filter(|size| *size > 0).unwrap_or(PAGE))
}

fn next_token(last: i64, scope: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{last} {scope}"))
}

fn after(token: &str, scope: &str) -> Result<i64, ApiError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            let (last, found) = text.split_once(' ')?;
            (found == scope).then(|| last.parse().ok())?
        })
        .ok_or(ApiError::InvalidPaginationToken)
}
