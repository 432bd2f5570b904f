//! Makes the bucket of the local stand-in ready. On AWS the bucket and its rules are deployed.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CorsConfiguration, CorsRule, CreateBucketConfiguration,
};
use futures::TryFutureExt as _;

use super::StorageError;
use super::answer::classify;
use super::s3::S3Store;

impl S3Store {
    /// Creates the bucket unless it is there, and lets pages of `origins` (`*` for any) send and
    /// show pictures with presigned URLs.
    ///
    /// # Errors
    /// The store's.
    pub async fn ensure_bucket(&self, origins: &[&str]) -> Result<(), StorageError> {
        let (client, bucket, region) = self.client();
        // CreateBucket in us-east-1 refuses a location constraint that names it (Amazon S3 API
        // reference, CreateBucket).
        let location = (region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        let exists = match self.head_bucket().await {
            Ok(()) => true,
            Err(StorageError::NotFound) => false,
            Err(other) => return Err(other),
        };
        if !exists {
            let creation = async {
                let created = client
                    .create_bucket()
                    .bucket(bucket)
                    .set_create_bucket_configuration(location)
                    .send()
                    .await;
                match created {
                    Ok(_) => Ok(()),
                    // Another replica was faster.
                    Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
                    Err(error) => Err(classify("CreateBucket", error)),
                }
            };
            self.call("CreateBucket", creation).await?;
        }
        let rule = CorsRule::builder()
            .set_allowed_origins(Some(origins.iter().map(ToString::to_string).collect()))
            .allowed_methods("GET")
            .allowed_methods("HEAD")
            .allowed_methods("PUT")
            .allowed_headers("content-type")
            .allowed_headers("if-none-match")
            .allowed_headers("x-amz-checksum-sha256")
            .expose_headers("ETag")
            .max_age_seconds(3_600)
            .build()
            .map_err(|error| StorageError::Refused(error.into()))?;
        let cors = CorsConfiguration::builder()
            .cors_rules(rule)
            .build()
            .map_err(|error| StorageError::Refused(error.into()))?;
        let request = client
            .put_bucket_cors()
            .bucket(bucket)
            .cors_configuration(cors)
            .send()
            .map_err(|error| classify("PutBucketCors", error));
        self.call("PutBucketCors", request).await?;
        Ok(())
    }

    pub(super) async fn head_bucket(&self) -> Result<(), StorageError> {
        let (client, bucket, _) = self.client();
        let request = client
            .head_bucket()
            .bucket(bucket)
            .send()
            .map_err(|error| classify("HeadBucket", error));
        self.call("HeadBucket", request).await?;
        Ok(())
    }
}
