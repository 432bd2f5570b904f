//! Rekognition's answers and errors in our own terms.

use aws_sdk_rekognition::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rekognition::types;
use entity::document::{BoundingBox, FaceDetail, LabelDetail, LabelInstance, Landmark};

use super::pace::Operation;
use super::{Label, VisionError};
use crate::metrics::CallOutcome;

/// Clamped to the picture: Rekognition's boxes can begin before 0 and end after 1 where a face is
/// cut by the edge (API reference, `BoundingBox`).
pub(super) fn bounding_box(given: &types::BoundingBox) -> BoundingBox {
    let part = |start: Option<f32>, length: Option<f32>| {
        let (start, length) = (start.unwrap_or_default(), length.unwrap_or_default());
        let from = start.clamp(0.0, 1.0);
        (from, (start + length).clamp(from, 1.0) - from)
    };
    let (left, width) = part(given.left(), given.width());
    let (top, height) = part(given.top(), given.height());
    BoundingBox {
        left,
        top,
        width,
        height,
    }
}

/// A face of DetectFaces; `None` without a box.
pub(super) fn face(given: &types::FaceDetail) -> Option<FaceDetail> {
    let pose = given.pose();
    let quality = given.quality();
    Some(FaceDetail {
        bounding_box: bounding_box(given.bounding_box()?),
        confidence: given.confidence().unwrap_or_default(),
        brightness: quality.and_then(|q| q.brightness()).unwrap_or_default(),
        sharpness: quality.and_then(|q| q.sharpness()).unwrap_or_default(),
        roll: pose.and_then(|p| p.roll()).unwrap_or_default(),
        yaw: pose.and_then(|p| p.yaw()).unwrap_or_default(),
        pitch: pose.and_then(|p| p.pitch()).unwrap_or_default(),
        landmarks: given
            .landmarks()
            .iter()
            .filter_map(|landmark| {
                Some(Landmark {
                    kind: landmark.r#type()?.as_str().to_owned(),
                    x: landmark.x()?,
                    y: landmark.y()?,
                })
            })
            .collect(),
    })
}

/// A label of DetectLabels; `None` without a name.
pub(super) fn label(given: &types::Label) -> Option<Label> {
    Some(Label {
        name: given.name()?.to_owned(),
        confidence: given.confidence().unwrap_or_default(),
        detail: LabelDetail {
            parents: given
                .parents()
                .iter()
                .filter_map(|parent| parent.name().map(str::to_owned))
                .collect(),
            instances: given
                .instances()
                .iter()
                .filter_map(|instance| {
                    Some(LabelInstance {
                        bounding_box: bounding_box(instance.bounding_box()?),
                        confidence: instance.confidence().unwrap_or_default(),
                    })
                })
                .collect(),
        },
    })
}

/// Sorts an SDK error into what can and what cannot work later (developer guide, "Error handling":
/// throttling, exceeded throughput and internal errors are to be retried, wrong pictures are not).
pub(super) fn error<E, R>(error: SdkError<E, R>) -> VisionError
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: std::error::Error + 'static,
    R: HttpStatus,
{
    let chain = aws_sdk_rekognition::error::DisplayErrorContext(&error).to_string();
    let retryable = |code: &str| VisionError::Retryable {
        code: code.to_owned(),
        message: chain.clone(),
    };
    match &error {
        SdkError::TimeoutError(_) => retryable("Timeout"),
        SdkError::DispatchFailure(_) => retryable("ConnectionFailure"),
        SdkError::ResponseError(_) => retryable("BrokenAnswer"),
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("Unknown").to_owned();
            let message = answer.err().message().unwrap_or_default().to_owned();
            let status = answer.raw().status_code();
            classify(code, message, status)
        }
        _ => VisionError::Permanent {
            code: "NotSent".to_owned(),
            message: chain,
        },
    }
}

