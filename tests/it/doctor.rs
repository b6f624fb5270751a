//! `doctor`: stuck situations told apart, on a real API server where they can be set up there, else on files.

use crate::support::argo::{ARCHIVE, ArgoServer, Knows, leaking, offloaded};
use crate::support::fixture::Fixture;
use crate::support::kube::{ADMIN, ALICE, ApiServer};
use crate::support::purge::keeps_to;
use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, in_process, plugin};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;
use std::sync::LazyLock;

/// Without any controller's Deployment, which would count for every namespace.
fn server() -> &'static ApiServer {
    static SERVER: LazyLock<ApiServer> = LazyLock::new(ApiServer::start);
    &SERVER
}

/// A reason's fixture in a namespace of its own, without its controller.
pub fn fixture(code: &str, namespace: &str) -> String {
    let text = hit(code).replace(&format!("gc-{}", code.replace('.', "-")), namespace);
    let text = text.replace("train-", "doctor-");
    let controller =
        |document: &&str| !document.contains("kind: Deployment") && !document.contains("kind: ConfigMap");
    text.split("\n---\n").filter(controller).collect::<Vec<_>>().join("\n---\n")
}

pub fn service_account(namespace: &str, name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name, "namespace": namespace } })
}

/// The rights of a GC pod, for all accounts of a namespace.
pub fn collects(namespace: &str) -> Value {
    let rules = json!([
        { "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"] },
        { "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks/status"], "verbs": ["patch"] },
    ]);
    let group = format!("system:serviceaccounts:{namespace}");
    role(namespace, "collect", &rules, &json!({ "kind": "Group", "name": group }))
}

