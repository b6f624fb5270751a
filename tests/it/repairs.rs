//! The repairs that `doctor` prints, each carried out as printed on a real API server, and what is left to say afterwards.

use crate::doctor::{
    THERE_IS_ONE, assert_causes, collects, commands, controller, doctor, doctor_later, doctor_with, fixture,
    repairs, role, service_account, ward, words,
};
use crate::support::kube::{ADMIN, ApiServer};
use crate::support::{Ran, in_terminal};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;

/// Without any controller's Deployment, which would count for every namespace.
fn server() -> &'static ApiServer {
    static SERVER: LazyLock<ApiServer> = LazyLock::new(ApiServer::start);
    &SERVER
}

/// Puts an object there for each artifact of a namespace, as its run would have.
fn store(server: &ApiServer, namespace: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join(namespace)).unwrap();
    let command = ["argo-gc", "inspect", "-n", namespace, "-o", "json"];
    let found = Ran::of(server.kubectl(command)).ends_with(0).json();
    for workflow in found["workflows"].as_array().unwrap() {
        let end: jiff::Timestamp = workflow["finishedAt"].as_str().unwrap().parse().unwrap();
        for artifact in workflow["artifacts"].as_array().unwrap() {
            // What Argo has deleted is gone.
            let Some(uri) =
                artifact["location"]["uri"].as_str().filter(|_| artifact["verdict"] != "collected")
            else {
                continue;
            };
            let path = root.path().join(uri.split_once("://").unwrap().1);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "model").unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(end.into()).unwrap();
        }
    }
    root
}

/// Carries out all that a diagnosis prints, and returns how many commands and objects that were.
fn carry_out(server: &ApiServer, diagnosis: &Value, root: &Path, namespace: &str) -> usize {
    let mut done = 0;
    let workflow = diagnosis["causes"][0]["names"][0]["name"].as_str().unwrap();
    for repair in repairs(diagnosis) {
        // What is applied or patched comes before the purge that it is for.
        if let Some(yaml) = repair["yaml"].as_str() {
            let ran = match repair["apply"] == true {
                true => Ran::with_input(server.kubectl(["apply", "-f", "-"]), yaml),
                false => Ran::of(server.kubectl([
                    "patch",
                    "wf",
                    "-n",
                    namespace,
                    workflow,
                    "--type=merge",
                    "-p",
                    yaml,
                ])),
            };
            ran.ends_with(0);
            done += 1;
        }
        for command in repair["commands"].as_array().into_iter().flatten() {
            one(server, command.as_str().unwrap(), root);
            done += 1;
        }
    }
    done
}

fn one(server: &ApiServer, command: &str, root: &Path) {
    let mut words: Vec<String> = words(command).into_iter().skip(1).collect();
    if words[0] == "argo-gc" {
        // The storage is the test's own, and the run has just ended. Everything else that it needs is in the command.
        let more = format!("--yes --grace 0s --store-root {}", root.display());
        words.extend(more.split(' ').map(str::to_owned));
    }
    let mut run = server.kubectl(&words);
    run.env("XDG_STATE_HOME", root.join("state"));
    let ran = Ran::of(run);
    // No kubelet runs, and no pod of the controller.
    let needs_kubelet = ["logs", "exec"].contains(&words[0].as_str());
    // The answer "no" is status 1 too.
    let asks = words[0] == "auth" && ran.out.trim() == "no";
    assert!(ran.code == Some(0) || needs_kubelet || asks, "{command}: {ran:#?}");
    let said = format!("{}{}", ran.out, ran.err);
    for wrong in
        ["unknown flag", "unknown command", "Usage:", "unexpected argument", "doesn't have a resource"]
    {
        assert!(!said.contains(wrong), "{command}: {said}");
    }
}

