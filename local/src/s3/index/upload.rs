//! Multipart uploads and their parts.

use std::collections::HashSet;

use sea_orm::sqlx;
use sea_orm::sqlx::{Sqlite, Transaction};
use serde::{Deserialize, Serialize};

use super::bucket::require_bucket;
use super::object::{Condition, publish};
use super::{Blob, Detail, Entry, Index, IndexError, Result, entry, key_text, to_i64};
use crate::s3::attributes::Attributes;
use crate::s3::checksum::Algorithm;

/// An upload that was begun and neither completed nor aborted.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Upload {
    pub(in crate::s3) id: String,
    pub(in crate::s3) bucket: String,
    pub(in crate::s3) key: String,
    /// Milliseconds since 1970.
    pub(in crate::s3) initiated: i64,
    pub(in crate::s3) plan: Plan,
}

/// What `CreateMultipartUpload` said about the object to come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::s3) struct Plan {
    pub(in crate::s3) attributes: Attributes,
    pub(in crate::s3) algorithm: Option<Algorithm>,
    /// `FULL_OBJECT` rather than `COMPOSITE`.
    pub(in crate::s3) full_object: bool,
}

/// A part and its number (1..=10,000).
#[derive(Clone, Debug)]
pub(in crate::s3) struct Part {
    pub(in crate::s3) number: i32,
    pub(in crate::s3) entry: Entry,
}

/// Where a page of uploads begins: behind this key, or behind this upload of the key.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct UploadMarker {
    pub(in crate::s3) key: String,
    pub(in crate::s3) id: Option<String>,
}

type UploadRow = (String, Vec<u8>, i64, String);

