//! What `manifest` prints, and the container it runs: accepted by a real API server, bound to no more rights than are
//! used, and run as the cluster would, from the arguments of the manifest itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::gcs::Gcs;
use crate::support::kube::{ADMIN, ApiServer, CONTROLLER};
use crate::support::pod::{Pod, of_kind, pod};
use crate::support::purge::{BUCKET, Live, Ran, ago, within_the_run, workflow};
use crate::support::session::Transcript;
use crate::support::stub::{Reply, Stub};
use crate::support::{included, plugin};

const IMAGE: &str = "registry.example.com/argo-gc:1";
const KINDS: [&str; 2] = ["cronjob", "cronworkflow"];
const MODES: [&str; 3] = ["inspect", "report", "purge"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn manifest(arguments: &[&str]) -> String {
    Ran::of(plugin(["manifest"].iter().chain(arguments).copied().chain(["--image", IMAGE]))).ends_with(0).out
}

fn manifest_of(words: &[&str], more: &[&str]) -> String {
    Ran::of(plugin(words.iter().chain(more))).ends_with(0).out
}

fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// Each of the kinds in each mode.
fn everything() -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let all = KINDS.iter().flat_map(|kind| MODES.iter().map(move |mode| (*kind, *mode)));
    all.map(|(kind, mode)| (kind, mode, objects(&manifest(&[kind, "--mode", mode])))).collect()
}

#[test]
fn the_container_may_do_little_and_the_account_what_docs_say() {
    let roles = objects(&document("docs/rbac.yaml"));
    for (kind, mode, objects) in everything() {
        let (pod, container) = pod(&objects);
        let context = &pod["securityContext"];
        assert_eq!((&context["runAsNonRoot"], &context["runAsUser"]), (&json!(true), &json!(65532)));
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(
            container["securityContext"],
            json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } })
        );
        assert_eq!(container["image"], IMAGE);
        assert_eq!(pod["serviceAccountName"], "argo-gc");
        assert!(container["resources"]["limits"]["memory"].is_string());
        assert_eq!(container["terminationMessagePolicy"], "FallbackToLogsOnError");
        let args: Vec<&str> =
            container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        // Every mount is there, and nothing else.
        let names = |list: &Value| -> BTreeSet<String> {
            list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&pod["volumes"]), names(&container["volumeMounts"]));
        assert_eq!(args.contains(&"--yes"), mode == "purge");
        assert_eq!(args.contains(&"--dry-run"), mode == "report");

        let role = if mode == "purge" { "argo-gc-purge" } else { "argo-gc-inspect" };
        let documented = roles.iter().find(|document| document["metadata"]["name"] == role).unwrap();
        let own = of_kind(&objects, "ClusterRole");
        assert_eq!(own["rules"], documented["rules"], "{kind} {mode}");
        let binding = of_kind(&objects, "ClusterRoleBinding");
        // Nobody who follows docs/rbac.md has a role of this name, and no other mode has another.
        for name in [&own["metadata"]["name"], &binding["metadata"]["name"], &binding["roleRef"]["name"]] {
            assert_eq!(name, "argo:argo-gc");
        }
        for object in &objects {
            let labels =
                json!({ "app.kubernetes.io/name": "argo-gc", "app.kubernetes.io/instance": "argo-gc" });
            assert_eq!(object["metadata"]["labels"], labels, "{object}");
        }
        assert_eq!(
            binding["subjects"],
            json!([{ "kind": "ServiceAccount", "name": "argo-gc", "namespace": "argo" }])
        );
        let scheduled = &objects.last().unwrap()["spec"];
        assert_eq!(scheduled["concurrencyPolicy"], "Forbid");
        // Argo writes a CronWorkflow's results through the pod's account, and nothing else does.
        assert_eq!(objects.iter().any(|object| object["kind"] == "Role"), kind == "cronworkflow");
    }
}

