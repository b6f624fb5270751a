//! Takes in what the inspection of another cluster names.

use crate::cluster::unread::{Unread, UnreadSource};
use crate::error::Error;
use crate::scan::gather::ScanPart;
use argo_gc_core::argo::uses::Use;
use argo_gc_core::plan::references::Buckets;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    kind: String,
    generated_at: Timestamp,
    source: Origin,
    summary: Summary,
    workflows: Vec<Inspected>,
    gaps: Vec<IgnoredAny>,
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

impl Document {
    /// Whether it leaves out workflows or artifacts of its cluster.
    fn is_partial(&self) -> bool {
        let listed: usize = self.workflows.iter().map(|workflow| workflow.artifacts.len()).sum();
        self.source.namespace.is_some()
            || self.source.filtered
            || self.summary.workflows != self.workflows.len()
            || self.summary.artifacts.values().sum::<usize>() != listed
    }

    /// Says why objects may be needed that it does not name.
    fn faults(&self) -> impl Iterator<Item = &'static str> {
        let nowhere = |artifact: &Artifact| artifact.location.is_none() && artifact.verdict != "collected";
        let faults = [
            (!self.gaps.is_empty(), "has gaps"),
            (self.is_partial(), "is not of a whole cluster (inspect -A -o json, and nothing else)"),
            (
                self.workflows.iter().flat_map(|workflow| &workflow.artifacts).any(nowhere),
                "has artifacts that may be stored anywhere",
            ),
        ];
        faults.into_iter().filter(|(found, _)| *found).map(|(_, fault)| fault)
    }
}

/// Adds the references of an inspection to a part, and returns the time at which it was made.
///
/// # Errors
/// The file can't be read, or is no inspection.
pub(crate) fn read(path: &Path, part: &mut ScanPart) -> Result<Timestamp, Error> {
    let wrong = |why: String| Error::new(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("this is no inspection (inspect -A -o json): {error}")))?;
    if document.kind != "Inspection" {
        return Err(wrong(format!("this is a {}, not an Inspection", document.kind)));
    }
    for fault in document.faults() {
        let why = format!("the inspection {} {fault}", path.display());
        part.unread.push(Unread::new(UnreadSource::Also, why));
    }
    for workflow in document.workflows {
        let name = format!("workflow {} of {}", workflow.name, path.display());
        let by = part.gathering.referrer(name, String::new());
        for artifact in workflow.artifacts.into_iter().filter(|artifact| artifact.verdict != "collected") {
            if let Some(Location { bucket, key }) = artifact.location {
                let named = Use { bucket, key, read: false, mentioned: false };
                part.gathering.add(by, &named, &Buckets::default(), false);
            }
        }
        // An inspection lists no inputs, and not what runs have yet to record.
        part.guarded.workflow(&workflow.name, &workflow.uid);
        part.names.push(workflow.name);
    }
    Ok(document.generated_at)
}
