//! Whom to trust, and who we are. Files are read here and nowhere else.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::options::OtlpSink;

/// How a sink uses TLS.
///
/// # Errors
/// When a file is missing or holds something else, or settings contradict each other.
pub(super) fn config(settings: &OtlpSink, secure: bool) -> Result<ClientConfig> {
    if !secure && (settings.ca.is_some() || settings.cert.is_some() || settings.key.is_some()) {
        bail!("ca, cert and key are for https: the endpoint {} is not", settings.endpoint);
    }
    let roots = match &settings.ca {
        _ if !secure => RootCertStore::empty(),
        Some(path) => authorities(certificates(path)?).with_context(|| format!("ca {}", path.display()))?,
        None => system()?,
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?
        .with_root_certificates(roots);
    match (&settings.cert, &settings.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .with_context(|| format!("cert {} and key {} do not belong together", cert.display(), key.display())),
        _ => bail!("cert and key: one is of no use without the other"),
    }
}

/// The authorities that this system trusts.
fn system() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let roots = authorities(found.certs).unwrap_or_else(|_| RootCertStore::empty());
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        bail!("this system trusts no certificate authority{reason}: install ca-certificates, or name a file with ca=");
    }
    Ok(roots)
}

/// Systems have some that rustls does not take: those are left out.
fn authorities(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(certificates);
    if taken == 0 {
        bail!("no certificate in it is one of an authority");
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is no PEM file", path.display()))?;
    if found.is_empty() {
        bail!("{} holds no certificate: expected a PEM file", path.display());
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .with_context(|| format!("{} holds no private key: expected a PEM file", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settings: &str) -> String {
        let settings: OtlpSink = toml::from_str(settings).unwrap();
        let secure = settings.endpoint.starts_with("https");
        format!("{:#}", config(&settings, secure).unwrap_err())
    }

    #[test]
    fn files_that_are_none_are_named() {
        let https = "endpoint = 'https://host:4317'";
        assert!(told(&format!("{https}\nca = '/nowhere.pem'")).starts_with("cannot read /nowhere.pem: "));
        assert!(told(&format!("{https}\nca = '/proc/version'")).contains("/proc/version holds no certificate"));
        assert!(told("ca = '/nowhere.pem'").contains("are for https"));
    }
}
