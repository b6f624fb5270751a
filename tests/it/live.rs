//! The fixtures on a real API server, inspected by the real kubectl with the built plugin.

use crate::support::fixture::{Fixture, normal};
use crate::support::kube::{ALICE, ApiServer};
use crate::support::{in_process, stdout};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// A live server sets creation and deletion times itself: these need hours to pass after that ...
const NEEDS_TIME: [&str; 4] = ["cron-neighbour", "gc-pod-hung", "gc-pod-pending", "no-artifact-stuck"];
/// ... and this a deletion before the run ended; `verdicts.rs` holds it to its word.
const NEEDS_PAST: &str = "deleted-while-running";

fn namespace(fixture: &Fixture) -> String {
    format!("gc-{}", fixture.code().replace('.', "-"))
}

fn has_controller(fixture: &Fixture) -> bool {
    fixture.text.contains("\nkind: Deployment")
}

/// Loads a fixture, with the rights it speaks of.
fn load(server: &ApiServer, fixture: &Fixture) {
    server.apply(&fixture.text);
    let namespace = namespace(fixture);
    if has_controller(fixture) {
        server.let_manage(&namespace);
    }
    let collects = json!([
        { "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"] },
        { "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks/status"], "verbs": ["patch"] },
    ]);
    if fixture.lines("account") != ["missing"] {
        let named = fixture.text.lines().filter_map(|line| line.trim().strip_prefix("serviceAccountName: "));
        for name in named.chain(["default"]).collect::<BTreeSet<&str>>() {
            let metadata = json!({ "name": name, "namespace": namespace });
            server.apply(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }));
        }
    }
    if fixture.lines("access-review") != ["denied"] {
        let group = format!("system:serviceaccounts:{namespace}");
        grant(server, &namespace, "collect", &collects, &json!({ "kind": "Group", "name": group }));
    }
    let denied = fixture.lines("denied");
    if !denied.is_empty() {
        let argo = ["workflows", "workflowartifactgctasks", "workflowtaskresults", "workflowtemplates"];
        let argo: Vec<_> = argo.iter().filter(|resource| !denied.contains(resource)).collect();
        let core: Vec<_> =
            ["pods", "events"].into_iter().filter(|resource| !denied.contains(resource)).collect();
        let reads = json!([
            { "apiGroups": ["argoproj.io"], "resources": argo, "verbs": ["list", "get"] },
            { "apiGroups": [""], "resources": core, "verbs": ["list"] },
        ]);
        grant(server, &namespace, "read", &reads, &json!({ "kind": "User", "name": ALICE }));
    }
}

