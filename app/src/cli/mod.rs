//! The command line: flags, each with an environment variable; output; exit codes.

mod keys;
mod tokens;

use crate::config::{Config, DatabaseUrl, DemoConfig, EdgeConfig, keys_below};
use crate::run::{self, Running, StartOptions};
use crate::units::{parse_bytes, parse_duration};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serve::handover::{Predecessor, Program};
use serve::listener::Address;
use serve::telemetry::{self, Format};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The command could not do what it should; the reason is on standard error.
const FAILED: u8 = 1;
/// The drain's deadline cut connections.
const CUT: u8 = 3;
/// Connections at once, beyond which they wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16 * 1024;

/// The application server: accounts, tokens and a shared notebook behind a host that could serve any callable.
#[derive(Debug, Parser)]
#[command(name = "portcullis-app", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT.
    Run(Box<RunFlags>),
    /// The keys that sign tokens.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Ask a running application whether it is ready; exit code 0 if so.
    Healthcheck(HealthcheckFlags),
}

#[derive(Debug, Args)]
struct RunFlags {
    /// Where to listen: "127.0.0.1:8000", "[::]:8000" or "unix:/path".
    #[arg(long, env = "PORTCULLIS_APP_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    listen: Address,
    /// Workers, one thread each; as many as cores when absent.
    #[arg(long, env = "PORTCULLIS_APP_THREADS", value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    state: StateFlags,
    #[command(flatten)]
    tokens: tokens::TokenFlags,
    /// The key shared with the edge; "edge.key" in the state folder when absent.
    #[arg(long, env = "PORTCULLIS_APP_ASSERTION_KEY", value_name = "FILE")]
    assertion_key: Option<PathBuf>,
    /// Make the shared key if there is none.
    #[arg(long, env = "PORTCULLIS_APP_ASSERTION_KEY_CREATE", value_parser = FalseyValueParser::new())]
    assertion_key_create: bool,
    /// How the edge calls this application.
    #[arg(long, env = "PORTCULLIS_APP_UPSTREAM_NAME", default_value = "app", value_name = "NAME")]
    upstream_name: String,
    /// The largest attachment.
    #[arg(long, env = "PORTCULLIS_APP_ATTACHMENT_BYTES_MAX", default_value = "25MiB", value_parser = parse_bytes, value_name = "SIZE")]
    attachment_bytes_max: u64,
    /// From a request to the head of its answer.
    #[arg(long, env = "PORTCULLIS_APP_REQUEST_TIMEOUT", default_value = "30s", value_parser = parse_duration, value_name = "TIME")]
    request_timeout: Duration,
    /// How long work may go on after the order to stop.
    #[arg(long, env = "PORTCULLIS_APP_DRAIN_TIMEOUT", default_value = "30s", value_parser = parse_duration, value_name = "TIME")]
    drain_timeout: Duration,
    /// Requests at once; more are answered 503. An open event stream counts as one; streams take at most half.
    #[arg(long, env = "PORTCULLIS_APP_IN_FLIGHT_MAX", default_value_t = 4096, value_name = "N")]
    in_flight_max: usize,
    /// The admin that the first start makes, in a database without users; "" for none.
    #[arg(long, env = "PORTCULLIS_APP_DEMO_USER", default_value = "demo", value_name = "NAME")]
    demo_user: String,
    /// Its password; generated and printed once when absent. Prefer the environment: flags are seen by all users.
    #[arg(long, env = "PORTCULLIS_APP_DEMO_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    demo_password: Option<String>,
    /// How lines look, of events (standard error) and of requests (standard output).
    #[arg(long, env = "PORTCULLIS_APP_LOG_FORMAT", default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// "error", "warn", "info", "debug", "trace", or a filter by module.
    #[arg(long, env = "PORTCULLIS_APP_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    log_level: String,
}

/// Where everything is kept.
#[derive(Debug, Args)]
struct StateFlags {
    /// "sqlite:///path/app.db" or "postgres://user@host/name"; a file in the state folder when absent.
    #[arg(long, env = "PORTCULLIS_APP_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<DatabaseUrl>,
    /// The folder of all state: sealing key, attachments, database.
    #[arg(long, env = "PORTCULLIS_APP_STATE", default_value = "./var/app", value_name = "FOLDER")]
    state: PathBuf,
}

impl StateFlags {
    fn database(&self) -> DatabaseUrl {
        self.database.clone().unwrap_or_else(|| DatabaseUrl::Sqlite(self.state.join("app.db")))
    }

    fn keys(&self) -> PathBuf {
        keys_below(&self.state)
    }
}

#[derive(Debug, Args)]
struct HealthcheckFlags {
    /// "http://127.0.0.1:8000/readyz" or "unix:/path"; asks where `run` would listen when absent.
    #[arg(long)]
    url: Option<String>,
    /// Where the application listens.
    #[arg(long, env = "PORTCULLIS_APP_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    listen: Address,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

impl RunFlags {
    fn into_config(self) -> Result<Config, String> {
        let (tokens, sign_in) = self.tokens.into_config()?;
        let (database, state) = (self.state.database(), self.state.state);
        let available = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(Config {
            listen: self.listen,
            threads: self.threads.unwrap_or_else(available),
            database,
            request_timeout: self.request_timeout,
            drain_timeout: self.drain_timeout,
            in_flight_max: self.in_flight_max,
            connections_max: CONNECTIONS_MAX,
            access_log: Some(self.log_format.into()),
            attachment_bytes_max: self.attachment_bytes_max,
            edge: EdgeConfig {
                assertion_key: self.assertion_key.unwrap_or_else(|| state.join("edge.key")),
                assertion_key_create: self.assertion_key_create,
                upstream_name: self.upstream_name,
            },
            tokens,
            sign_in,
            demo: (!self.demo_user.is_empty())
                // An empty variable is what compose files make of an unset one.
                .then_some(DemoConfig {
                    username: self.demo_user,
                    password: self.demo_password.filter(|password| !password.is_empty()),
                }),
            state,
        })
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(flags) => serve(*flags),
        Command::Keys(command) => keys::run(command),
        Command::Healthcheck(flags) => healthcheck(&flags),
    };
    done.unwrap_or_else(|message| {
        say(&mut std::io::stderr(), &message);
        ExitCode::from(FAILED)
    })
}

fn block_on<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(future)
}

