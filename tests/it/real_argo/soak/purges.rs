//! A purge of the soak: how it is disturbed, what it did, and what is required of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::Ran;
use crate::support::gcs::Entry;
use crate::support::kube::ADMIN;
use crate::support::real_argo::{BUCKET, RealArgo};

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// It is killed after that time, and resumed.
    Killed(Duration),
    /// The storage refuses, loses or delays requests until the run has ended; then it is resumed.
    Storage,
    /// The API server ends all watches.
    Watches,
}

/// What was done by one run and its resumption.
pub struct Done {
    /// The keys of the plan in its journal.
    pub planned: BTreeSet<String>,
    /// Requests to delete since it began.
    pub deletes: Vec<Entry>,
    /// The last part that ended by itself: its document, if it said anything.
    pub result: Option<Value>,
    /// Whether nothing of the plan was left.
    pub complete: bool,
    pub words: String,
}

/// Carries out a plan with trouble, and resumes it without.
pub fn purge(argo: &RealArgo, arguments: &[&str], journal: &Path, trouble: Trouble) -> Done {
    let began = argo.gcs.deletes().len();
    let path = journal.display().to_string();
    let mut words = vec!["purge", "--yes", "-o", "json", "--journal", &path];
    words.extend(arguments);
    let mut ran = run(argo, &words, trouble);
    argo.gcs.heal();
    if trouble != Trouble::None && journal.exists() {
        let again = run(argo, &["purge", "--resume", &path, "--yes", "-o", "json"], Trouble::None);
        let again = again.expect("it isn't killed");
        assert!(matches!(again.code, Some(0 | 4 | 5)), "resume: {again:#?}");
        ran = Some(again);
    }
    let deletes = argo.gcs.deletes().split_off(began);
    let planned = planned(journal);
    let result: Option<Value> = ran.as_ref().and_then(|ran| serde_json::from_str(&ran.out).ok());
    let complete = ran.as_ref().is_some_and(|ran| ran.code == Some(0));
    if let Some(ran) = &ran
        && trouble == Trouble::None
    {
        assert!(matches!(ran.code, Some(0 | 4)), "purge: {ran:#?}");
    }
    let words = ran.map(|ran| format!("{:?}\n{}{}", ran.code, ran.out, ran.err)).unwrap_or_default();
    Done { planned, deletes, result, complete, words }
}

/// None if it was killed.
fn run(argo: &RealArgo, arguments: &[&str], trouble: Trouble) -> Option<Ran> {
    let mut command = argo.server.plugin(ADMIN, arguments);
    command.env("STORAGE_EMULATOR_HOST", argo.gcs.url());
    match trouble {
        Trouble::Killed(after) => {
            argo.gcs.latency(Duration::from_millis(30));
            return killed(command, after);
        }
        Trouble::Storage => {
            argo.gcs.latency(Duration::from_millis(20));
            argo.gcs.fail_every(3, 503);
            argo.gcs.cut_after_every(4);
        }
        Trouble::None | Trouble::Watches => {}
    }
    Some(Ran::of(command))
}

fn killed(mut command: Command, after: Duration) -> Option<Ran> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    std::thread::sleep(after);
    child.kill().expect("a process of our own");
    child.wait().expect("a child");
    None
}

/// The keys that the journal's plan, its first document, deletes.
fn planned(journal: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let plan = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next().and_then(Result::ok);
    let plan = plan.unwrap_or_default();
    let workflows = plan["workflows"].as_array().into_iter().flatten();
    let objects = workflows.flat_map(|workflow| workflow["delete"].as_array().into_iter().flatten());
    objects.filter_map(|object| object["key"].as_str()).map(str::to_owned).collect()
}

/// Nothing but the plan is deleted, each object once, under the generation that was looked at; and the tally is true.
pub fn check(done: &Done) {
    let mut executed: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &done.deletes {
        let key = entry.key.as_deref().expect("an object");
        assert_eq!(entry.bucket.as_deref(), Some(BUCKET));
        assert!(entry.pin.is_some(), "a delete without a pin: {entry:?}\n{}", done.words);
        assert!(done.planned.contains(key), "{key} is not in the plan {:?}\n{}", done.planned, done.words);
        *executed.entry(key).or_default() += usize::from(entry.executed);
    }
    let twice: Vec<_> = executed.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "deleted twice: {twice:?}\n{}", done.words);
    let Some(result) = done.result.as_ref().filter(|result| result["kind"] == "PurgeResult") else { return };
    let told: u64 =
        ["deleted", "deletedBefore"].iter().filter_map(|name| result["totals"][name].as_u64()).sum();
    let executed = executed.values().sum::<usize>();
    assert_eq!(told, u64::try_from(executed).expect("few"), "the tally\n{}", done.words);
}
