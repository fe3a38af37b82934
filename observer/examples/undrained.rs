//! The mistake that conn-observer was made for, on loopback: an HTTP client that checks the status line and closes the
//! body unread, three times. `cargo xtask demo` observes it.

use std::{
    error::Error,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

const REQUESTS: usize = 3;
const STAY: Duration = Duration::from_millis(500);
const BODY: [u8; 8_000] = [b'.'; 8_000];

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (answered, answer) = mpsc::channel();
    let server = thread::Builder::new().name("server".to_owned()).spawn(move || -> std::io::Result<()> {
        for _ in 0..REQUESTS {
            let (mut stream, _) = listener.accept()?;
            BufReader::new(&stream).read_line(&mut String::new())?;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY.len())?;
            stream.write_all(&BODY)?;
            let _ = answered.send(());
            // The reset arrives as an error here: what the server's log shows.
            let _ = stream.read(&mut [0; 64]);
        }
        Ok(())
    })?;
    for _ in 0..REQUESTS {
        let status = check(address, &answer)?;
        eprint!("undrained: {status}");
    }
    server.join().map_err(|_| "the server panicked")??;
    // A service goes on; one that ends takes with it what names its functions.
    thread::sleep(STAY);
    Ok(())
}

/// The status line of an answer.
#[inline(never)]
fn check(address: SocketAddr, answer: &Receiver<()>) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    answer.recv()?;
    let mut status = String::new();
    // A buffered reader takes 4 KiB at once, header and some body. The rest stays unread in the kernel.
    BufReader::with_capacity(4_096, &stream).read_line(&mut status)?;
    Ok(status)
}
