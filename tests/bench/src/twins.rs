//! A page and its twins, as `portcullis precompress` makes them; every server gets the same files.

use crate::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The page, below the directory of the files.
pub(crate) const PAGE: &str = "packed/page.html";

/// Bytes of the page itself.
const PAGE_BYTES: usize = 1024;

/// How a twin was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
}

impl Coding {
    /// The name in `Accept-Encoding` (RFC 9110 section 8.4.1).
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// The twin of the page, below the directory of the files.
    pub(crate) fn twin(self) -> PathBuf {
        Path::new(PAGE).with_extension(match self {
            Self::Gzip => "html.gz",
            Self::Brotli => "html.br",
        })
    }
}

/// Writes the page and has the product make its twins.
pub(crate) fn prepare(product: &Path, site: &Path) -> Result<(), Error> {
    let path = site.join(PAGE);
    let directory = path.parent().unwrap_or(site);
    fs::create_dir(directory)?;
    fs::write(&path, page())?;
    let failed = |source| Error::Program { program: product.display().to_string(), source };
    let output =
        Command::new(product).arg("precompress").arg(directory).stdin(Stdio::null()).output().map_err(failed)?;
    let are_there = [Coding::Gzip, Coding::Brotli].iter().all(|coding| site.join(coding.twin()).exists());
    if !output.status.success() || !are_there {
        let said = [output.stdout, output.stderr].concat();
        return Err(Error::Output { program: "precompress", output: String::from_utf8_lossy(&said).into_owned() });
    }
    Ok(())
}

/// As compressible as pages are: the same marks again and again, and words that differ.
fn page() -> String {
    const WORDS: [&str; 11] =
        ["gate", "harbour", "letter", "winter", "paper", "bridge", "garden", "signal", "copper", "valley", "stone"];
    let mut page = String::from("<!doctype html>\n<title>Notes</title>\n<ul>\n");
    for number in 1.. {
        let word = |step: usize| WORDS[number * step % WORDS.len()];
        // Writing to a string does not fail.
        let _ = writeln!(page, "<li><a href=\"/notes/{}\">The {} of the {}</a>", number * 37, word(3), word(7));
        if page.len() >= PAGE_BYTES {
            break;
        }
    }
    page.truncate(PAGE_BYTES);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_long_as_the_table_says() {
        assert_eq!(page().len(), PAGE_BYTES);
        assert!(page().is_ascii());
    }

    #[test]
    fn a_twin_stands_beside_its_page() {
        assert_eq!(Coding::Gzip.twin(), Path::new("packed/page.html.gz"));
        assert_eq!(Coding::Brotli.twin(), Path::new("packed/page.html.br"));
    }
}
