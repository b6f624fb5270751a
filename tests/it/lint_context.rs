//! `lint` and what manifests do not say: the controller's settings, repositories, accounts, and how often a key is written.

use crate::lint::{HEAD, of, rows};
use crate::support::kube::ApiServer;
use crate::support::{Ran, in_process};
use serde_json::{Value, json};

/// A workflow with a strategy, and one artifact that this places.
fn with_artifact(spec: &str, artifact: &str) -> String {
    format!(
        "{HEAD}spec:\n  {spec}\n  entrypoint: main\n  artifactGC: {{strategy: OnWorkflowDeletion, serviceAccountName: gc}}\n  \
         templates:\n  - name: main\n    container: {{image: x}}\n    outputs: {{artifacts: [{{name: o, path: /o{artifact}}}]}}\n"
    )
}

#[test]
fn the_repository_of_the_workflow_counts() {
    let config = |name: &str, head: &str, data: &str| {
        format!("---\nkind: ConfigMap\nmetadata:\n  name: {name}\n  {head}\ndata: {{{data}}}\n")
    };
    let default = "annotations: {workflows.argoproj.io/default-artifact-repository: a}";
    let hdfs = "'hdfs: {addresses: [nn:8020]}'";
    let unsupported = ["11:27 failing unsupported-driver o"];
    let none: [&str; 0] = [];
    let own = |head: &str, data: &str| config("artifact-repositories", head, data);
    let plain = with_artifact("priority: 1", "");
    // Its namespace's default, but that of no other namespace.
    assert_eq!(
        of(&(plain.clone() + &own(&format!("namespace: ml\n  {default}"), &format!("a: {hdfs}"))), &[]),
        unsupported
    );
    assert_eq!(
        of(&(plain.clone() + &own(&format!("namespace: ops\n  {default}"), &format!("a: {hdfs}"))), &[]),
        none
    );
    // What it refers to, in its namespace or the controller's.
    let refers = with_artifact("artifactRepositoryRef: {configMap: places, key: b}", "");
    let controller = config("workflow-controller-configmap", "namespace: argo", "instanceID: ''");
    let places = |namespace: &str| {
        config("places", &format!("namespace: {namespace}"), &format!("b: {hdfs}, a: 's3: {{bucket: x}}'"))
    };
    assert_eq!(of(&(refers.clone() + &places("ml")), &[]), unsupported);
    assert_eq!(of(&(refers.clone() + &places("argo") + &controller), &[]), unsupported);
    assert_eq!(of(&(refers.clone() + &places("other") + &controller), &[]), none);
    // The controller's own repository is not that of a reference which was not given.
    let with_hdfs =
        config("workflow-controller-configmap", "namespace: argo", &format!("artifactRepository: {hdfs}"));
    assert_eq!(of(&(plain + &with_hdfs), &[]), unsupported);
    assert_eq!(of(&(refers + &with_hdfs), &[]), none);
}

#[test]
fn a_controllers_switch_and_instance_id_are_known_beforehand() {
    let controller = |env: &str, namespace: &str| {
        format!(
            "---\nkind: Deployment\nmetadata: {{name: workflow-controller, namespace: {namespace}}}\nspec: {{template: {{spec: {{containers: \
             [{{name: c, image: 'a/workflow-controller:v3.7.1', env: [{env}]}}]}}}}}}\n"
        )
    };
    let off = controller("{name: ARGO_ARTIFACT_GC_ENABLED, value: 'false'}", "argo");
    let plain = with_artifact("priority: 1", "");
    assert_eq!(of(&(plain.clone() + &off), &[]), ["7:15 uncovered feature-off -"]);
    assert_eq!(of(&(plain.clone() + &controller("", "argo")), &[]), Vec::<String>::new());
    let never = plain.replace("strategy: OnWorkflowDeletion", "strategy: Never");
    assert_eq!(of(&(never + &off), &[]), Vec::<String>::new());
    let id = "---\nkind: ConfigMap\nmetadata: {name: workflow-controller-configmap, namespace: argo}\ndata: {config: 'instanceID: prod'}\n";
    assert_eq!(of(&(plain.clone() + id), &[]), ["7:15 failing instanceid -"]);
    // The label that Argo forgets.
    let labelled = plain.replace(
        "serviceAccountName: gc",
        "serviceAccountName: gc, podMetadata: {labels: {workflows.argoproj.io/controller-instanceid: prod}}",
    );
    assert_eq!(of(&(labelled.clone() + id), &[]), Vec::<String>::new());
    assert_eq!(of(&(labelled.replace(": prod", ": test") + id), &[]), ["7:15 failing instanceid -"]);
    // Where several controllers are given, the workflow's label says whose it is.
    let other =
        id.replace("instanceID: prod", "instanceID: test").replace("namespace: argo", "namespace: test");
    let to = |id: &str| {
        plain.replace(
            "namespace: ml}",
            &format!("namespace: ml, labels: {{workflows.argoproj.io/controller-instanceid: {id}}}}}"),
        )
    };
    let text = to("test").replace(
        "serviceAccountName: gc",
        "serviceAccountName: gc, podMetadata: {labels: {workflows.argoproj.io/controller-instanceid: test}}",
    );
    assert_eq!(of(&(text.clone() + id + &other), &[]), Vec::<String>::new());
    assert_eq!(of(&(text + id), &[]), Vec::<String>::new());
}