/// OpenShift admits only ids of the namespace's own range, which nobody knows before.
#[test]
fn on_openshift_the_pod_has_no_ids_and_is_not_root_either() {
    let all = KINDS.iter().flat_map(|kind| MODES.iter().map(move |mode| [kind, "--mode", mode]));
    for line in all {
        let context = |more: &[&str]| {
            let made = objects(&manifest(&line.iter().chain(more).copied().collect::<Vec<_>>()));
            pod(&made).0["securityContext"].clone()
        };
        let (usual, mut wanted) = (context(&[]), context(&[]));
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!(wanted.as_object_mut().unwrap().remove(id), Some(json!(65532)), "{usual}");
        }
        let context = context(&["--openshift"]);
        assert_eq!((&context, &context["runAsNonRoot"]), (&wanted, &json!(true)));
    }
    let ran = Ran::of(plugin(["manifest", "policy", "--openshift"])).ends_with(2);
    assert!(ran.err.contains("--openshift cannot be used with policy"), "{}", ran.err);
}

#[test]
fn what_is_asked_for_is_in_it() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let example = document("examples/policy.yaml");
    for (name, policy) in [
        ("plain", example.clone()),
        // What no block can hold.
        ("returns", "apiVersion: argo-gc/v1\r\nkind: RetentionPolicy\r\n".to_owned()),
        ("no-end", "apiVersion: argo-gc/v1\nkind: RetentionPolicy".to_owned()),
        ("spaces", "\n  apiVersion: argo-gc/v1\n  kind: RetentionPolicy\n\n\n".to_owned()),
        ("marks", "apiVersion: argo-gc/v1\nkind: RetentionPolicy # @NAME@ @POLICY@\n".to_owned()),
    ] {
        let path = file(name, &policy);
        let made = objects(&manifest(&["cronjob", "-n", "gc", "--name", "nightly", "--policy", &path]));
        assert_eq!(of_kind(&made, "ConfigMap")["data"]["policy.yaml"], policy, "{name}");
        for object in &made {
            let namespaced = !object["kind"].as_str().unwrap().starts_with("Cluster");
            assert_eq!(object["metadata"]["namespace"] == "gc", namespaced, "{object}");
        }
        assert_eq!(of_kind(&made, "ClusterRoleBinding")["metadata"]["name"], "gc:nightly");
    }
    let made = objects(&manifest(&[
        "cronworkflow",
        "--mode",
        "purge",
        "--schedule",
        "@daily",
        "--failed",
        "--max-objects",
        "7",
        "--repository",
        "gs://b/p",
        "--repository",
        "s3://b@minio:9000",
        "--accept-unread",
        "archive,sensors",
        "--journal-claim",
        "j",
    ]));
    let (pod, container) = pod(&made);
    assert_eq!(
        container["args"],
        json!([
            "purge",
            "-A",
            "--yes",
            "--summary=/dev/termination-log",
            "--policy=/etc/argo-gc/policy.yaml",
            "--max-objects=7",
            "--status=Succeeded,Failed,Error",
            "--repository=gs://b/p",
            "--repository=s3://b@minio:9000",
            "--accept-unread=archive",
            "--accept-unread=sensors",
        ])
    );
    assert_eq!(of_kind(&made, "CronWorkflow")["spec"]["schedules"], json!(["@daily"]));
    assert_eq!(pod["volumes"][1]["persistentVolumeClaim"]["claimName"], "j");
    let flags = ["--only", "logs", "--endpoint-override", "minio:9000=http://minio.minio:9000"];
    let made = manifest_of(&["manifest", "cronjob", "--image", IMAGE, "--"], &flags);
    let args = self::pod(&objects(&made)).1["args"].clone();
    assert_eq!(args.as_array().unwrap()[args.as_array().unwrap().len() - 4..], flags);
    // The token is in a Secret, never here.
    let server = ["--argo-token-secret", "argo-token", "--", "--argo-server", "argo.argo:2746"];
    for kind in KINDS {
        let made = objects(&manifest_of(&["manifest", kind, "--image", IMAGE], &server));
        let env = self::pod(&made).1["env"].clone();
        let secret = json!({ "secretKeyRef": { "name": "argo-token", "key": "token" } });
        assert_eq!(env[1], json!({ "name": "ARGO_TOKEN", "valueFrom": secret }), "{env}");
    }
    let wrong = file("wrong", "apiVersion: argo-gc/v1\nkind: RetentionPolicy\nkeepLst: 1\n");
    let mut transcript = Transcript::new(folder.path());
    for (arguments, code) in [
        (&["--policy", &wrong][..], 1),
        (&["--name", "Nightly"], 2),
        (&["--name", &"n".repeat(53)], 2),
        (&["-n", "a: b"], 2),
        (&["--schedule", "17 3 * *"], 2),
        (&["--", "--onyl", "logs"], 2),
        (&["--", "--plan", "plan.json"], 2),
        (&["--", "--dry-run=none"], 2),
        (&["--repository", "b/p"], 2),
        (&["--argo-token-secret", "argo-token"], 2),
        (&["--argo-token-secret", "a: b", "--", "--argo-server", "argo:2746"], 2),
    ] {
        let line = ["manifest", "cronjob", "--image", IMAGE].iter().chain(arguments);
        let ran = Ran::of(plugin(line)).ends_with(code);
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
        transcript.note(&format!("manifest cronjob --image {IMAGE} {}", arguments.join(" ")), &ran);
    }
    transcript.note("manifest cronjob", &Ran::of(plugin(["manifest", "cronjob"])).ends_with(2));
    transcript.assert("manifest_refuses");
}

