//! Workflows that left artifacts behind, and places to purge them from.

use std::fs::{self, File};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use super::Ran;
use super::gcs::Gcs;
use super::kube::{ADMIN, ApiServer};
use super::session::Transcript;

/// When the workflows of [`workflow`] ran: long enough ago for every grace.
pub const BEGAN: SignedDuration = SignedDuration::from_hours(50);
pub const ENDED: SignedDuration = SignedDuration::from_hours(48);
pub const BUCKET: &str = "ml-artifacts";

/// So long ago, or a part of a second longer: what is shown of its age must not change while a test runs.
pub fn ago(time: SignedDuration) -> String {
    let second = TimestampRound::new().smallest(jiff::Unit::Second).mode(RoundMode::Floor);
    (Timestamp::now() - time).round(second).expect("a time").to_string()
}

/// When a run's objects were written.
pub fn within_the_run() -> SignedDuration {
    SignedDuration::from_hours(49)
}

/// A finished workflow of one inline step whose outputs have these keys: nobody collects them (row I1).
pub fn workflow(namespace: &str, name: &str, keys: &[&str]) -> Value {
    let artifacts: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| json!({ "name": format!("out-{at}"), "path": "/out", "gcs": { "key": key } }))
        .collect();
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": name, "namespace": namespace, "uid": format!("uid-{namespace}-{name}"),
            "creationTimestamp": ago(BEGAN),
            "labels": {
                "workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded",
            },
        },
        "spec": {
            "entrypoint": "main",
            "artifactGC": { "strategy": "OnWorkflowDeletion" },
            "templates": [{ "name": "main", "steps": [[{ "name": "step", "inline": {
                "container": { "image": "busybox" },
                "outputs": { "artifacts": [{ "name": "out-0", "path": "/out" }] },
            }}]] }],
        },
        "status": {
            "phase": "Succeeded", "startedAt": ago(BEGAN), "finishedAt": ago(ENDED),
            "artifactGCStatus": { "notSpecified": true },
            "artifactRepositoryRef": { "default": true, "artifactRepository": { "gcs": { "bucket": BUCKET } } },
            "nodes": {
                name: {
                    "id": name, "name": name, "displayName": name, "type": "Steps", "templateName": "main",
                    "templateScope": format!("local/{name}"), "phase": "Succeeded",
                    "startedAt": ago(BEGAN), "finishedAt": ago(ENDED), "children": [format!("{name}-1")],
                },
                format!("{name}-1"): {
                    "id": format!("{name}-1"), "name": format!("{name}[0].step"), "displayName": "step",
                    "type": "Pod", "templateScope": format!("local/{name}"), "phase": "Succeeded",
                    "boundaryID": name, "startedAt": ago(BEGAN), "finishedAt": ago(ENDED),
                    "outputs": { "artifacts": artifacts },
                },
            },
        },
    })
}

/// The only Pod node of [`workflow`].
pub fn pod(workflow: &mut Value) -> &mut Value {
    let name = workflow["metadata"]["name"].as_str().expect("a name").to_owned();
    &mut workflow["status"]["nodes"][format!("{name}-1")]
}

/// Keys that a plan deletes.
pub fn deletes(plan: &Value) -> Vec<String> {
    let workflows = plan["workflows"].as_array().expect("workflows");
    sorted_keys(workflows.iter().flat_map(|workflow| workflow["delete"].as_array().expect("objects")))
}

/// Keys that a plan only marks.
pub fn marks(plan: &Value) -> Vec<String> {
    let workflows = plan["workflows"].as_array().expect("workflows");
    sorted_keys(workflows.iter().flat_map(|workflow| workflow["mark"].as_array().into_iter().flatten()))
}

fn sorted_keys<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut keys: Vec<String> =
        objects.map(|object| object["key"].as_str().expect("a key").to_owned()).collect();
    keys.sort();
    keys
}

/// A document has nothing that its schema does not name.
#[track_caller]
pub fn keeps_to(schema: &str, document: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(schema);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

/// Protections of what a plan keeps, each once.
pub fn protections(plan: &Value) -> Vec<String> {
    let workflows = plan["workflows"].as_array().expect("workflows");
    let kept = workflows.iter().flat_map(|workflow| workflow["keep"].as_array().expect("kept"));
    let mut codes: Vec<String> =
        kept.map(|kept| kept["protection"].as_str().expect("a code").to_owned()).collect();
    codes.sort();
    codes.dedup();
    codes
}

/// Workflows in a file and buckets in folders: no server at all.
pub struct Folder {
    directory: TempDir,
    objects: Vec<Value>,
}

impl Folder {
    pub fn new() -> Self {
        let folder = Self { directory: TempDir::new().expect("a directory"), objects: Vec::new() };
        fs::create_dir_all(folder.bucket(BUCKET)).expect("a bucket");
        folder
    }

    /// The folder of a bucket.
    pub fn bucket(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join("buckets").join(name)
    }

    pub fn add(&mut self, object: Value) -> &mut Self {
        self.objects.push(object);
        self
    }

    /// Of commands that read or write this folder.
    pub fn transcript(&self) -> Transcript {
        Transcript::new(self.directory.path())
    }

    /// Writes an object within the workflows' run.
    pub fn put(&self, key: &str) {
        self.put_at(BUCKET, key, within_the_run());
    }

    /// Writes an object, so long ago.
    pub fn put_at(&self, bucket: &str, key: &str, age: SignedDuration) {
        let path = self.bucket(bucket).join(key);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, key).expect("a file");
        let time = SystemTime::now() - Duration::from_secs(age.as_secs().try_into().expect("past"));
        File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("a time");
    }

    /// Whether the object is there.
    pub fn has(&self, key: &str) -> bool {
        self.bucket(BUCKET).join(key).is_file()
    }

    /// Purges with these arguments besides files and storage.
    pub fn purge(&self, arguments: &[&str]) -> Ran {
        self.run("purge", arguments)
    }

    /// `purge` or `inspect --check` with these arguments.
    pub fn run(&self, verb: &str, arguments: &[&str]) -> Ran {
        Ran::of(self.command(verb, arguments))
    }

    /// The same, ready to run.
    pub fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let file = self.directory.path().join("objects.json");
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": self.objects });
        fs::write(&file, list.to_string()).expect("a file");
        let root = self.directory.path().join("buckets");
        let mut command = super::plugin([verb, "-f"]);
        command.arg(&file).arg("--store-root").arg(&root).args(arguments);
        if verb == "purge" {
            // The files hold no controller that would say so.
            command.args(["--repository", &format!("gs://{BUCKET}")]);
        }
        command
            .env("XDG_STATE_HOME", self.directory.path().join("state"))
            .env_remove("STORAGE_EMULATOR_HOST");
        command
    }

    /// The plan for these arguments.
    #[track_caller]
    pub fn plan(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--dry-run", "-o", "json"]).collect();
        self.purge(&arguments).ends_with(0).json()
    }
}

