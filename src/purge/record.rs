//! After the objects: the workflow's own record, its finalizer, and an Event.

use crate::cluster::client::Cluster;
use crate::cluster::write::Patched;
use crate::error::Error;
use crate::purge::outcome::WorkflowUpdate;
use crate::purge::recheck::difference;
use crate::scan::lookup;
use crate::scan::lookup::Spot;
use argo_gc_core::argo::names;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::location::Location;
use argo_gc_core::model::object::ObjectFacts;
use argo_gc_core::plan::planned::PlannedWorkflow;
use argo_gc_core::plan::select::CLOCKS;
use argo_gc_core::verdict::Verdict;
use argo_gc_store::store::Store;
use argo_gc_store::types::{Depth, Reach};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Times a patch is tried again after the workflow changed in between.
const TRIES: usize = 3;

/// Places of objects, by bucket and key.
pub type Places = BTreeSet<(Bucket, Box<str>)>;

/// What is known about objects that are no longer there. That nothing is found somewhere proves no deletion: it may
/// be another storage of that name.
pub struct Proof<'a> {
    /// They were just looked for, and nothing is there. They are not looked for again.
    pub vacant: Places,
    /// The plan saw them, and they are gone.
    pub gone: Places,
    /// Addresses of artifacts that the user accepts as deleted.
    pub accepted: HashSet<&'a str>,
}

impl Proof<'_> {
    /// Returns true if the artifact that is absent was there, or is accepted as deleted.
    fn covers(&self, Spot { bucket, place }: &Spot<'_>) -> bool {
        let key = place.key.strip_suffix('/').unwrap_or(place.key);
        let below = format!("{key}/");
        let next = |from: &str| self.gone.range((bucket.clone().into_owned(), from.into())..).next();
        let is_exact = next(key).is_some_and(|(of, found)| *of == **bucket && **found == *key);
        let is_below =
            || next(&below).is_some_and(|(of, found)| *of == **bucket && found.starts_with(&below));
        is_exact
            || place.reach == Reach::Directory && is_below()
            || self.accepted.contains(bucket.uri(key).as_str())
    }
}

/// Marks what is verifiably gone, releases the finalizer if all is, and leaves an Event.
///
/// # Errors
/// The cluster can't be read or refuses; the objects are deleted anyway.
pub async fn settle(
    plan: &PlannedWorkflow,
    proof: &Proof<'_>,
    record: bool,
    (cluster, store): (&Cluster, &Store),
    context: &Context,
) -> Result<WorkflowUpdate, Error> {
    let mut settlement = WorkflowUpdate::default();
    for _ in 0..TRIES {
        let Some(text) = cluster.workflow(&plan.namespace, &plan.name).await? else {
            settlement.notes.push("the workflow is gone".to_owned());
            settlement.finalizer_absent = true;
            return Ok(settlement);
        };
        let raw: Value = serde_json::from_slice(&text).map_err(Error::new)?;
        let mut workflow: Workflow = serde_json::from_slice(&text).map_err(Error::new)?;
        // A run that continues needs its finalizer, and its record is the controller's to write.
        if let Some(why) = difference(plan, &workflow) {
            settlement.notes.push(format!("it was left as it is: {why}"));
            return Ok(settlement);
        }
        let offloaded = workflow.is_offloaded();
        let unseen = if offloaded { hydrate(&mut workflow, cluster).await } else { None };
        let patchable = workflow.status.compressed_nodes.is_empty() && !offloaded;
        let had_finalizer = workflow.has_gc_finalizer();
        let assessment = assess(&mut workflow, context);
        let absent = absences(&assessment, proof, store).await?;
        let mut operations = Vec::new();
        settlement = WorkflowUpdate { finalizer_absent: !had_finalizer, ..WorkflowUpdate::default() };
        settlement.notes.extend(unseen);
        if record && patchable {
            let gone = &absent.gone;
            operations.extend(records(&raw, &workflow, context, gone));
            settlement.recorded = operations.len() as u64;
        } else if record {
            // Nodes written into an offloaded workflow are replaced by the database's at the controller's next
            // look (workflow/hydrator@v4.1.2), and until then make the object too large.
            let are = if offloaded { "in the controller's database" } else { "compressed" };
            settlement.notes.push(format!("its nodes are {are}, so nothing was recorded in it"));
        }
        if plan.release_finalizer && had_finalizer {
            match absent.obstacle() {
                None => {
                    let at = workflow.metadata.finalizers.iter().position(|name| name == names::GC_FINALIZER);
                    let path = format!("/metadata/finalizers/{}", at.unwrap_or_default());
                    operations.push(json!({"op": "test", "path": path, "value": names::GC_FINALIZER}));
                    operations.push(json!({"op": "remove", "path": path}));
                    settlement.finalizer_released = true;
                }
                Some(obstacle) => {
                    settlement.unproved = absent.unproved.len() as u64;
                    settlement.notes.push(format!("the finalizer is kept: {obstacle}"));
                }
            }
        }
        settlement.stranded = record && !patchable && had_finalizer && !settlement.finalizer_released;
        if operations.is_empty() {
            return Ok(settlement);
        }
        match cluster.patch(&workflow.metadata, operations).await? {
            Patched::Conflict => {}
            Patched::Done => return Ok(settlement),
        }
    }
    let notes = vec!["it kept changing, so nothing was recorded in it".to_owned()];
    Ok(WorkflowUpdate { notes, ..WorkflowUpdate::default() })
}

