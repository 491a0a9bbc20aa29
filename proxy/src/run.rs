//! The life of the process: build, bind, serve, reload, drain.
//!
//! One control thread owns the process's affairs (reload, key refresh, the operator's listener, the order to stop);
//! the workers only serve. Everything starts through [`start`], in the binary and in tests alike.

use crate::admin::Admin;
use crate::config::{Coding, Config, Listener, LogFormat};
use crate::files::coding::{Results, ResultsState};
use crate::http::{Front, WorkerState, WorkerTools};
use crate::links::{self, LinkGuard, endpoints};
use crate::metrics::{CompressedSample, Metrics};
use crate::reload::{ConfigError, Reloaded, Reloader};
use crate::snapshot::Snapshot;
use crate::tls;
use crate::upstream::{Keeper, Kept};
use serve::admission::Admission;
use serve::clients::{ClientLimit, Clients};
use serve::connection::{Acceptor, ConnectionLimits};
use serve::counters::ConnectionCounters;
use serve::drain::Drain;
use serve::listener::{Address, Bound, Socket};
use serve::telemetry::{Drops, RequestLog};
use serve::worker::{Drained, Worker, Workers, local_runtime};
use std::io::{self, Write};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// The operator's listener takes this many connections at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// What starts beside the configuration.
#[derive(Default)]
pub struct StartOptions {
    /// The file that a reload reads again; `None` for configurations that come from nowhere (tests).
    pub config_path: Option<PathBuf>,
    /// Where request lines go; `None`: standard output.
    pub request_log: Option<Box<dyn Write + Send>>,
}

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration can't be served.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// TLS can't be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A socket or a thread.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A running proxy. Dropping it stops it at once; [`Running::shutdown`] drains it.
pub struct Running {
    listeners: Vec<(String, Address)>,
    admin: Option<Address>,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Reload(Option<Box<Config>>, oneshot::Sender<Result<Reloaded, ConfigError>>),
    Stop(oneshot::Sender<Drained>),
}

impl Running {
    /// The address that a listener is bound to, with its real port.
    #[must_use]
    pub fn address(&self, listener: &str) -> Option<&Address> {
        self.listeners.iter().find(|(name, _)| name == listener).map(|(_, address)| address)
    }

    /// All listeners, by name.
    pub fn listeners(&self) -> impl Iterator<Item = (&str, &Address)> {
        self.listeners.iter().map(|(name, address)| (name.as_str(), address))
    }

    /// The operator's listener.
    #[must_use]
    pub const fn admin(&self) -> Option<&Address> {
        self.admin.as_ref()
    }

    /// Reads the configuration file again, or takes the one given.
    ///
    /// # Errors
    /// What is wrong with it; the old configuration stays in force then.
    pub async fn reload(&self, config: Option<Config>) -> Result<Reloaded, ConfigError> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Reload(config.map(Box::new), answer));
        // The control thread answers every order until it has ended, and then there is nothing to reload.
        answered.await.unwrap_or(Ok(Reloaded { need_restart: Vec::new() }))
    }

    /// Stops accepting, lets work finish within `server.drain_timeout`, and says what was cut.
    pub async fn shutdown(mut self) -> Drained {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Stop(answer));
        let drained = answered.await.unwrap_or(Drained { cut: 0 });
        self.join();
        drained
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Closes the channel, which the control thread takes as the order to stop now.
        let (closed, _) = mpsc::unbounded_channel();
        self.orders = closed;
        self.join();
    }
}

/// Starts the proxy; ready to accept when it returns.
///
/// # Errors
/// [`StartError`]; nothing is left running then.
pub async fn start(config: Config, options: StartOptions) -> Result<Running, StartError> {
    let (started, starting) = oneshot::channel();
    let (orders, receiver) = mpsc::unbounded_channel();
    let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
        let runtime = match local_runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error.into()))),
        };
        runtime.block_on(control(config, options, started, receiver));
        runtime.shutdown_background();
    })?;
    let (listeners, admin) =
        starting.await.unwrap_or_else(|_| Err(io::Error::other("the control thread ended while it started").into()))?;
    Ok(Running { listeners, admin, orders, thread: Some(thread) })
}

type Addresses = (Vec<(String, Address)>, Option<Address>);

async fn control(
    config: Config,
    options: StartOptions,
    started: oneshot::Sender<Result<Addresses, StartError>>,
    orders: mpsc::UnboundedReceiver<Order>,
) {
    let drain = Drain::new();
    match set_up(config, options, &drain).await {
        Ok((parts, addresses)) => {
            let _ = started.send(Ok(addresses));
            obey(parts, orders, &drain).await;
        }
        Err(error) => drop(started.send(Err(error))),
    }
}

