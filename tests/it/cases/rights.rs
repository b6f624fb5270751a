//! What `inspect`, `doctor` and `purge` say of rights, controllers and their settings.

use super::Case;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;

/// A time within the run of case 42.
const WITHIN: &str = "2026-11-27T15:02:30Z";

/// Verdict and reason of the first artifact.
fn first(case: &Case, arguments: &str) -> (Value, Value) {
    let found = case.run(&format!("inspect -A -o json {arguments}")).ends_with(0).json();
    let artifact = &found["workflows"][0]["artifacts"][0];
    (artifact["verdict"].clone(), artifact["reason"].clone())
}

fn is(verdict: &str, reason: &str) -> (Value, Value) {
    (verdict.into(), if reason.is_empty() { Value::Null } else { reason.into() })
}

/// The causes of a diagnosis, with their subjects.
fn causes(diagnosis: &Value) -> Vec<String> {
    let cause = |group: &Value| match group["subject"].as_str() {
        None => group["cause"].as_str().unwrap().to_owned(),
        Some(subject) => format!("{} ({subject})", group["cause"].as_str().unwrap()),
    };
    diagnosis["causes"].as_array().unwrap().iter().map(cause).collect()
}

fn doctor(case: &Case, arguments: &str) -> Value {
    case.run(&format!("doctor -o json {arguments}")).ends_with(0).json()
}

/// The commands of all repairs.
fn commands(diagnosis: &Value) -> Vec<&str> {
    let groups = diagnosis["causes"].as_array().unwrap().iter();
    let repairs = groups.flat_map(|group| group["repairs"].as_array().unwrap());
    let commands = repairs.flat_map(|repair| repair["commands"].as_array().into_iter().flatten());
    commands.map(|command| command.as_str().unwrap()).collect()
}

#[test]
fn roles_among_the_files_are_evaluated() {
    let case = Case::new("24-roles-in-files");
    assert_eq!(first(&case, "-f input.yaml"), is("failing", "gc-rbac"));
    let diagnosis = doctor(&case, "-f input.yaml");
    assert_eq!(causes(&diagnosis), ["service-account-rights (ceph/default)"]);
    let text = diagnosis.to_string();
    assert!(text.contains("may not list workflowartifactgctasks"), "{diagnosis:#}");
    assert!(!text.contains("files hold none") && diagnosis["gaps"] == json!([]), "{diagnosis:#}");
    let account = &diagnosis["serviceAccounts"][0];
    assert_eq!((&account["exists"], &account["list"]), (&json!("yes"), &json!("no")));

    // Its own repair, among the files, settles it: the pod failed although it has its rights.
    let ran = case.run("doctor -f input.yaml --yaml").ends_with(0);
    case.write("granted.yaml", &ran.out);
    assert_eq!(first(&case, "-f input.yaml -f granted.yaml"), is("failing", "gc-pod-failed"));
    assert_eq!(causes(&doctor(&case, "-f input.yaml -f granted.yaml")), ["pod-failed"]);

    // Without roles nothing was evaluated, and that is said.
    let (workflow, _) = case
        .read("input.yaml")
        .split_once("---\napiVersion: rbac")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    case.write("none.yaml", &workflow);
    assert_eq!(first(&case, "-f none.yaml"), is("failing", "gc-pod-failed"));
    assert!(doctor(&case, "-f none.yaml")["gaps"].to_string().contains("files hold none"));
}

/// Collections that are still to come, of a fixture of files: the pod of one that has failed is not needed.
/// Roles among the files are no answer of an API server, and are those of the time at which they were written.
#[test]
fn what_roles_among_the_files_allow_is_told_as_theirs() {
    let case = Case::new("24-roles-in-files");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(root.join("tests/fixtures/gc-rbac/hit-message.yaml"), case.path("refused.yaml")).unwrap();
    let ran = case.run("doctor -A -f refused.yaml --yaml").ends_with(0);
    let about = |files: &str| case.run(&format!("inspect -A -o json {files}")).ends_with(0).out;
    let alone = about("-f refused.yaml");
    assert!(alone.contains("gc-rbac") && !alone.contains("access review"), "{alone}");
    case.write("granted.yaml", &ran.out);
    let allowed = about("-f refused.yaml -f granted.yaml");
    let evidence = "\"roles among the files, of service account ";
    assert!(allowed.contains("gc-rbac") && allowed.contains(evidence), "{allowed}");
    assert!(allowed.contains("\"they allow it\"") && !allowed.contains("access review"), "{allowed}");
    assert!(!case.run("doctor -A -f refused.yaml -f granted.yaml").out.contains("access review"));
}

