//! kubectl's own flags.

use super::duration;
use crate::cluster::Access;
use clap::{ArgMatches, Args};
use std::path::PathBuf;
use std::time::Duration;

/// What `status.phase` of a workflow can be.
pub(super) const PHASES: [&str; 5] = ["Pending", "Running", "Succeeded", "Failed", "Error"];

/// Flags that mean what they mean in kubectl.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct KubeFlags {
    /// Kubeconfig file to use.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Kubeconfig context to use.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig cluster to use.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Kubeconfig user to use.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Namespace to look in [default: the context's].
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// User to impersonate.
    #[arg(long = "as", value_name = "USER")]
    as_user: Option<String>,
    /// Group to impersonate; can be given several times.
    #[arg(long = "as-group", value_name = "GROUP", requires = "as_user")]
    as_groups: Vec<String>,
    /// UID to impersonate.
    #[arg(long, value_name = "UID", requires = "as_user")]
    as_uid: Option<String>,
    /// Limit for a single request, such as 30s; 0 for none.
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = duration::parse)]
    request_timeout: Duration,
    /// Workflows to ask for at a time; 0 for all at once.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub chunk_size: u32,
}

impl KubeFlags {
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            namespace: self.namespace.clone(),
            as_user: self.as_user.clone(),
            as_groups: self.as_groups.clone(),
            as_uid: self.as_uid.clone(),
            request_timeout: Some(self.request_timeout),
        }
    }
}

/// Those of [`KubeFlags`] that a command line has so far, whatever its verb.
pub(super) fn access(typed: &ArgMatches) -> Access {
    fn get<T: Clone + Send + Sync + 'static>(typed: &ArgMatches, id: &str) -> Option<T> {
        typed.try_get_one::<T>(id).ok().flatten().cloned()
    }
    let groups = typed.try_get_many::<String>("as_groups").ok().flatten();
    Access {
        kubeconfig: get(typed, "kubeconfig"),
        context: get(typed, "context"),
        cluster: get(typed, "cluster"),
        user: get(typed, "user"),
        namespace: get(typed, "namespace"),
        as_user: get(typed, "as_user"),
        as_groups: groups.map(|groups| groups.cloned().collect()).unwrap_or_default(),
        as_uid: get(typed, "as_uid"),
        request_timeout: None,
    }
}
