//! The control thread: sets everything up, then obeys orders until the one to stop.

use super::doors::{self, Command};
use super::keep::keep;
use super::listeners::{Listeners, offer};
use super::operator::{NAME, OperatorListener};
use super::{NoUpgrade, Order, StartError, StartOptions, Started};
use crate::admin::Journal;
use crate::config::{Coding, Config};
use crate::files::coding::{Results, ResultsState};
use crate::http::{WorkerState, WorkerTools};
use crate::links::{self, LinkGuard, endpoints};
use crate::metrics::{AdaptedSample, CompressedSample, Metrics};
use crate::overload::{self, Overload};
use crate::reload::{ConfigError, Look, Reloaded, Reloader, Stamps, stamps};
use crate::snapshot::Snapshot;
use crate::upstream::Keeper;
use arc_swap::ArcSwap;
use serve::clients::Clients;
use serve::drain::Drain;
use serve::handover::{Predecessor, Program, SETTLED_WITHIN, Successor, UpgradeError};
use serve::notify;
use serve::telemetry::{Drops, RequestLog};
use serve::worker::{Drained, Worker, Workers};
use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How often the files of the configuration are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long keys and revocations may take before an upgrade is given up.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How often it is asked whether they are there.
const READY_EVERY: Duration = Duration::from_millis(20);

pub(super) async fn control(
    config: Config,
    options: StartOptions,
    started: oneshot::Sender<Result<Started, StartError>>,
    orders: mpsc::UnboundedReceiver<Order>,
    for_operator: mpsc::WeakUnboundedSender<Order>,
    retire: watch::Sender<bool>,
) {
    match Control::set_up(config, options, for_operator, retire).await {
        Ok((control, addresses)) => {
            let _ = started.send(Ok(addresses));
            control.obey(orders).await;
        }
        Err(error) => drop(started.send(Err(error))),
    }
}

/// The next order.
async fn next(later: &mut VecDeque<Order>, orders: &mut mpsc::UnboundedReceiver<Order>) -> Option<Order> {
    match later.pop_front() {
        Some(order) => Some(order),
        None => orders.recv().await,
    }
}

/// What a reload comes to, unless the order to stop comes first: then whom to answer, or nobody is left to give orders.
/// Other orders wait.
async fn unless_stopped<T>(
    reloading: impl Future<Output = T>,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    later: &mut VecDeque<Order>,
) -> Result<T, Option<oneshot::Sender<Drained>>> {
    let mut reloading = pin!(reloading);
    loop {
        tokio::select! {
            biased;
            outcome = &mut reloading => return Ok(outcome),
            order = orders.recv() => match order {
                Some(Order::Stop(answer)) => return Err(Some(answer)),
                Some(order) => later.push_back(order),
                None => return Err(None),
            },
        }
    }
}

/// What the control thread owns.
struct Control {
    reloader: Rc<Reloader>,
    listeners: Listeners,
    operator: Option<OperatorListener>,
    workers: Workers,
    log: Option<RequestLog>,
    refresh: crate::auth::RefreshGuard,
    links: LinkGuard,
    /// Looks at the memory until this is dropped.
    watching: JoinSet<()>,
    keeper: Keeper,
    drain: Rc<Drain>,
    program: Option<Program>,
    retire: watch::Sender<bool>,
    upgrade: Option<Upgrade>,
    /// A look at the files of the configuration.
    looking: Option<JoinHandle<Stamps>>,
}

/// A new process on its way, and who waits for it.
struct Upgrade {
    outcome: JoinHandle<Result<u32, UpgradeError>>,
    waiting: oneshot::Sender<Result<u32, NoUpgrade>>,
}

