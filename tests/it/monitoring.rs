//! docs/monitoring: the alerts and the dashboard use only metrics that there are, and both work in a real Prometheus.

use crate::support::kube::{ApiServer, CONTROLLER};
use crate::support::prometheus::{Prometheus, rules, tool};
use crate::support::purge::{Folder, workflow};
use crate::support::stub::Stub;
use crate::support::{Ran, plugin};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn alerts() -> Vec<Value> {
    let rules: Value = serde_json::from_str(&rules()).unwrap();
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).cloned().collect()
}

/// Every expression of the dashboard, with the title of its panel, as Grafana asks it with all clusters and namespaces
/// chosen. What a panel leaves out because it is 0 is asked for, too.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("docs/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let expressions = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap();
        targets.iter().map(move |target| {
            let asked =
                target["expr"].as_str().unwrap().replace("$namespace", ".*").replace("$cluster", ".*");
            (title.clone(), asked.trim_end_matches(" > 0").to_owned())
        })
    });
    expressions.collect()
}

/// The names of our metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("argo_gc_")).map(str::to_owned).collect()
}

/// A cluster's worth of findings, one object in storage, a purge that is refused and a dry run that is not: pushed.
fn push_everything(gateway: &str) {
    let run = |line: &str| {
        let mut command = plugin(line.split(' ').chain(["--push", gateway]));
        command.current_dir(root());
        Ran::of(command)
    };
    run("inspect -R -f tests/fixtures").ends_with(0);
    let mut folder = Folder::new();
    folder.add(workflow("ml", "one", &["one/a.tgz"]));
    folder.put("one/a.tgz");
    let checked = ["--check", "--push", gateway, "--push-label", "cluster=checked"];
    folder.run("inspect", &checked).ends_with(0);
    folder.purge(&["--all", "--dry-run", "--push", gateway]).ends_with(0);
    folder.purge(&["--all", "--max-objects", "0", "--yes", "--push", gateway]).ends_with(5);
}

#[test]
fn alerts_and_dashboard_use_the_metrics_that_runs_have() {
    let stub = Stub::start([]);
    push_everything(&format!("http://{}", stub.address));
    let pushed: BTreeSet<String> = stub
        .requests()
        .iter()
        .flat_map(|seen| seen.body.lines())
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| metrics(&line[..line.find(['{', ' ']).unwrap()]))
        .collect();
    let used: BTreeSet<String> = panels().iter().flat_map(|(_, expression)| metrics(expression)).collect();
    let alerted: BTreeSet<String> =
        alerts().iter().flat_map(|alert| metrics(alert["expr"].as_str().unwrap())).collect();
    let unknown: Vec<_> = used.union(&alerted).filter(|name| !pushed.contains(*name)).collect();
    assert!(unknown.is_empty(), "no run has {unknown:?}");
    // Nor is there one that nobody sees.
    let unseen: Vec<_> = pushed.difference(&used).collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
    // The page names each.
    let page = metrics(&read("docs/monitoring.md"));
    let unnamed: Vec<_> = pushed.difference(&page).collect();
    assert!(unnamed.is_empty(), "docs/monitoring.md does not name {unnamed:?}");
}

/// A runbook is one command. This plugin's are parsed as a user's would be.
#[test]
fn each_alert_names_a_command_to_run() {
    for alert in alerts() {
        let runbook =
            alert["annotations"]["runbook"].as_str().unwrap().replace("{{ $labels.namespace }}", "ml");
        let words: Vec<&str> = runbook.split(' ').collect();
        assert_eq!(words[0], "kubectl", "{runbook}");
        if words[1] == "argo-gc" {
            // Without a cluster it gets as far as to look for one.
            let line = words[2..].iter().copied().chain(["--kubeconfig", "/nonexistent"]);
            Ran::of(plugin(line)).assert(1, "error: ");
        } else {
            // The pods and the CronJob have this label.
            assert!(runbook.contains("-l app.kubernetes.io/name=argo-gc"), "{runbook}");
        }
        let page = read("docs/monitoring.md");
        assert!(page.contains(&format!("`{}`", alert["alert"].as_str().unwrap())), "{alert}");
    }
}

