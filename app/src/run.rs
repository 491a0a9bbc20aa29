//! The life of the process: build the callable, host it, hand over, drain, close.
//!
//! One control thread owns it all. Its runtime is the one that database connections and background work live on, so it
//! lives until every worker has drained; and it works from any thread and runtime, in the binary and in tests alike.

use crate::config::Config;
use crate::host::{self, Drained, Host, HostConfig};
use crate::service::{self, Application, BuildError, NewDemoUser};
use serve::handover::{Inherited, Offer, Predecessor, Program, SETTLED_WITHIN, Successor, UpgradeError};
use serve::listener::{Address, Bound};
use serve::notify;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// The listener, as the service manager knows it.
const NAME: &str = "app";

/// Why the application did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The callable can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A socket or a thread.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What starts beside the settings.
#[derive(Default)]
pub struct StartOptions {
    /// Listening sockets from the service manager.
    pub inherited: Vec<Inherited>,
    /// The process whose place this one takes.
    pub predecessor: Option<Predecessor>,
    /// What an upgrade starts; `None`: there is none.
    pub program: Option<Program>,
}

/// A running application. Dropping it drains it too; [`Running::shutdown`] also says what was cut.
pub struct Running {
    address: Address,
    new_demo_user: Option<NewDemoUser>,
    stop: Option<oneshot::Sender<oneshot::Sender<Drained>>>,
    upgrades: mpsc::UnboundedSender<()>,
    retired: watch::Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

struct Started {
    address: Address,
    new_demo_user: Option<NewDemoUser>,
}

/// What the control thread hears.
struct Orders {
    stopping: oneshot::Receiver<oneshot::Sender<Drained>>,
    upgrades: mpsc::UnboundedReceiver<()>,
    retire: watch::Sender<bool>,
}

/// Starts the application. It serves when this returns.
///
/// # Errors
/// What is missing or broken, worded for the operator.
pub async fn start(config: Config) -> Result<Running, StartError> {
    start_with(config, StartOptions::default()).await
}

/// As [`start`], with sockets that were bound before.
///
/// # Errors
/// As [`start`].
pub async fn start_with(config: Config, options: StartOptions) -> Result<Running, StartError> {
    let (started, starting) = oneshot::channel();
    let (stop, stopping) = oneshot::channel();
    let (upgrades, asked) = mpsc::unbounded_channel();
    let (retire, retired) = watch::channel(false);
    let orders = Orders { stopping, upgrades: asked, retire };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name("app-control".into())
        .spawn(move || runtime.block_on(live(config, options, started, orders)))?;
    let started = starting.await.unwrap_or_else(|_| Err(io::Error::other("the control thread ended").into()))?;
    Ok(Running {
        address: started.address,
        new_demo_user: started.new_demo_user,
        stop: Some(stop),
        upgrades,
        retired,
        thread: Some(thread),
    })
}

async fn live(
    config: Config,
    options: StartOptions,
    started: oneshot::Sender<Result<Started, StartError>>,
    orders: Orders,
) {
    let (program, listen) = (options.program.clone(), config.listen.clone());
    let mut options = options;
    let mut predecessor = options.predecessor.take();
    options.inherited.extend(predecessor.iter_mut().flat_map(Predecessor::take_sockets));
    let predecessor = predecessor.map(Arc::new);
    let (application, mut host) = match begin(config, options.inherited, predecessor.as_ref()).await {
        Ok(begun) => begun,
        Err(error) => {
            predecessor.iter().for_each(|predecessor| predecessor.failed(&error.to_string()));
            return drop(started.send(Err(error)));
        }
    };
    let new_demo_user = application.new_demo_user().cloned();
    let _ = started.send(Ok(Started { address: host.address().clone(), new_demo_user }));
    let Orders { mut stopping, mut upgrades, retire } = orders;
    // An error means that the owner was dropped without asking: stop all the same.
    let asked = loop {
        tokio::select! {
            asked = &mut stopping => break asked.ok(),
            Some(()) = upgrades.recv(), if !*retire.borrow() => {
                let (outcome, asked) = settled(upgrade(program.clone(), &listen, &host), &mut stopping).await;
                match outcome {
                    Some(Ok(process)) => {
                        tracing::info!(process, "the new process serves, this one drains");
                        notify::say(&format!("MAINPID={process}\n{}", notify::READY));
                        host.handed_over();
                        let _ = retire.send(true);
                    }
                    Some(Err(error)) => tracing::error!("no upgrade, this process goes on: {error}"),
                    None => tracing::warn!(limit = ?SETTLED_WITHIN, "stopping before the new process serves"),
                }
                if let Some(asked) = asked {
                    break asked.ok();
                }
            }
        }
    };
    let handed_over = *retire.borrow();
    if !handed_over {
        notify::say(notify::STOPPING);
    }
    application.begin_drain(handed_over);
    let drained = host.drain().await;
    application.close().await;
    if let Some(asked) = asked {
        let _ = asked.send(drained);
    }
}

async fn begin(
    config: Config,
    mut inherited: Vec<Inherited>,
    predecessor: Option<&Arc<Predecessor>>,
) -> Result<(Application, Host), StartError> {
    let host_config = HostConfig {
        listen: config.listen.clone(),
        threads: config.threads,
        request_timeout: config.request_timeout,
        drain_timeout: config.drain_timeout,
        in_flight_max: config.in_flight_max,
        connections_max: config.connections_max,
        access_log: config.access_log,
    };
    // The address may be a socket in it.
    service::make_state(&config)?;
    // Before all else: a start that fails for want of its address must not have made a demo user whose password nobody then sees.
    let bound = match Inherited::take(&mut inherited, NAME, &host_config.listen) {
        Some(bound) => bound,
        None => Bound::bind(&host_config.listen, host_config.threads)?,
    };
    let application = service::build(config).await?;
    let router = application.router();
    if let Some(predecessor) = predecessor {
        let asking = Arc::clone(predecessor);
        tokio::task::spawn_blocking(move || asking.await_leave()).await.map_err(io::Error::other)??;
    }
    let host = host::serve(bound, &host_config, move || router.clone()).await?;
    predecessor.map_or(Ok(()), |predecessor| predecessor.serving())?;
    Ok((application, host))
}

/// The order to stop, if it has come: where to say what was cut.
type Asked = Result<oneshot::Sender<Drained>, oneshot::error::RecvError>;

/// The outcome of an upgrade, and the order to stop if it came meanwhile. It is obeyed when the new process serves or has
/// failed; `None`: that took too long.
async fn settled(
    upgrade: impl Future<Output = Result<u32, UpgradeError>>,
    stopping: &mut oneshot::Receiver<oneshot::Sender<Drained>>,
) -> (Option<Result<u32, UpgradeError>>, Option<Asked>) {
    let mut upgrade = std::pin::pin!(upgrade);
    tokio::select! {
        outcome = &mut upgrade => (Some(outcome), None),
        asked = stopping => (tokio::time::timeout(SETTLED_WITHIN, upgrade).await.ok(), Some(asked)),
    }
}

/// Starts a new process and hands the sockets over to it.
async fn upgrade(program: Option<Program>, listen: &Address, host: &Host) -> Result<u32, UpgradeError> {
    let cannot = |reason: &str| UpgradeError::Start(io::Error::other(reason));
    if std::process::id() == 1 {
        return Err(cannot("this is process 1 of a container, which ends with it"));
    }
    let program = program.ok_or_else(|| cannot("this process does not know how it was started"))?;
    let sockets = host.sockets().map_err(UpgradeError::Start)?;
    let offers = [Offer { name: NAME.to_owned(), address: listen.clone(), sockets }];
    tracing::info!("starting the process that is to take over");
    let outcome =
        tokio::task::spawn_blocking(move || Successor::start(&program, &offers, true).and_then(Successor::take_over));
    outcome.await.unwrap_or_else(|error| Err(UpgradeError::Start(io::Error::other(error))))
}

impl Running {
    /// The address in use, with the real port.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The demo user, when this start has made it.
    #[must_use]
    pub const fn new_demo_user(&self) -> Option<&NewDemoUser> {
        self.new_demo_user.as_ref()
    }

    /// Begins to hand over to a new process; the outcome is in the log, and [`Running::retired`] hears of it.
    pub fn begin_upgrade(&self) {
        let _ = self.upgrades.send(());
    }

    /// Waits until another process serves in this one's place: it is time for [`Running::shutdown`].
    pub async fn retired(&mut self) {
        if self.retired.wait_for(|retired| *retired).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops accepting, lets requests finish until the deadline, closes the database.
    pub async fn shutdown(mut self) -> Drained {
        let (asked, answer) = oneshot::channel();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(asked);
        }
        answer.await.unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}