impl Control {
    async fn set_up(
        config: Config,
        options: StartOptions,
        orders: mpsc::WeakUnboundedSender<Order>,
        retire: watch::Sender<bool>,
    ) -> Result<(Self, Started), StartError> {
        let mut options = options;
        let mut predecessor = options.predecessor.take();
        options.inherited.extend(predecessor.iter_mut().flat_map(Predecessor::take_sockets));
        let predecessor = predecessor.map(Arc::new);
        let outcome = Self::build(config, options, orders, retire, predecessor.as_ref()).await;
        if let (Err(error), Some(predecessor)) = (&outcome, &predecessor) {
            predecessor.failed(&error.to_string());
        }
        outcome
    }

    async fn build(
        config: Config,
        options: StartOptions,
        orders: mpsc::WeakUnboundedSender<Order>,
        retire: watch::Sender<bool>,
        predecessor: Option<&Arc<Predecessor>>,
    ) -> Result<(Self, Started), StartError> {
        let StartOptions { config_path, request_log, mut inherited, predecessor: _, program } = options;
        let reloader = Rc::new(Reloader::start(config, config_path)?);
        let config = Arc::clone(&reloader.current.load().config);
        let output = || request_log.unwrap_or_else(|| Box::new(io::stdout()));
        let log = config.log.access.then(|| RequestLog::start(output())).transpose()?;
        let overload = config.server.overload.map(|_| Arc::<Overload>::default());
        let tools = WorkerTools {
            overload: overload.clone(),
            current: Arc::clone(&reloader.current),
            log: log.as_ref().and_then(RequestLog::sender).map(|sender| (sender, config.log.format.clone())),
        };
        let metrics = metrics(&config, &reloader, log.as_ref(), overload.clone());
        let threads = config.server.threads;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads.get()).map(|_| mpsc::unbounded_channel()).unzip();
        let mut listeners = Listeners {
            threads,
            workers: senders,
            slots: Arc::new(Semaphore::new(config.server.connections_max.min(Semaphore::MAX_PERMITS))),
            clients: config.server.connections_per_client_max.map(Clients::new),
            closed: overload.as_ref().map(|overload| overload.closed()),
            certificates: Arc::clone(&reloader.certificates),
            tls: None,
            open: Vec::new(),
            next_door: 0,
        };
        let plan = listeners.plan(&config.listeners, &mut inherited)?;
        let operator = config.admin.as_ref().map(|admin| OperatorListener::bind(&admin.address, &mut inherited));
        let operator = operator.transpose()?;
        for unused in inherited {
            tracing::warn!(address = %unused.bound.local_address(), "no listener for an inherited socket: it is closed");
        }
        // Before the first request: names are looked up while everything else starts.
        let keeper = keep(&reloader.current.load());
        let mut receivers = receivers.into_iter();
        let workers = Workers::start(threads, "worker", |index| {
            let (tools, commands) = (tools.clone(), receivers.next());
            let metrics = metrics.workers().get(index).map(Arc::clone).unwrap_or_default();
            async move |worker: Worker| {
                let counters = Arc::clone(&metrics.connections);
                let state = WorkerState::new(tools, metrics, Rc::clone(&worker.drain));
                if let Some(commands) = commands {
                    tokio::task::spawn_local(doors::obey(commands, state, counters, worker.drain));
                }
                Ok(())
            }
        })
        .await?;