/// Whoever is woken by an alert pastes its runbook: each is taken by kubectl as it stands, and says what is wrong.
#[test]
#[ignore = "tests/run brings what it needs"]
fn each_runbook_works_as_it_stands_on_apiserver() {
    let server = ApiServer::start();
    server.apply(CONTROLLER);
    server.apply(workflow("ml", "train", &["train/a.tgz"]));
    let pod = |name: &str, namespace: &str, said: &str| {
        let terminated = json!({ "exitCode": 4, "reason": "Error", "message": said });
        let status = json!({ "phase": "Failed", "containerStatuses": [{
            "name": "argo-gc", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": terminated },
        }] });
        server.apply(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": namespace, "labels": { "app.kubernetes.io/name": "argo-gc" } },
            "spec": { "containers": [{ "name": "argo-gc", "image": "i" }] }, "status": status,
        }));
    };
    // The name and the namespace are the user's.
    pod("nightly-1", "gc", "3 of 4 objects are gone");
    for alert in alerts() {
        let runbook =
            alert["annotations"]["runbook"].as_str().unwrap().replace("{{ $labels.namespace }}", "ml");
        let words = runbook.split(' ').skip(1);
        let ran = Ran::of(server.kubectl(words)).ends_with(0);
        match alert["alert"].as_str().unwrap() {
            "ArgoGcPurgeFailed" => {
                assert!(
                    ran.out.contains("nightly-1") && ran.out.contains("3 of 4 objects are gone"),
                    "{ran:#?}"
                );
            }
            "ArgoGcLeakGrows" | "ArgoGcFinalizerStuck" => assert!(!ran.out.is_empty(), "{ran:#?}"),
            _ => assert!(ran.out.contains("nightly-1") && ran.out.contains("gc"), "{ran:#?}"),
        }
    }
}

fn promtool(arguments: &[&str], folder: &Path) -> Ran {
    let mut command = Command::new(tool("promtool"));
    command.args(arguments).current_dir(folder);
    Ran::of(command)
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn each_alert_fires_and_just_misses_on_prometheus() {
    let folder = TempDir::new().unwrap();
    let rules = rules();
    fs::write(folder.path().join("rules.yaml"), &rules).unwrap();
    let ran = promtool(&["check", "rules", "rules.yaml"], folder.path()).ends_with(0);
    assert!(ran.out.contains(&format!("{} rules found", alerts().len())), "{}", ran.out);
    let tests = read("tests/monitoring/alerts.yaml");
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let named = tests.matches(&format!("alertname: {name}")).count();
        assert!(named >= 2, "{name} has no test that it fires and one that it does not");
    }
    fs::write(folder.path().join("alerts.yaml"), tests).unwrap();
    promtool(&["test", "rules", "alerts.yaml"], folder.path()).ends_with(0);
    // It would say so.
    fs::write(folder.path().join("rules.yaml"), rules.replace("86400", "99999")).unwrap();
    promtool(&["test", "rules", "alerts.yaml"], folder.path()).ends_with(1);
    // The textfile is good, too.
    let mut command = plugin(["inspect", "-R", "-o", "prometheus", "-f"]);
    command.arg(root().join("tests/fixtures"));
    let text = Ran::of(command);
    let mut command = Command::new(tool("promtool"));
    command.args(["check", "metrics"]);
    let checked = Ran::with_input(command, text.out);
    assert!(checked.code == Some(0), "{checked:#?}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_real_gateway_takes_what_is_pushed_and_the_alerts_fire_on_prometheus() {
    let prometheus = Prometheus::start();
    push_everything(&prometheus.gateway());
    prometheus
        .wait("all was scraped", || !prometheus.query("argo_gc_purge_exit_code{mode=\"purge\"}").is_empty());
    for (title, expression) in panels() {
        assert!(!prometheus.query(&expression).is_empty(), "{title} is empty: {expression}");
    }
    let firing = || -> BTreeSet<String> {
        let alerts = prometheus.query("ALERTS{alertstate=\"firing\"}");
        alerts.iter().map(|alert| alert["metric"]["alertname"].as_str().unwrap().to_owned()).collect()
    };
    let wanted = ["ArgoGcFinalizerStuck", "ArgoGcPurgeFailed"].map(str::to_owned).into();
    prometheus.wait("both fire", || firing() == wanted);
    let rules = prometheus.api("rules", &[]);
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    // A push replaces what the last one of its group said, and nothing else.
    let gateway = prometheus.gateway();
    let mut folder = Folder::new();
    folder.add(workflow("quiet", "one", &["one/a.tgz"]));
    folder.run("inspect", &["--push", &gateway]).ends_with(0);
    folder.purge(&["--all", "--yes", "--push", &gateway]).ends_with(0);
    let namespaces = |cluster: &str| prometheus.query(&format!("argo_gc_workflows{{cluster=\"{cluster}\"}}"));
    prometheus.wait("the old series are gone", || {
        let found = namespaces("");
        found.len() == 1 && found[0]["metric"]["namespace"] == "quiet"
    });
    assert_eq!(namespaces("checked").len(), 1);
    prometheus.wait("no alert is left", || firing().is_empty());
    // What nobody pushes to any more goes as the page says.
    let page = read("docs/monitoring.md");
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("curl -X DELETE ")).collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for line in lines {
        let address = line.split(' ').nth(3).unwrap();
        let path = address.strip_prefix("http://pushgateway.monitoring:9091").unwrap();
        prometheus.delete(&path.replace("/cluster/prod", "/cluster/checked"));
    }
    prometheus.wait("no group is left", || prometheus.query("{job=\"argo-gc\"}").is_empty());
}
