//! What whoever runs the system sees of it: metrics, health, logs, spans.

pub(crate) mod exposition;
mod logs;
mod metrics;
mod process;
mod queue;
mod spans;
