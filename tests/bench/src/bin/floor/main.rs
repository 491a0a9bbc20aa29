//! The floor: only the system calls that a server can't do without, on one thread. What a request costs here is the
//! kernel's, and who does the same work by the same calls can't be cheaper.
//!
//! It is no server. Whatever arrives at once is taken for one whole request, answers are known by its first bytes, and
//! nothing is parsed, checked, limited, logged or timed. Argument: a file, whose first line says `forward PORT UPSTREAM`
//! or `files PORT`; then come the answers, one a line.

mod events;
mod files;
mod forward;
mod table;

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let text = std::fs::read_to_string(std::env::args_os().nth(1).ok_or("FILE")?)?;
    let mut lines = text.lines();
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    match words.as_slice() {
        ["files", port] => events::run(&listen(port)?, &mut files::Files::read(lines)?),
        ["forward", port, upstream] => events::run(&listen(port)?, &mut forward::Forward::to(upstream.parse()?)),
        _ => Err("neither files nor forward".into()),
    }
}

fn listen(port: &str) -> Fallible<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;
    use std::time::Duration;

    /// More than a socket takes at once.
    const LARGE: usize = 32 * 1024 * 1024;

    /// Runs for as long as the tests do.
    fn start(mut work: impl events::Work + Send + 'static) -> Fallible<TcpStream> {
        let listener = listen("0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        thread::spawn(move || events::run(&listener, &mut work).is_ok());
        Ok(stream)
    }

    fn pattern(bytes: usize) -> Vec<u8> {
        (0..=250).cycle().take(bytes).collect()
    }

    #[test]
    fn files_are_sent_whole_one_after_the_other() -> Fallible<()> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        let mut lines = String::new();
        for (name, bytes) in [("small", 1000), ("large", LARGE)] {
            std::fs::write(path(name), pattern(bytes))?;
            std::fs::write(path("head"), "HTTP/1.1 200 OK\r\n\r\n")?;
            lines += &format!("/{name}\t{}\t{}\n", path("head").display(), path(name).display());
        }
        let mut stream = start(files::Files::read(lines.lines())?)?;
        for (name, bytes) in [("small", 1000), ("large", LARGE), ("small", 1000)] {
            stream.write_all(format!("GET /{name} HTTP/1.1\r\n\r\n").as_bytes())?;
            let mut got = vec![0; 19 + bytes];
            stream.read_exact(&mut got)?;
            assert!(got.starts_with(b"HTTP/1.1 200 OK\r\n\r\n") && got[19..] == pattern(bytes), "{name}");
        }
        stream.write_all(b"GET /other HTTP/1.1\r\n\r\n")?;
        assert_eq!(stream.read(&mut [0; 1])?, 0, "what is not known ends the connection");
        Ok(())
    }

    #[test]
    fn what_is_forwarded_waits_for_who_reads_and_comes_whole() -> Fallible<()> {
        let upstream = listen("0")?;
        let port = upstream.local_addr()?.port();
        let echo = thread::spawn(move || {
            let (mut stream, _) = upstream.accept()?;
            let mut got = vec![0; LARGE];
            stream.read_exact(&mut got)?;
            stream.write_all(&got)
        });
        let mut stream = start(forward::Forward::to(port))?;
        stream.write_all(&pattern(LARGE))?;
        let mut got = vec![0; LARGE];
        stream.read_exact(&mut got)?;
        assert!(got == pattern(LARGE));
        echo.join().map_err(|_| "the upstream failed")??;
        assert_eq!(stream.read(&mut [0; 1])?, 0, "the end is forwarded, too");
        Ok(())
    }
}
