//! `purge` and `orphans` with `--argo-server`: what the archive and offloaded nodes refer to counts, and what of
//! them could not be read is unread.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::argo::{ARCHIVE, ArgoServer, Knows, failure, leaking, offloaded};
use crate::support::gcs::Gcs;
use crate::support::kube::{ADMIN, ApiServer};
use crate::support::purge::{BUCKET, Folder, ago, deletes, pod, protections, within_the_run};
use crate::support::stub::{Reply, Stub};

const ALL: &str = "/apis/argoproj.io/v1alpha1/workflows";
const FINALIZER: &str = "workflows.argoproj.io/artifact-gc";
const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A controller that archives.
fn controller() -> [Value; 2] {
    let image = "quay.io/argoproj/workflow-controller:v3.7.14";
    let container = json!({ "name": "workflow-controller", "image": image });
    [
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "workflow-controller", "namespace": "argo" },
            "spec": {
                "selector": { "matchLabels": { "app": "workflow-controller" } },
                "template": {
                    "metadata": { "labels": { "app": "workflow-controller" } },
                    "spec": { "containers": [container] },
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "workflow-controller-configmap", "namespace": "argo" },
            "data": { "persistence": "archive: true\nnodeStatusOffLoad: true\npostgresql: {host: postgres}\n" },
        }),
    ]
}

/// A cluster of these workflows whose controller archives, and a folder for its buckets.
struct Place {
    stub: Stub,
    folder: Folder,
    workflows: Vec<Value>,
}

impl Place {
    fn new(workflows: &[Value]) -> Self {
        Self::answering(workflows, vec![Reply::page(workflows, "")])
    }

    /// The first list is one by label, and shows these.
    fn labelled(workflows: &[Value], labelled: &[Value]) -> Self {
        Self::answering(workflows, vec![Reply::page(labelled, ""), Reply::page(workflows, "")])
    }

    fn answering(workflows: &[Value], lists: Vec<Reply>) -> Self {
        let [deployment, config] = controller();
        let mut replies = vec![
            (ALL.to_owned(), lists),
            ("/apis/apps/v1/deployments".to_owned(), vec![Reply::page(&[deployment], "")]),
            (
                "/api/v1/namespaces/argo/configmaps/workflow-controller-configmap".to_owned(),
                vec![Reply::json(200, &config)],
            ),
        ];
        for workflow in workflows {
            let name = workflow["metadata"]["name"].as_str().unwrap();
            let path = format!("/apis/argoproj.io/v1alpha1/namespaces/ml/workflows/{name}");
            replies.push((path, vec![Reply::json(200, workflow)]));
        }
        let archived = "/apis/argoproj.io/v1alpha1/namespaces/ml/workflows/argo-p-arch".to_owned();
        if !replies.iter().any(|(path, _)| *path == archived) {
            replies.push((
                archived,
                vec![Reply::status(404, "NotFound", "workflows \"argo-p-arch\" not found")],
            ));
        }
        Self { stub: Stub::start(replies), folder: Folder::new(), workflows: workflows.to_vec() }
    }

    /// The cluster's Argo server.
    fn argo(&self, mut knows: Knows) -> ArgoServer {
        for workflow in &self.workflows {
            let same = |other: &Value| other["metadata"]["name"] == workflow["metadata"]["name"];
            if !knows.live.iter().any(same) {
                knows.live.push(workflow.clone());
            }
        }
        ArgoServer::start(knows)
    }

    fn run(&self, argo: Option<&ArgoServer>, words: &str) -> Ran {
        let config = self.stub.path("kubeconfig");
        std::fs::write(&config, self.stub.config(&json!({})).to_string()).unwrap();
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        let mut command = crate::support::plugin([verb, "--kubeconfig"]);
        command.arg(config).arg("--store-root").arg(self.folder.bucket(BUCKET).parent().unwrap());
        command.args(rest.split_whitespace());
        if verb == "purge" && !rest.contains("--plan ") {
            // The controller's configuration names no repository.
            command.args(["--repository", &format!("gs://{BUCKET}")]);
        }
        if let Some(argo) = argo {
            command.env("ARGO_SERVER", argo.url());
        }
        command.env("XDG_STATE_HOME", self.stub.path("state")).env_remove("STORAGE_EMULATOR_HOST");
        Ran::of(command)
    }

