//! Data that arrives after a clean close: RST from softirq, in the peer's context, to be blamed on the closer.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use crate::act::Act;
use crate::pair::{Family, Pair};
use crate::queue;
use crate::sock::{self, State};

/// Seconds of TCP_LINGER2, beyond the minute (TCP_TIMEWAIT_LEN) after which FIN_WAIT2 is left to a minisocket.
pub(crate) const LONG_LINGER2: i32 = 120;

/// Attempts at a time-wait socket: when the FIN is acknowledged just while the close ends, the kernel keeps the full
/// socket in FIN_WAIT2.
const ATTEMPTS: usize = 20;

/// `data_after_close`: the closed socket still is a full one, as TCP_LINGER2 keeps it in FIN_WAIT2.
pub fn after_close(family: Family) -> Act {
    let (act, server) = closed(family, Some(LONG_LINGER2));
    send_late(server);
    act
}

/// `data_after_timewait`: with the default timeout the socket becomes a time-wait minisocket in FIN_WAIT2.
pub fn after_timewait(family: Family) -> Act {
    for _ in 0..ATTEMPTS {
        let (act, server) = closed(family, None);
        if queue::is_minisocket(act.local.port(), act.peer.port()) {
            send_late(server);
            return act;
        }
    }
    panic!("no socket became a time-wait socket in {ATTEMPTS} attempts");
}

/// `data_after_close` without a close: both directions shut down refuse data too. Gives the socket back, still open.
pub fn after_shutdown(family: Family) -> (Act, TcpStream) {
    let Pair { client, mut server } = Pair::connect(family);
    let act = Act::of(&client, 0);
    client.shutdown(Shutdown::Both).expect("shutdown");
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    sock::wait_state(&client, State::FinWait2);
    send_late(server);
    (act, client)
}

/// `data_after_close` on a connection that was half-closed first: the close itself changes no state.
pub fn after_half_close_and_close(family: Family) -> Act {
    let Pair { client, mut server } = Pair::connect(family);
    sock::linger2(&client, LONG_LINGER2);
    let act = Act::of(&client, 0);
    client.shutdown(Shutdown::Write).expect("shutdown");
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    sock::wait_state(&client, State::FinWait2);
    drop(client);
    send_late(server);
    act
}

/// A client that closed, its FIN acknowledged: data before that would meet a full socket in either case.
pub(crate) fn closed(family: Family, linger2: Option<i32>) -> (Act, TcpStream) {
    let Pair { client, mut server } = Pair::connect(family);
    if let Some(seconds) = linger2 {
        sock::linger2(&client, seconds);
    }
    sock::acknowledge_at_once(&server);
    let act = Act::of(&client, 0);
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).expect("EOF"), 0);
    queue::wait_fin_acknowledged(act.local.port(), act.peer.port());
    (act, server)
}

pub(crate) fn send_late(mut server: TcpStream) {
    server.write_all(b"too late").expect("send");
    sock::wait_state(&server, State::Close);
}
