//! The `Host` of a forwarded request, which may be the endpoint's own.

use crate::config::{EndpointAddress, HostPolicy};
use http::{HeaderMap, HeaderValue, header};

/// What `Host` says to the endpoint (RFC 9110 section 7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostField {
    /// What the request brings.
    Kept,
    /// The name and port of the endpoint that is chosen.
    Endpoint,
    /// Always this one.
    Fixed(HeaderValue),
}

impl HostField {
    /// As the operator wants it.
    #[must_use]
    pub fn new(policy: &HostPolicy) -> Self {
        match policy {
            HostPolicy::Preserve => Self::Kept,
            HostPolicy::Upstream => Self::Endpoint,
            HostPolicy::Fixed(name) => Self::Fixed(name.clone()),
        }
    }

    /// Sets the field, once the endpoint is chosen.
    pub(super) fn write(&self, headers: &mut HeaderMap, endpoint: &HeaderValue) {
        match self {
            Self::Kept => {}
            Self::Endpoint => drop(headers.insert(header::HOST, endpoint.clone())),
            Self::Fixed(name) => drop(headers.insert(header::HOST, name.clone())),
        }
    }
}

/// How an endpoint is called by its own clients. A Unix socket has no name, so it is this machine's.
pub(super) fn of_endpoint(address: &EndpointAddress) -> HeaderValue {
    let name = match address {
        EndpointAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        EndpointAddress::Tcp { host, port } => format!("{host}:{port}"),
        EndpointAddress::Unix(_) | EndpointAddress::Srv(_) => return HeaderValue::from_static("localhost"),
    };
    HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_called_by_name_and_port() {
        for (address, wanted) in [
            (EndpointAddress::Tcp { host: "app".into(), port: 8000 }, "app:8000"),
            (EndpointAddress::Tcp { host: "::1".into(), port: 80 }, "[::1]:80"),
            (EndpointAddress::Unix("/run/app.sock".into()), "localhost"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("client"));
            HostField::Kept.write(&mut headers, &of_endpoint(&address));
            assert_eq!(headers[header::HOST], "client");
            HostField::Endpoint.write(&mut headers, &of_endpoint(&address));
            assert_eq!(headers[header::HOST], wanted);
            HostField::Fixed(HeaderValue::from_static("fixed")).write(&mut headers, &of_endpoint(&address));
            assert_eq!(headers.get_all(header::HOST).iter().collect::<Vec<_>>(), ["fixed"]);
        }
    }
}
