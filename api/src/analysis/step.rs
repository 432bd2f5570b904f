//! Rows of `analysis_step`, and failures as people see them.

use std::borrow::Cow;

use entity::analysis_step::{self, Column, State, Step};
use entity::{PhotoId, Timestamp};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _,
};

use super::media::MediaError;
use crate::storage::StorageError;
use crate::vision::VisionError;

/// The steps, in their order.
pub const STEPS: [Step; 4] = [Step::Renditions, Step::Faces, Step::Labels, Step::Grouping];

/// Code of a step that was given up.
pub const ATTEMPTS_EXHAUSTED: &str = "ATTEMPTS_EXHAUSTED";

/// Adds the steps that these photos do not have yet, pending. For the confirmation of an upload, in
/// its transaction; the caller enqueues [`super::ANALYSE`].
///
/// # Errors
/// The database's.
pub async fn create(
    connection: &impl ConnectionTrait,
    photos: &[PhotoId],
    now: Timestamp,
) -> Result<(), DbErr> {
    // Nine columns a row: 250 photos stay far below every database's limit of binds.
    for photos in photos.chunks(250) {
        let present: Vec<(PhotoId, Step)> = analysis_step::Entity::find()
            .filter(Column::PhotoId.is_in(photos.iter().copied()))
            .all(connection)
            .await?
            .into_iter()
            .map(|row| (row.photo_id, row.step))
            .collect();
        let missing: Vec<analysis_step::ActiveModel> = photos
            .iter()
            .flat_map(|photo| STEPS.map(|step| (*photo, step)))
            .filter(|key| !present.contains(key))
            .map(|(photo, step)| pending(photo, step, now))
            .collect();
        if !missing.is_empty() {
            analysis_step::Entity::insert_many(missing)
                .exec_without_returning(connection)
                .await?;
        }
    }
    Ok(())
}

fn pending(photo: PhotoId, step: Step, now: Timestamp) -> analysis_step::ActiveModel {
    analysis_step::ActiveModel {
        photo_id: Set(photo),
        step: Set(step),
        state: Set(State::Pending),
        attempts: Set(0),
        retry_at: Set(None),
        error_code: Set(None),
        error_message: Set(None),
        retryable: Set(false),
        updated_at: Set(now),
    }
}

/// What becomes of a step.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Starts anew.
    Reset,
    /// Waits for others, with nothing tried.
    Waits,
    /// Worked.
    Done,
    /// Not needed, or not possible for a reason that is nobody's fault.
    Skipped(Option<Failure>),
    /// Failed, and is tried again at this time.
    Later(Failure, Timestamp),
    /// Failed for good.
    Failed(Failure),
}

/// Writes the change. The document is the caller's.
pub(super) async fn set(
    connection: &impl ConnectionTrait,
    photo: PhotoId,
    step: Step,
    change: Change,
    now: Timestamp,
) -> Result<(), DbErr> {
    let mut row = analysis_step::ActiveModel {
        retry_at: Set(None),
        error_code: Set(None),
        error_message: Set(None),
        retryable: Set(false),
        updated_at: Set(now),
        ..Default::default()
    };
    let (state, tried, failure) = match change {
        Change::Reset => {
            row.attempts = Set(0);
            (State::Pending, false, None)
        }
        Change::Waits => (State::Pending, false, None),
        Change::Done => (State::Done, true, None),
        Change::Skipped(failure) => (State::Skipped, false, failure),
        Change::Later(failure, at) => {
            row.retry_at = Set(Some(at));
            (State::Pending, true, Some(failure))
        }
        Change::Failed(failure) => (State::Failed, true, Some(failure)),
    };
    row.state = Set(state);
    if let Some(failure) = failure {
        row.error_code = Set(Some(failure.code.chars().take(64).collect()));
        row.error_message = Set(Some(failure.message.into_owned()));
        row.retryable = Set(failure.retryable);
    }
    let mut update = analysis_step::Entity::update_many()
        .set(row)
        .filter(Column::PhotoId.eq(photo))
        .filter(Column::Step.eq(step));
    if tried {
        update = update.col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1));
    }
    update.exec(connection).await?;
    Ok(())
}

/// Why a step did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Stable code: Rekognition's error name, or one of ours in capitals.
    pub(super) code: Cow<'static, str>,
    /// For people. Never an upstream text: those name accounts and roles.
    pub(super) message: Cow<'static, str>,
    /// Whether trying again can help, perhaps after somebody put something right.
    pub(super) retryable: bool,
    /// Whether the job tries again by itself.
    pub(super) again: bool,
    /// For the log.
    pub(super) cause: String,
}

