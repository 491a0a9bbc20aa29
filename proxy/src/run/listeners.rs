//! All listeners of the process, as the control thread knows them: what is bound, and how that changes on a reload.

use super::doors::{Command, Door};
use crate::config::Listener;
use crate::reload::Reloaded;
use crate::tls::{self, Certificates};
use serve::clients::Clients;
use serve::handover::{Inherited, Offer};
use serve::listener::{Address, Bound, Socket};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// What listeners are opened with.
pub(super) struct Listeners {
    pub(super) threads: NonZeroUsize,
    pub(super) workers: Vec<mpsc::UnboundedSender<Command>>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) clients: Option<Arc<Clients>>,
    pub(super) certificates: Arc<Certificates>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) open: Vec<OpenListener>,
    pub(super) next_door: u64,
}

/// One that is bound. The sockets are kept beside those of the workers, to be shared anew or handed over.
pub(super) struct OpenListener {
    door: u64,
    listener: Listener,
    bound: Bound,
}

/// What is to change, with all that may fail done.
#[derive(Default)]
pub(super) struct Plan {
    /// Bound anew.
    opened: Vec<(Listener, Bound, Vec<Vec<Socket>>)>,
    /// At the position of an open one.
    changed: Vec<(usize, Listener, Vec<Vec<Socket>>)>,
    /// Positions of open ones that stay, changed or not.
    kept: Vec<usize>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listeners {
    /// Binds what is new, or takes it from what was inherited. On an error nothing has changed.
    pub(super) fn plan(&self, wanted: &[Listener], inherited: &mut Vec<Inherited>) -> io::Result<Plan> {
        let mut plan = Plan { tls: self.tls.clone(), ..Plan::default() };
        if plan.tls.is_none() && wanted.iter().any(|listener| listener.tls) {
            let made = tls::server_config(Arc::clone(&self.certificates)).map_err(io::Error::other)?;
            plan.tls = Some(made);
        }
        for listener in wanted {
            let found = self.open.iter().position(|open| open.is_at(listener));
            match found.filter(|index| !plan.kept.contains(index)) {
                Some(index) => {
                    plan.kept.push(index);
                    let open = &self.open[index];
                    if open.listener != *listener {
                        plan.changed.push((index, listener.clone(), open.bound.shares(self.threads)?));
                    }
                }
                None => {
                    let bound = match Inherited::take(inherited, &listener.name, &listener.address) {
                        Some(bound) => bound,
                        None => Bound::bind(&listener.address, self.threads)?,
                    };
                    let shares = bound.shares(self.threads)?;
                    plan.opened.push((listener.clone(), bound, shares));
                }
            }
        }
        Ok(plan)
    }

    /// Does it, and says in `reloaded` what was done.
    pub(super) fn carry_out(&mut self, plan: Plan, reloaded: &mut Reloaded) {
        let Plan { opened, changed, kept, tls } = plan;
        self.tls = tls;
        for (index, listener, shares) in changed {
            let door = self.let_in(&listener, self.open[index].bound.local_address().clone(), shares);
            let open = &mut self.open[index];
            // The new door has the same sockets, so nothing that waits is lost.
            let before = std::mem::replace(&mut open.door, door);
            reloaded.changed.push(listener.name.clone());
            open.listener = listener;
            self.tell(|| Command::Close { door: before, tell: false });
        }
        let mut index = 0;
        let is_gone = |_: &mut OpenListener| {
            index += 1;
            !kept.contains(&(index - 1))
        };
        let gone: Vec<_> = self.open.extract_if(.., is_gone).collect();
        for OpenListener { door, listener, bound } in gone {
            reloaded.closed.push(listener.name);
            drop(bound);
            self.tell(|| Command::Close { door, tell: true });
        }
        for (listener, bound, shares) in opened {
            let address = bound.local_address().clone();
            let door = self.let_in(&listener, address.clone(), shares);
            reloaded.opened.push((listener.name.clone(), address));
            self.open.push(OpenListener { door, listener, bound });
        }
    }

    fn let_in(&mut self, listener: &Listener, local: Address, shares: Vec<Vec<Socket>>) -> u64 {
        let (id, local) = (self.next_door, Arc::new(local));
        self.next_door += 1;
        for (worker, sockets) in self.workers.iter().zip(shares) {
            let door = Door {
                id,
                sockets,
                local: Arc::clone(&local),
                listener: listener.clone(),
                tls: self.tls.clone().filter(|_| listener.tls),
                slots: Arc::clone(&self.slots),
                clients: self.clients.clone(),
            };
            let _ = worker.send(Command::Open(Box::new(door)));
        }
        id
    }

    /// Tells every worker.
    pub(super) fn tell(&self, command: impl Fn() -> Command) {
        for worker in &self.workers {
            let _ = worker.send(command());
        }
    }

    /// Every listener's sockets once more, for a process that takes them over.
    pub(super) fn offers(&self) -> io::Result<Vec<Offer>> {
        self.open.iter().map(|open| offer(&open.listener.name, &open.listener.address, &open.bound)).collect()
    }
}

/// Another descriptor of each socket.
pub(super) fn offer(name: &str, address: &Address, bound: &Bound) -> io::Result<Offer> {
    let sockets = bound.sockets().iter().map(Socket::try_clone).collect::<io::Result<_>>()?;
    Ok(Offer { name: name.to_owned(), address: address.clone(), sockets })
}

impl OpenListener {
    /// Whether this listener is bound here already, whatever its name. Of port 0 there may be several.
    fn is_at(&self, listener: &Listener) -> bool {
        let any_port = matches!(listener.address, Address::Tcp(address) if address.port() == 0);
        self.listener.address == listener.address && (!any_port || self.listener.name == listener.name)
    }
}
