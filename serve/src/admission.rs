//! What a connection passes between its accept and its first request, beside TLS: who the client is by the PROXY
//! protocol, and whether it may have one more connection.
//!
//! Two addresses are at play. Whether a header is read at all goes by the *transport's* peer, because that one can't be
//! forged. Everything behind it goes by the client that the header told: counts, logs, and whether fields such as
//! `X-Forwarded-For` are believed. A sender of PROXY headers passes the client's bytes on without a look at them, so
//! trust in the sender says nothing about fields in these bytes.

use crate::clients::{ClientLimit, Place};
use crate::counters::{ConnectionCounters, Refusal};
use crate::listener::{Address, Peer};
use crate::proxy_protocol::{self, Mode, Senders};
use crate::transport::Transport;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Who is let in on a listener, and who counts it. The default lets everybody in.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Who announces clients; `None`: nobody, and no header is read.
    pub proxy_protocol: Option<Arc<Senders>>,
    /// The bound on connections of one client; `None`: there is none.
    pub clients: Option<ClientLimit>,
    /// While it is set nobody is let in: the server has not the means. `None`: it never is.
    pub closed: Option<Arc<AtomicBool>>,
    /// The worker's counters.
    pub counters: Arc<ConnectionCounters>,
}

/// What is known of a connection when it is let in.
pub(crate) struct Admitted {
    pub(crate) client: Peer,
    /// What the client connected to, when a header told.
    pub(crate) server: Option<Arc<Address>>,
    pub(crate) place: Option<Place>,
}

impl Admission {
    /// Whether a connection of this peer begins with a header.
    pub(crate) fn expects_header(&self, peer: Peer) -> bool {
        self.proxy_protocol.as_ref().is_some_and(|senders| senders.include(peer.ip()))
    }

    /// Decides about a peer that is the client itself.
    pub(crate) fn admit(&self, peer: Peer) -> Result<Admitted, Refusal> {
        match &self.proxy_protocol {
            Some(senders) if senders.mode == Mode::Required => Err(Refusal::ProxyPeer),
            _ => Ok(Admitted { client: peer, server: None, place: self.count(peer)? }),
        }
    }

    /// Reads who the client is and decides about it.
    pub(crate) async fn admit_announced(&self, transport: &Transport, peer: Peer) -> Result<Admitted, Refusal> {
        let told = proxy_protocol::read(transport).await.map_err(|error| {
            tracing::debug!(%peer, %error, "no PROXY protocol header");
            Refusal::ProxyHeader
        })?;
        let Some(told) = told else {
            // The sender's own, such as its health checks: one sender is not one client.
            return Ok(Admitted { client: peer, server: None, place: None });
        };
        let client = Peer::Tcp(told.client);
        Ok(Admitted { client, server: Some(Arc::new(Address::Tcp(told.server))), place: self.count(client)? })
    }

    fn count(&self, client: Peer) -> Result<Option<Place>, Refusal> {
        if self.closed.as_ref().is_some_and(|closed| closed.load(Relaxed)) {
            return Err(Refusal::Overload);
        }
        self.clients.as_ref().map_or(Ok(None), |limit| limit.enter(client.ip()).map_err(|_| Refusal::PerClient))
    }
}