struct Parts {
    reloader: Rc<Reloader>,
    workers: Workers,
    log: Option<RequestLog>,
    refresh: crate::auth::RefreshGuard,
    links: LinkGuard,
    keeper: Keeper,
}

async fn set_up(config: Config, options: StartOptions, drain: &Rc<Drain>) -> Result<(Parts, Addresses), StartError> {
    let reloader = Rc::new(Reloader::start(config, options.config_path)?);
    let config = Arc::clone(&reloader.current.load().config);
    let output = || options.request_log.unwrap_or_else(|| Box::new(io::stdout()));
    let log = config.log.access.then(|| RequestLog::start(output())).transpose()?;
    let tools = WorkerTools {
        current: Arc::clone(&reloader.current),
        log: log.as_ref().and_then(RequestLog::sender).map(|sender| (sender, config.log.format.clone())),
    };

    let threads = config.server.threads;
    let slots = Arc::new(Semaphore::new(config.server.connections_max.min(Semaphore::MAX_PERMITS)));
    let tls = if config.listeners.iter().any(|listener| listener.tls) {
        Some(tls::server_config(Arc::clone(&reloader.certificates))?)
    } else {
        None
    };
    let dropped = log.as_ref().map(RequestLog::drops);
    let dropped = move || dropped.as_ref().map_or(0, Drops::blocks);
    let snapshots = Arc::clone(&reloader.current);
    let keys = move || snapshots.load().issuers.freshness().collect();
    let metrics = Metrics::new(threads, SystemTime::now(), dropped, keys);
    let clients = config.server.connections_per_client_max.map(Clients::new);
    let mut doors: Vec<Vec<Door>> = (0..threads.get()).map(|_| Vec::new()).collect();
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        let bound = Bound::bind(&listener.address, threads)?;
        let address = bound.local_address().clone();
        listeners.push((listener.name.clone(), address.clone()));
        let local = Arc::new(address);
        for (worker, socket) in doors.iter_mut().zip(bound.into_sockets()) {
            worker.push(Door {
                socket,
                local: Arc::clone(&local),
                listener: listener.clone(),
                tls: tls.clone().filter(|_| listener.tls),
                slots: Arc::clone(&slots),
                clients: clients.clone(),
            });
        }
    }
    let mut doors = doors.into_iter();
    // Before the first request: names are looked up while everything else starts.
    let keeper = keep(&reloader.current.load());
    let workers = Workers::start(threads, "worker", |index| {
        let (tools, doors) = (tools.clone(), doors.next().unwrap_or_default());
        let metrics = metrics.workers().get(index).map(Arc::clone).unwrap_or_default();
        async move |worker: Worker| {
            let counters = Arc::clone(&metrics.connections);
            let state = WorkerState::new(tools, metrics);
            doors.into_iter().for_each(|door| door.open(&state, &counters, &worker.drain));
            Ok(())
        }
    })
    .await?;

    let refresh = reloader.current.load().issuers.spawn_refresh();
    let links = LinkGuard::spawn(&reloader.current.load());
    let for_metrics = Arc::clone(&reloader.current);
    let metrics = metrics.with_links(move || links::samples(&for_metrics.load()));
    let for_metrics = Arc::clone(&reloader.current);
    let metrics = metrics.with_endpoints(move || endpoints(&for_metrics.load()).collect());
    let for_metrics = Arc::clone(&reloader.current);
    let metrics = Rc::new(metrics.with_compressed(move || compressed(&for_metrics.load().compressed)));
    let admin =
        config.admin.as_ref().map(|admin| serve_admin(&admin.address, &reloader, &metrics, drain)).transpose()?;
    Ok((Parts { reloader, workers, log, refresh, links, keeper }, (listeners, admin)))
}

/// Keeps what is known of the endpoints of a snapshot current.
fn keep(snapshot: &Snapshot) -> Keeper {
    let upstreams = snapshot.config.upstreams.iter().zip(&snapshot.groups).zip(&snapshot.transports);
    let kept = upstreams.map(|((upstream, group), transport)| Kept {
        group: Arc::clone(group),
        resolve_every: upstream.resolve_every,
        probes: upstream.health.clone().map(|rules| (rules, transport.clone())),
    });
    Keeper::spawn(kept, snapshot.config.server.resolver)
}

/// What was compressed on the fly, for the metrics.
fn compressed(results: &Results) -> CompressedSample {
    let ResultsState { bytes, made, useless, busy } = results.state();
    let made = Coding::ALL.into_iter().map(Coding::token).zip(made).collect();
    CompressedSample { bytes, made, useless, busy }
}