#[test]
fn defaults_fill_only_what_is_not_set() {
    let config = "---\nkind: ConfigMap\nmetadata: {name: workflow-controller-configmap, namespace: argo}\ndata:\n  workflowDefaults: |\n    spec:\n      \
                  archiveLogs: true\n      artifactGC: {strategy: OnWorkflowDeletion}\n";
    let spec = |head: &str| {
        format!(
            "{HEAD}spec:\n  entrypoint: main\n  {head}\n  templates: [{{name: main, container: {{image: x}}}}]\n{config}"
        )
    };
    assert_eq!(of(&spec("priority: 1"), &[]), ["5:3 uncovered logs-only -"]);
    assert_eq!(of(&spec("archiveLogs: false"), &[]), Vec::<String>::new());
    assert_eq!(of(&spec("artifactGC: {strategy: Never}"), &[]), Vec::<String>::new());
    let broken = format!("{HEAD}spec: {{templates: [{{name: a}}]}}\n{config}")
        .replace("archiveLogs: true", "archiveLogs: [1]");
    let (code, _, err) =
        in_process(["x", "lint", "-f", "-"], &broken, "2026-11-20T12:00:00Z".parse().unwrap());
    assert!(code == 4 && err.contains("workflowDefaults.spec.archiveLogs"), "{code}: {err}");
}

