//! What the other tests take for granted of the API server and of `support::kube`.

use serde_json::{Value, json};

use crate::support::kube::{ADMIN, ALICE, ApiServer, BOB};
use crate::support::stdout;

fn json_of(server: &ApiServer, arguments: &str) -> Value {
    let output = stdout(server.kubectl(arguments.split_whitespace().chain(["-o", "json"])));
    serde_json::from_str(&output).expect("kubectl prints JSON")
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn workflows_are_read_back_with_status_on_apiserver() {
    let server = ApiServer::shared();
    let status = json!({ "phase": "Succeeded", "nodes": { "w": { "id": "w", "type": "Pod" } } });
    server.apply(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": { "name": "w", "namespace": "smoke-status", "labels": { "x": "y" } },
        "spec": { "entrypoint": "main" },
        "status": status,
    }));
    let found = json_of(server, "get wf -n smoke-status w");
    assert_eq!(found["status"], status);
    assert_eq!(found["metadata"]["labels"]["x"], "y");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn every_kind_is_served_by_its_names_on_apiserver() {
    let server = ApiServer::shared();
    for name in ["wf", "wftmpl", "cwft", "cwf", "workflowartifactgctasks", "workflowtaskresults"] {
        assert_eq!(json_of(server, &format!("get {name} -n smoke-none"))["items"], json!([]), "{name}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn finalizers_keep_deleted_objects_on_apiserver() {
    let server = ApiServer::shared();
    let terminating = "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: w
  namespace: smoke-terminating
  uid: 6e0cf1ea-0000-4000-8000-000000000001
  creationTimestamp: 2026-11-01T00:00:00Z
  deletionTimestamp: 2026-11-02T00:00:00Z
  finalizers: [workflows.argoproj.io/artifact-gc, foregroundDeletion]
spec: {}
status: { phase: Failed }
";
    server.apply(terminating);
    let found = json_of(server, "get wf -n smoke-terminating w");
    assert!(found["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(
        found["metadata"]["finalizers"],
        json!(["workflows.argoproj.io/artifact-gc", "foregroundDeletion"])
    );
    assert_eq!(found["status"]["phase"], "Failed");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn pods_and_tasks_have_status_and_their_owners_uid_on_apiserver() {
    let server = ApiServer::shared();
    // The owner comes last on purpose.
    let applied = server.apply(
        "
# A pod that cleared up for a workflow, and failed.
apiVersion: v1
kind: Pod
metadata:
  name: w-artgc
  namespace: smoke-pod
  ownerReferences:
    - { apiVersion: argoproj.io/v1alpha1, kind: Workflow, name: w, uid: old, controller: true }
spec:
  restartPolicy: Never
  serviceAccountName: cleaner
  containers: [{ name: main, image: argoexec, command: [argoexec, artifact, delete] }]
status:
  phase: Failed
  containerStatuses:
    - name: main
      image: argoexec
      imageID: ''
      ready: false
      restartCount: 0
      state: { terminated: { exitCode: 137, reason: OOMKilled } }
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowArtifactGCTask
metadata:
  name: w-artgc-task
  namespace: smoke-pod
  ownerReferences: [{ apiVersion: argoproj.io/v1alpha1, kind: Workflow, name: w, uid: old }]
spec: {}
status: { artifactResultsByNode: { n: { artifactResults: {} } } }
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: { name: w, namespace: smoke-pod, uid: old }
spec: {}
",
    );
    let [_, _, workflow] = &applied[..] else { panic!("{applied:?}") };
    let pod = json_of(server, "get pod -n smoke-pod w-artgc");
    assert_eq!(pod["status"]["phase"], "Failed");
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"], "OOMKilled");
    assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], workflow["metadata"]["uid"]);
    let task = json_of(server, "get wfat -n smoke-pod w-artgc-task");
    assert!(task["status"]["artifactResultsByNode"]["n"].is_object());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn other_users_can_do_nothing_until_granted_on_apiserver() {
    let server = ApiServer::shared();
    server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "smoke-alice" } }));
    let list =
        || server.kubectl_as(ALICE, ["get", "wf", "-n", "smoke-alice"]).output().expect("kubectl runs");
    let refusal = list();
    assert!(!refusal.status.success());
    assert!(String::from_utf8_lossy(&refusal.stderr).contains("Error from server (Forbidden)"));
    server.apply(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reader, namespace: smoke-alice }
rules: [{ apiGroups: [argoproj.io], resources: [workflows], verbs: [list] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader, namespace: smoke-alice }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: alice }]
",
    );
    // The authorizer hears of the grant through a watch.
    let granted = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        list().status.success()
    });
    assert!(granted, "{:?}", list());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn users_are_told_apart_on_apiserver() {
    let server = ApiServer::shared();
    for user in [ADMIN, ALICE, BOB] {
        let review = stdout(server.kubectl_as(user, ["auth", "whoami", "-o", "json"]));
        let review: Value = serde_json::from_str(&review).expect("JSON");
        assert_eq!(review["status"]["userInfo"]["username"], user);
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_is_applied_again_is_replaced_on_apiserver() {
    let server = ApiServer::shared();
    for colour in ["red", "blue"] {
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m", "namespace": "smoke-again" },
            "data": { "colour": colour } });
        server.apply(json!({ "apiVersion": "v1", "kind": "List", "items": [map] }));
    }
    let map = server.get("/api/v1/namespaces/smoke-again/configmaps/m").expect("the map is there");
    assert_eq!(map["data"], json!({ "colour": "blue" }));
}

#[tokio::test]
#[ignore = "tests/run brings what it needs"]
async fn async_tests_use_the_same_server_on_apiserver() {
    let server = ApiServer::shared();
    server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "smoke-async" } }));
    let client = server.client(ADMIN).await;
    assert_eq!(client.apiserver_version().await.expect("a version").git_version, "v1.34.2");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn kubectl_finds_the_built_plugin_on_apiserver() {
    let server = ApiServer::shared();
    // Its exit status depends on the other plugins of the machine.
    let plugins = server.kubectl(["plugin", "list", "--name-only"]).output().expect("kubectl runs");
    let plugins = String::from_utf8_lossy(&plugins.stdout).into_owned();
    assert!(plugins.lines().any(|name| name == "kubectl-argo_gc"), "{plugins}");
    assert!(server.kubectl(["argo-gc", "--help"]).output().expect("kubectl runs").status.success());
    assert!(server.plugin(ADMIN, ["--help"]).output().expect("the plugin runs").status.success());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn servers_end_with_their_owner_on_apiserver() {
    let server = ApiServer::start();
    let kubeconfig = std::fs::read_to_string(server.kubeconfig()).expect("the kubeconfig is a file");
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("it is JSON");
    let url = kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("a server").to_owned();
    let address = url.trim_start_matches("https://");
    assert!(std::net::TcpStream::connect(address).is_ok());
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err());
}
