//! Where requests go.

use anyhow::{Context as _, Result, bail};
use http::{Uri, uri::PathAndQuery};

use crate::options::{OtlpProtocol, OtlpSink};

/// The path over HTTP when the endpoint has none.
const PATH: &str = "/v1/logs";

/// The receiver's address.
#[derive(Clone, Debug)]
pub(super) struct Target(Uri);

impl Target {
    /// The endpoint of a sink.
    ///
    /// # Errors
    /// When it can be none.
    pub(super) fn of(settings: &OtlpSink) -> Result<Self> {
        let endpoint = &settings.endpoint;
        let expected = "expected http://host:port or https://host:port";
        let uri: Uri = endpoint.parse().with_context(|| format!("endpoint {endpoint}: {expected}"))?;
        let has_host = uri.authority().is_some_and(|authority| !authority.host().is_empty());
        if !matches!(uri.scheme_str(), Some("http" | "https")) || !has_host {
            bail!("endpoint {endpoint}: {expected}");
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            bail!("endpoint: no user and password here; give a header authorization");
        }
        let mut parts = uri.into_parts();
        let bare = parts.path_and_query.as_ref().is_none_or(|path| path.as_str() == "/");
        match settings.protocol {
            OtlpProtocol::Grpc if !bare => bail!("endpoint {endpoint}: over gRPC there is no path; {expected}"),
            OtlpProtocol::Http if bare => parts.path_and_query = Some(PathAndQuery::from_static(PATH)),
            OtlpProtocol::Grpc | OtlpProtocol::Http => {}
        }
        Uri::from_parts(parts).map(Self).with_context(|| format!("endpoint {endpoint}"))
    }

    /// As a whole.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether it is spoken to through TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(protocol: &str, endpoint: &str) -> Result<Target> {
        Target::of(&toml::from_str(&format!("endpoint = '{endpoint}'\nprotocol = '{protocol}'")).unwrap())
    }

    #[test]
    fn http_has_a_path_and_grpc_none() {
        let uri = |protocol, endpoint| target(protocol, endpoint).unwrap().uri().to_string();
        assert_eq!(uri("http", "http://host:4318"), "http://host:4318/v1/logs");
        assert_eq!(uri("http", "https://host/"), "https://host/v1/logs");
        assert_eq!(uri("http", "https://host/otlp/v1/logs?a=b"), "https://host/otlp/v1/logs?a=b");
        assert_eq!(uri("grpc", "http://[::1]:4317"), "http://[::1]:4317/");
        assert!(target("grpc", "http://host/v1/logs").unwrap_err().to_string().contains("there is no path"));
    }

    #[test]
    fn what_can_be_no_receiver_is_told() {
        for bad in
            ["", "host:4317", "localhost", "/v1/logs", "grpc://host:4317", "http://", "http://:4317", "http://a b"]
        {
            let told = format!("{:#}", target("grpc", bad).unwrap_err());
            assert!(told.contains("expected http://host:port or https://host:port"), "{bad}: {told}");
        }
        let told = format!("{:#}", target("http", "http://me:s3cret@host").unwrap_err());
        assert!(told.contains("header authorization") && !told.contains("s3cret"), "{told}");
    }
}
