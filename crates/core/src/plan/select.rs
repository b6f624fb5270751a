//! Selects the artifacts of a workflow that are candidates for deletion, by all guards that need no storage.

use crate::model::assessment::{ArtifactReport, Assessment};
use crate::model::bucket::Bucket;
use crate::model::engine::StorageEngine;
use crate::model::location::Location;
use crate::model::object::is_safe;
use crate::model::protection::Protection;
use crate::plan::decide::{Candidate, NamedKey, Objection, Selected, claimed};
use crate::plan::kubeflow::has_shape;
use crate::plan::planned::PlannedWorkflow;
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
    let unseen = assessment
        .findings
        .iter()
        .any(|f| matches!(f.reason, Reason::NodesOffloaded | Reason::NodesUnreadable));
    if let Some(objection) = guard(assessment, about, rules, unseen) {
        if !wanted.is_empty() || unseen {
            selected.plan.keep.push(objection.keep(String::new(), ""));
        }
        return selected;
    }
    selected.plan.release_finalizer =
        rules.release_finalizer && !assessment.archived && is_releasable(assessment);
    for artifact in &assessment.artifacts {
        if let (Verdict::Collected, Some(location)) = (artifact.verdict, &artifact.location) {
            selected.given_up.push(NamedKey::new(&location.bucket, &location.key));
        }
    }
    for artifact in wanted {
        let last = selected.candidates.last().map(|candidate| &candidate.bucket);
        let found = candidate(artifact, rules, last);
        let found = found.and_then(|found| match claimed(rules, &selected.plan, &found.bucket, &found.key) {
            Some(objection) => Err(objection),
            None => Ok(found),
        });
        match found {
            Ok(candidate) if has_shape(&candidate.key) && !about.named => {
                let objection = Objection::new(Protection::Kubeflow, "");
                selected.plan.keep.push(objection.keep(candidate.uri(), &candidate.name));
            }
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

/// Returns true if nobody else will remove the finalizer: it is stuck, or everything was collected.
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

/// Returns the protection that keeps the whole workflow, if there is one.
fn guard(assessment: &Assessment, about: &Circumstances, rules: &Rules, unseen: bool) -> Option<Objection> {
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
    if unseen {
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
    let due = assessment
        .artifacts
        .iter()
        .any(|artifact| artifact.when == Some(When::Now) || artifact.reason == Some(Reason::GcPodPending));
    if about.gc_pod_at_work || due {
        return no_detail(Protection::GcActive);
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
mod tests {
    #![allow(clippy::expect_used)]

    use crate::argo::uses::Use;
    use crate::model::bucket::Bucket;
    use crate::model::object::{ObjectFacts, is_safe, is_within};
    use crate::model::protection::Protection;
    use crate::plan::decide::{Candidate, NamedKey, Selected};
    use crate::plan::guarded::Guarded;
    use crate::plan::named::{Named, Needs};
    use crate::plan::planned::PlannedWorkflow;
    use crate::plan::references::{Buckets, References, ReferencesBuilder, Released};
    use crate::plan::rules::{Allowed, Rules, constant_prefix};
    use crate::verdict::Verdict;
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;
    use std::collections::HashSet;

    const HOUR: i64 = 3600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(hours * HOUR)
    }

    /// Makes a run from hour 100 to hour 102.
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
                ..PlannedWorkflow::default()
            },
            candidates: candidates.collect(),
            given_up: Vec::new(),
            kept_elsewhere: HashSet::new(),
            started_at: Some(at(100)),
            bound: None,
        }
    }

    fn anywhere() -> Allowed {
        let mut allowed = Allowed::default();
        allowed.add("gs://b".parse().expect("a bucket"), "");
        allowed
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
            archived: false,
            buckets: Vec::new(),
            allowed: anywhere(),
            retention: None,
            elsewhere: Guarded::default(),
        }
    }

    fn listed(key: &str) -> ObjectFacts {
        ObjectFacts {
            key: key.into(),
            generation: "1".into(),
            size: 1,
            created: Some(at(101)),
            storage_class: "".into(),
            crc32c: String::new(),
            held: None,
        }
    }

    #[test]
    fn an_object_of_a_directorys_bare_name_is_anothers() {
        let mut selected = selected(&["a/dir".to_owned(), "a/gone".to_owned()]);
        selected.candidates.iter_mut().for_each(|candidate| candidate.only_below = true);
        let (references, released) = (References::default(), Released::default());
        let found = vec![listed("a/dir"), listed("a/dir/"), listed("a/dir/x")];
        let named = Named::default();
        let needs = Needs { references: &references, released: &released, named: &named };
        selected.decide(0, found, needs, &rules());
        selected.decide(1, vec![listed("a/gone")], needs, &rules());
        let keys: Vec<&str> = selected.plan.delete.iter().map(|object| &*object.key).collect();
        assert_eq!(keys, ["a/dir/", "a/dir/x"]);
        assert_eq!(selected.plan.absent, ["gs://b/a/gone"]);
    }

    #[test]
    fn what_is_given_up_is_what_is_planned_and_not_kept_elsewhere() {
        let mut selected = selected(&["a/x".to_owned(), "a/y".to_owned()]);
        selected.given_up = vec![NamedKey::new("b", "a/z")];
        selected.kept_elsewhere = HashSet::from([NamedKey::new("b", "a/y")]);
        let keys = ["a/x", "a/y", "a/z"];
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.workflow("ml", "w", "own");
        for key in keys {
            let found = Use { bucket: "b".into(), key: key.into(), ..Use::default() };
            gathering.add(by, &found, &Buckets::default(), true);
        }
        let references = gathering.finish();
        let held = |selected: &Selected| {
            let mut released = Released::default();
            selected.release(&mut released);
            released.finish();
            keys.map(|key| references.holder("b", key, &released).is_some())
        };
        assert!(selected.has_candidates());
        assert_eq!(held(&selected), [false, true, false]);
        // A workflow of which nothing is deleted gives up nothing.
        selected.candidates.clear();
        assert!(!selected.has_candidates());
        assert_eq!(held(&selected), [true; 3]);
    }

    #[test]
    fn an_object_in_a_directory_names_it_and_one_with_an_unsafe_key_stays() {
        let mut selected = selected(&["a/dir".to_owned(), "a/file".to_owned()]);
        let (references, released, named) = (References::default(), Released::default(), Named::default());
        let needs = Needs { references: &references, released: &released, named: &named };
        selected.decide(0, vec![listed("a/dir/x"), listed("a/dir/../y")], needs, &rules());
        selected.decide(1, vec![listed("a/file")], needs, &rules());
        let planned: Vec<_> = selected
            .plan
            .delete
            .iter()
            .map(|object| (&*object.key, object.artifact_key.as_deref()))
            .collect();
        assert_eq!(planned, [("a/dir/x", Some("a/dir")), ("a/file", None)]);
        let kept: Vec<_> = selected.plan.keep.iter().map(|keep| (&*keep.location, keep.protection)).collect();
        assert_eq!(kept, [("gs://b/a/dir/../y", Protection::NoCertainLocation)]);
    }

    #[test]
    fn danger_10_the_time_of_a_run_ends_with_its_margin() {
        let (margin, second) = (rules().margin, SignedDuration::from_secs(1));
        let (first, last) = (at(100) - margin, at(102) + margin);
        for (created, protection) in [
            (first, None),
            (first - second, Some(Protection::OlderThanRun)),
            (last, None),
            (last + second, Some(Protection::NewerThanRun)),
        ] {
            let mut selected = selected(&["a/x".to_owned()]);
            let (references, released, named) =
                (References::default(), Released::default(), Named::default());
            let needs = Needs { references: &references, released: &released, named: &named };
            let facts = ObjectFacts { created: Some(created), ..listed("a/x") };
            selected.decide(0, vec![facts], needs, &rules());
            assert_eq!(selected.plan.keep.first().map(|keep| keep.protection), protection, "{created}");
            assert_eq!(selected.plan.delete.len(), usize::from(protection.is_none()));
        }
    }

    #[test]
    fn danger_29_allowed_prefixes_end_at_a_boundary() {
        let mut allowed = Allowed::default();
        let named =
            |name: &str| Bucket::new(crate::model::engine::StorageEngine::Gcs, "", name).expect("a bucket");
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
        /// The deleted and the kept objects together are all the listed ones; no protected object is deleted,
        /// and none outside the candidate's own key.
        #[test]
        fn what_is_deleted_was_unprotected_in_every_way(
            own in key(),
            objects in prop::collection::vec(object(), 0..12),
            others in prop::collection::vec((key(), any::<bool>(), any::<bool>()), 0..4),
        ) {
            let mut gathering = ReferencesBuilder::default();
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
            let named = Named::default();
            let needs = Needs { references: &references, released: &released, named: &named };
            selected.decide(0, listed.clone(), needs, &rules());

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
                let (references, named) = (References::default(), Named::default());
                let needs = Needs { references: &references, released: &released, named: &named };
                selected.decide(0, objects.clone(), needs, &rules());
                selected.plan
            };
            prop_assert_eq!(decide(), decide());
        }

        /// A key with `..` or with a variable is never safe.
        #[test]
        fn only_plain_paths_are_safe(key in "[a./{ ]{0,8}") {
            if is_safe(&key) {
                prop_assert_eq!(crate::model::location::clean(&key), key.clone());
                prop_assert!(!key.contains("{{") && !key.starts_with('/'), "{}", key);
                prop_assert!(key.split('/').all(|part| part != ".."), "{}", key);
            }
        }
    }
}
