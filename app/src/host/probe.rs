//! `/livez` and `/readyz`, answered by the host: whoever watches a server asks even when its callable hangs.

use http::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether requests are welcome. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether requests are welcome from now on.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Relaxed);
    }

    /// Whether requests are welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The answer to a probe, if the request is one.
pub(super) fn answer(method: &Method, path: &str, readiness: &Readiness) -> Option<(StatusCode, &'static str)> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    match path {
        "/livez" => Some((StatusCode::OK, "ok\n")),
        "/readyz" if readiness.is_ready() => Some((StatusCode::OK, "ready\n")),
        "/readyz" => Some((StatusCode::SERVICE_UNAVAILABLE, "draining\n")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_tell_life_from_readiness() {
        let readiness = Readiness::default();
        let status = |path| answer(&Method::GET, path, &readiness).map(|(status, _)| status.as_u16());
        assert_eq!((status("/livez"), status("/readyz"), status("/")), (Some(200), Some(503), None));
        readiness.set(true);
        assert_eq!(status("/readyz"), Some(200));
        assert_eq!(answer(&Method::POST, "/readyz", &readiness), None);
    }
}
