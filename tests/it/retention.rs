//! `purge --policy`: what a policy keeps, counted over all pages, and that it never lets go of more.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use argo_gc::cluster::gathering::Gathering;
use argo_gc::cluster::referrers::Pins;
use argo_gc::scan::gather::{Scan, ScanPart};
use argo_gc::scan::terms::Terms;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::plan::retention::newest::Newest;
use argo_gc_core::plan::retention::pin::Pin;
use argo_gc_core::plan::retention::{Keep, Origin, Retention, Rule, Scope};
use argo_gc_core::plan::rules::{Allowed, Rules};
use argo_gc_core::verdict::{Class, Verdict};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::purge::{Folder, Live, Ran, ago, deletes, protections, workflow};
use crate::support::{in_process, in_terminal, plugin};

const HEAD: &str = "apiVersion: argo-gc/v1\nkind: RetentionPolicy\n";

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A run that ended so many hours ago, with one object.
fn ended(namespace: &str, name: &str, cron: &str, phase: &str, end: i64) -> Value {
    let key = format!("{name}/out.tgz");
    let mut run = workflow(namespace, name, &[&key]);
    run["metadata"]["labels"]["workflows.argoproj.io/phase"] = phase.into();
    if !cron.is_empty() {
        run["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"] = cron.into();
    }
    run["metadata"]["creationTimestamp"] = ago(hours(end + 2)).into();
    run["status"]["phase"] = phase.into();
    run["status"]["startedAt"] = ago(hours(end + 2)).into();
    run["status"]["finishedAt"] = ago(hours(end)).into();
    run
}

/// Four runs of a cron workflow, the newest first, two of them failed, and one run of none.
fn nightly() -> Folder {
    let mut folder = Folder::new();
    for (name, cron, phase, end) in [
        ("n-1", "nightly", "Failed", 24),
        ("n-2", "nightly", "Succeeded", 48),
        ("n-3", "nightly", "Failed", 72),
        ("n-4", "nightly", "Succeeded", 96),
        ("n-5", "nightly", "Succeeded", 120),
        ("alone", "", "Succeeded", 144),
    ] {
        folder.add(ended("ml", name, cron, phase, end));
        folder.put_at("ml-artifacts", &format!("{name}/out.tgz"), hours(end + 1));
    }
    folder
}

/// The plan of everything under a policy.
fn plan(folder: &Folder, policy: &str, arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    std::fs::write(&file, format!("{HEAD}{policy}")).unwrap();
    let file = file.display().to_string();
    let all = ["--all", "--status", "Succeeded,Failed", "--policy", &file];
    folder.plan(&all.iter().chain(arguments).copied().collect::<Vec<_>>())
}

#[test]
fn a_policy_keeps_what_it_names_and_says_so() {
    let folder = nightly();
    let all = ["alone", "n-1", "n-2", "n-3", "n-4", "n-5"];
    for (policy, gone) in [
        ("", &all[..]),
        ("keepLast: 1", &["n-3", "n-4", "n-5"]),
        ("keepLast: 1\nfailed: {keepLast: 0}", &["n-1", "n-3", "n-4", "n-5"]),
        ("keepLast: 2\nfailed:\n  keepLast: 1", &["n-3", "n-5"]),
        ("olderThan: 73h", &["alone", "n-4", "n-5"]),
        ("keepLast: 1\nfailed:\n  olderThan: 30d", &["n-4", "n-5"]),
        ("pins:\n- names: [n-4, alone]", &["n-1", "n-2", "n-3", "n-5"]),
        // A pinned run takes nobody's place.
        ("keepLast: 1\npins:\n- names: [n-2]", &["n-3", "n-5"]),
        (
            "keepLast: 9\noverrides:\n- {cronWorkflow: nightly, keepLast: 0}",
            &["n-1", "n-2", "n-3", "n-4", "n-5"],
        ),
        ("overrides:\n- {namespace: ml, olderThan: 130h}\n- {namespace: etl, keepLast: 9}", &["alone"]),
        ("only: logs", &[]),
        ("verdicts: [kept, failing]", &[]),
    ] {
        let plan = plan(&folder, policy, &[]);
        let gone: Vec<String> = gone.iter().map(|name| format!("{name}/out.tgz")).collect();
        assert_eq!(deletes(&plan), gone, "{policy}");
        let filtered = policy.starts_with("only") || policy.starts_with("verdicts");
        let kept = if gone.len() == all.len() || filtered { vec![] } else { vec!["retained"] };
        assert_eq!(protections(&plan), kept, "{policy}");
    }
    let shown = plan(&folder, "keepLast: 1\nfailed:\n  keepLast: 2", &[]).to_string();
    for why in ["the newest run of cron workflow nightly", "one of the newest 2 failed runs of cron workflow"]
    {
        assert!(shown.contains(why), "{why}: {shown}");
    }
}

