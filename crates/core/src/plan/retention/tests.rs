#![allow(clippy::unwrap_used)]

use crate::plan::retention::pin::{Expression, Operator};
use crate::plan::retention::*;
use serde_json::json;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn day(day: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
}

/// A run that finished on a day.
fn run(name: &str, labels: serde_json::Value, phase: &str, finished: i64) -> Workflow {
    serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": "ml", "labels": labels },
        "status": { "phase": phase, "finishedAt": day(finished).to_string() },
    }))
    .unwrap()
}

fn last(last: u32) -> Rule {
    Rule { runs: Keep { last: Some(last), older_than: None }, ..Rule::default() }
}

fn for_scope(namespace: Option<&str>, origin: Option<Origin>, rule: Rule) -> (Scope, Rule) {
    (Scope { namespace: namespace.map(str::to_owned), origin }, rule)
}

#[test]
fn the_most_specific_override_wins_value_by_value() {
    let cron = || Some(Origin::CronWorkflow("nightly".to_owned()));
    let template = || Some(Origin::Template("etl".to_owned()));
    // The scopes are sorted from the least to the most specific; each overrides the ones before it.
    let scopes = [
        (Some("ml"), None),
        (None, template()),
        (Some("ml"), template()),
        (None, cron()),
        (Some("ml"), cron()),
    ];
    let workflow = run("w", json!({ names::CRON_WORKFLOW: "nightly" }), "Succeeded", 1);
    let templates = [("ml".to_owned(), "etl".to_owned())];
    let run = Run::new(&workflow, &templates);
    let mut policy = Retention {
        all: Rule { runs: Keep { last: Some(100), older_than: Some(DAY) }, ..Rule::default() },
        ..Retention::default()
    };
    assert_eq!(policy.keep(&run).last, Some(100));
    for (number, (namespace, origin)) in (0..).zip(scopes) {
        policy.overrides.insert(0, for_scope(namespace, origin, last(number)));
        assert_eq!(policy.keep(&run), Keep { last: Some(number), older_than: Some(DAY) });
        policy.overrides.reverse();
        assert_eq!(policy.keep(&run).last, Some(number), "whatever their order");
        policy.overrides.reverse();
    }
    for (namespace, origin) in [(Some("etl"), None), (None, Some(Origin::Template("nightly".to_owned())))] {
        let other =
            Retention { overrides: vec![for_scope(namespace, origin, last(1))], ..Retention::default() };
        assert_eq!(other.keep(&run).last, None);
    }
}

#[test]
fn failed_runs_have_values_of_their_own_or_the_ordinary_ones() {
    let failed = run("w", json!({}), "Error", 1);
    let run = Run::new(&failed, &[]);
    let keep = |last, older_than: Option<i64>| Keep {
        last,
        older_than: older_than.map(|days| DAY * i32::try_from(days).unwrap()),
    };
    let mut policy =
        Retention { all: Rule { runs: keep(Some(3), Some(7)), ..Rule::default() }, ..Retention::default() };
    assert_eq!(policy.keep(&run), keep(Some(3), Some(7)));
    policy.all.failed = keep(None, Some(30));
    assert_eq!(policy.keep(&run), keep(Some(3), Some(30)));
    // A namespace without a `failed` value does not undo the general `failed` value.
    policy.overrides.push(for_scope(
        Some("ml"),
        None,
        Rule { runs: keep(Some(1), Some(1)), ..Rule::default() },
    ));
    assert_eq!(policy.keep(&run), keep(Some(1), Some(30)));
}

#[test]
fn the_clock_is_exact() {
    let policy = Retention {
        all: Rule { runs: Keep { last: None, older_than: Some(DAY * 7) }, ..Rule::default() },
        ..Retention::default()
    };
    let workflow = run("w", json!({}), "Succeeded", 100);
    let run = Run::new(&workflow, &[]);
    let newest = Newest::new(policy.most());
    let second = SignedDuration::from_secs(1);
    for (now, stays) in
        [(day(107) - second, true), (day(107), true), (day(107) + second, false), (day(0), true)]
    {
        let bound = policy.bind(&run, now);
        assert_eq!(bound.keeps(Some(day(100)), &newest).is_some(), stays, "{now}");
    }
    let why = policy.bind(&run, day(101)).keeps(Some(day(100)), &newest).unwrap();
    assert_eq!(why, "finished at 1970-04-11T00:00:00Z, and olderThan is 7d");
    // A finish time in the future is wrong, so the run does not displace another.
    assert_eq!((run.finished(day(99)), run.finished(day(100))), (None, Some(day(100))));
}

