//! The Helm chart: it is made from the templates of `manifest`, and makes the same objects.

use crate::support::chart::{folder, generated};
use crate::support::gcs::Gcs;
use crate::support::kube::{ApiServer, CONTROLLER};
use crate::support::pod::{Pod, of_kind, pod};
use crate::support::purge::{BUCKET, ago, within_the_run, workflow};
use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, plugin, program};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const IMAGE: &str = "registry.example.com/argo-gc:1";

fn helm(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("ARGO_GC_TEST_HELM"));
    // It keeps its own settings in a home.
    command.args(arguments).env("HOME", std::env::temp_dir().join("argo-gc-helm")).env_remove("KUBECONFIG");
    command
}

/// Runs helm on the chart with these values besides an image.
fn with_values(verb: &[&str], values: &Value) -> Ran {
    let file = TempDir::new().unwrap();
    let path = file.path().join("values.json");
    fs::write(&path, values.to_string()).unwrap();
    let (path, chart) = (path.display().to_string(), folder().display().to_string());
    let image = format!("image={IMAGE}");
    let line: Vec<&str> =
        verb.iter().copied().chain([chart.as_str(), "--values", &path, "--set", &image]).collect();
    Ran::of(helm(&line))
}

fn template(values: &Value) -> Ran {
    with_values(&["template", "argo-gc", "-n", "argo"], values)
}

/// Objects by kind and name.
fn objects(text: &str) -> BTreeMap<String, Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let named = all.into_iter().filter(|object| !object.is_null());
    named.map(|object| (format!("{} {}", object["kind"], object["metadata"]["name"]), object)).collect()
}

