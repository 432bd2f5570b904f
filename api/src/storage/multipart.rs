//! Multipart uploads that nobody completed. We start none: whoever held our keys may have, and their
//! parts cost money and show in no listing of objects.

use entity::Timestamp;

use super::StorageError;
use super::answer::classify;
use super::s3::S3Store;

/// An upload as a listing names it.
struct Incomplete {
    key: String,
    id: String,
}

impl S3Store {
    /// See [`super::ObjectStore::abort_uploads`].
    pub(super) async fn abort_incomplete(
        &self,
        prefix: &str,
        before: Timestamp,
    ) -> Result<usize, StorageError> {
        let (client, bucket, _) = self.client();
        let mut aborted = 0;
        for upload in self.incomplete(prefix, before).await? {
            let answer = client
                .abort_multipart_upload()
                .bucket(bucket)
                .key(upload.key)
                .upload_id(upload.id)
                .send()
                .await
                .map_err(|error| classify("AbortMultipartUpload", error));
            match answer {
                Ok(_) => aborted += 1,
                // Completed or aborted since.
                Err(StorageError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(aborted)
    }

    async fn incomplete(
        &self,
        prefix: &str,
        before: Timestamp,
    ) -> Result<Vec<Incomplete>, StorageError> {
        let (client, bucket, _) = self.client();
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let page = client
                .list_multipart_uploads()
                .bucket(bucket)
                .prefix(prefix)
                .set_key_marker(key)
                .set_upload_id_marker(id)
                .send()
                .await
                .map_err(|error| classify("ListMultipartUploads", error))?;
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
            for upload in page.uploads.unwrap_or_default() {
                let old = upload
                    .initiated
                    .is_some_and(|time| time.secs() < before.0.div_euclid(1_000_000));
                if let (true, Some(key), Some(id)) = (old, upload.key, upload.upload_id) {
                    found.push(Incomplete { key, id });
                }
            }
            if page.is_truncated != Some(true) || key.is_none() {
                return Ok(found);
            }
        }
    }
}
