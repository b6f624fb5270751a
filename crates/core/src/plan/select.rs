//! Selects the artifacts of a workflow that are candidates for deletion, by all guards that need no storage.

use crate::model::assessment::{ArtifactReport, Assessment};
use crate::model::bucket::Bucket;
use crate::model::engine::StorageEngine;
use crate::model::location::Location;
use crate::model::object::is_safe;
use crate::model::protection::Protection;
use crate::plan::choice::Choice;
use crate::plan::claim::Claimant;
use crate::plan::decide::{Candidate, NamedKey, Objection, Selected, claimed};
use crate::plan::kubeflow::has_shape;
use crate::plan::planned::{ObjectPlace, PlannedWorkflow};
use crate::plan::retention::Filter;
use crate::plan::rules::{Rules, Unwanted};
use crate::reason::Reason;
use crate::verdict::{Finalizer, Verdict, When};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};

/// The tolerated difference between the clocks of this machine, the cluster and storage.
pub const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// Facts about a workflow that its assessment does not hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    pub terminal: bool,
    pub completed_label: Option<bool>,
    pub started_at: Option<Timestamp>,
    /// The object that carries the pin, if there is one: the workflow, its template or its namespace.
    pub pinned: Option<&'static str>,
    /// True if the user selected the workflow by name.
    pub named: bool,
    /// True if the workflow carries labels of Kubeflow Pipelines.
    pub kubeflow: bool,
    /// True if a GC pod of the workflow is pending or running.
    pub gc_pod_at_work: bool,
    /// The artifacts that the retention policy permits to delete.
    pub filter: Filter<'a>,
}

/// Returns why an artifact of a selected workflow is not asked for, if there is a reason.
pub fn unwanted(artifact: &ArtifactReport, about: &Circumstances, rules: &Rules) -> Option<Unwanted> {
    rules.unwanted(artifact).or_else(|| (!about.filter.takes(artifact)).then_some(Unwanted::Policy))
}

/// Applies all guards that need only the workflow.
pub fn select(assessment: &Assessment, about: &Circumstances, rules: &Rules) -> Selected {
    let mut selected = Selected {
        plan: PlannedWorkflow {
            namespace: assessment.namespace.clone(),
            name: assessment.name.clone(),
            uid: assessment.uid.clone(),
            phase: assessment.phase.clone(),
            finished_at: assessment.finished_at,
            archived: assessment.archived,
            ..PlannedWorkflow::default()
        },
        candidates: Vec::new(),
        given_up: Vec::new(),
        kept_elsewhere: HashSet::new(),
        started_at: about.started_at,
        bound: None,
    };
    let wants = |artifact: &&ArtifactReport| unwanted(artifact, about, rules).is_none();
    let wanted: Vec<&ArtifactReport> = assessment.artifacts.iter().filter(wants).collect();
    if let Some(objection) = guard(assessment, about, rules) {
        if rules.names_needed && objection.protection == Protection::Pinned {
            // What its key gives to others is not its own to hold.
            let claimant = Claimant::from(&selected.plan);
            let own =
                |candidate: &Candidate| claimed(rules, claimant, &candidate.bucket, &candidate.key).is_none();
            let places =
                wanted.iter().filter_map(|artifact| candidate(artifact, rules, None).ok()).filter(own);
            let place = |Candidate { bucket, key, .. }| ObjectPlace { bucket, key };
            selected.plan.needed = places.map(place).collect();
        }
        if !wanted.is_empty() || has_unseen_nodes(assessment) {
            selected.plan.keep.push(objection.keep(String::new(), ""));
        }
        return selected;
    }
    selected.plan.release_finalizer = rules.release_finalizer && !assessment.archived && hangs(assessment);
    for artifact in &assessment.artifacts {
        if let (Verdict::Collected, Some(location)) = (artifact.verdict, &artifact.location) {
            selected.given_up.push(NamedKey::new(&location.bucket, &location.key));
        }
    }
    for artifact in wanted {
        let last = selected.candidates.last().map(|candidate| &candidate.bucket);
        match chosen(artifact, about, rules, (&selected.plan).into(), last) {
            Ok(candidate) => selected.candidates.push(candidate),
            Err(objection) => {
                let location = artifact.location.as_ref().map(ToString::to_string).unwrap_or_default();
                selected.plan.keep.push(objection.keep(location, &artifact.name));
            }
        }
    }
    selected.kept_elsewhere = kept_elsewhere(assessment, &selected);
    selected
}