/// `UPDATE_DOCS=1` writes the files instead.
#[test]
fn the_chart_is_made_from_the_templates_of_manifest() {
    for (path, text) in generated() {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{} is out of step: UPDATE_DOCS=1 cargo test --test it chart", path.display());
    }
    let read = |name: &str| fs::read_to_string(folder().join(name)).unwrap();
    let chart: Value = serde_saphyr::from_str(&read("Chart.yaml")).unwrap();
    assert_eq!(
        (&chart["version"], &chart["appVersion"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!(env!("CARGO_PKG_VERSION")))
    );
    let schema =
        jsonschema::validator_for(&serde_json::from_str(&read("values.schema.json")).unwrap()).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let errors: Vec<String> = schema.iter_errors(&values).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn it_makes_what_manifest_makes_on_helm() {
    let policy = "apiVersion: argo-gc/v1\nkind: RetentionPolicy # <&>\nkeepLast: 9\n";
    let file = TempDir::new().unwrap();
    let path = file.path().join("policy.yaml");
    fs::write(&path, policy).unwrap();
    let path = path.display().to_string();
    let push =
        json!({ "url": "http://push:9091", "labels": { "cluster": "eu", "a": "<b>" }, "secret": "push" });
    let pushes = [
        "--push",
        "http://push:9091",
        "--push-label",
        "a=<b>",
        "--push-label",
        "cluster=eu",
        "--push-secret",
        "push",
    ];
    let server = ["--", "--argo-server", "argo:2746"];
    let all = |first: &[&'static str], then: &[&'static str]| [first, then].concat();
    for (values, flags) in [
        (json!({}), vec![]),
        (json!({ "mode": "inspect" }), vec!["--mode", "inspect"]),
        (json!({ "mode": "purge" }), vec!["--mode", "purge"]),
        (json!({ "openshift": true }), vec!["--openshift"]),
        (
            json!({ "schedule": "@daily", "name": "nightly" }),
            vec!["--schedule", "@daily", "--name", "nightly"],
        ),
        (json!({ "namespaces": ["ml", "etl"] }), vec!["--namespaces", "ml,etl"]),
        (json!({ "mode": "inspect", "namespaces": ["ml"] }), vec!["--mode", "inspect", "--namespaces", "ml"]),
        (json!({ "retentionPolicy": policy }), vec!["--policy", path.as_str()]),
        (json!({ "mode": "purge", "failed": true }), vec!["--mode", "purge", "--failed"]),
        (
            json!({ "repositories": ["gs://b/p", "s3://b@minio:9000"], "acceptUnread": ["archive"] }),
            vec![
                "--repository",
                "gs://b/p",
                "--repository",
                "s3://b@minio:9000",
                "--accept-unread",
                "archive",
            ],
        ),
        (json!({ "maxObjects": 5_000_000 }), vec!["--max-objects", "5000000"]),
        (
            json!({ "mode": "purge", "journal": { "claim": "journals" } }),
            vec!["--mode", "purge", "--journal-claim", "journals"],
        ),
        (json!({ "push": push }), pushes.to_vec()),
        (
            json!({ "mode": "inspect", "push": push, "webhook": { "secret": "chat", "format": "slack" } }),
            all(
                &all(&["--mode", "inspect"], &pushes),
                &["--webhook-secret", "chat", "--webhook-format", "slack"],
            ),
        ),
        (json!({ "webhook": { "secret": "chat" } }), vec!["--webhook-secret", "chat"]),
        (json!({ "mode": "inspect", "push": push }), all(&["--mode", "inspect"], &pushes)),
        (
            json!({ "argoTokenSecret": "argo", "flags": ["--argo-server", "argo:2746"] }),
            all(&["--argo-token-secret", "argo"], &server),
        ),
        (
            json!({ "mode": "inspect", "argoTokenSecret": "argo", "flags": ["--argo-server", "argo:2746"] }),
            all(&["--mode", "inspect", "--argo-token-secret", "argo"], &server),
        ),
    ] {
        let line = ["manifest", "cronjob", "--image", IMAGE].iter().chain(&flags);
        let printed = objects(&Ran::of(plugin(line)).ends_with(0).out);
        let made = objects(&template(&values).ends_with(0).out);
        assert_eq!(made, printed, "{values}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn it_passes_lint_and_refuses_what_makes_no_sense_on_helm() {
    with_values(&["lint", "--strict"], &json!({})).ends_with(0);
    let chart = folder().display().to_string();
    let ran = Ran::of(helm(&["template", "x", &chart]));
    assert!(ran.code == Some(1) && ran.err.contains("set image"), "{ran:#?}");
    let plans = [
        json!({ "failed": true }),
        json!({ "repositories": ["gs://b"] }),
        json!({ "acceptUnread": ["archive"] }),
        json!({ "journal": { "claim": "j" } }),
        json!({ "journal": { "create": true } }),
    ];
    for mut values in plans {
        values["mode"] = "inspect".into();
        let ran = template(&values);
        assert!(ran.code == Some(1) && ran.err.contains("can't be used with mode inspect"), "{ran:#?}");
    }
    for (values, words) in [
        (json!({ "argoTokenSecret": "argo" }), "argoTokenSecret requires --argo-server"),
        (json!({ "rbac": { "secretNamespaces": ["ml"] } }), "requires --use-workflow-secrets"),
        (json!({ "push": { "secret": "push" } }), "require push.url"),
        (json!({ "push": { "labels": { "a": "b" } } }), "require push.url"),
    ] {
        let ran = template(&values);
        assert!(ran.code == Some(1) && ran.err.contains(words), "{ran:#?}");
    }
    let long = "n".repeat(53);
    let ran = with_values(&["template", &long], &json!({}));
    assert!(ran.code == Some(1) && ran.err.contains("52 letters"), "{ran:#?}");
}

/// Whoever installs the chart of a release has nothing to build.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_chart_of_a_release_has_its_image_on_helm() {
    let (tools, packed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::os::unix::fs::symlink(program("ARGO_GC_TEST_HELM"), tools.path().join("helm")).unwrap();
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    // As the release runs it.
    let release = fs::read_to_string(folder().join("../../.github/workflows/release.yaml")).unwrap();
    let release: Value = serde_saphyr::from_str(&release).unwrap();
    let step = release["jobs"]["chart"]["steps"][1]["run"].as_str().unwrap();
    let line = step.lines().find(|line| line.contains(".ci/chart")).unwrap();
    let line = line.strip_suffix(" .").unwrap();
    let mut command = Command::new("bash");
    command.args(["-euc", &format!("{line} \"$FOLDER\"")]).current_dir(folder().join("../.."));
    command.env("PATH", path).env("FOLDER", packed.path()).env("HOME", packed.path());
    command.env("GITHUB_REPOSITORY", "Acme/argo-gc").env("GITHUB_REF_NAME", "v1.2.3-rc.1");
    Ran::of(command).ends_with(0);
    let chart = packed.path().join("argo-gc-1.2.3-rc.1.tgz").display().to_string();
    let made = objects(&Ran::of(helm(&["template", "gc", &chart])).ends_with(0).out);
    let made: Vec<Value> = made.into_values().collect();
    // The tag is the one that the job for images sets.
    assert_eq!(pod(&made).1["image"], "ghcr.io/acme/argo-gc:1.2.3-rc.1");
    let tags = release["jobs"]["tags"]["steps"].to_string();
    assert!(tags.contains("image=ghcr.io/${GITHUB_REPOSITORY,,}"), "{tags}");
    assert!(tags.contains("$image:${GITHUB_REF_NAME#v}"), "{tags}");
}

/// Policies are of no namespace, and stand beside what else is installed.
#[test]
#[ignore = "tests/run brings what it needs"]
fn its_policies_are_those_of_manifest_policy_on_helm() {
    let all = ["inline", "logs-only", "shared-key", "unsupported-driver", "no-strategy", "force-no-pod"];
    for (values, flags) in [
        (json!({}), vec![]),
        (
            json!({ "action": "deny", "exemptNamespaces": ["argo", "ci"] }),
            vec!["--action", "deny", "--exempt-namespaces", "argo,ci"],
        ),
        (json!({ "action": "audit", "rules": all }), vec!["--action", "audit", "--rule", &all.join(",")]),
    ] {
        let mut values = json!({ "admission": values });
        values["admission"]["enabled"] = true.into();
        let printed = objects(&Ran::of(plugin(["manifest", "policy"].iter().chain(&flags))).ends_with(0).out);
        let mut made = objects(&template(&values).ends_with(0).out);
        made.retain(|name, _| name.contains("ValidatingAdmissionPolicy"));
        assert!(!printed.is_empty() && made == printed, "{values}");
    }
}

/// Every value of values.yaml: what else it can be, with the other values that it needs, and what it can't be.
fn others() -> Vec<(&'static str, Value, Value, Value)> {
    let none = || json!({});
    let purge = || json!({ "mode": "purge" });
    let push = || json!({ "push": { "url": "http://push:9091" } });
    let journal = || json!({ "mode": "purge", "journal": { "create": true } });
    let admission = || json!({ "admission": { "enabled": true } });
    let server = || json!({ "flags": ["--argo-server", "argo:2746"] });
    vec![
        ("imagePullSecrets", none(), json!([{ "name": "registry" }]), json!(["registry"])),
        ("mode", none(), json!("purge"), json!("delete")),
        ("schedule", none(), json!("@daily"), json!("17 3 * *")),
        ("suspend", none(), json!(true), json!("yes")),
        ("name", none(), json!("nightly"), json!("Nightly")),
        ("namespaces", none(), json!(["ml"]), json!(["a,b"])),
        ("retentionPolicy", none(), json!("kind: RetentionPolicy"), json!("")),
        ("failed", none(), json!(true), json!(1)),
        ("repositories", none(), json!(["gs://b"]), json!(["b"])),
        ("acceptUnread", none(), json!(["archive"]), json!([""])),
        ("maxObjects", none(), json!(7), json!(-1)),
        ("journal.claim", purge(), json!("journals"), json!("J")),
        ("journal.create", purge(), json!(true), json!("true")),
        ("journal.size", journal(), json!("5Gi"), json!("much")),
        ("journal.storageClass", journal(), json!("fast"), json!(1)),
        ("argoTokenSecret", server(), json!("argo"), json!("a: b")),
        ("flags", none(), json!(["--only", "logs"]), json!("--only logs")),
        ("push.url", none(), json!("http://push:9091"), json!("http://me:secret@push:9091")),
        ("push.labels", push(), json!({ "cluster": "eu" }), json!({ "namespace": "ml" })),
        ("push.secret", push(), json!("push"), json!("a: b")),
        ("webhook.secret", none(), json!("chat"), json!("a: b")),
        ("webhook.format", json!({ "webhook": { "secret": "chat" } }), json!("teams"), json!("irc")),
        ("prometheusRule.enabled", none(), json!(true), json!("on")),
        (
            "prometheusRule.labels",
            json!({ "prometheusRule": { "enabled": true } }),
            json!({ "release": "prometheus" }),
            json!({ "a": 1 }),
        ),
        (
            "prometheusRule.overdueAfter",
            json!({ "prometheusRule": { "enabled": true } }),
            json!(8.5),
            json!(0),
        ),
        ("dashboard.enabled", none(), json!(true), json!("on")),
        (
            "dashboard.labels",
            json!({ "dashboard": { "enabled": true } }),
            json!({ "grafana_dashboard": "yes" }),
            json!({ "grafana_dashboard": 1 }),
        ),
        ("admission.enabled", none(), json!(true), json!("on")),
        ("admission.action", admission(), json!("deny"), json!("Deny")),
        ("admission.rules", admission(), json!(["no-strategy"]), json!([])),
        ("admission.exemptNamespaces", admission(), json!(["ci"]), json!(["C"])),
        (
            "serviceAccount.annotations",
            none(),
            json!({ "eks.amazonaws.com/role-arn": "arn:x" }),
            json!({ "a": true }),
        ),
        ("rbac.create", none(), json!(false), json!("no")),
        (
            "rbac.secretNamespaces",
            json!({ "flags": ["--use-workflow-secrets"] }),
            json!(["ml"]),
            json!(["a,b"]),
        ),
        (
            "env",
            none(),
            json!([{ "name": "HTTPS_PROXY", "value": "http://proxy:3128" }]),
            json!([{ "value": "x" }]),
        ),
        (
            "volumes",
            none(),
            json!([{ "name": "keys", "secret": { "secretName": "keys" } }]),
            json!([{ "name": "tmp", "emptyDir": {} }]),
        ),
        (
            "volumeMounts",
            none(),
            json!([{ "name": "keys", "mountPath": "/etc/keys", "readOnly": true }]),
            json!([{ "name": "keys", "mountPath": "etc" }]),
        ),
        ("openshift", none(), json!(true), json!("yes")),
        ("resources", none(), json!({ "limits": { "memory": "4Gi" } }), json!({ "limit": {} })),
        ("podLabels", none(), json!({ "azure.workload.identity/use": "true" }), json!({ "a": true })),
        ("nodeSelector", none(), json!({ "disk": "ssd" }), json!({ "a": true })),
        ("tolerations", none(), json!([{ "operator": "Exists" }]), json!(["all"])),
    ]
}

/// The values with another one at a place.
fn set(values: &Value, place: &str, value: &Value) -> Value {
    let mut values = values.clone();
    let mut at = &mut values;
    for part in place.split('.') {
        at = &mut at[part];
    }
    *at = value.clone();
    values
}

/// The places of all values; a list, and a map that users fill, is one value.
fn places(values: &Value, above: &str, filled: &[&str]) -> Vec<String> {
    let Some(fields) = values.as_object() else { return vec![above.to_owned()] };
    if fields.is_empty() || filled.contains(&above) {
        return vec![above.to_owned()];
    }
    let within = fields.iter().flat_map(|(name, value)| {
        let place = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        places(value, &place, filled)
    });
    within.collect()
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn each_value_changes_what_is_made_or_is_refused_on_helm() {
    let values = fs::read_to_string(folder().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&values).unwrap();
    let mut there = places(&values, "", &["resources", "dashboard.labels"]);
    // Each of the tests here sets the image.
    there.retain(|place| place != "image");
    there.sort();
    let mut tried: Vec<&str> = others().iter().map(|(place, ..)| *place).collect();
    tried.sort_unstable();
    assert_eq!(there, tried, "a value has no test");
    for (place, needs, other, wrong) in others() {
        let before = objects(&template(&needs).ends_with(0).out);
        let changed = set(&needs, place, &other);
        let after = objects(&template(&changed).ends_with(0).out);
        assert_ne!(before, after, "{place}");
        let text = serde_json::to_string(&after.values().collect::<Vec<_>>()).unwrap();
        // What the user wrote is there, whole.
        if let Some(word) =
            other.as_str().filter(|_| !["retentionPolicy", "admission.action"].contains(&place))
        {
            assert!(text.contains(word), "{place}: {text}");
        }
        let ran = template(&set(&needs, place, &wrong));
        assert!(ran.code == Some(1) && ran.out.is_empty(), "{place}: {ran:#?}");
        let said = ran.err.contains("values don't meet the specifications of the schema");
        assert!(said, "{place}: {}", ran.err);
    }
    let ran = template(&json!({ "push": { "urls": "http://push:9091" } }));
    assert!(ran.code == Some(1) && ran.err.contains("urls"), "{}", ran.err);
}

/// What the page tells to type works as typed: a report, then a purge, then nothing is left.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_helm_commands_of_the_page_work_on_apiserver_and_helm() {
    let server = ApiServer::start();
    server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "argo" } }));
    let page = fs::read_to_string(folder().join("../../docs/in-cluster.md")).unwrap().replace(" \\\n  ", " ");
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("helm ")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let role = || server.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/argo:argo-gc").ok();
    let wanted = [("--dry-run", Some(false)), ("--yes", Some(true)), ("", None)];
    for (line, (argument, patches)) in lines.into_iter().zip(wanted) {
        let line = line.replace("=policy.yaml", "=examples/policy.yaml");
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let mut command = helm(&words);
        command.env("KUBECONFIG", server.kubeconfig()).current_dir(folder().join("../.."));
        Ran::of(command).ends_with(0);
        let jobs = server.get("/apis/batch/v1/namespaces/argo/cronjobs").unwrap();
        let all = jobs["items"].as_array().unwrap();
        let args = all
            .iter()
            .map(|job| &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]);
        let found: Vec<&str> =
            args.flat_map(|args| args.as_array().unwrap()).filter_map(Value::as_str).collect();
        assert_eq!(found.contains(&argument), !argument.is_empty(), "{line}: {found:?}");
        let found = role().map(|role| role["rules"].to_string().contains("\"patch\""));
        assert_eq!(found, patches, "{line}");
    }
}

