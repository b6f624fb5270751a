//! A round: something happens in the cluster, something is purged meanwhile, and the model is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::forms::{Form, templates, workflow};
use super::model::{GRACE, Model, moment};
use super::purges::{Done, Trouble, check, purge};
use super::random::Random;
use super::world::World;
use crate::support::real_argo::controller::Settings;
use crate::support::real_argo::{BUCKET, RealArgo, path};

const NAMESPACES: [&str; 2] = ["soak-a", "soak-b"];

/// How long a deleted workflow may take to go, or to be stuck.
const PATIENCE: SignedDuration = SignedDuration::from_secs(25);
/// A collection that takes longer than that should have been explained.
const WORK: SignedDuration = SignedDuration::from_mins(4);

#[derive(Default)]
struct Tally {
    rounds: usize,
    workflows: usize,
    deleted: usize,
    retried: usize,
    purges: usize,
    killed: usize,
    troubled: usize,
    objects: usize,
    released: usize,
}

pub struct Soak {
    argo: &'static RealArgo,
    random: Random,
    seed: u64,
    model: Model,
    journals: TempDir,
    tally: Tally,
}

impl Soak {
    pub fn start() -> Self {
        // The proxy that fails has a thread, which wants it to stay.
        let argo: &'static RealArgo = Box::leak(Box::new(RealArgo::start(&Settings::default())));
        for namespace in NAMESPACES {
            argo.namespace(namespace);
            let cache = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": "cache", "namespace": namespace,
                "labels": { "workflows.argoproj.io/configmap-type": "Cache" },
            }});
            argo.create(json!([templates(namespace), cache]));
        }
        Self {
            argo,
            random: Random::new(0),
            seed: 0,
            model: Model::default(),
            journals: TempDir::new().expect("a directory"),
            tally: Tally::default(),
        }
    }

    pub fn plant(&mut self, seed: u64) {
        self.random = Random::new(seed);
        self.seed = seed;
    }

    /// What was done so far, in a line.
    pub fn told(&self) -> String {
        let Tally { rounds, workflows, deleted, retried, purges, killed, troubled, objects, released } =
            self.tally;
        let written = self.argo.cluster.written().len();
        format!(
            "{rounds} rounds, {workflows} workflows ({deleted} deleted, {retried} retried) that wrote {written} objects; \
             {purges} purges, {killed} killed, {troubled} with other trouble, deleted {objects} objects; \
             {released} finalizers released"
        )
    }

    pub fn round(&mut self) {
        self.tally.rounds += 1;
        for _ in 0..self.random.within(3..8) {
            let form = Form::any(&mut self.random);
            self.submit(form);
        }
        if self.random.in_hundred(40) {
            self.resubmit();
        }
        self.delete_some();
        self.retry_some();
        thread::sleep(Duration::from_millis(self.random.within(500..4000)));
        let trouble = match self.random.within(0..100) {
            0..45 => Trouble::None,
            45..75 => {
                // At any moment, and in the midst of its deletes.
                let after = Duration::from_millis(self.random.within(0..1500));
                Trouble::Killed(after, usize::try_from(self.random.within(0..6)).expect("few"))
            }
            75..83 => Trouble::Storage,
            83..88 => Trouble::Lies,
            88..94 => Trouble::Api(None),
            _ => Trouble::Api(Some(Duration::from_millis(self.random.within(100..1500)))),
        };
        if self.random.in_hundred(75) {
            self.purge_all(trouble);
        } else {
            self.purge_orphans(trouble);
        }
        if self.tally.rounds.is_multiple_of(3) {
            self.release();
        }
        self.account();
    }

    /// Makes a workflow like one that is there.
    fn resubmit(&mut self) {
        let alive = self.some(|workflow| workflow["metadata"]["deletionTimestamp"].is_null());
        if alive.is_empty() {
            return;
        }
        let old = self.random.of(&alive);
        let [namespace, old_name] = named(old);
        self.tally.workflows += 1;
        let name = format!("w-{}-{}", self.seed, self.tally.workflows);
        let form = self.model.forms[&(namespace.clone(), old_name)];
        self.argo.create(json!({
            "apiVersion": old["apiVersion"], "kind": "Workflow", "spec": old["spec"],
            "metadata": { "name": name, "namespace": namespace },
        }));
        self.model.forms.insert((namespace, name), form);
    }

    fn submit(&mut self, form: Form) {
        self.tally.workflows += 1;
        let namespace = *self.random.of(&NAMESPACES);
        let name = format!("w-{}-{}", self.seed, self.tally.workflows);
        let keys = self.argo.gcs.keys(BUCKET);
        let key = if keys.is_empty() { "none".to_owned() } else { self.random.of(&keys).clone() };
        let manifest = workflow(form, namespace, &name, &key, &mut self.random);
        self.model.forms.insert((namespace.to_owned(), name), form);
        self.argo.create(manifest);
    }

    /// The soak's workflows of which the test is true.
    fn some(&self, is_one: impl Fn(&Value) -> bool) -> Vec<Value> {
        let list = self.argo.server.get("/apis/argoproj.io/v1alpha1/workflows").expect("a list");
        list["items"].as_array().into_iter().flatten().filter(|workflow| is_one(workflow)).cloned().collect()
    }

    fn delete_some(&mut self) {
        let alive = self.some(|workflow| workflow["metadata"]["deletionTimestamp"].is_null());
        for workflow in alive {
            if self.random.in_hundred(8) {
                self.tally.deleted += 1;
                let [namespace, name] = named(&workflow);
                // TTL may have been faster.
                self.argo.remove(&path(&namespace, &name));
            }
        }
    }

    /// What `argo retry` does to a workflow of one failed pod, with a parameter by which it succeeds.
    fn retry_some(&mut self) {
        for mut workflow in self.some(|workflow| workflow["status"]["phase"] == "Failed") {
            let [namespace, name] = named(&workflow);
            let is_flaky = self.model.forms.get(&(namespace.clone(), name.clone())) == Some(&Form::Flaky);
            if !is_flaky || !self.random.in_hundred(30) {
                continue;
            }
            self.tally.retried += 1;
            let uid = workflow["metadata"]["uid"].as_str().expect("a UID").to_owned();
            let pods = format!("/api/v1/namespaces/{namespace}/pods/{name}");
            self.argo.remove(&pods);
            self.argo.remove(&format!(
                "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflowtaskresults/{name}"
            ));
            workflow["metadata"]["labels"] = json!({ "workflows.argoproj.io/phase": "Running" });
            workflow["spec"]["arguments"]["parameters"][0]["value"] = json!("0");
            workflow["status"]["phase"] = json!("Running");
            for field in ["nodes", "finishedAt", "message", "taskResultsCompletionStatus", "conditions"] {
                workflow["status"].as_object_mut().expect("a status").remove(field);
            }
            // Someone may have changed it meanwhile, as TTL does.
            if self.argo.replace(&path(&namespace, &name), &workflow).is_ok() {
                self.model.retried.insert(uid, Timestamp::now());
            }
        }
    }

    fn journal(&mut self) -> PathBuf {
        self.tally.purges += 1;
        self.journals.path().join(format!("{}.jsonl", self.tally.purges))
    }

    /// Purges all that leaks, while readers of what is there come.
    fn purge_all(&mut self, trouble: Trouble) {
        let failed_too = self.random.in_hundred(30);
        let repository = format!("gs://{BUCKET}");
        let mut arguments = vec!["-A", "--grace", GRACE, "--repository", &repository];
        if failed_too {
            arguments.extend(["--status", "Succeeded,Failed,Error"]);
        }
        let before = World::now(self.argo);
        let journal = self.journal();
        let began = Timestamp::now() - SignedDuration::try_from(self.argo.gcs.now()).expect("a time");
        let readers: Vec<Form> = (0..self.random.within(0..4))
            .map(|_| *self.random.of(&[Form::Reader, Form::Mentioner]))
            .collect();
        let wait = Duration::from_millis(self.random.within(0..800));
        let done = thread::scope(|scope| {
            let argo = self.argo;
            let handle = scope.spawn(|| purge(argo, &arguments, &journal, trouble));
            thread::sleep(wait);
            let names: Vec<(Form, String)> = readers
                .iter()
                .enumerate()
                .map(|(at, form)| (*form, format!("r-{}-{}-{at}", self.seed, self.tally.purges)))
                .collect();
            for (form, name) in names {
                let keys = argo.gcs.keys(BUCKET);
                if keys.is_empty() {
                    continue;
                }
                let key = self.random.of(&keys).clone();
                let namespace = *self.random.of(&NAMESPACES);
                argo.create(workflow(form, namespace, &name, &key, &mut self.random));
                self.model.forms.insert((namespace.to_owned(), name), form);
            }
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let after = World::now(self.argo);
        self.judge(&done, trouble, failed_too, began, [&before, &after]);
    }

    fn judge(
        &mut self,
        done: &Done,
        trouble: Trouble,
        failed_too: bool,
        began: Timestamp,
        worlds: [&World; 2],
    ) {
        let seed = self.seed;
        self.count(done, trouble);
        check(done);
        let artifacts = self.artifacts();
        for entry in done.deletes.iter().filter(|entry| entry.executed) {
            let key = entry.key.as_deref().expect("an object");
            let artifact = artifacts.get(key).map_or(key, |(artifact, ..)| artifact);
            let at = moment(began, entry.at);
            if let Some(why) = self.model.needed((key, artifact), at, failed_too, worlds) {
                panic!("seed {seed}: {trouble:?}: {key} was deleted at {at} although {why}\n{}", done.words);
            }
        }
        if trouble != Trouble::None || !done.complete {
            return;
        }
        let [before, after] = worlds;
        for (key, (artifact, namespace, name)) in &artifacts {
            let object = (key.as_str(), artifact.as_str());
            if before.keys.contains(key)
                && after.keys.contains(key)
                && self.model.must_go(object, (namespace, name), before, failed_too)
                && self.model.must_go(object, (namespace, name), after, failed_too)
            {
                let location = format!("gs://{BUCKET}/{key}");
                let why = self.argo.argo_gc(&["explain", &location, "-A", "--grace", GRACE]);
                panic!(
                    "seed {seed}: {key} of {namespace}/{name} is still there at {}: {}\n{}",
                    after.at, why.out, done.words
                );
            }
        }
    }

    /// By key: the artifact's key, and the namespace and name of the workflow that wrote it last.
    fn artifacts(&self) -> BTreeMap<String, (String, String, String)> {
        let written = self.argo.cluster.written().into_iter();
        written.map(|one| (one.place.key, (one.artifact, one.namespace, one.workflow))).collect()
    }

    fn count(&mut self, done: &Done, trouble: Trouble) {
        self.tally.objects += done.deletes.iter().filter(|entry| entry.executed).count();
        match trouble {
            Trouble::None => {}
            Trouble::Killed(..) => self.tally.killed += 1,
            _ => self.tally.troubled += 1,
        }
    }

    /// Purges what workflows that are gone left behind.
    fn purge_orphans(&mut self, trouble: Trouble) {
        let before = World::now(self.argo);
        let plan = self.journals.path().join(format!("plan-{}.json", self.tally.purges));
        let plan = plan.display().to_string();
        let repository = format!("gs://{BUCKET}");
        let arguments =
            ["orphans", "--repository", &repository, "--older", "0s", "--exclusive", "--plan-out", &plan];
        let ran = self.argo.argo_gc(&arguments);
        assert!(matches!(ran.code, Some(0)), "seed {}: {ran:#?}", self.seed);
        if !std::path::Path::new(&plan).exists() {
            return;
        }
        let journal = self.journal();
        let began = Timestamp::now() - SignedDuration::try_from(self.argo.gcs.now()).expect("a time");
        let done = purge(self.argo, &["--plan", &plan], &journal, trouble);
        let after = World::now(self.argo);
        self.count(&done, trouble);
        check(&done);
        let artifacts = self.artifacts();
        for entry in done.deletes.iter().filter(|entry| entry.executed) {
            let key = entry.key.as_deref().expect("an object");
            let (artifact, namespace, name) = artifacts.get(key).expect("a pod wrote it");
            let at = moment(began, entry.at);
            let lives = after.workflow(namespace, name).is_some();
            let named = self.model.needed((key, artifact), at, false, [&before, &after]);
            assert!(
                !lives && named.is_none(),
                "seed {}: {key}, deleted at {at}, is no orphan: {named:?}\n{}{}",
                self.seed,
                ran.out,
                done.words
            );
        }
        if trouble != Trouble::None || !done.complete {
            return;
        }
        for (key, (artifact, namespace, name)) in &artifacts {
            let is_orphan = |world: &World| {
                world.workflow(namespace, name).is_none() && world.holders(key, artifact).is_empty()
            };
            let is_shaped = key.starts_with(&format!("{namespace}/{name}/"));
            let stays = before.keys.contains(key) && after.keys.contains(key);
            if stays && is_shaped && is_orphan(&before) {
                let form = self.model.forms.get(&(namespace.clone(), name.clone()));
                panic!(
                    "seed {}: the orphan {key} of a {form:?} is still there, read at {}\n{}{}{}",
                    self.seed, before.at, ran.out, ran.err, done.words
                );
            }
        }
    }

    /// Every finalizer goes, or its workflow is explained. Returns whether each is: on a busy machine a collection takes its
    /// time, and is nothing to explain yet.
    fn release(&mut self) -> bool {
        let mut hanging = self.some(|workflow| lasting(workflow, PATIENCE));
        for workflow in &hanging {
            let [namespace, name] = named(workflow);
            let form = self.model.forms[&(namespace.clone(), name.clone())];
            assert!(form.hangs(), "seed {}: {namespace}/{name} ({form:?}) hangs: {workflow:#}", self.seed);
        }
        if hanging.is_empty() {
            return true;
        }
        let doctor = self.argo.argo_gc(&["doctor", "-A", "-o", "json"]).ends_with(0);
        let all = hanging.len();
        hanging.retain(|workflow| {
            let [_, name] = named(workflow);
            let is_explained = doctor.out.contains(&format!("\"{name}\""));
            assert!(
                is_explained || !lasting(workflow, WORK),
                "seed {}: {name} isn't explained: {workflow:#}\n{}",
                self.seed,
                doctor.out
            );
            is_explained
        });
        let explained = hanging.len() == all;
        let before = World::now(self.argo);
        let journal = self.journal();
        let repository = format!("gs://{BUCKET}");
        let arguments =
            ["-A", "--grace", GRACE, "--repository", &repository, "--release-finalizer", "--accept-absent"];
        let began = Timestamp::now() - SignedDuration::try_from(self.argo.gcs.now()).expect("a time");
        let done = purge(self.argo, &arguments, &journal, Trouble::None);
        let after = World::now(self.argo);
        self.judge(&done, Trouble::None, false, began, [&before, &after]);
        for workflow in hanging {
            let [namespace, name] = named(&workflow);
            let kept = done
                .result
                .as_ref()
                .is_some_and(|result| result.to_string().contains(&format!("\"{name}\"")));
            match self.argo.workflow(&namespace, &name) {
                None => self.tally.released += 1,
                // One that something else still needs an object of.
                Some(workflow) => assert!(
                    kept || !done.complete,
                    "seed {}: {namespace}/{name} still hangs: {workflow:#}\n{}",
                    self.seed,
                    done.words
                ),
            }
        }
        explained
    }

    /// What is missing in the bucket was deleted by a purge's plan or by Argo's own collection.
    fn account(&self) {
        let present: BTreeSet<String> = self.argo.gcs.keys(BUCKET).into_iter().collect();
        let collected: BTreeSet<String> =
            self.argo.cluster.collected().into_iter().map(|place| place.key).collect();
        let purged: BTreeSet<String> = self
            .argo
            .gcs
            .deletes()
            .into_iter()
            .filter(|entry| entry.executed)
            .filter_map(|entry| entry.key)
            .collect();
        for key in self.artifacts().into_keys() {
            assert!(
                present.contains(&key) || collected.contains(&key) || purged.contains(&key),
                "seed {}: {key} is gone, and nobody deleted it",
                self.seed
            );
        }
    }

    /// Waits until nothing runs any more, and purges until nothing is left to purge.
    pub fn settle(&mut self) {
        self.argo.gcs.heal();
        for _ in 0..120 {
            if self.some(|workflow| workflow["status"]["finishedAt"].is_null()).is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(500));
        }
        for workflow in self.some(|workflow| workflow["metadata"]["deletionTimestamp"].is_null()) {
            let [namespace, name] = named(&workflow);
            if self.model.forms[&(namespace.clone(), name.clone())].hangs() {
                self.tally.deleted += 1;
                self.argo.remove(&path(&namespace, &name));
            }
        }
        thread::sleep(PATIENCE.unsigned_abs() + Duration::from_secs(1));
        while !self.release() {
            thread::sleep(Duration::from_secs(1));
        }
        self.purge_all(Trouble::None);
        self.purge_orphans(Trouble::None);
        self.account();
    }
}

/// Whether the workflow was deleted longer ago than that, and is still there.
fn lasting(workflow: &Value, patience: SignedDuration) -> bool {
    let deleted = workflow["metadata"]["deletionTimestamp"].as_str();
    let deleted = deleted.and_then(|time| time.parse::<Timestamp>().ok());
    deleted.is_some_and(|time| time + patience < Timestamp::now())
}

/// Namespace and name.
fn named(workflow: &Value) -> [String; 2] {
    ["namespace", "name"].map(|field| workflow["metadata"][field].as_str().unwrap_or_default().to_owned())
}