impl Failure {
    fn new(code: &'static str, message: &'static str, again: bool, cause: String) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: again,
            again,
            cause,
        }
    }

    /// The picture is smaller than Rekognition takes.
    pub(super) fn too_small() -> Self {
        let message = "the picture is too small to be analysed";
        Self::new("TOO_SMALL", message, false, String::new())
    }

    /// Workers died with it.
    pub(super) fn crashed(cause: &str) -> Self {
        Self {
            code: "CRASHED".into(),
            message: "given up: the analysis was cut off several times in a row".into(),
            retryable: true,
            again: false,
            cause: cause.to_owned(),
        }
    }

    /// The attempts are spent.
    pub(super) fn exhausted(last: Option<&str>, cause: &str) -> Self {
        let last = last.unwrap_or("it never came to an end");
        Self {
            code: ATTEMPTS_EXHAUSTED.into(),
            message: format!("given up after several attempts; the last: {last}").into(),
            retryable: true,
            again: false,
            cause: cause.to_owned(),
        }
    }
}

impl From<MediaError> for Failure {
    fn from(error: MediaError) -> Self {
        Self {
            code: error.code().into(),
            message: error.to_string().into(),
            retryable: false,
            again: false,
            cause: error.to_string(),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let cause = format!("{:#}", anyhow::Error::new(error));
        Self::new(
            "STORAGE_UNAVAILABLE",
            "the object store does not answer",
            true,
            cause,
        )
    }
}

impl Failure {
    /// As [`From`], for the original: that it is not there, or too long, is final.
    pub(super) fn of_original(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::new(
                "ORIGINAL_MISSING",
                "the uploaded file is gone",
                false,
                error.to_string(),
            ),
            StorageError::TooLarge { .. } => Self::new(
                "FILE_TOO_LARGE",
                "the uploaded file is longer than allowed",
                false,
                error.to_string(),
            ),
            other => other.into(),
        }
    }
}

impl From<VisionError> for Failure {
    fn from(error: VisionError) -> Self {
        let cause = error.to_string();
        let (code, again) = match error {
            VisionError::Permanent { code, .. } => (code, false),
            VisionError::Retryable { code, .. } => (code, true),
            VisionError::NoSuchCollection => ("ResourceNotFoundException".to_owned(), false),
            VisionError::NoFace => ("InvalidParameterException".to_owned(), false),
        };
        // These are about the set-up, not the picture: trying again helps once it is put right.
        let setup = matches!(
            code.as_str(),
            "AccessDeniedException"
                | "InvalidS3ObjectException"
                | "UnrecognizedClientException"
                | "InvalidSignatureException"
                | "NotSent"
        );
        let message = match code.as_str() {
            "InvalidImageFormatException" => "Rekognition cannot read the picture",
            "ImageTooLargeException" => "the picture is too large for Rekognition",
            _ if setup => "Rekognition is not set up to read the picture",
            _ if again => "Rekognition is busy or does not answer",
            _ => "Rekognition refuses the picture",
        };
        Self {
            code: code.into(),
            message: message.into(),
            retryable: again || setup,
            again,
            cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permanent(code: &str) -> Failure {
        Failure::from(VisionError::Permanent {
            code: code.to_owned(),
            message: "User: arn:aws:iam::123456789012:user/x is not authorized".to_owned(),
        })
    }

    #[test]
    fn people_do_not_see_upstream_texts() {
        let failure = permanent("AccessDeniedException");
        assert!(!failure.message.contains("arn:"), "{}", failure.message);
        assert!(failure.cause.contains("arn:"));
        assert_eq!((failure.retryable, failure.again), (true, false));
    }

    #[test]
    fn only_what_can_pass_is_tried_again() {
        assert!(!permanent("InvalidImageFormatException").retryable);
        let busy = VisionError::Retryable {
            code: "ThrottlingException".to_owned(),
            message: String::new(),
        };
        assert!(Failure::from(busy).again);
        assert!(!Failure::of_original(StorageError::NotFound).again);
        assert!(!Failure::from(MediaError::Truncated).again);
        let refused = StorageError::Refused(anyhow::anyhow!("no"));
        assert!(Failure::of_original(refused).again);
    }
}
