//! The run of all cases up to their end: what is predicted, said, and comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::case::{self, Case};
use super::named;
use crate::support::in_process;
use crate::support::real_argo::controller::{Controller, Settings};
use crate::support::real_argo::places::clean;
use crate::support::real_argo::runner::Fate;
use crate::support::real_argo::{BUCKET, RealArgo, path};

/// A bucket besides the controller's.
pub const OTHERS: &str = "argo-others";

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(150);

pub struct Stage {
    pub argo: &'static RealArgo,
    pub cases: Vec<Case>,
    pub given: Vec<Value>,
    templates: Vec<(String, BTreeSet<String>)>,
    /// What was not right, a line each.
    pub wrong: Vec<String>,
    /// By workflow and artifact: bucket and key, as `inspect` said.
    places: BTreeMap<(String, String), (String, String)>,
    _others: Vec<Controller>,
}

impl Stage {
    pub fn start() -> Self {
        let argo = RealArgo::shared();
        argo.gcs.bucket(OTHERS);
        let mut stage = Self {
            argo,
            cases: Vec::new(),
            given: Vec::new(),
            templates: Vec::new(),
            wrong: Vec::new(),
            places: BTreeMap::new(),
            _others: Vec::new(),
        };
        for file in case::read() {
            stage.given.extend(file.given);
            stage.templates.extend(file.templates);
            stage.cases.extend(file.cases);
        }
        argo.create(json!([{ "apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "cases-narrow", "labels": { "workflows.argoproj.io/parallelism-limit": "1" },
        }}]));
        let namespaces: BTreeSet<&str> = stage.cases.iter().map(|case| case.namespace.as_str()).collect();
        namespaces.iter().for_each(|namespace| argo.namespace(namespace));
        argo.create(stage.given.clone());
        for (namespace, fate) in
            [("cases-held", Fate::Hold), ("cases-hung", Fate::Hang), ("cases-evicted", Fate::Evict)]
        {
            argo.cluster.decide(namespace, move |pod| {
                let collects = pod["metadata"]["labels"]["workflows.argoproj.io/component"] == "artifact-gc";
                if collects { fate.clone() } else { Fate::Run }
            });
        }
        let config = json!({ "instanceID": "second" });
        let second = Settings { config, ..Settings::default() };
        let config = json!({ "instanceID": "idle" });
        let idle = Settings { config, env: &[("ARGO_ARTIFACT_GC_ENABLED", "false")], ..Settings::default() };
        stage._others.push(Controller::start(&argo.server, "argo-second", BUCKET, &second));
        stage._others.push(Controller::start(&argo.server, "argo-idle", BUCKET, &idle));
        stage
    }

    /// Compares what was found with what is right.
    pub fn expect<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, what: &str, found: T, right: T) {
        if found != right {
            self.wrong.push(format!("{case}: {what}: {found:?}, and right is {right:?}"));
        }
    }

    /// What `lint` says of the manifests, before any of them runs.
    pub fn lint(&mut self) {
        let manifests: Vec<Value> =
            self.given.iter().cloned().chain(self.cases.iter().map(Case::workflow)).collect();
        let mut file = tempfile::NamedTempFile::with_suffix(".json").expect("a file");
        file.write_all(
            json!({ "apiVersion": "v1", "kind": "List", "items": manifests }).to_string().as_bytes(),
        )
        .expect("written");
        let path = file.path().display().to_string();
        let report = self.argo.argo_gc(&["lint", "-f", &path, "-o", "json", "--argo-version", "v4.0.5"]);
        let report = report.ends_with(0).json();
        let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for finding in report["findings"].as_array().expect("findings") {
            // It stands on nearly all, and is tested elsewhere.
            if finding["code"] != "default-service-account" {
                let codes = found.entry(finding["name"].as_str().expect("a name")).or_default();
                codes.insert(finding["code"].as_str().expect("a code").to_owned());
            }
        }
        let cases = self.cases.iter().map(|case| (case.name.clone(), case.lint.clone()));
        let right: Vec<_> = cases.chain(self.templates.clone()).collect();
        for (name, right) in right {
            let codes = found.remove(name.as_str()).unwrap_or_default();
            self.expect(&name, "lint", codes, right);
        }
    }

    /// Submits all, each in its time, and waits until they are over and nothing happens any more.
    pub fn run(&mut self) {
        let start = Instant::now();
        let mut open: BTreeSet<String> = self.cases.iter().map(|case| case.name.clone()).collect();
        while !open.is_empty() {
            let now = self.workflows("cases");
            let is = |name: &Option<String>, state: &str| {
                name.as_ref().is_none_or(|name| {
                    now.get(name).is_some_and(|workflow| {
                        let phase = workflow["metadata"]["labels"]["workflows.argoproj.io/phase"].as_str();
                        phase == Some(state) || phase == Some("Succeeded")
                    })
                })
            };
            let due = self.cases.iter().filter(|case| {
                open.contains(&case.name) && is(&case.after, "Succeeded") && is(&case.during, "Running")
            });
            let due: Vec<&Case> = due.collect();
            if !due.is_empty() {
                self.argo.create(due.iter().map(|case| case.workflow()).collect::<Vec<_>>());
                open.retain(|name| !due.iter().any(|case| case.name == *name));
            }
            assert!(start.elapsed() < LIMIT, "not submitted: {open:?}");
            thread::sleep(Duration::from_millis(100));
        }
        self.completed("cases");
        for case in &self.cases {
            if let Some(patch) = &case.meanwhile {
                self.patch(&case.namespace, &case.name, patch);
            }
        }
        self.quiet("cases");
    }

    fn patch(&self, namespace: &str, name: &str, patch: &Value) {
        let words = ["patch", "workflow", name, "-n", namespace, "--type=merge", "-p", &patch.to_string()]
            .map(str::to_owned);
        crate::support::Ran::of(self.argo.server.kubectl(words)).ends_with(0);
    }

    /// What `inspect` says at the end of the runs, and hours later.
    pub fn inspect(&mut self) {
        let found =
            self.argo.argo_gc(&["inspect", "-A", "-l", "suite=cases", "-o", "json"]).ends_with(0).json();
        let said = said(&found);
        self.places = places(&found);
        let later = self.later();
        let mut rows = Vec::new();
        for case in &self.cases {
            let (verdicts, finding) = said.get(&case.name).cloned().unwrap_or_default();
            rows.push((case.name.clone(), "at the end", verdicts, case.verdicts()));
            let right: BTreeMap<String, String> =
                case.finding.iter().map(|finding| (String::new(), finding.clone())).collect();
            rows.push((
                case.name.clone(),
                "finding",
                finding.into_iter().map(|finding| (String::new(), finding)).collect(),
                right,
            ));
            if !case.later.is_empty() {
                let (verdicts, _) = later.get(&case.name).cloned().unwrap_or_default();
                rows.push((case.name.clone(), "later", verdicts, case.later.clone()));
            }
        }
        for (name, what, found, right) in rows {
            self.expect(&name, what, found, right);
        }
    }

    fn later(&self) -> BTreeMap<String, Said> {
        let kubeconfig = self.argo.server.kubeconfig().display().to_string();
        let words = [
            "kubectl-argo_gc",
            "inspect",
            "-A",
            "-l",
            "suite=cases",
            "-o",
            "json",
            "--kubeconfig",
            &kubeconfig,
        ];
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (code, out, err) = in_process(words, "", Timestamp::now() + SignedDuration::from_hours(3));
        assert_eq!(code, 0, "{err}");
        said(&serde_json::from_str(&out).expect("JSON"))
    }

    /// Deletes all, and holds what becomes of workflows and objects against what is right.
    pub fn delete(&mut self) {
        for case in &self.cases {
            if let Some((bucket, key)) = case
                .lose
                .as_ref()
                .and_then(|artifact| self.places.get(&(case.name.clone(), artifact.clone())))
            {
                assert!(self.argo.gcs.remove(bucket, key), "{key}");
            }
            if case.expires {
                self.patch(
                    &case.namespace,
                    &case.name,
                    &json!({ "spec": { "ttlStrategy": { "secondsAfterCompletion": 1 } } }),
                );
            } else {
                self.argo
                    .server
                    .send(Method::DELETE, &path(&case.namespace, &case.name), None)
                    .expect("deleted");
            }
        }
        let hang: BTreeSet<String> =
            self.cases.iter().filter(|case| case.hangs()).map(|case| case.name.clone()).collect();
        self.settles("cases", |workflows| workflows.keys().all(|name| hang.contains(name)));
        self.quiet("cases");
        let left: BTreeSet<String> = self.workflows("cases").into_keys().collect();
        let known: Vec<(String, String, bool, bool)> = self
            .places
            .iter()
            .filter_map(|((name, artifact), (bucket, key))| {
                let case = named(&self.cases, name)?;
                Some((
                    name.clone(),
                    format!("object of {artifact} is there"),
                    self.is_there(bucket, key),
                    case.stays(artifact),
                ))
            })
            .collect();
        for name in self.cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>() {
            self.expect(&name, "hangs", left.contains(&name), hang.contains(&name));
        }
        for (name, what, found, right) in known {
            // What someone took away is gone, whatever Argo does.
            let lost = named(&self.cases, &name).is_some_and(|case| case.lose.is_some());
            self.expect(&name, &what, found, right && !lost);
        }
    }

    pub fn remove(&self, namespace: &str, name: &str) {
        self.argo.server.send(Method::DELETE, &path(namespace, name), None).expect("deleted");
    }

    /// Whether the artifact's object is there, or any below it.
    pub fn is_there(&self, bucket: &str, key: &str) -> bool {
        let key = clean(key);
        let below = format!("{key}/");
        self.argo.gcs.keys(bucket).iter().any(|object| *object == key || object.starts_with(&below))
    }

    /// The workflows of a part of the suite that are there, by name.
    pub fn workflows(&self, suite: &str) -> BTreeMap<String, Value> {
        let list = format!("/apis/argoproj.io/v1alpha1/workflows?labelSelector=suite%3D{suite}");
        let list = self.argo.server.get(&list).expect("a list");
        let items = list["items"].as_array().expect("items").iter();
        items
            .map(|workflow| {
                (workflow["metadata"]["name"].as_str().expect("a name").to_owned(), workflow.clone())
            })
            .collect()
    }

    /// Waits until it is so, for the limit at most.
    pub fn settles(&self, suite: &str, is_so: impl Fn(&BTreeMap<String, Value>) -> bool) -> bool {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if is_so(&self.workflows(suite)) {
                return true;
            }
            thread::sleep(Duration::from_millis(200));
        }
        false
    }

    /// Waits until all of a part are over.
    #[track_caller]
    pub fn completed(&self, suite: &str) {
        let is_over =
            |workflow: &Value| workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true";
        if !self.settles(suite, |workflows| workflows.values().all(is_over)) {
            let open = self.workflows(suite).into_iter().filter(|(_, workflow)| !is_over(workflow));
            let open: Vec<String> =
                open.map(|(name, workflow)| format!("{name}: {}", workflow["status"])).collect();
            panic!("not over: {}", open.join("\n"));
        }
    }

    /// Waits until no workflow of a part has changed for three seconds, and no GC pod that may run is at work.
    ///
    /// A workflow that is deleted while its collection at completion is under way may hang: v4.0.5 can lose what the pod
    /// told, and looks for a pod that is gone with its task.
    pub fn quiet(&self, suite: &str) {
        let (start, mut since, mut last) = (Instant::now(), Instant::now(), Value::Null);
        while start.elapsed() < LIMIT && since.elapsed() < Duration::from_secs(3) {
            let versions: Vec<Value> = self
                .workflows(suite)
                .values()
                .map(|workflow| workflow["metadata"]["resourceVersion"].clone())
                .collect();
            let pods = self
                .argo
                .server
                .get("/api/v1/pods?labelSelector=workflows.argoproj.io%2Fcomponent%3Dartifact-gc");
            let pods = pods.expect("pods");
            let at_work = pods["items"].as_array().expect("items").iter().any(|pod| {
                let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
                let phase = pod["status"]["phase"].as_str().unwrap_or_default();
                namespace == "cases" && ["Pending", "Running"].contains(&phase)
            });
            let now = json!(versions);
            if now != last || at_work {
                (last, since) = (now, Instant::now());
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The verdicts of a workflow's artifacts, and what is found about the whole.
pub type Said = (BTreeMap<String, String>, Vec<String>);

/// What an inspection says, by workflow.
pub fn said(inspection: &Value) -> BTreeMap<String, Said> {
    let text = |row: &Value| match row["reason"].as_str() {
        Some(reason) => format!("{} {reason}", row["verdict"].as_str().unwrap_or("failing")),
        None => row["verdict"].as_str().expect("a verdict").to_owned(),
    };
    let rows = |workflow: &Value| -> Said {
        let artifacts = workflow["artifacts"].as_array().expect("artifacts").iter();
        let findings = workflow["findings"].as_array().expect("findings").iter().map(text).collect();
        (artifacts.map(|artifact| (label(artifact), text(artifact))).collect(), findings)
    };
    let workflows = inspection["workflows"].as_array().expect("workflows").iter();
    workflows
        .map(|workflow| (workflow["name"].as_str().expect("a name").to_owned(), rows(workflow)))
        .collect()
}

fn label(artifact: &Value) -> String {
    format!(
        "{}/{}",
        artifact["node"].as_str().unwrap_or_default(),
        artifact["name"].as_str().unwrap_or_default()
    )
}

/// Where the objects in GCS are, by workflow and artifact.
pub fn places(inspection: &Value) -> BTreeMap<(String, String), (String, String)> {
    let mut places = BTreeMap::new();
    for workflow in inspection["workflows"].as_array().expect("workflows") {
        let name = workflow["name"].as_str().expect("a name");
        for artifact in workflow["artifacts"].as_array().expect("artifacts") {
            let place = &artifact["location"];
            if place["engine"] == "gcs"
                && let (Some(bucket), Some(key)) = (place["bucket"].as_str(), place["key"].as_str())
            {
                places.insert((name.to_owned(), label(artifact)), (bucket.to_owned(), key.to_owned()));
            }
        }
    }
    places
}
