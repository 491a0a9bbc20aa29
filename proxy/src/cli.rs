//! The command line: flags, output, exit codes.

use crate::config::{self, Config};
use crate::drill;
use crate::precompress;
use crate::reload::{self, Reloader};
use crate::run::{self, Running, StartOptions};
use clap::{Parser, Subcommand};
use serve::handover::{Predecessor, Program};
use serve::listener::Address;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The command could not do what it should; the reason is on standard error.
const FAILED: u8 = 1;
/// The configuration has mistakes, which are on standard error.
const BAD_CONFIG: u8 = 2;
/// The drain's deadline cut connections.
const CUT: u8 = 3;

/// How long the running proxy may take: it waits itself until a new process serves.
const ANSWER_WITHIN: Duration = Duration::from_secs(100);

/// The front server: TLS, static files, tokens checked at the edge, everything else forwarded.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct ConfigFlag {
    /// The configuration file.
    #[arg(short, long, env = "PORTCULLIS_CONFIG", default_value = "portcullis.toml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
struct AskFlags {
    #[command(flatten)]
    config: ConfigFlag,
    /// Where the running proxy's admin listener is. Left out, the configuration file says so.
    #[arg(long, env = "PORTCULLIS_ADMIN", value_name = "ADDRESS")]
    admin: Option<Address>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reads the configuration again, SIGUSR2 starts the program anew and hands
    /// over to it.
    Run(ConfigFlag),
    /// Do all that a start does, except bind: what passes, starts.
    Check(ConfigFlag),
    /// Ask the running proxy whether it is ready; exit code 0 if so.
    Healthcheck(ConfigFlag),
    /// Put a running stack of your own under load, do to it what a plan names, and count what is lost.
    Drill(drill::Flags),
    /// Compress the files of a directory beforehand, as `NAME.br`, `NAME.zst` and `NAME.gz` beside `NAME`, where it
    /// pays. What is there and current stays.
    Precompress(precompress::Options),
    /// Have the running proxy read its configuration again; exit code 2 if that has mistakes.
    Reload(AskFlags),
    /// Have the running proxy start its program anew and hand its sockets over; exit code 1 if it stays as it is.
    Upgrade(AskFlags),
    /// Show what the configuration means or may hold.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// The effective configuration: defaults filled in, secrets redacted.
    Print(ConfigFlag),
    /// The JSON Schema of the configuration, for editors.
    Schema,
    /// The reference of every key, in Markdown.
    Reference,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    execute(Cli::parse()).unwrap_or_else(|(code, message)| {
        say(&mut std::io::stderr(), &message);
        ExitCode::from(code)
    })
}

type Failure = (u8, String);

fn execute(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Run(flag) => return serve(&flag.config),
        Command::Drill(flags) => return Ok(drill::run(&flags)),
        Command::Check(flag) => check(&flag.config)?,
        Command::Healthcheck(flag) => healthcheck(&load(&flag.config)?)?,
        Command::Precompress(options) => precompress(&options)?,
        Command::Reload(flags) => ask(&flags, "/reload")?,
        Command::Upgrade(flags) => ask(&flags, "/upgrade")?,
        Command::Config { command: ConfigCommand::Print(flag) } => out(&config::print(&load(&flag.config)?)),
        Command::Config { command: ConfigCommand::Schema } => out(&format!("{:#}", config::schema())),
        Command::Config { command: ConfigCommand::Reference } => out(&config::reference()),
    }
    Ok(ExitCode::SUCCESS)
}

fn load(path: &Path) -> Result<Config, Failure> {
    reload::load(path).map_err(|error| (BAD_CONFIG, error.to_string()))
}

fn check(path: &Path) -> Result<(), Failure> {
    let config = load(path)?;
    let (routes, upstreams) = (config.routes.len(), config.upstreams.len());
    serve::telemetry::check_filter(&config.log.level).map_err(|error| (BAD_CONFIG, format!("log.level: {error}")))?;
    Reloader::start(config, None).map_err(|error| (BAD_CONFIG, error.to_string()))?;
    out(&format!("{} is sound: {routes} routes, {upstreams} upstreams", path.display()));
    Ok(())
}