    fn plan(&self) -> String {
        self.stub.path("plan.json").display().to_string()
    }

    /// The JSON patches sent to workflows.
    fn patches(&self) -> usize {
        self.stub.requests().iter().filter(|seen| seen.method == "PATCH").count()
    }
}

fn archive(workflows: Vec<Value>) -> Knows {
    Knows { archive: Some(workflows), ..Knows::default() }
}

fn reading(name: &str, key: &str) -> Value {
    let mut workflow = leaking(name);
    pod(&mut workflow)["inputs"] = json!({ "artifacts": [{ "name": "in", "gcs": { "key": key } }] });
    workflow
}

#[test]
fn an_archive_read_whole_needs_no_accepting() {
    let train = leaking("argo-p-whole");
    let place = Place::new(std::slice::from_ref(&train));
    place.folder.put("argo/argo-p-whole/1/a.tgz");
    let without = place.run(None, "purge --all --yes").ends_with(5);
    assert!(without.err.contains("archive: the controller archives workflows, and only an Argo server"));
    assert!(without.err.contains("--accept-unread archive"), "{}", without.err);
    // Its own record in the archive is no other's reference.
    let argo = place.argo(archive(vec![train, leaking("argo-p-gone")]));
    let ran = place.run(Some(&argo), "purge --all --yes --chunk-size 1").ends_with(0);
    assert!(ran.out.contains("Deleted 1 object "), "{}{}", ran.out, ran.err);
    assert!(!place.folder.has("argo/argo-p-whole/1/a.tgz"));
}

#[test]
fn what_an_archived_workflow_refers_to_stays() {
    let place = Place::new(&[leaking("argo-p-read"), leaking("argo-p-free")]);
    place.folder.put("argo/argo-p-read/1/a.tgz");
    place.folder.put("argo/argo-p-free/1/a.tgz");
    let argo = place.argo(archive(vec![reading("argo-p-old", "argo/argo-p-read/1/a.tgz")]));
    let plan = place.run(Some(&argo), "purge --all --dry-run -o json").ends_with(0).json();
    assert_eq!(deletes(&plan), ["argo/argo-p-free/1/a.tgz"]);
    let kept = plan["workflows"].as_array().unwrap().iter().flat_map(|wf| wf["keep"].as_array().unwrap());
    let details: Vec<&str> = kept.map(|kept| kept["detail"].as_str().unwrap_or_default()).collect();
    assert!(details.iter().any(|detail| detail.contains("archived workflow ml/argo-p-old")), "{details:?}");
}

#[test]
fn archived_workflows_are_selected_and_kept() {
    let place = Place::new(&[leaking("argo-p-live")]);
    place.folder.put("argo/argo-p-arch/1/a.tgz");
    let mut old = leaking("argo-p-arch");
    // Nobody ever asked for collection.
    old["spec"].as_object_mut().unwrap().remove("artifactGC");
    let argo = place.argo(archive(vec![old.clone()]));
    let plan = place.run(Some(&argo), "purge argo-p-arch --dry-run -o json").ends_with(0).json();
    assert_eq!((deletes(&plan), protections(&plan)), (vec![], vec!["archived".to_owned()]));
    place.run(Some(&argo), "purge argo-p-arch --yes").ends_with(0);
    assert!(place.folder.has("argo/argo-p-arch/1/a.tgz"));
    let ran = place.run(Some(&argo), "purge argo-p-nowhere --yes");
    ran.assert(1, "error: workflow \"argo-p-nowhere\" not found");
    // Retried since: what the archive says of it selects nothing.
    let mut again = old.clone();
    again["status"]["phase"] = json!("Running");
    let place = Place::new(&[again]);
    let argo = place.argo(archive(vec![old]));
    let plan = place.run(Some(&argo), "purge --status Succeeded --dry-run -o json").ends_with(0).json();
    assert_eq!(plan["workflows"], json!([]));
}

