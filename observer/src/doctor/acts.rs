//! One maker for each cause that plain sockets can make on loopback. Each is complete when it returns: the RST has been
//! sent, and its receiver has taken it where that matters.

use std::{
    io::{self, Write as _},
    net::Shutdown,
};

use super::{
    destroy::destroy,
    sock::{self, State},
};
use crate::cause::Cause;

/// A cause and how to make it.
pub(crate) struct Act {
    pub(crate) cause: Cause,
    /// Makes it, and gives a port of the connection.
    pub(crate) make: fn() -> io::Result<u16>,
}

/// Every act.
pub(crate) const ACTS: [Act; 11] = [
    Act { cause: Cause::CloseUnread, make: close_unread },
    Act { cause: Cause::LingerZero, make: linger_zero },
    Act { cause: Cause::Disconnect, make: disconnect },
    Act { cause: Cause::Linger2Timeout, make: linger2_timeout },
    Act { cause: Cause::ListenerClose, make: listener_close },
    Act { cause: Cause::AdminKill, make: admin_kill },
    Act { cause: Cause::DataAfterClose, make: data_after_close },
    Act { cause: Cause::DataAfterTimewait, make: data_after_timewait },
    Act { cause: Cause::NoSocket, make: closed_port },
    Act { cause: Cause::ConnectionRefused, make: closed_port },
    Act { cause: Cause::ResetByPeer, make: reset_by_peer },
];

/// Seconds of TCP_LINGER2, beyond the minute (TCP_TIMEWAIT_LEN) after which FIN_WAIT2 is left to a minisocket.
const LONG_LINGER2: i32 = 120;

/// Attempts at a time-wait minisocket: when the FIN is acknowledged just while the close ends, the kernel keeps the full
/// socket in FIN_WAIT2.
const ATTEMPTS: usize = 20;

const DATA: &[u8] = b"nobody reads this";

fn close_unread() -> io::Result<u16> {
    let (closing, mut peer) = sock::pair()?;
    peer.write_all(DATA)?;
    sock::wait_readable(&closing, DATA.len() as u64)?;
    sock::close(closing)
}

fn linger_zero() -> io::Result<u16> {
    let (closing, _peer) = sock::pair()?;
    sock::linger_zero(&closing)?;
    sock::close(closing)
}

fn disconnect() -> io::Result<u16> {
    let (client, _peer) = sock::pair()?;
    let port = sock::port(&client)?;
    sock::disconnect(&client)?;
    Ok(port)
}

fn linger2_timeout() -> io::Result<u16> {
    let (closing, _peer) = sock::pair()?;
    sock::linger2(&closing, -1)?;
    closing.shutdown(Shutdown::Write)?;
    sock::wait_state(&closing, State::FinWait2)?;
    sock::close(closing)
}

fn listener_close() -> io::Result<u16> {
    let listener = sock::listen()?;
    let client = sock::call(&listener)?;
    drop(listener);
    sock::port(&client)
}

fn admin_kill() -> io::Result<u16> {
    let (client, _peer) = sock::pair()?;
    let port = sock::port(&client)?;
    destroy(&client)?;
    Ok(port)
}

fn data_after_close() -> io::Result<u16> {
    let (closing, mut peer) = sock::pair()?;
    sock::linger2(&closing, LONG_LINGER2)?;
    let port = sock::close(closing)?;
    sock::read_end(&peer)?;
    peer.write_all(DATA)?;
    sock::wait_state(&peer, State::Close)?;
    Ok(port)
}

fn data_after_timewait() -> io::Result<u16> {
    for _ in 0..ATTEMPTS {
        let (closing, mut peer) = sock::pair()?;
        sock::acknowledge_at_once(&peer)?;
        let port = sock::close(closing)?;
        sock::read_end(&peer)?;
        if sock::becomes_minisocket(port, sock::port(&peer)?)? {
            peer.write_all(DATA)?;
            sock::wait_state(&peer, State::Close)?;
            return Ok(port);
        }
    }
    Err(io::Error::other(format!("no socket became a time-wait socket in {ATTEMPTS} attempts")))
}

/// Both ends of one story: the RST of a port where nobody listens, and the connection that it refuses.
fn closed_port() -> io::Result<u16> {
    let address = sock::listen()?.local_addr()?;
    match sock::connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(address.port()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("somebody else listens there")),
    }
}

fn reset_by_peer() -> io::Result<u16> {
    let (victim, culprit) = sock::pair()?;
    let port = sock::port(&victim)?;
    sock::linger_zero(&culprit)?;
    drop(culprit);
    sock::wait_state(&victim, State::Close)?;
    Ok(port)
}