/// A workflow of one artifact `k` in a bucket of MinIO, whose workflow and bucket have one name.
pub fn in_minio(namespace: &str, bucket: &str) -> Value {
    let mut workflow = workflow(namespace, bucket, &["k"]);
    let place = json!({ "endpoint": "minio:9000", "bucket": bucket });
    workflow["status"]["artifactRepositoryRef"]["artifactRepository"] = json!({ "s3": place });
    for artifact in pod(&mut workflow)["outputs"]["artifacts"].as_array_mut().expect("artifacts") {
        artifact.as_object_mut().expect("an artifact").remove("gcs");
        artifact["s3"] = json!({ "key": "k" });
    }
    workflow
}

/// The same, beside whose bucket a Secret stands.
pub fn in_minio_with(namespace: &str, bucket: &str, secret: &str) -> Value {
    let mut workflow = in_minio(namespace, bucket);
    let place = &mut workflow["status"]["artifactRepositoryRef"]["artifactRepository"]["s3"];
    place["accessKeySecret"] = json!({ "name": secret, "key": "accesskey" });
    place["secretKeySecret"] = json!({ "name": secret, "key": "secretkey" });
    workflow
}

/// Such a Secret.
pub fn minio_secret(namespace: &str, name: &str, key: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": namespace, "name": name },
        "stringData": { "accesskey": key, "secretkey": format!("hunter2-{key}") },
    })
}

/// The API server that the tests of purge share. Purge reads all namespaces, so what other tests put into
/// theirs would be in its way.
fn server() -> &'static ApiServer {
    static SERVER: LazyLock<ApiServer> = LazyLock::new(ApiServer::start);
    &SERVER
}

/// A namespace of the real API server, and an object store of the test's own with a bucket of that name:
/// what a test's workflows name must not be what another's do.
pub struct Live {
    pub server: &'static ApiServer,
    pub gcs: Gcs,
    pub namespace: &'static str,
    pub directory: TempDir,
}

impl Live {
    pub fn start(namespace: &'static str) -> Self {
        let directory = TempDir::new().expect("a directory");
        Self { server: server(), gcs: Gcs::start(), namespace, directory }
    }

    /// With the plain bucket, and a workflow whose objects are all there.
    pub fn with(namespace: &'static str, name: &str, keys: &[&str]) -> Self {
        let live = Self::start(namespace);
        live.gcs.bucket(namespace);
        live.server.apply(live.workflow(name, keys));
        keys.iter().for_each(|key| live.put(key));
        live
    }

    /// Writes an object within the workflows' run.
    pub fn put(&self, key: &str) {
        self.gcs.put(self.namespace, key, key);
        self.gcs.created(self.namespace, key, &ago(within_the_run()));
    }

    /// As [`workflow`], in this namespace and bucket.
    pub fn workflow(&self, name: &str, keys: &[&str]) -> Value {
        let mut workflow = workflow(self.namespace, name, keys);
        workflow["status"]["artifactRepositoryRef"]["artifactRepository"]["gcs"]["bucket"] =
            json!(self.namespace);
        workflow
    }

    /// `kubectl argo-gc VERB` with these arguments, ready to run.
    pub fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let repository = format!("gs://{}", self.namespace);
        let mut command = self.server.kubectl_as(ADMIN, ["argo-gc", verb]);
        command.args(arguments);
        if verb == "purge" && !arguments.contains(&"--plan") && !arguments.contains(&"--resume") {
            command.args(["-n", self.namespace, "--repository", &repository]);
        }
        command.env("STORAGE_EMULATOR_HOST", self.gcs.url()).env("XDG_STATE_HOME", self.directory.path());
        command
    }

    pub fn purge(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command("purge", arguments))
    }

    pub fn inspect(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command("inspect", arguments))
    }

    /// A file of the test's own.
    pub fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// The workflow as it is now.
    pub fn get(&self, name: &str) -> Value {
        self.server.get(&self.path(name)).expect("the workflow")
    }

    pub fn path(&self, name: &str) -> String {
        format!("/apis/argoproj.io/v1alpha1/namespaces/{}/workflows/{name}", self.namespace)
    }

    /// Whatever happened: no delete without a pin, and none outside these keys.
    #[track_caller]
    pub fn was_careful(&self, planned: &[&str]) {
        assert!(self.gcs.unpinned().is_empty(), "{:?}", self.gcs.unpinned());
        for delete in self.gcs.deletes() {
            assert!(
                planned.contains(&delete.key.as_deref().unwrap_or_default()),
                "{delete:?} is not of the plan"
            );
        }
    }
}
