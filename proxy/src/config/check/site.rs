//! `[site.NAME]`: hosts that do not collide, certificates that can be used.

use super::pem::{self, Pair};
use super::{Checked, error_pages, rules};
use crate::config::file::site::{self as file, Certificate};
use crate::config::read::{At, Context};
use crate::config::{Site, Tls};
use std::collections::HashMap;

pub(super) fn site(name: &At<String>, written: file::Site, context: &mut Context<'_>) -> Option<Site> {
    let file::Site { written: keys, hosts, tls, request_headers, response_headers, security_headers, error_pages } =
        written;
    let error_pages = error_pages.map(|pages| error_pages::of_site(pages.value, context)).unwrap_or_default();
    let security_headers = security_headers.map(|preset| preset.value);
    let request_headers = rules::of_requests(request_headers, context);
    let response_headers = rules::of_responses(response_headers, context);
    let tls = match (keys.at("tls"), tls) {
        (None, _) => None,
        (Some(_), None) => return None,
        (Some(_), Some(At { value: file::Tls::SelfSigned, .. })) => Some(Tls::SelfSigned),
        (Some(_), Some(At { value: file::Tls::Pem(certificate), .. })) => Some(pem(certificate, context)?),
    };
    let hosts = hosts?.value.0.into_iter().map(|host| host.value.0).collect();
    Some(Site {
        name: name.value.clone(),
        hosts,
        tls,
        request_headers,
        response_headers,
        security_headers,
        error_pages,
    })
}

fn pem(written: Certificate, context: &mut Context<'_>) -> Option<Tls> {
    let Certificate { written: _, certificate, key } = written;
    let Pair { file, certificate, key } = pem::pair(certificate, key, context)?;
    Some(Tls::Pem { certificate_file: file, certificate, key })
}

/// Reports hosts that belong to two sites; a site without hosts is the one for any host.
pub(super) fn hosts(sites: &[Checked<Site>], context: &mut Context<'_>) {
    let mut seen: HashMap<&str, &At<Site>> = HashMap::new();
    for site in sites.iter().flatten() {
        let any = site.value.hosts.is_empty().then_some("");
        for host in any.into_iter().chain(site.value.hosts.iter().map(String::as_str)) {
            if let Some(first) = seen.get(host) {
                let message = match (host, first.value.name == site.value.name) {
                    ("", _) => {
                        format!("the sites `{}` and `{}` both stand for any host", first.value.name, site.value.name)
                    }
                    (host, true) => format!("the host `{host}` stands twice in the site `{}`", site.value.name),
                    (host, false) => format!(
                        "the host `{host}` belongs to the sites `{}` and `{}`",
                        first.value.name, site.value.name
                    ),
                };
                context.problem(site.at, message).note_at(first.at, format!("site `{}`", first.value.name));
            } else {
                seen.insert(host, site);
            }
        }
    }
}
