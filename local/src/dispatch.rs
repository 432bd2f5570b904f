//! From a request to the service that it is for, with counters and injected faults on the way.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use s3s::s3_error;

use crate::faults::{Fault, FaultControl};
use crate::rekognition::{self, Rekognition};
use crate::s3::{self, S3, operation};
use crate::stats::Counters;
use crate::sts::{self, Sts};
use crate::wire::{Inbound, Outbound};

const TARGET: &str = "x-amz-target";
const TARGET_PREFIX: &str = "RekognitionService.";

/// Rekognition's operations by name, so that a made-up name cannot grow the counters.
const REKOGNITION: [&str; 12] = [
    "CompareFaces",
    "CreateCollection",
    "DeleteCollection",
    "DeleteFaces",
    "DescribeCollection",
    "DetectFaces",
    "DetectLabels",
    "IndexFaces",
    "ListCollections",
    "ListFaces",
    "SearchFaces",
    "SearchFacesByImage",
];

/// Everything that one port serves.
pub(crate) struct Services {
    pub(crate) s3: Arc<S3>,
    pub(crate) rekognition: Rekognition,
    pub(crate) sts: Sts,
    pub(crate) faults: FaultControl,
    pub(crate) counters: Counters,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("faults", &self.faults)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// The connection is to close without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was reset on request")]
pub(crate) struct Reset;

#[derive(Clone, Copy)]
enum Service {
    S3,
    Rekognition,
    Sts,
}

impl Service {
    fn of(request: &Parts) -> Self {
        let header = |name: &str| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let form = "application/x-www-form-urlencoded";
        if header(TARGET).starts_with(TARGET_PREFIX) {
            Self::Rekognition
        } else if request.method == Method::POST
            && request.uri.path() == "/"
            && header(CONTENT_TYPE.as_str()).starts_with(form)
        {
            Self::Sts
        } else {
            Self::S3
        }
    }
}

impl Services {
    pub(crate) async fn handle(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Outbound>, Reset> {
        let (parts, body) = request.into_parts();
        let inbound = Inbound::new(body, &parts.headers);
        let (service, name, form) = self.recognise(&parts, &inbound).await;
        let counter = self.counters.start(&name);
        inbound.count(Arc::clone(&counter));
        let response = match self.meet_fault(service, &name).await {
            Ok(None) => self.answer(service, parts, form, inbound.clone()).await,
            Ok(Some(response)) => response,
            Err(reset) => {
                counter.error();
                return Err(reset);
            }
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            counter.error();
            inbound.drain();
        }
        Ok(response.map(|body| Outbound::new(body, counter)))
    }

    /// Service and operation. STS names its operation in the (small) form, so that is read here.
    async fn recognise(
        &self,
        parts: &Parts,
        inbound: &Inbound,
    ) -> (Service, String, Option<Bytes>) {
        match Service::of(parts) {
            Service::S3 => {
                let name = format!("s3:{}", operation::name(parts));
                (Service::S3, name, None)
            }
            Service::Rekognition => {
                let asked = parts
                    .headers
                    .get(TARGET)
                    .and_then(|value| value.to_str().ok())
                    .and_then(|target| target.strip_prefix(TARGET_PREFIX))
                    .unwrap_or_default();
                let known = REKOGNITION.into_iter().find(|known| *known == asked);
                let name = format!("rekognition:{}", known.unwrap_or("Unsupported"));
                (Service::Rekognition, name, None)
            }
            Service::Sts => {
                let form = Limited::new(inbound.clone(), sts::MAX_BODY_BYTES)
                    .collect()
                    .await
                    .ok()
                    .map(http_body_util::Collected::to_bytes);
                let name = form.as_deref().map_or("Unsupported", sts::operation);
                (Service::Sts, format!("sts:{name}"), form)
            }
        }
    }

    async fn answer(
        &self,
        service: Service,
        parts: Parts,
        form: Option<Bytes>,
        body: Inbound,
    ) -> Response<s3s::Body> {
        match service {
            Service::S3 => self.s3.call(parts, s3s::Body::http_body_unsync(body)).await,
            Service::Rekognition => {
                let request = Request::from_parts(parts, body);
                self.rekognition.handle(request).await.map(s3s::Body::from)
            }
            Service::Sts => match form {
                Some(form) => self.sts.call(&parts, &form).map(s3s::Body::from),
                None => sts::error_response(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "ValidationError",
                    "The request body could not be read or is too large",
                )
                .map(s3s::Body::from),
            },
        }
    }

    async fn meet_fault(
        &self,
        service: Service,
        name: &str,
    ) -> Result<Option<Response<s3s::Body>>, Reset> {
        match self.faults.pick(name) {
            None => Ok(None),
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
            Some(Fault::ConnectionReset) => Err(Reset),
            Some(fault) => Ok(Some(refusal(service, fault))),
        }
    }
}

/// How each service says that it is throttled, broken or away.
fn refusal(service: Service, fault: Fault) -> Response<s3s::Body> {
    let throttled = fault == Fault::Throttle;
    let away = fault == Fault::Unavailable;
    let status = match service {
        _ if away => StatusCode::SERVICE_UNAVAILABLE,
        Service::S3 if throttled => StatusCode::SERVICE_UNAVAILABLE,
        _ if throttled => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    match service {
        Service::S3 => s3::error_response(if throttled {
            s3_error!(SlowDown, "Please reduce your request rate.")
        } else if away {
            s3_error!(ServiceUnavailable, "Service is unable to handle request.")
        } else {
            s3_error!(
                InternalError,
                "We encountered an internal error. Please try again."
            )
        }),
        Service::Rekognition => {
            let (code, message) = if throttled {
                ("ThrottlingException", "Rate exceeded")
            } else if away {
                ("ServiceUnavailableException", "Service is unavailable")
            } else {
                ("InternalServerError", "Internal server error")
            };
            rekognition::error_response(status, code, message).map(s3s::Body::from)
        }
        Service::Sts => {
            let (code, message) = if throttled {
                ("Throttling", "Rate exceeded")
            } else if away {
                ("ServiceUnavailable", "Service is unavailable")
            } else {
                ("InternalFailure", "Internal failure")
            };
            sts::error_response(status, code, message).map(s3s::Body::from)
        }
    }
}