fn grant(server: &ApiServer, namespace: &str, name: &str, rules: &Value, subject: &Value) {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({ "name": name, "namespace": namespace });
    let mut subject = subject.clone();
    subject["apiGroup"] = json!(group);
    server.apply(json!([
        { "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules },
        { "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
          "subjects": [subject], "roleRef": { "apiGroup": group, "kind": "Role", "name": name } },
    ]));
}

/// `kubectl argo-gc inspect` on the fixture's namespace, as rows in the fixtures' words.
fn inspect(server: &ApiServer, fixture: &Fixture) -> BTreeSet<String> {
    let arguments = arguments(fixture);
    let command = match fixture.lines("denied").is_empty() {
        true => server.kubectl(arguments),
        false => server.kubectl_as(ALICE, arguments),
    };
    rows(fixture, &document(command))
}

fn arguments(fixture: &Fixture) -> Vec<String> {
    let mut arguments =
        vec!["argo-gc", "inspect", "-o", "json", "-n"].into_iter().map(str::to_owned).collect::<Vec<_>>();
    arguments.push(namespace(fixture));
    if fixture.code() == "endangered" {
        // Everything is read once more for it, so it is asked for.
        arguments.push("--endangered".to_owned());
    }
    let version = fixture.lines("argo-version");
    if let Some(version) = version.first().filter(|version| **version != "unknown") {
        arguments.extend(["--argo-version".to_owned(), (*version).to_owned()]);
    }
    arguments
}

/// The same through the library, three hours from now.
fn inspect_later(server: &ApiServer, fixture: &Fixture) -> BTreeSet<String> {
    let mut arguments = arguments(fixture);
    arguments.extend(["--kubeconfig".to_owned(), server.kubeconfig().display().to_string()]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let later = Timestamp::now() + SignedDuration::from_hours(3);
    let (code, out, err) = in_process(arguments, "", later);
    assert_eq!(code, 0, "{err}");
    let document = serde_json::from_str(&out).unwrap();
    rows(fixture, &document)
}

fn document(command: Command) -> Value {
    serde_json::from_str(&stdout(command)).expect("an Inspection document")
}

fn rows(fixture: &Fixture, document: &Value) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    for workflow in document["workflows"].as_array().unwrap() {
        let name = text(&workflow["name"]);
        for artifact in workflow["artifacts"].as_array().unwrap() {
            let id = text(&artifact["nodeId"]);
            let expects_id = fixture.lines("expect").iter().any(|line| line.split(' ').nth(1) == Some(&id));
            let node = if expects_id { id } else { text(&artifact["node"]) };
            let (verdict, reason) = (text(&artifact["verdict"]), text(&artifact["reason"]));
            let notes = notes(&artifact["notes"]);
            rows.insert(normal(&format!(
                "{name} {node} {} {verdict} {reason} {notes}",
                text(&artifact["name"])
            )));
        }
        let notes = notes(&workflow["notes"]);
        let findings = workflow["findings"].as_array().unwrap();
        for finding in findings {
            let (verdict, reason) = (text(&finding["verdict"]), text(&finding["reason"]));
            rows.insert(normal(&format!("workflow {name} {verdict} {reason} {notes}")));
        }
        if findings.is_empty() && notes != "[]" {
            rows.insert(normal(&format!("workflow {name} - - {notes}")));
        }
    }
    rows
}

fn notes(notes: &Value) -> String {
    let codes: BTreeSet<&str> =
        notes.as_array().unwrap().iter().filter_map(|note| note["reason"].as_str()).collect();
    format!("[{}]", codes.into_iter().collect::<Vec<_>>().join(","))
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn every_code_is_seen_through_kubectl_on_a_real_server_on_apiserver() {
    let server = ApiServer::start();
    let hit = |fixture: &Fixture| fixture.path.ends_with("hit.yaml") && !has_controller(fixture);
    let fixtures: Vec<Fixture> = Fixture::all().into_iter().filter(hit).collect();
    fixtures.iter().for_each(|fixture| load(&server, fixture));
    let mut wrong = Vec::new();
    for fixture in &fixtures {
        let actual = match fixture.code() {
            NEEDS_PAST => continue,
            code if NEEDS_TIME.contains(&code) => inspect_later(&server, fixture),
            _ => inspect(&server, fixture),
        };
        let expected = fixture.expected();
        if expected != actual {
            wrong.push(format!("{}: expected {expected:#?}, got {actual:#?}", fixture.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The same cluster at once: as a table with a row for each namespace, and as one document.
    let table = stdout(server.kubectl(["argo-gc", "inspect", "-A"]));
    assert!(table.lines().next().unwrap().contains(" workflows leave artifacts behind: "), "{table}");
    assert!(table.lines().any(|line| line.starts_with("NAMESPACE   ")), "{table}");
    let all = document(server.kubectl(["argo-gc", "inspect", "-A", "-o", "json", "--chunk-size", "7"]));
    let workflows = all["workflows"].as_array().unwrap();
    assert!(workflows.len() >= 60, "{} workflows", workflows.len());
    assert_eq!(all["summary"]["workflows"], workflows.len());
    let gaps: Vec<&Value> = all["gaps"].as_array().unwrap().iter().map(|gap| &gap["what"]).collect();
    assert_eq!(gaps, ["the nodes of 1 workflow"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_controller_is_read_from_its_deployment_on_apiserver() {
    for fixture in Fixture::all().into_iter().filter(|f| f.path.ends_with("hit.yaml") && has_controller(f)) {
        let server = ApiServer::start();
        load(&server, &fixture);
        let namespace = namespace(&fixture);
        let command = server.kubectl(["argo-gc", "inspect", "-n", &namespace, "-o", "json"]);
        assert_eq!(rows(&fixture, &document(command)), fixture.expected(), "{}", fixture.code());
    }
}