#[test]
fn what_will_fail_is_told_before_it_does() {
    let case = Case::new("24-roles-in-files");
    let text = case.read("input.yaml");
    let documents: Vec<&str> = text.split("---\n").collect();
    let to_come = documents[0]
        .replace("    podsRecouped:\n      large-259nm-artgc-wfcomp-2166136261: true\n", "")
        .replace("    strategiesProcessed:\n      OnWorkflowCompletion: true\n", "    notSpecified: false\n")
        .replace("OnWorkflowCompletion", "OnWorkflowDeletion");
    let of = |kind: &str| {
        let kind = format!("\nkind: {kind}\n");
        *documents.iter().find(|document| document.contains(&kind)).unwrap()
    };
    let roles = [of("Role"), of("RoleBinding"), of("ServiceAccount")];
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: workflow-controller-configmap\n  namespace: argo\n";
    let controller = of("Deployment").replace(
        "quay.io/argoproj/workflow-controller:v3.4.3",
        "quay.io/argoproj/workflow-controller:v3.7.0",
    );
    let with = |more: &[&str]| {
        let all: Vec<&str> = [to_come.as_str()].into_iter().chain(more.iter().copied()).collect();
        case.write("now.yaml", &all.join("---\n"));
        let diagnosis = doctor(&case, "-f now.yaml");
        let said = case.run("doctor -f now.yaml").ends_with(0).out;
        assert!(!said.contains("healthy") || causes(&diagnosis).is_empty(), "{said}");
        (first(&case, "-f now.yaml"), causes(&diagnosis), said)
    };
    let (verdict, causes, said) = with(&[&controller, config]);
    assert_eq!((verdict, causes.len()), (is("covered", ""), 0));
    assert!(said.contains("As far as could be read, artifact GC is healthy"), "{said}");
    let ran = case.run("inspect -A -f now.yaml").ends_with(0);
    assert!(ran.err.contains("was not evaluated for service account ceph/default"), "{}", ran.err);

    let mut more = vec![controller.as_str(), config];
    more.extend(roles);
    let (verdict, causes, _) = with(&more);
    assert_eq!(verdict, is("failing", "gc-rbac"));
    assert_eq!(causes, ["service-account-rights (ceph/default)"]);
    assert!(!case.run("inspect -A -f now.yaml").ends_with(0).err.contains("not evaluated"));

    // A controller that does not run, has GC switched off, serves another instance or lacks rights.
    let idle = controller.replace("replicas: 1", "replicas: 0");
    let (verdict, causes, _) = with(&[&idle, config]);
    assert_eq!(verdict, is("failing", "no-controller"));
    assert_eq!(causes, ["no-controller (argo/workflow-controller)"]);
    // Its ConfigMap is not there, and it could be one of another instance.
    let (verdict, causes, _) = with(&[&idle]);
    assert_eq!(verdict, is("unknown", "no-controller"));
    assert_eq!(causes, ["no-controller (argo/workflow-controller)"]);
    let off = controller
        .replace("env: []", "env:\n        - name: ARGO_ARTIFACT_GC_ENABLED\n          value: \"false\"");
    let (verdict, causes, _) = with(&[&off, config]);
    assert_eq!((verdict, causes), (is("uncovered", "feature-off"), vec!["feature-off".to_owned()]));
    let blue = format!("{config}data:\n  instanceID: blue\n");
    let (verdict, causes, _) = with(&[&controller, &blue]);
    assert_eq!((verdict, causes), (is("unknown", "unmanaged"), vec!["unmanaged".to_owned()]));
    let role = of("Role").replace("kind: Role", "kind: ClusterRole").replace("  namespace: ceph\n", "");
    let binding = of("RoleBinding")
        .replace("kind: RoleBinding", "kind: ClusterRoleBinding")
        .replace("kind: Role\n", "kind: ClusterRole\n")
        .replacen("  namespace: ceph\n", "", 1)
        .replace("name: default\n  namespace: ceph", "name: argo\n  namespace: argo");
    let (verdict, causes, _) = with(&[&controller, config, &role, &binding]);
    assert_eq!(verdict, is("failing", "controller-rights"));
    assert_eq!(causes, ["controller-rights (argo/argo)"]);
    let granted = case.run("doctor -f now.yaml --yaml").ends_with(0).out;
    let (verdict, causes, _) = with(&[&controller, config, &role, &binding, &granted]);
    assert_eq!((verdict, causes.len()), (is("covered", ""), 0), "{granted}");
}