#[test]
fn runs_are_counted_by_what_made_them() {
    let templates = [("ml".to_owned(), "etl".to_owned())];
    let cluster = [(String::new(), "etl".to_owned())];
    let cron = run("w", json!({ names::CRON_WORKFLOW: "nightly" }), "Succeeded", 1);
    let plain = run("w", json!({}), "Failed", 1);
    let mut generated = run("w", json!({}), "Succeeded", 1);
    generated.metadata.generate_name = "train-".to_owned();
    for (workflow, templates, text) in [
        (&cron, &templates[..], "cron workflow nightly"),
        (&generated, &templates, "template etl"),
        (&generated, &cluster, "cluster template etl"),
        (&generated, &[], "generateName train-"),
        (&plain, &[], "no template"),
    ] {
        assert_eq!(Run::new(workflow, templates).series().to_string(), text);
    }
    let mut owned = run("w", json!({}), "Succeeded", 1);
    owned.metadata.owner_references =
        serde_json::from_value(json!([{ "kind": "CronWorkflow", "name": "nightly", "uid": "u" }])).unwrap();
    assert_eq!(Run::new(&owned, &[]).series(), Run::new(&cron, &[]).series());
}

#[test]
fn ties_stay_together_and_a_run_counts_once() {
    let workflow = run("w", json!({}), "Succeeded", 1);
    let series = || Run::new(&workflow, &[]).series();
    let mut newest = Newest::new(2);
    for (at, name) in [(5, "a"), (4, "b"), (4, "c"), (3, "d"), (5, "a"), (1, "e"), (4, "c")] {
        newest.count(series(), day(at), name);
    }
    let held: Vec<bool> = (0..7).map(|at| newest.holds(&series(), day(at), 2)).collect();
    assert_eq!(held, [false, false, false, false, true, true, true]);
    assert!(newest.holds(&series(), day(5), 1) && !newest.holds(&series(), day(4), 1));
    assert!(!newest.holds(&series(), day(9), 0), "none are kept where none are to be");
    assert_eq!(newest.held(), 2, "no more is held than asked for");
}

#[test]
fn pins_are_kubernetes_selectors() {
    let workflow = run("train-1", json!({ "team": "ml", "tier": "prod" }), "Succeeded", 1);
    let meta = &workflow.metadata;
    let pin = |names: &[&str], labels: &[(&str, &str)]| Pin {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        match_labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Pin::default()
    };
    for (pin, takes) in [
        (pin(&["train-1"], &[]), true),
        (pin(&["train"], &[]), false),
        (pin(&["other", "train-*"], &[]), true),
        (pin(&["train-1"], &[("team", "etl")]), false),
        (pin(&[], &[("team", "ml"), ("tier", "prod")]), true),
        (Pin { namespace: Some("etl".to_owned()), ..pin(&["train-1"], &[]) }, false),
    ] {
        assert_eq!(pin.takes(meta), takes, "{pin}");
    }
    for (key, operator, values, takes) in [
        ("team", Operator::In, &["ml", "etl"][..], true),
        ("team", Operator::In, &["etl"], false),
        ("team", Operator::NotIn, &["etl"], true),
        ("team", Operator::NotIn, &["ml"], false),
        ("none", Operator::NotIn, &["ml"], true),
        ("none", Operator::In, &["ml"], false),
        ("team", Operator::Exists, &[], true),
        ("none", Operator::Exists, &[], false),
        ("none", Operator::DoesNotExist, &[], true),
        ("team", Operator::DoesNotExist, &[], false),
    ] {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let expression = Expression { key: key.to_owned(), operator, values };
        let pin = Pin { match_expressions: vec![expression], ..Pin::default() };
        assert_eq!(pin.takes(meta), takes, "{pin}");
    }
}

