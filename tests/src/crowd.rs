//! Many connections from another process, all closed in order, to which data comes much later.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::act::Act;
use crate::actor::Actor;
use crate::deadline::DEADLINE;
use crate::queue;
use crate::sock::{self, State};

/// Connections whose one end was closed by an actor.
pub struct Crowd {
    /// The closes.
    pub acts: Vec<Act>,
    /// How many of them left a time-wait minisocket behind; the others are whole sockets in FIN_WAIT2.
    pub minisockets: usize,
    servers: Vec<TcpStream>,
}

/// A listener for `count` connections that are accepted later.
pub fn listen(address: Ipv4Addr, count: usize) -> Socket {
    allow_files();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from((address, 0)).into()).expect("bind");
    listener.listen(count as i32).expect("listen");
    listener
}

impl Crowd {
    /// Lets `actor` connect `count` times and close all. The peers have seen its FINs, and it their acknowledgements.
    pub fn closed_by(actor: &mut Actor, listener: &Socket, count: usize) -> Self {
        let address = listener.local_addr().expect("an address").as_socket().expect("IP");
        let acts = actor.play(&format!("connect-many {address} {count}"));
        let accept = |_: &Act| TcpStream::from(listener.accept().expect("accept").0);
        let mut servers: Vec<TcpStream> = acts.iter().map(accept).collect();
        actor.play("close");
        for server in &mut servers {
            server.set_read_timeout(Some(DEADLINE)).expect("a read timeout");
            assert_eq!(server.read(&mut [0]).expect("EOF"), 0);
        }
        let minisockets = queue::wait_all_fins_acknowledged(address.port(), count);
        Self { acts, minisockets, servers }
    }

    /// The late writers: `pause` after the last close, `bytes` go to each closed end, and a RST comes back.
    pub fn write_after(mut self, pause: Duration, bytes: usize) {
        // The delay is what is tested here, it paces nothing.
        thread::sleep(pause);
        for server in &mut self.servers {
            server.write_all(&vec![b'x'; bytes]).expect("send");
        }
        for server in &self.servers {
            sock::wait_state(server, State::Close);
        }
    }
}

/// As many open files as this process may have: the usual 1,024 are a few short.
pub fn allow_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("RLIMIT_NOFILE");
}