pub fn role(namespace: &str, name: &str, rules: &Value, subject: &Value) -> Value {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({ "name": name, "namespace": namespace });
    let mut subject = subject.clone();
    subject["apiGroup"] = json!(group);
    json!([
        { "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules },
        { "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
          "subjects": [subject], "roleRef": { "apiGroup": group, "kind": "Role", "name": name } },
    ])
}

/// A namespace with the fixture, its `default` account, and the rights of a GC pod.
pub fn ward(server: &ApiServer, code: &str, namespace: &str) {
    server.apply(&fixture(code, namespace));
    server.apply(service_account(namespace, "default"));
    server.apply(collects(namespace));
}

/// `kubectl argo-gc doctor` of a namespace, as a user.
pub fn doctor(server: &ApiServer, user: &str, namespace: &str) -> Value {
    doctor_with(server, user, namespace, &[])
}

/// A server that has no controller, and a user who says that there is one.
pub const THERE_IS_ONE: [&str; 2] = ["--argo-version", "v3.7.0"];

/// The same with more flags.
pub fn doctor_with(server: &ApiServer, user: &str, namespace: &str, more: &[&str]) -> Value {
    let command = ["argo-gc", "doctor", "-n", namespace, "-o", "json"];
    Ran::of(server.kubectl_as(user, command.iter().chain(more))).ends_with(0).json()
}

/// The same through the library, hours from now: a live server sets creation and deletion times itself.
pub fn doctor_later(server: &ApiServer, namespace: &str, more: &[&str]) -> Value {
    let kubeconfig = server.kubeconfig().display().to_string();
    let mut arguments =
        vec!["kubectl-argo_gc", "doctor", "-o", "json", "-n", namespace, "--kubeconfig", &kubeconfig];
    arguments.extend(more);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let later = Timestamp::now() + SignedDuration::from_hours(3);
    let (code, out, err) = in_process(arguments, "", later);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// The same of files, with the fixture's own time.
fn doctor_of_files(text: &str) -> Value {
    doctor_of_selected(text, &[])
}

/// The same of those workflows of a file that flags select.
fn doctor_of_selected(text: &str, more: &[&str]) -> Value {
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let now = text.lines().find_map(|line| line.strip_prefix("# now: ")).unwrap().parse().unwrap();
    let path = file.path().display().to_string();
    let arguments = ["kubectl-argo_gc", "doctor", "-o", "json", "-f", &path];
    let (code, out, err) = in_process(arguments.into_iter().chain(more.iter().copied()), "", now);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

/// A reason's fixture.
pub fn hit(code: &str) -> String {
    let hit = |fixture: &Fixture| fixture.code() == code && fixture.path.ends_with("hit.yaml");
    Fixture::all().into_iter().find(hit).unwrap().text
}

/// What was found, as `cause` or `cause (subject)`.
pub fn causes(diagnosis: &Value) -> BTreeSet<String> {
    let cause = |group: &Value| match group["subject"].as_str() {
        None => group["cause"].as_str().unwrap().to_owned(),
        Some(subject) => format!("{} ({subject})", group["cause"].as_str().unwrap()),
    };
    diagnosis["causes"].as_array().unwrap().iter().map(cause).collect()
}

/// These causes and no others; their document keeps to its schema.
#[track_caller]
pub fn assert_causes(diagnosis: &Value, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|cause| (*cause).to_owned()).collect();
    assert_eq!(causes(diagnosis), expected, "{diagnosis:#}");
    keeps_to("diagnosis.v1.json", diagnosis);
}

pub fn evidence(diagnosis: &Value) -> String {
    diagnosis["causes"].as_array().unwrap().iter().map(|group| group["evidence"].to_string()).collect()
}

pub fn repairs(diagnosis: &Value) -> Vec<Value> {
    let groups = diagnosis["causes"].as_array().unwrap().iter();
    groups.flat_map(|group| group["repairs"].as_array().unwrap().clone()).collect()
}

pub fn commands(diagnosis: &Value) -> Vec<String> {
    let commands = repairs(diagnosis).into_iter().filter_map(|repair| repair["commands"].as_array().cloned());
    commands.flatten().map(|command| command.as_str().unwrap().to_owned()).collect()
}

/// Splits a command as a shell does, as far as these need it: words, and single quotes.
pub fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// Every command shown is understood, and every YAML is accepted by the real API server.
pub fn assert_repairs_are_valid(server: &ApiServer, diagnosis: &Value) -> usize {
    let mut checked = 0;
    for command in commands(diagnosis) {
        let mut words = words(&command).into_iter();
        assert_eq!(words.next().unwrap(), "kubectl");
        let mut words: Vec<String> = words.collect();
        let ran = if words[0] == "argo-gc" {
            let folder = tempfile::tempdir().unwrap();
            words.extend(["--dry-run", "--store-root"].map(str::to_owned));
            words.push(folder.path().display().to_string());
            let ran = Ran::of(server.kubectl(&words));
            // Refused (something can't be read) is an answer; wrong usage is none.
            assert!(matches!(ran.code, Some(0 | 5)), "{command}: {ran:#?}");
            ran
        } else {
            let writes = ["patch", "label", "set", "scale", "delete"].contains(&words[0].as_str());
            words.extend(writes.then(|| "--dry-run=server".to_owned()));
            let ran = Ran::of(server.kubectl(&words));
            let reads_pod = ["logs", "exec", "get", "auth"].contains(&words[0].as_str());
            assert!(ran.code == Some(0) || reads_pod && ran.code == Some(1), "{command}: {ran:#?}");
            ran
        };
        let said = format!("{}{}", ran.out, ran.err);
        for wrong in
            ["unknown flag", "unknown command", "Usage:", "unexpected argument", "doesn't have a resource"]
        {
            assert!(!said.contains(wrong), "{command}: {said}");
        }
        checked += 1;
    }
    let workflow = &diagnosis["causes"][0]["names"][0];
    for repair in repairs(diagnosis) {
        let Some(yaml) = repair["yaml"].as_str() else { continue };
        let ran = if repair["apply"] == true {
            Ran::with_input(server.kubectl(["apply", "--dry-run=server", "-f", "-"]), yaml)
        } else {
            let (namespace, name) =
                (workflow["namespace"].as_str().unwrap(), workflow["name"].as_str().unwrap());
            let patch =
                ["patch", "wf", "-n", namespace, name, "--type=merge", "--dry-run=server", "-p", yaml];
            Ran::of(server.kubectl(patch))
        };
        ran.ends_with(0);
        checked += 1;
    }
    checked
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_account_without_rights_is_told_from_a_pod_that_fails_with_them_on_apiserver() {
    let server = server();
    server.apply(&fixture("gc-rbac", "doctor-rbac"));
    server.apply(service_account("doctor-rbac", "artifact-gc"));
    let diagnosis = doctor(server, ADMIN, "doctor-rbac");
    assert_causes(&diagnosis, &["service-account-rights (doctor-rbac/artifact-gc)"]);
    let account = &diagnosis["serviceAccounts"][0];
    assert_eq!(
        (&account["exists"], &account["list"], &account["patchStatus"]),
        (&json!("yes"), &json!("no"), &json!("no"))
    );
    assert!(assert_repairs_are_valid(server, &diagnosis) >= 2);

    // Its own repair ends it; what remains is that the pod failed.
    let yaml = Ran::of(server.kubectl(["argo-gc", "doctor", "-n", "doctor-rbac", "--yaml"])).ends_with(0).out;
    Ran::with_input(server.kubectl(["apply", "-f", "-"]), yaml).ends_with(0);
    let diagnosis = doctor(server, ADMIN, "doctor-rbac");
    assert_causes(&diagnosis, &["pod-failed"]);
    assert_repairs_are_valid(server, &diagnosis);
    assert_eq!(diagnosis["serviceAccounts"][0]["list"], "yes");

    // One right of three is none.
    let metadata = json!({ "name": "artifact-gc", "namespace": "doctor-rbac" });
    let rules = json!([{ "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"] }]);
    server.apply(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules }));
    let diagnosis = doctor(server, ADMIN, "doctor-rbac");
    assert_causes(&diagnosis, &["service-account-rights (doctor-rbac/artifact-gc)"]);
    assert!(evidence(&diagnosis).contains("may not patch workflowartifactgctasks/status\""), "{diagnosis:#}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_review_that_is_forbidden_is_no_yes_on_apiserver() {
    let server = server();
    ward(server, "gc-pod-failed", "doctor-alice");
    assert_causes(&doctor(server, ADMIN, "doctor-alice"), &["pod-failed"]);
    let reads = json!([
        { "apiGroups": ["argoproj.io"], "resources": ["*"], "verbs": ["list", "get"] },
        { "apiGroups": [""], "resources": ["pods", "events", "configmaps", "serviceaccounts"], "verbs": ["list", "get"] },
    ]);
    server.apply(role("doctor-alice", "read", &reads, &json!({ "kind": "User", "name": ALICE })));
    let diagnosis = doctor(server, ALICE, "doctor-alice");
    assert_causes(&diagnosis, &["pod-failed", "rights-unchecked"]);
    assert!(
        evidence(&diagnosis).contains("not checked: create subjectaccessreviews: forbidden"),
        "{diagnosis:#}"
    );
    let account = &diagnosis["serviceAccounts"][0];
    assert_eq!((&account["exists"], &account["list"]), (&json!("yes"), &json!("unknown")));
    assert!(assert_repairs_are_valid(server, &diagnosis) >= 4);

    // Nothing fails yet, and still nobody says that it won't.
    let waiting = fixture("gc-pod-failed", "doctor-alice-2");
    let workflow = waiting.split("\n---\n").nth(1).unwrap().replace("doctor-h3n8p", "doctor-wait-1");
    let workflow = workflow
        .replace("  deletionGracePeriodSeconds: 0\n  deletionTimestamp: \"2026-11-20T09:00:00Z\"\n", "");
    let (before, rest) = workflow.split_once("  artifactGCStatus:\n").unwrap();
    let (_, rest) = rest.split_once("  artifactRepositoryRef:").unwrap();
    let (conditions, after) = rest.split_once("  - message: ").unwrap();
    let (_, after) = after.split_once("    type: ArtifactGCError\n").unwrap();
    let workflow = format!("{before}  artifactGCStatus: {{}}\n  artifactRepositoryRef:{conditions}{after}");
    server.apply(workflow.as_str());
    server.apply(service_account("doctor-alice-2", "default"));
    server.apply(role("doctor-alice-2", "read", &reads, &json!({ "kind": "User", "name": ALICE })));
    let diagnosis = doctor(server, ALICE, "doctor-alice-2");
    assert_causes(&diagnosis, &["rights-unchecked"]);
    assert_eq!(diagnosis["causes"][0]["stuck"], 0);
    // Who may ask gets an answer, before anything went wrong ...
    let diagnosis = doctor_with(server, ADMIN, "doctor-alice-2", &THERE_IS_ONE);
    assert_causes(&diagnosis, &["service-account-rights (doctor-alice-2/default)"]);
    assert_eq!(
        (&diagnosis["causes"][0]["stuck"], &diagnosis["causes"][0]["workflows"]),
        (&json!(0), &json!(1))
    );
    assert!(commands(&diagnosis).is_empty(), "nothing is to be purged yet");
    // ... and a healthy place is said to be such, in a sentence.
    server.apply(collects("doctor-alice-2"));
    let diagnosis = doctor_with(server, ADMIN, "doctor-alice-2", &THERE_IS_ONE);
    assert_causes(&diagnosis, &[]);
    let text =
        Ran::of(server.kubectl(["argo-gc", "doctor", "-n", "doctor-alice-2", "--argo-version", "v3.7.0"]))
            .ends_with(0)
            .out;
    let sentence = "Artifact GC is healthy in doctor-alice-2 namespace: 1 workflow, no finalizer is stuck; \
                    0 artifacts collected, 1 to come";
    assert!(text.lines().any(|line| line == sentence), "{text}");
    // An account that isn't there has no rights to speak of.
    Ran::of(server.kubectl(["delete", "serviceaccount", "-n", "doctor-alice-2", "default"])).ends_with(0);
    let diagnosis = doctor_with(server, ADMIN, "doctor-alice-2", &THERE_IS_ONE);
    assert_causes(&diagnosis, &["service-account-missing (doctor-alice-2/default)"]);
    assert!(assert_repairs_are_valid(server, &diagnosis) >= 1);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_was_seen_on_the_pods_is_told_apart_on_apiserver() {
    let server = server();
    for (code, expected) in [
        ("gc-oom", "pod-out-of-memory"),
        ("gc-pod-held", "sidecar (istio-proxy)"),
        ("instanceid", "instance-id-label (prod)"),
        ("gc-pod-lost", "pod-lost"),
        ("processed-with-error", "processed-without-pod"),
        ("inline-poison", "inline-templates"),
        ("batch-abort", "batch-abort"),
        ("delete-error", "delete-fails (delete-error)"),
        ("gcs-directory", "delete-fails (gcs-directory)"),
        ("foreground", "foreground-deletion"),
    ] {
        let namespace = format!("doctor-{code}");
        ward(server, code, &namespace);
        let mut command = vec!["argo-gc", "doctor", "-n", &namespace, "-o", "json"];
        // Up to then what was never saved stood in the outputs.
        command.extend((code == "batch-abort").then_some(["--argo-version", "v3.5.5"]).into_iter().flatten());
        let diagnosis = Ran::of(server.kubectl(command)).ends_with(0).json();
        assert_causes(&diagnosis, &[expected]);
        assert!(assert_repairs_are_valid(server, &diagnosis) >= 1, "{code}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_lost_pod_is_told_from_one_that_was_never_let_in_on_apiserver() {
    let server = server();
    // Without its account the pod is refused, whatever the event says or doesn't.
    server.apply(&fixture("gc-pod-lost", "doctor-no-account"));
    let diagnosis = doctor(server, ADMIN, "doctor-no-account");
    assert_causes(&diagnosis, &["service-account-missing (doctor-no-account/default)"]);
    assert!(assert_repairs_are_valid(server, &diagnosis) >= 2);

    ward(server, "gc-pod-lost", "doctor-refused");
    assert_causes(&doctor(server, ADMIN, "doctor-refused"), &["pod-lost"]);
    server.apply(json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "PolicyViolation",
        "metadata": { "name": "require-limits.17a3", "namespace": "doctor-refused" },
        "involvedObject": { "apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "name": "require-limits",
                            "namespace": "doctor-refused" },
        "message": "Pod doctor-refused/doctor-v2d8z-artgc-wfdel-2166136261: [check-limits] fail (blocked); limits are required",
    }));
    let diagnosis = doctor(server, ADMIN, "doctor-refused");
    assert_causes(&diagnosis, &["admission-refused"]);
    assert!(evidence(&diagnosis).contains("limits are required"), "{diagnosis:#}");
    assert!(assert_repairs_are_valid(server, &diagnosis) >= 1);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_pod_that_waits_is_told_by_what_it_waits_for_on_apiserver() {
    let server = server();
    let waiting = |namespace: &str, status: &str| {
        let text = fixture("gc-pod-pending", namespace);
        let (before, _) = text.rsplit_once("status:\n  containerStatuses").unwrap();
        server.apply(&format!("{before}{status}"));
        server.apply(service_account(namespace, "default"));
        server.apply(collects(namespace));
    };
    ward(server, "gc-pod-pending", "doctor-image");
    // Too early to say.
    assert_causes(&doctor_with(server, ADMIN, "doctor-image", &THERE_IS_ONE), &[]);
    let diagnosis = doctor_later(server, "doctor-image", &[]);
    assert_causes(&diagnosis, &["pod-image"]);
    assert_repairs_are_valid(server, &diagnosis);

    let unschedulable = "status:\n  phase: Pending\n  conditions:\n  - type: PodScheduled\n    status: \"False\"\n    \
        reason: Unschedulable\n    message: '0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: ml}.'\n";
    waiting("doctor-taint", unschedulable);
    let diagnosis = doctor_later(server, "doctor-taint", &[]);
    assert_causes(&diagnosis, &["pod-unschedulable"]);
    assert!(evidence(&diagnosis).contains("untolerated taint"), "{diagnosis:#}");
    assert_eq!(assert_repairs_are_valid(server, &diagnosis), 1);

    let creating = "status:\n  phase: Pending\n  containerStatuses:\n  - name: main\n    image: x\n    imageID: \"\"\n    \
        ready: false\n    restartCount: 0\n    state:\n      waiting:\n        reason: ContainerCreating\n";
    waiting("doctor-secret", creating);
    assert_causes(&doctor_later(server, "doctor-secret", &[]), &["pod-pending"]);
    server.apply(json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "FailedMount",
        "metadata": { "name": "doctor-z9g3k-artgc.17a4", "namespace": "doctor-secret" },
        "involvedObject": { "apiVersion": "v1", "kind": "Pod", "namespace": "doctor-secret",
                            "name": "doctor-z9g3k-artgc-wfdel-2166136261" },
        "message": "MountVolume.SetUp failed for volume \"my-gcs-cred\" : secret \"my-gcs-cred\" not found",
    }));
    let diagnosis = doctor_later(server, "doctor-secret", &[]);
    assert_causes(&diagnosis, &["secret-missing (doctor-secret/my-gcs-cred)"]);
    assert_eq!(assert_repairs_are_valid(server, &diagnosis), 2);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_holds_a_workflow_is_told_on_apiserver() {
    let server = server();
    // Another finalizer is none of ours.
    server.apply(
        "
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  name: doctor-held
  namespace: doctor-finalizer
  deletionTimestamp: 2026-11-20T09:00:00Z
  finalizers: [example.com/audit]
spec: {}
status: { phase: Succeeded, finishedAt: '2026-11-20T09:00:00Z', artifactGCStatus: { notSpecified: true } }
",
    );
    let diagnosis = doctor_later(server, "doctor-finalizer", &[]);
    assert_causes(&diagnosis, &["other-finalizer (example.com/audit)"]);
    assert_eq!(assert_repairs_are_valid(server, &diagnosis), 1);
    let patch = commands(&diagnosis).remove(0);
    Ran::of(server.kubectl(&words(&patch)[1..])).ends_with(0);
    assert_causes(&doctor_later(server, "doctor-finalizer", &[]), &[]);

    ward(server, "no-artifact-stuck", "doctor-empty");
    let diagnosis = doctor_later(server, "doctor-empty", &["--argo-version", "v3.5.10"]);
    assert_causes(&diagnosis, &["nothing-to-collect"]);
    assert!(assert_repairs_are_valid(server, &diagnosis) >= 1);
    // The same on a release that would have released it: nobody is there to.
    let diagnosis = doctor_later(server, "doctor-empty", &["--argo-version", "v3.7.0"]);
    assert_causes(&diagnosis, &["no-controller"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn only_selected_workflows_are_diagnosed_on_apiserver() {
    let server = server();
    ward(server, "gc-pod-held", "doctor-selected");
    let doctor = |more: &[&str]| {
        let command = ["argo-gc", "doctor", "-n", "doctor-selected", "-o", "json"];
        Ran::of(server.kubectl(command.iter().chain(more))).ends_with(0).json()
    };
    for takes in [
        &["-l", "workflows.argoproj.io/phase=Succeeded"][..],
        &["--status", "Succeeded"],
        &["--older", "1h"],
        &["--instanceid", ""],
    ] {
        let diagnosis = doctor(takes);
        assert_causes(&diagnosis, &["sidecar (istio-proxy)"]);
        assert_eq!(diagnosis["source"]["filtered"], true, "{takes:?}");
    }
    for leaves in [
        &["-l", "workflows.argoproj.io/phase=Failed"][..],
        &["--status", "Failed"],
        &["--older", "9999d"],
        &["--instanceid", "blue"],
    ] {
        let diagnosis = doctor(leaves);
        assert_causes(&diagnosis, &[]);
        assert_eq!(diagnosis["summary"]["workflows"], 0, "{leaves:?}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_task_without_its_workflow_is_left_over_on_apiserver() {
    let server = server();
    let text = fixture("gc-pod-lost", "doctor-left");
    let task =
        text.split("\n---\n").find(|document| document.contains("kind: WorkflowArtifactGCTask")).unwrap();
    server.apply(task);
    assert_causes(&doctor(server, ADMIN, "doctor-left"), &[]);
    let diagnosis = doctor_later(server, "doctor-left", &[]);
    assert_causes(&diagnosis, &["task-left-over"]);
    assert_eq!(assert_repairs_are_valid(server, &diagnosis), 1);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_repair_shown_releases_what_hangs_on_apiserver() {
    let server = server();
    ward(server, "instanceid", "doctor-release");
    let diagnosis = doctor(server, ADMIN, "doctor-release");
    let command = commands(&diagnosis).remove(0);
    let folder = tempfile::tempdir().unwrap();
    let mut words = words(&command);
    words.extend(["--yes", "--store-root"].map(str::to_owned));
    words.push(folder.path().display().to_string());
    words.extend(["--repository", "gs://doctor-release"].map(str::to_owned));
    std::fs::create_dir(folder.path().join("doctor-release")).unwrap();
    let mut purge = server.kubectl(&words[1..]);
    purge.env("XDG_STATE_HOME", folder.path());
    Ran::of(purge).ends_with(0);
    assert_causes(&doctor(server, ADMIN, "doctor-release"), &[]);
}

/// A Deployment counts for the whole cluster, so this one has a server of its own.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_controller_comes_first_on_apiserver() {
    let server = ApiServer::start();
    server.let_manage("ctl");
    server.apply(&controller("ctl", "artifactRepository: |\n    s3:\n      bucket: ctl\n      keyFormat: '{{workflow.name}}'\n  \
        parallelism: '3'\n  namespaceParallelism: '2'\n  workflowDefaults: |\n    spec:\n      artifactGC:\n        \
        strategy: OnWorkflowDeletion\n        serviceAccountName: gc\n", ""));
    server.apply(
        "
apiVersion: v1
kind: ConfigMap
metadata:
  name: artifact-repositories
  namespace: ctl-work
  annotations: { workflows.argoproj.io/default-artifact-repository: main }
data:
  main: |
    gcs: { bucket: ctl-work, keyFormat: '{{workflow.uid}}/{{pod.name}}' }
  broken: '['
",
    );
    ward(&server, "processed-with-error", "ctl-work");
    let diagnosis = doctor(&server, ADMIN, "ctl-work");
    let held =
        ["parallelism-held (controller ctl/workflow-controller)", "parallelism-held (namespace ctl-work)"];
    assert_causes(&diagnosis, &["processed-without-pod", held[0], held[1]]);
    assert!(evidence(&diagnosis).contains("1 of 3 slots"), "{diagnosis:#}");
    assert!(evidence(&diagnosis).contains("1 of 2 slots"), "{diagnosis:#}");
    assert!(assert_repairs_are_valid(&server, &diagnosis) >= 2);
    let facts = &diagnosis["controllers"][0];
    assert_eq!(
        (&facts["version"], &facts["instanceId"], &facts["artifactGCEnabled"]),
        (&json!("v3.7.0"), &json!(""), &json!(true))
    );
    assert_eq!(facts["config"]["workflowDefaults"]["serviceAccountName"], "gc");
    let [own, other] = diagnosis["repositories"].as_array().unwrap().as_slice() else {
        panic!("{diagnosis:#}")
    };
    assert_eq!((&own["engine"], own["hazards"].as_array().unwrap().len()), (&json!("s3"), 2));
    assert_eq!((&other["bucket"], &other["hazards"]), (&json!("ctl-work"), &json!([])));
    assert!(diagnosis["gaps"].to_string().contains("key broken"), "{diagnosis:#}");

    let text = Ran::of(server.kubectl(["argo-gc", "doctor", "-n", "ctl-work"])).ends_with(0).out;
    assert!(text.starts_with("Controller  ctl/workflow-controller\n  version           v3.7.0\n"), "{text}");
    // What can't be read says so.
    let reads = json!([{ "apiGroups": ["argoproj.io"], "resources": ["*"], "verbs": ["list", "get"] }]);
    server.apply(role("ctl-work", "read", &reads, &json!({ "kind": "User", "name": ALICE })));
    let ran = Ran::of(server.kubectl_as(ALICE, ["argo-gc", "doctor", "-n", "ctl-work"])).ends_with(0);
    assert!(ran.out.starts_with("Controller  could not be read"), "{ran:#?}");
    for kind in ["deployments", "pods", "events", "configmaps"] {
        assert!(ran.err.contains(&format!("Warning: cannot read {kind} ")), "{kind}: {ran:#?}");
    }

    // Scaled down, nobody acts on what is asked.
    Ran::of(server.kubectl(["scale", "-n", "ctl", "deployment/workflow-controller", "--replicas=0"]))
        .ends_with(0);
    ward(&server, "overdue", "ctl-idle");
    let diagnosis = doctor_later(&server, "ctl-idle", &[]);
    let held = [held[0], "parallelism-held (namespace ctl-idle)"];
    assert_causes(&diagnosis, &["no-controller (ctl/workflow-controller)", held[0], held[1]]);
    assert!(assert_repairs_are_valid(&server, &diagnosis) >= 1);

    // It serves another instance.
    server.apply(&controller("ctl", "instanceID: blue\n", ""));
    ward(&server, "unmanaged", "ctl-other");
    let diagnosis = doctor(&server, ADMIN, "ctl-other");
    assert_causes(&diagnosis, &["unmanaged"]);
    assert_eq!(assert_repairs_are_valid(&server, &diagnosis), 1);
    assert!(commands(&diagnosis)[0].ends_with("controller-instanceid=blue --overwrite"), "{diagnosis:#}");

    // Switched off, it looks at nothing.
    server.apply(&controller(
        "ctl",
        "x: 'z'\n",
        "        env: [{ name: ARGO_ARTIFACT_GC_ENABLED, value: 'false' }]\n",
    ));
    ward(&server, "feature-off", "ctl-off");
    let diagnosis = doctor(&server, ADMIN, "ctl-off");
    assert_causes(&diagnosis, &["feature-off"]);
    assert_eq!(assert_repairs_are_valid(&server, &diagnosis), 2);
    let mut repairs = commands(&diagnosis);
    assert_eq!(
        repairs.pop().unwrap(),
        "kubectl argo-gc purge -n ctl-off doctor-d4f8m --repository gs://ctl-off/doctor-d4f8m/doctor-d4f8m"
    );
    let command = repairs.remove(0);
    Ran::of(server.kubectl(&words(&command)[1..])).ends_with(0);
    assert_eq!(doctor(&server, ADMIN, "ctl-off")["controllers"][0]["artifactGCEnabled"], true);
}

pub fn controller(namespace: &str, data: &str, env: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: workflow-controller, namespace: {namespace} }}
spec:
  selector: {{ matchLabels: {{ app: workflow-controller }} }}
  template:
    metadata: {{ labels: {{ app: workflow-controller }} }}
    spec:
      containers:
      - name: workflow-controller
        image: quay.io/argoproj/workflow-controller:v3.7.0
{env}---
apiVersion: v1
kind: ConfigMap
metadata: {{ name: workflow-controller-configmap, namespace: {namespace} }}
data:
  {data}"
    )
}

#[test]
fn files_are_diagnosed_too() {
    for (code, expected) in [
        ("gc-pod-held", &["sidecar (istio-proxy)"][..]),
        ("gc-pod-pending", &["pod-image"][..]),
        // Files may lack the controller that looks after it: that is unknown, and said.
        ("unmanaged", &["unmanaged"][..]),
        ("never-taken-up", &["never-taken-up"][..]),
        ("feature-off", &["feature-off"][..]),
        ("taskresult-never-complete", &["task-results-incomplete"][..]),
        ("retry-after-gc", &["written-after-processing"][..]),
        ("cron-neighbour", &["cron-neighbour", "delete-fails (delete-error)"][..]),
        ("unknown-strategy", &["unknown-strategy"][..]),
    ] {
        let diagnosis = doctor_of_files(&hit(code));
        assert_causes(&diagnosis, expected);
        assert!(diagnosis["gaps"].to_string().contains("files hold none"));
    }
}

#[test]
fn only_selected_workflows_of_files_are_diagnosed() {
    let text = hit("gc-pod-held");
    let stuck = |more: &[&str]| {
        let diagnosis = doctor_of_selected(&text, more);
        let filtered = diagnosis["source"]["filtered"].as_bool().unwrap_or_default();
        assert_eq!(filtered, !more.is_empty(), "{diagnosis:#}");
        let summary = &diagnosis["summary"];
        match summary["workflows"].as_u64().unwrap() {
            0 => assert_causes(&diagnosis, &[]),
            _ => assert_causes(&diagnosis, &["sidecar (istio-proxy)"]),
        }
        summary["stuckFinalizers"].as_u64().unwrap()
    };
    assert_eq!(stuck(&[]), 1);
    // It ended ten hours before.
    for (takes, leaves) in [
        (&["--older", "9h"][..], &["--older", "10h"][..]),
        (&["--status", "failed,succeeded"], &["--status", "Failed,Error"]),
        (&["--instanceid", ""], &["--instanceid", "blue"]),
    ] {
        assert_eq!((stuck(takes), stuck(leaves)), (1, 0), "{takes:?} {leaves:?}");
    }
    let text = text.replace(
        "  labels:\n    workflows.argoproj.io/completed",
        "  labels:\n    \
        workflows.argoproj.io/controller-instanceid: blue\n    workflows.argoproj.io/completed",
    );
    assert_eq!(doctor_of_selected(&text, &["--instanceid", "blue"])["summary"]["workflows"], 1);
    assert_eq!(doctor_of_selected(&text, &["--instanceid", "red"])["summary"]["workflows"], 0);
    // Only a server reads labels.
    let ran = Ran::of(plugin(["doctor", "-f", "x.yaml", "-l", "app=etl"])).ends_with(2);
    let named = ["--filename <PATH>", "--selector <LABELS>", "cannot be used with"];
    assert!(named.iter().all(|words| ran.err.contains(words)), "{ran:#?}");
}

/// The pods are listed after the workflow: a pipe is read to its end before anything is judged.
#[test]
fn what_comes_last_through_a_pipe_counts() {
    let text = hit("gc-pod-held");
    let now = text.lines().find_map(|line| line.strip_prefix("# now: ")).unwrap().parse().unwrap();
    let (code, out, err) = in_process(["kubectl-argo_gc", "doctor", "-o", "json", "-f", "-"], &text, now);
    assert_eq!(code, 0, "{err}");
    let diagnosis: Value = serde_json::from_str(&out).unwrap();
    assert_causes(&diagnosis, &["sidecar (istio-proxy)"]);
}

#[test]
fn a_workflow_that_comes_twice_counts_once() {
    let text = hit("gc-pod-held");
    let (head, objects) = text.split_once("---\n").unwrap();
    let diagnosis = doctor_of_files(&format!("{head}---\n{objects}---\n{objects}"));
    assert_eq!(diagnosis["summary"]["workflows"], 1);
    assert_causes(&diagnosis, &["sidecar (istio-proxy)"]);
}

/// Nodes that the controller keeps in its database come from the Argo server, and nothing of the archive does.
#[test]
fn offloaded_nodes_are_filled_in() {
    let text = hit("inline-poison").replace("gc-inline-poison", "ml").replace("build-9q4td", "doctor-heavy");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let heavy = objects.into_iter().find(|object| object["kind"] == "Workflow").unwrap();
    let stub = Stub::listing([Reply::page(&[offloaded(&heavy)], "")]);
    let archive = Some(vec![leaking("doctor-archived")]);
    let argo = ArgoServer::start(Knows { live: vec![heavy], archive, ..Knows::default() });
    let doctor = |more: &str| {
        let path = stub.path("kubeconfig");
        std::fs::write(&path, stub.config(&json!({})).to_string()).unwrap();
        let mut command = plugin(["doctor", "-o", "json", "--kubeconfig"]);
        command.arg(path).args(more.split_whitespace());
        Ran::of(command)
    };
    let found = |ran: &Ran| causes(&ran.json());
    let unseen = BTreeSet::from(["not-enough-seen".to_owned()]);
    assert_eq!(found(&doctor("").ends_with(0)), unseen);
    let ran = doctor(&format!("--argo-server {}", argo.url())).ends_with(0);
    assert!(found(&ran).contains("inline-templates"), "{ran:#?}");
    assert_eq!(ran.json()["summary"]["workflows"], 1);
    assert_eq!(argo.requests_to("/api/v1/workflows/ml/doctor-heavy").len(), 1);
    assert!(argo.requests_to(ARCHIVE).is_empty(), "the archive has no collection that could be stuck");
    // One that the selection does not take is not asked for.
    doctor(&format!("--argo-server {} --status Failed", argo.url())).ends_with(0);
    assert_eq!(argo.requests_to("/api/v1/workflows/ml/doctor-heavy").len(), 1);
    // A server that can't give them is named, and what it should have given is unknown.
    let nothing = ArgoServer::start(Knows::default());
    let ran = doctor(&format!("--argo-server {}", nothing.url())).ends_with(0);
    assert_eq!(found(&ran), unseen);
    assert!(ran.err.contains("Warning: cannot read the nodes of workflow ml/doctor-heavy"), "{ran:#?}");
    doctor("--argo-server ftp://argo").assert(2, "error: invalid --argo-server \"ftp://argo\"");
}

/// No fixture of a finalizer that hangs is without a diagnosis, and none that just misses it gets its cause.
#[test]
fn every_stuck_fixture_has_a_cause() {
    let mut stuck = 0;
    for fixture in Fixture::all() {
        let diagnosis = doctor_of_files(&fixture.text);
        let finalizers = diagnosis["summary"]["stuckFinalizers"].as_u64().unwrap();
        let causes = causes(&diagnosis);
        assert!(finalizers == 0 || !causes.is_empty(), "{}", fixture.path.display());
        stuck += finalizers;
    }
    assert!(stuck > 40, "{stuck}");
}

/// What users wrote into their objects never becomes a command.
#[test]
fn odd_names_are_shown_and_not_run() {
    let text =
        fixture("gc-pod-failed", "doctor-odd").replace("name: doctor-h3n8p\n", "name: 'x; rm -rf ~'\n");
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let run: Command = plugin(["doctor", "-f", &file.path().display().to_string()]);
    let ran = Ran::of(run).ends_with(0);
    assert!(ran.out.contains("x; rm -rf ~"), "{}", ran.out);
    assert!(
        !ran.out.lines().any(|line| line.trim_start().starts_with("kubectl") && line.contains("rm -rf")),
        "{}",
        ran.out
    );
}
