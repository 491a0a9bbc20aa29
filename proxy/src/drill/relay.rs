//! A TCP relay between the edge and the application, which misbehaves when it is told to.

use crate::config::drill::{Disturbance, Relay};
use socket2::SockRef;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const PIECE_BYTES: usize = 16 * 1024;

/// What it does now; `None`: it passes everything on.
type Mode = Option<Disturbance>;

/// A listening relay. Dropped, it ends, and its connections with it.
pub(super) struct Running {
    mode: watch::Sender<Mode>,
    accepting: JoinHandle<()>,
}

impl Running {
    /// Listens.
    ///
    /// # Errors
    /// The address can't be bound, worded.
    pub(super) async fn start(relay: &Relay) -> Result<Self, String> {
        let listener = TcpListener::bind(relay.listen)
            .await
            .map_err(|error| format!("the relay {:?} can't listen on {}: {error}", relay.name, relay.listen))?;
        let (mode, modes) = watch::channel(None);
        let (host, port) = (relay.host.clone(), relay.port);
        let accepting = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(serve(stream, host.clone(), port, modes.clone()));
            }
        });
        Ok(Self { mode, accepting })
    }

    /// Begins or ends a disturbance, for open connections too.
    pub(super) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn serve(mut near: TcpStream, host: String, port: u16, mut modes: watch::Receiver<Mode>) {
    let begun = *modes.borrow_and_update();
    match begun {
        Some(Disturbance::Reset) => return reset(&near),
        Some(Disturbance::BlackHole) => return swallow(&mut near, modes).await,
        _ => {}
    }
    let Ok(mut far) = TcpStream::connect((host.as_str(), port)).await else { return reset(&near) };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let is_over = {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        // The edge's half first: its end does not end the answer.
        let up = pass(near_read, far_write, modes.clone(), false);
        let down = pass(far_read, near_write, modes.clone(), true);
        tokio::select! {
            ((), ()) = async { tokio::join!(up, down) } => true,
            () = breaks(&mut modes) => false,
        }
    };
    if is_over {
        return;
    }
    match *modes.borrow() {
        Some(Disturbance::BlackHole) => {}
        _ => {
            reset(&near);
            return reset(&far);
        }
    }
    drop(far);
    swallow(&mut near, modes).await;
}

/// Waits for a disturbance that ends the passing on of an open connection.
async fn breaks(modes: &mut watch::Receiver<Mode>) {
    let broken = |mode: &Mode| matches!(mode, Some(Disturbance::Reset | Disturbance::BlackHole));
    if modes.wait_for(broken).await.is_err() {
        // The drill is over; dropping the task's streams ends them.
    }
}

/// Takes what comes and answers nothing, until the disturbance is over.
async fn swallow(near: &mut TcpStream, mut modes: watch::Receiver<Mode>) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        tokio::select! {
            read = near.read(&mut piece) => match read {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            },
            _ = modes.wait_for(|mode| *mode != Some(Disturbance::BlackHole)) => break,
        }
    }
    reset(near);
}

/// One direction. `is_down`: from the application to the edge, the half that `HalfClose` ends.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut modes: watch::Receiver<Mode>,
    is_down: bool,
) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let mode = *modes.borrow_and_update();
        let count = match mode {
            Some(Disturbance::Stall) => {
                if modes.changed().await.is_err() {
                    break;
                }
                continue;
            }
            // In the middle of whatever the application would say next.
            Some(Disturbance::HalfClose) if is_down => {
                let _ = from.read(&mut piece[..1]).await;
                break;
            }
            _ => tokio::select! {
                read = from.read(&mut piece) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(count) => count,
                },
                changed = modes.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => break,
                },
            },
        };
        if let Some(Disturbance::Slow(delay)) = mode {
            sleep(delay).await;
        }
        if to.write_all(&piece[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
