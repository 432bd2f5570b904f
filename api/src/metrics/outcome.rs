//! The values that the label `outcome` can have.

/// What became of a GraphQL request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Answered without top-level errors.
    Ok,
    /// Executed, with top-level errors.
    Error,
    /// Nothing of it was executed.
    Refused,
    /// It took too long.
    Timeout,
}

impl RequestOutcome {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
        }
    }
}

/// How a run of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Nothing is left to do.
    Done,
    /// Not yet: the job waits for its next time.
    Again,
    /// Failed; tried again later.
    Retry,
    /// Failed for good: buried.
    GivenUp,
    /// The lease was lost, or could not be settled and runs out.
    Lost,
    /// Stopped by the shutdown; the job is due again.
    Released,
}

impl RunOutcome {
    pub(super) const ALL: [Self; 6] = [
        Self::Done,
        Self::Again,
        Self::Retry,
        Self::GivenUp,
        Self::Lost,
        Self::Released,
    ];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Retry => "retry",
            Self::GivenUp => "given_up",
            Self::Lost => "lost",
            Self::Released => "released",
        }
    }
}

/// What a service of AWS answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// What was asked for, or an answer that we expect, such as "exists already".
    Ok,
    /// There is no such object.
    NotFound,
    /// CompareFaces saw no face in one of its pictures.
    NoFace,
    /// Over the quota.
    Throttled,
    /// No, and asking again does not help.
    Refused,
    /// 5xx, time-out, no connection.
    Unavailable,
}

impl CallOutcome {
    pub(super) const S3: [Self; 4] = [Self::Ok, Self::NotFound, Self::Refused, Self::Unavailable];
    pub(super) const REKOGNITION: [Self; 5] = [
        Self::Ok,
        Self::NoFace,
        Self::Throttled,
        Self::Refused,
        Self::Unavailable,
    ];

    /// As the label's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::NoFace => "no_face",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What the reaper did with an abandoned upload, or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReapOutcome {
    /// Nothing stood there, or not what was announced.
    Removed,
    /// Its object stood: the client vanished between PUT and confirm.
    Confirmed,
    /// An object whose photo is no more.
    Orphaned,
}

impl ReapOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Removed, Self::Confirmed, Self::Orphaned];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Confirmed => "confirmed",
            Self::Orphaned => "orphaned",
        }
    }
}
