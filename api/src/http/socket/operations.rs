//! The operations that run on one socket.
//!
//! Each is a task that makes one message ahead and then waits until it is fetched: a client that
//! reads slowly slows its operations down, and nothing piles up. A task that is stopped takes its
//! message with it, so nothing of it is sent once its id is free for another.

use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::protocol::ServerMessage;
use crate::graphql::execute::Answer;
use crate::graphql::problem::{self, Problem};

/// Operations that run at a time on one socket.
pub(super) const MAX_OPERATIONS: usize = 100;

/// The running operations.
#[derive(Default)]
pub(super) struct Operations {
    running: Vec<Operation>,
    /// Whose turn it is, so that a busy one does not keep the others from being heard.
    turn: usize,
}

struct Operation {
    id: String,
    /// Whether it goes on until it is stopped.
    lasts: bool,
    messages: mpsc::Receiver<Outgoing>,
    _task: AbortOnDropHandle<()>,
}

enum Outgoing {
    Message(String),
    /// After it the id is free.
    Last(String),
}

impl Operations {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.running.iter().any(|operation| operation.id == id)
    }

    pub(super) fn is_full(&self) -> bool {
        self.running.len() >= MAX_OPERATIONS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts one under an id that is free.
    pub(super) fn start(&mut self, id: String, lasts: bool, answers: BoxStream<'static, Answer>) {
        let (send, messages) = mpsc::channel(1);
        let task = tokio::spawn(run(id.clone(), answers, send).in_current_span());
        self.running.push(Operation {
            id,
            lasts,
            messages,
            _task: AbortOnDropHandle::new(task),
        });
    }

    /// Stops one; an unknown id may have ended just now.
    pub(super) fn stop(&mut self, id: &str) {
        self.running.retain(|operation| operation.id != id);
    }

    /// Stops what would go on by itself.
    pub(super) fn stop_lasting(&mut self) {
        self.running.retain(|operation| !operation.lasts);
    }

    /// The next message of any; waits for ever while none runs.
    pub(super) async fn next(&mut self) -> String {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<String> {
        let count = self.running.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let operation = &mut self.running[index];
            let Poll::Ready(outgoing) = operation.messages.poll_recv(context) else {
                continue;
            };
            self.turn = index + 1;
            return Poll::Ready(match outgoing {
                Some(Outgoing::Message(message)) => message,
                Some(Outgoing::Last(message)) => {
                    self.running.swap_remove(index);
                    message
                }
                // It panicked; the log has it.
                None => {
                    let operation = self.running.swap_remove(index);
                    let error = problem::error(Problem::internal());
                    ServerMessage::Error {
                        id: &operation.id,
                        payload: &[error],
                    }
                    .to_json()
                }
            });
        }
        Poll::Pending
    }
}

async fn run(id: String, mut answers: BoxStream<'static, Answer>, send: mpsc::Sender<Outgoing>) {
    let id = id.as_str();
    let error = |payload: &[_]| Outgoing::Last(ServerMessage::Error { id, payload }.to_json());
    while let Some(answer) = answers.next().await {
        let outgoing = match answer {
            Answer::Executed(response) => {
                let payload = &response;
                Outgoing::Message(ServerMessage::Next { id, payload }.to_json())
            }
            Answer::Refused(errors) => error(&errors),
            Answer::TimedOut(timeout) => error(&[timeout]),
        };
        let is_last = matches!(outgoing, Outgoing::Last(_));
        if send.send(outgoing).await.is_err() || is_last {
            return;
        }
    }
    let complete = ServerMessage::Complete { id }.to_json();
    // Nobody fetches it when the operation was stopped meanwhile.
    let _ = send.send(Outgoing::Last(complete)).await;
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn answers(count: usize) -> BoxStream<'static, Answer> {
        let answer = || Answer::Executed(async_graphql::Response::new(true));
        stream::repeat_with(answer).take(count).boxed()
    }

    #[tokio::test]
    async fn a_busy_operation_does_not_keep_the_others_from_being_heard() {
        let mut operations = Operations::default();
        operations.start("busy".into(), true, answers(usize::MAX));
        operations.start("quiet".into(), false, answers(1));
        let mut heard = Vec::new();
        while !heard.iter().any(|m: &String| m.contains("complete")) {
            heard.push(operations.next().await);
            assert!(heard.len() < 1000);
            tokio::task::yield_now().await;
        }
        assert!(operations.contains("busy") && !operations.contains("quiet"));
    }

    #[tokio::test]
    async fn one_that_was_stopped_says_nothing_more() {
        let mut operations = Operations::default();
        operations.start("1".into(), true, answers(usize::MAX));
        operations.next().await;
        // A message waits already.
        tokio::task::yield_now().await;
        operations.stop("1");
        operations.start("1".into(), false, stream::empty().boxed());
        assert_eq!(operations.next().await, r#"{"type":"complete","id":"1"}"#);
        assert!(operations.is_empty());
    }

    #[tokio::test]
    async fn what_has_an_end_is_let_come_to_it() {
        let mut operations = Operations::default();
        operations.start("follows".into(), true, answers(usize::MAX));
        operations.start("writes".into(), false, answers(1));
        operations.stop_lasting();
        let heard = [operations.next().await, operations.next().await];
        let is_of = |message: &String| message.contains("\"writes\"");
        assert!(heard.iter().all(is_of), "{heard:?}");
        assert!(operations.is_empty());
    }

    #[tokio::test]
    async fn one_that_panics_ends_with_an_error() {
        let mut operations = Operations::default();
        let broken = stream::once(async { panic!("a resolver fails") }).boxed();
        operations.start("1".into(), true, broken);
        let message = operations.next().await;
        assert!(
            message.contains("\"error\"") && message.contains("INTERNAL"),
            "{message}"
        );
        assert!(operations.is_empty());
    }
}
