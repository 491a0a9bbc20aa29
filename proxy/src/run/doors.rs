//! A listener on a worker: opened and closed by orders of the control thread while the worker runs.

use crate::config::Listener;
use crate::http::{Front, WorkerState};
use serve::admission::Admission;
use serve::clients::{ClientLimit, Clients};
use serve::connection::{Acceptor, ConnectionLimits};
use serve::counters::ConnectionCounters;
use serve::drain::Drain;
use serve::listener::{Address, Socket};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// What the control thread has a worker do.
pub(super) enum Command {
    /// Accept.
    Open(Box<Door>),
    /// Accept no more.
    Close {
        /// Which door.
        door: u64,
        /// Whether its connections are told to end, after what is under way.
        tell: bool,
    },
    /// Let go of the snapshot before, which an idle worker would keep until its next request.
    Refresh,
}

/// One listener's sockets on their way to a worker.
pub(super) struct Door {
    pub(super) id: u64,
    pub(super) sockets: Vec<Socket>,
    pub(super) local: Arc<Address>,
    pub(super) listener: Listener,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) clients: Option<Arc<Clients>>,
}

/// Obeys until the control thread has ended.
pub(super) async fn obey(
    mut commands: mpsc::UnboundedReceiver<Command>,
    state: Rc<WorkerState>,
    counters: Arc<ConnectionCounters>,
    drain: Rc<Drain>,
) {
    let mut doors = HashMap::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Open(door) => {
                let own = drain.child();
                doors.insert(door.id, Rc::clone(&own));
                door.open(&state, &counters, &own);
            }
            Command::Close { door, tell } => match (doors.remove(&door), tell) {
                (Some(own), true) => own.begin(),
                (Some(own), false) => own.stop_accepting(),
                (None, _) => {}
            },
            Command::Refresh => state.refresh(),
        }
    }
}

impl Door {
    fn open(self, state: &Rc<WorkerState>, counters: &Arc<ConnectionCounters>, drain: &Rc<Drain>) {
        let Self { id: _, sockets, local, listener, tls, slots, clients } = self;
        let trusting = Rc::clone(state);
        let is_proxy: Rc<dyn Fn(IpAddr) -> bool> = Rc::new(move |peer| trusting.trusts(peer));
        let limits = &listener.limits;
        let connection_limits = Rc::new(ConnectionLimits {
            header_bytes_max: limits.header_bytes_max,
            header_count_max: limits.header_count_max,
            handshake_timeout: limits.handshake_timeout,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            send_timeout: limits.send_timeout,
            streams_max: limits.streams_max,
            h2c: limits.h2c,
            requests_per_connection_max: limits.requests_per_connection_max,
        });
        let proxy_protocol = listener.proxy_protocol.clone().map(Arc::new);
        for socket in sockets {
            let acceptor = Acceptor {
                socket,
                local: Arc::clone(&local),
                limits: Rc::clone(&connection_limits),
                tls: tls.clone(),
                slots: Arc::clone(&slots),
                drain: Rc::clone(drain),
                admission: Admission {
                    proxy_protocol: proxy_protocol.clone(),
                    clients: clients.clone().map(|clients| ClientLimit { clients, is_proxy: Rc::clone(&is_proxy) }),
                    counters: Arc::clone(counters),
                },
                make_service: Front::maker(Rc::clone(state), limits, listener.redirect_to_https),
            };
            let name = listener.name.clone();
            tokio::task::spawn_local(async move {
                if let Err(error) = acceptor.run().await {
                    tracing::error!(listener = name, %error, "the listener failed");
                }
            });
        }
    }
}
