//! The plan: exactly which objects go, and which stay and why. Pure: facts come in, decisions go out.

use super::location::{Bucket, StorageEngine};
use super::reference::{References, Referrer, Released};
use super::report::{ArtifactReport, Assessment, Finalizer, When};
use super::retention::{Bound, Filter, Newest, Retention};
use super::{Location, Protection, Reason, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How far the clocks of this machine, the cluster and storage may be apart.
pub const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// One object as the storage lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    pub key: String,
    /// What a delete is pinned by: a GCS generation, or an ETag (of S3 with the time it was written).
    pub generation: String,
    /// Bytes.
    pub size: u64,
    pub created: Option<Timestamp>,
    pub storage_class: Arc<str>,
    /// Base64, as GCS gives it; empty when unknown.
    pub crc32c: String,
    /// The hold or retention that forbids deletion.
    pub held: Option<String>,
}

/// An object to be deleted. There may be a million: what many have in common is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedObject {
    pub bucket: Bucket,
    pub key: Box<str>,
    pub generation: Box<str>,
    /// Bytes.
    pub size: u64,
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub storage_class: Arc<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub crc32c: Box<str>,
    pub artifact: Arc<str>,
    pub node_id: Arc<str>,
    /// The verdict's reason code.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub reason: Cow<'static, str>,
    /// Other selected workflows that refer to it, and give it up: none of them may have run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<Sharer>,
}

/// A workflow that shares an object with the one it is planned for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sharer {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The object or artifact; empty for a whole workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact: String,
    pub protection: Protection,
    /// What in particular: the referrer, the time, the hold.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// One workflow's share of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWorkflow {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub phase: String,
    pub finished_at: Option<Timestamp>,
    pub delete: Vec<PlannedObject>,
    pub keep: Vec<Kept>,
    /// Addresses of artifacts of which nothing is left in storage.
    pub absent: Vec<String>,
    /// No workflow at all: objects that no record refers to, by the name in their keys.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orphans: bool,
    /// Its stuck finalizer goes once all its artifacts are verifiably gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release_finalizer: bool,
}

impl PlannedWorkflow {
    /// Bytes to be deleted.
    pub fn bytes(&self) -> u64 {
        self.delete.iter().map(|object| object.size).sum()
    }
}

/// Who may be purged, and how carefully.
#[derive(Debug, Clone)]
pub struct Rules {
    pub now: Timestamp,
    /// Time after the end of a run in which a retry is to be expected.
    pub grace: SignedDuration,
    /// How far clocks of cluster and storage may be apart, and a late upload may lag.
    pub margin: SignedDuration,
    /// Failed runs were asked for by phase or name.
    pub failed_too: bool,
    pub verdicts: Vec<Verdict>,
    /// Only these reasons; empty for all.
    pub reasons: Vec<Reason>,
    pub only: Option<Class>,
    /// Finalizers that nothing else will take away are to be released.
    pub release_finalizer: bool,
    /// Only buckets of these names; empty for all.
    pub buckets: Vec<String>,
    pub allowed: Allowed,
    /// What keeps runs that all else would let go.
    pub retention: Option<Arc<Retention>>,
}

/// A class of artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Logs,
    Artifacts,
}

/// Where deleting is allowed: buckets with a key prefix.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// A prefix ends in `/`, or is empty, or is a whole key.
    places: Vec<(Bucket, String)>,
    /// The user vouches for every place: a local directory of buckets.
    everywhere: bool,
}

impl Allowed {
    /// Every place.
    pub fn everywhere() -> Self {
        Self { everywhere: true, ..Self::default() }
    }

    /// Adds a bucket with the constant beginning of the keys that are written there.
    pub fn add(&mut self, bucket: Bucket, prefix: impl Into<String>) {
        self.places.push((bucket, prefix.into()));
    }

    /// No place at all.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && !self.everywhere
    }

    /// Whether the object may be deleted at all. Prefixes end at a path boundary (danger 2).
    pub fn covers(&self, bucket: &Bucket, key: &str) -> bool {
        self.everywhere
            || self.places.iter().any(|(allowed, prefix)| {
                let inside = key.strip_prefix(prefix.as_str());
                let whole = |rest: &str| {
                    prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
                };
                allowed == bucket && inside.is_some_and(whole)
            })
    }
}

/// The constant beginning of the keys a key format makes, cut at a path boundary.
pub fn constant_prefix(format: &str) -> &str {
    let constant = &format[..format.find("{{").unwrap_or(format.len())];
    &constant[..constant.rfind('/').map_or(0, |at| at + 1)]
}