#[test]
fn a_pin_is_told_as_kubernetes_writes_selectors() {
    let expression = |key: &str, operator, values: &[&str]| Expression {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let pin = Pin {
        namespace: Some("ml".to_owned()),
        names: vec!["a".to_owned(), "b-*".to_owned()],
        match_labels: [("team".to_owned(), "etl".to_owned())].into(),
        match_expressions: vec![
            expression("tier", Operator::In, &["prod", "test"]),
            expression("tier", Operator::NotIn, &["dev"]),
            expression("keep", Operator::Exists, &[]),
            expression("drop", Operator::DoesNotExist, &[]),
        ],
    };
    let text = "namespace ml; names a, b-*; team=etl; tier in (prod,test); tier notin (dev); keep; !drop";
    assert_eq!(pin.to_string(), text);
    assert_eq!(
        Pin { namespace: None, names: Vec::new(), ..pin }.to_string(),
        text.split_once("b-*; ").unwrap().1
    );
}

#[test]
fn the_policys_longest_series_is_what_has_to_be_counted() {
    let keep = |last| Keep { last, older_than: None };
    let rule = |runs, failed| Rule { runs: keep(runs), failed: keep(failed), ..Rule::default() };
    assert_eq!(Retention::default().most(), 0);
    let all = rule(Some(2), None);
    assert_eq!(Retention { all: all.clone(), ..Retention::default() }.most(), 2);
    let overrides = vec![for_scope(Some("ml"), None, rule(Some(1), Some(5)))];
    assert_eq!(Retention { all, overrides, ..Retention::default() }.most(), 5);
}

#[test]
fn the_reason_names_the_series_and_the_number() {
    let workflow = |phase| run("w", json!({ names::CRON_WORKFLOW: "nightly" }), phase, 1);
    for (phase, last, why) in [
        ("Succeeded", 1, "the newest run of cron workflow nightly"),
        ("Succeeded", 3, "one of the newest 3 runs of cron workflow nightly"),
        ("Failed", 1, "the newest failed run of cron workflow nightly"),
        ("Failed", 2, "one of the newest 2 failed runs of cron workflow nightly"),
    ] {
        let (workflow, policy) =
            (workflow(phase), Retention { all: self::last(last), ..Retention::default() });
        let bound = policy.bind(&Run::new(&workflow, &[]), day(9));
        let found = bound.keeps(Some(day(1)), &Newest::new(policy.most()));
        assert_eq!(found.as_deref(), Some(why));
        // Without a finish time it is unknown how many are newer.
        assert_eq!(bound.keeps(None, &Newest::new(policy.most())).as_deref(), Some(why));
    }
}

#[test]
fn a_pinned_run_stays_whatever_its_age_and_only_some_artifacts_may_go() {
    let pin = Pin { names: vec!["w".to_owned()], ..Pin::default() };
    let policy = Retention { pins: vec![pin], ..Retention::default() };
    let (pinned, other) = (run("w", json!({}), "Succeeded", 1), run("v", json!({}), "Succeeded", 1));
    for (workflow, stays) in [(&pinned, true), (&other, false)] {
        let run = Run::new(workflow, &[]);
        assert_eq!(policy.pins(&run), stays);
        let keeps = policy.bind(&run, day(900)).keeps(Some(day(1)), &Newest::new(policy.most()));
        assert_eq!(keeps, stays.then(|| "pinned by the policy: names w".to_owned()));
    }
    assert_eq!(Run::new(&pinned, &[]).identity(), ("ml", "w", ""));
}

#[test]
fn durations_are_told_in_their_largest_whole_unit() {
    let second = SignedDuration::from_secs(1);
    for (duration, text) in [
        (DAY * 7, "7d"),
        (DAY + SignedDuration::from_hours(1), "25h"),
        (SignedDuration::from_mins(90), "90m"),
        (second * 61, "61s"),
    ] {
        assert_eq!(days(duration), text);
    }
}

#[test]
fn only_a_run_that_is_over_counts_and_only_the_newest_are_kept() {
    let running = run("w", json!({}), "Running", 1);
    assert_eq!(Run::new(&running, &[]).finished(day(9)), None);
    let workflow = run("w", json!({}), "Succeeded", 1);
    let run = Run::new(&workflow, &[]);
    let keeps =
        |policy: &Retention, finished, newest: &Newest| policy.bind(&run, day(9)).keeps(finished, newest);
    let none = Retention::default();
    assert_eq!(keeps(&none, None, &Newest::new(0)), None);
    let one = Retention { all: last(1), ..Retention::default() };
    let mut newest = Newest::new(one.most());
    newest.count(run.series(), day(5), "other");
    assert_eq!(keeps(&one, Some(day(1)), &newest), None);
    assert!(keeps(&one, Some(day(5)), &newest).is_some());
}

#[test]
fn a_run_that_keeps_nothing_in_anothers_stead_takes_no_place() {
    let collected = |deleted: [bool; 2]| {
        let artifacts = deleted.map(|deleted| json!({ "name": "a", "deleted": deleted }));
        json!({ "n": { "id": "n", "outputs": { "artifacts": artifacts } } })
    };
    let counts = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = json!({
            "metadata": { "name": "w", "namespace": "ml", "creationTimestamp": day(1).to_string() },
            "status": { "phase": "Succeeded", "finishedAt": day(2).to_string() },
        });
        change(&mut value);
        let workflow: Workflow = serde_json::from_value(value).unwrap();
        Run::new(&workflow, &[]).finished(day(9))
    };
    assert_eq!(counts(&|_| ()), Some(day(2)));
    // Restored from a backup, or its clock is wrong; the creation is set by the server.
    assert_eq!(counts(&|run| run["metadata"]["creationTimestamp"] = day(3).to_string().into()), None);
    assert_eq!(
        counts(&|run| run["metadata"]["creationTimestamp"] = day(2).to_string().into()),
        Some(day(2)),
        "a run may end within its first second"
    );
    assert_eq!(counts(&|run| run["metadata"]["deletionTimestamp"] = day(4).to_string().into()), None);
    assert_eq!(counts(&|run| run["status"]["nodes"] = collected([true, true])), None);
    assert_eq!(counts(&|run| run["status"]["nodes"] = collected([true, false])), Some(day(2)));
}

