//! HTTP as plain as it can be asked: one request, one answer, closed in order.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::deadline::DEADLINE;

/// Status and body of the answer to a request for this path, or why there is none.
pub fn get(server: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: no answer in {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.unwrap_or_else(|| panic!("{path}: no status in {head:?}")), body.to_owned()))
}
