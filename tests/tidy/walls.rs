//! The outer walls: what a room must not know of the world outside. Each is an absence, so it is looked for.

use crate::repository::texts;
use crate::source::tokens;

/// A room, and the crates that it must not name.
struct Wall {
    room: &'static str,
    strangers: &'static [&'static str],
    why: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        room: "serve/src/contract/",
        strangers: &["tokio", "hyper", "tokio_rustls", "socket2", "hyper_util"],
        why: "the contract is facts: whoever speaks it may use any runtime",
    },
    Wall {
        room: "app/src/domain/",
        strangers: &["http", "tokio", "axum", "sqlx", "hyper", "serve"],
        why: "rules know neither transport nor storage",
    },
    Wall {
        room: "app/src/host/",
        strangers: &["axum", "sqlx", "argon2", "jsonwebtoken"],
        why: "the host serves any callable",
    },
    Wall {
        room: "proxy/src/",
        strangers: &["portcullis_app", "axum", "sqlx"],
        why: "the front server works before any application",
    },
    Wall {
        room: "app/src/",
        strangers: &["portcullis"],
        why: "the application works behind any front server that speaks the contract",
    },
];

#[test]
fn no_room_knows_a_stranger() {
    let files = texts(".rs");
    for Wall { room, strangers, why } in WALLS {
        let inside: Vec<_> = files.iter().filter(|(file, _)| file.starts_with(room)).collect();
        assert!(!inside.is_empty(), "{room} has files");
        for (file, text) in inside {
            let tokens = tokens(text);
            let named = tokens.windows(2).find(|pair| pair[1] == "::" && strangers.contains(&pair[0].as_str()));
            assert_eq!(named, None, "{file}: {why}");
        }
    }
}