        let refresh = reloader.current.load().issuers.spawn_refresh();
        let links = LinkGuard::spawn(&reloader.current.load());
        let mut watching = JoinSet::new();
        if let Some((overload, settings)) = overload.zip(config.server.overload) {
            watching.spawn_local(overload::watch(overload, settings));
        }
        if let Some(predecessor) = predecessor {
            if predecessor.was_ready() {
                is_ready(&reloader).await?;
            }
            let asking = Arc::clone(predecessor);
            tokio::task::spawn_blocking(move || asking.await_leave()).await.map_err(io::Error::other)??;
        }
        // After the leave: what was posted until then is in it. What is still posted to the process before comes by the
        // task, and the other way round.
        let journal = Rc::new(Journal::of(&config.server.state));
        journal.catch_up(&reloader.current.load().issuers, SystemTime::now());
        tokio::task::spawn_local(follow(Rc::clone(&journal), Arc::clone(&reloader.current)));
        let drain = Drain::new();
        let mut reloaded = Reloaded::default();
        listeners.carry_out(plan, &mut reloaded);
        if let Some(operator) = &operator {
            operator.open(&reloader, &Rc::new(metrics), &drain, orders, &journal)?;
        }
        if let Some(predecessor) = predecessor {
            predecessor.serving()?;
        }
        let admin = operator.as_ref().map(|operator| operator.bound.local_address().clone());
        let control = Self {
            reloader,
            listeners,
            operator,
            workers,
            log,
            refresh,
            links,
            watching,
            keeper,
            drain,
            program,
            retire,
            upgrade: None,
            looking: None,
        };
        Ok((control, Started { listeners: reloaded.opened, admin }))
    }

    async fn obey(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Orders that came during a reload.
        let mut later = VecDeque::new();
        loop {
            // What would be refused is not tried, each second anew; it is looked at again if this process goes on.
            let watches = self.reloader.current.load().config.server.reload_on_change && !self.is_leaving();
            let order = tokio::select! {
                biased;
                order = next(&mut later, &mut orders) => order,
                outcome = ended(&mut self.upgrade) => {
                    self.end_upgrade(outcome);
                    continue;
                }
                _ = looks.tick(), if watches && self.looking.is_none() => {
                    let files = self.reloader.watch.borrow().files();
                    self.looking = Some(tokio::task::spawn_blocking(move || stamps(files)));
                    continue;
                }
                now = looked(&mut self.looking), if watches => {
                    if now.is_none_or(|now| self.reloader.watch.borrow_mut().look(now) != Look::Changed) {
                        continue;
                    }
                    tracing::info!("files of the configuration have changed");
                    // The outcome is in the log.
                    let (answer, _) = oneshot::channel();
                    Some(Order::Reload(None, answer))
                }
            };
            match order {
                Some(Order::Reload(config, answer)) => {
                    // What it still finds is older than what is read now.
                    self.looking = None;
                    let reloading = self.reload(config.map(|config| *config));
                    match unless_stopped(reloading, &mut orders, &mut later).await {
                        Ok(outcome) => drop(answer.send(outcome)),
                        Err(stop) => {
                            drop(answer.send(Err(ConfigError::Busy("this process is stopping"))));
                            let Some(stopped) = stop else { return };
                            return self.stop(stopped).await;
                        }
                    }
                }
                Some(Order::Upgrade(answer)) => self.begin_upgrade(answer),
                Some(Order::Stop(answer)) => {
                    self.settle_upgrade().await;
                    return self.stop(answer).await;
                }
                None => return,
            }
        }
    }

    async fn reload(&mut self, config: Option<Config>) -> Result<Reloaded, ConfigError> {
        notify::say(&notify::reloading());
        let outcome = self.replace(config).await;
        self.reloader.counts.note(outcome.is_ok(), SystemTime::now());
        match &outcome {
            Ok(reloaded) => {
                for (name, address) in &reloaded.opened {
                    tracing::info!(listener = name, %address, "listening");
                }
                let Reloaded { need_restart, changed, closed, .. } = reloaded;
                tracing::info!(?need_restart, ?changed, ?closed, "configuration reloaded");
            }
            Err(error) => tracing::error!("configuration not reloaded, the old one stays in force:\n{error}"),
        }
        notify::say(notify::READY);
        outcome
    }

    async fn replace(&mut self, config: Option<Config>) -> Result<Reloaded, ConfigError> {
        if self.is_leaving() {
            return Err(ConfigError::Busy("another process is about to serve in this one's place"));
        }
        let Some(prepared) = self.reloader.prepare(config).await? else { return Ok(Reloaded::default()) };
        let plan = self.listeners.plan(&prepared.config().listeners, &mut Vec::new());
        let plan = plan.map_err(|error| ConfigError::Listener(error.to_string()))?;
        let previous = self.reloader.current.load_full();
        let mut reloaded = self.reloader.commit(prepared)?;
        self.listeners.carry_out(plan, &mut reloaded);
        self.listeners.tell(|| Command::Refresh);
        let current = self.reloader.current.load_full();
        self.refresh = current.issuers.spawn_refresh();
        self.keeper = keep(&current);
        // Streams that would be asked for in the same way go on.
        let same = current.links.asks_as(&previous.links)
            && current.config.upstreams == previous.config.upstreams
            && current.config.issuers == previous.config.issuers;
        if !same {
            self.links = LinkGuard::spawn(&current);
        }
        Ok(reloaded)
    }

    /// Whether another process is about to serve in this one's place, or does.
    fn is_leaving(&self) -> bool {
        self.upgrade.is_some() || *self.retire.borrow()
    }

    fn begin_upgrade(&mut self, waiting: oneshot::Sender<Result<u32, NoUpgrade>>) {
        let offers = match self.offers() {
            Ok(offers) => offers,
            Err(error) => {
                tracing::error!("no upgrade: {error}");
                let _ = waiting.send(Err(error));
                return;
            }
        };
        let Some(program) = self.program.clone() else { return };
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let ready = self.reloader.current.load().ready(Instant::now(), unix).is_ok();
        tracing::info!("starting the process that is to take over");
        let outcome = tokio::task::spawn_blocking(move || {
            Successor::start(&program, &offers, ready).and_then(Successor::take_over)
        });
        self.upgrade = Some(Upgrade { outcome, waiting });
    }

    fn offers(&self) -> Result<Vec<serve::handover::Offer>, NoUpgrade> {
        let impossible = if self.is_leaving() {
            Some("an upgrade is under way already")
        } else if self.program.is_none() {
            Some("this process does not know how it was started")
        } else if std::process::id() == 1 {
            Some("this is process 1 of a container, which ends with it: start a container of the new version instead")
        } else {
            None
        };
        if let Some(reason) = impossible {
            return Err(NoUpgrade::Impossible(reason));
        }
        let operator = self.operator.as_ref().map(|operator| offer(NAME, &operator.address, &operator.bound));
        let offers = self.listeners.offers().and_then(|mut offers| {
            offers.extend(operator.transpose()?);
            Ok(offers)
        });
        offers.map_err(|error| UpgradeError::Start(error).into())
    }

    fn end_upgrade(
        &mut self,
        (outcome, waiting): (Result<u32, UpgradeError>, oneshot::Sender<Result<u32, NoUpgrade>>),
    ) {
        match &outcome {
            Ok(process) => {
                tracing::info!(process, "the new process serves, this one drains");
                notify::say(&format!("MAINPID={process}\n{}", notify::READY));
                // Whoever asks from now on asks the new one.
                self.operator.iter().for_each(|operator| operator.drain.stop_accepting());
                let _ = self.retire.send(true);
            }
            Err(error) => tracing::error!("no upgrade, this process goes on: {error}"),
        }
        let _ = waiting.send(outcome.map_err(Into::into));
    }

    /// Brings an upgrade that is under way to its end, while this process still accepts.
    async fn settle_upgrade(&mut self) {
        if self.upgrade.is_none() {
            return;
        }
        tracing::info!("told to stop during an upgrade: first the new process takes over, or fails");
        match tokio::time::timeout(SETTLED_WITHIN, ended(&mut self.upgrade)).await {
            Ok(outcome) => self.end_upgrade(outcome),
            // What waits in the queues of the sockets is the new one's, if it still comes.
            Err(_) => tracing::warn!(limit = ?SETTLED_WITHIN, "stopping before the new process serves"),
        }
    }

    async fn stop(self, answer: oneshot::Sender<Drained>) {
        let Self {
            reloader, listeners, operator, workers, log, refresh, links, watching, keeper, drain, retire, ..
        } = self;
        if !*retire.borrow() {
            notify::say(notify::STOPPING);
        }
        drain.begin();
        // The workers close theirs when their queues are empty.
        drop(listeners);
        let limit = reloader.current.load().config.server.drain_timeout;
        tracing::info!(?limit, "draining");
        let drained = workers.drain(limit).await;
        let Drained { cut, work } = drained;
        if cut > 0 {
            let serve::drain::UnderWay { requests, streams, websockets } = work;
            tracing::warn!(connections = cut, requests, streams, websockets, "cut at the drain's deadline");
        }
        drop((refresh, links, watching, keeper, log, operator));
        let _ = answer.send(drained);
    }
}