fn serve(flags: RunFlags) -> Result<ExitCode, String> {
    telemetry::init(flags.log_format.into(), &flags.log_level).map_err(|error| format!("--log-level: {error}"))?;
    let predecessor = Predecessor::from_environment().map_err(|error| format!("no handover: {error}"))?;
    let config = flags.into_config().inspect_err(|error| {
        // Whoever hands over hears why it goes on itself.
        predecessor.iter().for_each(|predecessor| predecessor.failed(error));
    })?;
    block_on(async {
        let signals = Signals::listen().map_err(|error| format!("signals can't be received: {error}"))?;
        let inherited = serve::activation::sockets().map_err(|error| error.to_string())?;
        let program = Some(Program::of_this_process().map_err(|error| error.to_string())?);
        let options = StartOptions { inherited, predecessor, program };
        let running = run::start_with(config, options).await.map_err(|error| error.to_string())?;
        if let Some(user) = running.new_demo_user() {
            let mut line = format!("demo user created: username={}", user.username);
            // The only place where a password is ever written, and only when this start has generated it.
            if let Some(password) = &user.generated_password {
                line.push_str(" password=");
                line.push_str(password);
            }
            say(&mut std::io::stdout(), &line);
        }
        tracing::info!(address = %running.address(), "listening");
        serve::notify::say(serve::notify::READY);
        Ok(until_stopped(running, signals).await)
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    user_2: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }
}

async fn until_stopped(mut running: Running, mut signals: Signals) -> ExitCode {
    loop {
        tokio::select! {
            _ = signals.user_2.recv() => running.begin_upgrade(),
            () = running.retired() => break,
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    tracing::info!("draining");
    tokio::select! {
        drained = running.shutdown() => {
            let serve::drain::UnderWay { requests, streams, websockets } = drained.work;
            tracing::info!(connections = drained.cut, requests, streams, websockets, "stopped; these were cut");
            if drained.cut == 0 { ExitCode::SUCCESS } else { ExitCode::from(CUT) }
        }
        // Who asks twice does not want to wait; the end of the process ends its threads.
        _ = signals.interrupt.recv() => std::process::exit(i32::from(CUT)),
    }
}

fn healthcheck(flags: &HealthcheckFlags) -> Result<ExitCode, String> {
    let (address, path) = match &flags.url {
        Some(url) => parse_url(url)?,
        None => (flags.listen.clone(), "/readyz".to_owned()),
    };
    let answer = block_on(async { serve::probe::get(&address, &path).await.map_err(|error| error.to_string()) });
    match answer {
        Ok((status, _)) if status.is_success() => Ok(ExitCode::SUCCESS),
        Ok((status, text)) => Err(format!("{address} answers {status}: {}", text.trim())),
        Err(error) => Err(format!("{address} does not answer: {error}")),
    }
}

/// `http://127.0.0.1:8000/readyz`, `127.0.0.1:8000` or `unix:/path`.
fn parse_url(url: &str) -> Result<(Address, String), String> {
    let (address, path) = match url.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash)),
        None => (url, ""),
    };
    let address = address.replace("localhost:", "127.0.0.1:").parse().map_err(|error| format!("--url: {error}"))?;
    Ok((address, if path.is_empty() { "/readyz".to_owned() } else { path.to_owned() }))
}

/// A closed pipe is no reason to fail.
fn say(to: &mut dyn Write, text: &str) {
    let _ = writeln!(to, "{text}");
    let _ = to.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_follow_the_state_folder() {
        let cli = Cli::try_parse_from(["portcullis-app", "run", "--state", "/srv/app", "--demo-user", ""]);
        let Command::Run(flags) = cli.expect("flags").command else { panic!("another command") };
        let config = flags.into_config().expect("settings");
        assert_eq!(config.database, DatabaseUrl::Sqlite("/srv/app/app.db".into()));
        assert_eq!(config.edge.assertion_key, PathBuf::from("/srv/app/edge.key"));
        assert_eq!(config.attachment_bytes_max, 25 * 1024 * 1024);
        assert!(config.demo.is_none());
    }

    #[test]
    fn urls_of_a_health_check() {
        for (url, address, path) in [
            ("http://localhost:8000/livez", "127.0.0.1:8000", "/livez"),
            ("http://[::1]:8000", "[::1]:8000", "/readyz"),
            ("unix:/run/app.sock", "unix:/run/app.sock", "/readyz"),
        ] {
            let parsed = parse_url(url).expect(url);
            assert_eq!((parsed.0.to_string().as_str(), parsed.1.as_str()), (address, path));
        }
        assert!(parse_url("https://example.com/").is_err());
    }
}
