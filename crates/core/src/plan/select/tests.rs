#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::argo::artifact::Strategy;
use crate::model::assessment::{Evidence, Finding, HiddenArtifacts, Note};
use crate::model::strategy::StrategySource;
use crate::plan::choice::{Choice, Unselected};
use crate::plan::explanation::Conclusion;
use crate::plan::located::{Asked, AtPlace, MOST_LOCATED, Relation, locate};
use crate::plan::rules::Allowed;
use crate::verdict::Class;
use std::collections::BTreeMap;

fn hour(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}

fn location(bucket: &str, key: &str) -> Location {
    Location {
        key: key.to_owned(),
        bucket: bucket.to_owned(),
        endpoint: String::new(),
        engine: StorageEngine::Gcs,
    }
}

/// An uncovered artifact at `gs://b/train/out.tgz`.
fn artifact() -> ArtifactReport {
    ArtifactReport {
        name: "out".to_owned(),
        node: "main".to_owned(),
        node_id: "n".to_owned(),
        node_name: "train".to_owned(),
        node_type: "Pod".to_owned(),
        template: "main".to_owned(),
        unarchived: false,
        logs: false,
        strategy: Strategy::Unset,
        strategy_source: StrategySource::Default,
        service_account: String::new(),
        verdict: Verdict::Uncovered,
        reason: Some(Reason::NoStrategy),
        when: None,
        location: Some(location("b", "train/out.tgz")),
        login: None,
        location_problem: String::new(),
        evidence: Vec::new(),
        notes: Vec::new(),
        copies: Vec::new(),
        stored: None,
    }
}

/// A run that succeeded at hour 100.
fn assessment(artifacts: Vec<ArtifactReport>) -> Assessment {
    Assessment {
        namespace: "ml".to_owned(),
        name: "train".to_owned(),
        uid: "u".to_owned(),
        phase: "Succeeded".to_owned(),
        created_at: Some(hour(99)),
        finished_at: Some(hour(100)),
        expires_at: None,
        deletion_timestamp: None,
        finalizer: Finalizer::Absent,
        archived: false,
        cron_workflow: String::new(),
        workflow_template: String::new(),
        labels: BTreeMap::new(),
        strategy: Strategy::Unset,
        strategy_source: StrategySource::Default,
        artifacts,
        findings: Vec::new(),
        notes: Vec::new(),
        aside: HiddenArtifacts::default(),
    }
}

fn over() -> Circumstances<'static> {
    Circumstances { terminal: true, completed_label: Some(true), ..Circumstances::default() }
}

fn rules() -> Rules {
    let mut allowed = Allowed::default();
    allowed.add("gs://b".parse().unwrap(), "");
    Rules {
        now: hour(102),
        grace: SignedDuration::from_hours(1),
        verdicts: vec![Verdict::Uncovered, Verdict::Failing],
        release_finalizer: true,
        allowed,
        ..Rules::none(hour(102))
    }
}

/// The protection of the whole workflow, which then has no candidate.
fn guarded(assessment: &Assessment, about: &Circumstances, rules: &Rules) -> Option<(Protection, String)> {
    let selected = select(assessment, about, rules);
    let kept = selected.plan.keep.into_iter().next().map(|keep| (keep.protection, keep.detail));
    assert_eq!(kept.is_none(), !selected.candidates.is_empty(), "{kept:?}");
    kept
}

