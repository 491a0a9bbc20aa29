//! The life of the process: build the callable, host it, drain, close.
//!
//! One control thread owns it all. Its runtime is the one that database connections and background work live on, so it
//! lives until every worker has drained; and it works from any thread and runtime, in the binary and in tests alike.

use crate::config::Config;
use crate::host::{self, Drained, Host, HostConfig};
use crate::service::{self, Application, BuildError, NewDemoUser};
use serve::listener::{Address, Bound};
use std::io;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

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

/// A running application. Dropping it drains it too; [`Running::shutdown`] also says what was cut.
pub struct Running {
    address: Address,
    new_demo_user: Option<NewDemoUser>,
    stop: Option<oneshot::Sender<oneshot::Sender<Drained>>>,
    thread: Option<JoinHandle<()>>,
}

struct Started {
    address: Address,
    new_demo_user: Option<NewDemoUser>,
}

/// Starts the application. It serves when this returns.
///
/// # Errors
/// What is missing or broken, worded for the operator.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let (started, starting) = oneshot::channel();
    let (stop, stopping) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name("app-control".into())
        .spawn(move || runtime.block_on(live(config, started, stopping)))?;
    let started = starting.await.unwrap_or_else(|_| Err(io::Error::other("the control thread ended").into()))?;
    Ok(Running {
        address: started.address,
        new_demo_user: started.new_demo_user,
        stop: Some(stop),
        thread: Some(thread),
    })
}

async fn live(
    config: Config,
    started: oneshot::Sender<Result<Started, StartError>>,
    stopping: oneshot::Receiver<oneshot::Sender<Drained>>,
) {
    let (application, host) = match begin(config).await {
        Ok(begun) => begun,
        Err(error) => return drop(started.send(Err(error))),
    };
    let new_demo_user = application.new_demo_user().cloned();
    let _ = started.send(Ok(Started { address: host.address().clone(), new_demo_user }));
    // An error means that the owner was dropped without asking: stop all the same.
    let asked = stopping.await.ok();
    application.begin_drain();
    let drained = host.drain().await;
    application.close().await;
    if let Some(asked) = asked {
        let _ = asked.send(drained);
    }
}

async fn begin(config: Config) -> Result<(Application, Host), StartError> {
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
    let bound = Bound::bind(&host_config.listen, host_config.threads)?;
    let application = service::build(config).await?;
    let router = application.router();
    let host = host::serve(bound, &host_config, move || router.clone()).await?;
    Ok((application, host))
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

    /// Stops accepting, lets requests finish until the deadline, closes the database.
    pub async fn shutdown(mut self) -> Drained {
        let (asked, answer) = oneshot::channel();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(asked);
        }
        answer.await.unwrap_or(Drained { cut: 0 })
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
