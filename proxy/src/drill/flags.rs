//! What the command line says beside the plan.

use std::path::PathBuf;

/// `portcullis drill`: does to a running stack of your own what will happen to it anyway, under load, and counts what
/// is lost. Exit code 0: nothing; 3: something; 1: it could not be done; 2: mistakes in the plan.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// The plan: where the stack is, what is asked, what is done to it.
    #[arg(short, long, default_value = "drill.toml", value_name = "FILE")]
    pub plan: PathBuf,
    /// Says that a host other than this machine is yours and may be put under load; it must be the plan's target.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// The authorities of the stack's certificate, in PEM; takes the place of the plan's.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Take any certificate. Only for a stack with a development certificate.
    #[arg(long)]
    pub insecure: bool,
    /// A variable for the plan's `${env:NAME}`, in the place of the environment's.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub set: Vec<(String, String)>,
    /// Only the faults of these names.
    #[arg(long, value_name = "FAULT")]
    pub only: Vec<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The report as JSON.
    #[arg(long)]
    pub json: bool,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
