//! The floors of the house: a file imports only lower floors and its own room; rooms on one floor never meet; no
//! import runs in a circle.

use crate::imports::{Module, modules};
use std::collections::BTreeMap;

/// Modules at the top of a crate that stand on one floor and may know each other.
struct Room {
    floor: u8,
    modules: &'static [&'static str],
}

const fn room(floor: u8, modules: &'static [&'static str]) -> Room {
    Room { floor, modules }
}

const SERVE: &[Room] = &[
    room(0, &["contract"]),
    room(
        1,
        &[
            "activation",
            "admission",
            "body",
            "body_error",
            "clients",
            "connection",
            "counters",
            "date",
            "drain",
            "exchange",
            "file_sink",
            "handler",
            "handover",
            "http1",
            "http2",
            "limits",
            "held",
            "listener",
            "notify",
            "part",
            "probe",
            "proxy_protocol",
            "shared_key",
            "telemetry",
            "timer",
            "transport",
            "worker",
        ],
    ),
];

const PROXY: &[Room] = &[
    room(9, &["main", "cli"]),
    room(8, &["run"]),
    room(7, &["drill"]),
    room(7, &["reload"]),
    room(7, &["admin"]),
    room(7, &["links"]),
    room(6, &["http"]),
    room(5, &["snapshot"]),
    room(4, &["precompress"]),
    room(4, &["route"]),
    room(3, &["auth"]),
    room(3, &["limit"]),
    room(3, &["cache"]),
    room(3, &["coalesce"]),
    room(3, &["files"]),
    room(3, &["spool"]),
    room(3, &["rules"]),
    room(3, &["upstream"]),
    room(3, &["tls"]),
    room(2, &["budget"]),
    room(2, &["config"]),
    room(2, &["link"]),
    room(2, &["metrics"]),
    room(3, &["overload"]),
];

const APP: &[Room] = &[
    room(9, &["main", "cli", "units"]),
    room(8, &["run"]),
    room(7, &["host"]),
    room(6, &["service"]),
    room(5, &["router"]),
    room(5, &["background"]),
    room(5, &["instances"]),
    room(4, &["endpoints"]),
    room(3, &["extract", "error", "state"]),
    room(3, &["keys"]),
    room(2, &["edge"]),
    room(2, &["link"]),
    room(2, &["live"]),
    room(2, &["passwords"]),
    room(2, &["store"]),
    room(2, &["throttle"]),
    room(2, &["tokens"]),
    room(1, &["config"]),
    room(0, &["domain"]),
];

#[test]
fn imports_of_serve_run_downwards() {
    check("serve/src", SERVE);
}

#[test]
fn imports_of_the_proxy_run_downwards() {
    check("proxy/src", PROXY);
}

#[test]
fn imports_of_the_application_run_downwards() {
    check("app/src", APP);
}

fn check(source: &str, rooms: &[Room]) {
    let modules = modules(source);
    assert!(modules.len() > 1, "{source} has modules");
    let mut wrong = climbing(&modules, rooms);
    wrong.extend(circles(&modules));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each import that runs upwards or sideways, in words.
fn climbing(modules: &[Module], rooms: &[Room]) -> Vec<String> {
    let find = |name: &str| rooms.iter().position(|room| room.modules.contains(&name));
    let mut wrong = Vec::new();
    for module in modules {
        // The crate's root only lists its modules.
        let Some(own_name) = module.path.first() else { continue };
        let Some(own) = find(own_name) else {
            wrong.push(format!(
                "{}: no floor is known for it; give `{own_name}` one in tests/tidy/floors.rs",
                module.file
            ));
            continue;
        };
        for name in module.names.iter().filter_map(|path| path.first()) {
            // What the root re-exports has no floor of its own.
            let Some(other) = find(name).filter(|other| *other != own) else { continue };
            let (from, to) = (rooms[own].floor, rooms[other].floor);
            if to >= from {
                wrong.push(format!("{}: imports `{name}` (floor {to}) from floor {from}", module.file));
            }
        }
    }
    wrong
}

/// Each circle of imports between files, in words. A folder's face and its own files are one thing here.
fn circles(modules: &[Module]) -> Vec<String> {
    let index: BTreeMap<&[String], usize> =
        modules.iter().enumerate().map(|(index, module)| (module.path.as_slice(), index)).collect();
    let target = |path: &[String]| (1..=path.len()).rev().find_map(|length| index.get(&path[..length]).copied());
    let edges: Vec<Vec<usize>> = modules
        .iter()
        .enumerate()
        .map(|(from, module)| {
            let targets = module.names.iter().filter_map(|path| target(path));
            targets.filter(|to| *to != from && !related(module, &modules[*to])).collect()
        })
        .collect();
    let mut found = Vec::new();
    for start in 0..modules.len() {
        if let Some(path) = way_back(start, &edges) {
            // Told once, from its first file.
            if path.iter().all(|other| *other >= start) {
                let files: Vec<&str> = path.iter().map(|index| modules[*index].file.as_str()).collect();
                found.push(format!("import circle: {} -> {}", files.join(" -> "), modules[start].file));
            }
        }
    }
    found
}

fn related(one: &Module, other: &Module) -> bool {
    (one.face && other.path.starts_with(&one.path)) || (other.face && one.path.starts_with(&other.path))
}

/// The shortest circle through `start`.
fn way_back(start: usize, edges: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut paths = std::collections::VecDeque::from([vec![start]]);
    let mut seen = vec![false; edges.len()];
    while let Some(path) = paths.pop_front() {
        for next in path.last().map_or(&[][..], |last| &edges[*last]) {
            if *next == start {
                return Some(path);
            }
            if !std::mem::replace(&mut seen[*next], true) {
                paths.push_back(path.iter().copied().chain([*next]).collect());
            }
        }
    }
    None
}