#[test]
fn each_guard_keeps_the_whole_workflow_and_nothing_else_does() {
    let fine = assessment(vec![artifact()]);
    let (about, rules) = (over(), rules());
    assert_eq!(guarded(&fine, &about, &rules), None);
    let protection = |assessment: &Assessment, about: &Circumstances| {
        guarded(assessment, about, &rules).map(|(protection, _)| protection)
    };
    for (about, right) in [
        (Circumstances { terminal: false, ..about }, Some(Protection::NotFinished)),
        (Circumstances { completed_label: Some(false), ..about }, Some(Protection::NotFinished)),
        (Circumstances { completed_label: None, ..about }, None),
        (Circumstances { pinned: Some("namespace"), ..about }, Some(Protection::Pinned)),
        (Circumstances { kubeflow: true, ..about }, Some(Protection::Kubeflow)),
        (Circumstances { kubeflow: true, named: true, ..about }, None),
        (Circumstances { gc_pod_at_work: true, ..about }, Some(Protection::GcActive)),
    ] {
        assert_eq!(protection(&fine, &about), right, "{about:?}");
    }
    let due = ArtifactReport { when: Some(When::Now), verdict: Verdict::Covered, ..artifact() };
    let later = ArtifactReport { when: Some(When::OnDeletion), verdict: Verdict::Covered, ..artifact() };
    let waits = |reason| ArtifactReport { reason: Some(reason), ..artifact() };
    for (other, right) in [
        (due, Some(Protection::GcActive)),
        (later, None),
        (waits(Reason::GcPodPending), Some(Protection::GcActive)),
        (waits(Reason::GcPodHung), Some(Protection::GcActive)),
        (waits(Reason::GcPodHeld), None),
    ] {
        assert_eq!(protection(&assessment(vec![artifact(), other]), &about), right);
    }
    assert_eq!(
        protection(&Assessment { finished_at: None, ..fine.clone() }, &about),
        Some(Protection::NotFinished)
    );
    let named = Circumstances { named: true, ..about };
    let failed = Assessment { phase: "Failed".to_owned(), ..fine };
    assert_eq!(protection(&failed, &about), Some(Protection::FailedRun));
    assert_eq!(protection(&failed, &named), None);
    let failed_too = Rules { failed_too: true, ..rules };
    assert_eq!(guarded(&failed, &about, &failed_too), None);
}

#[test]
fn a_plan_says_whose_it_is() {
    let plan = select(&assessment(vec![artifact()]), &over(), &rules()).plan;
    let of = (&*plan.namespace, &*plan.name, &*plan.uid, &*plan.phase, plan.finished_at, plan.archived);
    assert_eq!(of, ("ml", "train", "u", "Succeeded", Some(hour(100)), false));
}

#[test]
fn the_grace_ends_exactly_then() {
    let fine = assessment(vec![artifact()]);
    let second = SignedDuration::from_secs(1);
    for (now, kept) in [(hour(101) - second, true), (hour(101), false), (hour(90), true)] {
        let found = guarded(&fine, &over(), &Rules { now, ..rules() });
        let just = Some((Protection::JustFinished, "finished at 1970-01-05T04:00:00Z".to_owned()));
        assert_eq!(found, just.filter(|_| kept), "{now}");
    }
}

#[test]
fn the_archive_is_asked_for_and_its_finalizers_are_nobodys() {
    let stuck = Assessment { finalizer: Finalizer::Stuck, ..assessment(vec![artifact()]) };
    let archived = Assessment { archived: true, ..stuck.clone() };
    let asked = Rules { archived: true, ..rules() };
    assert_eq!(guarded(&archived, &over(), &rules()), Some((Protection::Archived, String::new())));
    assert!(!select(&archived, &over(), &asked).plan.release_finalizer);
    assert!(select(&archived, &over(), &asked).plan.archived);
    assert!(select(&stuck, &over(), &asked).plan.release_finalizer);
    assert!(!select(&stuck, &over(), &Rules { release_finalizer: false, ..rules() }).plan.release_finalizer);
}

#[test]
fn nodes_that_are_unseen_keep_the_workflow_even_without_artifacts() {
    for reason in [Reason::NodesOffloaded, Reason::NodesUnreadable, Reason::Overdue] {
        let finding = Finding { verdict: Verdict::Unknown, reason, evidence: vec![Evidence::new("f", "v")] };
        let unseen = Assessment { findings: vec![finding], ..assessment(Vec::new()) };
        let kept = select(&unseen, &over(), &rules()).plan.keep;
        let protections: Vec<_> = kept.iter().map(|keep| keep.protection).collect();
        let right = if reason == Reason::Overdue { vec![] } else { vec![Protection::NodesUnseen] };
        assert_eq!(protections, right, "{reason:?}");
    }
    // A workflow without anything that was asked for is no row of the plan.
    let running = Circumstances { terminal: false, ..over() };
    assert!(select(&assessment(Vec::new()), &running, &rules()).plan.keep.is_empty());
    let collected = ArtifactReport { verdict: Verdict::Collected, ..artifact() };
    assert!(select(&assessment(vec![collected]), &running, &rules()).plan.keep.is_empty());
}

#[test]
fn a_workflow_without_a_phase_says_so() {
    let running = Circumstances { terminal: false, ..over() };
    for (phase, detail) in [("", "no phase yet"), ("Running", "Running")] {
        let found = Assessment { phase: phase.to_owned(), ..assessment(vec![artifact()]) };
        assert_eq!(guarded(&found, &running, &rules()), Some((Protection::NotFinished, detail.to_owned())));
    }
}

