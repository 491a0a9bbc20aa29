//! The floor (`src/bin/floor/`): the system calls of a server without the server. Its answers have portcullis' own heads,
//! so that as many bytes are sent.

use crate::error::Error;
use crate::ground::{Ground, HOST};
use crate::twins::{Coding, PAGE};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

/// What portcullis is asked for, which coding is accepted, and which file it then sends. The path of the file is what the
/// floor answers to.
fn answers() -> [(&'static str, &'static str, PathBuf); 5] {
    let twin = |coding: Coding| (PAGE, coding.token(), coding.twin());
    let file = |name| (name, "identity", PathBuf::from(name));
    [file("1k.bin"), file("100k.bin"), file("10m.bin"), twin(Coding::Gzip), twin(Coding::Brotli)]
}

/// Asks portcullis, which must be there, and writes down what the floor shall answer.
pub(super) fn files(ground: &Ground) -> Result<String, Error> {
    let mut text = format!("files {}\n", ground.ports.floor[0]);
    for (number, (path, coding, file)) in answers().into_iter().enumerate() {
        let head = ground.path(&format!("floor-{number}.head"));
        fs::write(&head, ask(ground.ports.portcullis[0], path, coding)?)?;
        let body = ground.path("site").join(&file);
        text += &format!("/{}\t{}\t{}\n", file.display(), head.display(), body.display());
    }
    Ok(text)
}

/// Where requests go.
pub(super) fn forward(ground: &Ground) -> String {
    format!("forward {} {}\n", ground.ports.floor[1], ground.ports.upstream[0])
}

/// The head of an answer, with the empty line behind it.
fn ask(port: u16, path: &str, coding: &str) -> Result<String, Error> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: {coding}\r\n\r\n")?;
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {}
    if head.starts_with("HTTP/1.1 200 ") {
        Ok(head)
    } else {
        Err(Error::Output { program: "portcullis", output: head })
    }
}
