//! Why there is no result.

use std::io;

/// What stops a benchmark. A number that is not trustworthy is worse than none, so nothing is skipped silently.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Names that are none.
    #[error("no workload of this group is named {0}")]
    NothingToDo(String),
    /// A file or a process.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A program that is needed.
    #[error("{program} can't be started: {source}")]
    Program {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A server that does not come up.
    #[error("{0} does not listen")]
    NotListening(String),
    /// A server that does not do what is to be measured.
    #[error("{workload}, {server}: {what}")]
    WrongAnswer {
        /// The workload.
        workload: String,
        /// The server.
        server: String,
        /// What it did.
        what: String,
    },
    /// Output of a tool that was not understood.
    #[error("{program} said something unexpected:\n{output}")]
    Output {
        /// The tool.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// Keys or tokens.
    #[error("no certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Keys or tokens.
    #[error("no token: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
}