/// An artifact the user asked to purge, past all guards that need no storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    pub name: Box<str>,
    pub node_id: Box<str>,
    /// The verdict's reason code.
    pub reason: Cow<'static, str>,
    pub bucket: Bucket,
    pub key: Box<str>,
    /// Saved as it was, so perhaps a directory.
    pub unarchived: bool,
    /// Named with its slash: an object of the bare name is another's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_below: bool,
}

/// A selected workflow with its candidates, until storage was asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Selected {
    pub plan: PlannedWorkflow,
    pub candidates: Vec<Candidate>,
    /// Locations it gives up besides, by bucket and key: what Argo recorded deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<(Box<str>, Box<str>)>,
    /// Names of buckets with keys that it also has in another storage, and keeps there: references know names only.
    #[serde(default, skip_serializing_if = "HashSet::is_empty")]
    kept_elsewhere: HashSet<(String, String)>,
    started_at: Option<Timestamp>,
    /// What the retention policy says of it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// What of the workflow is to be known besides its assessment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    pub terminal: bool,
    pub completed_label: Option<bool>,
    pub started_at: Option<Timestamp>,
    /// Pinned on it, its template or its namespace: where.
    pub pinned: Option<&'static str>,
    /// The user gave its name.
    pub named: bool,
    /// A GC pod of it is pending or running.
    pub gc_pod_at_work: bool,
    /// Which of its artifacts the retention policy lets go.
    pub filter: Filter<'a>,
}

/// Applies all guards that need the workflow only.
pub fn select(assessment: &Assessment, about: &Circumstances, rules: &Rules) -> Selected {
    let mut selected = Selected {
        plan: PlannedWorkflow {
            namespace: assessment.namespace.clone(),
            name: assessment.name.clone(),
            uid: assessment.uid.clone(),
            phase: assessment.phase.clone(),
            finished_at: assessment.finished_at,
            delete: Vec::new(),
            keep: Vec::new(),
            absent: Vec::new(),
            orphans: false,
            release_finalizer: false,
        },
        candidates: Vec::new(),
        given_up: Vec::new(),
        kept_elsewhere: HashSet::new(),
        started_at: about.started_at,
        bound: None,
    };
    let wants = |artifact: &&ArtifactReport| rules.wants(artifact) && about.filter.takes(artifact);
    let wanted: Vec<&ArtifactReport> = assessment.artifacts.iter().filter(wants).collect();
    let unseen = assessment
        .findings
        .iter()
        .any(|f| matches!(f.reason, Reason::NodesOffloaded | Reason::NodesUnreadable));
    if let Some((protection, detail)) = guard(assessment, about, rules, unseen) {
        if !wanted.is_empty() || unseen {
            selected.plan.keep.push(Kept {
                location: String::new(),
                artifact: String::new(),
                protection,
                detail,
            });
        }
        return selected;
    }
    selected.plan.release_finalizer = rules.release_finalizer && is_releasable(assessment);
    for artifact in &assessment.artifacts {
        if let (Verdict::Collected, Some(location)) = (artifact.verdict, &artifact.location) {
            selected.given_up.push((location.bucket.as_str().into(), location.key.as_str().into()));
        }
    }
    for artifact in wanted {
        let last = selected.candidates.last().map(|candidate| &candidate.bucket);
        match candidate(artifact, rules, last) {
            Ok(candidate) => selected.candidates.push(candidate),
            Err(None) => {}
            Err(Some((protection, detail))) => selected.plan.keep.push(Kept {
                location: artifact.location.as_ref().map(ToString::to_string).unwrap_or_default(),
                artifact: artifact.name.clone(),
                protection,
                detail,
            }),
        }
    }
    selected.kept_elsewhere = kept_elsewhere(assessment, &selected);
    selected
}

/// Which storage a location is in, however it is spelled.
fn storage<'a>(location: &'a Location, place: Option<&'a Bucket>) -> (StorageEngine, &'a str) {
    place.map_or((location.engine, &location.endpoint), |bucket| (bucket.engine(), bucket.endpoint()))
}

/// What the workflow keeps in one storage under a name and key that it gives up in another.
fn kept_elsewhere(assessment: &Assessment, selected: &Selected) -> HashSet<(String, String)> {
    let mut kept = HashSet::new();
    // Nearly every workflow has one storage only.
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
            kept.insert((location.bucket.clone(), key.to_owned()));
        }
    }
    kept
}