#[test]
fn a_bucket_made_of_a_parameter_is_told_and_its_object_purged() {
    let case = Case::new("42-param-archive-location");
    let failing = is("failing", "param-archive-location");
    assert_eq!(first(&case, "-f r40.json"), failing);
    // More evidence makes no worse cause.
    assert_eq!(first(&case, "-f r40.json -f r40-tasks.json"), failing);
    for files in ["-f r40.json", "-f r40.json -f r40-tasks.json"] {
        let diagnosis = doctor(&case, files);
        assert_eq!(causes(&diagnosis), ["delete-fails (param-archive-location)"]);
        assert_eq!(
            commands(&diagnosis),
            ["kubectl argo-gc purge -n argo r40 --release-finalizer --repository gs://argo/r40/r40"]
        );
    }
    let found = case.run("inspect -A -f r40.json -o json").ends_with(0).json();
    let artifact = &found["workflows"][0]["artifacts"][0];
    assert_eq!(artifact["location"]["uri"], "gs://argo/r40/r40/out.tgz");
    case.object("argo/r40/r40/out.tgz", WITHIN);
    let purge = "purge -A -f r40.json --store-root buckets --repository gs://argo --release-finalizer";
    let plan = case.run(&format!("{purge} --dry-run -o json")).ends_with(0).json();
    assert_eq!(plan["workflows"][0]["delete"][0]["key"], "r40/r40/out.tgz", "{plan:#}");
    // The workflow is in a file: its finalizer was to be released, and is not.
    let ran = case.run(&format!("{purge} --yes")).ends_with(4);
    assert!(ran.err.contains("1 finalizer that was to be released is still there"), "{}", ran.err);
}

/// Where no input tells the bucket, nothing is purged, and what to do by hand is said.
#[test]
fn a_bucket_that_nothing_tells_is_left_to_the_user() {
    let case = Case::new("42-param-archive-location");
    let text = case.read("r40.json");
    let (before, after) = text.split_once("\"inputs\": {\n                    \"parameters\": [\n                        {\n                            \"name\": \"b\",").unwrap();
    let untold = format!(
        "{before}\"inputs\": {{\n                    \"parameters\": [\n                        {{\n                            \"name\": \"c\",{after}"
    );
    case.write("untold.json", &untold);
    assert_eq!(first(&case, "-f untold.json"), is("failing", "param-archive-location"));
    let diagnosis = doctor(&case, "-f untold.json");
    let repairs = diagnosis["causes"][0]["repairs"].to_string();
    assert!(repairs.contains("by hand"), "{repairs}");
    let purge =
        "purge -A -f untold.json --store-root buckets --repository gs://argo --release-finalizer --yes";
    case.object("argo/r40/r40/out.tgz", WITHIN);
    case.run(purge).ends_with(4);
}

