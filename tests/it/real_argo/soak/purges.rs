//! A purge of the soak: how it is disturbed, what it did, and what is required of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Ran;
use crate::support::api_proxy::ApiProxy;
use crate::support::gcs::Entry;
use crate::support::kube::ADMIN;
use crate::support::real_argo::{BUCKET, RealArgo};

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// It is killed after that time, once it has asked for so many deletes, and resumed.
    Killed(Duration, usize),
    /// The storage refuses, loses or delays requests until the run has ended; then it is resumed.
    Storage,
    /// The storage says of some objects that they are deleted, and keeps them.
    Lies,
    /// The API server fails now and then, and may end all watches after that time.
    Api(Option<Duration>),
}

/// What was done by one run and its resumption.
pub struct Done {
    /// The keys of the plan in its journal.
    pub planned: BTreeSet<String>,
    /// The keys that the journal calls deleted.
    pub settled: BTreeSet<String>,
    /// Requests to delete since it began.
    pub deletes: Vec<Entry>,
    /// The last part that ended by itself: its document, if it said anything.
    pub result: Option<Value>,
    /// Whether nothing of the plan was left.
    pub complete: bool,
    pub words: String,
}

/// Carries out a plan with trouble, and resumes it without.
pub fn purge(argo: &'static RealArgo, arguments: &[&str], journal: &Path, trouble: Trouble) -> Done {
    let began = argo.gcs.deletes().len();
    let path = journal.display().to_string();
    let mut words = vec!["purge", "--yes", "-o", "json", "--journal", &path];
    words.extend(arguments);
    let mut ran = run(argo, &words, trouble);
    argo.gcs.heal();
    // Whatever happened to it: nothing is asked for that isn't on the disk.
    let [_, intended, _] = told(journal);
    for entry in &argo.gcs.deletes()[began..] {
        let key = entry.key.as_deref().expect("an object");
        assert!(intended.contains(key), "{trouble:?}: the journal doesn't know of {key}");
    }
    if trouble != Trouble::None && journal.exists() {
        let again = Ran::of(command(argo, &["purge", "--resume", &path, "--yes", "-o", "json"]));
        assert!(matches!(again.code, Some(0 | 4 | 5)), "resume: {again:#?}");
        ran = Some(again);
    }
    let deletes = argo.gcs.deletes().split_off(began);
    let result: Option<Value> = ran.as_ref().and_then(|ran| serde_json::from_str(&ran.out).ok());
    let complete = ran.as_ref().is_some_and(|ran| ran.code == Some(0));
    if let Some(ran) = &ran
        && trouble == Trouble::None
    {
        assert!(matches!(ran.code, Some(0 | 4)), "purge: {ran:#?}");
    }
    let words = ran.map(|ran| format!("{:?}\n{}{}", ran.code, ran.out, ran.err)).unwrap_or_default();
    let [planned, _, settled] = told(journal);
    Done { planned, settled, deletes, result, complete, words }
}

fn command(argo: &RealArgo, arguments: &[&str]) -> Command {
    let mut command = argo.server.plugin(ADMIN, arguments);
    command.env("STORAGE_EMULATOR_HOST", argo.gcs.url());
    command
}

/// None if it was killed.
fn run(argo: &'static RealArgo, arguments: &[&str], trouble: Trouble) -> Option<Ran> {
    let mut command = command(argo, arguments);
    match trouble {
        Trouble::None => Some(Ran::of(command)),
        Trouble::Killed(after, deletes) => {
            argo.gcs.latency(Duration::from_millis(30));
            let (began, already) = (Instant::now(), argo.gcs.deletes().len());
            command.args(["--concurrency", "2"]).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("it starts");
            let is_due = || began.elapsed() >= after && argo.gcs.deletes().len() >= already + deletes;
            while child.try_wait().expect("a child").is_none() && !is_due() {
                thread::sleep(Duration::from_millis(5));
            }
            child.kill().expect("a process of our own");
            child.wait().expect("a child");
            None
        }
        Trouble::Storage => {
            argo.gcs.latency(Duration::from_millis(20));
            argo.gcs.fail_every(3, 503);
            argo.gcs.cut_after_every(4);
            Some(Ran::of(command))
        }
        Trouble::Lies => {
            argo.gcs.lie_every(2);
            Some(Ran::of(command))
        }
        Trouble::Api(cut) => {
            let (proxy, folder) = (ApiProxy::before(&argo.server), TempDir::new().expect("a directory"));
            proxy.fail_every(7);
            let config = folder.path().join("kubeconfig");
            fs::write(&config, proxy.config().to_string()).expect("a kubeconfig");
            command.env("KUBECONFIG", config);
            Some(thread::scope(|scope| {
                let ran = scope.spawn(|| Ran::of(command));
                if let Some(after) = cut {
                    thread::sleep(after);
                    proxy.cut_watches();
                }
                ran.join().unwrap_or_else(|panic| resume_unwind(panic))
            }))
        }
    }
}

/// The keys of the journal's plan, of its intents, and of its deletes.
fn told(journal: &Path) -> [BTreeSet<String>; 3] {
    let text = fs::read_to_string(journal).unwrap_or_default();
    // A killed process may have left half a line.
    let mut lines = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map_while(Result::ok);
    let plan = lines.next().unwrap_or_default();
    let workflows = plan["workflows"].as_array().into_iter().flatten();
    let objects = workflows.flat_map(|workflow| workflow["delete"].as_array().into_iter().flatten());
    let planned = objects.filter_map(|object| object["key"].as_str()).map(str::to_owned).collect();
    let (mut intended, mut settled) = (BTreeSet::new(), BTreeSet::new());
    for line in lines {
        let key = line["key"].as_str().unwrap_or_default().to_owned();
        match line["line"].as_str() {
            Some("intent") => drop(intended.insert(key)),
            Some("result") if line["outcome"] == "deleted" => drop(settled.insert(key)),
            Some("result") => drop(settled.remove(&key)),
            _ => {}
        }
    }
    [planned, intended, settled]
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
    let truly: BTreeSet<String> =
        executed.iter().filter(|(_, count)| **count == 1).map(|(key, _)| (*key).to_owned()).collect();
    assert!(done.settled.is_subset(&truly), "{:?} are not deleted\n{}", done.settled, done.words);
    let Some(result) = done.result.as_ref().filter(|result| result["kind"] == "PurgeResult") else { return };
    let told: u64 =
        ["deleted", "deletedBefore"].iter().filter_map(|name| result["totals"][name].as_u64()).sum();
    let executed = executed.values().sum::<usize>();
    assert_eq!(told, u64::try_from(executed).expect("few"), "the tally\n{}", done.words);
}