/// All finished runs count, whatever else the command line selects.
#[test]
fn what_is_not_selected_counts_all_the_same() {
    let folder = nightly();
    let old = plan(&folder, "keepLast: 1", &["--older", "90h"]);
    assert_eq!(deletes(&old), ["n-4/out.tgz", "n-5/out.tgz"], "n-2 is the one that stays");
}

/// Without a file: the newest runs of each series stay, and who selects by age alone is told how.
#[test]
fn the_newest_runs_are_kept_by_a_flag_of_the_command_line() {
    let folder = nightly();
    let kept = folder.plan(&["--all", "--keep-last", "1"]);
    assert_eq!(deletes(&kept), ["n-4/out.tgz", "n-5/out.tgz"]);
    assert_eq!(protections(&kept)[0], "failed-run");
    assert!(protections(&kept).contains(&"retained".to_owned()), "{kept:#}");
    let old = folder.plan(&["--older", "90h", "--keep-last", "3"]);
    assert_eq!(deletes(&old), [""; 0]);
    let words = |more: &[&str]| {
        let command = folder.command("purge", &[&["--older", "90h", "--dry-run"], more].concat());
        let words = std::iter::once(command.get_program()).chain(command.get_args()).map(ToOwned::to_owned);
        let (code, _, err) = in_terminal(words, Timestamp::now(), 200);
        assert_eq!(code, 0, "{err}");
        err
    };
    let note = "--keep-last N keeps the newest N of each";
    assert!(words(&[]).contains(note), "{}", words(&[]));
    assert!(!words(&["--keep-last", "1"]).contains(note));
}

/// A name that is mistyped keeps nothing; this is the only sign of it.
#[test]
fn what_matches_no_workflow_is_warned_of() {
    let folder = nightly();
    let said = |policy: &str, arguments: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        std::fs::write(&file, format!("{HEAD}{policy}")).unwrap();
        let file = file.display().to_string();
        let all = ["--all", "--dry-run", "--policy", &file];
        let ran = folder.purge(&all.iter().chain(arguments).copied().collect::<Vec<_>>()).ends_with(0);
        ran.err.replace(&file, "policy.yaml")
    };
    let policy = "pins:
- names: [n-1, gloden]
- matchLabels: {audit: 'true'}
overrides:
- {template: trian, keepLast: 3}
- {cronWorkflow: nightly, keepLast: 1}
- {namespace: etl, keepLast: 1}
";
    let err = said(policy, &["--prefix", "alone"]);
    for line in [
        "Warning: policy.yaml:4: the pin \"names gloden\" matches no workflow that was read\n",
        "Warning: policy.yaml:5: the pin \"audit=true\" matches no workflow that was read\n",
        "Warning: policy.yaml:7: template \"trian\" matches no workflow that was read\n",
        "Warning: policy.yaml:9: namespace \"etl\" matches no workflow that was read\n",
    ] {
        assert!(err.contains(line), "{line}: {err}");
    }
    // What is read counts, not what is selected.
    assert!(!err.contains("nightly") && !err.contains("n-1"), "{err}");
    let many: String = (0..30).map(|at| format!("- {{template: t-{at}, keepLast: 1}}\n")).collect();
    let err = said(&format!("overrides:\n{many}"), &[]);
    assert_eq!(err.matches("matches no workflow").count(), 10, "{err}");
    assert!(err.contains("Warning: policy.yaml: 20 more match no workflow that was read"), "{err}");
    assert!(!said("keepLast: 1\n", &[]).contains("no workflow that was read"));
}

