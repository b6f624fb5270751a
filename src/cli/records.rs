//! Reads what any record says of objects, for `orphans` and `fix --lifecycle`.

use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::shared_flags::{AlsoFlags, ControllerFlags, FileFlags};
use crate::cli::streams::Streams;
use crate::cli::warnings::warn_of_argo_server;
use crate::cluster::client::Cluster;
use crate::cluster::identity::ClusterIdentity;
use crate::error::Error;
use crate::scan::cluster::check_clock;
use crate::scan::files::LoadRequest;
use crate::scan::records;
use crate::scan::records::Records;
use crate::scan::request::ClusterRequest;
use argo_gc_core::plan::select::CLOCKS;
use jiff::Timestamp;

/// The flags that say where records are.
pub(crate) struct Sources<'a> {
    /// Without files the cluster is read.
    pub from: &'a FileFlags,
    pub also: &'a AlsoFlags,
    pub controllers: &'a ControllerFlags,
    pub kube: &'a KubeFlags,
    pub argo: &'a ArgoFlags,
    /// Whether it is asked who refers to something.
    pub by_name: bool,
}

/// The records, and the cluster that they are of; files are of none.
pub(crate) struct Read {
    pub records: Records,
    pub cluster: Option<ClusterIdentity>,
}

impl Sources<'_> {
    /// Reads all records.
    ///
    /// # Errors
    /// Nothing can be read, or a document of another cluster is refused.
    pub async fn read(&self, streams: &mut Streams, now: Timestamp) -> Result<Read, Error> {
        let FileFlags { files, recursive } = self.from;
        if !files.is_empty() {
            let others = self.also.read(None, now)?;
            let request = LoadRequest {
                paths: files,
                recursive: *recursive,
                version: None,
                controller_namespace: self.controllers.controller_namespace.as_deref(),
                namespace: None,
            };
            let records = records::of_files(&request, others, &mut *streams.input, now, self.by_name)?;
            return Ok(Read { records, cluster: None });
        }
        let cluster = Cluster::connect(&self.argo.beside(self.kube)?).await?.telling(&streams.progress);
        let identity = ClusterIdentity::of(&cluster).await;
        check_clock(&cluster, CLOCKS, now)?;
        let others = self.also.read(Some(&identity), now)?;
        warn_of_argo_server(cluster.argo_server(), streams).await;
        let namespace = Some(cluster.namespace().to_owned());
        let chunk_size = self.kube.chunk_size;
        let controller_namespace = self.controllers.controller_namespace.clone();
        let request =
            ClusterRequest { namespace, chunk_size, controller_namespace, ..ClusterRequest::default() };
        let records = records::of_cluster(&cluster, &request, others, now, self.by_name).await?;
        Ok(Read { records, cluster: Some(identity) })
    }
}