/// The server knows every field, and what the strictest pods are allowed.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_real_server_takes_it_strictly_on_apiserver() {
    let server = ApiServer::shared();
    let levels = json!({ "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted" });
    let namespace = "manifest-strict";
    server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace, "labels": levels } }));
    let apply = |text: &str| {
        let line = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        Ran::with_input(server.kubectl(line), text)
    };
    for kind in KINDS {
        for mode in MODES {
            let line = [kind, "--mode", mode, "-n", namespace];
            let claim: &[&str] = if mode == "inspect" { &[] } else { &["--journal-claim", "journals"] };
            let text = manifest(&line.iter().chain(claim).copied().collect::<Vec<_>>());
            let ran = apply(&text).ends_with(0);
            assert!(ran.err.is_empty() && ran.out.contains(&format!("{kind}.")), "{ran:#?}");
            // The pod itself, as a controller would make it of either.
            let (pod, container) = pod(&objects(&text));
            let mut container = container;
            container["name"] = "argo-gc".into();
            let spec = json!({
                "serviceAccountName": pod["serviceAccountName"], "securityContext": pod["securityContext"],
                "volumes": pod["volumes"], "containers": [container], "restartPolicy": "Never",
            });
            let meta = json!({ "name": "argo-gc", "namespace": namespace });
            let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec });
            let ran = apply(&pod.to_string()).ends_with(0);
            assert!(ran.err.is_empty(), "{}", ran.err);
        }
    }
    // It would say so.
    let broken = manifest(&["cronjob", "-n", namespace]).replace("runAsNonRoot: true", "runAsNonRoots: true");
    let ran = apply(&broken).ends_with(1);
    assert!(ran.err.contains("runAsNonRoots"), "{}", ran.err);
    let lax = manifest(&["cronjob", "-n", namespace]).replace("drop: [ALL]", "drop: []");
    assert!(apply(&lax).err.contains("would violate PodSecurity"));
}

/// The commands of a page's `sh` blocks that are this plugin's or kubectl's, as they stand there.
fn commands(page: &str, section: &str) -> Vec<String> {
    let page = document(page);
    let (_, section) = page.split_once(section).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let section = section.replace(" \\\n  ", " ");
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).filter(|line| line.starts_with("kubectl ")).map(str::to_owned).collect()
}