/// Runs that keep nothing themselves push out none that does.
#[test]
fn a_run_that_is_restored_deleted_or_collected_takes_no_place() {
    for change in ["restored", "terminating", "collected"] {
        let mut folder = Folder::new();
        for (name, end) in [("real", 24), ("older", 48)] {
            folder.add(ended("ml", name, "nightly", "Succeeded", end));
            folder.put_at("ml-artifacts", &format!("{name}/out.tgz"), hours(end + 1));
        }
        // It ended last, or that is what its creation makes of it.
        let mut run = ended("ml", "odd", "nightly", "Succeeded", 12);
        match change {
            "restored" => {
                run["metadata"]["creationTimestamp"] = ago(hours(4)).into();
                run["status"]["startedAt"] = ago(hours(500)).into();
                run["status"]["finishedAt"] = ago(hours(499)).into();
            }
            "terminating" => run["metadata"]["deletionTimestamp"] = ago(hours(3)).into(),
            _ => run["status"]["nodes"]["odd-1"]["outputs"]["artifacts"][0]["deleted"] = true.into(),
        }
        folder.add(run);
        let plan = plan(&folder, "keepLast: 1", &[]);
        assert_eq!(deletes(&plan), ["older/out.tgz"], "{change}");
        let kept = folder.plan(&["--all", "--keep-last", "1"]);
        assert_eq!(deletes(&kept), ["older/out.tgz"], "{change}");
    }
}

#[test]
fn a_policy_never_widens() {
    let folder = nightly();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.yaml");
    // It may ask for failed runs and kept artifacts as much as it likes.
    let widest = "keepLast: 0\nolderThan: 0s\nfailed: {keepLast: 0, olderThan: 0s}\nverdicts: [uncovered, failing, kept]";
    std::fs::write(&file, format!("{HEAD}{widest}")).unwrap();
    let file = file.display().to_string();
    assert_eq!(folder.plan(&["--all", "--policy", &file])["workflows"], folder.plan(&["--all"])["workflows"]);
    // Nor does it select anything by itself.
    let ran = folder.purge(&["--policy", &file]).ends_with(2);
    assert!(ran.err.contains("nothing is selected"), "{}", ran.err);
    for (conflicting, other) in [("--plan", "p.json"), ("--resume", "j.jsonl")] {
        folder.purge(&["--policy", &file, conflicting, other]).ends_with(2);
    }
}

/// An object that a run which stays shares with one that goes stays, too.
#[test]
fn what_a_kept_run_refers_to_stays() {
    let mut folder = nightly();
    for (name, end) in [("s-1", 24), ("s-2", 96)] {
        let mut run = ended("ml", name, "shared", "Succeeded", end);
        run["status"]["nodes"][format!("{name}-1")]["outputs"]["artifacts"][0]["gcs"]["key"] =
            "shared/out.tgz".into();
        folder.add(run);
    }
    folder.put_at("ml-artifacts", "shared/out.tgz", hours(97));
    let shared = |policy: &str| {
        let plan = plan(&folder, policy, &["--prefix", "s-", "--margin", "90h"]);
        (deletes(&plan), protections(&plan))
    };
    assert_eq!(shared("keepLast: 0"), (vec!["shared/out.tgz".to_owned()], vec![]));
    assert_eq!(shared("keepLast: 1"), (vec![], vec!["referenced".to_owned(), "retained".to_owned()]));
}

