//! What a route does: `files`, `forward`, `redirect` or `respond`.

use super::compress::CompressSwitch;
use super::files::{CacheEntry, Types};
use super::maps::Map;
use super::root::FilesRoot;
use super::values::{Below, ErrorStatus, FilePath, Text};
use crate::config::node::{Kind, Node};
use crate::config::read::{About, At, Context, Keys, List, Written};
use crate::config::units::{Number, Size, Time};
use crate::config::{FileGlob, HostPolicy, MediaPattern, PathPrefix, Symlinks};
use http::HeaderValue;
use serde_json::{Value, json};

table! {
    /// Serve files from a directory.
    Files as "route.files" => {
        /// The directory; nothing outside is ever opened.
        /// `{ releases = "DIR", keep = 3 }`: a directory of releases.
        required root: FilesRoot,
        /// The file that a directory stands for.
        default("index.html") index: Below,
        /// Served with 200 for paths that match no file and look like no asset: for single-page applications. A path
        /// with a file extension is an asset, and so is one that `assets` names; a missing asset is 404 with `no-store`.
        optional fallback: Below,
        /// Files that are assets whatever their names look like, as patterns of paths below `root`: `["/assets/**"]`.
        default([]) assets: List<FileGlob>,
        /// Whether the literal beginning of the route's match is cut off before the path is looked up below `root`:
        /// with `/docs/**`, `/docs/a.html` is `ROOT/a.html`.
        default(false) strip_prefix: bool,
        /// `Cache-Control` of every file. Left out: `no-cache` for pages, a day for the rest, a year and immutable for
        /// fingerprinted names.
        optional cache_control: HeaderValue,
        /// `Cache-Control` of some files, before `cache_control`:
        /// `[{ match = "/img/**", control = "public, max-age=3600" }]`. Of several patterns that match, the narrowest
        /// counts, whatever the order; where two cross, a third has to say what holds for the files of both.
        default([]) cache: List<CacheEntry>,
        /// Content types by file extension, before those that are known: `{ md = "text/markdown; charset=utf-8" }`.
        optional types: Types,
        /// Whether files and directories whose names begin with a dot are served. `.well-known` at the root always is.
        default(false) hidden: bool,
        /// Pages in place of problems, by status: `{ 404 = "404.html" }`, files below `root`, read when the configuration
        /// is (or the release is switched). They have the status of the error and go to clients that ask for `text/html`
        /// by name; all others get the problem. They come before those of the site.
        optional error_pages: Map<ErrorStatus, Below>,
        /// Whether a directory without an index is answered with a list of what is in it, as HTML or JSON. What is not
        /// served is left out: links that are not followed, and names that begin with a dot unless `hidden` is set.
        default(false) listing: bool,
        /// Which symbolic links beneath the root are followed: none (`no`), those that stay beneath it all the way
        /// (`same-root`; an absolute target never does), or all (`any`): whoever can make a link there then decides what is
        /// public. What a link leads to may have a hidden name.
        default("no") symlinks: Symlinks,
        /// Files up to this size are kept in memory by each worker.
        default("256KiB") cached_bytes_max: Size<0, { 1 << 30 }>,
        /// How long a file is served without looking at the disk: a change is noticed after this time.
        default("1s") fresh_for: Time<0, 3_600_000>,
        /// How long a request waits for one answer of the disk (a name, a directory, a piece of a file): then it is 503,
        /// an answer that has begun ends, and what is in memory goes on unrevised. At most 64 threads wait for one disk.
        /// A start or a reload waits as long for the root, and then fails.
        default("10s") disk_timeout: Time<10, 600_000>,
        /// The content types whose files come compressed to clients that take it: a type, all of a kind (`text/*`), or
        /// all with a suffix (`*+json`).
        default(MediaPattern::COMPRESSIBLE) compressible_types: List<MediaPattern, 1>,
        /// Whether a twin that was compressed beforehand (`NAME.br`, `NAME.zst`, `NAME.gz` beside `NAME`; `portcullis
        /// precompress` makes them) is sent in place of its file. One that is older than its file is not, nor one of
        /// another content: that of a file that is kept in memory is decoded once and compared; of larger ones only the
        /// length is, which brotli does not tell.
        default(true) precompressed: bool,
        /// Whether files without a twin are compressed when they are first asked for, and the result kept in memory.
        default(true) compress: CompressSwitch,
    }
}

words!(Symlinks, "kind of symbolic links", {
    "no" => Symlinks::No,
    "same-root" => Symlinks::SameRoot,
    "any" => Symlinks::Any,
});

table! {
    /// Forward to an upstream. `forward = "app"` is short for `forward = { upstream = "app" }`.
    Forward as "route.forward" => {
        /// The upstream's name.
        required upstream: Text,
        /// The directory in which the path of an `X-Accel-Redirect` answer is looked up. Left out: the field is dropped
        /// and the answer passed on as it is.
        optional internal_root: FilePath,
        /// Cut off from the path, segment by segment: with `/api`, `/api/a?b` becomes `/a?b`. The application learns it
        /// by `X-Forwarded-Prefix`. Left out: the path goes on byte for byte.
        optional strip_prefix: PathPrefix,
        /// Put before the path, after `strip_prefix`: with `/v1`, `/a?b` becomes `/v1/a?b`.
        optional add_prefix: PathPrefix,
        /// The `Host` of the forwarded request: the client's own (`"preserve"`), the chosen endpoint's name and port
        /// (`"upstream"`; `localhost` for a Unix socket), or this name.
        default("preserve") host: HostPolicy,
    }
}

table! {
    /// Send the client elsewhere.
    Redirect as "route.redirect" => {
        /// The target, with `{host}`, `{path}` and `{query}` filled in; `{query}` includes its `?`.
        required to: Text,
        /// 301, 302, 303, 307 or 308.
        default(308) status: Number<300, 399>,
    }
}

table! {
    /// A fixed answer.
    Respond as "route.respond" => {
        /// Any final status.
        default(200) status: Number<200, 599>,
        /// The body.
        default("") body: String,
        /// Its type.
        default("text/plain; charset=utf-8") content_type: HeaderValue,
    }
}

/// Written as the name of an upstream, or as the table.
#[derive(Debug)]
pub(in crate::config) struct ForwardTo(pub(in crate::config) Forward);

impl Written for ForwardTo {
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(_) => {
                let upstream = Text::read(node, context).map(|value| At { value, at: node.at })?;
                Some(Self(Forward {
                    written: Keys { table: node.at, keys: Vec::new() },
                    upstream: Some(upstream),
                    internal_root: None,
                    strip_prefix: None,
                    add_prefix: None,
                    host: Some(At { value: HostPolicy::Preserve, at: node.at }),
                }))
            }
            Kind::Table(_) => Forward::read(node, context).map(Self),
            Kind::Broken => None,
            _ => {
                context.expected::<Self>(node);
                None
            }
        }
    }

    fn kind() -> String {
        "the name of an upstream, or `{ upstream = ... }`".to_owned()
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "string" }, Forward::schema()] })
    }

    fn about() -> Option<&'static About> {
        Forward::about()
    }
}
