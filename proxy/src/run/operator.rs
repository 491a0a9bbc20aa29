//! The operator's listener on the control thread.

use super::{NoUpgrade, Order};
use crate::admin::{Admin, Answer, Journal, Operations};
use crate::metrics::Metrics;
use crate::reload::{ConfigError, Reloader};
use http::StatusCode;
use serve::admission::Admission;
use serve::connection::{Acceptor, ConnectionInfo};
use serve::drain::Drain;
use serve::handover::Inherited;
use serve::listener::{Address, Bound};
use std::io;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// It takes this many connections at once.
const CONNECTIONS_MAX: usize = 64;

/// Where the operator asks.
pub(super) struct OperatorListener {
    /// As configured.
    pub(super) address: Address,
    pub(super) bound: Bound,
    /// Its own: it answers until the workers have drained, or until another process has it.
    pub(super) drain: Rc<Drain>,
}

/// As the service manager and another process know it.
pub(super) const NAME: &str = "admin";

impl OperatorListener {
    pub(super) fn bind(address: &Address, inherited: &mut Vec<Inherited>) -> io::Result<Self> {
        let bound = match Inherited::take(inherited, NAME, address) {
            Some(bound) => bound,
            None => Bound::bind(address, NonZeroUsize::MIN)?,
        };
        Ok(Self { address: address.clone(), bound, drain: Drain::new() })
    }

    /// Accepts from now on.
    pub(super) fn open(
        &self,
        reloader: &Rc<Reloader>,
        metrics: &Rc<Metrics>,
        draining: &Rc<Drain>,
        orders: mpsc::WeakUnboundedSender<Order>,
        journal: &Rc<Journal>,
    ) -> io::Result<()> {
        let (current, stopping) = (Arc::clone(&reloader.current), Rc::clone(draining));
        let ready = move || {
            if stopping.has_begun() {
                return Err("draining".into());
            }
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            current.load().ready(Instant::now(), unix)
        };
        let journal = Some(Rc::clone(journal));
        let admin = Admin::new(ready, Rc::clone(metrics), Arc::clone(&reloader.current), operations(orders), journal);
        for socket in self.bound.shares(NonZeroUsize::MIN)?.into_iter().flatten() {
            let acceptor = Acceptor {
                socket,
                local: Arc::new(self.bound.local_address().clone()),
                limits: Rc::default(),
                tls: None,
                slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
                drain: Rc::clone(&self.drain),
                admission: Admission::default(),
                make_service: {
                    let admin = admin.clone();
                    move |_: &ConnectionInfo| admin.clone()
                },
            };
            tokio::task::spawn_local(acceptor.run());
        }
        Ok(())
    }
}

fn operations(orders: mpsc::WeakUnboundedSender<Order>) -> Operations {
    let for_upgrade = orders.clone();
    Operations {
        reload: Rc::new(move || {
            let orders = orders.clone();
            Box::pin(async move {
                let outcome = ask(&orders, |answer| Order::Reload(None, answer)).await;
                outcome.map_or_else(ended, |outcome| match outcome {
                    Ok(reloaded) => (StatusCode::OK, reloaded.to_string()),
                    Err(error @ ConfigError::Busy(_)) => (StatusCode::CONFLICT, error.to_string()),
                    Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
                })
            })
        }),
        upgrade: Rc::new(move || {
            let orders = for_upgrade.clone();
            Box::pin(async move {
                ask(&orders, Order::Upgrade).await.map_or_else(ended, |outcome| match outcome {
                    Ok(process) => (StatusCode::OK, format!("process {process} serves, this one drains")),
                    Err(error @ NoUpgrade::Impossible(_)) => (StatusCode::CONFLICT, error.to_string()),
                    Err(error @ NoUpgrade::Failed(_)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
                })
            })
        }),
    }
}

async fn ask<T>(
    orders: &mpsc::WeakUnboundedSender<Order>,
    order: impl FnOnce(oneshot::Sender<T>) -> Order,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    orders.upgrade()?.send(order(answer)).ok()?;
    answered.await.ok()
}

fn ended() -> Answer {
    (StatusCode::SERVICE_UNAVAILABLE, "this process stops".to_owned())
}