#[test]
fn archived_workflows_are_purged_where_that_is_asked_for() {
    let place = Place::new(&[leaking("argo-p-live")]);
    let key = "argo/argo-p-arch/1/a.tgz";
    place.folder.put(key);
    let argo = place.argo(archive(vec![leaking("argo-p-arch")]));
    let without = place.run(None, "purge argo-p-arch --archived --yes --accept-unread archive").ends_with(2);
    assert!(without.err.contains("--argo-server"), "{}", without.err);
    place.run(Some(&argo), "purge argo-p-arch --yes").ends_with(0);
    assert!(place.folder.has(key), "only where it is asked for");
    let plan = place.plan();
    place.run(Some(&argo), &format!("purge argo-p-arch --archived --plan-out {plan}")).ends_with(0);
    let ran = place.run(Some(&argo), &format!("purge --plan {plan} --yes")).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object "), "{}{}", ran.out, ran.err);
    assert!(!place.folder.has(key));
    assert_eq!(place.patches(), 0);
    // Brought back to life after the list was read, by `argo retry` for one.
    let (live, again) = (leaking("argo-p-live"), leaking("argo-p-arch"));
    let place = Place::answering(&[live.clone(), again.clone()], vec![Reply::page(&[live], "")]);
    place.folder.put(key);
    let argo = place.argo(archive(vec![again]));
    let ran = place.run(Some(&argo), "purge argo-p-arch --archived --yes").ends_with(4);
    assert!(ran.err.contains("there is a workflow of its name again"), "{}{}", ran.out, ran.err);
    assert!(place.folder.has(key));
}

/// All that can go wrong with an archive, and how the refusal names it.
fn failures() -> Vec<(&'static str, Knows)> {
    let one = || archive(vec![leaking("argo-p-1"), leaking("argo-p-2"), leaking("argo-p-3")]);
    let of_one = || format!("{ARCHIVE}/uid-ml-argo-p-2");
    let fault =
        |path: String, from: usize, reply: Reply| Knows { faults: vec![(path, from, reply)], ..one() };
    let mut another = leaking("argo-p-2");
    another["metadata"]["uid"] = json!("another");
    // A last page that leaves rows out.
    let short = json!({ "metadata": {}, "items": [] });
    vec![
        ("Unauthorized", Knows { token: Some("x".into()), ..one() }),
        ("(Forbidden): permission denied", fault(ARCHIVE.into(), 0, failure(403, 7, "permission denied"))),
        ("(NotFound): not found", fault(of_one(), 0, failure(404, 5, "not found"))),
        ("(Forbidden): permission denied", fault(of_one(), 0, failure(403, 7, "permission denied"))),
        ("Unable to connect", fault(ARCHIVE.into(), 1, Reply::json(200, &short).cut())),
        (
            "sent no whole page of the archive",
            fault(ARCHIVE.into(), 0, Reply::text(200, "application/json", "{\"metadata\":{},\"items\":[{")),
        ),
        ("only 1 of 3 archived workflows were shown", fault(ARCHIVE.into(), 1, Reply::json(200, &short))),
        (
            "sent no whole workflow",
            fault(of_one(), 0, Reply::text(200, "application/json", "{\"metadata\":")),
        ),
        ("answered with a workflow other than", fault(of_one(), 0, Reply::json(200, &another))),
        ("not as an Argo server does", fault(ARCHIVE.into(), 0, Reply::text(200, "text/html", "<html>"))),
        ("the Argo server has no archive", Knows { archive: None, ..Knows::default() }),
        ("shows only what was archived of \"ci\"", Knows { managed_namespace: "ci".into(), ..one() }),
    ]
}