/// Its role is its own, or one of those that people use, which stays as it is; its values change from one to the other.
#[test]
#[ignore = "tests/run brings what it needs"]
fn it_makes_a_role_of_its_own_or_uses_that_of_others_on_apiserver_and_helm() {
    let server = ApiServer::start();
    for name in ["argo", "ml"] {
        server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
    }
    let kubectl = |line: &str| {
        let mut command = server.kubectl(line.split(' '));
        command.current_dir(folder().join("../.."));
        Ran::of(command)
    };
    kubectl("apply -f docs/rbac.yaml").ends_with(0);
    let kubeconfig = server.kubeconfig().display().to_string();
    let at = ["gc", "-n", "argo", "--kubeconfig", kubeconfig.as_str()];
    let may = |line: &str| {
        let line = format!("auth can-i {line} --as system:serviceaccount:argo:gc");
        kubectl(&line).out.trim() == "yes"
    };
    for (create, mode, binding, role) in [
        (true, "report", "argo:gc", "argo:gc"),
        (true, "purge", "argo:gc", "argo:gc"),
        (false, "purge", "argo:gc:purge", "argo-gc-purge"),
        (false, "inspect", "argo:gc:inspect", "argo-gc-inspect"),
        (true, "inspect", "argo:gc", "argo:gc"),
    ] {
        let values = json!({ "mode": mode, "rbac": { "create": create, "secretNamespaces": ["ml"] },
            "flags": ["--use-workflow-secrets"] });
        let install: Vec<&str> = ["upgrade", "--install"].into_iter().chain(at).collect();
        with_values(&install, &values).ends_with(0);
        let bindings = server.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings").unwrap();
        let bound: Vec<(&str, &str)> = bindings["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|binding| binding["subjects"][0]["name"] == "gc")
            .map(|binding| {
                (binding["metadata"]["name"].as_str().unwrap(), binding["roleRef"]["name"].as_str().unwrap())
            })
            .collect();
        assert_eq!(bound, [(binding, role)], "{create} {mode}");
        let start = Instant::now();
        // The authorizer hears of roles through a watch.
        while !may("list workflows.argoproj.io -A")
            || may("patch workflows.argoproj.io -A") != (mode == "purge")
            || !may("get secrets -n ml")
        {
            assert!(start.elapsed() < Duration::from_secs(120), "{create} {mode}");
        }
        assert!(!may("list secrets -n ml") && !may("get secrets -n argo"));
    }
    let notes = |values: &Value| {
        let install: Vec<&str> = ["upgrade", "--dry-run=client"].into_iter().chain(at).collect();
        with_values(&install, values).ends_with(0).out
    };
    let mut values = json!({ "flags": ["--use-workflow-secrets"] });
    assert!(notes(&values).contains("set rbac.secretNamespaces"));
    values["rbac"] = json!({ "secretNamespaces": ["ml"] });
    assert!(!notes(&values).contains("set rbac.secretNamespaces"));
    // A kind of the Prometheus Operator.
    server.apply(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "prometheusrules.monitoring.coreos.com" },
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": { "kind": "PrometheusRule", "listKind": "PrometheusRuleList", "plural": "prometheusrules", "singular": "prometheusrule" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            } } }],
        },
    }));
    let values = json!({ "suspend": true, "prometheusRule": { "enabled": true, "overdueAfter": 15 } });
    let told = notes(&values);
    assert!(told.contains("ArgoGcPurgeOverdue fires while it is suspended, 15 days"), "{told}");
    assert!(!notes(&json!({ "suspend": true })).contains("suspended"));
    let uninstall: Vec<&str> = ["uninstall"].into_iter().chain(at).collect();
    Ran::of(helm(&uninstall)).ends_with(0);
    kubectl("get clusterrole argo-gc-inspect argo-gc-purge").ends_with(0);
    assert_eq!(kubectl("get roles,rolebindings -n ml -o name").ends_with(0).out, "");
}