/// Gives the running proxy an order and shows its answer.
fn ask(flags: &AskFlags, path: &str) -> Result<(), Failure> {
    let address = match &flags.admin {
        Some(address) => address.clone(),
        // A file with mistakes is what the running proxy would refuse too.
        None => match load(&flags.config.config)?.admin {
            Some(admin) => admin.address,
            None => return Err((FAILED, "the admin listener is switched off: send SIGHUP or SIGUSR2".into())),
        },
    };
    let asking = async { serve::probe::send(&address, http::Method::POST, path, ANSWER_WITHIN).await };
    let (status, text) = block_on(asking)?.map_err(|error| (FAILED, format!("{address} does not answer: {error}")))?;
    match status {
        http::StatusCode::OK => out(&text),
        http::StatusCode::UNPROCESSABLE_ENTITY => return Err((BAD_CONFIG, text)),
        _ => return Err((FAILED, text)),
    }
    Ok(())
}

fn serve(path: &Path) -> Result<ExitCode, Failure> {
    let predecessor = Predecessor::from_environment().map_err(|error| (FAILED, format!("no handover: {error}")))?;
    // Whoever hands over hears why it goes on itself.
    let failed = |failure: Failure, predecessor: Option<&Predecessor>| {
        predecessor.inspect(|predecessor| predecessor.failed(&failure.1));
        failure
    };
    let config = load(path).map_err(|failure| failed(failure, predecessor.as_ref()))?;
    run(path, config, predecessor)
}

fn run(path: &Path, config: Config, predecessor: Option<Predecessor>) -> Result<ExitCode, Failure> {
    serve::telemetry::init(run::telemetry_format(&config.log.format), &config.log.level)
        .map_err(|error| (BAD_CONFIG, format!("log.level: {error}")))?;
    let failed = |error: std::io::Error| (FAILED, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let signals = Signals::listen().map_err(failed)?;
        let options = StartOptions {
            config_path: Some(path.to_owned()),
            request_log: None,
            inherited: serve::activation::sockets().map_err(failed)?,
            program: Some(Program::of_this_process().map_err(failed)?),
            predecessor,
        };
        let running = run::start(config, options).await.map_err(|error| (FAILED, error.to_string()))?;
        for (name, address) in running.listeners() {
            tracing::info!(listener = name, %address, "listening");
        }
        if let Some(address) = running.admin() {
            tracing::info!(%address, "admin listening");
        }
        serve::notify::say(serve::notify::READY);
        Ok(until_stopped(running, signals).await)
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_2: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }
}

async fn until_stopped(mut running: Running, mut signals: Signals) -> ExitCode {
    loop {
        tokio::select! {
            _ = signals.hang_up.recv() => {
                // The outcome is in the log; a bad file changes nothing.
                let _ = running.reload(None).await;
            }
            _ = signals.user_2.recv() => running.begin_upgrade(),
            () = running.retired() => break,
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    let shutdown = running.shutdown();
    tokio::select! {
        drained = shutdown => if drained.cut == 0 { ExitCode::SUCCESS } else { ExitCode::from(CUT) },
        // Who asks twice does not want to wait.
        _ = signals.interrupt.recv() => ExitCode::from(CUT),
    }
}

fn healthcheck(config: &Config) -> Result<(), Failure> {
    let Some(admin) = &config.admin else { return Err((FAILED, "the admin listener is switched off".into())) };
    let (status, text) = block_on(ready(&admin.address))?
        .map_err(|error| (FAILED, format!("{} does not answer: {error}", admin.address)))?;
    if status == http::StatusCode::OK { Ok(()) } else { Err((FAILED, text)) }
}

fn precompress(options: &precompress::Options) -> Result<(), Failure> {
    let summary = precompress::run(options).map_err(|error| (FAILED, error.to_string()))?;
    out(&summary.to_string());
    match summary.failures() {
        [] => Ok(()),
        failures => Err((FAILED, failures.join("\n"))),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| (FAILED, error.to_string()))?.block_on(future))
}

/// Asks `/readyz`.
async fn ready(admin: &Address) -> Result<(http::StatusCode, String), serve::probe::ProbeError> {
    serve::probe::get(admin, "/readyz").await
}

fn out(text: &str) {
    say(&mut std::io::stdout(), text);
}

/// A closed pipe (`portcullis config print | head`) is no reason to fail.
fn say(to: &mut dyn Write, text: &str) {
    let _ = writeln!(to, "{}", text.trim_end());
}
