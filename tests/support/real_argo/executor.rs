//! What Argo's executor does in a workflow's pod: inputs, the main containers, outputs, and the report of them
//! (workflow/executor of v4.0.5).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::gcs::Gcs;
use super::api::{Api, code, words};
use super::container::{self, Ended, Files};
use super::places::{Place, clean, complete, key, relocated, storage};
use super::runner::{Cluster, Written};
use super::text;

/// A template without a process: the runner writes what its outputs ask for, as its arguments say.
///
/// `exit=N`; `sleep=SECONDS`; `without=NAME` leaves an artifact out; `dir=NAME` makes a directory of two files of it;
/// `result=TEXT`; `NAME=VALUE` is an output parameter; `evict` loses the pod and all it wrote but for the objects.
const PRODUCE: &str = "produce";

/// How the pod's containers ended: what the kubelet would tell.
#[derive(Debug)]
pub struct PodEnd {
    /// Name, exit code and termination message, the executor's containers among them.
    pub containers: Vec<(String, i64, String)>,
    /// The init container's message, if it failed: nothing else ran then.
    pub init: Option<String>,
    /// The pod was taken from its node.
    pub evicted: bool,
}

/// A pod of a workflow's template, while it runs.
pub struct Execution<'a> {
    pub cluster: &'a Cluster,
    pub account: Api,
    pub namespace: &'a str,
    pub pod: &'a Value,
    pub template: Value,
    /// When the pod is killed.
    pub limit: Duration,
}

/// What the main containers left behind.
struct Produced {
    ended: Vec<(String, Ended)>,
    /// Output artifacts that the runner itself writes, of a [`PRODUCE`] template.
    played: Option<BTreeSet<String>>,
    evicted: bool,
}

