//! How the time between the signal to stop and the end is shared out.

use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

/// The parts of `shutdown_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// New requests are still answered for so long: clients and load balancers are to hear of it.
    pub drain: Duration,
    /// Running jobs may go on for so long; then they are stopped and released.
    pub work: Duration,
    /// Requests and the releasing of jobs end after so long, done or not.
    pub end: Duration,
    /// What is left then, for closing connections.
    pub rest: Duration,
}

impl Shutdown {
    /// Shares `seconds` out.
    #[must_use]
    pub fn of(seconds: u32) -> Self {
        let total = Duration::from_secs(u64::from(seconds));
        let rest = (total / 10).min(Duration::from_secs(2));
        Self {
            drain: rest,
            work: total - 2 * rest,
            end: total - rest,
            rest,
        }
    }

    /// Waits for `all`, from the cancellation of `stop` on for no longer than [`Shutdown::end`]: a
    /// connection that hangs or a database that is gone must not hold the process.
    ///
    /// # Errors
    /// What `all` gives.
    pub async fn within(
        self,
        stop: &CancellationToken,
        all: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let over = async {
            stop.cancelled().await;
            tokio::time::sleep(self.end).await;
        };
        tokio::select! {
            ended = all => ended,
            () = over => {
                tracing::warn!(seconds = self.end.as_secs(), "not all that ran has ended in time");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_up_the_whole() {
        for seconds in [0, 1, 5, 20, 600] {
            let Shutdown {
                drain,
                work,
                end,
                rest,
            } = Shutdown::of(seconds);
            assert_eq!(end + rest, Duration::from_secs(seconds.into()));
            // What is stopped still has time to be released.
            assert_eq!(work + rest, end);
            assert!(drain <= Duration::from_secs(2) && drain <= work);
        }
    }
}