#[test]
fn a_policy_can_come_by_standard_input_and_its_errors_have_places() {
    let run = |policy: &str, file: &str| {
        let line = ["kubectl argo-gc", "purge", "-f", file, "--all", "--dry-run", "--policy", "-"];
        in_process(line, policy, Timestamp::now())
    };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster");
    let (code, _, err) = run(&format!("{HEAD}keepLst: 3\n"), root);
    assert_eq!(code, 1, "{err}");
    assert!(err.starts_with("error: standard input:3:1: unknown field `keepLst`"), "{err}");
    assert!(err.contains("\nhint: docs/policy.md"), "{err}");
    assert_eq!(run(HEAD, "-").0, 2);
    let ran = Ran::of(plugin(["purge", "-A", "--policy", "/nonexistent/policy.yaml"])).ends_with(1);
    assert!(ran.err.starts_with("error: /nonexistent/policy.yaml: "), "{}", ran.err);
}

/// With the clock held, a policy's answer changes at the second and no other.
#[test]
fn the_clock_is_the_finish_of_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.yaml");
    std::fs::write(&policy, format!("{HEAD}olderThan: 7d\n")).unwrap();
    let policy = policy.display().to_string();
    let input = crate::support::workflow("train").to_string();
    let finished: Timestamp = "2026-11-01T01:00:00Z".parse().unwrap();
    std::fs::create_dir(directory.path().join("b")).unwrap();
    let root = directory.path().display().to_string();
    for (after, kept) in [(0, true), (1, false)] {
        let now = finished + hours(7 * 24) + SignedDuration::from_secs(after);
        let line = ["kubectl argo-gc", "purge", "-f", "-", "--all", "--dry-run", "-o", "json"];
        let line =
            line.into_iter().chain(["--store-root", &root, "--policy", &policy, "--repository", "gs://b"]);
        let (code, out, err) = in_process(line, &input, now);
        assert_eq!(code, 0, "{err}");
        assert_eq!(out.contains("retained"), kept, "{now}: {out}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_newest_are_counted_over_all_pages_on_apiserver_and_fake_gcs() {
    let live = Live::start("purge-policy");
    live.gcs.bucket(live.namespace);
    for at in 1..8 {
        let name = format!("nightly-{at}");
        let mut run = ended(live.namespace, &name, "nightly", "Succeeded", 24 * at);
        run["status"]["artifactRepositoryRef"]["artifactRepository"]["gcs"]["bucket"] = live.namespace.into();
        live.server.apply(run);
        live.gcs.put(live.namespace, &format!("{name}/out.tgz"), &name);
        live.gcs.created(live.namespace, &format!("{name}/out.tgz"), &ago(hours(24 * at + 1)));
    }
    let policy = live.file("policy.yaml");
    std::fs::write(&policy, format!("{HEAD}keepLast: 3\n")).unwrap();
    let ran = live.purge(&["--all", "--policy", &policy, "--chunk-size", "2", "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 4 objects"), "{}{}", ran.out, ran.err);
    let kept: Vec<String> = (1..4).map(|at| format!("nightly-{at}/out.tgz")).collect();
    assert_eq!(live.gcs.keys(live.namespace), kept);
}

// Properties, over the same code without servers.

const NOW: &str = "2026-11-30T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// One run of a property.
#[derive(Debug, Clone)]
struct Run {
    name: String,
    cron: u8,
    failed: bool,
    /// Hours ago.
    end: i64,
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    prop::collection::vec((0..3_u8, any::<bool>(), 2..40_i64), 0..24).prop_map(|runs| {
        let run = |(at, (cron, failed, end))| Run { name: format!("w-{at}"), cron, failed, end };
        runs.into_iter().enumerate().map(run).collect()
    })
}

fn object(run: &Run) -> String {
    let mut object = crate::support::workflow(&run.name);
    object["metadata"]["labels"] =
        json!({ "workflows.argoproj.io/cron-workflow": format!("c-{}", run.cron) });
    object["status"]["phase"] = if run.failed { "Failed" } else { "Succeeded" }.into();
    object["metadata"]["creationTimestamp"] = (now() - hours(run.end + 1)).to_string().into();
    object["status"]["finishedAt"] = (now() - hours(run.end)).to_string().into();
    object.to_string()
}

prop_compose! {
    fn keep()(last in prop::option::of(0..6_u32), older in prop::option::of(0..40_i64)) -> Keep {
        Keep { last, older_than: older.map(hours) }
    }
}

prop_compose! {
    fn rule()(
        runs in keep(), failed in keep(), logs in prop::bool::weighted(0.1),
        verdicts in prop::option::weighted(0.2, prop::sample::subsequence(vec![Verdict::Uncovered, Verdict::Kept], 1..3)),
    ) -> Rule {
        Rule { runs, failed, verdicts, only: logs.then_some(Class::Logs) }
    }
}

prop_compose! {
    fn policy()(
        all in rule(), cron in prop::option::of(rule()), namespace in prop::option::of(rule()),
        pinned in prop::collection::vec(0..24_usize, 0..3),
    ) -> Retention {
        let scope = |namespace: Option<&str>, cron: Option<&str>| Scope {
            namespace: namespace.map(str::to_owned),
            origin: cron.map(|cron| Origin::CronWorkflow(cron.to_owned())),
        };
        let overrides = cron.map(|rule| (scope(None, Some("c-0")), rule)).into_iter();
        let overrides = overrides.chain(namespace.map(|rule| (scope(Some("ml"), None), rule))).collect();
        let pin = |at: &usize| Pin { names: vec![format!("w-{at}")], ..Pin::default() };
        Retention { all, overrides, pins: pinned.iter().map(pin).collect(), ..Retention::default() }
    }
}

/// Names of the runs that go under a policy, read by pages of a size.
fn goes(runs: &[Run], retention: Option<&Retention>, page: usize) -> BTreeSet<String> {
    let context = Context { now: now(), controllers: Controllers::default(), related: Related::default() };
    let mut allowed = Allowed::default();
    allowed.add("gs://b".parse().unwrap(), "");
    let rules = Rules {
        now: now(),
        grace: hours(1),
        margin: hours(1),
        failed_too: true,
        verdicts: vec![Verdict::Uncovered, Verdict::Failing],
        allowed,
        retention: retention.cloned().map(Into::into),
        ..Rules::none(now())
    };
    let terms = Terms {
        context: Arc::new(context),
        rules,
        pins: Pins::default(),
        named: Vec::new(),
        selects: Box::new(|_| None),
        endangers: false,
        logins: false,
        asked: None,
        tells: false,
    };
    let mut whole = Scan::under(&terms.rules, Gathering::default(), Vec::new());
    for page in runs.chunks(page) {
        let mut part = ScanPart::default();
        page.iter().for_each(|run| part.workflow(&object(run), &terms));
        whole.absorb(part).unwrap();
    }
    whole.retain().unwrap();
    let selected = whole.finish().selected.into_values().unwrap().map(Result::unwrap);
    selected.filter(|one| one.has_candidates()).map(|one| one.plan.name).collect()
}

/// As a policy's page words it, told once more and slowly.
fn model(runs: &[Run], policy: &Retention) -> BTreeSet<String> {
    let pinned = |run: &Run| policy.pins.iter().any(|pin| pin.names.contains(&run.name));
    let rules = |run: &Run| -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        let of = |wanted: &dyn Fn(&Scope) -> bool| {
            policy.overrides.iter().filter(|(scope, _)| wanted(scope)).map(|(_, rule)| rule.clone()).collect()
        };
        if run.cron == 0 {
            rules = of(&|scope| scope.origin.is_some());
        }
        rules.extend::<Vec<Rule>>(of(&|scope| scope.namespace.is_some()));
        rules.push(policy.all.clone());
        rules
    };
    let values = |run: &Run| {
        let rules = rules(run);
        let mut keeps: Vec<Keep> = Vec::new();
        if run.failed {
            keeps.extend(rules.iter().map(|rule| rule.failed));
        }
        keeps.extend(rules.iter().map(|rule| rule.runs));
        let last = keeps.iter().find_map(|keep| keep.last).unwrap_or(0);
        (last, keeps.iter().find_map(|keep| keep.older_than))
    };
    let gone = runs.iter().filter(|run| {
        let (last, older) = values(run);
        let newer = runs.iter().filter(|other| {
            (other.cron, other.failed) == (run.cron, run.failed) && !pinned(other) && other.end < run.end
        });
        let rules = rules(run);
        let only = rules.iter().find_map(|rule| rule.only);
        let verdicts = rules.iter().find_map(|rule| rule.verdicts.clone());
        !pinned(run)
            && newer.count() >= last as usize
            && older.is_none_or(|older| hours(run.end) > older)
            && only != Some(Class::Logs)
            && verdicts.is_none_or(|verdicts| verdicts.contains(&Verdict::Uncovered))
    });
    gone.map(|run| run.name.clone()).collect()
}