fn metrics(config: &Config, reloader: &Reloader, log: Option<&RequestLog>, overload: Option<Arc<Overload>>) -> Metrics {
    let dropped = log.map(RequestLog::drops);
    let dropped = move || dropped.as_ref().map_or(0, Drops::blocks);
    let snapshots = [(); 6].map(|()| Arc::clone(&reloader.current));
    let [for_keys, for_links, for_endpoints, for_compressed, for_count, for_limits] = snapshots;
    let keys = move || for_keys.load().issuers.freshness().collect();
    Metrics::new(config.server.threads, SystemTime::now(), dropped, keys)
        .with_links(move || links::samples(&for_links.load()))
        .with_endpoints(move || endpoints(&for_endpoints.load()).collect())
        .with_adapted(move || adapted(&for_limits.load()).collect())
        .with_compressed(move || compressed(&for_compressed.load().compressed))
        .with_reloads(Arc::clone(&reloader.counts), move || for_count.load().live_count())
        .with_overload(move || {
            let overload = overload.as_ref()?;
            Some((overload.level() as u64, overload.bytes()))
        })
}

/// The limits that follow from how long answers take, for the metrics.
fn adapted(snapshot: &Snapshot) -> impl Iterator<Item = AdaptedSample> {
    snapshot.config.upstreams.iter().zip(&snapshot.shared).filter_map(|(upstream, shared)| {
        let (limit, least) = shared.adapted()?;
        Some(AdaptedSample { upstream: upstream.name.clone(), limit, least })
    })
}