#[test]
fn whatever_goes_wrong_leaves_the_archive_unread() {
    let place = Place::new(&[leaking("argo-p-fail")]);
    place.folder.put("argo/argo-p-fail/1/a.tgz");
    for (why, knows) in failures() {
        let argo = place.argo(knows);
        let ran = place.run(Some(&argo), "purge --all --yes --chunk-size 1").ends_with(5);
        assert!(
            ran.err.contains("refers to these artifacts: archive: ") && ran.err.contains(why),
            "{why}: {}",
            ran.err
        );
        assert!(ran.err.contains("--accept-unread archive"), "{}", ran.err);
    }
    assert!(place.folder.has("argo/argo-p-fail/1/a.tgz"));
    let (_, knows) = failures().swap_remove(1);
    let argo = place.argo(knows);
    place.run(Some(&argo), "purge --all --yes --accept-unread archive").ends_with(0);
    assert!(!place.folder.has("argo/argo-p-fail/1/a.tgz"));
}

#[test]
fn who_is_not_let_in_is_told_what_to_do() {
    let place = Place::new(&[leaking("argo-p-hint")]);
    let argo = place.argo(Knows { token: Some("x".into()), ..Knows::default() });
    let ran = place.run(Some(&argo), "purge --all --yes").ends_with(5);
    assert!(ran.err.contains("hint: set ARGO_TOKEN to what `argo auth token` prints"), "{}", ran.err);
}