#[test]
fn a_directory_below_the_key_is_failing_on_gcs() {
    let case = Case::new("42-param-archive-location");
    let text = case.read("r40.json");
    let mut workflow: Value = serde_json::from_str(&text).unwrap();
    workflow["spec"]["templates"][0].as_object_mut().unwrap().remove("archiveLocation");
    workflow["spec"]["artifactGC"]["strategy"] = json!("OnWorkflowDeletion");
    workflow["metadata"].as_object_mut().unwrap().remove("deletionTimestamp");
    workflow["status"]["artifactGCStatus"] = json!({});
    workflow["status"]["conditions"] = json!([]);
    let artifact = &mut workflow["status"]["nodes"]["r40"]["outputs"]["artifacts"][0];
    *artifact = json!({ "name": "out", "archive": { "none": {} }, "gcs": { "key": "r40/r40/out" } });
    case.write("directory.json", &workflow.to_string());
    case.object("argo/r40/r40/out/1", WITHIN);
    assert_eq!(first(&case, "-f directory.json"), is("covered", ""));
    let check = "-f directory.json --check --store-root buckets";
    assert_eq!(first(&case, check), is("failing", "gcs-directory"));
    fs::remove_dir_all(case.path("buckets/argo/r40/r40/out")).unwrap();
    case.object("argo/r40/r40/out", WITHIN);
    assert_eq!(first(&case, check), is("covered", ""));
}

#[test]
fn the_charts_configuration_is_read() {
    let case = Case::new("38-helm-install");
    let diagnosis = doctor(&case, "-f objects.yaml -f wf.yaml");
    let controller = &diagnosis["controllers"][0];
    assert_eq!((&controller["version"], &controller["instanceId"]), (&json!("v3.6.10"), &json!("acme")));
    assert_eq!(controller["config"]["workflowDefaults"]["strategy"], "OnWorkflowCompletion");
    let hazard = diagnosis["repositories"][0]["hazards"][0].as_str().unwrap();
    assert!(hazard.contains("every pod of every run writes the same keys"), "{hazard}");

    let case = Case::new("25-helm-config-logs");
    let diagnosis = doctor(&case, "-f cm.yaml");
    let source = diagnosis["repositories"][0]["source"].as_str().unwrap();
    assert_eq!(source, "configmap batch/artifact-repositories key default (default)");
    let text = case.run("doctor -f cm.yaml").ends_with(0).out;
    for said in ["archives logs", "all pods of a run share a key"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn an_instance_id_is_told_with_the_label_that_mends_it() {
    let case = Case::new("07-instanceid");
    let found = case.run("inspect -A -f input.yaml -o json").ends_with(0).json();
    assert_eq!(found["workflows"][0]["findings"][0]["reason"], "instanceid");
    let diagnosis = doctor(&case, "-f input.yaml");
    assert_eq!(causes(&diagnosis), ["instance-id-label (blue)"]);
    let yaml = diagnosis["causes"][0]["repairs"][0]["yaml"].as_str().unwrap();
    assert!(yaml.contains("workflows.argoproj.io/controller-instanceid: \"blue\""), "{yaml}");
}

/// One command for all of them, instead of one for every twenty.
#[test]
fn many_workflows_with_one_cause_get_one_command() {
    let case = Case::new("24-roles-in-files");
    let text = case.read("input.yaml");
    let (one, rest) =
        text.split_once("---\napiVersion: argoproj.io/v1alpha1\nkind: WorkflowArtifactGCTask").unwrap();
    let mut file = fs::File::create(case.path("many.yaml")).unwrap();
    for n in 0..30 {
        let named =
            text.replace("large-259nm", &format!("large-{n}")).replace("08acaa21", &format!("{n:08}"));
        let (of, _) = named.split_once("---\napiVersion: apps/v1").unwrap();
        writeln!(file, "{of}---").unwrap();
    }
    let (_, beside) = rest.split_once("---\napiVersion: apps/v1").unwrap();
    write!(file, "apiVersion: apps/v1{beside}").unwrap();
    assert!(one.contains("kind: Workflow"));
    let diagnosis = doctor(&case, "-f many.yaml");
    assert_eq!(causes(&diagnosis), ["service-account-rights (ceph/default)"]);
    let command = "kubectl argo-gc purge -n ceph --reason gc-rbac --status Succeeded,Failed,Error --release-finalizer \
                   --repository s3://ceph-art@minio.storage:9000";
    assert_eq!(commands(&diagnosis), [command]);
    // It selects them all.
    let words = command.split_once("purge ").unwrap().1;
    let purge = format!("purge {words} -f many.yaml --store-root buckets");
    fs::create_dir_all(case.path("buckets/ceph-art")).unwrap();
    let plan = case.run(&format!("{purge} --dry-run -o json")).json();
    assert_eq!(plan["workflows"].as_array().unwrap().len(), 30, "{plan:#}");
}
