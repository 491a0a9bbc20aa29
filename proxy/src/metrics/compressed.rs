//! What is known of files that were compressed on the fly when somebody reads the metrics.

/// As it is now; counts are since the start.
#[derive(Debug, Clone, Default)]
pub struct CompressedSample {
    /// Bytes that the results take.
    pub bytes: u64,
    /// Jobs by the coding that they made.
    pub made: Vec<(&'static str, u64)>,
    /// Jobs that gave nothing worth sending.
    pub useless: u64,
    /// Requests that found too many jobs waiting.
    pub busy: u64,
}
