//! The command line: flags, output, exit codes.

use crate::config::{self, Config};
use crate::drill;
use crate::reload::{self, Reloader};
use crate::run::{self, Running, StartOptions};
use clap::{Parser, Subcommand};
use serve::listener::Address;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The command could not do what it should; the reason is on standard error.
const FAILED: u8 = 1;
/// The configuration has mistakes, which are on standard error.
const BAD_CONFIG: u8 = 2;
/// The drain's deadline cut connections.
const CUT: u8 = 3;

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

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reads the configuration again.
    Run(ConfigFlag),
    /// Do all that a start does, except bind: what passes, starts.
    Check(ConfigFlag),
    /// Ask the running proxy whether it is ready; exit code 0 if so.
    Healthcheck(ConfigFlag),
    /// Put a running stack of your own under load, do to it what a plan names, and count what is lost.
    Drill(drill::Flags),
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

fn serve(path: &Path) -> Result<ExitCode, Failure> {
    let config = load(path)?;
    serve::telemetry::init(run::telemetry_format(&config.log.format), &config.log.level)
        .map_err(|error| (BAD_CONFIG, format!("log.level: {error}")))?;
    let failed = |error: std::io::Error| (FAILED, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let signals = Signals::listen().map_err(failed)?;
        let options = StartOptions { config_path: Some(path.to_owned()), request_log: None };
        let running = run::start(config, options).await.map_err(|error| (FAILED, error.to_string()))?;
        for (name, address) in running.listeners() {
            tracing::info!(listener = name, %address, "listening");
        }
        if let Some(address) = running.admin() {
            tracing::info!(%address, "admin listening");
        }
        Ok(until_stopped(running, signals).await)
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

async fn until_stopped(running: Running, mut signals: Signals) -> ExitCode {
    loop {
        tokio::select! {
            _ = signals.hang_up.recv() => {
                // The outcome is in the log; a bad file changes nothing.
                let _ = running.reload(None).await;
            }
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| (FAILED, error.to_string()))?;
    let (status, text) = runtime
        .block_on(ready(&admin.address))
        .map_err(|error| (FAILED, format!("{} does not answer: {error}", admin.address)))?;
    if status == http::StatusCode::OK { Ok(()) } else { Err((FAILED, text)) }
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