#[test]
fn offloaded_nodes_that_were_filled_in_are_purged_and_not_written() {
    let mut heavy = leaking("argo-p-heavy");
    heavy["metadata"]["finalizers"] = json!([FINALIZER]);
    heavy["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    heavy["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    let place = Place::new(&[offloaded(&heavy), reading("argo-p-other", "argo/elsewhere/a.tgz")]);
    let key = "argo/argo-p-heavy/1/a.tgz";
    place.folder.put(key);
    // Without its nodes it may refer to anything.
    let nodes = "/api/v1/workflows/ml/argo-p-heavy".to_owned();
    let faults = vec![(nodes, 0, failure(500, 13, "offload node status is not supported"))];
    let argo = place.argo(Knows { faults, ..Knows::default() });
    let ran = place.run(Some(&argo), "purge --all --yes").ends_with(5);
    assert!(ran.err.contains("nodes: workflow ml/argo-p-heavy: node status is offloaded"), "{}", ran.err);
    assert!(ran.err.contains("offload node status is not supported"), "{}", ran.err);
    let without = place.run(None, "purge --all --yes --accept-unread archive").ends_with(5);
    assert!(without.err.contains("nodes: workflow ml/argo-p-heavy"), "{}", without.err);

    let argo = place.argo(Knows { live: vec![heavy], ..Knows::default() });
    let ran = place.run(Some(&argo), "purge argo-p-heavy --yes --release-finalizer").ends_with(0);
    assert!(ran.out.contains("Deleted 1 object "), "{}{}", ran.out, ran.err);
    assert!(!place.folder.has(key));
    assert!(
        ran.err.contains(
            "Note: ml/argo-p-heavy: its nodes are in the controller's database, so nothing was recorded"
        ),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("Released 1 finalizer"), "{}{}", ran.out, ran.err);
    assert_eq!(place.patches(), 1);
}

#[test]
fn what_can_not_be_recorded_is_gone_all_the_same_and_its_finalizer_is_told_of() {
    let mut heavy = leaking("argo-p-kept");
    heavy["metadata"]["finalizers"] = json!([FINALIZER]);
    let free = leaking("argo-p-free");
    let place = Place::new(&[offloaded(&heavy), offloaded(&free)]);
    place.folder.put("argo/argo-p-kept/1/a.tgz");
    place.folder.put("argo/argo-p-free/1/a.tgz");
    let argo = place.argo(Knows { live: vec![heavy, free], ..Knows::default() });
    let check = "inspect -A --check --fail-on uncovered";
    place.run(Some(&argo), check).ends_with(3);
    let ran = place.run(Some(&argo), "purge --all --yes").ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects "), "{}{}", ran.out, ran.err);
    let told = "Note: 1 workflow can't record that artifacts are gone";
    assert!(ran.err.contains(told) && ran.err.contains("`argo delete --force NAME`"), "{}", ran.err);
    place.run(Some(&argo), check).ends_with(0);
}

#[test]
fn a_finalizer_stays_while_the_nodes_can_not_be_seen() {
    let mut heavy = leaking("argo-p-late");
    heavy["metadata"]["finalizers"] = json!([FINALIZER]);
    heavy["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowDeletion": true } });
    heavy["metadata"]["deletionTimestamp"] = json!(ago(within_the_run()));
    let place = Place::new(&[offloaded(&heavy)]);
    place.folder.put("argo/argo-p-late/1/a.tgz");
    // The database goes away once the plan is made.
    let nodes = "/api/v1/workflows/ml/argo-p-late".to_owned();
    let faults = vec![(nodes, 1, failure(500, 13, "connection to the database lost"))];
    let argo = place.argo(Knows { live: vec![heavy], faults, ..Knows::default() });
    let ran = place.run(Some(&argo), "purge argo-p-late --yes --release-finalizer");
    assert!(
        ran.err.contains("its nodes can't be read: Error from the Argo server"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert!(ran.err.contains("the finalizer is kept"), "{}", ran.err);
    assert_eq!(place.patches(), 0);
}

#[test]
fn a_saved_plan_looks_into_the_archive_again() {
    let place = Place::new(&[leaking("argo-p-saved")]);
    let key = "argo/argo-p-saved/1/a.tgz";
    place.folder.put(key);
    let argo = place.argo(archive(vec![leaking("argo-p-old")]));
    let plan = place.plan();
    place.run(Some(&argo), &format!("purge --all --plan-out {plan}")).ends_with(0);
    let apply = |argo: Option<&ArgoServer>| place.run(argo, &format!("purge --plan {plan} --yes"));
    // Who made the plan saw the archive; who applies it must, too.
    let ran = apply(None).ends_with(5);
    assert!(ran.err.contains("archive: the controller archives workflows"), "{}", ran.err);
    argo.change(|knows| knows.faults.push((ARCHIVE.to_owned(), 0, failure(403, 7, "permission denied"))));
    assert!(apply(Some(&argo)).ends_with(5).err.contains("permission denied"));
    argo.change(|knows| {
        knows.faults.clear();
        knows.archive.as_mut().unwrap().push(reading("argo-p-new", key));
    });
    apply(Some(&argo));
    assert!(place.folder.has(key), "by now an archived workflow refers to it");
    argo.change(|knows| drop(knows.archive.as_mut().unwrap().pop()));
    apply(Some(&argo)).ends_with(0);
    assert!(!place.folder.has(key));
    // What was accepted as unread when the plan was made is so still.
    place.folder.put(key);
    place.run(None, &format!("purge --all --plan-out {plan} --accept-unread archive")).ends_with(0);
    apply(None).ends_with(0);
    assert!(!place.folder.has(key));
}

fn orphans(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let orphans = document["repositories"][0]["orphans"].as_array().unwrap();
    orphans.iter().map(|orphan| orphan["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_only_an_archived_workflow_refers_to_is_no_orphan() {
    let heavy = leaking("argo-o-heavy");
    let place = Place::new(&[offloaded(&heavy)]);
    let keys = [
        "argo/argo-o-heavy/argo-o-heavy-1/a.tgz",
        "argo/argo-o-arch/argo-o-arch-1/a.tgz",
        "argo/argo-o-gone/argo-o-gone-1/a.tgz",
    ];
    keys.iter().for_each(|key| place.folder.put_at(BUCKET, key, OLD));
    let argo = place.argo(Knows { live: vec![heavy], ..archive(vec![leaking("argo-o-arch")]) });
    let words = format!("orphans --repository gs://{BUCKET}/argo --exclusive -o json");
    let ran = place.run(Some(&argo), &words).ends_with(0);
    assert_eq!(orphans(&ran), ["argo-o-gone"]);
    assert_eq!(ran.json()["offered"], true, "{}", ran.err);
    let plan = place.plan();
    place.run(Some(&argo), &format!("{words} --plan-out {plan}")).ends_with(0);
    // Without the server nothing is certain, and nothing is offered.
    let ran = place.run(None, &words).ends_with(0);
    assert_eq!(ran.json()["offered"], false);
    // Nor does the plan go through by then.
    let apply = |argo: Option<&ArgoServer>| {
        place.run(argo, &format!("purge --plan {plan} --yes --accept-unread archive,nodes"))
    };
    assert!(apply(None).ends_with(5).err.contains("it is unknown whether these are still orphans"));
    argo.change(|knows| {
        let gone = format!("{ARCHIVE}/uid-ml-argo-o-arch");
        knows.faults.push((gone, 0, failure(404, 5, "not found")));
    });
    assert!(apply(Some(&argo)).ends_with(5).err.contains("archive: archived workflow ml/argo-o-arch"));
    argo.change(|knows| knows.faults.clear());
    apply(Some(&argo)).ends_with(0);
    assert_eq!(keys.map(|key| place.folder.has(key)), [true, true, false]);
}

#[test]
fn a_half_read_archive_offers_nothing() {
    let place = Place::new(&[]);
    place.folder.put_at(BUCKET, "argo/argo-o-half/1/a.tgz", OLD);
    let plan = place.plan();
    for (why, knows) in failures() {
        let argo = place.argo(knows);
        let words = format!(
            "orphans --repository gs://{BUCKET}/argo --exclusive --chunk-size 1 --plan-out {plan} -o json"
        );
        let ran = place.run(Some(&argo), &words).ends_with(5);
        assert_eq!(ran.json()["offered"], false, "{why}");
        assert!(
            ran.err.contains("Nothing is offered for deletion") && ran.err.contains(why),
            "{why}: {}",
            ran.err
        );
    }
    assert!(!std::path::Path::new(&plan).exists());
}

#[test]
fn the_archive_of_another_cluster_is_not_this_ones() {
    let place = Place::new(&[leaking("argo-p-mine")]);
    place.folder.put("argo/argo-p-mine/1/a.tgz");
    let mut other = leaking("argo-p-mine");
    other["metadata"]["uid"] = json!("of-the-other");
    for live in [vec![other], vec![leaking("argo-p-theirs")], vec![]] {
        let argo = ArgoServer::start(Knows { live, ..archive(vec![leaking("argo-p-old")]) });
        let ran = place.run(Some(&argo), "purge --all --yes").ends_with(5);
        assert!(ran.err.contains("is not this cluster's"), "{}", ran.err);
        let ran = place.run(Some(&argo), "inspect -A -o json").ends_with(0);
        assert_eq!(ran.json()["workflows"].as_array().unwrap().len(), 1);
        assert!(ran.err.contains("Warning: cannot read archived workflows"), "{}", ran.err);
    }
    assert!(place.folder.has("argo/argo-p-mine/1/a.tgz"));
    // Nor is a cluster without workflows one with some.
    let empty = Place::new(&[]);
    let orphans = format!("orphans --repository gs://{BUCKET}/argo --exclusive -o json");
    let offered = |knows: Knows| {
        empty.run(Some(&ArgoServer::start(knows)), &orphans).ends_with(0).json()["offered"].clone()
    };
    assert_eq!(offered(archive(vec![leaking("argo-p-old")])), json!(true));
    assert_eq!(offered(Knows { live: vec![leaking("argo-p-theirs")], ..archive(vec![]) }), json!(false));
}

#[test]
fn a_label_the_archive_kept_selects_no_live_workflow() {
    let labels = "workflows.argoproj.io/workflow-archiving-status";
    let mut old = leaking("argo-p-label");
    old["metadata"]["labels"]["app"] = json!("etl");
    old["metadata"]["labels"][labels] = json!("Pending");
    // The cluster's list by label is empty, the one of everything is not: labels changed since.
    let place = Place::labelled(&[leaking("argo-p-label")], &[]);
    place.folder.put("argo/argo-p-label/1/a.tgz");
    let argo = place.argo(archive(vec![old]));
    let plan = place.run(Some(&argo), "purge -A -l app=etl --dry-run -o json").ends_with(0).json();
    assert_eq!(deletes(&plan), [""; 0]);
    assert_eq!(argo.requests_to(ARCHIVE)[0].asked()["listOptions.labelSelector"], "app=etl");
}

/// Kubernetes and the object store are real, and kubectl runs the plugin.
#[test]
#[ignore = "tests/run brings what it needs"]
fn with_a_real_cluster_an_offloaded_workflow_is_seen_purged_and_left_as_it_is_on_apiserver_and_fake_gcs() {
    let (server, gcs) = (ApiServer::start(), Gcs::start());
    gcs.bucket(BUCKET);
    server.apply(controller().to_vec());
    let heavy = leaking("argo-live-heavy");
    let [there] = &server.apply(offloaded(&heavy))[..] else { panic!("one workflow") };
    let mut whole = heavy;
    whole["metadata"] = there["metadata"].clone();
    let keys = [
        "argo/argo-live-heavy/1/a.tgz",
        "argo/argo-live-arch/1/a.tgz",
        "argo/argo-live-gone/argo-live-gone-1/a.tgz",
    ];
    for (key, age) in keys.iter().zip([within_the_run(), OLD, OLD]) {
        gcs.put(BUCKET, key, key);
        gcs.created(BUCKET, key, &ago(age));
    }
    let argo = ArgoServer::start(Knows {
        live: vec![whole],
        token: Some("admin-token".into()),
        ..archive(vec![leaking("argo-live-arch")])
    });
    let state = tempfile::tempdir().unwrap();
    let argo_gc = |arguments: &str, argo: Option<&ArgoServer>| {
        let words = ["argo-gc"].into_iter().chain(arguments.split_whitespace());
        let mut command = server.kubectl_as(ADMIN, words);
        command.env("STORAGE_EMULATOR_HOST", gcs.url()).env("XDG_STATE_HOME", state.path());
        if let Some(argo) = argo {
            command.env("ARGO_SERVER", argo.address.to_string()).env("ARGO_SECURE", "false");
        }
        Ran::of(command)
    };
    let shown = argo_gc("inspect -A", None).ends_with(0).out;
    assert!(shown.contains("nodes-offloaded"), "{shown}");
    let shown = argo_gc("inspect -A", Some(&argo)).ends_with(0).out;
    assert!(shown.contains("inline-only") && shown.contains("archived-stale"), "{shown}");
    let purge = format!("purge -n ml --all --yes --repository gs://{BUCKET}");
    argo_gc(&purge, None).ends_with(5);
    let ran = argo_gc(&purge, Some(&argo)).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object "), "{}{}", ran.out, ran.err);
    assert_eq!(gcs.keys(BUCKET), [keys[1], keys[2]]);
    let now = server.get("/apis/argoproj.io/v1alpha1/namespaces/ml/workflows/argo-live-heavy").unwrap();
    assert_eq!(now["status"], there["status"], "nothing is written into an offloaded status");
    let plan = state.path().join("plan.json").display().to_string();
    argo_gc(&format!("orphans --repository gs://{BUCKET}/argo --exclusive --plan-out {plan}"), Some(&argo))
        .ends_with(0);
    argo_gc(&format!("purge --plan {plan} --yes"), Some(&argo)).ends_with(0);
    assert_eq!(gcs.keys(BUCKET), [keys[1]]);
}