/// The page's values for keys and authorities, as it has them.
#[test]
#[ignore = "tests/run brings what it needs"]
fn files_and_secrets_are_where_its_values_say_on_apiserver_and_helm() {
    let server = ApiServer::start();
    for name in ["argo", "ml"] {
        server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
    }
    let page = fs::read_to_string(folder().join("../../docs/in-cluster.md")).unwrap();
    let block = page.split_once("```yaml\n").unwrap().1.split("```").next().unwrap();
    let values: Value = serde_saphyr::from_str(block).unwrap();
    for mode in ["inspect", "report", "purge"] {
        let mut values = set(&values, "mode", &mode.into());
        if mode == "inspect" {
            // As the page says.
            values["flags"].as_array_mut().unwrap().push("--check".into());
        }
        let made = template(&values).ends_with(0).out;
        let all: Vec<Value> = objects(&made).into_values().collect();
        let (pod, container) = pod(&all);
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mounted = |file: &str| {
            let mount =
                mounts.iter().find(|mount| file.starts_with(mount["mountPath"].as_str().unwrap())).unwrap();
            let volumes = pod["volumes"].as_array().unwrap();
            volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap()["secret"].clone()
        };
        let env = container["env"].as_array().unwrap();
        let args: Vec<&str> =
            container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let identity = args.iter().find_map(|arg| arg.strip_prefix("gs://ml-artifacts=")).unwrap();
        for name in ["GOOGLE_APPLICATION_CREDENTIALS", "SSL_CERT_FILE"] {
            let variable = env.iter().find(|variable| variable["name"] == name).unwrap();
            assert_eq!(mounted(variable["value"].as_str().unwrap())["secretName"], "argo-gc-keys");
        }
        assert_eq!(mounted(identity)["secretName"], "argo-gc-keys");
        let strictly = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
        let ran = Ran::with_input(server.kubectl(strictly), made).ends_with(0);
        assert!(ran.err.is_empty() && ran.out.contains("\nrole.rbac.authorization.k8s.io"), "{ran:#?}");
        // The plugin takes the arguments, too: here it only misses the files that a pod has.
        let ran = Ran::of(plugin(args.iter().chain(&["--kubeconfig", "/nonexistent"])));
        let missing = ["/etc/keys/ml.json", "/etc/argo-gc/policy.yaml"];
        let is_missing = |file: &&str| ran.err.contains(&format!("{file}: No such file"));
        assert!(missing.iter().any(is_missing), "{ran:#?}");
    }
}