#[test]
fn a_finalizer_is_released_only_if_it_hangs() {
    let of =
        |verdict, strategy: &Strategy| ArtifactReport { verdict, strategy: strategy.clone(), ..artifact() };
    let deletion = Strategy::OnWorkflowDeletion;
    for (finalizer, artifacts, while_deleted, while_live) in [
        (Finalizer::Absent, vec![of(Verdict::Collected, &deletion)], false, false),
        (Finalizer::Stuck, vec![of(Verdict::Failing, &deletion)], true, true),
        (Finalizer::Present, vec![], true, false),
        (Finalizer::Present, vec![of(Verdict::Collected, &deletion)], true, false),
        (Finalizer::Present, vec![of(Verdict::Kept, &Strategy::Never)], true, false),
        (
            Finalizer::Present,
            vec![of(Verdict::Collected, &deletion), of(Verdict::Covered, &deletion)],
            false,
            false,
        ),
    ] {
        for (deletion_timestamp, right) in [(Some(Timestamp::UNIX_EPOCH), while_deleted), (None, while_live)]
        {
            let found = Assessment { finalizer, deletion_timestamp, ..assessment(artifacts.clone()) };
            assert_eq!(select(&found, &over(), &rules()).plan.release_finalizer, right, "{found:?}");
        }
    }
}

fn objection(artifact: &ArtifactReport) -> Option<(Protection, String)> {
    candidate(artifact, &rules(), None).err().map(|Objection { protection, detail }| (protection, detail))
}

#[test]
fn only_a_certain_allowed_plain_location_is_a_candidate() {
    assert_eq!(objection(&artifact()), None);
    let at = |key: &str| ArtifactReport { location: Some(location("b", key)), ..artifact() };
    let note =
        |reason| ArtifactReport { notes: vec![Note { reason, detail: "of w".to_owned() }], ..artifact() };
    let nowhere = ArtifactReport { location: None, location_problem: "no bucket".to_owned(), ..artifact() };
    let elsewhere = ArtifactReport { location: Some(location("c", "train/out.tgz")), ..artifact() };
    let hdfs = Location { engine: StorageEngine::Hdfs, ..location("b", "train/out.tgz") };
    let said = |text: &str| text.to_owned();
    for (artifact, right) in [
        (nowhere, (Protection::NoCertainLocation, said("no bucket"))),
        (note(Reason::MemoHit), (Protection::MemoHit, said("of w"))),
        (note(Reason::ResubmitMemoized), (Protection::ResubmitMemoized, said("of w"))),
        (note(Reason::ArchiveLocationMixup), (Protection::NoCertainLocation, said("archive-location-mixup"))),
        (
            ArtifactReport { reason: Some(Reason::ArchiveLocationMixup), ..artifact() },
            (Protection::NoCertainLocation, said("archive-location-mixup")),
        ),
        (
            ArtifactReport { location: Some(hdfs), ..artifact() },
            (Protection::UnsupportedEngine, said("hdfs")),
        ),
        (at("train/../x"), (Protection::NoCertainLocation, said("the key is no plain path"))),
        (at(""), (Protection::NoCertainLocation, said("the key is no plain path"))),
        (
            at("train/out/"),
            (Protection::NoCertainLocation, said("the key is a directory's, and an archive was saved")),
        ),
        (elsewhere, (Protection::ForeignLocation, said("gs://c"))),
    ] {
        assert_eq!(objection(&artifact), Some(right));
    }
    // A bucket made of a parameter is told by what the workflow records, or there is no location.
    for reason in [Reason::SharedKey, Reason::ParamArchiveLocation] {
        assert_eq!(objection(&note(reason)), None);
    }
}

#[test]
fn a_candidate_knows_if_its_key_was_a_directorys_and_why_it_is_there() {
    let bucket: Bucket = "gs://b".parse().unwrap();
    let unarchived =
        ArtifactReport { unarchived: true, location: Some(location("b", "train/out/")), ..artifact() };
    for last in [None, Some(&bucket), Some(&"gs://c".parse().unwrap())] {
        let found = candidate(&unarchived, &rules(), last).ok().unwrap();
        assert_eq!((&*found.key, found.only_below, found.unarchived), ("train/out", true, true));
        assert_eq!((&found.bucket, &*found.reason), (&bucket, "no-strategy"));
    }
    let collected = ArtifactReport { verdict: Verdict::Collected, ..artifact() };
    let found = candidate(&collected, &rules(), None).ok().unwrap();
    assert_eq!((found.only_below, &*found.reason), (false, "deleted-but-present"));
}

