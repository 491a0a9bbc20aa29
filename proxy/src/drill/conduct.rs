//! The order of a drill: everything is tried once, the load begins, one fault follows the other, the load ends.

use super::dialer::{Dialer, Version};
use super::echoes::Echoes;
use super::edge::{self, Counts};
use super::events;
use super::fault::{self, Outcome, Tools};
use super::flags::Flags;
use super::load::{self, Shared};
use super::phase::Phase;
use super::pool::Pool;
use super::renewal;
use super::session::Session;
use super::{deeds, relay, report};
use crate::config::drill::{Fault, Plan};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{IsTerminal as _, Write as _};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long an event may follow its change.
const ECHO_TIMEOUT: Duration = Duration::from_secs(3);
const POLL_EVERY: Duration = Duration::from_millis(250);

/// What a drill has found.
pub(super) struct Found {
    pub(super) phases: Vec<Rc<Phase>>,
    pub(super) interrupted: bool,
}

/// A task that ends with its owner.
struct Task(tokio::task::JoinHandle<()>);

impl Task {
    fn spawn(future: impl Future<Output = ()> + 'static) -> Self {
        Self(tokio::task::spawn_local(future))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Holds the drill. `stop` becomes true when somebody wants it to end.
///
/// # Errors
/// It can't begin, worded; nothing was done to the stack then.
pub(super) async fn hold(plan: Plan, flags: &Flags, stop: watch::Receiver<bool>) -> Result<Found, String> {
    fault::ready(&plan)?;
    let dialer = Rc::new(Dialer::new(&plan, flags)?);
    let mut relays = Vec::new();
    for relay in &plan.relays {
        relays.push(relay::Running::start(relay).await?);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let shared = Rc::new(Shared {
        target: plan.target.clone(),
        pool: Pool::new(Rc::clone(&dialer), plan.load.connections, plan.load.http2_connections, plan.load.resend),
        load: plan.load.clone(),
        requests: plan.requests.clone(),
        session: plan.session.clone().map(Session::new),
        echoes: Echoes::of(plan.events.as_ref()),
        phase: RefCell::new(Rc::new(Phase::new("no fault", 0))),
        run: format!("d{:x}", since.as_millis()),
        in_flight: Cell::new(0),
        number: Cell::new(0),
    });
    if let Some(session) = &shared.session {
        renewal::open(session, &shared).await.map_err(|reason| format!("no session: {reason}"))?;
    }
    rehearse(&shared).await?;

    let path = plan.requests.first().map_or_else(|| "/".to_owned(), |request| request.path.of("").to_string());
    let tools = Tools { directory: plan.directory, admin: plan.admin, relays, dialer: Rc::clone(&dialer), path };
    let counts = Rc::new(Counting { shared: Rc::clone(&shared), last: Cell::default() });
    if let Some(admin) = &tools.admin {
        counts.last.set(edge::counts(admin).await);
    }
    let listening = plan.events.map(|events| Task::spawn(events::listen(Rc::clone(&shared), dialer, events)));
    let refreshing = Task::spawn(renewal::keep(Rc::clone(&shared)));
    let loading = Task::spawn(load::run(Rc::clone(&shared)));
    let counting = tools.admin.clone().map(|admin| {
        let counts = Rc::clone(&counts);
        Task::spawn(async move {
            loop {
                sleep(POLL_EVERY).await;
                counts.look(&admin).await;
            }
        })
    });

    let mut phases = Vec::new();
    pause(plan.load.warm_up, &stop).await;
    for fault in &plan.faults {
        if *stop.borrow() {
            break;
        }
        let next = Phase::new(&fault.name, fault.lost_max);
        phases.push(close(&shared, &counts, &tools, Some(next)).await);
        one(fault, &tools, &shared, &stop).await;
    }
    drop(loading);
    phases.push(close(&shared, &counts, &tools, None).await);
    drop((listening, refreshing, counting));
    let interrupted = *stop.borrow();
    Ok(Found { phases, interrupted })
}

/// Every request of the plan must be answered before anything is done: else the drill would blame its faults.
async fn rehearse(shared: &Shared) -> Result<(), String> {
    for (index, request) in shared.requests.iter().enumerate() {
        let kinds = [(Version::Http1, shared.load.connections), (Version::Http2, shared.load.http2_connections)];
        for (version, _) in kinds.into_iter().filter(|(_, connections)| *connections > 0) {
            shared.once(index, version).await.map_err(|(cause, id)| {
                let path = request.path.as_str();
                format!("{} {path} is not answered as the plan wants, before any fault: {cause} ({id})", request.method)
            })?;
        }
    }
    Ok(())
}

async fn one(fault: &Fault, tools: &Tools, shared: &Shared, stop: &watch::Receiver<bool>) {
    let phase = shared.phase();
    for time in 1..=fault.times {
        let of = if fault.times > 1 { format!(" ({time} of {})", fault.times) } else { String::new() };
        say(&format!("{}{of} ...", fault.name));
        let Outcome { failed, note } = fault::perform(fault, tools, stopped(stop)).await;
        let is_over = failed.is_some();
        {
            let mut tally = phase.tally.borrow_mut();
            tally.notes.extend(note.filter(|_| time == 1));
            tally.failed = failed;
        }
        pause(fault.settle, stop).await;
        if is_over || *stop.borrow() {
            break;
        }
    }
    let tally = phase.tally.borrow();
    say(&format!("{}: {} sent, {} lost", fault.name, tally.sent, tally.lost));
}

/// Ends the phase of now: what begins from here on is the next one's. What has begun comes to its end first.
async fn close(shared: &Rc<Shared>, counts: &Counting, tools: &Tools, next: Option<Phase>) -> Rc<Phase> {
    if let Some(admin) = &tools.admin {
        counts.look(admin).await;
    }
    let phase = shared.phase();
    if let Some(next) = next {
        shared.phase.replace(Rc::new(next));
    }
    // Longer than every request may take.
    let limit = shared.load.timeout + Duration::from_secs(5);
    if timeout(limit, phase.all_ended()).await.is_err() {
        phase.tally.borrow_mut().notes.push("requests have not ended in their time".to_owned());
    }
    deeds::find(shared, &phase).await;
    let missing = shared.echoes.missing();
    let end = Instant::now() + ECHO_TIMEOUT;
    while shared.echoes.still_missing(&missing) > 0 && Instant::now() < end {
        sleep(POLL_EVERY).await;
    }
    phase.tally.borrow_mut().gaps = shared.echoes.still_missing(&missing);
    shared.echoes.give_up(&missing);
    phase
}

/// Reads the edge's counters and gives what is new to the phase of now.
struct Counting {
    shared: Rc<Shared>,
    last: Cell<Option<Counts>>,
}

impl Counting {
    async fn look(&self, admin: &crate::config::Address) {
        let Some(now) = edge::counts(admin).await else { return };
        // The first look only says where the counters stand.
        if let Some(before) = self.last.replace(Some(now)) {
            let Counts { retried, parked } = now.since(before);
            self.shared.phase().tally.borrow_mut().add(retried, parked);
        }
    }
}

async fn stopped(stop: &watch::Receiver<bool>) {
    if stop.clone().wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn pause(length: Duration, stop: &watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(length) => {}
        () = stopped(stop) => {}
    }
}

/// Progress: one line that is written anew on a terminal, one line each elsewhere.
fn say(text: &str) {
    let mut error = std::io::stderr();
    let _ = match error.is_terminal() && text.ends_with("...") {
        true => write!(error, "\r\x1b[K{text}").and_then(|()| error.flush()),
        false if error.is_terminal() => writeln!(error, "\r\x1b[K{text}"),
        false => writeln!(error, "{text}"),
    };
}

/// The report in the form that was asked for.
pub(super) fn shown(found: &Found, as_json: bool) -> String {
    match as_json {
        true => format!("{:#}", report::json(&found.phases, found.interrupted)),
        false => report::table(&found.phases),
    }
}