/// What the pages tell to type works as typed; but for the logs of a job, which no controller has run here.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_commands_of_the_pages_work_on_apiserver() {
    let server = ApiServer::start();
    server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "argo" } }));
    let chat = Stub::start([("/hook".to_owned(), vec![Reply::text(200, "text/plain", "ok")])]);
    let hook = format!("http://{}/hook", chat.address);
    let run = |line: &str, input: &str| {
        let line = line.replace("\"$SLACK_URL\"", &hook);
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let mut command = server.kubectl(words);
        command.current_dir(root()).env("SLACK_URL", &hook).env("TEAMS_URL", &hook);
        Ran::with_input(command, input)
    };
    let mut lines = commands("docs/in-cluster.md", "## A report first");
    lines.extend(commands("docs/in-cluster.md", "## Then a purge"));
    let piped =
        |line: &str| line.split(" | ").fold(String::new(), |input, part| run(part, &input).ends_with(0).out);
    lines.extend(commands("docs/admission.md", "## How to introduce it"));
    lines.extend(commands("docs/admission.md", "## How to remove it"));
    for line in lines.iter().filter(|line| !line.contains(" logs ")) {
        let line = line.replace("--policy policy.yaml", "--policy examples/policy.yaml");
        let printed = piped(&line);
        let wanted = if line.contains("--dry-run") { "Nothing to delete" } else { "" };
        assert!(printed.contains(wanted), "{line}: {printed}");
        if line.contains("create job") {
            run("kubectl delete job argo-gc-now -n argo", "").ends_with(0);
        }
    }
    let job = server.get("/apis/batch/v1/namespaces/argo/cronjobs/argo-gc").unwrap();
    let args = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(args[2], "--yes");
    let config = server.get("/api/v1/namespaces/argo/configmaps/argo-gc").unwrap();
    assert_eq!(config["data"]["policy.yaml"], document("examples/policy.yaml"));
    for line in commands("docs/monitoring.md", "## Watch it") {
        piped(&line);
    }
    let lines = commands("docs/reports.md", "## To a chat");
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for line in &lines {
        piped(line);
    }
    assert_eq!(chat.requests().len(), 2);
    // A pod whose Secret is missing never starts.
    let names = secrets(&server);
    assert_eq!(names, ["argo/chat/url"]);
    let cronjobs = || server.get("/apis/batch/v1/cronjobs").unwrap()["items"].as_array().unwrap().len();
    assert_eq!(cronjobs(), 2);
    for line in commands("docs/in-cluster.md", "## Remove it") {
        piped(&line);
    }
    assert_eq!(cronjobs(), 1, "only that of inspect is left");
    // The table of flags is whole.
    let page = document("docs/in-cluster.md");
    let help = Ran::of(plugin(["manifest", "--help"])).out;
    // The examples have flags of purge.
    let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let flags = lines.flat_map(str::split_whitespace).filter(|word| word.starts_with("--") && word.len() > 2);
    let flags: BTreeSet<&str> = flags.map(|flag| flag.trim_matches(|c| ",]'".contains(c))).collect();
    for flag in flags.into_iter().filter(|flag| !["--help", "--v", "--namespace"].contains(flag)) {
        assert!(page.contains(&format!("`{flag}")), "docs/in-cluster.md does not say what {flag} does");
    }
}

/// The Secrets that CronJobs of a cluster can't do without, each of which is there: namespace, name and field.
fn secrets(server: &ApiServer) -> Vec<String> {
    let jobs = server.get("/apis/batch/v1/cronjobs").unwrap();
    let mut found = Vec::new();
    for job in jobs["items"].as_array().unwrap() {
        let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
        let variables = container["env"].as_array().into_iter().flatten();
        let references = variables.map(|variable| &variable["valueFrom"]["secretKeyRef"]);
        for reference in references.filter(|reference| reference.is_object() && reference["optional"] != true)
        {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            let (namespace, name) = (word(&job["metadata"]["namespace"]), word(&reference["name"]));
            let secret = server.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"));
            let secret = secret.unwrap_or_else(|error| panic!("{namespace}/{name}: {error}"));
            let key = word(&reference["key"]);
            assert!(secret["data"][&key].is_string(), "{namespace}/{name} has no {key}");
            found.push(format!("{namespace}/{name}/{key}"));
        }
    }
    found
}

