//! Against whom: the connection and its ends.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::text;

/// A connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// Address family of the packets: an IPv4 connection on an IPv6 socket is `ipv4`.
    #[serde(rename = "type")]
    pub kind: AddressType,
    /// Always `tcp`.
    pub transport: Cow<'static, str>,
    /// Which end this host is; absent when the connection is older than the observer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// This end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// Inode of the network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u32>,
    /// Whether that is the host's own, the one it started with; absent when that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_namespace: Option<bool>,
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressType {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It connected.
    Client,
    /// It was accepted.
    Server,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// IP address; an IPv4-mapped IPv6 address is shown as IPv4.
    #[serde(deserialize_with = "address")]
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// Host name of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// How the name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_source: Option<NameSource>,
}

impl Endpoint {
    /// An end without a name.
    #[must_use]
    pub fn of(address: IpAddr, port: u16) -> Self {
        Self { address, port, name: None, name_source: None }
    }

    /// Its name, or else its address.
    #[must_use]
    pub fn called(&self) -> Cow<'_, str> {
        called(self.name.as_deref(), self.address)
    }

    /// Its address and port.
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// Reads an address, and says which one is none.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    text::read(deserializer, |text| text.parse().map_err(|_| format!("cannot read the address {text:?}")))
}

/// A name, or else an address.
pub(super) fn called(name: Option<&str>, address: IpAddr) -> Cow<'_, str> {
    name.map_or_else(|| address.to_string().into(), Cow::Borrowed)
}

/// How a host name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// The address is this host's own, or loopback.
    Local,
    /// `/etc/hosts` of the process.
    Hosts,
    /// A DNS answer that was seen to come in (`--dns`): the name that was asked for.
    Dns,
    /// A reverse look-up (`--ptr`).
    Ptr,
}
