//! Where: control group, container, systemd unit, pod.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A control group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Cgroup {
    /// Id in the unified (v2) hierarchy: the inode number of its directory.
    pub id: u64,
    /// Path below the root of its hierarchy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Arc<str>>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// Its id, as the runtime names it.
    pub id: String,
    /// `docker`, `containerd`, `cri-o`, `podman` and the like; absent when the path does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
}

/// Where systemd has put it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Systemd {
    /// Unit of the system manager, as `nginx.service` or `session-2.scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Unit of a user's manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_unit: Option<String>,
    /// Innermost slice, as `system.slice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// User id of the slice `user-UID.slice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
}

/// Where Kubernetes has put it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Kubernetes {
    /// UID of the pod.
    pub pod_uid: String,
    /// `guaranteed`, `burstable` or `besteffort`.
    pub qos_class: String,
}
