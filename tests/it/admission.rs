//! The policies of `manifest policy` in a real API server: they find what `lint` finds, as far as they can know it, and
//! never refuse what it calls clean.

mod against_lint;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use against_lint::{manifests, unwritten};

use crate::support::kube::{ADMIN, ALICE, ApiServer};
use crate::support::{Ran, plugin};

const RULES: [&str; 6] =
    ["inline", "logs-only", "shared-key", "unsupported-driver", "no-strategy", "force-no-pod"];
const NAMESPACE: &str = "policy";

fn policies(arguments: &[&str]) -> String {
    Ran::of(plugin(["manifest", "policy"].iter().chain(arguments))).ends_with(0).out
}

/// A server with its own kinds, and a client for single requests, whose warnings kubectl would only print.
struct Guarded {
    server: ApiServer,
    client: Client,
}

/// What the server says about an object: its status, its message, and the rules that were broken, by the policies' names.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
    warnings: Vec<String>,
}

impl Answer {
    /// The rules of the policies that warned.
    fn broken(&self) -> BTreeSet<String> {
        let named = |warning: &String| {
            let (_, rest) = warning.split_once("ValidatingAdmissionPolicy 'argo-gc-")?;
            Some(rest.split('\'').next()?.to_owned())
        };
        self.warnings.iter().filter_map(named).collect()
    }

    fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Guarded {
    async fn start() -> Self {
        Self::of(ApiServer::start()).await
    }

    async fn of(server: ApiServer) -> Self {
        server.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }));
        let client = server.client(ADMIN).await;
        Self { server, client }
    }

    /// Applies the policies, and waits until each is in force: the server hears of them through a watch.
    async fn guard(&self, arguments: &[&str]) {
        let text = policies(arguments);
        let ran =
            Ran::with_input(self.server.kubectl(["apply", "--validate=strict", "-f", "-"]), text.as_str());
        assert_eq!(ran.ends_with(0).err, "");
        let start = Instant::now();
        for rule in RULES.iter().filter(|rule| text.contains(&format!("name: argo-gc-{rule}\n"))) {
            loop {
                let answer = self.create(&breaking(rule)).await;
                let warns = !arguments.contains(&"deny") && answer.broken().contains(*rule);
                if answer.status == 422 || warns {
                    break;
                }
                assert!(start.elapsed() < Duration::from_secs(120), "{rule}: {answer:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Creates an object for show.
    async fn create(&self, object: &Value) -> Answer {
        self.send(Method::POST, &(path(object) + "?dryRun=All"), object).await
    }

    async fn send(&self, method: Method, path: &str, object: &Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(Body::from(object.to_string().into_bytes())).unwrap();
        let response = self.client.send(request).await.unwrap();
        let warnings =
            response.headers().get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned());
        let (status, warnings) = (response.status().as_u16(), warnings.collect());
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        Answer { status, body: serde_json::from_slice(&body).unwrap(), warnings }
    }

    /// The checks that ended in an error, which would let everything pass, as the server counts them.
    async fn errors(&self) -> Vec<String> {
        let request = Request::get("/metrics").body(Vec::new()).unwrap();
        let text = self.client.request_text(request).await.unwrap();
        let counted: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("apiserver_validating_admission_policy_check_total{"))
            .collect();
        assert!(!counted.is_empty(), "the server counts no checks");
        counted
            .into_iter()
            .filter(|line| line.contains(r#"enforcement_action="allow""#))
            .map(str::to_owned)
            .collect()
    }
}

/// The path of an object's collection; namespaced objects go to the namespace of these tests.
fn path(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or(NAMESPACE);
    match kind.starts_with("cluster") {
        true => format!("/apis/argoproj.io/v1alpha1/{kind}s"),
        false => format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/{kind}s"),
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let spec = if kind == "CronWorkflow" {
        json!({ "schedules": ["@daily"], "workflowSpec": spec })
    } else {
        spec.clone()
    };
    json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// A spec with one pod, whose one artifact has a strategy.
fn clean() -> Value {
    json!({
        "entrypoint": "main",
        "artifactGC": { "strategy": "OnWorkflowDeletion", "serviceAccountName": "gc" },
        "templates": [{
            "name": "main",
            "container": { "image": "x" },
            "outputs": { "artifacts": [{ "name": "o", "path": "/o", "s3": { "key": "{{workflow.uid}}/o" } }] },
        }],
    })
}

/// The clean spec with the one mistake of a rule.
fn mistaken(rule: &str) -> Value {
    let mut spec = clean();
    match rule {
        "inline" => {
            let mut body = spec["templates"][0].take();
            body.as_object_mut().unwrap().remove("name");
            spec["templates"][0] = json!({ "name": "main", "steps": [[{ "name": "fit", "inline": body }]] });
        }
        "logs-only" => {
            spec["archiveLogs"] = true.into();
            spec["templates"][0].as_object_mut().unwrap().remove("outputs");
        }
        "shared-key" => {
            spec["templates"][0]["outputs"]["artifacts"][0]["s3"]["key"] =
                "{{ workflow.namespace }}/o".into();
        }
        "unsupported-driver" => {
            let artifact = &mut spec["templates"][0]["outputs"]["artifacts"][0];
            artifact["http"] = json!({ "url": "https://example.com/o" });
            artifact.as_object_mut().unwrap().remove("s3");
        }
        "no-strategy" => drop(spec.as_object_mut().unwrap().remove("artifactGC")),
        "force-no-pod" => {
            spec["artifactGC"]["forceFinalizerRemoval"] = true.into();
            spec["templates"][0]["outputs"]["artifacts"][0]["optional"] = true.into();
        }
        _ => unreachable!("{rule}"),
    }
    spec
}

fn breaking(rule: &str) -> Value {
    object("Workflow", "breaks", &mistaken(rule))
}

/// What lint plants is refused where the object alone tells it, with the code and the command that explains it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn what_lint_plants_is_refused_and_its_clean_copies_pass_on_apiserver() {
    let guarded = Guarded::start().await;
    guarded.guard(&["--action", "deny"]).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lint");
    let mut refused = Vec::new();
    for (at, (file, object)) in manifests(&folder.join("planted")).into_iter().enumerate() {
        let answer = guarded.create(&unwritten(object, at)).await;
        if answer.status >= 400 {
            assert_eq!(answer.body["reason"], "Invalid", "{answer:?}");
            let (_, told) = answer.message().split_once("denied request: ").unwrap();
            refused.push(format!("{file} {told}"));
        }
    }
    // The others depend on other objects, or on what only a run knows: docs/admission.md says so.
    let expected = [
        "1-inline.yaml inline-only: Argo never collects what inline templates store, and these have some: main. \
         See: kubectl argo-gc explain inline-only",
        "2-nested.yaml inline-poison: Argo never collects what inline templates store, and these have some: main. \
         See: kubectl argo-gc explain inline-poison",
        "6-logs.yaml logs-only: Argo never collects archived logs where no template declares an artifact with a \
         strategy, and these archive some: main. See: kubectl argo-gc explain logs-only",
        "7-keys.json shared-key: every run of these templates writes the same key, and collecting one run deletes what \
         a later one wrote: main. See: kubectl argo-gc explain shared-key",
        "8-storage.yaml unsupported-driver: artifacts of these templates have a strategy, and Argo can not delete from \
         their storage: main. See: kubectl argo-gc explain unsupported-driver",
    ];
    assert_eq!(refused, expected);
    for (at, (file, object)) in manifests(&folder.join("clean")).into_iter().enumerate() {
        let answer = guarded.create(&unwritten(object, at)).await;
        assert!(answer.status < 300 && answer.warnings.is_empty(), "{file}: {answer:?}");
    }
    assert_eq!(guarded.errors().await, [""; 0]);
}

/// A false refusal is worse than a missed leak: where it depends on what a policy can't see, everything passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn what_may_be_right_passes_on_apiserver() {
    let guarded = Guarded::start().await;
    guarded.guard(&["--action", "deny", "--rule", &RULES.join(",")]).await;
    let artifact = "/templates/0/outputs/artifacts/0";
    let unused = json!({ "name": "unused", "container": {}, "outputs": { "artifacts": [{ "name": "o", "path": "/o" }] } });
    let call = json!({ "name": "main", "steps": [[{ "name": "a", "templateRef": { "name": "t", "template": "t" } }]] });
    // A rule, what makes its mistake none, and where.
    let cases = [
        ("inline", "/templates/0/steps/0/0/template", json!("main")),
        (
            "inline",
            "/templates/0/steps/0/0/inline/outputs/artifacts/0/artifactGC",
            json!({ "strategy": "Never" }),
        ),
        ("logs-only", "/templates/1", unused),
        ("logs-only", "/templates/1", call.clone()),
        ("logs-only", "/archiveLogs", json!(null)),
        ("logs-only", "/templates/0/archiveLocation", json!({ "archiveLogs": false })),
        ("logs-only", "/templateDefaults", json!({ "outputs": {} })),
        ("logs-only", "/artifactGC/strategy", json!("Never")),
        ("shared-key", &format!("{artifact}/s3/key"), json!("{{pod.name}}/o")),
        ("shared-key", &format!("{artifact}/s3/key"), json!("{{inputs.parameters.day}}")),
        ("shared-key", &format!("{artifact}/s3/key"), json!("{{=workflow.name}}")),
        ("shared-key", &format!("{artifact}/s3/key"), json!("")),
        ("shared-key", &format!("{artifact}/artifactGC"), json!({ "strategy": "Never" })),
        ("shared-key", "/entrypoint", json!("another")),
        // The repository takes the place of what is not complete.
        ("shared-key", &format!("{artifact}/s3"), json!(null)),
        ("unsupported-driver", &format!("{artifact}/http"), json!({ "headers": [] })),
        ("unsupported-driver", &format!("{artifact}/artifactGC"), json!({ "strategy": "Never" })),
        ("no-strategy", &format!("{artifact}/artifactGC"), json!({ "strategy": "Never" })),
        ("no-strategy", "/workflowTemplateRef", json!({ "name": "t" })),
        ("force-no-pod", &format!("{artifact}/optional"), json!(false)),
        ("force-no-pod", "/archiveLogs", json!(true)),
        ("force-no-pod", "/templates/1", call),
        ("force-no-pod", "/artifactGC/strategy", json!("Never")),
        ("force-no-pod", "/hooks", json!({ "exit": { "templateRef": { "name": "t", "template": "t" } } })),
    ];
    for (rule, place, value) in cases {
        let mut spec = mistaken(rule);
        set(&mut spec, place, value.clone());
        if place == "/workflowTemplateRef" {
            spec.as_object_mut().unwrap().remove("templates");
        }
        let answer = guarded.create(&object("Workflow", "right", &spec)).await;
        assert_eq!(answer.status, 201, "{rule} {place} {value}: {answer:?}");
    }
    for location in [
        json!({ "hdfs": { "path": "/o" } }),
        json!({ "artifactory": { "url": "https://example.com" } }),
        json!({ "git": { "revision": "r" } }),
    ] {
        let mut spec = clean();
        merge(&mut spec["templates"][0]["outputs"]["artifacts"][0], location.clone());
        let answer = guarded.create(&object("Workflow", "right", &spec)).await;
        assert_eq!(answer.status, 201, "{location}: {answer:?}");
    }
    assert_eq!(guarded.errors().await, [""; 0]);
}

/// Sets a value within a spec; null removes it.
fn set(spec: &mut Value, place: &str, value: Value) {
    let (parent, field) = place.rsplit_once('/').unwrap();
    match spec.pointer_mut(parent).unwrap() {
        Value::Array(items) => items.insert(field.parse().unwrap(), value),
        parent if value.is_null() => drop(parent.as_object_mut().unwrap().remove(field)),
        parent => parent[field] = value,
    }
}

/// As kubectl shows it: the warning on standard error, the object made; or the error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn every_rule_is_told_of_every_kind_that_it_is_about_on_apiserver() {
    let guarded = Guarded::start().await;
    guarded.guard(&["--action", "warn", "--rule", &RULES.join(",")]).await;
    for kind in ["Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"] {
        let answer = guarded.create(&object(kind, "clean", &clean())).await;
        assert!(answer.status < 300 && answer.warnings.is_empty(), "{kind}: {answer:?}");
        for rule in RULES {
            let answer = guarded.create(&object(kind, "breaks", &mistaken(rule))).await;
            assert_eq!(
                (answer.status, answer.broken()),
                (201, BTreeSet::from([rule.to_owned()])),
                "{kind}: {answer:?}"
            );
            assert!(
                answer.warnings[0].contains("main")
                    && answer.warnings[0].contains("kubectl argo-gc explain ")
            );
        }
    }
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), breaking("inline").to_string()).unwrap();
    let create = || {
        let file = file.path().to_str().unwrap();
        Ran::of(guarded.server.kubectl(["create", "--dry-run=server", "-n", NAMESPACE, "-f", file]))
    };
    let warned = create().ends_with(0);
    assert!(
        warned.err.starts_with("Warning: Validation failed for ValidatingAdmissionPolicy 'argo-gc-inline'")
    );
    guarded.guard(&["--action", "deny"]).await;
    let refused = create().ends_with(1);
    assert!(refused.err.contains("kubectl argo-gc explain inline-only"), "{}", refused.err);
    // They leave as docs/admission.md says.
    let words = [
        "delete",
        "validatingadmissionpolicies,validatingadmissionpolicybindings",
        "-l",
        "app.kubernetes.io/name=argo-gc",
    ];
    Ran::of(guarded.server.kubectl(words)).ends_with(0);
    let start = Instant::now();
    while create().code != Some(0) {
        assert!(start.elapsed() < Duration::from_secs(120), "it is still refused");
    }
}