/// Returns what becomes of one artifact of a selected workflow, as [`select`] has it.
pub(crate) fn choice(
    assessment: &Assessment,
    artifact: &ArtifactReport,
    about: &Circumstances,
    rules: &Rules,
) -> Choice {
    if let Some(why) = unwanted(artifact, about, rules) {
        return Choice::NotAskedFor { why };
    }
    let claimant =
        Claimant { namespace: &assessment.namespace, name: &assessment.name, uid: &assessment.uid };
    let objection = match guard(assessment, about, rules) {
        Some(objection) => Err(objection),
        None => chosen(artifact, about, rules, claimant, None),
    };
    match objection {
        Ok(_) => Choice::Candidate,
        Err(Objection { protection, detail }) => Choice::Kept { protection, detail },
    }
}

/// Makes a candidate of an artifact that is asked for, or returns the objection to it.
fn chosen(
    artifact: &ArtifactReport,
    about: &Circumstances,
    rules: &Rules,
    claimant: Claimant<'_>,
    last: Option<&Bucket>,
) -> Result<Candidate, Objection> {
    let candidate = candidate(artifact, rules, last)?;
    if let Some(objection) = claimed(rules, claimant, &candidate.bucket, &candidate.key) {
        return Err(objection);
    }
    match has_shape(&candidate.key) && !about.named {
        true => Err(Objection::new(Protection::Kubeflow, "")),
        false => Ok(candidate),
    }
}

/// Returns true if the workflow's nodes, and so its artifacts, can't be read.
fn has_unseen_nodes(assessment: &Assessment) -> bool {
    assessment.findings.iter().any(|finding| Reason::UNSEEN.contains(&finding.reason))
}

/// Returns the storage of a location, independent of how the location spells it.
fn storage<'a>(location: &'a Location, place: Option<&'a Bucket>) -> (StorageEngine, &'a str) {
    place.map_or((location.engine, &location.endpoint), |bucket| (bucket.engine(), bucket.endpoint()))
}

/// Returns the keys that the workflow keeps in one storage and gives up in another.
pub(crate) fn kept_elsewhere(assessment: &Assessment, selected: &Selected) -> HashSet<NamedKey> {
    let mut kept = HashSet::new();
    // Nearly every workflow uses only one storage.
    let mut storages = assessment.artifacts.iter().filter_map(|artifact| artifact.location.as_ref());
    let first = storages.next();
    if storages.all(|other| {
        first.is_some_and(|first| (first.engine, &first.endpoint) == (other.engine, &other.endpoint))
    }) {
        return kept;
    }
    let mut given: HashMap<(&str, &str), HashSet<(StorageEngine, &str)>> = HashMap::new();
    for Candidate { bucket, key, .. } in &selected.candidates {
        given.entry((bucket.name(), key)).or_default().insert((bucket.engine(), bucket.endpoint()));
    }
    let collected = assessment.artifacts.iter().filter(|artifact| artifact.verdict == Verdict::Collected);
    let given_up: Vec<&Location> = collected.filter_map(|artifact| artifact.location.as_ref()).collect();
    let places: Vec<Option<Bucket>> = given_up.iter().map(|location| location.bucket()).collect();
    for (location, place) in given_up.into_iter().zip(&places) {
        let key = location.key.strip_suffix('/').unwrap_or(&location.key);
        given.entry((&location.bucket, key)).or_default().insert(storage(location, place.as_ref()));
    }
    for artifact in assessment.artifacts.iter().filter(|artifact| artifact.verdict != Verdict::Collected) {
        let Some(location) = &artifact.location else { continue };
        let key = location.key.strip_suffix('/').unwrap_or(&location.key);
        let Some(storages) = given.get(&(location.bucket.as_str(), key)) else { continue };
        let place = location.bucket();
        if !storages.contains(&storage(location, place.as_ref())) {
            kept.insert(NamedKey::new(&location.bucket, key));
        }
    }
    kept
}

/// Returns true if the finalizer is stuck, or holds up a deletion although nothing is left to collect. One that holds up
/// nothing is Argo's own to remove.
pub fn hangs(assessment: &Assessment) -> bool {
    let open = |artifact: &ArtifactReport| {
        artifact.strategy.asks_for_collection() && artifact.verdict != Verdict::Collected
    };
    match assessment.finalizer {
        Finalizer::Absent => false,
        Finalizer::Stuck => true,
        Finalizer::Present => {
            assessment.deletion_timestamp.is_some() && !assessment.artifacts.iter().any(open)
        }
    }
}

