//! What `lint` says of manifests.

use super::Case;
use crate::support::Ran;

/// `file:line severity code artifact` of each finding.
fn rows(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let findings = report["findings"].as_array().unwrap().iter();
    let row = |finding: &serde_json::Value| {
        let text = |field: &str| finding[field].as_str().unwrap_or("-").to_owned();
        let place = format!("{}:{}", text("file"), finding["line"]);
        format!("{place} {} {} {}", text("severity"), text("code"), text("artifact"))
    };
    findings.map(row).collect()
}

fn lint(case: &str, arguments: &str) -> (Vec<String>, Ran) {
    let ran = Case::new(case).run(&format!("lint -R -o json {arguments}")).ends_with(0);
    (rows(&ran), ran)
}

#[test]
fn archived_logs_of_a_repository_that_is_referred_to_are_no_reason_to_collect() {
    let (rows, _) = lint("25-helm-config-logs", "-f cm.yaml");
    assert_eq!(rows, ["cm.yaml:42 uncovered logs-only -", "cm.yaml:55 uncovered logs-only -"]);
}

#[test]
fn the_controllers_defaults_are_part_of_every_workflow() {
    let poisoned =
        ["mixed-inline.yaml:15 failing inline-poison b1", "mixed-inline.yaml:18 failing inline-poison a1"];
    assert_eq!(lint("30-lint-workflow-defaults", "-f .").0, poisoned);
    // Without the ConfigMap nothing is known of them.
    let (rows, _) = lint("30-lint-workflow-defaults", "-f named.yaml -f mixed-inline.yaml");
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows.iter().all(|row| row.contains("uncovered no-strategy")), "{rows:?}");
}

#[test]
fn the_controllers_release_and_logs_are_those_of_its_deployment() {
    let (rows, ran) = lint("38-helm-install", "-f .");
    assert_eq!(ran.json()["argoVersion"], "v3.6.10");
    assert_eq!(rows, ["wf.yaml:5 uncovered logs-only -"]);
    let (_, ran) = lint("38-helm-install", "-f . --argo-version v3.5.1");
    assert_eq!(ran.json()["argoVersion"], "v3.5.1");
}

#[test]
fn one_key_twice_in_a_run_fails_on_gcs() {
    let failing = |arguments: &str| {
        let (rows, _) = lint("44-key-twice-in-a-run", arguments);
        rows.into_iter().filter(|row| row.contains("failing")).collect::<Vec<_>>()
    };
    assert_eq!(
        failing("-f ."),
        [
            "39-same-key-two-nodes.yaml:15 failing gcs-missing out",
            "46-retry-fixed-key.yaml:12 failing retry-attempts out",
        ]
    );
}

#[test]
fn a_sensors_workflow_is_linted_at_its_place() {
    let (rows, ran) = lint("33-sensor", "-f sensor.yaml");
    assert!(rows.contains(&"sensor.yaml:25 uncovered inline-only x".to_owned()), "{rows:?}");
    let field = &ran.json()["findings"][1]["field"];
    assert!(
        field.as_str().unwrap().starts_with("spec.triggers[0].template.argoWorkflow.source.resource.spec.")
    );
}

#[test]
fn a_workflow_that_a_workflow_makes_is_linted() {
    let (rows, ran) = lint("19-workflow-of-workflows", "-f manifest");
    assert_eq!(rows, ["manifest/wf.yaml:24 uncovered no-strategy x"]);
    assert_eq!(ran.json()["findings"][0]["name"], "child-");
}

#[test]
fn what_a_kustomization_changes_is_not_judged_by_its_parts() {
    let (rows, ran) = lint("32-kustomize", "-f .");
    assert_eq!(rows, [""; 0]);
    assert!(ran.err.contains("kustomize build . | kubectl argo-gc lint -f -"), "{}", ran.err);
    assert_eq!(ran.json()["gaps"].as_array().unwrap().len(), 1);
    // The patch alone looks like one, the base alone like what is applied.
    let (rows, ran) = lint("32-kustomize", "-f patch.yaml");
    assert_eq!(rows, [""; 0]);
    assert!(ran.err.contains("part of a manifest") && ran.err.contains("kustomize build"), "{}", ran.err);
    assert_eq!(lint("32-kustomize", "-f base/wft.yaml").0, ["base/wft.yaml:10 uncovered no-strategy a1"]);
}