#[test]
fn kubeflows_shapes_stay_unless_the_workflow_is_named() {
    let shaped =
        ArtifactReport { location: Some(location("b", "v2/artifacts/pipe/run/model")), ..artifact() };
    let found = assessment(vec![shaped, artifact()]);
    let selected = select(&found, &over(), &rules());
    assert_eq!((selected.candidates.len(), selected.plan.keep[0].protection), (1, Protection::Kubeflow));
    let named = select(&found, &Circumstances { named: true, ..over() }, &rules());
    assert_eq!((named.candidates.len(), named.plan.keep.len()), (2, 0));
}

#[test]
fn what_argo_collected_is_given_up_too() {
    let collected = ArtifactReport {
        verdict: Verdict::Collected,
        location: Some(location("b", "train/gone.tgz")),
        ..artifact()
    };
    let covered = ArtifactReport {
        verdict: Verdict::Covered,
        location: Some(location("b", "train/later.tgz")),
        ..artifact()
    };
    let selected = select(&assessment(vec![artifact(), collected, covered]), &over(), &rules());
    assert_eq!(selected.given_up, [NamedKey::new("b", "train/gone.tgz")]);
    assert_eq!(selected.candidates.len(), 1);
}

#[test]
fn a_key_that_is_kept_in_another_storage_is_not_given_up() {
    let at = |endpoint: &str, key: &str, verdict| ArtifactReport {
        verdict,
        unarchived: true,
        location: Some(Location {
            engine: StorageEngine::S3,
            endpoint: endpoint.to_owned(),
            ..location("b", key)
        }),
        ..artifact()
    };
    let mut rules = rules();
    for bucket in ["s3://b@one:9000", "s3://b@two:9000"] {
        rules.allowed.add(bucket.parse().unwrap(), "");
    }
    let kept = |artifacts: Vec<ArtifactReport>| {
        let kept = select(&assessment(artifacts), &over(), &rules).kept_elsewhere;
        kept.into_iter().map(|key| key.key.into_string()).collect::<Vec<_>>()
    };
    let (given, kept_verdict, collected) = (Verdict::Uncovered, Verdict::Kept, Verdict::Collected);
    let none: [&str; 0] = [];
    // Two storages, the same key: given up in one, kept in the other.
    assert_eq!(kept(vec![at("one:9000", "k", given), at("two:9000", "k", kept_verdict)]), ["k"]);
    assert_eq!(kept(vec![at("one:9000", "k/", given), at("two:9000", "k", kept_verdict)]), ["k"]);
    assert_eq!(kept(vec![at("one:9000", "k", given), at("two:9000", "k/", kept_verdict)]), ["k"]);
    assert_eq!(kept(vec![at("one:9000", "k", collected), at("two:9000", "k", kept_verdict)]), ["k"]);
    assert_eq!(kept(vec![at("one:9000", "k/", collected), at("two:9000", "k", kept_verdict)]), ["k"]);
    // Given up in both, or another key, or one storage alone.
    assert_eq!(kept(vec![at("one:9000", "k", given), at("two:9000", "k", given)]), none);
    assert_eq!(kept(vec![at("one:9000", "k", collected), at("two:9000", "k", collected)]), none);
    assert_eq!(kept(vec![at("one:9000", "k", given), at("two:9000", "other", kept_verdict)]), none);
    assert_eq!(kept(vec![at("one:9000", "k", given), at("one:9000", "k", kept_verdict)]), none);
    // The storage is told by its engine too.
    let gcs = ArtifactReport { verdict: kept_verdict, location: Some(location("b", "k")), ..artifact() };
    assert_eq!(kept(vec![at("one:9000", "k", given), gcs]), ["k"]);
}

