//! After an undo: what is there again is no longer recorded as deleted in its workflow.

use crate::cluster::client::Cluster;
use crate::cluster::write::Patched;
use crate::error::Error;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::records::pod_artifacts;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::location::Location;
use argo_gc_core::plan::planned::PlannedWorkflow;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Times a patch is tried again after the workflow changed in between.
const TRIES: usize = 3;

/// Objects that are there again, as hashes of their places and of the folders above them.
#[derive(Debug, Default)]
pub struct Back {
    places: HashSet<u64>,
    random: RandomState,
}

impl Back {
    /// Adds an object.
    pub fn add(&mut self, bucket: &Bucket, key: &str) {
        let folders = key.match_indices('/').map(|(at, _)| at);
        for end in folders.chain([key.len()]) {
            self.places.insert(self.random.hash_one((bucket, key[..end].trim_end_matches('/'))));
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether an object is there at the place, or below it.
    fn has(&self, bucket: &Bucket, key: &str) -> bool {
        self.places.contains(&self.random.hash_one((bucket, key.trim_end_matches('/'))))
    }

    fn has_location(&self, location: &Location) -> bool {
        location.bucket().is_some_and(|bucket| self.has(&bucket, &location.key))
    }
}

/// What became of a workflow's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenBack {
    /// So many artifacts are no longer recorded as deleted.
    Artifacts(u64),
    /// There is no such workflow any more, and so no record.
    Gone,
    /// Why its record was left as it is, although its objects are there.
    Left(String),
}

/// Removes `deleted: true` from the artifacts of a workflow whose objects are there again, if it still is the workflow
/// of the plan and has not changed since it was read.
///
/// # Errors
/// The cluster can't be read or refuses.
pub async fn take_back(
    plan: &PlannedWorkflow,
    back: &Back,
    cluster: &Cluster,
    context: &Context,
) -> Result<TakenBack, Error> {
    let is_back = plan.delete.iter().any(|object| back.has(&object.bucket, &object.key));
    let left = |why: &str| match is_back {
        true => TakenBack::Left(why.to_owned()),
        false => TakenBack::Artifacts(0),
    };
    for _ in 0..TRIES {
        let Some(text) = cluster.workflow(&plan.namespace, &plan.name).await? else {
            return Ok(if is_back { TakenBack::Gone } else { TakenBack::Artifacts(0) });
        };
        let raw: Value = serde_json::from_slice(&text).map_err(Error::new)?;
        let workflow: Workflow = serde_json::from_slice(&text).map_err(Error::new)?;
        if workflow.metadata.uid != plan.uid {
            return Ok(if is_back { TakenBack::Gone } else { TakenBack::Artifacts(0) });
        }
        let operations = removals(&raw, &workflow, back, context);
        if operations.is_empty() {
            return Ok(TakenBack::Artifacts(0));
        }
        if workflow.metadata.deletion_timestamp.is_some() {
            return Ok(left("it is being deleted, and Argo would collect what is not recorded as deleted"));
        }
        if !workflow.is_over() {
            return Ok(left("it runs again, and its record is the controller's"));
        }
        let artifacts = operations.len() as u64;
        match cluster.patch(&workflow.metadata, operations).await? {
            Patched::Conflict => {}
            Patched::Done => return Ok(TakenBack::Artifacts(artifacts)),
        }
    }
    Ok(left("it kept changing"))
}

/// Patches that remove `deleted: true` from the Pod nodes' artifacts whose objects are there again.
fn removals(raw: &Value, workflow: &Workflow, back: &Back, context: &Context) -> Vec<Value> {
    let mut operations = Vec::new();
    for (id, place, location) in pod_artifacts(workflow, context) {
        let recorded = &raw["status"]["nodes"][&id]["outputs"]["artifacts"][place]["deleted"];
        if back.has_location(&location) && *recorded == Value::Bool(true) {
            let id = id.replace('~', "~0").replace('/', "~1");
            let path = format!("/status/nodes/{id}/outputs/artifacts/{place}/deleted");
            operations.push(json!({"op": "remove", "path": path}));
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_place_is_back_with_what_is_at_it_or_below_it() {
        let (bucket, other): (Bucket, Bucket) = ("gs://b".parse().unwrap(), "gs://c".parse().unwrap());
        let mut back = Back::default();
        back.add(&bucket, "a/dir/x.tgz");
        for key in ["a/dir/x.tgz", "a/dir", "a/dir/", "a"] {
            assert!(back.has(&bucket, key) && !back.has(&other, key), "{key}");
        }
        for key in ["a/di", "a/dir/x", "a/dir/x.tgz/y", "b"] {
            assert!(!back.has(&bucket, key), "{key}");
        }
    }
}
