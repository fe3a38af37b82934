// Closes one connection without reading a byte of it: it is dropped, from three functions deep. See tests/src/peer.rs for
// the few words it speaks.
use std::env;
use std::io;
use std::net::{TcpListener, TcpStream};

mod server {
    use std::net::TcpStream;

    pub struct Request {
        pub connection: TcpStream,
    }

    impl Request {
        #[inline(never)]
        pub fn abandon(self) -> u32 {
            super::forget(self.connection); // abandon is here
            1
        }
    }
}

#[inline(never)]
fn forget<T>(value: T) {
    drop(value); // forget is here
    std::hint::black_box(());
}

fn connection(role: &str, address: &str, port: Option<String>) -> TcpStream {
    if role == "client" {
        let port: u16 = port.unwrap().parse().unwrap();
        let stream = TcpStream::connect((address, port)).unwrap();
        println!("{}", stream.local_addr().unwrap().port());
        return stream;
    }
    let listener = TcpListener::bind((address, 0)).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let (stream, _) = listener.accept().unwrap();
    println!("accepted");
    stream
}

fn main() {
    let mut words = env::args().skip(1);
    let (role, address) = (words.next().unwrap(), words.next().unwrap());
    let connection = connection(&role, &address, words.next());
    io::stdin().read_line(&mut String::new()).unwrap();
    server::Request { connection }.abandon(); // main is here
    println!("closed");
    // Whoever asks for our symbols may take its time.
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
}
