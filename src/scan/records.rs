//! Everything that any record says of objects: of a cluster or of files, and of other clusters' inspections.

use crate::cluster::client::Cluster;
use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::Error;
use crate::scan::archive;
use crate::scan::cluster::everything;
use crate::scan::files::{Loaded, load};
use crate::scan::gather::{Scan, ScanPart, Terms};
use argo_gc_core::argo::uses::Use;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::orphans::Guarded;
use argo_gc_core::plan::references::{Buckets, References, ReferencesBuilder};
use argo_gc_core::plan::rules::Rules;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that is known of the records.
pub(crate) struct Records {
    pub references: References,
    /// Names of all workflows.
    pub names: HashSet<String>,
    pub guarded: Guarded,
    pub unread: Vec<Unread>,
    /// What was written since may be recorded where nobody looked: the time of the oldest inspection, or now.
    pub as_of: Timestamp,
    pub cluster: Option<ClusterIdentity>,
}

/// Reads the records of a cluster.
///
/// # Errors
/// The workflows can't be read, or a file of `also` is no inspection.
pub(crate) async fn of_cluster(
    cluster: &Cluster,
    identity: ClusterIdentity,
    chunk_size: u32,
    also: &[PathBuf],
    now: Timestamp,
) -> Result<Records, Error> {
    let mut gathering = ReferencesBuilder::default();
    let beside = cluster.beside(None, &mut gathering).await;
    let (controllers, related, _) = cluster.related(None).await;
    let mut unread = beside.unread.clone();
    unread.extend(archive::unread_without(cluster.argo_server(), &controllers));
    // Results are read before the workflows: one that the controller moves into its workflow meanwhile is then seen in
    // at least one of the two.
    unread.extend(cluster.results(&mut gathering).await);
    let pinned_namespaces = beside.pinned_namespaces.clone();
    let context = Arc::new(Context { now, controllers, related });
    let selects = |_: &Workflow| false;
    let shared = Arc::new((context, Rules::none(now), beside, Vec::new(), selects));
    let start = Scan::new(gathering, unread);
    let scan = everything(cluster, chunk_size, Some(cluster.namespace()), &shared, start).await?;
    let records = finish(scan, &pinned_namespaces, also, now)?;
    Ok(Records { cluster: Some(identity), ..records })
}

/// Reads the records of files.
///
/// # Errors
/// A file can't be read, or a file of `also` is no inspection.
pub(crate) fn of_files(
    files: &[PathBuf],
    recursive: bool,
    also: &[PathBuf],
    stdin: &mut dyn Read,
    now: Timestamp,
) -> Result<Records, Error> {
    let Loaded { context, mut gathering, results, pins, workflows } =
        load(files, recursive, None, stdin, now)?;
    gathering.absorb(results);
    let (rules, selects) = (Rules::none(now), |_: &Workflow| false);
    let terms = Terms { context: &context, rules: &rules, beside: &pins, named: &[], selects: &selects };
    let mut scan = Scan::new(gathering, Vec::new());
    workflows.iter().try_for_each(|text| scan.workflow(text, &terms))?;
    finish(scan, &pins.pinned_namespaces, also, now)
}

/// Adds the inspections of other clusters, and puts everything together.
fn finish(
    mut scan: Scan,
    pinned_namespaces: &HashSet<String>,
    also: &[PathBuf],
    now: Timestamp,
) -> Result<Records, Error> {
    let mut as_of = now;
    for path in also {
        let mut part = ScanPart::default();
        as_of = as_of.min(inspection(path, &mut part)?);
        scan.absorb(part)?;
    }
    let (names, mut guarded) = (std::mem::take(&mut scan.names), std::mem::take(&mut scan.guarded));
    pinned_namespaces.iter().for_each(|name| guarded.namespace(name));
    let (_, _, references, unread) = scan.finish();
    Ok(Records { references, names, guarded, unread, as_of, cluster: None })
}

/// Takes in what an inspection of another cluster names; gives the time it was made.
fn inspection(path: &PathBuf, part: &mut ScanPart) -> Result<Timestamp, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        kind: String,
        generated_at: Timestamp,
        source: Origin,
        summary: Summary,
        workflows: Vec<Inspected>,
        gaps: Vec<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Origin {
        namespace: Option<String>,
        #[serde(default)]
        filtered: bool,
    }
    #[derive(Deserialize)]
    struct Summary {
        workflows: usize,
        artifacts: BTreeMap<String, usize>,
    }
    #[derive(Deserialize)]
    struct Inspected {
        name: String,
        uid: String,
        artifacts: Vec<Artifact>,
    }
    #[derive(Deserialize)]
    struct Artifact {
        location: Option<Location>,
        verdict: String,
    }
    #[derive(Deserialize)]
    struct Location {
        bucket: String,
        key: String,
    }
    let wrong = |why: String| Error::new(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("this is no inspection (inspect -A -o json): {error}")))?;
    if document.kind != "Inspection" {
        return Err(wrong(format!("this is a {}, not an Inspection", document.kind)));
    }
    let listed: usize = document.workflows.iter().map(|workflow| workflow.artifacts.len()).sum();
    let partial = document.source.namespace.is_some()
        || document.source.filtered
        || document.summary.workflows != document.workflows.len()
        || document.summary.artifacts.values().sum::<usize>() != listed;
    let nowhere = |artifact: &Artifact| artifact.location.is_none() && artifact.verdict != "collected";
    let faults = [
        (!document.gaps.is_empty(), "has gaps"),
        (partial, "is not of a whole cluster (inspect -A -o json, and nothing else)"),
        (
            document.workflows.iter().flat_map(|workflow| &workflow.artifacts).any(nowhere),
            "has artifacts that may lie anywhere",
        ),
    ];
    for (_, fault) in faults.into_iter().filter(|(found, _)| *found) {
        let why = format!("the inspection {} {fault}", path.display());
        part.unread.push(Unread::new(UnreadSource::Also, why));
    }
    for workflow in document.workflows {
        let by = part
            .gathering
            .referrer(format!("workflow {} of {}", workflow.name, path.display()), String::new());
        for artifact in workflow.artifacts.into_iter().filter(|artifact| artifact.verdict != "collected") {
            if let Some(Location { bucket, key }) = artifact.location {
                part.gathering.add(
                    by,
                    &Use { bucket, key, read: false, mentioned: false },
                    &Buckets::default(),
                    false,
                );
            }
        }
        // An inspection lists no inputs, nor what runs have yet to record.
        part.guarded.workflow(&workflow.name, &workflow.uid);
        part.names.push(workflow.name);
    }
    Ok(document.generated_at)
}