/// What is there goes on: a policy looks at what is new only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn what_was_there_before_goes_on_and_exempt_is_exempt_on_apiserver() {
    let guarded = Guarded::start().await;
    let create = async |object: &Value| guarded.send(Method::POST, &path(object), object).await;
    let update = async |object: &Value, change: Value| {
        let path = format!("{}/{}", path(object), object["metadata"]["name"].as_str().unwrap());
        let mut now = guarded.server.get(&path).unwrap();
        merge(&mut now, change);
        guarded.send(Method::PUT, &path, &now).await
    };
    let old = |kind: &str| object(kind, "old", &mistaken("inline"));
    for kind in ["Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"] {
        assert_eq!(create(&old(kind)).await.status, 201);
    }
    guarded.guard(&["--action", "deny", "--exempt-namespaces", "default"]).await;
    // The controller's updates, which set defaults in the spec too, and those that stop or suspend.
    let stop =
        json!({ "spec": { "shutdown": "Terminate", "ttlStrategy": {} }, "status": { "phase": "Running" } });
    assert_eq!(update(&old("Workflow"), stop).await.status, 200);
    let suspend = json!({ "spec": { "suspend": true }, "status": { "active": [] } });
    assert_eq!(update(&old("CronWorkflow"), suspend).await.status, 200);
    for kind in ["CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"] {
        let label = json!({ "metadata": { "labels": { "team": "ml" } } });
        assert_eq!(update(&old(kind), label).await.status, 200);
        let spec = json!({ "ttlStrategy": { "secondsAfterCompletion": 1 } });
        let change = if kind == "CronWorkflow" { json!({ "workflowSpec": spec }) } else { spec };
        let change = json!({ "spec": change });
        assert_eq!(update(&old(kind), change.clone()).await.status, 422, "{kind}");
        let mut exempt = change;
        exempt["metadata"] = json!({ "labels": { "argo-gc/exempt": "until-march" } });
        assert_eq!(update(&old(kind), exempt).await.status, 200, "{kind}");
    }
    // Runs of a CronWorkflow, as its controller makes them.
    let mut run = object("Workflow", "old-1", &mistaken("inline"));
    let owner = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": "old", "uid": "u", "controller": true,
    });
    assert_eq!(guarded.create(&run).await.status, 422);
    run["metadata"]["ownerReferences"] = json!([owner]);
    assert_eq!(guarded.create(&run).await.status, 201);
    for (namespace, status) in [(NAMESPACE, 422), ("default", 201), ("kube-system", 201)] {
        let mut new = object("Workflow", "new", &mistaken("inline"));
        new["metadata"]["namespace"] = namespace.into();
        let answer = guarded.create(&new).await;
        assert_eq!(answer.status, status, "{namespace}: {answer:?}");
        new["metadata"]["labels"] = json!({ "argo-gc/exempt": "" });
        assert_eq!(guarded.create(&new).await.status, 201, "{namespace}");
    }
    assert_eq!(guarded.errors().await, [""; 0]);
}

