#![allow(clippy::expect_used)]

use crate::argo::related::ConfigMap;
use crate::argo::uses::Use;
use crate::argo::workflow::Workflow;
use crate::model::bucket::Bucket;
use crate::model::object::{ObjectFacts, is_safe, is_within};
use crate::model::protection::Protection;
use crate::plan::decide::{Candidate, NamedKey, Objection, Selected};
use crate::plan::guarded::Guarded;
use crate::plan::named::{Named, Needs};
use crate::plan::planned::PlannedWorkflow;
use crate::plan::references::{Buckets, References, ReferencesBuilder, Released};
use crate::plan::retention::newest::Newest;
use crate::plan::retention::{Keep, Retention, Rule, Run};
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
        artifacts: Vec::new(),
        release_finalizer: false,
        names_needed: false,
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
    let planned: Vec<_> =
        selected.plan.delete.iter().map(|object| (&*object.key, object.artifact_key.as_deref())).collect();
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
        let (references, released, named) = (References::default(), Released::default(), Named::default());
        let needs = Needs { references: &references, released: &released, named: &named };
        let facts = ObjectFacts { created: Some(created), ..listed("a/x") };
        selected.decide(0, vec![facts], needs, &rules());
        assert_eq!(selected.plan.keep.first().map(|keep| keep.protection), protection, "{created}");
        assert_eq!(selected.plan.delete.len(), usize::from(protection.is_none()));
    }
}

#[test]
fn danger_29_an_object_in_a_directory_can_have_anothers_shape() {
    let mut rules = rules();
    let data = "gcs: {bucket: b, keyFormat: '{{workflow.namespace}}/{{pod.name}}'}".to_owned();
    rules.allowed.add_all_of(&ConfigMap {
        data: [("artifactRepository".to_owned(), data)].into(),
        ..ConfigMap::default()
    });
    let mut selected = selected(&["team-a".to_owned()]);
    let (references, released, named) = (References::default(), Released::default(), Named::default());
    let needs = Needs { references: &references, released: &released, named: &named };
    selected.decide(0, vec![listed("team-a/pod/x")], needs, &rules);
    let kept: Vec<_> = selected.plan.keep.iter().map(|keep| keep.protection).collect();
    assert_eq!((kept.as_slice(), selected.plan.delete.len()), (&[Protection::ForeignKey][..], 0));
}

#[test]
fn a_run_that_the_policy_keeps_gives_up_nothing() {
    let retain = |last: Option<u32>, key: Option<&str>, finalizer: bool| {
        let mut selected = selected(&key.map(str::to_owned).into_iter().collect::<Vec<_>>());
        selected.given_up = vec![NamedKey::new("b", "a/z")];
        selected.plan.release_finalizer = finalizer;
        let before = Objection::new(Protection::Held, "").keep("gs://b/a/held".to_owned(), "held");
        selected.plan.keep = vec![before];
        let workflow = Workflow::default();
        let rule = Rule { runs: Keep { last, older_than: None }, ..Rule::default() };
        let policy = Retention { all: rule, ..Retention::default() };
        selected.bound = Some(policy.bind(&Run::new(&workflow, &[]), at(200)));
        // No other run is counted, so this one is the newest.
        selected.retain(&Newest::new(policy.most()));
        let kept = selected.plan.keep.iter().map(|keep| keep.protection).collect::<Vec<_>>();
        (kept, selected.has_candidates(), selected.given_up.len(), selected.plan.release_finalizer)
    };
    for (last, key, finalizer, right) in [
        (None, Some("a/x"), true, (Protection::Held, true, 1, true)),
        (Some(1), Some("a/x"), true, (Protection::Retained, false, 0, false)),
        (Some(1), Some("a/x"), false, (Protection::Retained, false, 0, false)),
        (Some(1), None, true, (Protection::Retained, false, 0, false)),
        // What a guard already keeps goes on saying why.
        (Some(1), None, false, (Protection::Held, false, 1, false)),
    ] {
        let (protection, candidates, given_up, releases) = right;
        assert_eq!(
            retain(last, key, finalizer),
            (vec![protection], candidates, given_up, releases),
            "{last:?} {key:?} {finalizer}"
        );
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