/// Whether nothing but us will, or need, wait before the finalizer goes: it is stuck, or all was collected.
fn is_releasable(assessment: &Assessment) -> bool {
    let open = |artifact: &ArtifactReport| {
        artifact.strategy.asks_for_collection() && artifact.verdict != Verdict::Collected
    };
    match assessment.finalizer {
        Finalizer::Absent => false,
        Finalizer::Stuck => true,
        Finalizer::Present => !assessment.artifacts.iter().any(open),
    }
}

type Objection = (Protection, String);

/// Why nothing of the workflow may go.
fn guard(assessment: &Assessment, about: &Circumstances, rules: &Rules, unseen: bool) -> Option<Objection> {
    let no_detail = |protection| Some((protection, String::new()));
    if assessment.archived {
        return no_detail(Protection::Archived);
    }
    // The controller sets the label with the phase; where they differ it isn't done with the workflow.
    if !about.terminal || about.completed_label == Some(false) {
        let phase = if assessment.phase.is_empty() { "no phase yet" } else { &assessment.phase };
        return Some((Protection::NotFinished, phase.to_owned()));
    }
    let Some(finished) = assessment.finished_at else {
        return Some((Protection::NotFinished, "no finish time is recorded".to_owned()));
    };
    if rules.now.duration_since(finished) < rules.grace {
        return Some((Protection::JustFinished, format!("finished at {finished}")));
    }
    if unseen {
        return no_detail(Protection::NodesUnseen);
    }
    if let Some(place) = about.pinned {
        return Some((Protection::Pinned, format!("on the {place}")));
    }
    if assessment.phase != "Succeeded" && !rules.failed_too && !about.named {
        return no_detail(Protection::FailedRun);
    }
    let due = assessment
        .artifacts
        .iter()
        .any(|artifact| artifact.when == Some(When::Now) || artifact.reason == Some(Reason::GcPodPending));
    if about.gc_pod_at_work || due {
        return no_detail(Protection::GcActive);
    }
    None
}

/// Makes a candidate of an artifact; no objection stands for one that isn't asked for. There may be many in one
/// bucket, `last`, whose name is held once.
fn candidate(
    artifact: &ArtifactReport,
    rules: &Rules,
    last: Option<&Bucket>,
) -> Result<Candidate, Option<Objection>> {
    let object = |protection, detail: &str| Err(Some((protection, detail.to_owned())));
    let Some(location) = &artifact.location else {
        return object(Protection::NoCertainLocation, &artifact.location_problem);
    };
    if !rules.buckets.is_empty() && !rules.buckets.contains(&location.bucket) {
        return Err(None);
    }
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
    // A directory of S3 may be named with its slash.
    let key = location.key.strip_suffix('/').unwrap_or(&location.key);
    let only_below = key != location.key;
    if !is_safe(key) {
        return object(Protection::NoCertainLocation, "the key is no plain path");
    }
    if only_below && !artifact.unarchived {
        return object(Protection::NoCertainLocation, "the key is a directory's, and an archive was saved");
    }
    if !rules.allowed.covers(&bucket, key) {
        return object(Protection::ForeignLocation, &format!("--repository {bucket} allows it"));
    }
    Ok(Candidate {
        name: artifact.name.as_str().into(),
        node_id: artifact.node_id.as_str().into(),
        reason: artifact.reason.map_or("", Reason::code).into(),
        bucket: last.filter(|last| **last == bucket).cloned().unwrap_or(bucket),
        key: key.into(),
        unarchived: artifact.unarchived,
        only_below,
    })
}

/// Why the artifact may lie elsewhere than its location says: the template's archive location is not what it
/// says, so neither is ours.
pub fn uncertainty(artifact: &ArtifactReport) -> Option<Reason> {
    let noted = artifact.notes.iter().map(|note| note.reason);
    let uncertain =
        |reason: &Reason| matches!(reason, Reason::ParamArchiveLocation | Reason::ArchiveLocationMixup);
    noted.chain(artifact.reason).find(uncertain)
}

