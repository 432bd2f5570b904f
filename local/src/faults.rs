//! Faults that the local servers inject on request, so that callers can show how they cope.
//!
//! Off by default. A rule names an operation as the counters do ([`crate::Stats`]):
//! `s3:PutObject`, `rekognition:DetectFaces`, `s3:*` or `*`. The first rule that fires wins.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;

use crate::clock;

/// What happens to a request that a rule picked. Each acts before the service sees the request:
/// nothing is read or written, except that a delayed request then runs as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request waits, then runs.
    Delay(Duration),
    /// S3 answers 503 `SlowDown`, the others 400 `ThrottlingException`.
    Throttle,
    /// The service answers 500 `InternalError` (`InternalServerError` for Rekognition).
    InternalError,
    /// The service answers 503 `ServiceUnavailable`.
    Unavailable,
    /// The connection closes without an answer.
    ConnectionReset,
}

/// When a fault happens.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// `service:Operation`, `service:*` or `*`.
    pub operation: String,
    /// What happens.
    pub fault: Fault,
    /// How many more times it may happen. `None`: without end.
    pub remaining: Option<u64>,
    /// How likely it is for each matching request, 0..=1.
    pub probability: f64,
}

impl FaultRule {
    /// The next `count` requests of `operation` meet `fault`.
    #[must_use]
    pub fn next(operation: impl Into<String>, fault: Fault, count: u64) -> Self {
        Self {
            operation: operation.into(),
            fault,
            remaining: Some(count),
            probability: 1.0,
        }
    }

    /// Each request of `operation` meets `fault` with the given probability (0..=1).
    #[must_use]
    pub fn sometimes(operation: impl Into<String>, fault: Fault, probability: f64) -> Self {
        Self {
            operation: operation.into(),
            fault,
            remaining: None,
            probability,
        }
    }

    fn matches(&self, operation: &str) -> bool {
        match self.operation.strip_suffix('*') {
            Some(prefix) => operation.starts_with(prefix),
            None => self.operation == operation,
        }
    }
}

/// The rules in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Tried in order.
    pub rules: Vec<FaultRule>,
    /// Makes probabilities repeatable.
    pub seed: Option<u64>,
}

/// Changes the faults of a running server.
#[derive(Debug)]
pub struct FaultControl {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Vec<FaultRule>,
    rng: StdRng,
}

impl FaultControl {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            state: Mutex::new(State {
                rules: faults.rules,
                rng: clock::generator(faults.seed),
            }),
        }
    }

    /// Replaces every rule and the seed.
    pub fn set(&self, faults: Faults) {
        let mut state = self.lock();
        state.rules = faults.rules;
        state.rng = clock::generator(faults.seed);
    }

    /// Adds a rule behind the present ones.
    pub fn add(&self, rule: FaultRule) {
        self.lock().rules.push(rule);
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// The rules that can still fire, with what remains of their counts.
    #[must_use]
    pub fn rules(&self) -> Vec<FaultRule> {
        self.lock().rules.clone()
    }

    /// Decides the fate of one request and uses up a count.
    pub(crate) fn pick(&self, operation: &str) -> Option<Fault> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let rng = &mut state.rng;
        let fired = state.rules.iter_mut().find(|rule| {
            rule.matches(operation)
                && (rule.probability >= 1.0 || clock::happens(rng, rule.probability))
        })?;
        let fault = fired.fault;
        if let Some(remaining) = &mut fired.remaining {
            *remaining = remaining.saturating_sub(1);
        }
        state.rules.retain(|rule| rule.remaining != Some(0));
        Some(fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_rule_fires_that_often_and_then_the_next_rule_has_its_turn() {
        let control = FaultControl::new(Faults::default());
        assert_eq!(control.pick("s3:PutObject"), None);
        control.add(FaultRule::next("s3:PutObject", Fault::Throttle, 2));
        control.add(FaultRule::next("s3:*", Fault::InternalError, 1));
        let fates: Vec<_> = (0..4).map(|_| control.pick("s3:PutObject")).collect();
        assert_eq!(
            fates,
            [
                Some(Fault::Throttle),
                Some(Fault::Throttle),
                Some(Fault::InternalError),
                None
            ]
        );
        assert!(control.rules().is_empty());
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let draw = |seed| {
            let control = FaultControl::new(Faults {
                rules: vec![FaultRule::sometimes("*", Fault::Unavailable, 0.3)],
                seed: Some(seed),
            });
            (0..200)
                .map(|_| control.pick("rekognition:DetectFaces").is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let hits = draw(7).into_iter().filter(|hit| *hit).count();
        assert!((30..=90).contains(&hits), "{hits} of 200 at 0.3");
    }
}