#[test]
fn only_what_was_asked_for_is_wanted() {
    let about = over();
    let unwanted = |artifact: &ArtifactReport, rules: &Rules| unwanted(artifact, &about, rules);
    let logs = ArtifactReport { logs: true, ..artifact() };
    let covered = ArtifactReport { verdict: Verdict::Covered, reason: None, ..artifact() };
    let collected = ArtifactReport { verdict: Verdict::Collected, reason: None, ..artifact() };
    let coming = ArtifactReport {
        verdict: Verdict::Failing,
        reason: Some(Reason::NoController),
        when: Some(When::OnDeletion),
        ..artifact()
    };
    let doubt = Note { reason: Reason::S3FalseDeleted, detail: String::new() };
    let doubtful = ArtifactReport { notes: vec![doubt], ..collected.clone() };
    let stale =
        ArtifactReport { verdict: Verdict::Unknown, reason: Some(Reason::ArchivedStale), ..artifact() };
    let only = |class| Rules { only: Some(class), ..rules() };
    let reasons = |reasons: &[Reason]| Rules { reasons: reasons.to_vec(), ..rules() };
    let buckets = |name: &str| Rules { buckets: vec![name.to_owned()], ..rules() };
    let archived = Rules { archived: true, ..rules() };
    for (artifact, rules, right) in [
        (&artifact(), rules(), None),
        (&logs, rules(), None),
        (&logs, only(Class::Artifacts), Some(Unwanted::Class)),
        (&artifact(), only(Class::Artifacts), None),
        (&artifact(), only(Class::Logs), Some(Unwanted::Class)),
        (&artifact(), buckets("b"), None),
        (&artifact(), buckets("c"), Some(Unwanted::Bucket)),
        (&ArtifactReport { location: None, ..artifact() }, buckets("c"), None),
        (&covered, rules(), Some(Unwanted::Verdict(Verdict::Covered))),
        (&artifact(), reasons(&[Reason::NoStrategy]), None),
        (&artifact(), reasons(&[Reason::InlineOnly]), Some(Unwanted::Reason)),
        (
            &ArtifactReport { reason: None, ..artifact() },
            reasons(&[Reason::InlineOnly]),
            Some(Unwanted::Reason),
        ),
        // What prevents a coming collection may be fixed.
        (&coming, rules(), Some(Unwanted::Verdict(Verdict::Covered))),
        (&coming, reasons(&[Reason::InlineOnly]), Some(Unwanted::Verdict(Verdict::Covered))),
        (&coming, reasons(&[Reason::NoController]), None),
        // A driver's bug makes the record of a deletion doubtful.
        (&doubtful, rules(), Some(Unwanted::Doubtful)),
        (&doubtful, reasons(&[Reason::DeletedButPresent]), None),
        (&collected, rules(), Some(Unwanted::Verdict(Verdict::Collected))),
        (&collected, reasons(&[Reason::DeletedButPresent]), None),
        (&collected, reasons(&[Reason::NoStrategy]), Some(Unwanted::Verdict(Verdict::Collected))),
        (&artifact(), reasons(&[Reason::DeletedButPresent]), Some(Unwanted::Reason)),
        (&stale, rules(), Some(Unwanted::Verdict(Verdict::Unknown))),
        (&stale, archived.clone(), None),
        (&stale, Rules { reasons: vec![Reason::InlineOnly], ..archived }, Some(Unwanted::Reason)),
    ] {
        assert_eq!(unwanted(artifact, &rules), right, "{artifact:?}");
    }
}

#[test]
fn a_place_is_told_with_what_a_purge_makes_of_each_artifact() {
    let collected = ArtifactReport { verdict: Verdict::Collected, reason: None, ..artifact() };
    let found = |artifact: ArtifactReport, unselected| {
        let asked = Asked::of(&"gs://b".parse().unwrap(), "train/out.tgz");
        assert_eq!(asked.place().map(|(bucket, key)| (bucket.name(), key)), Some(("b", "train/out.tgz")));
        let found = locate(&asked, &assessment(vec![artifact]), &over(), &rules(), unselected);
        assert_eq!((found.located.len(), found.more, found.namesakes.len()), (1, 0, 0));
        found.located.into_iter().next().unwrap()
    };
    let candidate = found(artifact(), None);
    assert_eq!((&*candidate.workflow, &*candidate.uid, candidate.relation), ("train", "u", Relation::Same));
    let unwanted = Unwanted::Verdict(Verdict::Collected);
    let kept = ArtifactReport { location_problem: String::new(), ..artifact() };
    let kept =
        ArtifactReport { notes: vec![Note { reason: Reason::MemoHit, detail: "of w".to_owned() }], ..kept };
    let all = [
        (candidate, Choice::Candidate, Conclusion::Absent),
        (
            found(kept, None),
            Choice::Kept { protection: Protection::MemoHit, detail: "of w".to_owned() },
            Conclusion::Kept { protection: Protection::MemoHit, detail: "of w".to_owned() },
        ),
        (
            found(collected, None),
            Choice::NotAskedFor { why: unwanted },
            Conclusion::NotAskedFor { why: unwanted },
        ),
        (
            found(artifact(), Some(Unselected::Age)),
            Choice::NotSelected { why: Unselected::Age },
            Conclusion::NotSelected { why: Unselected::Age },
        ),
    ];
    for (located, choice, conclusion) in &all {
        assert_eq!(&located.purge, choice);
        assert_eq!(&Conclusion::of(std::slice::from_ref(located), &[], ""), conclusion);
    }
    // The nearest to a delete tells.
    let located: Vec<_> = all.into_iter().rev().map(|(located, ..)| located).collect();
    assert_eq!(Conclusion::of(&located, &[], ""), Conclusion::Absent);
    assert!(matches!(Conclusion::of(&located[..3], &[], ""), Conclusion::Kept { .. }));
    assert!(matches!(Conclusion::of(&located[..2], &[], ""), Conclusion::NotAskedFor { .. }));
}