/// How often a run writes a key decides, where deleting what is gone fails.
#[test]
fn keys_that_one_run_writes_twice_are_told_by_storage_and_certainty() {
    let text = |steps: &str, template: &str, location: &str| {
        format!(
            "{HEAD}spec:\n  entrypoint: main\n  artifactGC: {{strategy: OnWorkflowDeletion, serviceAccountName: gc}}\n  templates:\n  - \
             {{name: main, steps: [{steps}]}}\n  - name: t\n    {template}\n    container: {{image: x}}\n    outputs: {{artifacts: [{{name: o, path: \
             /o, {location}}}]}}\n"
        )
    };
    let rows = |text: &str, arguments: &[&str]| {
        let rows = of(text, arguments).into_iter();
        rows.map(|row| row.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let gcs = "gcs: {bucket: b, key: '{{workflow.uid}}/o'}";
    let one = "[{name: a, template: t}]";
    let two = "[{name: a, template: t}, {name: b, template: t}]";
    let none = Vec::<String>::new();
    let plain = "priority: 1";
    assert_eq!(rows(&text(one, plain, gcs), &[]), none);
    assert_eq!(rows(&text(two, plain, gcs), &[]), ["failing gcs-missing o"]);
    assert_eq!(
        rows(&text("[{name: a, template: t, withItems: [1, 2]}]", plain, gcs), &[]),
        ["failing gcs-missing o"]
    );
    // Perhaps only one of them runs.
    let either = "[{name: a, template: t, when: x}, {name: b, template: t, when: y}]";
    assert_eq!(rows(&text(either, plain, gcs), &[]), ["note gcs-missing o"]);
    assert_eq!(
        rows(&text("[{name: a, template: t, withParam: x}]", plain, gcs), &[]),
        ["note gcs-missing o"]
    );
    // The key tells them apart, or may.
    for key in ["{{pod.name}}/o", "{{inputs.parameters.p}}", "{{=pod.name}}"] {
        assert_eq!(rows(&text(two, plain, &format!("gcs: {{bucket: b, key: '{key}'}}")), &[]), none);
    }
    let s3 = "s3: {endpoint: e, bucket: b, key: '{{workflow.uid}}/o'}";
    assert_eq!(rows(&text(two, plain, s3), &[]), ["note shared-key o"]);
    let azure = "azure: {endpoint: e, container: c, blob: '{{workflow.uid}}/o'}";
    assert_eq!(rows(&text(two, plain, azure), &["--argo-version", "v3.4.7"]), ["failing gcs-missing o"]);
    assert_eq!(rows(&text(two, plain, azure), &["--argo-version", "v3.4.8"]), ["note shared-key o"]);
    let retries = "retryStrategy: {limit: 2}";
    assert_eq!(rows(&text(one, retries, gcs), &[]), ["failing retry-attempts o"]);
    assert_eq!(rows(&text(one, retries, s3), &[]), ["note retry-attempts o"]);
    let of_attempt = "gcs: {bucket: b, key: '{{workflow.uid}}/{{retries}}/o'}";
    assert_eq!(rows(&text(one, retries, of_attempt), &[]), none);
    // Two templates with one key, and a template that is called by one which is called twice.
    let other = format!(
        "  - {{name: u, container: {{image: x}}, outputs: {{artifacts: [{{name: p, path: /p, {gcs}}}]}}}}\n"
    );
    let both = text("[{name: a, template: t}, {name: b, template: u}]", plain, gcs) + &other;
    assert_eq!(rows(&both, &[]), ["failing gcs-missing o", "failing gcs-missing p"]);
    let over = "  - {name: over, steps: [[{name: x, template: t}]]}\n";
    let nested = text("[{name: a, template: over}, {name: b, template: over}]", plain, gcs) + over;
    assert_eq!(rows(&nested, &[]), ["failing gcs-missing o"]);
    // A key format without variables of the pod lets all pods write one key.
    let config = "---\nkind: ConfigMap\nmetadata: {name: workflow-controller-configmap}\ndata: {artifactRepository: 'gcs: {bucket: b, keyFormat: FORMAT}'}\n";
    let keyless = text(two, plain, "mode: 420");
    assert_eq!(
        rows(&(keyless.clone() + &config.replace("FORMAT", "logs")), &[]),
        ["failing gcs-missing o", "note shared-key o"]
    );
    let own = config
        .replace("'gcs: {bucket: b, keyFormat: FORMAT}'", "\"gcs: {bucket: b, keyFormat: '{{pod.name}}'}\"");
    assert_eq!(rows(&(keyless + &own), &[]), none);
}

#[test]
fn a_manifest_within_is_linted_at_its_own_lines() {
    let text = format!(
        "{HEAD}spec:
  entrypoint: main
  templates:
  - name: main
    resource:
      action: create
      manifest: |
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {{generateName: {{{{workflow.name}}}}-}}

        spec:
          entrypoint: c
          templates:
          - name: c
            container: {{image: x}}
            outputs:
              artifacts:
              - {{name: x, path: /x}}
"
    );
    assert_eq!(of(&text, &[]), ["22:17 uncovered no-strategy x"]);
    let unreadable = text.replace("            outputs:", "            : {{x}} - outputs: [");
    let (code, out, err) = in_process(
        ["x", "lint", "-f", "-", "-o", "json"],
        &unreadable,
        "2026-11-20T12:00:00Z".parse().unwrap(),
    );
    assert!(code == 0 && err.contains("Note: standard input:11:9"), "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["gaps"].as_array().unwrap().len(), 1);
    assert_eq!(of(&text.replace("action: create", "action: delete"), &[]), Vec::<String>::new());
}

/// The service account `gc` of a namespace, with the rights of GC pods.
fn gc_account(namespace: &str) -> String {
    let role = "rbac.authorization.k8s.io";
    format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{ name: gc, namespace: {namespace} }}
---
apiVersion: {role}/v1
kind: Role
metadata: {{ name: gc, namespace: {namespace} }}
rules:
- {{ apiGroups: [argoproj.io], resources: [workflowartifactgctasks], verbs: [list, watch] }}
- {{ apiGroups: [argoproj.io], resources: [workflowartifactgctasks/status], verbs: [patch] }}
---
apiVersion: {role}/v1
kind: RoleBinding
metadata: {{ name: gc, namespace: {namespace} }}
roleRef: {{ apiGroup: {role}, kind: Role, name: gc }}
subjects: [{{ kind: ServiceAccount, name: gc, namespace: {namespace} }}]
"
    )
}

/// Makes the account, and waits until the server knows: its authorizer hears of roles through a watch.
pub fn let_collect(server: &ApiServer, namespace: &str) {
    server.apply(gc_account(namespace).as_str());
    let user = format!("--as=system:serviceaccount:{namespace}:gc");
    for _ in 0..100 {
        let asks = [
            "auth",
            "can-i",
            "patch",
            "workflowartifactgctasks.argoproj.io",
            "--subresource=status",
            "-n",
            namespace,
            &user,
        ];
        if Ran::of(server.kubectl(asks)).code == Some(0) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the account gc of {namespace} gets no rights");
}

/// What a GC pod's account may do is known before any pod fails for it.
#[test]
#[ignore = "tests/run brings what it needs"]
fn accounts_and_their_rights_are_linted_on_apiserver() {
    let server = ApiServer::shared();
    let template = with_artifact("priority: 1", "")
        .replace("kind: Workflow", "kind: WorkflowTemplate")
        .replace("namespace: ml", "namespace: lint-accounts");
    server.apply(template.as_str());
    let linted = |more: &[&str]| {
        let arguments = ["argo-gc", "lint", "-n", "lint-accounts", "-o", "json", "--argo-version", "v3.7.0"];
        let ran = Ran::of(server.kubectl(arguments.iter().chain(more).copied())).ends_with(0);
        (rows(&ran.json()), ran.json()["findings"][0]["why"].as_str().unwrap_or_default().to_owned())
    };
    let failing = vec!["-:null:null failing gc-rbac -".to_owned()];
    let (found, why) = linted(&[]);
    assert!(found == failing && why.contains("does not exist"), "{found:?} {why}");
    let metadata = json!({ "name": "gc", "namespace": "lint-accounts" });
    server.apply(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }));
    let (found, why) = linted(&[]);
    assert!(found == failing && why.contains("may not list workflowartifactgctasks"), "{found:?} {why}");
    // The same for a file beside the cluster.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.yaml");
    std::fs::write(
        &file,
        with_artifact("priority: 1", "").replace("namespace: ml", "namespace: lint-accounts"),
    )
    .unwrap();
    let connected = ["-f", file.to_str().unwrap(), "--connected"];
    assert_eq!(linted(&connected).0, ["w:7:15 failing gc-rbac -"]);
    let_collect(server, "lint-accounts");
    assert_eq!(linted(&[]).0, Vec::<String>::new());
    assert_eq!(linted(&connected).0, Vec::<String>::new());
}

