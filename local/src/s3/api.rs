//! The operations as s3s calls them.

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::attributes::timestamp;
use super::cors::CorsRule;
use super::index::IndexError;
use super::store::Store;
use super::{list, multipart, object, uploads};

/// Our half of the protocol: s3s reads requests and writes answers.
pub(super) struct Api {
    pub(super) store: Store,
    pub(super) region: String,
    /// Largest body of one request.
    pub(super) max_bytes: u64,
}

type Answer<T> = S3Result<S3Response<T>>;

fn answer<T>(output: S3Result<T>) -> Answer<T> {
    output.map(S3Response::new)
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        answer(object::put(&self.store, self.max_bytes, request).await)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        answer(object::get(&self.store, &request.input).await)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        answer(object::head(&self.store, &request.input).await)
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answer<DeleteObjectOutput> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        object::delete(&self.store, bucket, vec![key]).await?;
        // The caller (s3s) answers 204.
        answer(Ok(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        answer(object::delete_many(&self.store, request.input).await)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        answer(object::copy(&self.store, request.input).await)
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> Answer<ListObjectsOutput> {
        answer(list::list_v1(&self.store.index, request.input).await)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        answer(list::list_v2(&self.store.index, request.input).await)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        answer(multipart::create(&self.store, request.input).await)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        answer(multipart::upload_part(&self.store, self.max_bytes, request).await)
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> Answer<UploadPartCopyOutput> {
        answer(multipart::upload_part_copy(&self.store, self.max_bytes, request.input).await)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        answer(multipart::complete(&self.store, request.input).await)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        uploads::abort(&self.store, request.input).await?;
        answer(Ok(AbortMultipartUploadOutput::default()))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        answer(uploads::list_parts(&self.store, request.input).await)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        answer(uploads::list_uploads(&self.store, request.input).await)
    }

    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> Answer<CreateBucketOutput> {
        let bucket = request.input.bucket;
        match self.store.index.create_bucket(&bucket).await {
            // In its oldest region S3 answers a repeated creation with success.
            Err(IndexError::BucketExists) if self.region == "us-east-1" => {}
            made => made?,
        }
        answer(Ok(CreateBucketOutput {
            location: Some(format!("/{bucket}")),
        }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.store.index.check_bucket(&request.input.bucket).await?;
        answer(Ok(HeadBucketOutput {
            bucket_region: Some(self.region.clone()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> Answer<DeleteBucketOutput> {
        self.store.delete_bucket(&request.input.bucket).await?;
        answer(Ok(DeleteBucketOutput::default()))
    }

    async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> Answer<ListBucketsOutput> {
        let prefix = request.input.prefix.unwrap_or_default();
        let buckets = self.store.index.buckets().await?;
        answer(Ok(ListBucketsOutput {
            buckets: Some(
                buckets
                    .into_iter()
                    .filter(|(name, _)| name.starts_with(&prefix))
                    .map(|(name, created)| Bucket {
                        name: Some(name),
                        creation_date: Some(timestamp(created)),
                        bucket_region: Some(self.region.clone()),
                    })
                    .collect(),
            ),
            owner: Some(Owner {
                id: Some("local".to_owned()),
                display_name: None,
            }),
            ..ListBucketsOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.store.index.check_bucket(&request.input.bucket).await?;
        // us-east-1 is written as an empty constraint.
        let constraint = Some(self.region.clone()).filter(|region| region != "us-east-1");
        answer(Ok(GetBucketLocationOutput {
            location_constraint: constraint.map(BucketLocationConstraint::from),
        }))
    }

    async fn get_bucket_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> Answer<GetBucketCorsOutput> {
        let rules = self.store.index.cors_rules(&request.input.bucket).await?;
        let rules = rules.ok_or_else(|| {
            s3_error!(
                NoSuchCORSConfiguration,
                "The CORS configuration does not exist"
            )
        })?;
        answer(Ok(GetBucketCorsOutput {
            cors_rules: Some(rules.iter().map(CorsRule::to_dto).collect()),
        }))
    }

    async fn put_bucket_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> Answer<PutBucketCorsOutput> {
        let input = request.input;
        let rules: Vec<CorsRule> = input
            .cors_configuration
            .cors_rules
            .into_iter()
            .map(CorsRule::parse)
            .collect::<S3Result<_>>()?;
        self.store
            .set_cors_rules(&input.bucket, Some(rules))
            .await?;
        answer(Ok(PutBucketCorsOutput::default()))
    }

    async fn delete_bucket_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> Answer<DeleteBucketCorsOutput> {
        self.store
            .set_cors_rules(&request.input.bucket, None)
            .await?;
        answer(Ok(DeleteBucketCorsOutput::default()))
    }
}