/// A mode's rights go with the mode, and removal takes what `manifest` printed, and nothing that others have.
#[test]
#[ignore = "tests/run brings what it needs"]
fn its_rights_are_those_of_the_last_mode_and_nobody_elses_go_with_it_on_apiserver() {
    let server = ApiServer::start();
    for name in ["argo", "gc"] {
        server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
    }
    let kubectl = |line: &str| {
        let mut command = server.kubectl(line.split_whitespace());
        command.current_dir(root());
        Ran::of(command)
    };
    // As docs/rbac.md tells an administrator.
    for line in commands("docs/rbac.md", "## In the cluster").iter().filter(|line| !line.contains(" -n ")) {
        kubectl(line.strip_prefix("kubectl ").unwrap()).ends_with(0);
    }
    let may = |verb: &str, namespace: &str| {
        let account = format!("system:serviceaccount:{namespace}:argo-gc");
        kubectl(&format!("auth can-i {verb} workflows.argoproj.io -A --as {account}")).out.trim() == "yes"
    };
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let start = std::time::Instant::now();
        // The authorizer hears of roles through a watch.
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(120), "{what}");
        }
    };
    let apply = |line: &[&str]| {
        Ran::with_input(server.kubectl(["apply", "-f", "-"]), manifest(line)).ends_with(0);
    };
    apply(&["cronjob", "--mode", "purge", "-n", "gc"]);
    for mode in ["report", "purge", "report", "purge", "inspect"] {
        apply(&["cronjob", "--mode", mode]);
        wait(mode, &|| may("list", "argo") && may("patch", "argo") == (mode == "purge"));
    }
    apply(&["cronworkflow", "--mode", "purge"]);
    let there = |kinds: &str| {
        let ran = kubectl(&format!("get {kinds} -A -o name -l app.kubernetes.io/name=argo-gc")).ends_with(0);
        ran.out.lines().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let own = "clusterroles,clusterrolebindings";
    assert_eq!(there(own), ["argo:argo-gc", "gc:argo-gc", "argo:argo-gc", "gc:argo-gc"]);
    for line in commands("docs/in-cluster.md", "## Remove it") {
        kubectl(line.strip_prefix("kubectl ").unwrap()).ends_with(0);
    }
    wait("the account is nobody", &|| !may("list", "argo"));
    assert!(may("patch", "gc"), "another namespace's can't purge any more");
    assert_eq!(there(own), ["gc:argo-gc", "gc:argo-gc"]);
    let within = "cronjobs,cronworkflows,configmaps,serviceaccounts,roles,rolebindings";
    assert_eq!(there(within), ["argo-gc", "argo-gc", "argo-gc"], "that of gc alone");
    kubectl("get clusterrole argo-gc-inspect argo-gc-purge").ends_with(0);
    kubectl("get clusterrolebinding argo-gc-inspect").ends_with(0);
    assert_eq!(kubectl("auth can-i list workflows.argoproj.io -A --as x --as-group sre").out.trim(), "yes");
}

/// Report and purge as pods run them: the arguments, the account with the bound role, the in-cluster configuration, the
/// mounted policy, a read-only root.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_pod_of_it_reports_and_purges_with_the_rights_it_brings_on_apiserver_and_fake_gcs_and_unshare() {
    let (server, gcs) = (ApiServer::start(), Gcs::start());
    gcs.bucket(BUCKET);
    server.apply(CONTROLLER);
    let key = |at: i64| format!("argo/nightly-{at}/1/out.tgz");
    for at in 1..6 {
        let mut run = workflow("ml", &format!("nightly-{at}"), &[&key(at)]);
        run["metadata"]["generateName"] = "nightly-".into();
        server.apply(run);
        gcs.put(BUCKET, &key(at), "out");
        gcs.created(BUCKET, &key(at), &ago(within_the_run()));
    }
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.yaml");
    // One of the five is pinned: all of them ended together, and `keepLast` would keep every one.
    fs::write(&policy, "apiVersion: argo-gc/v1\nkind: RetentionPolicy\npins: [{names: [nightly-3]}]\n")
        .unwrap();
    let policy = policy.display().to_string();
    for (kind, mode) in [("cronjob", "report"), ("cronworkflow", "report"), ("cronjob", "purge")] {
        let name = format!("{kind}-{mode}");
        let text = manifest(&[kind, "--mode", mode, "--policy", &policy, "--name", &name]);
        Ran::with_input(server.kubectl(["apply", "-f", "-"]), text.as_str()).ends_with(0);
        let account = format!("system:serviceaccount:argo:{name}");
        // The authorizer hears of roles through a watch.
        let may = |verb: &str| {
            let line = ["auth", "can-i", verb, "workflows.argoproj.io", "-A", "--as", account.as_str()];
            Ran::of(server.kubectl(line)).out.trim() == "yes"
        };
        let start = std::time::Instant::now();
        while !may("list") {
            assert!(start.elapsed() < Duration::from_secs(120), "{account} may not list workflows");
        }
        assert_eq!((may("patch"), may("delete")), (mode == "purge", false));
        let pod = Pod::of(&server, &objects(&text));
        let ran = pod.run(&gcs).ends_with(0);
        assert!(ran.out.contains("To delete: 4 objects"), "{ran:#?}");
        assert!(ran.out.contains("pinned by the policy: names nightly-3"), "{ran:#?}");
        assert!(!ran.err.contains("forbidden") && !ran.err.contains("cannot"), "{ran:#?}");
        assert_eq!(gcs.deletes().len(), if mode == "purge" { 4 } else { 0 });
        assert_eq!(pod.journals(), usize::from(mode == "purge"));
        assert_eq!(pod.message(), if mode == "purge" { "4 of 4 objects are gone" } else { "" });
    }
    assert_eq!(gcs.keys(BUCKET), [key(3)]);
    assert!(gcs.unpinned().is_empty());
    let marked = server.get("/apis/argoproj.io/v1alpha1/namespaces/ml/workflows/nightly-1").unwrap();
    assert_eq!(marked["status"]["nodes"]["nightly-1-1"]["outputs"]["artifacts"][0]["deleted"], true);
    // What is left is nobody's to take, and a second run says so.
    let events = server.get("/api/v1/namespaces/ml/events").unwrap();
    assert_eq!(events["items"].as_array().unwrap().len(), 4);
}