/// Only what a change adds fails a check; `diff` says what it adds and mends.
#[test]
fn a_baseline_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| Ran::of(crate::support::plugin(arguments));
    let manifest = |artifacts: &str| {
        format!(
            "{HEAD}spec:\n  entrypoint: m\n  templates:\n  - name: m\n    container: {{image: x}}\n    outputs: {{artifacts: [{artifacts}]}}\n"
        )
    };
    let file = path("w.yaml");
    let keep = |name: &str, text: &str| {
        std::fs::write(&file, text).unwrap();
        std::fs::write(path(name), run(&["lint", "-f", &file, "-o", "json"]).ends_with(0).out.clone())
            .unwrap();
    };
    keep("old.json", &manifest("{name: a, path: /a}"));
    let checked = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&["lint", "-f", &file, "--baseline", &path("old.json"), "--fail-on", "uncovered", "-o", "json"])
    };
    // Lines may move.
    let moved = manifest("{name: a, path: /a}").replace("  entrypoint", "  # a comment\n  entrypoint");
    let ran = checked(&moved).ends_with(0);
    assert!(
        ran.err.contains("Left out 1 finding that") && ran.err.contains("No new findings"),
        "{}",
        ran.err
    );
    let ran = checked(&manifest("{name: a, path: /a}, {name: b, path: /b}")).ends_with(3);
    let found = ran.json()["findings"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["artifact"]), (1, &json!("b")));
    keep("new.json", &manifest("{name: b, path: /b}"));
    let diff = run(&["diff", &path("old.json"), &path("new.json"), "-o", "json", "--fail-on", "new"])
        .ends_with(3)
        .json();
    assert_eq!(diff["summary"], json!({ "new": 1, "changed": 0, "gone": 1, "same": 0 }));
    assert_eq!(diff["changes"][0]["finding"]["artifact"], "b");
    let schema =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/lint-diff.v1.json"))
            .unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&diff).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let table = run(&["diff", &path("old.json"), &path("new.json")]).ends_with(0).out.clone();
    assert!(table.starts_with("1 new, 0 changed, 1 gone; 0 findings as before\n"), "{table}");
    // The later one may be piped.
    let text = std::fs::read_to_string(path("new.json")).unwrap();
    let piped = Ran::with_input(crate::support::plugin(["diff", &path("old.json"), "-", "-o", "json"]), text);
    assert_eq!(piped.ends_with(0).json()["summary"], diff["summary"]);
    // Another document is no baseline.
    std::fs::write(path("other.json"), "{\"kind\": \"Inspection\"}").unwrap();
    let ran = run(&["lint", "-f", &file, "--baseline", &path("other.json")]);
    assert!(
        ran.code == Some(1)
            && ran.err.contains("is not a complete lint report")
            && ran.err.contains("hint: "),
        "{ran:#?}"
    );
    let ran = run(&["diff", &path("old.json"), &path("other.json")]);
    assert!(ran.code == Some(1) && ran.err.contains("is not a complete lint report"), "{ran:#?}");
}
