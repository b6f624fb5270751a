//! Plans that are carried out by several, or by others.

use serde_json::{Value, json};

use crate::support::argo::{ArgoServer, Knows};
use crate::support::plugin;
use crate::support::purge::{Live, Ran, deletes};

/// Six workflows with an object each, planned but not purged.
fn planned(namespace: &'static str) -> (Live, String, Vec<String>) {
    let live = Live::start(namespace);
    live.gcs.bucket(namespace);
    let keys: Vec<String> = (0..6).map(|at| format!("{namespace}-{at}/a,b.tgz")).collect();
    for (at, key) in keys.iter().enumerate() {
        live.server.apply(live.workflow(&format!("{namespace}-{at}"), &[key]));
        live.put(key);
    }
    let plan = live.file("plan.json");
    live.purge(&["--all", "--plan-out", &plan]).ends_with(0);
    (live, plan, keys)
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn shards_delete_all_of_a_plan_and_each_its_own_on_apiserver_and_fake_gcs() {
    let (live, plan, keys) = planned("engine-shards");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    assert_eq!(deletes(&document), keys);
    let mut gone = 0;
    for shard in ["1/3", "2/3", "3/3"] {
        let before = live.gcs.keys(live.namespace).len();
        let shown =
            live.purge(&["--plan", &plan, "--shard", shard, "--dry-run", "-o", "json"]).ends_with(0).json();
        let own = deletes(&shown).len();
        live.purge(&["--plan", &plan, "--shard", shard, "--yes"]).ends_with(0);
        assert_eq!(before - live.gcs.keys(live.namespace).len(), own, "{shard}");
        gone += own;
        // Again it finds gone what is gone.
        live.purge(&["--plan", &plan, "--shard", shard, "--yes"]).ends_with(0);
    }
    assert_eq!((gone, live.gcs.keys(live.namespace).len()), (6, 0));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    live.was_careful(&keys);
    for wrong in [&["--shard", "1/3", "--all"][..], &["--plan", &plan, "--shard", "4/3"]] {
        live.purge(wrong).ends_with(2);
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_batch_job_names_every_generation_and_deletes_nothing_itself_on_apiserver_and_fake_gcs() {
    let (live, plan, keys) = planned("engine-batch");
    // Of what changed since, nothing is handed over.
    let mut reader = live.workflow("engine-batch-reader", &[]);
    crate::support::purge::pod(&mut reader)["inputs"] =
        serde_json::json!({ "artifacts": [{ "name": "in", "gcs": { "key": keys[5] } }] });
    live.server.apply(reader);
    let folder = live.file("batch");
    let arguments = ["--plan", &plan, "--engine", "gcs-batch", "--engine-out", &folder];
    let ran = live.purge(&arguments).ends_with(0);
    assert!(
        ran.err.contains("Nothing was deleted") && ran.out.contains("--delete-object"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert!(live.gcs.deletes().is_empty());
    let manifest = std::fs::read_to_string(format!("{folder}/engine-batch.csv")).unwrap();
    let mut want: Vec<String> = keys[..5]
        .iter()
        .map(|key| {
            let object = live.gcs.get(live.namespace, key).unwrap();
            format!("engine-batch,\"{key}\",{}", object["generation"].as_str().unwrap())
        })
        .collect();
    want.insert(0, "bucket,name,generation".to_owned());
    let mut lines: Vec<&str> = manifest.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(lines, want);
    let request: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}/engine-batch.json")).unwrap())
            .unwrap();
    assert_eq!(request["deleteObject"]["permanentObjectDeletionEnabled"], false);
    // Files are never written over.
    live.purge(&arguments).ends_with(1);
    live.purge(&["--all", "--engine", "gcs-batch"]).ends_with(2);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_workflow_of_shards_is_one_that_the_server_takes_and_its_commands_purge_on_apiserver_and_fake_gcs() {
    let (live, plan, _) = planned("engine-argo");
    let location = "gs://plans/argo-gc/plan.json";
    let arguments = [
        "--plan",
        &plan,
        "--engine",
        "argo",
        "--plan-location",
        location,
        "--shards",
        "2",
        "--image",
        "example/argo-gc:1",
    ];
    let ran = live.purge(&arguments).ends_with(0);
    assert!(live.gcs.deletes().is_empty());
    let manifest = live.file("purge.yaml");
    std::fs::write(&manifest, &ran.out).unwrap();
    let line = ["create", "-n", live.namespace, "-f", &manifest, "--dry-run=server"];
    let created = crate::support::stdout(live.server.kubectl(line));
    assert!(created.contains("created (server dry run)"), "{created}");
    // Nothing is left of the words that stood for something.
    assert!(!ran.out.contains('@'), "{}", ran.out);
    let workflow: Value = serde_saphyr::from_str(&ran.out).unwrap();
    let template = |name: &str| template(&workflow, name);
    assert_eq!(template("main")["steps"][0][0]["withItems"], json!([1, 2]));
    let artifact = &template("purge")["inputs"]["artifacts"][0];
    assert_eq!(
        (&artifact["gcs"]["bucket"], &artifact["gcs"]["key"]),
        (&"plans".into(), &"argo-gc/plan.json".into())
    );
    // Its pods may do as little as those of `manifest`, and the plan waits in temporary files.
    let cron = Ran::of(plugin(["manifest", "cronworkflow", "--image", "example/argo-gc:1"])).ends_with(0).out;
    let cron: Value = serde_saphyr::from_multiple(&cron).unwrap().pop().unwrap();
    let cron = &cron["spec"]["workflowSpec"];
    assert_eq!(workflow["spec"]["securityContext"], cron["securityContext"]);
    let allowed = &cron["templates"][0]["container"]["securityContext"];
    assert_eq!(allowed["readOnlyRootFilesystem"], true);
    assert_eq!(&template("sum")["container"]["securityContext"], allowed);
    // No image but the plugin's own: a cluster may have no other.
    assert_eq!(template("sum")["container"]["image"], "example/argo-gc:1");
    // A loop's results are parsed as JSON.
    assert!(!ran.out.contains("outputs.result"), "{}", ran.out);
    let shard = template("purge");
    assert_eq!(&shard["container"]["securityContext"], allowed);
    assert_eq!(shard["container"]["image"], "example/argo-gc:1");
    for (at, path) in ["/journal", "/tmp"].into_iter().enumerate() {
        assert_eq!(shard["container"]["volumeMounts"][at]["mountPath"], path);
        assert_eq!(shard["container"]["volumeMounts"][at]["name"], shard["volumes"][at]["name"]);
        assert!(shard["volumes"][at]["emptyDir"].is_object(), "{shard}");
    }
    // What the pods run, in their stead.
    let (message, mut told) = (live.file("termination-log"), Vec::new());
    let run = |name: &str, fill: &[(&str, &str)]| {
        let words = words(&template(name), &message, fill);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = Ran::of(live.command(words[0], &words[1..]));
        (ran, std::fs::read_to_string(&message).unwrap())
    };
    for item in ["1", "2"] {
        let journal = live.file(&format!("{item}.jsonl"));
        let fill = [
            ("inputs.parameters.shard", item),
            ("/plan/plan.json", &plan),
            ("/journal/journal.jsonl", &journal),
        ];
        let (ran, line) = run("purge", &fill);
        ran.ends_with(0);
        assert!(line.starts_with(&format!("shard {item}/2: ")) && line.ends_with(" gone"), "{line}");
        told.push(json!({ "shard": item, "status": "Succeeded", "line": line }));
    }
    assert_eq!(live.gcs.keys(live.namespace), [""; 0]);
    let (ran, line) = run("sum", &[("inputs.parameters.told", &json!(told).to_string())]);
    ran.ends_with(0);
    assert_eq!(line, "6 of 6 objects are gone; 2 of 2 shards succeeded");
    // By their UIDs, all workflows may be one shard's.
    let at = told.iter().position(|told| !told["line"].as_str().unwrap().contains(" 0 of 0 ")).unwrap();
    let lost = told.remove(at)["shard"].as_str().unwrap().to_owned();
    let (ran, line) = run("sum", &[("inputs.parameters.told", &json!(told).to_string())]);
    let ran = ran.ends_with(4);
    assert!(line.starts_with(&format!("1 of 2 shards failed ({lost}): nothing is known of ")), "{line}");
    let silent = format!("shard {lost}/2: it did not run, and says nothing");
    assert!(ran.out.contains(&silent) && ran.out.contains(&line), "{ran:?}");
    for (missing, wanted) in [(4, "--plan-location"), (8, "--image")] {
        let mut without = arguments.to_vec();
        without.drain(missing..missing + 2);
        let ran = live.purge(&without).ends_with(2);
        assert!(ran.err.contains(wanted), "{}", ran.err);
    }
    let ran = live.purge(&arguments[..8]);
    assert!(ran.err.contains("hint: docs/in-cluster.md shows how to make it"), "{}", ran.err);
}

fn template(workflow: &Value, name: &str) -> Value {
    let templates = workflow["spec"]["templates"].as_array().unwrap();
    templates.iter().find(|template| template["name"] == name).unwrap().clone()
}

/// The arguments of a template's container, with what Argo and the kubelet fill in, and with this file as its message.
fn words(template: &Value, message: &str, fill: &[(&str, &str)]) -> Vec<String> {
    let word = |word: &Value| {
        let word = word.as_str().unwrap().replace("/dev/termination-log", message);
        fill.iter().fold(word, |word, (name, value)| {
            word.replace(&format!("{{{{{name}}}}}"), value).replace(name, value)
        })
    };
    template["container"]["args"].as_array().unwrap().iter().map(word).collect()
}

/// Whatever says how a run ended is about this run, and the whole of it.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_summary_tells_what_is_left_of_the_plan_on_apiserver_and_fake_gcs() {
    let (live, plan, keys) = planned("engine-summary");
    let file = live.file("summary");
    let summary = || std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "6 of 6 objects are gone, the last time").unwrap();
    // Refused before anything is done.
    let late = ["--plan", &plan, "--summary", &file, "--yes", "--plan-max-age", "0s"];
    live.purge(&late).ends_with(5);
    assert!(summary().starts_with("error: "), "{}", summary());
    // One is needed by now, and one is held at the last moment.
    let mut reader = live.workflow("engine-summary-reader", &[]);
    crate::support::purge::pod(&mut reader)["inputs"] =
        json!({ "artifacts": [{ "name": "in", "gcs": { "key": keys[5] } }] });
    live.server.apply(reader);
    let held = keys[0].clone();
    live.gcs.before_delete(live.namespace, &held.clone(), move |gcs| gcs.hold("engine-summary", &held));
    let journal = live.file("journal.jsonl");
    live.purge(&["--plan", &plan, "--summary", &file, "--yes", "--journal", &journal]).ends_with(4);
    assert_eq!(summary(), "4 of 6 objects are gone");
    // The journal has what could be begun with.
    live.purge(&["--resume", &journal, "--summary", &file, "--yes"]).ends_with(4);
    assert_eq!(summary(), "4 of 5 objects are gone");
    // Nothing is begun whose end can't be told.
    let nowhere = live.file("nowhere/summary");
    let saved = std::fs::read_to_string(&plan).unwrap();
    for (wrong, why) in [(&nowhere, "No such file"), (&plan, "the file contains something else")] {
        let ran = live.purge(&["--plan", &plan, "--summary", wrong, "--yes"]).ends_with(1);
        assert!(ran.err.contains("error: --summary ") && ran.err.contains(why), "{}", ran.err);
    }
    assert_eq!(std::fs::read_to_string(&plan).unwrap(), saved);
    for shows in [&["--dry-run"][..], &["--engine", "gcs-batch"]] {
        live.purge(&[&["--plan", &plan, "--summary", &file], shows].concat()).ends_with(2);
    }
}

/// The pods ask the same Argo server, with a token that no file holds.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_pods_are_told_of_the_argo_server_and_never_the_token_on_apiserver_and_fake_gcs() {
    let (live, plan, _) = planned("engine-token");
    let argo = ArgoServer::start(Knows { token: Some("s3cret".into()), ..Knows::default() });
    let arguments = [
        "--plan",
        &plan,
        "--engine",
        "argo",
        "--plan-location",
        "gs://plans/plan.json",
        "--image",
        "example/argo-gc:1",
        "--accept-unread",
        "archive",
    ];
    let run = |token: Option<&str>, more: &[&str]| {
        let mut command = live.command("purge", &[&arguments[..], more].concat());
        command.env("ARGO_SERVER", argo.url());
        if let Some(token) = token {
            command.env("ARGO_TOKEN", token);
        }
        Ran::of(command)
    };
    let ran = run(Some("s3cret"), &[]).ends_with(2);
    assert!(ran.err.contains("--argo-token-secret") && !ran.err.contains("s3cret"), "{}", ran.err);
    let ran = run(Some("s3cret"), &["--argo-token-secret", "argo-token"]).ends_with(0);
    assert!(!ran.out.contains("s3cret") && !ran.err.contains("s3cret"), "{ran:?}");
    assert!(!std::fs::read_to_string(&plan).unwrap().contains("s3cret"));
    let workflow: Value = serde_saphyr::from_str(&ran.out).unwrap();
    let container = &template(&workflow, "purge")["container"];
    let secret = json!({ "secretKeyRef": { "name": "argo-token", "key": "token" } });
    assert_eq!(container["env"], json!([{ "name": "ARGO_TOKEN", "valueFrom": secret }]));
    let args = container["args"].as_array().unwrap();
    assert!(args.contains(&format!("--argo-server={}/", argo.url()).into()), "{args:?}");
    assert!(args.contains(&"--accept-unread=archive".into()), "{args:?}");
    // Without a token here, the pods use their account's.
    let ran = run(None, &[]).ends_with(0);
    let workflow: Value = serde_saphyr::from_str(&ran.out).unwrap();
    assert_eq!(template(&workflow, "purge")["container"]["env"], json!([]));
}

#[test]
fn a_flag_of_another_engine_is_refused_before_anything_is_read() {
    for (flags, says) in [
        (&["--image", "i:1"][..], "--image requires --engine argo"),
        (&["--shards", "3"], "--shards requires --engine argo"),
        (&["--plan-location", "gs://b/k", "--engine", "gcs-batch"], "--plan-location requires --engine argo"),
        (&["--engine-out", "d", "--engine", "argo"], "--engine-out requires --engine gcs-batch"),
        (&["--argo-token-secret", "t"], "--argo-token-secret requires --engine argo"),
    ] {
        let arguments = ["purge", "--plan", "no-such-plan.json"].into_iter().chain(flags.iter().copied());
        let ran = Ran::of(plugin(arguments)).ends_with(2);
        assert!(ran.err.contains(says), "{flags:?}: {}", ran.err);
    }
    // What no flag says can't be handed on.
    let words = ["purge", "--plan", "p", "--engine", "argo", "--image", "i", "--plan-location", "gs://b/k"];
    let mut command = plugin(words);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let ran = Ran::of(command).ends_with(2);
    assert!(ran.err.contains("AWS_ENDPOINT_URL can't be used with --engine argo"), "{}", ran.err);
}