/// Purges: what is left is deleted, and the finalizer released.
#[test]
#[ignore = "tests/run brings what it needs"]
fn what_hangs_is_purged_by_the_command_shown_on_apiserver() {
    let server = server();
    let mut wrong = Vec::new();
    for code in [
        "gc-oom",
        "gc-pod-held",
        "instanceid",
        "gc-pod-lost",
        "processed-with-error",
        "inline-poison",
        "delete-error",
        "gcs-directory",
        "gc-pod-failed",
        "retry-after-gc",
        "foreground",
        "param-archive-location",
    ] {
        let namespace = format!("repair-{code}");
        ward(server, code, &namespace);
        let diagnosis = doctor(server, ADMIN, &namespace);
        assert!(!commands(&diagnosis).is_empty(), "{code}: {diagnosis:#}");
        let root = store(server, &namespace);
        assert!(carry_out(server, &diagnosis, root.path(), &namespace) > 0);
        let left = doctor(server, ADMIN, &namespace);
        if left["summary"]["stuckFinalizers"] != 0 {
            wrong.push(format!("{code}: {:?}: {left:#}", commands(&diagnosis)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Accounts and roles: applied, they settle the cause.
#[test]
#[ignore = "tests/run brings what it needs"]
fn accounts_and_rights_are_granted_by_the_yaml_shown_on_apiserver() {
    let server = server();
    let nowhere = tempfile::tempdir().unwrap();
    for (code, cause) in [
        ("service-account-missing", "service-account-missing (repair-a-service-account-missing/artifact-gc)"),
        ("gc-rbac", "service-account-rights (repair-a-gc-rbac/artifact-gc)"),
    ] {
        let namespace = format!("repair-a-{code}");
        server.apply(&fixture(code, &namespace));
        if code == "gc-rbac" {
            server.apply(service_account(&namespace, "artifact-gc"));
        }
        let diagnosis = doctor_with(server, ADMIN, &namespace, &THERE_IS_ONE);
        let has = |cause: &str| {
            diagnosis["causes"].as_array().unwrap().iter().any(|group| {
                let found = format!(
                    "{} ({})",
                    group["cause"].as_str().unwrap(),
                    group["subject"].as_str().unwrap_or_default()
                );
                found == cause
            })
        };
        assert!(has(cause), "{diagnosis:#}");
        let yaml = Ran::of(server.kubectl([
            "argo-gc",
            "doctor",
            "-n",
            &namespace,
            "--yaml",
            "--argo-version",
            "v3.7.0",
        ]))
        .ends_with(0)
        .out;
        Ran::with_input(server.kubectl(["apply", "-f", "-"]), yaml).ends_with(0);
        let left = doctor_with(server, ADMIN, &namespace, &THERE_IS_ONE);
        let account = &left["serviceAccounts"][0];
        assert_eq!((&account["exists"], &account["patchStatus"]), (&json!("yes"), &json!("yes")), "{left:#}");
    }
    // A task that nobody will carry out.
    let text = fixture("gc-pod-lost", "repair-task");
    let task =
        text.split("\n---\n").find(|document| document.contains("kind: WorkflowArtifactGCTask")).unwrap();
    server.apply(task);
    let diagnosis = doctor_later(server, "repair-task", &[]);
    assert_causes(&diagnosis, &["task-left-over"]);
    assert_eq!(commands(&diagnosis).len(), 1);
    one(server, &commands(&diagnosis)[0], nowhere.path());
    assert_causes(&doctor_later(server, "repair-task", &[]), &[]);
    // Rights that nobody could ask about: the commands shown ask.
    let alice = |namespace: &str| {
        let reads = json!([{ "apiGroups": ["argoproj.io"], "resources": ["*"], "verbs": ["list", "get"] }]);
        server.apply(role(
            namespace,
            "read",
            &reads,
            &json!({ "kind": "User", "name": crate::support::kube::ALICE }),
        ));
        doctor(server, crate::support::kube::ALICE, namespace)
    };
    ward(server, "gc-pod-failed", "repair-unchecked");
    let pods = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    server.apply(role(
        "repair-unchecked",
        "pods",
        &pods,
        &json!({ "kind": "User", "name": crate::support::kube::ALICE }),
    ));
    let asks: Vec<String> = commands(&alice("repair-unchecked"))
        .into_iter()
        .filter(|command| command.contains("auth can-i"))
        .collect();
    assert_eq!(asks.len(), 3);
    for ask in asks {
        let ran = Ran::of(server.kubectl(&words(&ask)[1..])).ends_with(0);
        assert_eq!(ran.out.trim(), "yes", "{ask}");
    }
}

/// An archive that only an Argo server shows, and nodes in a database: the command accepts just these, and the user is told.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_purge_says_what_it_accepts_as_unread_and_is_carried_out_on_apiserver() {
    let server = ApiServer::start();
    let namespace = "repair-unread";
    server.let_manage("ctl");
    let persistence = "persistence: |\n    archive: true\n";
    server.apply(&controller("ctl", persistence, "        env: []\n"));
    ward(&server, "inline-poison", namespace);
    server.apply(&fixture("nodes-offloaded", namespace));
    let diagnosis = doctor(&server, ADMIN, namespace);
    let purges: Vec<String> =
        commands(&diagnosis).into_iter().filter(|command| command.contains(" purge ")).collect();
    assert_eq!(purges.len(), 1, "{diagnosis:#}");
    assert!(purges[0].contains("--accept-unread=archive,nodes:repair-unread/etl-m9p5v"), "{purges:?}");
    let said = Ran::of(server.kubectl(["argo-gc", "doctor", "-n", namespace])).ends_with(0);
    assert!(said.err.contains("take the risk that something refers to what they delete"), "{}", said.err);
    assert!(said.err.contains("with --argo-server HOST:PORT it is read instead"), "{}", said.err);
    // So does the command that one workflow's tree shows, of what is seen by then.
    let name = diagnosis["causes"][0]["names"][0]["name"].as_str().unwrap();
    let tree = Ran::of(server.kubectl(["argo-gc", "inspect", "-n", namespace, name])).ends_with(0).out;
    let release = format!(
        "release  kubectl argo-gc purge {name} -n {namespace} --release-finalizer --repository=gs://"
    );
    assert!(tree.contains(&release) && tree.contains(" --accept-unread=archive"), "{tree}");
    // And the one below a table: whoever writes a workflow may have named any place, so its user is warned.
    let kubeconfig = server.kubeconfig().display().to_string();
    let table = ["x", "inspect", "-n", namespace, "--kubeconfig", &kubeconfig];
    let (_, table, _) = in_terminal(table, jiff::Timestamp::now(), 80);
    let next = table.split("\nNext:\n").nth(1).unwrap_or_default();
    assert!(
        next.contains(&format!(
            "purge -n {namespace} {name} --release-finalizer --dry-run --repository=gs://"
        )),
        "{table}"
    );
    assert!(next.contains("no repository of the controllers covers it:"), "{table}");
    let root = store(&server, namespace);
    assert!(carry_out(&server, &diagnosis, root.path(), namespace) > 0);
    let left = doctor(&server, ADMIN, namespace);
    assert_eq!(left["summary"]["stuckFinalizers"], 0, "{left:#}");
}

/// More workflows than a command names: one command takes them all.
#[test]
#[ignore = "tests/run brings what it needs"]
fn many_workflows_are_released_by_one_command_on_apiserver() {
    let server = server();
    let text = fixture("processed-with-error", "repair-many");
    let workflow = text.split("\n---\n").find(|document| document.contains("kind: Workflow\n")).unwrap();
    let name = workflow.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap();
    let many: Vec<String> = (0..23).map(|n| workflow.replace(name, &format!("many-{n}"))).collect();
    server.apply(many.join("\n---\n").as_str());
    server.apply(service_account("repair-many", "default"));
    server.apply(collects("repair-many"));
    let diagnosis = doctor(server, ADMIN, "repair-many");
    assert_causes(&diagnosis, &["processed-without-pod"]);
    let purges: Vec<String> =
        commands(&diagnosis).into_iter().filter(|command| command.contains("purge")).collect();
    assert_eq!(purges.len(), 1, "{purges:?}");
    let root = store(server, "repair-many");
    one(server, &purges[0], root.path());
    let left = doctor(server, ADMIN, "repair-many");
    assert_eq!(left["summary"]["stuckFinalizers"], 0, "{left:#}");
}

/// A bucket that nothing tells: the user deletes by hand, and the patch shown takes the finalizer off.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_finalizer_is_taken_off_by_the_patch_shown_on_apiserver() {
    let server = server();
    let namespace = "repair-untold";
    let text = fixture("param-archive-location", namespace);
    // Its keys are its own: what lies in an unknown bucket may be what another needs.
    let text = text.replace("8hd4x", "9hd4x");
    let untold = text.replace("{{inputs.parameters.", "{{inputs.parameters.other-");
    let untold = untold.replace(
        "  finalizers:\n  - workflows.argoproj.io/artifact-gc\n",
        "  finalizers:\n  - example.com/audit\n  - workflows.argoproj.io/artifact-gc\n",
    );
    server.apply(&untold);
    let diagnosis = doctor(server, ADMIN, namespace);
    assert_causes(&diagnosis, &["delete-fails (param-archive-location, bucket unknown)"]);
    let patches = commands(&diagnosis);
    assert_eq!(patches.len(), 1, "{patches:?}");
    let nowhere = tempfile::tempdir().unwrap();
    one(server, &patches[0], nowhere.path());
    let left = doctor(server, ADMIN, namespace);
    assert_eq!(left["summary"]["stuckFinalizers"], 0, "{left:#}");
    // It names the finalizer that it takes off: a second time it takes off nothing.
    Ran::of(server.kubectl(&words(&patches[0])[1..])).ends_with(1);
}

/// Controllers: a Deployment counts for the whole cluster, so this one has a server of its own.
#[test]
#[ignore = "tests/run brings what it needs"]
fn controllers_are_mended_by_the_commands_shown_on_apiserver() {
    let server = ApiServer::start();
    let nowhere = tempfile::tempdir().unwrap();
    let coming = |namespace: &str| {
        let text = fixture("no-controller", namespace);
        server.apply(&text);
        server.apply(service_account(namespace, "default"));
        server.apply(collects(namespace));
    };
    let verdict = |namespace: &str| {
        let command = ["argo-gc", "inspect", "-n", namespace, "-o", "json"];
        let found = Ran::of(server.kubectl(command)).ends_with(0).json();
        let artifact = &found["workflows"][0]["artifacts"][0];
        format!("{} {}", artifact["verdict"].as_str().unwrap(), artifact["reason"].as_str().unwrap_or("-"))
    };
    let diagnose = |namespace: &str| doctor(&server, ADMIN, namespace);
    // Argo is not there at all.
    coming("repair-ctl");
    assert_eq!(verdict("repair-ctl"), "failing no-controller");
    assert_causes(&diagnose("repair-ctl"), &["no-controller"]);

    server.let_manage("ctl");
    server.apply(&controller("ctl", "x: 'y'\n", "        env: []\n"));
    assert_eq!(verdict("repair-ctl"), "covered -");
    assert_causes(&diagnose("repair-ctl"), &[]);

    // Scaled to 0.
    Ran::of(server.kubectl(["scale", "-n", "ctl", "deployment/workflow-controller", "--replicas=0"]))
        .ends_with(0);
    assert_eq!(verdict("repair-ctl"), "failing no-controller");
    let diagnosis = diagnose("repair-ctl");
    assert_causes(&diagnosis, &["no-controller (ctl/workflow-controller)"]);
    assert_eq!(carry_out(&server, &diagnosis, nowhere.path(), "repair-ctl"), 1);
    assert_causes(&diagnose("repair-ctl"), &[]);

    // Switched off.
    let off = "        env: [{ name: ARGO_ARTIFACT_GC_ENABLED, value: 'false' }]\n";
    server.apply(&controller("ctl", "x: 'z'\n", off));
    assert_eq!(verdict("repair-ctl"), "uncovered feature-off");
    let diagnosis = diagnose("repair-ctl");
    assert_causes(&diagnosis, &["feature-off"]);
    one(&server, &commands(&diagnosis)[0], nowhere.path());
    assert_eq!(verdict("repair-ctl"), "covered -");

    // Of another instance.
    server.apply(&controller("ctl", "instanceID: blue\n", ""));
    assert_eq!(verdict("repair-ctl"), "uncovered unmanaged");
    let diagnosis = diagnose("repair-ctl");
    assert_causes(&diagnosis, &["unmanaged"]);
    one(&server, &commands(&diagnosis)[0], nowhere.path());
    assert_eq!(verdict("repair-ctl"), "covered -");

    // Its account may manage workflows, and make neither tasks nor pods.
    server.apply(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "argo-controller" },
        "rules": [{ "apiGroups": ["argoproj.io"], "resources": ["workflows", "workflows/finalizers"],
                    "verbs": ["get", "list", "watch", "update", "patch", "delete", "create"] }],
    }));
    let start = std::time::Instant::now();
    while verdict("repair-ctl") != "failing controller-rights" {
        assert!(start.elapsed().as_secs() < 60, "{}", verdict("repair-ctl"));
    }
    let diagnosis = diagnose("repair-ctl");
    assert_causes(&diagnosis, &["controller-rights (ctl/default)"]);
    let text = diagnosis["causes"][0]["evidence"].to_string();
    assert!(
        text.contains("may not create workflowartifactgctasks") && text.contains("create pods"),
        "{text}"
    );
    let said = Ran::of(server.kubectl(["argo-gc", "doctor", "-n", "repair-ctl"])).ends_with(0).out;
    assert!(
        !said.contains("healthy") && said.contains("lacks: update workflowartifactgctasks/finalizers"),
        "{said}"
    );
    // A GC pod that was refused is told by what its controller lacks, with the YAML that grants it.
    ward(&server, "gc-pod-lost", "repair-ctl-lost");
    let label = "workflows.argoproj.io/controller-instanceid=blue";
    Ran::of(server.kubectl(["label", "wf", "-n", "repair-ctl-lost", "--all", label])).ends_with(0);
    assert_causes(&diagnose("repair-ctl-lost"), &["controller-rights (ctl/default)"]);
    assert_eq!(carry_out(&server, &diagnosis, nowhere.path(), "repair-ctl"), 1);
    let start = std::time::Instant::now();
    while verdict("repair-ctl") != "covered -" {
        assert!(start.elapsed().as_secs() < 60, "{}", verdict("repair-ctl"));
    }
    // What is foretold of a controller with an instance ID, whose label the GC pod will lack.
    assert_causes(&diagnose("repair-ctl"), &["instance-id-label"]);
    assert_eq!(diagnose("repair-ctl")["controllers"][0]["ownsGcPods"], "yes");
    assert_causes(&diagnose("repair-ctl-lost"), &["pod-lost"]);
}