fn merge(object: &mut Value, change: Value) {
    match (object, change) {
        (Value::Object(object), Value::Object(change)) => {
            change
                .into_iter()
                .for_each(|(name, value)| merge(object.entry(name).or_insert(Value::Null), value));
        }
        (object, change) => *object = change,
    }
}

/// A workflow whose tasks run so many templates in turn, each with artifacts of its own.
fn large(templates: usize) -> Value {
    let mut spec = clean();
    let mut list: Vec<Value> = Vec::new();
    let mut tasks: Vec<Value> = Vec::new();
    for at in 0..templates {
        let name = format!("preprocess-and-evaluate-{at}");
        let artifact = |kind: &str| {
            let key =
                format!("{{{{workflow.namespace}}}}/{{{{workflow.uid}}}}/{{{{pod.name}}}}/{name}/{kind}.tgz");
            json!({ "name": kind, "path": format!("/tmp/{kind}"), "s3": { "key": key } })
        };
        let artifacts: Vec<Value> = ["model", "report", "metrics"].into_iter().map(artifact).collect();
        let template =
            json!({ "name": name, "container": { "image": "x" }, "outputs": { "artifacts": artifacts } });
        list.push(template);
        let hooks = json!({ "exit": { "template": name } });
        tasks.push(json!({ "name": format!("t-{at}"), "template": name, "depends": "", "hooks": hooks }));
    }
    list.push(json!({ "name": "main", "dag": { "tasks": tasks } }));
    spec["templates"] = list.into();
    spec["archiveLogs"] = true.into();
    spec
}

