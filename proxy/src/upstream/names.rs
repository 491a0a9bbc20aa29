//! Names asked of the system's resolvers, or of the one that the operator names: A, AAAA and SRV, with their TTL.

use super::address::{ADDRESSES_MAX, Found};
use crate::config::EndpointAddress;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

/// One question to one server.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// One lookup, whatever it takes.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long those of a later priority are used before it is asked again for those that come first.
const SECOND_BEST_FOR: Duration = Duration::from_secs(5);
/// What the system says about names, looked at again before each lookup.
const SYSTEM_FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// The resolver of one revision, on the control thread.
pub(super) struct Names {
    server: Option<SocketAddr>,
    made: RefCell<Option<(Stamps, Rc<TokioResolver>)>>,
}

/// When the system's files were written.
type Stamps = [Option<SystemTime>; SYSTEM_FILES.len()];

/// A good answer, and for how long it holds.
pub(super) struct Answer {
    pub(super) found: Vec<Found>,
    pub(super) ttl: Duration,
}

impl Names {
    pub(super) fn new(server: Option<SocketAddr>) -> Self {
        Self { server, made: RefCell::default() }
    }

    /// Looks an endpoint's name up. An answer has at least one address.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn look_up(&self, address: &EndpointAddress) -> Result<Answer, String> {
        let resolver = self.resolver()?;
        let looking = async {
            match address {
                EndpointAddress::Tcp { host, port } => addresses(&resolver, host, *port, address).await,
                EndpointAddress::Srv(name) => services(&resolver, name).await,
                EndpointAddress::Unix(_) => Err("a socket is no name".to_owned()),
            }
        };
        let mut answer =
            tokio::time::timeout(LOOKUP_TIMEOUT, looking).await.unwrap_or(Err("no answer in time".to_owned()))?;
        // Servers rotate their answers: the order says nothing, and must not look like a change.
        answer.found.sort_unstable_by_key(|found| found.socket);
        answer.found.dedup_by_key(|found| found.socket);
        answer.found.truncate(ADDRESSES_MAX);
        if answer.found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(answer) }
    }

    /// Made anew when the system's files have changed: a container gets another network while it runs.
    fn resolver(&self) -> Result<Rc<TokioResolver>, String> {
        let stamps = SYSTEM_FILES.map(|file| std::fs::metadata(file).and_then(|file| file.modified()).ok());
        let mut made = self.made.borrow_mut();
        if let Some((known, resolver)) = &*made
            && *known == stamps
        {
            return Ok(Rc::clone(resolver));
        }
        let resolver = Rc::new(resolver(self.server).map_err(|error| format!("no resolver: {error}"))?);
        *made = Some((stamps, Rc::clone(&resolver)));
        Ok(resolver)
    }
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = match server {
        Some(server) => {
            let mut asked = NameServerConfig::udp_and_tcp(server.ip());
            asked.connections.iter_mut().for_each(|connection| connection.port = server.port());
            let config = ResolverConfig::from_name_servers(vec![asked]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
        // Without a resolver there may still be `/etc/hosts`.
        None => TokioResolver::builder_tokio().unwrap_or_else(|_| {
            TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
        }),
    };
    let options = builder.options_mut();
    options.timeout = options.timeout.min(QUESTION_TIMEOUT);
    // What an answer is worth is decided here: a connect that fails asks again before its TTL has passed.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

async fn addresses(
    resolver: &TokioResolver,
    host: &str,
    port: u16,
    address: &EndpointAddress,
) -> Result<Answer, String> {
    let name = Name::from_ascii(host).map_err(|error| error.to_string())?;
    let found = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
    let ttl = found.valid_until().saturating_duration_since(Instant::now());
    let found = found.iter().map(|ip| Found {
        address: address.clone(),
        socket: Some(SocketAddr::new(ip, port)),
        weight: None,
    });
    Ok(Answer { found: found.collect(), ttl })
}

/// The targets of the records that are to be asked first, of those that have an address (RFC 2782).
async fn services(resolver: &TokioResolver, name: &str) -> Result<Answer, String> {
    let name = Name::from_ascii(name).map_err(|error| error.to_string())?;
    let records = resolver.srv_lookup(name).await.map_err(|error| error.to_string())?;
    let mut answer = Answer { found: Vec::new(), ttl: records.valid_until().saturating_duration_since(Instant::now()) };
    let services =
        records.answers().iter().filter_map(|record| if let RData::SRV(srv) = &record.data { Some(srv) } else { None });
    let mut services: Vec<_> = services.collect();
    services.sort_by_key(|srv| srv.priority);
    let first = services.first().map(|srv| srv.priority);
    let (mut used, mut failed) = (None, None);
    for srv in services.into_iter().take(ADDRESSES_MAX) {
        // Those of the next priority are for when nobody of this one has an address.
        if used.is_some_and(|used| used != srv.priority) {
            break;
        }
        let host = srv.target.to_ascii().trim_end_matches('.').to_owned();
        let address = EndpointAddress::Tcp { host: host.clone(), port: srv.port };
        match Box::pin(addresses(resolver, &format!("{host}."), srv.port, &address)).await {
            Ok(of_target) => {
                used = Some(srv.priority);
                answer.ttl = answer.ttl.min(of_target.ttl);
                let weight = Some(u32::from(srv.weight.max(1)));
                answer.found.extend(of_target.found.into_iter().map(|found| Found { weight, ..found }));
            }
            Err(error) => failed = Some(format!("{host}: {error}")),
        }
    }
    if used != first {
        answer.ttl = answer.ttl.min(SECOND_BEST_FOR);
    }
    match failed {
        Some(error) if answer.found.is_empty() => Err(error),
        _ => Ok(answer),
    }
}