/// What was compressed on the fly, for the metrics.
fn compressed(results: &Results) -> CompressedSample {
    let ResultsState { bytes, made, useless, busy } = results.state();
    let made = Coding::ALL.into_iter().map(Coding::token).zip(made).collect();
    CompressedSample { bytes, made, useless, busy }
}

/// Waits for keys and revocations: without them requests would be refused that the process before served, and tokens
/// taken that it refused.
async fn is_ready(reloader: &Reloader) -> Result<(), StartError> {
    let begun = Instant::now();
    loop {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match reloader.current.load().ready(Instant::now(), unix) {
            Ok(()) => return Ok(()),
            Err(reason) if begun.elapsed() >= READY_WITHIN => {
                return Err(StartError::NotReady { limit: READY_WITHIN, reason });
            }
            Err(_) => tokio::time::sleep(READY_EVERY).await,
        }
    }
}

/// Takes in what another process at this state was told, for as long as this one lives, in its drain too.
async fn follow(journal: Rc<Journal>, current: Arc<ArcSwap<Snapshot>>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        journal.catch_up(&current.load().issuers, SystemTime::now());
    }
}

/// Waits for the end of the look that is under way, if one is.
async fn looked(looking: &mut Option<JoinHandle<Stamps>>) -> Option<Stamps> {
    let Some(look) = looking else { return std::future::pending().await };
    let now = look.await;
    *looking = None;
    now.ok()
}

type Ended = (Result<u32, UpgradeError>, oneshot::Sender<Result<u32, NoUpgrade>>);

/// Waits for the end of the upgrade that is under way, if one is.
async fn ended(upgrade: &mut Option<Upgrade>) -> Ended {
    let outcome = match upgrade {
        Some(upgrade) => (&mut upgrade.outcome).await,
        None => std::future::pending().await,
    };
    let outcome = outcome.unwrap_or_else(|error| Err(UpgradeError::Start(io::Error::other(error))));
    match upgrade.take() {
        Some(Upgrade { waiting, .. }) => (outcome, waiting),
        None => std::future::pending().await,
    }
}