/// Where runs are rarer than once a day, no run is overdue before its time.
#[test]
#[ignore = "tests/run brings what it needs"]
fn its_alerts_wait_as_long_as_its_value_says_on_helm() {
    for (days, text) in [(None, "2"), (Some(json!(15)), "15"), (Some(json!(0.5)), "0.5")] {
        let mut values = json!({ "prometheusRule": { "enabled": true } });
        if let Some(days) = days {
            values["prometheusRule"]["overdueAfter"] = days;
        }
        let made = objects(&template(&values).ends_with(0).out);
        let rule = made.values().find(|object| object["kind"] == "PrometheusRule").unwrap();
        let rules = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
        let compared: Vec<(&str, &str)> = rules
            .iter()
            .filter_map(|rule| {
                let (_, after) = rule["expr"].as_str().unwrap().split_once("time() - ")?;
                let days = after.strip_suffix(" * 86400")?.rsplit(' ').next()?;
                Some((rule["alert"].as_str().unwrap(), days))
            })
            .collect();
        assert_eq!(
            compared,
            ["ArgoGcPurgeFailed", "ArgoGcPurgeOverdue", "ArgoGcReportStale"].map(|alert| (alert, text))
        );
    }
}

/// What helm installs is taken by the server, runs as its account, tells Prometheus, and goes as a whole, but for the
/// journals.
#[test]
#[ignore = "tests/run brings what it needs"]
fn its_cronjob_purges_with_the_rights_it_brings_on_apiserver_and_fake_gcs_and_helm_and_unshare() {
    let (server, gcs) = (ApiServer::start(), Gcs::start());
    let group = "/metrics/job/argo-gc/mode/purge/cluster/test";
    let stub = Stub::start([(group.to_owned(), vec![Reply::text(200, "text/plain", "")])]);
    gcs.bucket(BUCKET);
    server.apply(CONTROLLER);
    server.apply(workflow("ml", "done", &["argo/done/out.tgz"]));
    gcs.put(BUCKET, "argo/done/out.tgz", "out");
    gcs.created(BUCKET, "argo/done/out.tgz", &ago(within_the_run()));
    // What it has beyond the manifests is of the right shape, too.
    let mut all = json!({ "mode": "purge" });
    let own = |place: &str| {
        !place.starts_with("prometheusRule") && !["mode", "flags", "retentionPolicy"].contains(&place)
    };
    for (place, _, other, _) in others().into_iter().filter(|(place, ..)| own(place)) {
        all = set(&all, place, &other);
    }
    all["flags"] = json!(["--argo-server", "argo:2746", "--use-workflow-secrets"]);
    let made = template(&all).ends_with(0).out;
    let strictly = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
    let ran = Ran::with_input(server.kubectl(strictly), made).ends_with(0);
    assert!(ran.err.is_empty() && ran.out.contains("cronjob.batch/nightly created"), "{ran:#?}");

    let kubeconfig = server.kubeconfig().display().to_string();
    let values = json!({
        "mode": "purge",
        "retentionPolicy": "apiVersion: argo-gc/v1\nkind: RetentionPolicy\n",
        "journal": { "create": true },
        "push": { "url": format!("http://{}", stub.address), "labels": { "cluster": "test" } },
    });
    let at = ["-n", "argo", "--kubeconfig", kubeconfig.as_str()];
    let install: Vec<&str> = ["upgrade", "--install", "gc"].into_iter().chain(at).collect();
    let ran = with_values(&install, &values).ends_with(0);
    assert!(ran.out.contains("kubectl create job gc-now --from=cronjob/gc -n argo"), "{}", ran.out);
    let get: Vec<&str> = ["get", "manifest", "gc"].into_iter().chain(at).collect();
    let made: Vec<Value> = objects(&Ran::of(helm(&get)).ends_with(0).out).into_values().collect();
    Ran::of(server.kubectl(["create", "job", "gc-now", "--from=cronjob/gc", "-n", "argo"])).ends_with(0);
    let claim = &pod(&made).0["volumes"][1]["persistentVolumeClaim"]["claimName"];
    assert_eq!(claim, &of_kind(&made, "PersistentVolumeClaim")["metadata"]["name"]);

    let job = Pod::of(&server, &made);
    let start = Instant::now();
    let ran = loop {
        // The authorizer hears of roles through a watch.
        let ran = job.run(&gcs);
        if ran.code == Some(0) {
            break ran;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{ran:#?}");
    };
    assert!(ran.out.contains("1 object") && gcs.keys(BUCKET).is_empty(), "{ran:#?}");
    assert_eq!((job.journals(), job.message().as_str()), (1, "1 of 1 object is gone"));
    let pushed = stub.requests_to(group);
    let last = pushed.last().unwrap();
    assert!(last.body.contains("\nargo_gc_purge_objects_planned 1\n"), "{}", last.body);
    assert!(last.body.contains("\nargo_gc_purge_objects_left 0\n"), "{}", last.body);

    let uninstall: Vec<&str> = ["uninstall", "gc"].into_iter().chain(at).collect();
    Ran::of(helm(&uninstall)).ends_with(0);
    let left = [
        "get",
        "-A",
        "-o",
        "name",
        "cronjobs,configmaps,serviceaccounts,persistentvolumeclaims,clusterroles,clusterrolebindings",
    ];
    let left = Ran::of(server.kubectl(left)).ends_with(0).out;
    let left: Vec<&str> =
        left.lines().filter(|name| name.contains("/gc") || name.contains("/argo:gc")).collect();
    assert_eq!(left, ["persistentvolumeclaim/gc-journals"]);
}