impl Index {
    pub(in crate::s3) async fn begin_upload(&self, upload: &Upload) -> Result<()> {
        let mut transaction = self.writer.begin().await?;
        require_bucket(&mut transaction, &upload.bucket).await?;
        sqlx::query(
            "INSERT INTO upload (id, bucket, key, initiated, detail) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&upload.id)
        .bind(&upload.bucket)
        .bind(upload.key.as_bytes())
        .bind(upload.initiated)
        .bind(serde_json::to_string(&upload.plan)?)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(in crate::s3) async fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<Upload> {
        let (id, key, initiated, plan) = sqlx::query_as::<_, UploadRow>(
            "SELECT id, key, initiated, detail FROM upload WHERE id = ? AND bucket = ? AND key = ?",
        )
        .bind(id)
        .bind(bucket)
        .bind(key.as_bytes())
        .fetch_optional(&self.readers)
        .await?
        .ok_or(IndexError::NoSuchUpload)?;
        upload(bucket, id, key, initiated, &plan)
    }

    /// Uploads of keys with a prefix (up to `end`), by key and id.
    pub(in crate::s3) async fn uploads(
        &self,
        bucket: &str,
        prefix: &[u8],
        end: Option<&[u8]>,
        after: &UploadMarker,
        limit: usize,
    ) -> Result<Vec<Upload>> {
        sqlx::query_as::<_, UploadRow>(
            "SELECT id, key, initiated, detail FROM upload \
             WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) \
               AND (key > ?4 OR (key = ?4 AND ?5 IS NOT NULL AND id > ?5)) \
             ORDER BY key, id LIMIT ?6",
        )
        .bind(bucket)
        .bind(prefix)
        .bind(end)
        .bind(after.key.as_bytes())
        .bind(after.id.as_deref())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?
        .into_iter()
        .map(|(id, key, initiated, plan)| upload(bucket, id, key, initiated, &plan))
        .collect()
    }

    /// Stores a part. Gives back the files of the part with that number, if there was one.
    pub(in crate::s3) async fn put_part(
        &self,
        upload: &Upload,
        number: i32,
        part: &Entry,
    ) -> Result<Vec<Blob>> {
        let mut transaction = self.writer.begin().await?;
        require_upload(&mut transaction, upload).await?;
        let present = sqlx::query_as::<_, (String,)>(
            "SELECT detail FROM part WHERE upload = ? AND number = ?",
        )
        .bind(&upload.id)
        .bind(number)
        .fetch_optional(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT OR REPLACE INTO part (upload, number, size, etag, modified, detail) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&upload.id)
        .bind(number)
        .bind(to_i64(part.size))
        .bind(&part.etag)
        .bind(part.modified)
        .bind(serde_json::to_string(&part.detail)?)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        match present {
            Some((detail,)) => Ok(serde_json::from_str::<Detail>(&detail)?.blobs),
            None => Ok(Vec::new()),
        }
    }

    /// Parts with a number above `after`, in order.
    pub(in crate::s3) async fn parts(
        &self,
        upload: &Upload,
        after: i32,
        limit: usize,
    ) -> Result<Vec<Part>> {
        sqlx::query_as::<_, (i32, i64, String, i64, String)>(
            "SELECT number, size, etag, modified, detail FROM part \
             WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(&upload.id)
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?
        .into_iter()
        .map(|(number, size, etag, modified, detail)| {
            Ok(Part {
                number,
                entry: entry((size, etag, modified, detail))?,
            })
        })
        .collect()
    }

    /// Publishes the object made of some of the parts and ends the upload, or neither. Gives
    /// back the files that nobody owns any more: of the replaced object and of unused parts.
    pub(in crate::s3) async fn complete_upload(
        &self,
        upload: &Upload,
        object: &Entry,
        condition: &Condition,
    ) -> Result<Vec<Blob>> {
        let mut transaction = self.writer.begin().await?;
        let mut freed = end_upload(&mut transaction, upload).await?;
        let used: HashSet<&str> = names(&object.detail.blobs);
        // A part that was sent again since the caller looked has another file now.
        if !used.is_subset(&names(&freed)) {
            return Err(IndexError::PreconditionFailed);
        }
        freed.retain(|blob| !used.contains(blob.name.as_str()));
        freed.extend(
            publish(
                &mut transaction,
                &upload.bucket,
                &upload.key,
                object,
                condition,
            )
            .await?,
        );
        transaction.commit().await?;
        Ok(freed)
    }

    /// Ends an upload. Gives back its files.
    pub(in crate::s3) async fn abort_upload(&self, upload: &Upload) -> Result<Vec<Blob>> {
        let mut transaction = self.writer.begin().await?;
        let freed = end_upload(&mut transaction, upload).await?;
        transaction.commit().await?;
        Ok(freed)
    }
}

fn names(blobs: &[Blob]) -> HashSet<&str> {
    blobs.iter().map(|blob| blob.name.as_str()).collect()
}

async fn require_upload(transaction: &mut Transaction<'_, Sqlite>, upload: &Upload) -> Result<()> {
    sqlx::query_as::<_, (i64,)>("SELECT initiated FROM upload WHERE id = ?")
        .bind(&upload.id)
        .fetch_optional(&mut **transaction)
        .await?
        .map(drop)
        .ok_or(IndexError::NoSuchUpload)
}

async fn end_upload(
    transaction: &mut Transaction<'_, Sqlite>,
    upload: &Upload,
) -> Result<Vec<Blob>> {
    require_upload(transaction, upload).await?;
    let parts =
        sqlx::query_as::<_, (String,)>("DELETE FROM part WHERE upload = ? RETURNING detail")
            .bind(&upload.id)
            .fetch_all(&mut **transaction)
            .await?;
    sqlx::query("DELETE FROM upload WHERE id = ?")
        .bind(&upload.id)
        .execute(&mut **transaction)
        .await?;
    let mut blobs = Vec::new();
    for (detail,) in parts {
        blobs.extend(serde_json::from_str::<Detail>(&detail)?.blobs);
    }
    Ok(blobs)
}

fn upload(bucket: &str, id: String, key: Vec<u8>, initiated: i64, plan: &str) -> Result<Upload> {
    Ok(Upload {
        id,
        bucket: bucket.to_owned(),
        key: key_text(key)?,
        initiated,
        plan: serde_json::from_str(plan)?,
    })
}
