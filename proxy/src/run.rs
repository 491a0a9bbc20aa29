//! The life of the process: build, bind, serve, reload, hand over, drain.
//!
//! One control thread owns the process's affairs (reload, key refresh, the operator's listener, the order to stop);
//! the workers only serve. Everything starts through [`start`], in the binary and in tests alike.

mod control;
mod doors;
mod keep;
mod listeners;
mod operator;

use crate::config::{Config, LogFormat};
use crate::reload::{ConfigError, Reloaded};
use control::control;
use serve::handover::{Inherited, Predecessor, Program, UpgradeError};
use serve::listener::Address;
use serve::worker::{Drained, local_runtime};
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// What starts beside the configuration.
#[derive(Default)]
pub struct StartOptions {
    /// The file that a reload reads again; `None` for configurations that come from nowhere (tests).
    pub config_path: Option<PathBuf>,
    /// Where request lines go; `None`: standard output.
    pub request_log: Option<Box<dyn Write + Send>>,
    /// Listening sockets from the service manager.
    pub inherited: Vec<Inherited>,
    /// The process whose place this one takes.
    pub predecessor: Option<Predecessor>,
    /// What an upgrade starts; `None`: there is none.
    pub program: Option<Program>,
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
    /// The process before was ready, and this one is not.
    #[error("not ready after {limit:?}: {reason}")]
    NotReady {
        /// How long was waited.
        limit: std::time::Duration,
        /// What is missing.
        reason: String,
    },
}

/// Why there is no upgrade.
#[derive(Debug, thiserror::Error)]
pub enum NoUpgrade {
    /// This process can't be replaced.
    #[error("{0}")]
    Impossible(&'static str),
    /// The new process did not make it.
    #[error("{0}")]
    Failed(#[from] UpgradeError),
}

/// A running proxy. Dropping it stops it at once; [`Running::shutdown`] drains it.
pub struct Running {
    listeners: Vec<(String, Address)>,
    admin: Option<Address>,
    orders: mpsc::UnboundedSender<Order>,
    retired: watch::Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Reload(Option<Box<Config>>, oneshot::Sender<Result<Reloaded, ConfigError>>),
    Upgrade(oneshot::Sender<Result<u32, NoUpgrade>>),
    Stop(oneshot::Sender<Drained>),
}

impl Running {
    /// The address that a listener was bound to at the start, with its real port.
    #[must_use]
    pub fn address(&self, listener: &str) -> Option<&Address> {
        self.listeners.iter().find(|(name, _)| name == listener).map(|(_, address)| address)
    }

    /// All listeners of the start, by name.
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
        answered.await.unwrap_or_else(|_| Ok(Reloaded::default()))
    }

    /// Begins to hand over to a new process; the outcome is in the log, and [`Running::retired`] hears of it.
    pub fn begin_upgrade(&self) {
        let (answer, _) = oneshot::channel();
        let _ = self.orders.send(Order::Upgrade(answer));
    }

    /// Waits until another process serves in this one's place: it is time for [`Running::shutdown`].
    pub async fn retired(&mut self) {
        if self.retired.wait_for(|retired| *retired).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops accepting, lets work finish within `server.drain_timeout`, and says what was cut.
    pub async fn shutdown(mut self) -> Drained {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Stop(answer));
        let drained = answered.await.unwrap_or_default();
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

/// What the control thread tells once it serves.
struct Started {
    listeners: Vec<(String, Address)>,
    admin: Option<Address>,
}

/// Starts the proxy; ready to accept when it returns.
///
/// # Errors
/// [`StartError`]; nothing is left running then.
pub async fn start(config: Config, options: StartOptions) -> Result<Running, StartError> {
    let (started, starting) = oneshot::channel();
    let (orders, receiver) = mpsc::unbounded_channel();
    let (retire, retired) = watch::channel(false);
    // Weak: the operator's listener lives as long as the control thread, which ends when nobody can give orders.
    let for_operator = orders.downgrade();
    let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
        let runtime = match local_runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error.into()))),
        };
        runtime.block_on(control(config, options, started, receiver, for_operator, retire));
        runtime.shutdown_background();
    })?;
    let Started { listeners, admin } =
        starting.await.unwrap_or_else(|_| Err(io::Error::other("the control thread ended while it started").into()))?;
    Ok(Running { listeners, admin, orders, retired, thread: Some(thread) })
}

/// How events look beside request lines of this format.
#[must_use]
pub const fn telemetry_format(format: &LogFormat) -> serve::telemetry::Format {
    match format {
        LogFormat::Json => serve::telemetry::Format::Json,
        LogFormat::Text | LogFormat::Combined | LogFormat::Template(_) => serve::telemetry::Format::Text,
    }
}