/// Returns the protection that keeps the whole workflow, if there is one.
fn guard(assessment: &Assessment, about: &Circumstances, rules: &Rules) -> Option<Objection> {
    let no_detail = |protection| Some(Objection::new(protection, ""));
    if assessment.archived && !rules.archived {
        return no_detail(Protection::Archived);
    }
    // The controller sets the label together with the phase, so if they differ it is not done with the
    // workflow.
    if !about.terminal || about.completed_label == Some(false) {
        let phase = if assessment.phase.is_empty() { "no phase yet" } else { &assessment.phase };
        return Some(Objection::new(Protection::NotFinished, phase.to_owned()));
    }
    let Some(finished) = assessment.finished_at else {
        return Some(Objection::new(Protection::NotFinished, "no finish time is recorded".to_owned()));
    };
    if rules.now.duration_since(finished) < rules.grace {
        return Some(Objection::new(Protection::JustFinished, format!("finished at {finished}")));
    }
    if has_unseen_nodes(assessment) {
        return no_detail(Protection::NodesUnseen);
    }
    if let Some(place) = about.pinned {
        return Some(Objection::new(Protection::Pinned, format!("on the {place}")));
    }
    if about.kubeflow && !about.named {
        return no_detail(Protection::Kubeflow);
    }
    if assessment.phase != "Succeeded" && !rules.failed_too && !about.named {
        return no_detail(Protection::FailedRun);
    }
    // A pod that a sidecar holds has done its work.
    let waits = |artifact: &&ArtifactReport| {
        matches!(artifact.reason, Some(Reason::GcPodPending | Reason::GcPodHung))
    };
    let waiting = assessment.artifacts.iter().find(waits);
    let due = assessment.artifacts.iter().any(|artifact| artifact.when == Some(When::Now));
    if about.gc_pod_at_work || due || waiting.is_some() {
        let mut told = waiting.iter().flat_map(|artifact| &artifact.evidence);
        let since = told.find(|evidence| evidence.field.ends_with(" since"));
        let detail = since.map(|evidence| format!("{} {}", evidence.field, evidence.value));
        return Some(Objection::new(Protection::GcActive, detail.unwrap_or_default()));
    }
    None
}

/// Makes a candidate of an artifact, or returns the objection to it. `last` is the bucket of the previous candidate: if it is the same bucket, both share its name in
/// memory.
pub(crate) fn candidate(
    artifact: &ArtifactReport,
    rules: &Rules,
    last: Option<&Bucket>,
) -> Result<Candidate, Objection> {
    let object = |protection, detail: &str| Err(Objection::new(protection, detail));
    let Some(location) = &artifact.location else {
        return object(Protection::NoCertainLocation, &artifact.location_problem);
    };
    for note in &artifact.notes {
        match note.reason {
            Reason::MemoHit => return object(Protection::MemoHit, &note.detail),
            Reason::ResubmitMemoized => return object(Protection::ResubmitMemoized, &note.detail),
            _ => {}
        }
    }
    if let Some(reason) = uncertainty(artifact) {
        return object(Protection::NoCertainLocation, reason.code());
    }
    let Some(bucket) = location.bucket() else {
        return object(Protection::UnsupportedEngine, location.engine.as_str());
    };
    // The key of an S3 directory may end with a slash.
    let key = location.key.strip_suffix('/').unwrap_or(&location.key);
    let only_below = key != location.key;
    if !is_safe(key) {
        return object(Protection::NoCertainLocation, "the key is no plain path");
    }
    if only_below && !artifact.unarchived {
        return object(Protection::NoCertainLocation, "the key is a directory's, and an archive was saved");
    }
    if !rules.allowed.covers(&bucket, key) {
        return object(Protection::ForeignLocation, &bucket.to_string());
    }
    Ok(Candidate {
        name: artifact.name.as_str().into(),
        node_id: artifact.node_id.as_str().into(),
        reason: match artifact.verdict {
            Verdict::Collected => Reason::DeletedButPresent.code(),
            _ => artifact.reason.map_or("", Reason::code),
        }
        .into(),
        bucket: last.filter(|last| **last == bucket).cloned().unwrap_or(bucket),
        key: key.into(),
        unarchived: artifact.unarchived,
        only_below,
    })
}

/// Returns the reason why the artifact may not be stored at its location, if there is one. The location is
/// derived from the template's archive location, so where that is uncertain, so is the location.
pub fn uncertainty(artifact: &ArtifactReport) -> Option<Reason> {
    let noted = artifact.notes.iter().map(|note| note.reason);
    let uncertain = |reason: &Reason| *reason == Reason::ArchiveLocationMixup;
    noted.chain(artifact.reason).find(uncertain)
}

#[cfg(test)]
mod tests;