#[test]
fn what_matched_nothing_is_told_by_its_line() {
    let template = |name: &str| Some(Origin::Template(name.to_owned()));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let policy = Retention {
        overrides: vec![
            for_scope(None, template("train"), last(1)),
            for_scope(Some("ml"), template("trian"), last(1)),
            for_scope(Some("etl"), None, last(1)),
        ],
        pins: vec![
            Pin { names: names(&["golden", "train-*"]), ..Pin::default() },
            Pin { namespace: Some("etl".to_owned()), ..Pin::default() },
        ],
        places: Places { overrides: vec![9, 11, 13], pins: vec![vec![4, 5], vec![6]], ..Places::default() },
        ..Retention::default()
    };
    let workflow = run("train-1", json!({}), "Running", 1);
    let templates = [("ml".to_owned(), "train".to_owned())];
    let mut hits = Hits::default();
    policy.hit(&Run::new(&workflow, &templates), &mut hits);
    let mut all = Hits::default();
    all.absorb(hits);
    let idle = |read| {
        let idle = policy.idle(&all, read).into_iter();
        idle.map(|idle| format!("{}: {}", idle.line, idle.what)).collect::<Vec<_>>()
    };
    let golden = "4: the pin \"names golden\"";
    let trian = "11: template \"trian\" in namespace \"ml\"";
    assert_eq!(idle(None), [golden, "6: the pin \"namespace etl\"", trian, "13: namespace \"etl\""]);
    // Nothing of other namespaces was read, so what is for them is no mistake.
    assert_eq!(idle(Some("ml")), [golden, trian]);
}
