//! Which S3 operation a request asks for: counters and faults need to know before s3s does.

use http::Method;
use http::request::Parts;

/// The operation's name in the S3 API reference. What this store does not offer is called
/// `Unsupported`; the answer to it is s3s's.
pub(crate) fn name(request: &Parts) -> &'static str {
    let path = request.uri.path().trim_start_matches('/');
    let query = request.uri.query().unwrap_or_default();
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let copies = request.headers.contains_key("x-amz-copy-source");
    let method = &request.method;
    if method == Method::OPTIONS {
        return "Preflight";
    }
    match path.split_once('/').filter(|(_, key)| !key.is_empty()) {
        None if path.is_empty() => match *method {
            Method::GET => "ListBuckets",
            _ => "Unsupported",
        },
        None => bucket_operation(method, has),
        Some(_) => object_operation(method, has, copies),
    }
}

fn bucket_operation(method: &Method, has: impl Fn(&str) -> bool) -> &'static str {
    match *method {
        Method::GET if has("cors") => "GetBucketCors",
        Method::GET if has("location") => "GetBucketLocation",
        Method::GET if has("uploads") => "ListMultipartUploads",
        Method::GET if has("list-type") => "ListObjectsV2",
        Method::GET => "ListObjects",
        Method::HEAD => "HeadBucket",
        Method::PUT if has("cors") => "PutBucketCors",
        Method::PUT => "CreateBucket",
        Method::DELETE if has("cors") => "DeleteBucketCors",
        Method::DELETE => "DeleteBucket",
        Method::POST if has("delete") => "DeleteObjects",
        _ => "Unsupported",
    }
}

fn object_operation(method: &Method, has: impl Fn(&str) -> bool, copies: bool) -> &'static str {
    match *method {
        Method::GET if has("uploadId") => "ListParts",
        Method::GET => "GetObject",
        Method::HEAD => "HeadObject",
        Method::PUT if has("uploadId") && copies => "UploadPartCopy",
        Method::PUT if has("uploadId") => "UploadPart",
        Method::PUT if copies => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if has("uploads") => "CreateMultipartUpload",
        Method::POST if has("uploadId") => "CompleteMultipartUpload",
        Method::DELETE if has("uploadId") => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        _ => "Unsupported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_names_of_the_api_reference() {
        for (method, uri, expected) in [
            ("GET", "/", "ListBuckets"),
            ("GET", "/b?list-type=2&prefix=a", "ListObjectsV2"),
            ("GET", "/b/", "ListObjects"),
            ("GET", "/b/k/l?x-id=GetObject", "GetObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
            ("POST", "/b/k?uploads", "CreateMultipartUpload"),
            ("POST", "/b?delete=", "DeleteObjects"),
            ("OPTIONS", "/b/k", "Preflight"),
            ("PATCH", "/b/k", "Unsupported"),
        ] {
            let request = http::Request::builder().method(method).uri(uri);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(name(&parts), expected, "{method} {uri}");
        }
    }
}
