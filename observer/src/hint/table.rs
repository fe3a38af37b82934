//! The advice. The first entry that fits is taken, so the more particular ones come first: what is nobody's fault, what
//! a stack or a program tells, what a runtime makes likely (said with an if), what the cause alone tells.
//!
//! Each entry rests on the documentation that it names, and on what was seen to happen where such programs ran.

use super::{
    Entry,
    When::{End, Exiting, Farewell, Frame, Own, Runtime, Script, Thread},
};
use crate::{
    cause::Cause::{
        self, AdminKill, ClosePhantom, CloseUnread, ConnectionRefused, DataAfterClose, DataAfterTimewait, Disconnect,
        KeepaliveTimeout, Linger2Timeout, LingerZero, ListenerClose, NoSocket, OutOfMemory,
    },
    event::Role::{Client, Server},
};

/// The peer's data met a connection that was closed already.
const LATE: &[Cause] = &[DataAfterClose, DataAfterTimewait, NoSocket];

/// Closed before all had come: what was there went unread, or what came then was refused.
const EARLY: &[Cause] = &[CloseUnread, DataAfterClose, DataAfterTimewait, NoSocket];

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        name: "phantom",
        causes: &[ClosePhantom],
        when: &[],
        advice: "Change nothing in the program: it had read everything, and the kernel took bytes that came a second \
                 time for unread ones. Kernels with upstream commit 5f9238530970 do not.",
        reference: "Linux, net/ipv4/tcp.c, __tcp_close(), commit 5f9238530970",
    },
    Entry {
        name: "close_notify_unread",
        causes: &[CloseUnread],
        when: &[Farewell],
        advice: "If this is TLS, nothing was lost: what was unread has the size of a close_notify alert. To avoid the \
                 RST, read until the TLS library reports the end before closing the socket.",
        reference: "RFC 8446 §6.1 (Closure Alerts); OpenSSL, SSL_shutdown(3)",
    },
    Entry {
        name: "close_notify_late",
        causes: LATE,
        when: &[Own, Farewell],
        advice: "If this is TLS, nothing was lost: what came after the close has the size of a close_notify alert. To \
                 avoid the RST, wait for the peer's close_notify before closing the socket.",
        reference: "RFC 8446 §6.1 (Closure Alerts); OpenSSL, SSL_shutdown(3)",
    },
    Entry {
        name: "exiting",
        causes: &[CloseUnread],
        when: &[Exiting],
        advice: "The process ended while data was coming in. Where the peer should not see a RST, end the exchange and \
                 close the connection before the process exits.",
        reference: "_exit(2); RFC 1122 §4.2.2.13 (Closing a Connection)",
    },
    // What a stack or a program tells.
    Entry {
        name: "go_request_cancelled",
        causes: &[CloseUnread],
        when: &[Frame(&["net/http.(*persistConn).cancelRequest"])],
        advice: "The request was cancelled, by its context or by Client.Timeout, while the response was coming in. \
                 Let the timeout allow for reading the body, and cancel the context only after that.",
        reference: "Go package net/http, documentation of Client.Timeout and NewRequestWithContext",
    },
    Entry {
        name: "go_response_unread",
        causes: &[CloseUnread],
        when: &[Frame(&["net/http.(*persistConn).readLoop"])],
        advice: "Read the response body to its end before closing it, as with io.Copy(io.Discard, resp.Body), and the \
                 connection is reused. Go up to 1.26 discards nothing itself, Go 1.27 and later a small rest only.",
        reference: "Go package net/http, documentation of Response.Body; Go 1.27 release notes, net/http",
    },
    Entry {
        name: "go_server_closed",
        causes: &[CloseUnread],
        when: &[Frame(&["net/http.(*Server).Close"])],
        advice: "End the server with Server.Shutdown, which lets requests finish; Server.Close drops them.",
        reference: "Go package net/http, documentation of Server.Close and Server.Shutdown",
    },
    Entry {
        name: "go_request_unread",
        causes: &[CloseUnread],
        when: &[Frame(&["net/http.(*conn).serve"])],
        advice: "Read the request body to its end in the handler before it returns. net/http discards up to 256 KiB \
                 that a handler has left, and closes the connection when there is more.",
        reference: "Go package net/http, server.go, maxPostHandlerReadBytes; documentation of MaxBytesReader",
    },
    Entry {
        name: "python_requests",
        causes: &[CloseUnread],
        when: &[Frame(&["requests/models.py", "requests/sessions.py"])],
        advice: "Read a response that was asked for with stream=True to its end before closing it, and the connection \
                 is reused; where the rest is not wanted, ask for less.",
        reference: "Requests, Advanced Usage, Body Content Workflow",
    },
    Entry {
        name: "python_aiohttp",
        causes: &[CloseUnread],
        when: &[Frame(&["aiohttp/client", "aiohttp/connector.py"])],
        advice: "Read the response (await response.read()) before `async with` is left: a connection whose response is \
                 incomplete is closed instead of reused.",
        reference: "aiohttp, Client Reference, ClientResponse.release()",
    },
    Entry {
        name: "python_urllib3",
        causes: &[CloseUnread],
        when: &[Frame(&["urllib3/response.py", "urllib3/connection", "http/client.py"])],
        advice: "Read the response to its end before closing it; urllib3 discards the rest with drain_conn().",
        reference: "urllib3, HTTPResponse.drain_conn(); Python library reference, http.client, getresponse()",
    },
    Entry {
        name: "node_fetch",
        causes: &[CloseUnread],
        when: &[Frame(&["node:internal/deps/undici", "undici/lib/"])],
        advice: "Read the body of every fetch() to its end (await response.arrayBuffer()), or send HEAD where only the \
                 status is wanted. A body that is cancelled, or left to the garbage collector, closes the connection.",
        reference: "undici, README, Specification Compliance, Garbage Collection",
    },
    Entry {
        name: "node_http_request",
        causes: &[CloseUnread],
        when: &[Frame(&["node:_http_client"])],
        advice: "Consume the response, if only with response.resume(), before the request is ended: request.destroy() \
                 closes the socket with what has come in.",
        reference: "Node.js documentation, http, class http.ClientRequest",
    },
    Entry {
        name: "jvm_http_url_connection",
        causes: &[CloseUnread],
        when: &[Frame(&["HttpURLConnection", "sun/net/www/http/", "sun.net.www.http."])],
        advice: "Read the response to its end before close() or disconnect(); for an error status that is \
                 getErrorStream().",
        reference: "Java SE, Networking, Persistent Connections, “What can you do to help with Keep-Alive?”",
    },
    Entry {
        name: "jvm_apache_http_client",
        causes: &[CloseUnread],
        when: &[Frame(&["org/apache/http/", "org.apache.http.", "org/apache/hc/", "org.apache.hc."])],
        advice: "Consume the entity (EntityUtils.consume(response.getEntity())) before closing the response, which by \
                 itself drops the connection.",
        reference: "Apache HttpClient Tutorial, Ensuring release of low level resources",
    },
    Entry {
        name: "jvm_net_http",
        causes: EARLY,
        when: &[Runtime(&["jvm"]), Thread(&["HttpClient-"]), Own],
        advice: "Read the response body to its end, or take a BodyHandler that does, as discarding(). Closing the \
                 stream of ofInputStream() before its end closes the connection.",
        reference: "Java SE API, java.net.http, HttpResponse.BodySubscribers.ofInputStream()",
    },
    Entry {
        name: "tomcat",
        causes: EARLY,
        when: &[Runtime(&["jvm"]), Thread(&["http-nio-", "https-jsse-nio-", "https-openssl-n"]), Own],
        advice: "Read the request body in the application, or raise maxSwallowSize (2 MiB) of the connector: when more \
                 than that is left, Tomcat closes the connection.",
        reference: "Apache Tomcat, Configuration Reference, The HTTP Connector, maxSwallowSize",
    },
    Entry {
        name: "gunicorn",
        causes: EARLY,
        when: &[Script("gunicorn"), End(Server), Own],
        advice: "Read the request body to its end in the application before it answers, also with an error: Gunicorn \
                 closes the connection with what is left. Refuse large bodies in the proxy before it.",
        reference: "Gunicorn issues 872 (a RST right behind the answer) and 3334",
    },
    Entry {
        name: "uwsgi",
        causes: EARLY,
        when: &[Runtime(&["uwsgi"]), End(Server), Own],
        advice: "Read the request body to its end in the application, or set post-buffering, and uWSGI reads it.",
        reference: "uWSGI documentation, Things to know (best practices and issues)",
    },
    Entry {
        name: "nginx_server",
        causes: EARLY,
        when: &[Runtime(&["nginx"]), End(Server), Own],
        advice: "nginx, or its upstream, answered before the request body had come in. Raise client_max_body_size if \
                 such bodies are wanted; otherwise leave lingering_close on and lingering_time (30 s) long enough.",
        reference: "nginx, ngx_http_core_module, client_max_body_size and lingering_close",
    },
    Entry {
        name: "nginx_upstream",
        causes: EARLY,
        when: &[Runtime(&["nginx"]), End(Client), Own],
        advice: "nginx gave up an upstream's answer: its client had left (proxy_ignore_client_abort), the answer was \
                 replaced (proxy_intercept_errors), or only its status counted (auth_request). Keep such answers short.",
        reference: "nginx, ngx_http_proxy_module and ngx_http_auth_request_module",
    },
    Entry {
        name: "envoy_server",
        causes: EARLY,
        when: &[Runtime(&["envoy"]), End(Server), Own],
        advice: "Leave delayed_close_timeout above 0 (1 s): after an early answer Envoy then waits for the client to \
                 close.",
        reference: "Envoy, HTTP connection manager, delayed_close_timeout",
    },
    Entry {
        name: "curl",
        causes: EARLY,
        when: &[Runtime(&["curl"]), End(Client), Own],
        advice: "curl ended the transfer before the answer was complete: an error status under --fail, --max-filesize, \
                 --max-time, or a reader that had left (| head). --fail-with-body reads the body of an error, too.",
        reference: "curl(1), --fail, --fail-with-body, --max-filesize, --max-time",
    },
    // What a runtime makes likely.
    Entry {
        name: "python_client",
        causes: EARLY,
        when: &[Runtime(&["cpython", "pypy"]), End(Client), Own],
        advice: "If this is HTTP, read each response to its end before closing it: with requests also under \
                 stream=True, with aiohttp and httpx before the response's `with` is left.",
        reference: "Requests, Advanced Usage, Body Content Workflow; aiohttp, ClientResponse.release()",
    },
    Entry {
        name: "node_client",
        causes: EARLY,
        when: &[Runtime(&["node"]), End(Client), Own],
        advice: "If this is HTTP, read the body of every fetch() to its end, and consume every http response, if only \
                 with response.resume(). Cancelling or destroying it closes the connection.",
        reference: "undici, README, Garbage Collection; Node.js documentation, class http.ClientRequest",
    },
    Entry {
        name: "jvm_client",
        causes: EARLY,
        when: &[Runtime(&["jvm"]), End(Client), Own],
        advice: "If this is HTTP, read each response to its end before closing it: of HttpURLConnection also \
                 getErrorStream(), of Apache HttpClient with EntityUtils.consume().",
        reference: "Java SE, Networking, Persistent Connections; Apache HttpClient Tutorial, section 1.1.5",
    },
    Entry {
        name: "dotnet_client",
        causes: EARLY,
        when: &[Runtime(&["dotnet"]), End(Client), Own],
        advice: "If this is HttpClient, read the content to its end before disposing of the response. It discards up to \
                 MaxResponseDrainSize (1 MiB) within ResponseDrainTimeout (2 s), and closes the connection otherwise.",
        reference: ".NET API, System.Net.Http.SocketsHttpHandler",
    },
    Entry {
        name: "http_server",
        causes: &[CloseUnread],
        when: &[Runtime(&["cpython", "pypy", "node", "jvm", "dotnet", "ruby"]), End(Server), Own],
        advice: "If this is an HTTP server, read or discard the request body before the connection is closed, also \
                 behind an error: the RST may take the answer from the client.",
        reference: "RFC 9112 §9.3 (Persistence) and §9.6 (Tear-down)",
    },
    // SO_LINGER of zero, by who sets it.
    Entry {
        name: "nginx_linger",
        causes: &[LingerZero],
        when: &[Runtime(&["nginx"]), End(Server)],
        advice: "Turn reset_timedout_connection off where peers should see an orderly end: with it, nginx resets \
                 connections that timed out, or that are closed with code 444.",
        reference: "nginx, ngx_http_core_module, reset_timedout_connection",
    },
    Entry {
        name: "haproxy_linger_client",
        causes: &[LingerZero],
        when: &[Runtime(&["haproxy"]), End(Client)],
        advice: "Take it as intended, unless the backend has option nolinger: HAProxy resets connections to servers \
                 that it closes first, so that their ports do not stay in time-wait.",
        reference: "HAProxy Configuration Manual, option nolinger; HAProxy sources, FD_LINGER_RISK",
    },
    Entry {
        name: "haproxy_linger_server",
        causes: &[LingerZero],
        when: &[Runtime(&["haproxy"]), End(Server)],
        advice: "Remove option nolinger from the frontend; the action silent-drop may reset clients, too.",
        reference: "HAProxy Configuration Manual, option nolinger and silent-drop",
    },
    Entry {
        name: "node_linger",
        causes: &[LingerZero],
        when: &[Runtime(&["node"])],
        advice: "Replace socket.resetAndDestroy() by socket.end() where the peer should see an orderly end.",
        reference: "Node.js documentation, net, socket.resetAndDestroy()",
    },
    Entry {
        name: "go_linger",
        causes: &[LingerZero],
        when: &[Runtime(&["go"])],
        advice: "Remove SetLinger(0): Close then drops what was not sent yet, and resets the connection.",
        reference: "Go package net, documentation of TCPConn.SetLinger",
    },
    Entry {
        name: "jvm_linger",
        causes: &[LingerZero],
        when: &[Runtime(&["jvm"])],
        advice: "Remove setSoLinger(true, 0), or a framework's SO_LINGER of 0: close() then drops what was not sent yet, \
                 and resets the connection.",
        reference: "Java SE API, java.net.Socket.setSoLinger(), StandardSocketOptions.SO_LINGER",
    },
    Entry {
        name: "linger",
        causes: &[LingerZero],
        when: &[],
        advice: "Remove SO_LINGER with a time of zero: close() then drops what was not sent yet, and resets the \
                 connection. A port can be bound again at once with SO_REUSEADDR, without it.",
        reference: "socket(7), SO_LINGER and SO_REUSEADDR",
    },
    // What the cause alone tells.
    Entry {
        name: "late_server",
        causes: LATE,
        when: &[End(Server), Own],
        advice: "Shut down writing, read until the peer closes or a time is over, then close: the peer was still \
                 sending, and the RST may take the last answer from it.",
        reference: "RFC 9112 §9.6 (Tear-down)",
    },
    Entry {
        name: "late",
        causes: LATE,
        when: &[Own],
        advice: "Read to the end of what the peer sends before closing, or tell it to stop: it was still sending, and \
                 got a RST.",
        reference: "RFC 1122 §4.2.2.13 (Closing a Connection)",
    },
    Entry {
        name: "listener",
        causes: &[ListenerClose],
        when: &[],
        advice: "Before a listener is closed, accept what waits in it, or hand it to the next process (socket \
                 activation). With SO_REUSEPORT, net.ipv4.tcp_migrate_req=1 moves it to another listener.",
        reference: "Linux, Documentation/networking/ip-sysctl, tcp_migrate_req (5.14); systemd.socket(5)",
    },
    Entry {
        name: "disconnect",
        causes: &[Disconnect],
        when: &[],
        advice: "Close the socket and make a new one: connect() with AF_UNSPEC resets a TCP connection.",
        reference: "connect(2), AF_UNSPEC",
    },
    Entry {
        name: "linger2",
        causes: &[Linger2Timeout],
        when: &[],
        advice: "Let TCP_LINGER2, or net.ipv4.tcp_fin_timeout where it is not set, be longer than the peer takes to \
                 close after us, and never negative.",
        reference: "tcp(7), TCP_LINGER2 and tcp_fin_timeout",
    },
    Entry {
        name: "killed",
        causes: &[AdminKill],
        when: &[],
        advice: "Ask who runs the process named here: it ended somebody else's connection, as `ss -K` does. The owner's \
                 program is not to blame.",
        reference: "ss(8), --kill; Linux, net/core/sock_diag.c, SOCK_DESTROY",
    },
    Entry {
        name: "memory",
        causes: &[OutOfMemory],
        when: &[],
        advice: "Raise net.ipv4.tcp_mem or net.ipv4.tcp_max_orphans, or find out who leaves so much unsent behind: the \
                 kernel gave up a connection that was closed in order.",
        reference: "tcp(7), tcp_mem and tcp_max_orphans",
    },
    Entry {
        name: "keepalive",
        causes: &[KeepaliveTimeout],
        when: &[],
        advice: "Find out where the peer has gone: it answered no keep-alive probe. Where a firewall or NAT forgets \
                 idle connections, let TCP_KEEPIDLE be shorter than it waits.",
        reference: "tcp(7), TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT",
    },
    Entry {
        name: "refused",
        causes: &[ConnectionRefused],
        when: &[],
        advice: "Check that the service runs and listens on this address and port, and that no firewall rejects it; \
                 where it may still be starting, try again after a pause.",
        reference: "connect(2), ECONNREFUSED",
    },
];
