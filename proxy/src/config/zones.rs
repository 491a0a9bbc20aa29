//! Zones of endpoints, as the operator means them.

/// How requests are spread over the zones of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones {
    /// Shares beside each other, by name. Default: the sum of the weights of a zone's endpoints.
    pub weights: Vec<(String, u32)>,
    /// Whether the proxy's own zone gets everything that it has the capacity for. Default true.
    pub prefer_own: bool,
    /// A zone has the capacity for its share while so many hundredths of its well endpoints are at least all of them.
    /// Default 140: until less than 71 of 100 are well.
    pub overprovision_percent: u32,
}

impl Zones {
    /// As an empty table.
    pub const DEFAULT: Self = Self { weights: Vec::new(), prefer_own: true, overprovision_percent: 140 };
}
