//! The HTTP client of both protocols.

use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pooled, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::ClientConfig;
use tonic::body::Body;

use crate::options::OtlpProtocol;

/// What it calls itself.
pub(super) const NAME: &str = concat!("conn-observer/", env!("CARGO_PKG_VERSION"));

/// Keeps its connection for the next request.
pub(super) type Client = Pooled<HttpsConnector<HttpConnector>, Body>;

/// A client without a connection. Names are looked up when it connects, on threads of its own making.
pub(super) fn new(tls: &ClientConfig, protocol: OtlpProtocol, timeout: Duration) -> Client {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(timeout));
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
    match protocol {
        OtlpProtocol::Grpc => {
            let connector = builder.enable_http2().wrap_connector(connector);
            Pooled::builder(TokioExecutor::new()).http2_only(true).build(connector)
        }
        OtlpProtocol::Http => {
            let connector = builder.enable_http1().wrap_connector(connector);
            Pooled::builder(TokioExecutor::new()).build(connector)
        }
    }
}