impl Execution<'_> {
    pub async fn run(&self) -> PodEnd {
        let files = Files::new();
        if let Err(message) = self.load(&files) {
            return PodEnd { containers: Vec::new(), init: Some(message), evicted: false };
        }
        // The placeholder which says that there will be outputs.
        let mut errors: Vec<String> = self.report(&json!({}), "false").await.err().into_iter().collect();
        let produced = self.main(&files).await;
        if produced.evicted {
            return PodEnd { containers: Vec::new(), init: None, evicted: true };
        }
        let outputs = self.save(&files, &produced, &mut errors);
        errors.extend(self.report(&json!({ "outputs": outputs }), "false").await.err());
        errors.extend(self.report(&json!({}), "true").await.err());
        self.clear_if_alone().await;
        let mut containers: Vec<(String, i64, String)> = Vec::new();
        for (name, ended) in produced.ended {
            let message = container::message(&files, &ended);
            containers.push((name, ended.code, message));
        }
        let wait = errors.into_iter().next();
        containers.push(("wait".to_owned(), i64::from(wait.is_some()), wait.unwrap_or_default()));
        PodEnd { containers, init: None, evicted: false }
    }

    fn gcs(&self) -> &Gcs {
        &self.cluster.gcs
    }

    fn archive(&self) -> &Value {
        &self.template["archiveLocation"]
    }

    /// Brings the input artifacts, and a script, into the container's files.
    fn load(&self, files: &Files) -> Result<(), String> {
        for artifact in self.template["inputs"]["artifacts"].as_array().into_iter().flatten() {
            let (name, path) = (text(&artifact["name"]), text(&artifact["path"]));
            if storage(artifact) == Some("raw") {
                files.write(&path, text(&artifact["raw"]["data"]).as_bytes());
                continue;
            }
            let found =
                relocated(artifact, self.archive()).ok().map(|place| self.fetch(&place.bucket, &place.key));
            match found.unwrap_or_default() {
                found if !found.is_empty() => {
                    for (below, bytes) in found {
                        files.write(&format!("{path}{below}"), &bytes);
                    }
                }
                _ if artifact["optional"] == true => {}
                _ => {
                    return Err(format!(
                        "artifact {name} failed to load: failed to get new object: not found"
                    ));
                }
            }
        }
        if let Some(source) = self.template["script"]["source"].as_str() {
            files.write("/argo/staging/script", source.as_bytes());
        }
        Ok(())
    }

    /// The object of that name, or those below it, each with what its name has beyond the key.
    fn fetch(&self, bucket: &str, key: &str) -> Vec<(String, Vec<u8>)> {
        if !self.gcs().has_bucket(bucket) {
            return Vec::new();
        }
        if let Some(bytes) = self.gcs().bytes(bucket, key) {
            return vec![(String::new(), bytes)];
        }
        let below = format!("{}/", key.trim_end_matches('/'));
        let names = self.gcs().keys(bucket).into_iter().filter(|name| name.starts_with(&below));
        let read = |name: String| (name[below.len() - 1..].to_owned(), self.gcs().bytes(bucket, &name));
        names.map(read).filter_map(|(name, bytes)| Some((name, bytes?))).collect()
    }

    /// Runs the main containers, one after the other.
    async fn main(&self, files: &Files) -> Produced {
        let mut produced = Produced { ended: Vec::new(), played: None, evicted: false };
        let sidecars: BTreeSet<String> = self.template["sidecars"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|car| text(&car["name"]))
            .collect();
        for container in self.pod["spec"]["containers"].as_array().into_iter().flatten() {
            let name = text(&container["name"]);
            if name == "wait" || sidecars.contains(&name) {
                continue;
            }
            let words = container::words(container);
            let ended = if words.first().is_some_and(|word| word == PRODUCE) {
                self.produce(&words[1..], files, &mut produced).await
            } else {
                self.process(container, files).await
            };
            produced.ended.push((name, ended));
        }
        produced
    }

    async fn process(&self, container: &Value, files: &Files) -> Ended {
        let env = self.cluster.mount(self.namespace, self.pod, container, files).await;
        // What the tests' thread waits for must not keep the others of the runner from running.
        tokio::task::block_in_place(|| container::run(container, files, &env, self.limit))
    }

    async fn produce(&self, words: &[String], files: &Files, produced: &mut Produced) -> Ended {
        let mut ended = Ended { code: 0, out: String::new(), err: String::new() };
        let outputs = &self.template["outputs"];
        let all = outputs["artifacts"].as_array().into_iter().flatten();
        let mut written: BTreeSet<String> = all.map(|artifact| text(&artifact["name"])).collect();
        let mut directories = BTreeSet::new();
        let mut parameters = Map::new();
        for word in words {
            match word.split_once('=') {
                Some(("exit", code)) => ended.code = code.parse().expect("an exit code"),
                Some(("sleep", seconds)) => {
                    let time = Duration::from_secs_f64(seconds.parse().expect("seconds"));
                    tokio::time::sleep(time.min(self.limit)).await;
                    ended.code = if time > self.limit { 137 } else { ended.code };
                }
                Some(("without", name)) => drop(written.remove(name)),
                Some(("dir", name)) => drop(directories.insert(name.to_owned())),
                Some(("result", text)) => text.clone_into(&mut ended.out),
                Some((name, value)) => drop(parameters.insert(name.to_owned(), json!(value))),
                None if word == "evict" => produced.evicted = true,
                None => panic!("{word}: no such outcome"),
            }
        }
        for artifact in outputs["artifacts"].as_array().into_iter().flatten() {
            let (name, path) = (text(&artifact["name"]), text(&artifact["path"]));
            if directories.contains(&name) {
                files.write(&format!("{path}/first"), name.as_bytes());
                files.write(&format!("{path}/below/second"), name.as_bytes());
            } else if written.contains(&name) {
                files.write(&path, text(&self.pod["metadata"]["name"]).as_bytes());
            }
        }
        for parameter in outputs["parameters"].as_array().into_iter().flatten() {
            let value = parameters.get(&text(&parameter["name"])).map_or_else(|| "x".to_owned(), text);
            if let Some(path) = parameter["valueFrom"]["path"].as_str() {
                files.write(path, value.as_bytes());
            }
        }
        produced.played = Some(written);
        ended
    }

    /// Saves parameters, artifacts and logs; what is missing is an error of the wait container.
    fn save(&self, files: &Files, produced: &Produced, errors: &mut Vec<String>) -> Value {
        let mut outputs = self.template["outputs"].clone();
        if !outputs.is_object() {
            outputs = json!({});
        }
        let mains = &produced.ended;
        if self.includes_result() {
            let out = mains.iter().find(|(name, _)| name == "main").map(|(_, ended)| ended.out.as_str());
            let out = out.unwrap_or_default();
            outputs["result"] = json!(out.strip_suffix('\n').unwrap_or(out));
        }
        for parameter in outputs["parameters"].as_array_mut().into_iter().flatten() {
            let Some(path) = parameter["valueFrom"]["path"].as_str() else { continue };
            let found = files.read(path).and_then(|files| files.into_iter().next());
            let found = found.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
            let default = parameter["valueFrom"]["default"].as_str().map(str::to_owned);
            match found.or(default) {
                Some(value) => parameter["value"] = json!(value.strip_suffix('\n').unwrap_or(&value)),
                None => errors.push(format!("open {path}: no such file or directory")),
            }
        }
        let mut saved = Vec::new();
        for artifact in self.template["outputs"]["artifacts"].as_array().into_iter().flatten() {
            match self.save_artifact(artifact.clone(), files) {
                Ok(artifact) => saved.extend(artifact),
                Err(error) => errors.push(error),
            }
        }
        if self.archive()["archiveLogs"] == true {
            for (name, ended) in mains {
                let mut log = json!({ "name": format!("{name}-logs") });
                let text = vec![(String::new(), format!("{}{}", ended.out, ended.err).into_bytes())];
                match complete(&mut log, self.archive(), &format!("{name}.log")) {
                    Ok(()) => {
                        self.store(&log, text).map_or_else(|error| errors.push(error), |()| saved.push(log))
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        if !saved.is_empty() || outputs["artifacts"].is_array() {
            outputs["artifacts"] = json!(saved);
        }
        outputs
    }

    fn includes_result(&self) -> bool {
        let containers = self.pod["spec"]["containers"].as_array().into_iter().flatten();
        let mut variables =
            containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
        variables
            .any(|variable| variable["name"] == "ARGO_INCLUDE_SCRIPT_OUTPUT" && variable["value"] == "true")
    }

    /// The artifact as it is reported; none if it is optional and wasn't written.
    fn save_artifact(&self, mut artifact: Value, files: &Files) -> Result<Option<Value>, String> {
        let path = clean(&text(&artifact["path"]));
        let Some(found) = files.read(&path) else {
            return match artifact["optional"] == true {
                true => Ok(None),
                false => Err(format!("{path}: no such file or directory")),
            };
        };
        let base = path.rsplit('/').next().unwrap_or_default().to_owned();
        let name = text(&artifact["name"]);
        let (file, content) = match &artifact["archive"] {
            archive if archive["none"].is_object() => (base, found),
            archive if archive["zip"].is_object() => (format!("{name}.zip"), packed(found)),
            _ => (format!("{name}.tgz"), packed(found)),
        };
        complete(&mut artifact, self.archive(), &file)?;
        self.store(&artifact, content)?;
        Ok(Some(artifact))
    }

    /// Writes an artifact's object, or its directory's. A storage that isn't GCS takes everything and keeps nothing.
    fn store(&self, artifact: &Value, content: Vec<(String, Vec<u8>)>) -> Result<(), String> {
        if key(artifact).is_none() && storage(artifact).is_none() {
            return Err("artifact location not set".to_owned());
        }
        let Ok(place) = relocated(artifact, self.archive()) else { return Ok(()) };
        if !self.gcs().has_bucket(&place.bucket) {
            return Err("upload file: googleapi: Error 404: The specified bucket does not exist., notFound"
                .to_owned());
        }
        for (below, bytes) in content {
            let name = if below.is_empty() { place.key.clone() } else { format!("{}/{below}", place.key) };
            let written = Written {
                place: Place { bucket: place.bucket.clone(), key: clean(&name) },
                artifact: clean(&place.key),
                namespace: self.namespace.to_owned(),
                workflow: text(&self.pod["metadata"]["labels"]["workflows.argoproj.io/workflow"]),
            };
            self.cluster.write(written, &bytes);
        }
        Ok(())
    }

    /// Kubernetes' garbage collector takes away what is created for an owner that is gone already.
    async fn clear_if_alone(&self) {
        let metadata = &self.pod["metadata"];
        let root = format!("/apis/argoproj.io/v1alpha1/namespaces/{}", self.namespace);
        let workflow = text(&metadata["labels"]["workflows.argoproj.io/workflow"]);
        let owner = self.cluster.admin.get(&format!("{root}/workflows/{workflow}")).await;
        if owner.is_err_and(|error| code(&error) == 404) {
            let node = text(&metadata["annotations"]["workflows.argoproj.io/node-id"]);
            let _ = self.cluster.admin.delete(&format!("{root}/workflowtaskresults/{node}")).await;
        }
    }

    /// Creates or patches the node's WorkflowTaskResult.
    async fn report(&self, result: &Value, completed: &str) -> Result<(), String> {
        let metadata = &self.pod["metadata"];
        let node = text(&metadata["annotations"]["workflows.argoproj.io/node-id"]);
        let labels = &metadata["labels"];
        let mut object = result.clone();
        object["apiVersion"] = json!("argoproj.io/v1alpha1");
        object["kind"] = json!("WorkflowTaskResult");
        object["metadata"] = json!({
            "name": node,
            "labels": {
                "workflows.argoproj.io/workflow": labels["workflows.argoproj.io/workflow"],
                "workflows.argoproj.io/report-outputs-completed": completed,
            },
        });
        let instance = "workflows.argoproj.io/controller-instanceid";
        if labels[instance].is_string() {
            object["metadata"]["labels"][instance] = labels[instance].clone();
        }
        let path = format!("/apis/argoproj.io/v1alpha1/namespaces/{}/workflowtaskresults", self.namespace);
        let mut owner = metadata["ownerReferences"][0].clone();
        for field in ["blockOwnerDeletion", "controller"] {
            owner.as_object_mut().expect("an owner").remove(field);
        }
        let mut created = object.clone();
        created["metadata"]["ownerReferences"] = json!([owner]);
        match self.account.create(&path, &created).await {
            Err(error) if code(&error) == 409 => self
                .account
                .patch(&format!("{path}/{node}"), &object)
                .await
                .map(drop)
                .map_err(|error| words(&error)),
            answer => answer.map(drop).map_err(|error| words(&error)),
        }
    }
}

/// One object for what is packed; the runner unpacks nothing either.
fn packed(found: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    vec![(String::new(), found.into_iter().flat_map(|(_, bytes)| bytes).collect())]
}
