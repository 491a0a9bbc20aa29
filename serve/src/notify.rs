//! Words to the service manager (`sd_notify(3)`): this process is ready, reloads, stops, or another one is its main
//! process now. Without one nobody is told.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// It serves.
pub const READY: &str = "READY=1";
/// It stops.
pub const STOPPING: &str = "STOPPING=1";

/// It reads its configuration again; [`READY`] ends that. The moment lets the manager tell this reload from one before.
#[must_use]
pub fn reloading() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let micros =
        seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default() / 1000);
    format!("RELOADING=1\nMONOTONIC_USEC={micros}")
}

/// Says it.
pub fn say(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())
        && let Err(error) = send(&socket, state)
    {
        tracing::warn!(%error, "the service manager was not told {state:?}");
    }
}

fn send(socket: &OsStr, state: &str) -> std::io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_on_both_kinds_of_sockets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("serve-notify-{}", std::process::id());
        let hears = [
            (UnixDatagram::bind(&path).expect("bound"), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name")).expect("bound"),
                format!("@{name}").into(),
            ),
        ];
        for (socket, address) in hears {
            send(&address, &reloading()).expect("sent");
            let mut bytes = [0; 256];
            let count = socket.recv(&mut bytes).expect("a word");
            assert!(bytes[..count].starts_with(b"RELOADING=1\nMONOTONIC_USEC="));
        }
    }
}
