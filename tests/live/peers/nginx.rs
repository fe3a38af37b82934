//! nginx answers a POST before its body has come in, and closes without waiting for the rest (`lingering_close off`).

use std::collections::HashSet;
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
        [nginx_aborts_for_an_early_upstream,]
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
        let ended = || {
            namespace
                .counters()
                .since(before.as_ref().expect("read"))
                .tcp_ext("TCPAbortOnClose")
        };
        // nginx's, and ours: as the upstream we left the request unread, too.
        assert_eq!(ended(), 2);
    });
}

/// 413 is sent while the body pours in: what comes before nginx's close is unread, what comes after it is late.
/// Which of the two it is differs from time to time; that it is one of them, once, does not.
fn nginx_that_refuses_large_bodies_is_flagged_once_a_connection() {
    const REQUESTS: usize = 20;
    Netns::run(|namespace| {
        let nginx = Nginx::start("client_max_body_size 1k;");
        let observer = Observer::within(namespace, &["--pid", &nginx.peer.pid().to_string()]);
        let before = namespace.counters();
        let mut ports = HashSet::new();
        for _ in 0..REQUESTS {
            let mut stream = nginx.post();
            ports.insert(stream.local_addr().unwrap().port());
            // Little by little: nginx throws away what is there before it closes, and would never come to an end of more.
            until("nginx to reset", || stream.write_all(&[b'x'; 512]).is_err());
            // We may have unread bytes now: the answer. Reading it keeps our own close out of the counter.
            let _ = stream.read_to_end(&mut Vec::new());
        }
        let delta = namespace.counters().since(&before);
        let report = observer.stop();
        assert_eq!(
            report.count("close_unread"),
            delta.tcp_ext("TCPAbortOnClose")
        );
        let mut flagged = HashSet::new();
        for event in report.events() {
            let causes = ["close_unread", "data_after_close", "data_after_timewait"];
            assert!(causes.contains(&event.cause()), "{event:?}");
            assert_eq!(event.text("process.comm"), "nginx", "{event:?}");
            let port = event.end("peer").expect("a peer").port();
            assert!(flagged.insert(port), "twice: {event:?}");
        }
        assert_eq!(flagged, ports);
    });
}

/// A proxy that passes the body on while it comes in; the upstream reads nothing of it and answers. `observe` is called
/// with nginx's pid before the request.
fn early_upstream(namespace: &Netns, observe: impl FnOnce(u32)) -> Act {
    namespace.wide_windows();
    namespace.small_send_buffers();
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    // With a small window nginx soon cannot pass anything on, and stops reading.
    SockRef::from(&upstream)
        .set_recv_buffer_size(4_096)
        .expect("SO_RCVBUF");
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
    upstream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .expect("answer");
    let mut act = by_peer(&nginx.peer, &client, 0);
    act.unread = queue::unread(act.local.port(), act.peer.port()).expect("nginx's socket");
    nginx.peer.resume();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    until("nginx to close", || {
        queue::unread(act.local.port(), act.peer.port()).is_none()
    });
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
        let name = format!(
            "conn-observer-nginx-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        // The port is free again at the end of the statement, and the namespace is ours alone.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap();
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
        command
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file);
        let peer = Peer::spawn(command);
        until("nginx to listen", || TcpStream::connect(address).is_ok());
        Self {
            peer,
            address,
            folder,
        }
    }

    /// A connection that has sent the head of an endless POST.
    fn post(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("connect");
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: nginx\r\nContent-Length: 1000000000000\r\n\r\n"
        )
        .expect("send");
        stream
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
