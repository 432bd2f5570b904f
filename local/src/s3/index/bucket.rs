//! Buckets and their CORS rules.

use sea_orm::sqlx;
use sea_orm::sqlx::{Sqlite, Transaction};

use super::{Index, IndexError, Result};
use crate::clock;
use crate::s3::cors::CorsRule;

impl Index {
    pub(in crate::s3) async fn create_bucket(&self, name: &str) -> Result<()> {
        let made = sqlx::query(
            "INSERT INTO bucket (name, created) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(clock::now_millis())
        .execute(&self.writer)
        .await?;
        match made.rows_affected() {
            0 => Err(IndexError::BucketExists),
            _ => Ok(()),
        }
    }

    /// Removes an empty bucket. Unfinished uploads count as content, as they do on S3.
    pub(in crate::s3) async fn delete_bucket(&self, name: &str) -> Result<()> {
        let mut transaction = self.writer.begin().await?;
        require_bucket(&mut transaction, name).await?;
        let (used,) = sqlx::query_as::<_, (bool,)>(
            "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?1) \
                 OR EXISTS (SELECT 1 FROM upload WHERE bucket = ?1)",
        )
        .bind(name)
        .fetch_one(&mut *transaction)
        .await?;
        if used {
            return Err(IndexError::BucketNotEmpty);
        }
        sqlx::query("DELETE FROM bucket WHERE name = ?")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Name and time of creation (milliseconds since 1970), by name.
    pub(in crate::s3) async fn buckets(&self) -> Result<Vec<(String, i64)>> {
        Ok(
            sqlx::query_as("SELECT name, created FROM bucket ORDER BY name")
                .fetch_all(&self.readers)
                .await?,
        )
    }

    /// `NoSuchBucket`, or nothing.
    pub(in crate::s3) async fn check_bucket(&self, name: &str) -> Result<()> {
        sqlx::query_as::<_, (i64,)>("SELECT created FROM bucket WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?
            .map(drop)
            .ok_or(IndexError::NoSuchBucket)
    }

    pub(in crate::s3) async fn cors_rules(&self, name: &str) -> Result<Option<Vec<CorsRule>>> {
        let (rules,) =
            sqlx::query_as::<_, (Option<String>,)>("SELECT cors FROM bucket WHERE name = ?")
                .bind(name)
                .fetch_optional(&self.readers)
                .await?
                .ok_or(IndexError::NoSuchBucket)?;
        Ok(rules.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    pub(in crate::s3) async fn set_cors_rules(
        &self,
        name: &str,
        rules: Option<&[CorsRule]>,
    ) -> Result<()> {
        let text = rules.map(serde_json::to_string).transpose()?;
        let changed = sqlx::query("UPDATE bucket SET cors = ? WHERE name = ?")
            .bind(text)
            .bind(name)
            .execute(&self.writer)
            .await?;
        match changed.rows_affected() {
            0 => Err(IndexError::NoSuchBucket),
            _ => Ok(()),
        }
    }
}

/// `NoSuchBucket`, or nothing; within a write, so that the bucket cannot vanish meanwhile.
pub(super) async fn require_bucket(
    transaction: &mut Transaction<'_, Sqlite>,
    name: &str,
) -> Result<()> {
    sqlx::query_as::<_, (i64,)>("SELECT created FROM bucket WHERE name = ?")
        .bind(name)
        .fetch_optional(&mut **transaction)
        .await?
        .map(drop)
        .ok_or(IndexError::NoSuchBucket)
}