/// Out of budget the server would let everything pass, and count it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn a_workflow_of_many_templates_is_within_the_servers_budget_on_apiserver() {
    let guarded = Guarded::start().await;
    guarded.guard(&["--action", "warn", "--rule", &RULES.join(",")]).await;
    for templates in [200, 400] {
        let answer = guarded.create(&object("Workflow", "large", &large(templates))).await;
        assert!(answer.status < 300 && answer.warnings.is_empty(), "{answer:?}");
        // Each is looked at to the end.
        let mut spec = large(templates);
        let last = &mut spec["templates"][templates - 1]["outputs"]["artifacts"];
        last[1]["http"] = json!({ "url": "https://example.com/o" });
        last[2]["s3"]["key"] = "latest.tgz".into();
        let answer = guarded.create(&object("Workflow", "large", &spec)).await;
        let broken = ["shared-key", "unsupported-driver"].map(str::to_owned);
        assert_eq!(answer.broken(), BTreeSet::from(broken), "{answer:?}");
        assert!(answer.warnings.iter().all(|text| text.contains(&format!("evaluate-{}", templates - 1))));
    }
    assert_eq!(guarded.errors().await, [""; 0]);
}

/// With `audit` nobody sees anything but whoever reads the server's log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn the_audit_log_has_what_is_only_audited_on_apiserver() {
    let guarded = Guarded::of(ApiServer::audited()).await;
    let group = "rbac.authorization.k8s.io";
    guarded.server.apply(json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": { "name": "alice" },
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": ALICE }],
    }));
    // When it is in force shows in the log only.
    let text = policies(&["--action", "audit", "--rule", "inline"]);
    Ran::with_input(guarded.server.kubectl(["apply", "-f", "-"]), text.as_str()).ends_with(0);
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), breaking("inline").to_string()).unwrap();
    let line = ["create", "--dry-run=server", "-n", NAMESPACE, "-f", file.path().to_str().unwrap()];
    let start = Instant::now();
    let told = loop {
        let ran = Ran::of(guarded.server.kubectl_as(ALICE, line));
        assert!(ran.code != Some(0) || ran.err.is_empty(), "{ran:?}");
        let found = guarded.server.audit().into_iter().find_map(|event| {
            Some(
                event["annotations"]["validation.policy.admission.k8s.io/validation_failure"]
                    .as_str()?
                    .to_owned(),
            )
        });
        if let Some(told) = found {
            break told;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{ran:?}");
    };
    assert!(told.contains("inline-only: ") && told.contains("kubectl argo-gc explain inline-only"), "{told}");
}
