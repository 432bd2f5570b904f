//! File descriptors: every connection and every open file takes one.

/// What we go by where the operating system has no limit, or none that it tells.
const ASSUMED: u64 = 1024;
/// More connections than this would need more memory than a replica has.
const MOST_CONNECTIONS: u64 = 16_384;

/// How the descriptors of this process are shared out. The rest is for the database, the object
/// store and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Connections to the API at a time.
    pub api: usize,
    /// Connections to the stand-ins of S3 and Rekognition at a time.
    pub stand_ins: usize,
}

impl Shares {
    /// Of the limit that this process has.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(limit().unwrap_or(ASSUMED))
    }

    fn of(limit: u64) -> Self {
        let share = |of: u64| usize::try_from((limit / of).clamp(16, MOST_CONNECTIONS));
        Self {
            api: share(2).unwrap_or(usize::MAX),
            stand_ins: share(4).unwrap_or(usize::MAX),
        }
    }
}

/// Raises the limit of this process as far as it may be: the usual one of 1024 is that low only for
/// programs that use select(2).
pub fn raise_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_for_the_api_and_some_is_left() {
        let of = |limit| {
            let shares = Shares::of(limit);
            (shares.api, shares.stand_ins)
        };
        assert_eq!(of(1024), (512, 256));
        assert_eq!(of(u64::MAX), (16_384, 16_384));
        assert_eq!(of(0), (16, 16));
    }
}