/// How a call that was not answered with success counts.
pub(super) fn outcome(operation: Operation, error: &VisionError) -> CallOutcome {
    match error {
        VisionError::NoSuchCollection => CallOutcome::Ok,
        VisionError::NoFace => CallOutcome::NoFace,
        VisionError::Permanent { code, .. } => match (operation, code.as_str()) {
            // Answers that we expect: made by an earlier run; a face that is gone.
            (Operation::CreateCollection, "ResourceAlreadyExistsException")
            | (Operation::SearchFaces, "InvalidParameterException") => CallOutcome::Ok,
            (Operation::CompareFaces, "InvalidParameterException") => CallOutcome::NoFace,
            _ => CallOutcome::Refused,
        },
        VisionError::Retryable { code, .. } => match code.as_str() {
            "ThrottlingException"
            | "ProvisionedThroughputExceededException"
            | "TooManyRequestsException" => CallOutcome::Throttled,
            _ => CallOutcome::Unavailable,
        },
    }
}

/// The HTTP status of a raw answer.
pub(super) trait HttpStatus {
    /// As a number.
    fn status_code(&self) -> u16;
}

impl HttpStatus for aws_sdk_rekognition::config::http::HttpResponse {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }
}

fn classify(code: String, message: String, status: u16) -> VisionError {
    match code.as_str() {
        "ResourceNotFoundException" => VisionError::NoSuchCollection,
        // Temporary credentials rotate; a clock is set right.
        "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "ExpiredTokenException"
        | "RequestExpired" => VisionError::Retryable { code, message },
        // What a wrong clock looks like here; any other wrong signature stays wrong.
        "InvalidSignatureException"
            if message.starts_with("Signature expired")
                || message.starts_with("Signature not yet current") =>
        {
            let message = format!("this machine's clock is wrong, set it right (NTP): {message}");
            VisionError::Retryable { code, message }
        }
        _ if status >= 500 || status == 429 => VisionError::Retryable { code, message },
        _ => VisionError::Permanent { code, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retryable(code: &str, status: u16) -> bool {
        matches!(
            classify(code.to_owned(), String::new(), status),
            VisionError::Retryable { .. }
        )
    }

    #[test]
    fn errors_are_sorted_as_the_developer_guide_says() {
        // Throttling comes with 400 as well as with 500.
        assert!(retryable("ThrottlingException", 400));
        assert!(retryable("ThrottlingException", 500));
        assert!(retryable("ProvisionedThroughputExceededException", 400));
        assert!(retryable("InternalServerError", 500));
        assert!(retryable("SomethingNew", 503));
        // A clock is set right; a wrong secret key is not.
        for (message, again) in [
            (
                "Signature expired: 20261122T080000Z is now earlier than 20261122T081000Z",
                true,
            ),
            (
                "Signature not yet current: 20261122T083000Z is still later than 20261122T082500Z",
                true,
            ),
            ("The request signature we calculated does not match", false),
        ] {
            let error = classify("InvalidSignatureException".into(), message.into(), 400);
            assert_eq!(
                matches!(error, VisionError::Retryable { .. }),
                again,
                "{message}"
            );
        }
        for code in [
            "InvalidImageFormatException",
            "ImageTooLargeException",
            "InvalidS3ObjectException",
            "InvalidParameterException",
            "AccessDeniedException",
        ] {
            assert!(!retryable(code, 400), "{code}");
        }
        assert!(matches!(
            classify("ResourceNotFoundException".to_owned(), String::new(), 400),
            VisionError::NoSuchCollection
        ));
    }

    #[test]
    fn boxes_are_clamped_to_the_picture() {
        let given = types::BoundingBox::builder()
            .left(-0.1)
            .top(0.75)
            .width(0.5)
            .height(0.5)
            .build();
        let clamped = bounding_box(&given);
        assert_eq!((clamped.left, clamped.top), (0.0, 0.75));
        assert!((clamped.width - 0.4).abs() < 1e-6);
        assert_eq!(clamped.height, 0.25);
    }
}
