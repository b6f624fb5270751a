//! The tests' own node: takes pending pods, runs them, and tells how they ended, as a kubelet would.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use jiff::Timestamp;
use kube::core::WatchEvent;
use serde_json::{Value, json};

use super::super::gcs::Gcs;
use super::api::{Api, words};
use super::collector;
use super::container::{self, Files};
use super::executor::{Execution, PodEnd};
use super::places::Place;
use super::text;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    Run,
    /// It stays pending.
    Hold,
    /// It stays running, and does nothing.
    Hang,
    /// Its main container is killed after that time.
    Kill(Duration),
    /// It is taken from its node before it did anything.
    Evict,
}

type Judge = Arc<dyn Fn(&Value) -> Fate + Send + Sync>;

/// What the pods run on.
pub struct Cluster {
    pub admin: Api,
    pub gcs: Gcs,
    /// The API server's host, port and certificate.
    pub server: (String, String, String),
    /// By namespace, what becomes of its pods; without an entry they run.
    fates: Mutex<HashMap<String, Judge>>,
    written: Mutex<Vec<Written>>,
    collected: Mutex<BTreeSet<Place>>,
}

/// An object that a pod wrote.
#[derive(Clone, Debug)]
pub struct Written {
    pub place: Place,
    /// The key of the artifact, which is a directory if it isn't the object's.
    pub artifact: String,
    pub namespace: String,
    pub workflow: String,
}

impl Cluster {
    pub fn new(admin: Api, gcs: Gcs, server: (String, String, String)) -> Self {
        Self {
            admin,
            gcs,
            server,
            fates: Mutex::default(),
            written: Mutex::default(),
            collected: Mutex::default(),
        }
    }

    /// Decides the fate of a namespace's pods from now on; those that were held are looked at again.
    pub fn decide(&self, namespace: &str, judge: impl Fn(&Value) -> Fate + Send + Sync + 'static) {
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        fates.insert(namespace.to_owned(), Arc::new(judge));
    }

    fn fate(&self, pod: &Value) -> Fate {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let judge = self.fates.lock().unwrap_or_else(PoisonError::into_inner).get(namespace).cloned();
        judge.map_or(Fate::Run, |judge| judge(pod))
    }

    /// Writes an object as a pod does.
    pub fn write(&self, written: Written, bytes: &[u8]) {
        self.gcs.put(&written.place.bucket, &written.place.key, bytes);
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(written);
    }

    /// Every object that a pod has written so far, each time it was.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what a GC pod has deleted.
    pub fn note_collected(&self, place: Place) {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
    }

    /// Every place from which a GC pod has deleted an object.
    pub fn collected(&self) -> BTreeSet<Place> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the kubelet gives a container that the executor's template doesn't say: the variables to reach the cluster and
    /// the storage, those from Secrets, the account's token, and the files of ConfigMaps.
    pub async fn mount(
        &self,
        namespace: &str,
        pod: &Value,
        container: &Value,
        files: &Files,
    ) -> Vec<(String, String)> {
        let (host, port, certificate) = &self.server;
        let mut env = vec![
            ("KUBERNETES_SERVICE_HOST".to_owned(), host.clone()),
            ("KUBERNETES_SERVICE_PORT".to_owned(), port.clone()),
            ("STORAGE_EMULATOR_HOST".to_owned(), self.gcs.url()),
        ];
        for variable in container["env"].as_array().into_iter().flatten() {
            let secret = &variable["valueFrom"]["secretKeyRef"];
            let (Some(name), Some(key)) = (secret["name"].as_str(), secret["key"].as_str()) else { continue };
            let found = self.admin.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}")).await;
            let value =
                found.ok().and_then(|found| BASE64_STANDARD.decode(found["data"][key].as_str()?).ok());
            let value = value.unwrap_or_else(|| panic!("no secret {name} with {key}"));
            let variable = variable["name"].as_str().expect("a name").to_owned();
            env.push((variable, String::from_utf8(value).expect("UTF-8")));
        }
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
            let mut volumes = volumes.filter(|volume| volume["name"] == mount["name"]);
            let Some(name) = volumes.next().and_then(|volume| volume["configMap"]["name"].as_str()) else {
                continue;
            };
            let found = self.admin.get(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}")).await;
            for (file, text) in found.expect("the ConfigMap")["data"].as_object().into_iter().flatten() {
                let path = format!("{}/{file}", mount["mountPath"].as_str().expect("a path"));
                files.write(&path, text.as_str().expect("a text").as_bytes());
            }
        }
        if container::words(container).first().is_some_and(|word| word.ends_with("argo_gc")) {
            let folder = "/var/run/secrets/kubernetes.io/serviceaccount";
            let name = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
            let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
            let token = self.admin.create(&path, &json!({ "spec": {} })).await.expect("a token");
            let token = token["status"]["token"].as_str().expect("a token").to_owned();
            for (file, text) in [("token", token.as_str()), ("ca.crt", certificate), ("namespace", namespace)]
            {
                files.write(&format!("{folder}/{file}"), text.as_bytes());
            }
        }
        env
    }
}

