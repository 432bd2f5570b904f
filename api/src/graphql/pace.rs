//! Tells a subscription that waits for an event from one that is answering it: waiting takes as long
//! as it takes, an answer has a limit. From outside async-graphql's stream the two look the same.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::time::Instant;

/// Since when an answer is being made; none while the next event is waited for.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Mutex<Option<Instant>>>);

/// An answer took longer than its limit.
#[derive(Debug, PartialEq, Eq)]
pub struct TooSlow;

impl Pace {
    /// Of a subscription that begins now: until its events are asked for, it is answering.
    #[must_use]
    pub fn begins() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// The events as they are. One is being answered from when it comes until the next is asked for.
    pub fn events<S: Stream + Send>(
        self,
        events: S,
    ) -> impl Stream<Item = S::Item> + Send + use<S> {
        let mut events = Box::pin(events);
        stream::poll_fn(move |context| {
            self.set(None);
            let event = events.as_mut().poll_next(context);
            if let Poll::Ready(Some(_)) = event {
                self.set(Some(Instant::now()));
            }
            event
        })
    }

    /// The answers as they are, until one takes longer than `limit`: it is the last.
    pub fn answers<T: Send>(
        self,
        answers: BoxStream<'static, T>,
        limit: Duration,
    ) -> impl Stream<Item = Result<T, TooSlow>> + Send {
        stream::unfold(Some(answers), move |answers| {
            let pace = self.clone();
            async move {
                let mut answers = answers?;
                Some(match pace.next(&mut answers, limit).await? {
                    Ok(answer) => (Ok(answer), Some(answers)),
                    Err(slow) => (Err(slow), None),
                })
            }
        })
    }

    async fn next<T>(
        &self,
        answers: &mut BoxStream<'static, T>,
        limit: Duration,
    ) -> Option<Result<T, TooSlow>> {
        loop {
            let since = self.since();
            let end = since.unwrap_or_else(Instant::now) + limit;
            match tokio::time::timeout_at(end, pin!(answers.next())).await {
                Ok(answer) => return answer.map(Ok),
                Err(_) if since.is_some() && self.since() == since => return Some(Err(TooSlow)),
                // An event that came meanwhile has its own time.
                Err(_) => {}
            }
        }
    }

    fn since(&self) -> Option<Instant> {
        // A single value cannot be half written.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

#[cfg(test)]
mod tests {
    use futures::future;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(1);

    /// The answers to events, each made by `answer` before the next event is asked for, as
    /// async-graphql does.
    fn subscription<A: Future<Output = ()> + Send + 'static>(
        events: impl Stream<Item = u32> + Send + 'static,
        answer: impl Fn(u32) -> A + Send + 'static,
    ) -> BoxStream<'static, Result<(), TooSlow>> {
        let pace = Pace::begins();
        let answers = pace.clone().events(events).then(answer).boxed();
        pace.answers(answers, LIMIT).boxed()
    }

    #[tokio::test]
    async fn events_are_waited_for_without_end() {
        // Nobody wakes the task but the limit, again and again.
        let mut polls = 0;
        let late = stream::poll_fn(move |_| {
            polls += 1;
            match polls {
                7 => Poll::Ready(Some(1)),
                8.. => Poll::Ready(None),
                _ => Poll::Pending,
            }
        });
        let answers: Vec<_> = subscription(late, |_| future::ready(())).collect().await;
        assert_eq!(answers, [Ok(())]);
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_is_the_last() {
        let events = stream::iter([1, 2, 3]);
        let answers = subscription(events, |event| async move {
            if event == 2 {
                future::pending().await
            }
        });
        let answers: Vec<_> = answers.collect().await;
        assert_eq!(answers, [Ok(()), Err(TooSlow)]);
    }

    #[tokio::test]
    async fn beginning_has_the_same_limit() {
        let never = stream::pending::<()>().boxed();
        let answers: Vec<_> = Pace::begins().answers(never, LIMIT).collect().await;
        assert_eq!(answers, [Err(TooSlow)]);
    }
}
