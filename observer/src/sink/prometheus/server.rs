//! The HTTP side: who connects is answered, and can do no more than to take a place of [`Connections`].

use std::{convert::Infallible, future::ready, io, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    select,
    sync::oneshot,
    task::yield_now,
    time::sleep,
};

use super::{
    connections::{Connections, Pulse},
    page::Page,
};

/// Longest time from the beginning, or from an answer, to the end of the next request's header. More than the minute
/// that many scrapers pause: they keep their connection then.
const HEADER_TIME: Duration = Duration::from_secs(75);

/// Bytes of a request's header, the least that hyper takes.
const HEADER_BYTES: usize = 8 << 10;

/// A pause when nobody can be let in, for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";

/// What [`serve`] runs in, on a thread of its own.
///
/// # Errors
/// When there are no file descriptors.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

/// Answers whoever connects, until it is to stop.
pub(super) async fn serve(listener: std::net::TcpListener, page: Arc<Page>, stop: oneshot::Receiver<()>) {
    // It fails without a runtime only.
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    select! {
        _ = stop => {}
        () = admit(&listener, &page) => {}
    }
}

async fn admit(listener: &TcpListener, page: &Arc<Page>) {
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.admit(|pulse| tokio::spawn(converse(stream, Arc::clone(page), pulse)));
            }
            Err(_) => sleep(PAUSE).await,
        }
        // Who has just been let in gets a turn before somebody else may take the place.
        yield_now().await;
    }
}

/// One connection, to its end. What goes wrong on it is the other end's doing.
async fn converse(stream: TcpStream, page: Arc<Page>, pulse: Pulse) {
    let service = service_fn(|request: Request<Incoming>| {
        pulse.beat();
        ready(Ok::<_, Infallible>(answer(&page, request.method(), request.uri().path())))
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEADER_BYTES);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

fn answer(page: &Page, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let produce: fn(&Page) -> (StatusCode, &'static str, String) = match path {
        "/metrics" => |page| match page.metrics() {
            Ok(text) => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error:#}\n")),
        },
        "/healthz" => |page| match page.health() {
            Ok(text) => (StatusCode::OK, TEXT, text),
            Err(text) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, text),
        },
        _ => |_| (StatusCode::NOT_FOUND, TEXT, "there are /metrics and /healthz\n".to_owned()),
    };
    let known = matches!(path, "/metrics" | "/healthz");
    let (status, kind, text) = if known && !matches!(*method, Method::GET | Method::HEAD) {
        (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned())
    } else {
        produce(page)
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}