/// What `inspect` shows is not held up by a grace or a policy, and has no use for what only a purge needs.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_pod_that_inspects_shows_young_leaks_of_its_namespaces_on_apiserver_and_fake_gcs_and_unshare() {
    let (server, gcs) = (ApiServer::start(), Gcs::start());
    gcs.bucket(BUCKET);
    server.apply(CONTROLLER);
    for (namespace, name) in [("ml", "young"), ("etl", "other"), ("web", "nobodys")] {
        server.apply(workflow(namespace, name, &[&format!("{name}/out.tgz")]));
        gcs.put(BUCKET, &format!("{name}/out.tgz"), "out");
    }
    let line = ["cronjob", "--mode", "inspect", "--namespaces", "ml,etl"];
    let more = ["--image", IMAGE, "--", "--check"];
    let text = manifest_of(&["manifest"], &line.iter().chain(&more).copied().collect::<Vec<_>>());
    Ran::with_input(server.kubectl(["apply", "-f", "-"]), text.as_str()).ends_with(0);
    let made = objects(&text);
    assert!(!made.iter().any(|object| object["kind"] == "ConfigMap"), "{text}");
    let (_, container) = pod(&made);
    assert_eq!(container["args"], json!(["inspect", "--namespace=ml,etl", "--check"]));
    assert!(container["env"].is_null(), "{container}");
    let pod = Pod::of(&server, &made);
    let start = std::time::Instant::now();
    let ran = loop {
        // The authorizer hears of roles through a watch.
        let ran = pod.run(&gcs);
        if ran.code == Some(0) {
            break ran;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{ran:#?}");
    };
    assert!(
        ran.out.contains("young") && ran.out.contains("other") && !ran.out.contains("nobodys"),
        "{ran:#?}"
    );
    assert!(ran.out.contains("3B"), "{ran:#?}");
    for flag in [&["--failed"][..], &["--journal-claim", "j"], &["--repository", "gs://b"]] {
        let line = ["manifest", "cronjob", "--image", IMAGE, "--mode", "inspect"];
        let ran = Ran::of(plugin(line.iter().chain(flag))).ends_with(2);
        assert!(ran.err.contains("can't be used with --mode inspect"), "{ran:#?}");
    }
    let made = objects(&manifest(&["cronjob", "--namespaces", "ml,etl"]));
    let args = self::pod(&made).1["args"].clone();
    assert_eq!(
        args.as_array().unwrap()[..4],
        [json!("purge"), json!("--namespace=ml,etl"), json!("--all"), json!("--dry-run")]
    );
}

/// Where a pod is told to end, it ends as by Ctrl-C.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_pod_that_is_to_end_finishes_what_is_in_flight_on_apiserver_and_fake_gcs() {
    let names: Vec<String> = (0..60).map(|at| format!("train/{at}.tgz")).collect();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let live = Live::with("manifest-terminated", "train", &keys);
    live.gcs.latency(Duration::from_millis(40));
    let journal = live.file("journal.jsonl");
    let repository = format!("gs://{}", live.namespace);
    let group = "/metrics/job/argo-gc/mode/purge";
    let gateway = Stub::start([(group.to_owned(), vec![Reply::text(200, "text/plain", "")])]);
    let push = format!("http://{}", gateway.address);
    let line = [
        "purge",
        "train",
        "--push",
        &push,
        "-n",
        live.namespace,
        "--repository",
        &repository,
        "--yes",
        "--concurrency",
        "4",
        "--journal",
        &journal,
    ];
    let mut command = live.server.plugin(ADMIN, line);
    command.env("STORAGE_EMULATOR_HOST", live.gcs.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while live.gcs.deletes().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let ran = Ran::from_output(&child.wait_with_output().unwrap()).ends_with(130);
    assert!(ran.err.contains("--resume"), "{}", ran.err);
    let gone = live.gcs.deletes().len();
    assert!(gone < 60, "it went on to the end");
    // Prometheus hears of it, too.
    let pushed = gateway.requests_to(group);
    assert_eq!(pushed.len(), 1);
    assert!(pushed[0].body.contains("\nargo_gc_purge_exit_code 130\n"), "{}", pushed[0].body);
    assert!(
        pushed[0].body.contains(&format!("\nargo_gc_purge_objects_left {}\n", 60 - gone)),
        "{}",
        pushed[0].body
    );
    let text = fs::read_to_string(&journal).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains(r#""line":"result""#)).count(), gone);
}

/// The recipe can't be built without a container builder, so this holds what matters in it.
#[test]
fn the_recipe_of_the_image_is_what_the_manifest_runs() {
    let text = document("Dockerfile");
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let stages: Vec<&&str> = lines.iter().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(stages.len(), 2, "{stages:?}");
    assert!(stages[0].ends_with(" AS build"), "{stages:?}");
    assert_eq!(*stages[1], "FROM scratch");
    let last = &lines[lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap()..];
    let has = |wanted: &str| assert!(last.contains(&wanted), "{wanted}: {last:?}");
    let (pod, container) = pod(&objects(&manifest(&["cronworkflow"])));
    let user = &pod["securityContext"];
    has(&format!("USER {}:{}", user["runAsUser"], user["runAsGroup"]));
    has(&format!(r#"ENTRYPOINT ["{}"]"#, container["command"][0].as_str().unwrap()));
    assert!(!last.iter().any(|line| line.starts_with("RUN ")), "nothing can run in an empty image");
    let copied =
        |what: &str| last.iter().any(|line| line.starts_with("COPY --from=build ") && line.contains(what));
    assert!(copied("ca-certificates.crt") && copied("kubectl-argo_gc") && copied("/tmp"), "{last:?}");
    assert!(lines.iter().any(|line| line.contains("cargo build --release --locked")));
    // Of the compiler at least the version that the package asks for.
    let package = document("Cargo.toml");
    let version = package.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    let compiler = stages[0].split("rust:").nth(1).unwrap().split('-').next().unwrap();
    assert!(minor(compiler) >= minor(version), "{compiler} and {version}");

    // Nothing is sent to the builder but what the build needs, and all of that: files in the code included.
    let ignored = document(".dockerignore");
    let mut ignored = ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(ignored.next(), Some("*"));
    let sent: Vec<&str> = ignored.map(|line| line.strip_prefix('!').unwrap()).collect();
    let members = package.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.contains(&"crates/core"), "{members:?}");
    for needed in ["Cargo.toml", "Cargo.lock", "src", "benches"].iter().chain(&members) {
        assert!(sent.iter().any(|sent| Path::new(needed).starts_with(sent)), "{needed} is not sent");
    }
    let copied: Vec<&str> =
        lines.iter().filter(|line| line.starts_with("COPY ") && !line.contains("--from")).copied().collect();
    assert_eq!(copied, ["COPY . ."]);
    for path in ["src", "crates"].iter().flat_map(|folder| included(&root().join(folder))) {
        let path = path.strip_prefix(fs::canonicalize(root()).unwrap()).unwrap().to_owned();
        assert!(sent.iter().any(|sent| path.starts_with(sent)), "{} is not sent", path.display());
    }
}