/// Lets the Argo server fill the nodes in; says why it can't. Unseen nodes keep the finalizer.
async fn hydrate(workflow: &mut Workflow, cluster: &Cluster) -> Option<String> {
    let nodes = cluster.argo_server()?.nodes(workflow).await;
    match nodes {
        Ok(nodes) => {
            workflow.status.nodes = nodes;
            None
        }
        Err(error) => Some(format!("its nodes can't be read: {}", error.brief())),
    }
}

/// What of a workflow's artifacts is in storage.
#[derive(Default)]
struct Absences {
    gone: HashSet<Location>,
    /// Artifacts Argo was asked to collect that exist, or of which it is unknown.
    present: Vec<String>,
    /// Artifacts Argo was asked to collect that are absent without any record of their deletion.
    unproved: Vec<String>,
}

impl Absences {
    /// Says why not all that Argo was asked to collect is deleted; none if it is.
    fn obstacle(&self) -> Option<String> {
        let count = |artifacts: &[String], why: &str| {
            let first = artifacts.first()?;
            Some(format!("{} of its artifacts {why}, such as {first}", artifacts.len()))
        };
        let unproved = match self.unproved.len() {
            1 => "is not in storage, and nothing records that it was deleted",
            _ => "are not in storage, and nothing records that they were deleted",
        };
        count(&self.present, "could not be verified as gone").or_else(|| count(&self.unproved, unproved))
    }
}

/// Looks for every artifact that some strategy asks to collect.
async fn absences(assessment: &Assessment, proof: &Proof<'_>, store: &Store) -> Result<Absences, Error> {
    let mut absences = Absences::default();
    for finding in assessment.findings.iter().filter(|finding| finding.verdict == Verdict::Unknown) {
        absences.present.push(finding.reason.code().to_owned());
    }
    let mut found = look(assessment, &proof.vacant, store).await?;
    for (at, artifact) in assessment.artifacts.iter().enumerate() {
        let asked = artifact.strategy.asks_for_collection();
        let collected = artifact.verdict == Verdict::Collected;
        let Some(location) = &artifact.location else {
            // Never saved, so there is nothing to be gone; anything else is unknown.
            if asked && !collected && artifact.reason != Some(argo_gc_core::reason::Reason::UnsavedInOutputs)
            {
                absences.present.push(format!("{} (no certain location)", artifact.name));
            }
            continue;
        };
        let (looked, mut found) = found.remove(&at).map_or((false, Vec::new()), |found| (true, found));
        if collected {
            // Argo says it is gone: what was written there after the run is another's.
            let ours = |created: Timestamp| {
                assessment.finished_at.is_none_or(|end| created.duration_since(end) <= CLOCKS)
            };
            found.retain(|object| object.created.is_none_or(ours));
            if asked && !found.is_empty() {
                absences.present.push(location.to_string());
            }
        } else if looked && found.is_empty() {
            match Spot::of(artifact).is_some_and(|spot| proof.covers(&spot)) {
                true => drop(absences.gone.insert(location.clone())),
                false if asked => absences.unproved.push(location.to_string()),
                false => {}
            }
        } else if asked {
            absences.present.push(location.to_string());
        }
    }
    Ok(absences)
}

/// The objects of the artifacts whose places are certain, by the number of the artifact.
async fn look(
    assessment: &Assessment,
    vacant: &Places,
    store: &Store,
) -> Result<HashMap<usize, Vec<ObjectFacts>>, Error> {
    let mut found = HashMap::new();
    let (mut numbers, mut spots) = (Vec::new(), Vec::new());
    for (at, artifact) in assessment.artifacts.iter().enumerate() {
        let Some(spot) = Spot::of(artifact) else { continue };
        // A directory may hold more objects than were planned.
        let place = || (spot.bucket.clone().into_owned(), Box::from(spot.place.key));
        if spot.place.reach == Reach::Key && vacant.contains(&place()) {
            found.insert(at, Vec::new());
        } else {
            numbers.push(at);
            spots.push(spot);
        }
    }
    let objects = lookup::objects(store, &spots, Depth::Listed).await;
    for (at, objects) in numbers.into_iter().zip(objects) {
        found.insert(at, objects?);
    }
    Ok(found)
}

/// Patches that set `deleted: true` on the Pod nodes' artifacts whose objects are gone.
fn records(raw: &Value, workflow: &Workflow, context: &Context, gone: &HashSet<Location>) -> Vec<Value> {
    let mut operations = Vec::new();
    for (id, place, location) in argo_gc_core::assess::records::pod_artifacts(workflow, context) {
        let artifact = &raw["status"]["nodes"][&id]["outputs"]["artifacts"][place];
        if gone.contains(&location) && artifact.is_object() && artifact["deleted"] != Value::Bool(true) {
            let id = id.replace('~', "~0").replace('/', "~1");
            let path = format!("/status/nodes/{id}/outputs/artifacts/{place}/deleted");
            operations.push(json!({"op": "add", "path": path, "value": true}));
        }
    }
    operations
}

/// Says on the workflow what was done. That it can't be said changes nothing.
pub async fn announce(
    plan: &PlannedWorkflow,
    deleted: usize,
    settlement: &WorkflowUpdate,
    cluster: &Cluster,
    now: Timestamp,
) {
    let finalizer = if settlement.finalizer_released { "; released the artifact-gc finalizer" } else { "" };
    let message = format!("kubectl argo-gc deleted {deleted} artifact objects{finalizer}");
    let meta = argo_gc_core::argo::meta::Meta {
        name: plan.name.clone(),
        namespace: plan.namespace.clone(),
        uid: plan.uid.clone(),
        ..argo_gc_core::argo::meta::Meta::default()
    };
    if let Err(error) = cluster.event(&meta, &message, now).await {
        tracing::debug!(%error, "no Event was recorded");
    }
}
