//! nginx answers a POST before its body has come in, and closes without waiting for the rest (`lingering_close off`).

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use conn_observer_tests::act::Act;
use conn_observer_tests::deadline::{DEADLINE, until};
use conn_observer_tests::feature::Feature::{Bpf, Netns as PrivateNetns, Tool};
use conn_observer_tests::feature::tool;
use conn_observer_tests::netns::Netns;
use conn_observer_tests::observer::Observer;
use conn_observer_tests::peer::{Peer, by_peer};
use conn_observer_tests::{queue, sock};
use socket2::SockRef;

use crate::suite::{Suite, add};

pub(super) fn tests(suite: &mut Suite) {
    add!(
        suite,
        "peers",
        [PrivateNetns, Bpf, Tool("nginx")],
        [
            nginx_that_answers_for_an_early_upstream_leaves_a_counted_rest,
            nginx_that_refuses_large_bodies_is_flagged_once_a_connection,
        ]
    );
    add!(
        suite,
        "peers",
        [PrivateNetns, Tool("nginx")],
        [nginx_aborts_for_an_early_upstream, nginx_aborts_when_it_refuses_a_large_body]
    );
}

fn nginx_that_answers_for_an_early_upstream_leaves_a_counted_rest() {
    Netns::run(|namespace| {
        let mut observer = None;
        let act = early_upstream(namespace, |pid| {
            observer = Some(Observer::within(namespace, &["--pid", &pid.to_string()]));
        });
        let mut observer = observer.expect("started");
        let event = observer.expect("close_unread", &act);
        assert_eq!(event.text("process.comm"), "nginx", "{event:?}");
        assert_eq!(event.text("network.role"), "server", "{event:?}");
        assert_eq!(observer.stop().events().count(), 1);
    });
}

fn nginx_aborts_for_an_early_upstream() {
    Netns::run(|namespace| {
        let mut before = None;
        let act = early_upstream(namespace, |_| before = Some(namespace.counters()));
        assert!(act.unread > 0);
        let ended = || namespace.counters().since(before.as_ref().expect("read")).tcp_ext("TCPAbortOnClose");
        // nginx's, and ours: as the upstream we left the request unread, too.
        assert_eq!(ended(), 2);
    });
}

fn nginx_that_refuses_large_bodies_is_flagged_once_a_connection() {
    Netns::run(|namespace| {
        let nginx = Nginx::start(REFUSING);
        let mut observer = Observer::within(namespace, &["--pid", &nginx.peer.pid().to_string()]);
        let before = namespace.counters();
        for bytes in [1, 100, 5_000, 60_000] {
            let event = observer.expect("close_unread", &refused(&nginx, bytes));
            assert_eq!(event.text("process.comm"), "nginx", "{event:?}");
        }
        let delta = namespace.counters().since(&before);
        assert_eq!(delta.tcp_ext("TCPAbortOnClose"), 4);
        assert_eq!(observer.stop().events().count(), 4);
    });
}

fn nginx_aborts_when_it_refuses_a_large_body() {
    Netns::run(|namespace| {
        let nginx = Nginx::start(REFUSING);
        let before = namespace.counters();
        for bytes in [1, 60_000] {
            refused(&nginx, bytes);
        }
        assert_eq!(namespace.counters().since(&before).tcp_ext("TCPAbortOnClose"), 2);
    });
}

/// nginx refuses so many large bodies.
pub(crate) fn refuse_bodies(count: u64) {
    let nginx = Nginx::start(REFUSING);
    for _ in 0..count {
        refused(&nginx, 5_000);
    }
}

/// nginx goes on to throw the body away after its answer, also with `lingering_close off`, until `lingering_time` is
/// over. It looks at that time before it reads.
const REFUSING: &str = "client_max_body_size 1k; lingering_time 0;";

/// The answer is 413 as soon as the head is there; the next `bytes` of the body find nginx out of patience.
fn refused(nginx: &Nginx, bytes: u64) -> Act {
    let mut client = nginx.post();
    let mut answer = Vec::new();
    while !answer.ends_with(b"</html>\r\n") {
        let mut some = [0; 512];
        let count = client.read(&mut some).expect("an answer");
        assert_ne!(count, 0, "nginx closed before its answer was complete");
        answer.extend_from_slice(&some[..count]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{:?}", String::from_utf8_lossy(&answer));
    let act = by_peer(&nginx.peer, &client, bytes);
    client.write_all(&vec![b'x'; usize::try_from(bytes).unwrap()]).expect("send");
    let reset = client.read(&mut [0]).expect_err("nginx resets");
    assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);
    act
}

/// A proxy that passes the body on while it comes in; the upstream reads nothing of it and answers. `observe` is called
/// with nginx's pid before the request.
fn early_upstream(namespace: &Netns, observe: impl FnOnce(u32)) -> Act {
    namespace.wide_windows();
    namespace.small_send_buffers();
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    // With a small window nginx soon cannot pass anything on, and stops reading.
    SockRef::from(&upstream).set_recv_buffer_size(4_096).expect("SO_RCVBUF");
    let to = upstream.local_addr().unwrap();
    let nginx = Nginx::start(&format!(
        "location / {{ proxy_pass http://{to}; proxy_request_buffering off; client_max_body_size 0; }}"
    ));
    observe(nginx.peer.pid());
    let mut client = nginx.post();
    client.write_all(&vec![b'x'; 2 << 20]).expect("send");
    let (mut upstream, _) = upstream.accept().expect("accept");
    sock::wait_acknowledged(&client);
    until("nginx to wait", || nginx.peer.state() == 'S');
    // The answer and the count belong to one moment.
    nginx.peer.pause();
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("answer");
    let mut act = by_peer(&nginx.peer, &client, 0);
    act.unread = queue::unread(act.local.port(), act.peer.port()).expect("nginx's socket");
    nginx.peer.resume();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer));
    until("nginx to close", || queue::unread(act.local.port(), act.peer.port()).is_none());
    act
}

/// nginx as one process in a folder of its own.
struct Nginx {
    peer: Peer,
    address: SocketAddr,
    folder: PathBuf,
}

impl Nginx {
    fn start(directives: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("conn-observer-nginx-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        // The port is free again at the end of the statement, and the namespace is ours alone.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
             http {{ access_log off; {temporary} lingering_close off;
                     server {{ listen {address}; {directives} }} }}",
            folder = folder.display(),
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(tool("nginx").expect("nginx"));
        command.arg("-e").arg(folder.join("error.log")).arg("-p").arg(&folder).arg("-c").arg(&file);
        let peer = Peer::spawn(command);
        until("nginx to listen", || TcpStream::connect(address).is_ok());
        Self { peer, address, folder }
    }

    /// A connection that has sent the head of an endless POST.
    fn post(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("connect");
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "POST / HTTP/1.1\r\nHost: nginx\r\nContent-Length: 1000000000000\r\n\r\n").expect("send");
        stream
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