/// Runs every pending pod of the cluster, without end.
pub async fn run_pods(cluster: Arc<Cluster>) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    loop {
        // A list after each end of a watch; those that were held are asked about again.
        let Ok(list) = cluster.admin.get("/api/v1/pods?fieldSelector=status.phase%3DPending").await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        for pod in list["items"].as_array().into_iter().flatten() {
            take(&cluster, pod, &mut seen);
        }
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or("0");
        let query = "&fieldSelector=status.phase%3DPending&timeoutSeconds=300";
        let Ok(mut events) = cluster.admin.watch("/api/v1/pods", query, version).await else { continue };
        let end = tokio::time::Instant::now() + Duration::from_secs(2);
        while let Ok(Some(Ok(event))) = tokio::time::timeout_at(end, events.next()).await {
            match event {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => take(&cluster, &pod, &mut seen),
                WatchEvent::Error(_) => break,
                _ => {}
            }
        }
    }
}

fn take(cluster: &Arc<Cluster>, pod: &Value, seen: &mut BTreeSet<String>) {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    if seen.contains(&uid) {
        return;
    }
    let fate = cluster.fate(pod);
    if fate != Fate::Hold {
        seen.insert(uid);
        tokio::spawn(run_pod(cluster.clone(), pod.clone(), fate));
    }
}

async fn run_pod(cluster: Arc<Cluster>, pod: Value, fate: Fate) {
    let began = Timestamp::now();
    let metadata = &pod["metadata"];
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    let account = cluster.admin.by_account(&namespace, account);
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
    let deadline = pod["spec"]["activeDeadlineSeconds"].as_u64().map(Duration::from_secs);
    let limit = match fate {
        Fate::Kill(after) => after,
        _ => deadline.unwrap_or(Duration::from_secs(300)),
    };
    let end = if fate == Fate::Evict {
        PodEnd { containers: Vec::new(), init: None, evicted: true }
    } else {
        let template = template(&cluster, &pod).await;
        let stays =
            fate == Fate::Hang || template.as_ref().is_some_and(|template| template["daemon"] == true);
        if stays || takes_time(&pod) {
            let _ = cluster.admin.patch(&path, &running(&pod, began)).await;
        }
        if stays {
            return;
        }
        if metadata["labels"]["workflows.argoproj.io/component"] == "artifact-gc" {
            let message = collector::collect(&cluster, &account, &namespace, &pod).await.err();
            let code = i64::from(message.is_some());
            let main = ("main".to_owned(), code, message.unwrap_or_default());
            PodEnd { containers: vec![main], init: None, evicted: false }
        } else if let Some(template) = template {
            let pod = &pod;
            Execution { cluster: &cluster, account, namespace: &namespace, pod, template, limit }.run().await
        } else {
            plain(&cluster, &namespace, &pod, limit).await
        }
    };
    let late = fate == Fate::Run && deadline.is_some_and(|limit| has_passed(began, limit));
    let status = ended(&pod, &end, began, late);
    // The pod may have been deleted meanwhile.
    if let Err(error) = cluster.admin.patch(&path, &status).await
        && super::api::code(&error) != 404
    {
        eprintln!("pod {namespace}/{name}: {}", words(&error));
    }
}

fn has_passed(began: Timestamp, limit: Duration) -> bool {
    Timestamp::now().duration_since(began).unsigned_abs() >= limit
}

