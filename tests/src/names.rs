//! A name server on a port of its own: A, AAAA and SRV records that the test changes as it goes, with a TTL as long as
//! Docker's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Longer than any test waits.
const TTL_SECONDS: u32 = 600;
const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// A running name server. Dropped, it answers no more.
pub struct NameServer {
    address: SocketAddr,
    records: Arc<Mutex<Records>>,
    asked: Arc<AtomicUsize>,
    answering: JoinHandle<()>,
}

/// Names in lower case with the types and contents of their records.
type Records = BTreeMap<String, Vec<(u16, Vec<u8>)>>;

impl NameServer {
    /// Knows no name yet.
    ///
    /// # Panics
    ///
    /// When the machine has no free port.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("a bound address");
        let (records, asked) = (Arc::<Mutex<Records>>::default(), Arc::<AtomicUsize>::default());
        let (known, count) = (Arc::clone(&records), Arc::clone(&asked));
        let answering = tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let answer = answer(&packet[..length], &known.lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer, from).await;
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, records, asked, answering }
    }

    /// As `server.resolver` is written.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the name leads to these addresses; to none: it is not known.
    pub fn set(&self, name: &str, addresses: &[&str]) {
        let record = |address: &&str| match address.parse().expect("an address") {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        self.replace(name, addresses.iter().map(record).collect());
    }

    /// From now on the name leads to these priorities, weights, ports and targets.
    pub fn set_services(&self, name: &str, services: &[(u16, u16, u16, &str)]) {
        let record = |(priority, weight, port, target): &(u16, u16, u16, &str)| {
            let mut content: Vec<u8> =
                [priority, weight, port].into_iter().flat_map(|number| number.to_be_bytes()).collect();
            for label in target.split('.') {
                content.push(u8::try_from(label.len()).expect("a short label"));
                content.extend_from_slice(label.as_bytes());
            }
            content.push(0);
            (SRV, content)
        };
        self.replace(name, services.iter().map(record).collect());
    }

    fn replace(&self, name: &str, records: Vec<(u16, Vec<u8>)>) {
        let mut known: MutexGuard<'_, Records> = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.is_empty() { drop(known.remove(name)) } else { drop(known.insert(name.to_owned(), records)) }
    }

    /// Waits until it has answered so many further questions.
    pub async fn asked(&self, further: usize) {
        let enough = self.asked.load(Ordering::SeqCst) + further;
        let what = format!("{further} further questions");
        crate::deadline::until(what, async || self.asked.load(Ordering::SeqCst) >= enough).await;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// The answer to a packet (RFC 1035 section 4), if it is a question.
fn answer(packet: &[u8], records: &Records) -> Option<Vec<u8>> {
    let (header, mut rest) = (packet.get(..12)?, packet.get(12..)?);
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*rest.first()?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(rest.get(1..=length)?).to_ascii_lowercase());
        rest = rest.get(1 + length..)?;
    }
    let kind = u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?]);
    let question = &packet[12..packet.len() - rest.len() + 5];
    let known = records.get(&labels.join("."));
    let found: Vec<_> = known.into_iter().flatten().filter(|(of, _)| *of == kind).collect();
    // An answer that is sure of itself, and whether the name exists at all.
    let code = if known.is_some() { 0 } else { 3 };
    let count = u16::try_from(found.len()).ok()?.to_be_bytes();
    let mut answer = [header[0], header[1], 0x85, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0].to_vec();
    answer.extend_from_slice(question);
    for (kind, content) in found {
        answer.extend_from_slice(&[0xc0, 12]);
        answer.extend_from_slice(&kind.to_be_bytes());
        answer.extend_from_slice(&[0, 1]);
        answer.extend_from_slice(&TTL_SECONDS.to_be_bytes());
        answer.extend_from_slice(&u16::try_from(content.len()).ok()?.to_be_bytes());
        answer.extend_from_slice(content);
    }
    Some(answer)
}
