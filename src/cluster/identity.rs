//! The identity of a cluster in a saved plan.

use crate::cluster::client::Cluster;
use serde::{Deserialize, Serialize};

/// The identity of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIdentity {
    /// UID of the `kube-system` namespace.
    pub uid: Option<String>,
    pub server: String,
    pub context: Option<String>,
}

impl ClusterIdentity {
    /// Reads the identity of a cluster.
    pub async fn of(cluster: &Cluster) -> Self {
        let (server, context) = (cluster.host().to_owned(), cluster.context().map(str::to_owned));
        Self { uid: cluster.uid().await, server, context }
    }

    /// Whether both are the same cluster. If either has no UID, the addresses are compared.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.uid, &other.uid) {
            (Some(one), Some(other)) => one == other,
            _ => self.server == other.server,
        }
    }
}