/// A key that is a path below the bucket's root and nothing else (danger 13).
pub fn is_safe(key: &str) -> bool {
    !key.is_empty()
        && !key.contains("{{")
        && !key.starts_with('/')
        && !key.contains('\0')
        && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl Rules {
    /// Rules under which nothing goes: for gathering references alone.
    pub fn none(now: Timestamp) -> Self {
        Self {
            now,
            grace: SignedDuration::MAX,
            margin: SignedDuration::ZERO,
            failed_too: false,
            verdicts: Vec::new(),
            reasons: Vec::new(),
            only: None,
            release_finalizer: false,
            buckets: Vec::new(),
            allowed: Allowed::default(),
            retention: None,
        }
    }

    fn wants(&self, artifact: &ArtifactReport) -> bool {
        let class = if artifact.logs { Class::Logs } else { Class::Artifacts };
        self.verdicts.contains(&artifact.verdict)
            && (self.reasons.is_empty()
                || artifact.reason.is_some_and(|reason| self.reasons.contains(&reason)))
            && self.only.is_none_or(|only| only == class)
    }
}

impl Candidate {
    /// Its address.
    pub fn uri(&self) -> String {
        self.bucket.uri(&self.key)
    }
}

impl Selected {
    /// Whether there is anything to ask storage about.
    pub fn has_candidates(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Tells the references what this workflow gives up.
    pub fn release(&self, released: &mut Released) {
        if self.candidates.is_empty() {
            return;
        }
        let uid = &self.plan.uid;
        released.workflow(uid);
        let mut place = |bucket: &str, key: &str| {
            if self.kept_elsewhere.is_empty()
                || !self.kept_elsewhere.contains(&(bucket.to_owned(), key.to_owned()))
            {
                released.place(uid, bucket, key);
            }
        };
        for candidate in &self.candidates {
            place(candidate.bucket.name(), &candidate.key);
        }
        for (bucket, key) in &self.given_up {
            place(bucket, key);
        }
    }

    /// Takes all of it back if the retention policy keeps it: it gives up nothing then, so that what it refers to
    /// stays as well.
    pub fn retain(&mut self, newest: &Newest) {
        let Some(bound) = self.bound.take() else { return };
        let Some(detail) = bound.keeps(self.plan.finished_at, newest) else { return };
        if !self.has_candidates() && !self.plan.release_finalizer {
            // Either a guard was there before, or there is nothing to take.
            return;
        }
        self.candidates.clear();
        self.given_up.clear();
        self.plan.release_finalizer = false;
        let (location, artifact) = (String::new(), String::new());
        self.plan.keep = vec![Kept { location, artifact, protection: Protection::Retained, detail }];
    }

    /// Decides about one candidate's objects, as storage showed them.
    pub fn decide(
        &mut self,
        at: usize,
        mut objects: Vec<ObjectFacts>,
        references: &References,
        released: &Released,
        rules: &Rules,
    ) {
        let Some(candidate) = self.candidates.get(at) else { return };
        let Candidate { bucket, key, only_below, .. } = candidate;
        objects.retain(|object| !*only_below || *object.key != **key);
        if objects.is_empty() {
            self.plan.absent.push(candidate.uri());
            return;
        }
        let (artifact, node_id): (Arc<str>, Arc<str>) =
            (candidate.name.as_ref().into(), candidate.node_id.as_ref().into());
        for facts in objects {
            debug_assert!(is_within(&facts.key, key));
            let objection = if !is_within(&facts.key, key) || !is_safe(facts.key.trim_end_matches('/')) {
                Some((
                    Protection::NoCertainLocation,
                    "the storage listed it, but it is no part of the artifact".to_owned(),
                ))
            } else {
                self.object(&facts, (bucket.name(), key), references, released, rules)
            };
            match objection {
                Some((protection, detail)) => self.plan.keep.push(Kept {
                    location: bucket.uri(&facts.key),
                    artifact: candidate.name.to_string(),
                    protection,
                    detail,
                }),
                None => self.plan.delete.push(PlannedObject {
                    shared_with: sharers(references, bucket.name(), &facts.key, &self.plan.uid),
                    bucket: bucket.clone(),
                    key: facts.key.into(),
                    generation: facts.generation.into(),
                    size: facts.size,
                    created: facts.created,
                    storage_class: facts.storage_class,
                    crc32c: facts.crc32c.into(),
                    artifact: Arc::clone(&artifact),
                    node_id: Arc::clone(&node_id),
                    reason: candidate.reason.clone(),
                }),
            }
        }
    }

    /// Why the object may not go.
    fn object(
        &self,
        facts: &ObjectFacts,
        (bucket, artifact): (&str, &str),
        references: &References,
        released: &Released,
        rules: &Rules,
    ) -> Option<Objection> {
        if let Some(hold) = &facts.held {
            return Some((Protection::Held, hold.clone()));
        }
        if let Some(holder) = references.holder_within(bucket, &facts.key, artifact, released) {
            return Some((Protection::Referenced, format!("by {}", holder.name)));
        }
        let Some(created) = facts.created else { return Some((Protection::AgeUnknown, String::new())) };
        let written = || format!("written {created}");
        if self.plan.finished_at.is_none_or(|end| created.duration_since(end) > rules.margin) {
            return Some((Protection::NewerThanRun, written()));
        }
        if self.started_at.is_none_or(|start| start.duration_since(created) > rules.margin) {
            return Some((Protection::OlderThanRun, written()));
        }
        None
    }
}

/// The other workflows that refer to an object.
fn sharers(references: &References, bucket: &str, key: &str, uid: &str) -> Vec<Sharer> {
    let others = references.others(bucket, key, uid).into_iter();
    let sharer = |other: &Referrer| {
        let (namespace, name) = other.workflow()?;
        Some(Sharer { namespace: namespace.to_owned(), name: name.to_owned(), uid: other.uid.clone() })
    };
    others.filter_map(sharer).collect()
}

/// The exact key, or something below it; never a mere beginning (danger 2).
pub fn is_within(object: &str, key: &str) -> bool {
    object.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;
    use crate::argo::Use;
    use crate::gc::reference::{Buckets, Gathering};
    use proptest::prelude::*;

    const HOUR: i64 = 3600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(hours * HOUR)
    }

    /// A run from hour 100 to hour 102.
    fn selected(keys: &[String]) -> Selected {
        let candidates = keys.iter().map(|key| Candidate {
            name: "out".into(),
            node_id: "n".into(),
            reason: "inline-only".into(),
            bucket: "gs://b".parse().expect("a bucket"),
            key: key.as_str().into(),
            unarchived: true,
            only_below: false,
        });
        Selected {
            plan: PlannedWorkflow {
                namespace: "ml".into(),
                name: "w".into(),
                uid: "own".into(),
                phase: "Succeeded".into(),
                finished_at: Some(at(102)),
                delete: Vec::new(),
                keep: Vec::new(),
                absent: Vec::new(),
                orphans: false,
                release_finalizer: false,
            },
            candidates: candidates.collect(),
            given_up: Vec::new(),
            kept_elsewhere: HashSet::new(),
            started_at: Some(at(100)),
            bound: None,
        }
    }

    fn rules() -> Rules {
        Rules {
            now: at(200),
            grace: SignedDuration::from_hours(1),
            margin: SignedDuration::from_mins(10),
            failed_too: false,
            verdicts: vec![Verdict::Uncovered, Verdict::Failing],
            reasons: Vec::new(),
            only: None,
            release_finalizer: false,
            buckets: Vec::new(),
            allowed: Allowed::everywhere(),
            retention: None,
        }
    }

    #[test]
    fn an_object_of_a_directorys_bare_name_is_anothers() {
        let object = |key: &str| ObjectFacts {
            key: key.into(),
            generation: "1".into(),
            size: 1,
            created: Some(at(101)),
            storage_class: "".into(),
            crc32c: String::new(),
            held: None,
        };
        let mut selected = selected(&["a/dir".to_owned(), "a/gone".to_owned()]);
        selected.candidates.iter_mut().for_each(|candidate| candidate.only_below = true);
        let (references, released) = (References::default(), Released::default());
        let found = vec![object("a/dir"), object("a/dir/"), object("a/dir/x")];
        selected.decide(0, found, &references, &released, &rules());
        selected.decide(1, vec![object("a/gone")], &references, &released, &rules());
        let keys: Vec<&str> = selected.plan.delete.iter().map(|object| &*object.key).collect();
        assert_eq!(keys, ["a/dir/", "a/dir/x"]);
        assert_eq!(selected.plan.absent, ["gs://b/a/gone"]);
    }

    #[test]
    fn danger_29_allowed_prefixes_end_at_a_boundary() {
        let mut allowed = Allowed::default();
        let named =
            |name: &str| Bucket::new(super::super::location::StorageEngine::Gcs, "", name).expect("a bucket");
        assert!(!allowed.covers(&named("b"), "x"));
        allowed.add(named("b"), "team/a");
        allowed.add(named("c"), "team/");
        for (bucket, key, covered) in [
            ("b", "team/a", true),
            ("b", "team/a/x", true),
            ("b", "team/ab", false),
            ("b", "team", false),
            ("c", "team/x", true),
            ("c", "other/x", false),
            ("d", "team/a", false),
        ] {
            assert_eq!(allowed.covers(&named(bucket), key), covered, "{bucket} {key}");
        }
        let elsewhere = "s3://c".parse().expect("a bucket");
        assert!(!allowed.covers(&elsewhere, "team/x"), "another storage's bucket of that name");
        assert_eq!(constant_prefix("argo/{{workflow.name}}/x"), "argo/");
        assert_eq!(constant_prefix("argo-{{workflow.name}}"), "");
        assert_eq!(constant_prefix("{{workflow.name}}"), "");
    }

    prop_compose! {
        fn key()(parts in prop::collection::vec("[ab]{1,2}", 1..4)) -> String { parts.join("/") }
    }

    prop_compose! {
        fn object()(key in key(), hours in 95_i64..107, held in prop::bool::weighted(0.1), known in prop::bool::weighted(0.9))
            -> ObjectFacts
        {
            ObjectFacts {
                key,
                generation: "1".into(),
                size: 1,
                created: known.then(|| at(hours)),
                storage_class: "".into(),
                crc32c: String::new(),
                held: held.then(|| "hold".to_owned()),
            }
        }
    }

    proptest! {
        /// Plan and kept partition what storage listed; nothing protected is ever deleted, and nothing outside
        /// the candidate's own key.
        #[test]
        fn what_is_deleted_was_unprotected_in_every_way(
            own in key(),
            objects in prop::collection::vec(object(), 0..12),
            others in prop::collection::vec((key(), any::<bool>(), any::<bool>()), 0..4),
        ) {
            let mut gathering = Gathering::default();
            let this = gathering.referrer("workflow ml/w".into(), "own".into());
            let other = gathering.referrer("workflow x/y".into(), "other".into());
            let none = Buckets::default();
            gathering.add(this, &Use { bucket: "b".into(), key: own.clone(), ..Use::default() }, &none, true);
            for (key, read, bare) in &others {
                let bucket = if *bare { String::new() } else { "b".into() };
                gathering.add(other, &Use { bucket, key: key.clone(), read: *read, ..Use::default() }, &none, true);
            }
            let references = gathering.finish();
            let mut selected = selected(std::slice::from_ref(&own));
            let mut released = Released::default();
            selected.release(&mut released);
            released.finish();
            let listed: Vec<ObjectFacts> =
                objects.into_iter().filter(|object| is_within(&object.key, &own)).collect();
            selected.decide(0, listed.clone(), &references, &released, &rules());

            let Selected { plan, .. } = &selected;
            prop_assert_eq!(plan.delete.len() + plan.keep.len(), listed.len());
            prop_assert_eq!(plan.absent.len(), usize::from(listed.is_empty()));
            for object in &plan.delete {
                prop_assert!(is_within(&object.key, &own));
                let referred = others.iter().any(|(key, read, _)| match read {
                    true => object.key.starts_with(key.as_str()),
                    false => is_within(&object.key, key),
                });
                prop_assert!(!referred, "{} is referred to", object.key);
                let created = object.created;
                prop_assert!(created.is_some_and(|created| created >= at(100) - SignedDuration::from_mins(10)));
                prop_assert!(created.is_some_and(|created| created <= at(102) + SignedDuration::from_mins(10)));
                prop_assert!(listed.iter().any(|facts| *facts.key == *object.key && facts.held.is_none()));
            }
            for keep in &plan.keep {
                prop_assert!(Protection::ALL.contains(&keep.protection));
            }
        }

        /// The same facts give the same plan.
        #[test]
        fn deciding_is_deterministic(own in key(), objects in prop::collection::vec(object(), 0..8)) {
            let objects: Vec<ObjectFacts> =
                objects.into_iter().filter(|object| is_within(&object.key, &own)).collect();
            let decide = || {
                let mut selected = selected(std::slice::from_ref(&own));
                let mut released = Released::default();
                selected.release(&mut released);
                released.finish();
                selected.decide(0, objects.clone(), &References::default(), &released, &rules());
                selected.plan
            };
            prop_assert_eq!(decide(), decide());
        }

        /// What a key climbs over or leaves open is never safe.
        #[test]
        fn only_plain_paths_are_safe(key in "[a./{ ]{0,8}") {
            if is_safe(&key) {
                prop_assert_eq!(crate::gc::location::clean(&key), key.clone());
                prop_assert!(!key.contains("{{") && !key.starts_with('/'), "{}", key);
                prop_assert!(key.split('/').all(|part| part != ".."), "{}", key);
            }
        }
    }
}
