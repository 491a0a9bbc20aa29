//! Reads the main file and everything that it includes, and joins them into one.

use super::file::File;
use super::include;
use super::node;
use super::problem::Problems;
use super::read::{At, Context, Named, Table, Written};
use super::source::Span;
use super::whole::Whole;
use super::{Config, check};
use std::path::{Path, PathBuf};

/// Bytes of one file.
pub(super) const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files, with all included ones.
const FILES_MAX: usize = 256;

/// Reads and checks a configuration file with everything that it includes.
///
/// `env` looks up the variables of `${env:NAME}`. Paths in a file are relative to that file.
///
/// # Errors
/// Every mistake that was found: in the syntax of any file, else in the meaning of the whole.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    load_seen(path, env).0
}

/// As [`load`], with every file and folder that was looked at, whether the configuration is sound or not.
pub fn load_seen(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> (Result<Config, Problems>, Vec<PathBuf>) {
    let mut context = Context { problems: Problems::default(), env };
    let loaded = match context.read_text(path, FILE_BYTES_MAX) {
        Ok(text) => {
            let base_dir = path.parent().unwrap_or(Path::new(""));
            load_text(&path.display().to_string(), &text, &mut context, base_dir)
        }
        Err(reason) => {
            context.problems.add(None, format!("cannot read {}: {reason}", path.display()));
            None
        }
    };
    let seen = context.problems.sources.seen();
    (finish(loaded, context), seen)
}

/// Reads and checks a configuration that is already in memory, called `name` in messages. Relative paths start at
/// `base_dir`.
///
/// # Errors
/// As [`load`].
pub fn load_str(
    name: &str,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    base_dir: &Path,
) -> Result<Config, Problems> {
    let mut context = Context { problems: Problems::default(), env };
    let loaded = load_text(name, text, &mut context, base_dir);
    finish(loaded, context)
}

fn load_text(name: &str, text: &str, context: &mut Context<'_>, base_dir: &Path) -> Option<Config> {
    if text.len() as u64 > FILE_BYTES_MAX {
        context.problems.add(None, format!("{name} is larger than {FILE_BYTES_MAX} bytes"));
        return None;
    }
    read_all(name, text, base_dir, context).and_then(|whole| check::check(whole, context))
}

fn finish(loaded: Option<Config>, mut context: Context<'_>) -> Result<Config, Problems> {
    match loaded {
        Some(config) if context.problems.count() == 0 => Ok(config),
        _ => {
            context.problems.sort();
            Err(context.problems)
        }
    }
}

/// A file that is still to be read.
struct Pending {
    name: String,
    path: PathBuf,
    /// Where it was included.
    from: Span,
}

fn read_all(name: &str, text: &str, base_dir: &Path, context: &mut Context<'_>) -> Option<Whole> {
    let mut whole = Whole::default();
    let main = context.problems.sources.add(name.to_owned(), base_dir.to_owned(), text.to_owned());
    let file_name = Path::new(name).file_name();
    let mut seen: Vec<PathBuf> =
        file_name.and_then(|name| base_dir.join(name).canonicalize().ok()).into_iter().collect();
    let mut parsed = read_one(main, &mut whole, context);
    let mut pending = included(parsed.as_ref(), context);
    // Breadth first: the main file, what it includes in order, then what those include.
    while !pending.is_empty() {
        let file = pending.remove(0);
        let Some(source) = open(&file, &mut seen, context) else { continue };
        let file = read_one(source, &mut whole, context);
        pending.extend(included(file.as_ref(), context));
        parsed = parsed.and(file);
    }
    // With wrong syntax somewhere, the meaning of the rest would only produce echoes of it.
    parsed.map(|_| whole)
}

/// Parses and reads one source into the whole; what is left of the file is its list of includes.
fn read_one(source: usize, whole: &mut Whole, context: &mut Context<'_>) -> Option<File> {
    let tree = node::parse(source, context)?;
    let mut file = File::read(&tree, context)?;
    single("server", &mut whole.server, file.server.take(), context);
    single("admin", &mut whole.admin, file.admin.take(), context);
    single("log", &mut whole.log, file.log.take(), context);
    join("listener", &mut whole.listeners, file.listener.take(), context);
    join("site", &mut whole.sites, file.site.take(), context);
    join("upstream", &mut whole.upstreams, file.upstream.take(), context);
    join("issuer", &mut whole.issuers, file.issuer.take(), context);
    whole.has_listeners |= file.written.at("listener").is_some();
    whole.has_routes |= file.written.at("route").is_some();
    whole.routes.extend(file.route.take().into_iter().flat_map(|routes| routes.value.0));
    Some(file)
}

fn single<T>(label: &str, have: &mut Option<At<T>>, new: Option<At<T>>, context: &mut Context<'_>) {
    match (&have, new) {
        (Some(first), Some(new)) => {
            context.problem(new.at, format!("[{label}] stands in two files")).note_at(first.at, "first");
        }
        (None, new) => *have = new,
        (Some(_), None) => {}
    }
}

fn join<T: Table>(label: &str, have: &mut Vec<(At<String>, T)>, new: Option<At<Named<T>>>, context: &mut Context<'_>) {
    for (name, item) in new.into_iter().flat_map(|new| new.value.0) {
        if let Some((_, first)) = have.iter().find(|(other, _)| other.value == name.value) {
            let message = format!("the {label} `{}` stands in two files", name.value);
            context.problem(name.at, message).note_at(first.written().table, "first");
        } else {
            have.push((name, item));
        }
    }
}

fn included(file: Option<&File>, context: &mut Context<'_>) -> Vec<Pending> {
    let patterns = file.and_then(|file| file.include.as_ref());
    let mut pending = Vec::new();
    for pattern in patterns.iter().flat_map(|list| list.iter()) {
        let shown = context.problems.sources.get(pattern.at.source).map(|source| source.name.clone());
        let shown = shown.as_deref().and_then(|name| Path::new(name).parent()).unwrap_or(Path::new("")).to_owned();
        let dir = context.problems.sources.resolve(pattern.at, "");
        if let Some(folder) = dir.join(&pattern.value.0).parent() {
            // Files may come.
            context.problems.sources.note(folder);
        }
        match include::matches(&dir, &pattern.value.0) {
            Ok(files) => pending.extend(files.into_iter().map(|relative| Pending {
                name: shown.join(&relative).display().to_string(),
                path: dir.join(&relative),
                from: pattern.at,
            })),
            Err(reason) => {
                context.problem(pattern.at, reason.to_string());
            }
        }
    }
    pending
}

/// Reads a file that was included. `None`: it cannot or must not be, which has been reported.
fn open(file: &Pending, seen: &mut Vec<PathBuf>, context: &mut Context<'_>) -> Option<usize> {
    let canonical = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
    if seen.contains(&canonical) {
        let message = format!("{} is included a second time", file.name);
        context.problem(file.from, message).note("a file that includes itself would never end");
        return None;
    }
    if seen.len() >= FILES_MAX {
        context.problem(file.from, format!("more than {FILES_MAX} files"));
        return None;
    }
    seen.push(canonical);
    match context.read_text(&file.path, FILE_BYTES_MAX) {
        Ok(text) => {
            let dir = file.path.parent().unwrap_or(Path::new("")).to_owned();
            Some(context.problems.sources.add(file.name.clone(), dir, text))
        }
        Err(reason) => {
            context.problem(file.from, format!("cannot read {}: {reason}", file.path.display()));
            None
        }
    }
}
