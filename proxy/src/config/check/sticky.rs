//! `sticky` of an upstream: whether its cookie is one that browsers take.

use super::assertion_key::key_file;
use crate::config::file::sticky as file;
use crate::config::read::Context;
use crate::config::{SameSite, Sticky};
use http::HeaderName;

pub(super) fn sticky(written: file::Sticky, context: &mut Context<'_>) -> Option<Sticky> {
    let file::Sticky { written: keys, cookie, key, path, secure, same_site, max_age } = written;
    let (cookie, path, same_site, secure) = (cookie?, path?, same_site?, secure?.value);
    // A token like a field's name (RFC 6265 section 4.1.1).
    let is_name = HeaderName::from_bytes(cookie.value.0.as_bytes()).is_ok();
    if !is_name {
        context.problem(cookie.at, format!("{:?} is no name of a cookie", cookie.value.0));
    }
    let is_path =
        path.value.0.starts_with('/') && path.value.0.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
    if !is_path {
        context.problem(path.at, format!("{:?} is no path of a cookie", path.value.0)).help("write for example \"/\"");
    }
    let is_safe = secure || same_site.value != SameSite::None;
    if !is_safe {
        context
            .problem(same_site.at, "browsers refuse a cookie with `SameSite=None` that is not `Secure`")
            .help("remove `secure = false`, or use \"lax\"");
    }
    (is_name && is_path && is_safe).then_some(())?;
    Some(Sticky {
        cookie: cookie.value.0,
        key: match keys.at("key") {
            Some(_) => Some(key_file(key?.value, context)?),
            None => None,
        },
        path: path.value.0,
        secure,
        same_site: same_site.value,
        max_age: match keys.at("max_age") {
            Some(_) => Some(max_age?.value.0),
            None => None,
        },
    })
}
