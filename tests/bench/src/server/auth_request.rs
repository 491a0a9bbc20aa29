//! nginx that asks a validator about each token: `auth_request`, kept connections over Unix sockets, and nothing sent
//! but the token. The validators run beside it and their CPU counts.

use crate::error::Error;
use crate::ground::Ground;
use crate::process::Process;
use crate::tokens::{AUDIENCE, Algorithm, SECRET};
use std::ffi::OsStr;
use std::fs;

/// Validators: the prefix of their routes, their socket, how many good tokens they remember.
const VALIDATORS: [(&str, &str, &str); 2] = [("", "validator.socket", "0"), ("/cached", "cached.socket", "20000")];

/// What is asked for.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Es256, Algorithm::Rs256];

/// Starts the validators.
pub(super) fn validators(ground: &Ground, core: usize) -> Result<Vec<Process>, Error> {
    let issuers = ground.path("issuers.json");
    fs::write(
        &issuers,
        serde_json::Value::from_iter(ALGORITHMS.map(|algorithm| facts(ground, algorithm))).to_string(),
    )?;
    let program = std::env::current_exe()?.with_file_name("portcullis-bench-validator");
    VALIDATORS
        .iter()
        .map(|(_, socket, remembered)| {
            let socket = ground.path(socket);
            let arguments = [socket.as_os_str(), issuers.as_os_str(), OsStr::new(remembered)];
            let mut process = Process::start(core, program.as_ref(), &arguments)?;
            process.wait_until_listening_at(&socket)?;
            Ok(process)
        })
        .collect()
}

/// What a validator must know of an issuer.
fn facts(ground: &Ground, algorithm: Algorithm) -> serde_json::Value {
    let mut facts = serde_json::json!({
        "path": format!("/{}", algorithm.name()), "alg": algorithm.alg(), "iss": algorithm.issuer(), "aud": AUDIENCE,
    });
    match algorithm.public_key() {
        Some(file) => facts["pem_file"] = ground.path(&file).display().to_string().into(),
        None => facts["secret"] = SECRET.into(),
    }
    facts
}

/// The `upstream` blocks of the validators.
pub(super) fn upstreams(ground: &Ground) -> String {
    VALIDATORS
        .iter()
        .map(|(_, socket, _)| {
            let path = ground.path(socket).display().to_string();
            format!("    upstream {socket} {{ server unix:{path}; keepalive 128; keepalive_requests 1000000000; }}\n")
        })
        .collect()
}

/// The guarded routes.
pub(super) fn locations() -> String {
    let mut locations = String::new();
    for (prefix, socket, _) in VALIDATORS {
        for algorithm in ALGORITHMS {
            let name = algorithm.name();
            let ask = format!("/_ask{prefix}/{name}");
            locations += &format!(
                r"
        location {prefix}/{name}/ {{ auth_request {ask}; proxy_pass http://app; }}
        location = {ask} {{
            internal;
            proxy_pass http://{socket}/{name};
            proxy_pass_request_body off;
            proxy_pass_request_headers off;
            proxy_set_header Authorization $http_authorization;
        }}"
            );
        }
    }
    locations
}
