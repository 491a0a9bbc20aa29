//! The callable: all that the host knows of the business, as WSGI's callable is to gunicorn.

use crate::background;
use crate::config::{BadSettings, Config, DemoConfig};
use crate::domain::account::{AccountError, Role, User, Username};
use crate::edge::Edge;
use crate::endpoints::attachments;
use crate::instances::Follower;
use crate::keys::{KeysError, Opened};
use crate::link::Link;
use crate::live::Hub;
use crate::passwords::{PasswordError, Passwords};
use crate::router::router;
use crate::state::{AppState, Parts};
use crate::store::{
    AccountStore, Database, Files, NewUser, PairError, RevocationStore, SessionStore, StoreError, pair,
};
use crate::throttle::Throttle;
use crate::tokens::Tokens;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serve::shared_key::{SharedKey, SharedKeyError, load_all_or_create, load_or_create};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often the file of the shared key is looked at.
const KEY_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often expired sessions are swept out.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Why the callable can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder of all state can't be made.
    #[error("{}: {source}", path.display())]
    State {
        /// The folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key shared with the edge.
    #[error(transparent)]
    SharedKey(#[from] SharedKeyError),
    /// Settings that can't be meant.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database.
    #[error("the database can't be used: {0}")]
    Store(#[from] StoreError),
    /// The attachments are another database's.
    #[error(transparent)]
    Attachments(#[from] PairError),
    /// The password of the demo user.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The name of the demo user.
    #[error("the demo user can't be made: {0}")]
    Demo(#[from] AccountError),
}

/// The business, ready to be called. A clone shares everything.
#[derive(Debug, Clone)]
pub struct Application {
    state: AppState,
    router: axum::Router,
    new_demo_user: Option<NewDemoUser>,
}

/// The demo user, when this start has made it.
#[derive(Clone)]
pub struct NewDemoUser {
    /// The name.
    pub username: String,
    /// The password in clear when this start has generated it: it is kept nowhere, so this is the only moment to tell
    /// it. None when it was configured: whoever did that knows it, and logs should not.
    pub generated_password: Option<String>,
}

impl std::fmt::Debug for NewDemoUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewDemoUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Makes the folder of all state if there is none.
///
/// # Errors
/// It can't be made.
pub fn make_state(config: &Config) -> Result<(), BuildError> {
    // Password hashes and keys live below it: it is this user's alone.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&config.state);
    made.map_err(|source| BuildError::State { path: config.state.clone(), source })
}

/// Builds the callable: opens the database, makes what a first start needs.
///
/// Must run on a runtime that lives as long as the callable is used: database connections and the sweep live there.
///
/// # Errors
/// What is missing or broken, worded for the operator.
pub async fn build(config: Config) -> Result<Application, BuildError> {
    config.tokens.check()?;
    make_state(&config)?;
    let keys = load_all_or_create(&config.edge.assertion_key, config.edge.assertion_key_create)?;
    let introspection_secret = match &config.tokens.introspection_secret {
        Some(file) => Some(URL_SAFE_NO_PAD.encode(load_or_create(file, false)?)),
        None => None,
    };
    let passwords = Passwords::new(config.threads.get())?;
    let store = Database::open(&config.database).await?;
    let Opened { ring, kept } = crate::keys::open(&config, store.clone(), Timestamp::now()).await?;
    let tokens = Tokens::new(ring, config.tokens.clone());
    let edge = Edge::new(&keys, &config.edge.upstream_name);
    let folder = config.attachments();
    let files = Files::open(folder.clone()).await.map_err(|source| BuildError::State { path: folder, source })?;
    // Before anything is swept.
    pair(&files, &store).await?;
    // Each stream is a request in flight: the other half stays free for requests that end.
    let live = Hub::new(Timestamp::now(), config.in_flight_max / 2);
    let draining = CancellationToken::new();
    let link = Link::default();
    // Before the first stream: what comes after it is news.
    let log_end = store.log_end().await?;
    let state = AppState::new(Parts {
        throttle: Throttle::new(&config.sign_in),
        started: Instant::now(),
        config,
        store,
        edge,
        files,
        link,
        keys_turned: Notify::new(),
        live,
        draining,
        handed_over: AtomicBool::new(false),
        introspection_secret,
        tokens,
        passwords,
    });
    // Before the first sign-in.
    background::learn_hash_kinds(&state).await?;
    // After all else that can fail: nobody would see the password of a start that ends here.
    let new_demo_user = match &state.config.demo {
        Some(demo) => add_demo_user(&state.store, &state.passwords, demo).await?,
        None => None,
    };
    tokio::spawn(sweep(state.clone()));
    tokio::spawn(background::count_hash_kinds(state.clone()));
    if let Some((keeper, turn)) = kept {
        tokio::spawn(background::keep_keys(state.clone(), keeper, turn));
    }
    tokio::spawn(Follower::new(state.clone(), log_end).await.run());
    tokio::spawn(follow_shared_key(state.clone(), keys));
    tokio::spawn(attachments::sweep(state.clone()));
    Ok(Application { router: router(state.clone()), state, new_demo_user })
}

impl Application {
    /// What answers requests. Cheap to clone, one a worker.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// The demo user, when this start has made it.
    #[must_use]
    pub const fn new_demo_user(&self) -> Option<&NewDemoUser> {
        self.new_demo_user.as_ref()
    }

    /// Told when the host begins to drain: what would never end by itself ends now. `handed_over`: another process
    /// serves at the same address.
    pub fn begin_drain(&self, handed_over: bool) {
        self.state.handed_over.store(handed_over, Relaxed);
        self.state.draining.cancel();
    }

    /// Removes files of attachments that nobody needs. Every start does so in the background.
    pub async fn sweep_attachments(&self) {
        attachments::sweep(self.state.clone()).await;
    }

    /// Closes the database; called after the last request.
    pub async fn close(&self) {
        self.state.store.close().await;
    }
}

/// Makes the demo user in a database without any user. A demo user that was removed or renamed does not come back.
async fn add_demo_user(
    store: &Database,
    passwords: &Passwords,
    demo: &DemoConfig,
) -> Result<Option<NewDemoUser>, BuildError> {
    if store.has_users().await? {
        return Ok(None);
    }
    let username = Username::parse(&demo.username)?;
    let (password, generated_password) = match &demo.password {
        Some(password) => {
            crate::domain::account::check_password(password, username.as_str())?;
            (password.clone(), None)
        }
        None => {
            let password = generate_password();
            (password.clone(), Some(password))
        }
    };
    let new = NewUser {
        id: Uuid::now_v7(),
        username,
        password_hash: passwords.hash(password).await?,
        role: Role::Admin,
        created_at: Timestamp::now(),
    };
    match store.add_user(&new).await {
        Ok(User { username, .. }) => Ok(Some(NewDemoUser { username: username.into_string(), generated_password })),
        // Another process on the same database was faster, and has told its password.
        Err(StoreError::Taken) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// 122 random bits, readable aloud.
fn generate_password() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Reads the shared key again when its file has changed, so that an operator replaces it without a restart.
async fn follow_shared_key(state: AppState, mut known: Vec<SharedKey>) {
    let mut interval = tokio::time::interval(KEY_LOOK_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.draining.cancelled() => return,
            _ = interval.tick() => {}
        }
        match load_all_or_create(&state.config.edge.assertion_key, false) {
            Ok(keys) if keys == known => {}
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the key shared with the edge has changed");
                state.edge.replace(&keys);
                known = keys;
            }
            // An editor may be half-way through; the old keys count until there are others.
            Err(error) => tracing::warn!(%error, "the key shared with the edge can't be read again"),
        }
    }
}

/// Forgets expired sessions and revocations from time to time, as long as the database is open.
async fn sweep(state: AppState) {
    let (store, tokens) = (&state.store, &state.tokens);
    let mut interval = tokio::time::interval(SWEEP_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let now = Timestamp::now();
        let forgotten = async {
            Ok((
                store.forget_expired_sessions(tokens.forgettable(now)).await?,
                store.forget_expired_revocations(now).await?,
            ))
        };
        match forgotten.await {
            Ok((0, 0)) => {}
            Ok((sessions, revocations)) => tracing::info!(sessions, revocations, "what has expired is forgotten"),
            Err(StoreError::Unavailable(_)) if store.is_closed() => return,
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the sweep failed"),
        }
    }
}
