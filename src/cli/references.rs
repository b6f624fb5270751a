//! `references` prints what a cluster needs, for other clusters that share its buckets.

use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::streams::Streams;
use crate::cli::warnings::warn_of_argo_server;
use crate::cluster::client::Cluster;
use crate::cluster::identity::ClusterIdentity;
use crate::error::{Error, exit};
use crate::output::document;
use crate::scan::cluster::check_clock;
use crate::scan::request::ClusterRequest;
use crate::scan::tell::tell;
use argo_gc_core::plan::select::CLOCKS;
use clap::Args;
use jiff::Timestamp;

/// Prints what a cluster needs, for other clusters on its buckets
///
/// Reads everything that refers to artifacts: outputs and inputs of workflows, caches, templates, cron workflows, sensors,
/// and the words of whatever is not over. Prints a References document for --also of purge and orphans in
/// another cluster, which then keep all of it. If anything can't be read, nothing is printed.
///
/// The document holds names, keys and words of manifests. Show it only to those who may read the workflows.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc references -A --context other > other.json
  kubectl argo-gc orphans --repository gs://b --also other.json --exclusive
  kubectl argo-gc purge -A --older 7d --also other.json

Exit status: 0 done; 1 error; 2 wrong usage; 5 something can't be read, and nothing is printed; 130 interrupted.")]
pub(crate) struct Arguments {
    /// All namespaces; required, because references of a part protect only a part.
    #[arg(short = 'A', long, required = true, conflicts_with = "namespace")]
    all_namespaces: bool,

    #[command(flatten)]
    pub(crate) kube: KubeFlags,
    #[command(flatten)]
    argo: ArgoFlags,
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let cluster = Cluster::connect(&self.argo.beside(&self.kube)?).await?.telling(&streams.progress);
        let identity = ClusterIdentity::of(&cluster).await;
        check_clock(&cluster, CLOCKS, now)?;
        warn_of_argo_server(cluster.argo_server(), streams).await;
        let request = ClusterRequest { chunk_size: self.kube.chunk_size, ..ClusterRequest::default() };
        let (head, told) = tell(&cluster, &request, identity, now).await?;
        let head = serde_json::to_value(head).map_err(Error::new)?;
        document::write(&mut streams.out, false, &head, "referrers", told.into_values()?)?;
        streams.out.flush()?;
        Ok(exit::DONE)
    }
}