/// The same or narrower, in every value.
fn narrowed(policy: &Retention, more: u32, pin: usize) -> Retention {
    let mut policy = policy.clone();
    let longer = |keep: &mut Keep| {
        keep.last = keep.last.map(|last| last + more);
        keep.older_than = keep.older_than.map(|older| older + hours(more.into()));
    };
    let rules = policy.overrides.iter_mut().map(|(_, rule)| rule).chain([&mut policy.all]);
    rules.for_each(|rule| {
        longer(&mut rule.runs);
        longer(&mut rule.failed);
        if more > 2 {
            rule.only = Some(Class::Logs);
        }
    });
    policy.pins.push(Pin { names: vec![format!("w-{pin}")], ..Pin::default() });
    policy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// It is what the page says, whatever the pages; in particular none of the newest N ever goes.
    #[test]
    fn the_policy_is_what_its_page_says(runs in runs(), policy in policy(), page in 1..9_usize) {
        let gone = goes(&runs, Some(&policy), page);
        prop_assert_eq!(&gone, &model(&runs, &policy));
        prop_assert_eq!(&gone, &goes(&runs, Some(&policy), 100));
    }

    /// A narrower policy lets nothing more go, and none lets go what no policy would.
    #[test]
    fn narrower_is_less(runs in runs(), policy in policy(), more in 0..4_u32, pin in 0..24_usize) {
        let without = goes(&runs, None, 7);
        let with = goes(&runs, Some(&policy), 7);
        let narrower = goes(&runs, Some(&narrowed(&policy, more, pin)), 7);
        prop_assert_eq!(without.len(), runs.len());
        prop_assert!(with.is_subset(&without));
        prop_assert!(narrower.is_subset(&with), "{:?} of {:?}", narrower, with);
    }

    /// A list that starts over changes nothing.
    #[test]
    fn runs_seen_twice_count_once(runs in runs(), policy in policy()) {
        let twice: Vec<Run> = runs.iter().chain(&runs).cloned().collect();
        prop_assert_eq!(goes(&twice, Some(&policy), 5), goes(&runs, Some(&policy), 5));
    }
}

