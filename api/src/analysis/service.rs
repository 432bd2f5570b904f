//! TODO

/// TODO
#[derive(Debug)]
pub struct AnalysisService;