/// A pod that no workflow made: a Job's.
async fn plain(cluster: &Cluster, namespace: &str, pod: &Value, limit: Duration) -> PodEnd {
    let (files, container) = (Files::new(), &pod["spec"]["containers"][0]);
    let env = cluster.mount(namespace, pod, container, &files).await;
    let ended = tokio::task::block_in_place(|| container::run(container, &files, &env, limit));
    let message = container::message(&files, &ended);
    PodEnd { containers: vec![(text(&container["name"]), ended.code, message)], init: None, evicted: false }
}

/// The template that the executor reads: from its variable, or from the ConfigMap that holds what is too long.
async fn template(cluster: &Cluster, pod: &Value) -> Option<Value> {
    pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"].as_str()?;
    let variables = pod["spec"]["initContainers"][0]["env"].as_array()?;
    let given = variables.iter().find(|variable| variable["name"] == "ARGO_TEMPLATE")?["value"].as_str()?;
    if given != "offloaded" {
        return serde_json::from_str(given).ok();
    }
    let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    let map = cluster.admin.get(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}")).await.ok()?;
    serde_json::from_str(map["data"]["ARGO_TEMPLATE"].as_str()?).ok()
}

/// Whether someone could see it running.
fn takes_time(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mains: Vec<Vec<String>> =
        containers.filter(|container| container["name"] != "wait").map(container::words).collect();
    let plays = |words: &Vec<String>| words.first().is_some_and(|word| word == "produce");
    let is_gc = pod["metadata"]["labels"]["workflows.argoproj.io/component"] == "artifact-gc";
    !is_gc && mains.iter().any(|words| !plays(words) || words.iter().any(|word| word.starts_with("sleep=")))
}

fn names(pod: &Value) -> Vec<String> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.map(|container| text(&container["name"])).collect()
}

fn running(pod: &Value, began: Timestamp) -> Value {
    let state = json!({ "running": { "startedAt": second(began) } });
    let containers: Vec<Value> = names(pod).iter().map(|name| status_of(name, &state, true)).collect();
    json!({ "status": { "phase": "Running", "startTime": second(began), "containerStatuses": containers } })
}

fn ended(pod: &Value, end: &PodEnd, began: Timestamp, late: bool) -> Value {
    let now = Timestamp::now();
    let terminated = |code: i64, message: &str| {
        let reason = if code == 0 { "Completed" } else { "Error" };
        json!({ "terminated": {
            "exitCode": code, "reason": reason, "message": message, "startedAt": second(began), "finishedAt": second(now),
        }})
    };
    if end.evicted {
        let message = "The node was low on resource: memory.";
        return json!({ "status": { "phase": "Failed", "reason": "Evicted", "message": message,
                                   "startTime": second(began) } });
    }
    if let Some(message) = &end.init {
        let waiting = json!({ "waiting": { "reason": "PodInitializing" } });
        let containers: Vec<Value> = names(pod).iter().map(|name| status_of(name, &waiting, false)).collect();
        return json!({ "status": {
            "phase": "Failed", "startTime": second(began), "containerStatuses": containers,
            "initContainerStatuses": [status_of("init", &terminated(64, message), false)],
        }});
    }
    let failed = end.containers.iter().any(|(_, code, _)| *code != 0);
    let mut containers: Vec<Value> = Vec::new();
    for name in names(pod) {
        let known = end.containers.iter().find(|(other, ..)| *other == name);
        let (code, message) = known.map_or((0, ""), |(_, code, message)| (*code, message.as_str()));
        containers.push(status_of(&name, &terminated(code, message), false));
    }
    let phase = if failed { "Failed" } else { "Succeeded" };
    let mut status = json!({ "phase": phase, "startTime": second(began), "containerStatuses": containers });
    if late && failed {
        status["reason"] = json!("DeadlineExceeded");
        status["message"] = json!("Pod was active on the node longer than the specified deadline");
    }
    json!({ "status": status })
}

fn status_of(name: &str, state: &Value, ready: bool) -> Value {
    json!({ "name": name, "image": name, "imageID": "", "restartCount": 0, "ready": ready, "state": state })
}

fn second(time: Timestamp) -> String {
    time.round(jiff::Unit::Second).expect("a time").to_string()
}