/// One listener's socket on its way to a worker.
struct Door {
    socket: Socket,
    local: Arc<Address>,
    listener: Listener,
    tls: Option<Arc<rustls::ServerConfig>>,
    slots: Arc<Semaphore>,
    clients: Option<Arc<Clients>>,
}

impl Door {
    fn open(self, state: &Rc<WorkerState>, counters: &Arc<ConnectionCounters>, drain: &Rc<Drain>) {
        let Self { socket, local, listener, tls, slots, clients } = self;
        let trusting = Rc::clone(state);
        let is_proxy: Rc<dyn Fn(IpAddr) -> bool> = Rc::new(move |peer| trusting.trusts(peer));
        let limits = &listener.limits;
        let acceptor = Acceptor {
            socket,
            local,
            limits: Rc::new(ConnectionLimits {
                header_bytes_max: limits.header_bytes_max,
                header_count_max: limits.header_count_max,
                handshake_timeout: limits.handshake_timeout,
                header_timeout: limits.header_timeout,
                idle_timeout: limits.idle_timeout,
                send_timeout: limits.send_timeout,
                streams_max: limits.streams_max,
                h2c: limits.h2c,
                requests_per_connection_max: limits.requests_per_connection_max,
            }),
            tls,
            slots,
            drain: Rc::clone(drain),
            admission: Admission {
                proxy_protocol: listener.proxy_protocol.map(Arc::new),
                clients: clients.map(|clients| ClientLimit { clients, is_proxy }),
                counters: Arc::clone(counters),
            },
            make_service: Front::maker(Rc::clone(state), limits, listener.redirect_to_https),
        };
        tokio::task::spawn_local(async move {
            if let Err(error) = acceptor.run().await {
                tracing::error!(listener = listener.name, %error, "the listener failed");
            }
        });
    }
}

fn serve_admin(
    address: &Address,
    reloader: &Rc<Reloader>,
    metrics: &Rc<Metrics>,
    drain: &Rc<Drain>,
) -> Result<Address, StartError> {
    let bound = Bound::bind(address, NonZeroUsize::MIN)?;
    let local = bound.local_address().clone();
    let (current, stopping) = (Arc::clone(&reloader.current), Rc::clone(drain));
    let for_admin = Arc::clone(&current);
    let ready = move || {
        if stopping.has_begun() {
            return Err("draining".into());
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        current.load().ready(std::time::Instant::now(), unix)
    };
    let admin = Admin::new(ready, Rc::clone(metrics), for_admin);
    for socket in bound.into_sockets() {
        let acceptor = Acceptor {
            socket,
            local: Arc::new(local.clone()),
            limits: Rc::default(),
            tls: None,
            slots: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)),
            // Its own: it answers until the workers have drained.
            drain: Drain::new(),
            admission: Admission::default(),
            make_service: {
                let admin = admin.clone();
                move |_: &serve::connection::ConnectionInfo| admin.clone()
            },
        };
        tokio::task::spawn_local(acceptor.run());
    }
    Ok(local)
}

async fn obey(parts: Parts, mut orders: mpsc::UnboundedReceiver<Order>, drain: &Rc<Drain>) {
    let Parts { reloader, workers, log, mut refresh, mut links, mut keeper } = parts;
    loop {
        match orders.recv().await {
            Some(Order::Reload(config, answer)) => {
                let outcome = match config {
                    Some(config) => reloader.replace(*config),
                    None => reloader.reload(),
                };
                match &outcome {
                    Ok(reloaded) => {
                        refresh = reloader.current.load().issuers.spawn_refresh();
                        links = LinkGuard::spawn(&reloader.current.load());
                        keeper = keep(&reloader.current.load());
                        tracing::info!(need_restart = ?reloaded.need_restart, "configuration reloaded");
                    }
                    Err(error) => tracing::error!("configuration not reloaded, the old one stays in force:\n{error}"),
                }
                let _ = answer.send(outcome);
            }
            Some(Order::Stop(answer)) => {
                drain.begin();
                let limit = reloader.current.load().config.server.drain_timeout;
                tracing::info!(?limit, "draining");
                let drained = workers.drain(limit).await;
                if drained.cut > 0 {
                    tracing::warn!(connections = drained.cut, "cut at the drain's deadline");
                }
                drop((refresh, links, keeper, log));
                let _ = answer.send(drained);
                return;
            }
            None => return drop((refresh, links, keeper, workers, log)),
        }
    }
}

/// How events look beside request lines of this format.
#[must_use]
pub const fn telemetry_format(format: &LogFormat) -> serve::telemetry::Format {
    match format {
        LogFormat::Json => serve::telemetry::Format::Json,
        LogFormat::Text | LogFormat::Combined | LogFormat::Template(_) => serve::telemetry::Format::Text,
    }
}