#[test]
fn the_same_key_elsewhere_is_a_namesake_and_no_neighbour_is() {
    let at = |endpoint: &str, bucket: &str, key: &str| ArtifactReport {
        location: Some(Location {
            engine: StorageEngine::S3,
            endpoint: endpoint.to_owned(),
            ..location(bucket, key)
        }),
        ..artifact()
    };
    let asked = Asked::of(&"s3://b@one:9000".parse().unwrap(), "k");
    for (artifact, namesakes) in [
        (at("two:9000", "b", "k"), 1),
        (at("two:9000", "b", "k/"), 1),
        (at("two:9000", "c", "k"), 0),
        (at("two:9000", "b", "other"), 0),
        (at("one:9000", "b", "k"), 0),
        (at("one:9000", "b", "other"), 0),
        (ArtifactReport { location: None, ..artifact() }, 0),
    ] {
        let found = locate(&asked, &assessment(vec![artifact.clone()]), &over(), &rules(), None);
        assert_eq!(found.namesakes.len(), namesakes, "{artifact:?}");
    }
    // A whole bucket has no namesakes by key.
    let whole = Asked::of(&"s3://b@one:9000".parse().unwrap(), "");
    let found = locate(&whole, &assessment(vec![at("two:9000", "b", "")]), &over(), &rules(), None);
    assert!(found.namesakes.is_empty());
}

#[test]
fn of_a_place_with_many_artifacts_the_first_are_told_and_the_others_counted() {
    let asked = Asked::of(&"gs://b".parse().unwrap(), "train/out.tgz");
    let one = || locate(&asked, &assessment(vec![artifact()]), &over(), &rules(), None);
    let mut all = AtPlace::default();
    (0..MOST_LOCATED + 3).for_each(|_| all.absorb(one()));
    assert_eq!((all.located.len(), all.more), (MOST_LOCATED, 3));
    let mut more = AtPlace::default();
    more.absorb(all);
    assert_eq!((more.located.len(), more.more), (MOST_LOCATED, 3));
}

#[test]
fn a_policy_gives_up_only_the_artifacts_it_names() {
    let run = crate::argo::workflow::Workflow::default();
    let logs = ArtifactReport { logs: true, ..artifact() };
    let kept = ArtifactReport { verdict: Verdict::Kept, ..artifact() };
    for (verdicts, only, right) in [
        (None, None, [true, true, true]),
        (Some(vec![Verdict::Uncovered]), None, [true, true, false]),
        (Some(vec![Verdict::Kept]), None, [false, false, true]),
        (None, Some(Class::Logs), [false, true, false]),
        (None, Some(Class::Artifacts), [true, false, true]),
        (Some(vec![Verdict::Uncovered]), Some(Class::Artifacts), [true, false, false]),
    ] {
        let rule = crate::plan::retention::Rule { verdicts, only, ..Default::default() };
        let policy = crate::plan::retention::Retention { all: rule, ..Default::default() };
        let about =
            Circumstances { filter: policy.filter(&crate::plan::retention::Run::new(&run, &[])), ..over() };
        let everything = Rules { verdicts: Verdict::ALL.to_vec(), ..rules() };
        let takes =
            [&artifact(), &logs, &kept].map(|artifact| unwanted(artifact, &about, &everything).is_none());
        assert_eq!(takes, right, "{policy:?}");
    }
}
