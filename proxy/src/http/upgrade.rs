//! After a 101: bytes both ways until either side ends (RFC 9110 section 7.8).

use super::access_log::Line;
use crate::upstream::Tunnel;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serve::BodyError;
use serve::drain::Open;

/// Two streams that are about to become one.
pub(super) struct PendingTunnel {
    /// The client's side, once the 101 has been sent.
    pub(super) client: OnUpgrade,
    /// The upstream's side.
    pub(super) server: Tunnel,
}

/// What is copied at once, each way.
const COPY_BYTES: usize = 16 * 1024;

impl PendingTunnel {
    /// Copies in a task of its own. `open` makes a drain wait for it; the line is written at its end.
    pub(super) fn start(self, open: Open, mut line: Option<Box<Line>>) {
        let Self { client, mut server } = self;
        tokio::task::spawn_local(async move {
            let _open = open;
            let copied = match client.await {
                Ok(client) => {
                    let mut client = TokioIo::new(client);
                    tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, COPY_BYTES, COPY_BYTES)
                        .await
                        .ok()
                }
                Err(_) => None,
            };
            if let Some(line) = &mut line {
                let (to_server, to_client) = copied.unwrap_or_default();
                line.received(to_server);
                line.sent(usize::try_from(to_client).unwrap_or(usize::MAX));
                line.ended(copied.is_none().then_some(BodyError::Disconnected));
            }
        });
    }
}
