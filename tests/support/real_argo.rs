//! A real Argo: its controller of [`controller::VERSION`] and its full kinds in a real API server, with a node of the
//! tests' own that runs the pods as Argo's executor does, on a GCS of the tests' own.

use std::fs;
use std::sync::{Arc, LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::api::Api;
use self::controller::{Controller, Settings};
use self::runner::Cluster;
use super::Ran;
use super::gcs::Gcs;
use super::kube::{ADMIN, ApiServer};

pub mod api;
mod collector;
mod container;
pub mod controller;
mod dependents;
mod executor;
pub mod places;
pub mod runner;

/// The bucket of the controller's default repository.
pub const BUCKET: &str = "argo-artifacts";

/// What an executor and a GC pod need, by Argo's documentation.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: executor }
rules:
- { apiGroups: [argoproj.io], resources: [workflowtaskresults], verbs: [create, patch] }
- { apiGroups: [argoproj.io], resources: [workflowartifactgctasks], verbs: [list, watch] }
- { apiGroups: [argoproj.io], resources: [workflowartifactgctasks/status], verbs: [patch] }
";

pub struct RealArgo {
    pub server: ApiServer,
    pub gcs: Gcs,
    pub cluster: Arc<Cluster>,
    pub controller: Controller,
}

impl RealArgo {
    /// The one that the tests of this process share; they keep apart by namespaces.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<RealArgo> = LazyLock::new(|| RealArgo::start(&Settings::default()));
        &SHARED
    }

    /// Starts one of the test's own.
    pub fn start(settings: &Settings<'_>) -> Self {
        let crds = super::program("ARGO_GC_TEST_ARGO_CRDS");
        let server = ApiServer::start_with_kinds(&crds);
        let gcs = Gcs::start();
        gcs.bucket(BUCKET);
        let cluster = start_node(&server, gcs.handle());
        let controller = Controller::start(&server, controller::NAMESPACE, BUCKET, settings);
        Self { server, gcs, cluster, controller }
    }

    /// A namespace with an account for its workflows, `default`, that has the rights Argo asks for.
    pub fn namespace(&self, name: &str) {
        let mut role: Value = serde_saphyr::from_str(RIGHTS).expect("YAML");
        role["metadata"]["namespace"] = json!(name);
        self.server.apply(json!([
            { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default", "namespace": name } },
            role,
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
              "metadata": { "name": "executor", "namespace": name },
              "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "executor" },
              "subjects": [{ "kind": "ServiceAccount", "name": "default", "namespace": name }] },
        ]));
    }

    /// Creates objects and returns them: workflows, templates and what else a test needs.
    pub fn create(&self, manifest: impl Into<super::kube::Objects>) -> Vec<Value> {
        self.server.apply(manifest)
    }

    /// Takes an object of the API away, if it is there.
    pub fn remove(&self, path: &str) {
        let _ = self.server.send(http::Method::DELETE, path, None);
    }

    /// Replaces an object of the API by a changed one.
    pub fn replace(&self, path: &str, object: &Value) -> Result<Value, kube::Error> {
        self.server.send(http::Method::PUT, path, Some(object))
    }

    pub fn workflow(&self, namespace: &str, name: &str) -> Option<Value> {
        self.server.get(&path(namespace, name)).ok()
    }

    /// Waits until the workflow is over, by its label.
    #[track_caller]
    pub fn completed(&self, namespace: &str, name: &str) -> Value {
        self.until(namespace, name, "completed", |workflow| {
            workflow.is_some_and(|workflow| {
                workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
            })
        })
        .expect("the workflow")
    }

    /// Waits until the workflow is as it should be; None is one that is gone.
    #[track_caller]
    pub fn until(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        is_so: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let start = Instant::now();
        loop {
            let workflow = self.workflow(namespace, name);
            if is_so(workflow.as_ref()) {
                return workflow;
            }
            if start.elapsed() > Duration::from_secs(20) {
                let status = workflow.map_or(Value::Null, |workflow| workflow["status"].clone());
                panic!("{namespace}/{name} isn't {what}: {status}\n{}", self.controller.log_of(name));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Deletes the workflow; its finalizers may keep it.
    pub fn delete(&self, namespace: &str, name: &str) {
        let words = ["delete", "workflow", name, "-n", namespace, "--wait=false"];
        Ran::of(self.server.kubectl(words)).ends_with(0);
    }

    /// Deletes the workflow, and waits until it is gone.
    #[track_caller]
    pub fn gone(&self, namespace: &str, name: &str) {
        self.delete(namespace, name);
        self.until(namespace, name, "gone", |workflow| workflow.is_none());
    }

    /// `kubectl argo-gc` with these arguments.
    pub fn argo_gc(&self, arguments: &[&str]) -> Ran {
        let mut command = self.server.kubectl_as(ADMIN, ["argo-gc"]);
        command.args(arguments).env("STORAGE_EMULATOR_HOST", self.gcs.url());
        Ran::of(command)
    }

    /// The keys of the default repository below a prefix.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.gcs.keys(BUCKET).into_iter().filter(|key| key.starts_with(prefix)).collect()
    }
}

/// The path of a workflow in the API.
pub fn path(namespace: &str, name: &str) -> String {
    format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{name}")
}

/// Starts what stands for the kubelet and for Kubernetes' garbage collector, in a thread that ends with the process.
fn start_node(server: &ApiServer, gcs: Gcs) -> Arc<Cluster> {
    let (host, port, certificate) = server.address();
    let address = (host, port, fs::read_to_string(certificate).expect("PEM"));
    let kubeconfig = server.kubeconfig();
    let (started, cluster) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let client = super::kube::client(&kubeconfig).await.expect("a client");
            let cluster = Arc::new(Cluster::new(Api::new(client), gcs, address));
            started.send(cluster.clone()).expect("the test waits");
            let workflows: &'static [&'static str] =
                &["pods", "workflowtaskresults", "workflowartifactgctasks"];
            tokio::join!(
                runner::run_pods(cluster.clone()),
                dependents::clear(cluster.clone(), "workflows", workflows),
                dependents::clear(cluster, "workflowartifactgctasks", &["pods"]),
            );
        });
    });
    cluster.recv().expect("the node starts")
}

/// A text field; empty without one.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
