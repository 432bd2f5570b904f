//! Objects: look up, publish, remove, walk in key order.

use sea_orm::sqlx;
use sea_orm::sqlx::{Sqlite, Transaction};

use super::bucket::require_bucket;
use super::{Blob, Detail, Entry, Index, IndexError, Result, entry, key_text, to_i64, to_u64};

/// When an object may be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) enum Condition {
    /// Always.
    #[default]
    Always,
    /// `If-None-Match: *`: only when no object has the key.
    Absent,
    /// `If-Match`: only when the present object has this entity tag.
    Matches(String),
}

/// What a listing shows of an object.
#[derive(Clone, Debug)]
pub(in crate::s3) struct ListedObject {
    pub(in crate::s3) key: String,
    pub(in crate::s3) size: u64,
    pub(in crate::s3) etag: String,
    /// Milliseconds since 1970.
    pub(in crate::s3) modified: i64,
}

impl Index {
    pub(in crate::s3) async fn object(&self, bucket: &str, key: &str) -> Result<Entry> {
        let row = sqlx::query_as::<_, (i64, String, i64, String)>(
            "SELECT size, etag, modified, detail FROM object WHERE bucket = ? AND key = ?",
        )
        .bind(bucket)
        .bind(key.as_bytes())
        .fetch_optional(&self.readers)
        .await?;
        match row {
            Some(row) => entry(row),
            None => {
                self.check_bucket(bucket).await?;
                Err(IndexError::NoSuchKey)
            }
        }
    }

    /// Makes `new` the object of `key`. Gives back the files of the object it replaced.
    pub(in crate::s3) async fn publish(
        &self,
        bucket: &str,
        key: &str,
        new: &Entry,
        condition: &Condition,
    ) -> Result<Vec<Blob>> {
        let mut transaction = self.writer.begin().await?;
        let replaced = publish(&mut transaction, bucket, key, new, condition).await?;
        transaction.commit().await?;
        Ok(replaced)
    }

    /// Removes the objects of `keys`, those that exist. Gives back their files.
    pub(in crate::s3) async fn remove(&self, bucket: &str, keys: &[String]) -> Result<Vec<Blob>> {
        let mut transaction = self.writer.begin().await?;
        require_bucket(&mut transaction, bucket).await?;
        let mut freed = Vec::new();
        for key in keys {
            let row = sqlx::query_as::<_, (String,)>(
                "DELETE FROM object WHERE bucket = ? AND key = ? RETURNING detail",
            )
            .bind(bucket)
            .bind(key.as_bytes())
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some((detail,)) = row {
                freed.extend(serde_json::from_str::<Detail>(&detail)?.blobs);
            }
        }
        transaction.commit().await?;
        Ok(freed)
    }

    /// The next objects from `from` (inclusive) to `to` (exclusive; none: to the end), by key.
    pub(in crate::s3) async fn walk(
        &self,
        bucket: &str,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<ListedObject>> {
        sqlx::query_as::<_, (Vec<u8>, i64, String, i64)>(
            "SELECT key, size, etag, modified FROM object \
             WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4",
        )
        .bind(bucket)
        .bind(from)
        .bind(to)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?
        .into_iter()
        .map(|(key, size, etag, modified)| {
            Ok(ListedObject {
                key: key_text(key)?,
                size: to_u64(size),
                etag,
                modified,
            })
        })
        .collect()
    }
}

pub(super) async fn publish(
    transaction: &mut Transaction<'_, Sqlite>,
    bucket: &str,
    key: &str,
    new: &Entry,
    condition: &Condition,
) -> Result<Vec<Blob>> {
    require_bucket(transaction, bucket).await?;
    let present = sqlx::query_as::<_, (String, String)>(
        "SELECT etag, detail FROM object WHERE bucket = ? AND key = ?",
    )
    .bind(bucket)
    .bind(key.as_bytes())
    .fetch_optional(&mut **transaction)
    .await?;
    match (condition, &present) {
        (Condition::Matches(_), None) => return Err(IndexError::NoSuchKey),
        (Condition::Matches(wanted), Some((etag, _))) if wanted != etag => {
            return Err(IndexError::PreconditionFailed);
        }
        _ => {}
    }
    // The primary key decides who comes first, whatever was read above.
    let statement = match condition {
        Condition::Absent => {
            "INSERT INTO object (bucket, key, size, etag, modified, detail) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (bucket, key) DO NOTHING"
        }
        Condition::Always | Condition::Matches(_) => {
            "INSERT INTO object (bucket, key, size, etag, modified, detail) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (bucket, key) DO UPDATE SET \
             size = excluded.size, etag = excluded.etag, modified = excluded.modified, \
             detail = excluded.detail"
        }
    };
    let written = sqlx::query(statement)
        .bind(bucket)
        .bind(key.as_bytes())
        .bind(to_i64(new.size))
        .bind(&new.etag)
        .bind(new.modified)
        .bind(serde_json::to_string(&new.detail)?)
        .execute(&mut **transaction)
        .await?;
    if written.rows_affected() == 0 {
        return Err(IndexError::PreconditionFailed);
    }
    match present {
        Some((_, detail)) => Ok(serde_json::from_str::<Detail>(&detail)?.blobs),
        None => Ok(Vec::new()),
    }
}