/// What the parser takes the schema takes, and what it refuses the schema refuses, but for what none can say.
#[test]
fn the_schema_is_the_parser() {
    let schema: Value = serde_json::from_str(&document("docs/schema/retention-policy.v1.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let parsed = |text: &str| {
        let line =
            ["kubectl argo-gc", "purge", "-f", "none", "--store-root", "none", "--all", "--policy", "-"];
        let (_, _, err) = in_process(line, text, now());
        !err.contains("standard input:")
    };
    let example = document("examples/policy.yaml");
    let page = document("docs/policy.md");
    let shown: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(shown.len() >= 2, "docs/policy.md shows {} policies", shown.len());
    let whole = shown.iter().map(|text| match text.starts_with("apiVersion") {
        true => (*text).to_owned(),
        false => format!("{HEAD}{text}"),
    });
    for text in whole.chain([example]) {
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert!(parsed(&text), "{text}");
        assert!(validator.is_valid(&value), "{text}: {:?}", validator.iter_errors(&value).next());
    }
    for (rest, valid) in [
        ("", true),
        ("keepLast: 0", true),
        ("olderThan: 1d12h", true),
        ("pins: [{names: [train-*, a.b, 'a-*']}]", true),
        ("pins: [{matchLabels: {example.com/a_B: 'True', c: ''}}]", true),
        ("pins: [{matchExpressions: [{key: a, operator: Exists}]}]", true),
        ("overrides: [{namespace: a, template: b, failed: {keepLast: 1}}]", true),
        ("pins: []", false),
        ("overrides: []", false),
        ("failed: {}", false),
        ("overrides: [{namespace: a, failed: {}}]", false),
        ("pins: [{namespace: a, matchLabels: {}}]", false),
        ("pins: [{namespace: a, matchExpressions: []}]", false),
        ("pins: [{matchExpressions: [{key: a, operator: Exists, values: []}]}]", false),
        ("pins: [{names: [A-1]}]", false),
        ("pins: [{names: ['-*']}]", false),
        ("pins: [{namespace: a.b}]", false),
        ("pins: [{matchLabels: {'audit ': a}}]", false),
        ("pins: [{matchLabels: {audit: 'a '}}]", false),
        ("overrides: [{template: ml/train}]", false),
        ("overrides: [{namespace: ml/x}]", false),
        ("keepLst: 1", false),
        ("keepLast: -1", false),
        ("keepLast: 4294967296", false),
        ("keepLast: 1.5", false),
        ("keepLast: null", false),
        ("olderThan: 7", false),
        ("olderThan: '7'", false),
        ("olderThan: 7y", false),
        ("olderThan: ''", false),
        ("verdicts: []", false),
        ("verdicts: [unknown]", false),
        ("only: nothing", false),
        ("failed: {only: logs}", false),
        ("pins: [{}]", false),
        ("pins: [{names: []}]", false),
        ("pins: [{names: ['*']}]", false),
        ("pins: [{names: ['a*b']}]", false),
        ("pins: [{matchLabels: {}}]", false),
        ("pins: [{namespace: ''}]", false),
        ("pins: [{matchExpressions: [{key: a, operator: In}]}]", false),
        ("pins: [{matchExpressions: [{key: a, operator: Exists, values: [b]}]}]", false),
        ("pins: [{matchExpressions: [{key: a, operator: Equals, values: [b]}]}]", false),
        ("overrides: [{keepLast: 1}]", false),
        ("overrides: [{template: a, cronWorkflow: b}]", false),
        ("overrides: [{template: a}, {template: a}]", false),
        ("overrides: [{template: 'a*'}]", false),
    ] {
        let text = format!("{HEAD}{rest}\n");
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!((parsed(&text), validator.is_valid(&value)), (valid, valid), "{rest}");
    }
    // The fields of the schema are those of the page.
    for field in ["properties", "$defs/override/properties", "$defs/pin/properties"] {
        for name in schema.pointer(&format!("/{field}")).unwrap().as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{name}`")), "docs/policy.md does not say what {name} is");
        }
    }
}

/// However many runs there are, no more is held of a series than is kept.
#[test]
fn counting_is_bounded() {
    let one =
        serde_json::from_str(&object(&Run { name: "w".into(), cron: 0, failed: false, end: 2 })).unwrap();
    let series = argo_gc_core::plan::retention::Run::new(&one, &[]).series();
    let mut newest = Newest::new(3);
    for at in 0..100_000_i64 {
        newest.count(series.clone(), now() - hours(at % 1000), at);
    }
    // A hundred ended at each hour.
    assert!(newest.holds(&series, now(), 3) && !newest.holds(&series, now() - hours(1), 3));
}
