//! `--push`: what a Pushgateway is sent, and what users are told if it does not take it.

use crate::support::purge::{Folder, workflow};
use crate::support::stub::{Reply, Stub};
use crate::support::tls::Tls;
use crate::support::{Ran, free_port, plugin};
use base64::Engine;
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

const INSPECT: &str = "/metrics/job/argo-gc/mode/inspect";
const REPORT: &str = "/metrics/job/argo-gc/mode/report";
const PURGE: &str = "/metrics/job/argo-gc/mode/purge";

/// A Pushgateway's answer.
fn taken() -> Reply {
    Reply::text(200, "text/plain", "")
}

/// A gateway that answers so at all of the plugin's own groups.
fn gateway(replies: &[Reply]) -> Stub {
    Stub::start([INSPECT, REPORT, PURGE].map(|path| (path.to_owned(), replies.to_vec())))
}

fn url(stub: &Stub) -> String {
    format!("http://{}", stub.address)
}

fn leaky() -> Folder {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "one", &["one/a.tgz", "one/b.tgz"]));
    folder.put("one/a.tgz");
    folder.put("one/b.tgz");
    folder
}

/// Without the time of the inspection.
fn steady(metrics: &str) -> Vec<&str> {
    metrics.lines().filter(|line| !line.starts_with("argo_gc_inspection_timestamp_seconds ")).collect()
}

/// The values of the metrics without labels.
fn value<'a>(metrics: &'a str, name: &str) -> Option<&'a str> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

#[test]
fn an_inspection_puts_all_its_metrics_whatever_it_shows() {
    let (stub, folder) = (gateway(&[taken()]), leaky());
    let metrics = folder.run("inspect", &["--check", "-o", "prometheus"]).ends_with(0).out;
    assert!(metrics.contains("argo_gc_bytes{"), "{metrics}");
    for shown in
        [&["-o", "table"][..], &["-o", "prometheus"], &["--verdict", "covered"], &["--artifact", "x"]]
    {
        let seen = stub.requests().len();
        let of = |more: &[&str]| {
            let arguments: Vec<&str> = ["--check"].iter().chain(shown).chain(more).copied().collect();
            folder.run("inspect", &arguments).ends_with(0)
        };
        let pushed = of(&["--push", &url(&stub)]);
        let alone = of(&[]);
        assert_eq!((steady(&pushed.out), &pushed.err), (steady(&alone.out), &alone.err));
        let requests = &stub.requests()[seen..];
        assert_eq!(requests.len(), 1, "{requests:#?}");
        assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("PUT", INSPECT));
        assert_eq!(requests[0].header("content-type"), ["text/plain; version=0.0.4; charset=utf-8"]);
        assert!(requests[0].header("authorization").is_empty());
        assert_eq!(steady(&requests[0].body), steady(&metrics), "{shown:?}");
    }
    // Findings are no failure of the push, and a run that found what it was asked for says so.
    let ran = folder.run("inspect", &["--fail-on", "uncovered,failing", "--push", &url(&stub)]);
    assert_eq!((ran.code, stub.requests().len()), (Some(3), 5), "{ran:#?}");
}

#[test]
fn a_purge_puts_how_it_ended_into_a_group_of_its_mode() {
    let (stub, folder) = (gateway(&[taken()]), leaky());
    let run = |arguments: &[&str], code: i32| {
        let url = url(&stub);
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--push", &url]).collect();
        folder.purge(&arguments).ends_with(code);
        let last = stub.requests().pop().unwrap();
        assert_eq!(last.method, "PUT");
        (last.path, last.body)
    };
    let of = |metrics: &str, what: &str| value(metrics, &format!("argo_gc_purge_{what}")).map(str::to_owned);
    for (arguments, code, path, planned, left) in [
        (&["--all", "--dry-run"][..], 0, REPORT, Some("2"), Some("2")),
        (&["--all", "--max-objects", "1", "--yes"], 5, PURGE, None, None),
        (&["--all"], 5, PURGE, None, None),
        (&["--all", "--yes"], 0, PURGE, Some("2"), Some("0")),
        (&["--all", "--yes"], 0, PURGE, Some("0"), Some("0")),
    ] {
        let (at, metrics) = run(arguments, code);
        assert_eq!(at, path, "{arguments:?}");
        assert_eq!(of(&metrics, "exit_code").as_deref(), Some(code.to_string().as_str()), "{metrics}");
        assert_eq!(of(&metrics, "objects_planned").as_deref(), planned, "{metrics}");
        assert_eq!(of(&metrics, "objects_left").as_deref(), left, "{metrics}");
        let began: i64 = of(&metrics, "timestamp_seconds").unwrap().parse().unwrap();
        assert!((jiff::Timestamp::now().as_second() - began).abs() < 300);
    }
}

#[test]
fn labels_and_a_path_lead_to_another_group() {
    let path = "/gate/metrics/job/nightly/mode/inspect/cluster/eu-1/path@base64/L2E";
    let stub = Stub::start([(path.to_owned(), vec![taken()])]);
    let labels = ["--push-label", "cluster=eu-1,job=nightly", "--push-label", "path=/a"];
    let push = format!("{}/gate/", url(&stub));
    let arguments: Vec<&str> = ["--push", push.as_str()].into_iter().chain(labels).collect();
    leaky().run("inspect", &arguments).ends_with(0);
    assert_eq!(stub.requests_to(path).len(), 1, "{:#?}", stub.requests());
}

#[test]
fn what_may_pass_is_tried_again_and_a_refusal_is_told() {
    let busy = Reply::text(503, "text/plain", "busy");
    let (stub, folder) = (gateway(&[busy.clone(), busy.clone(), taken()]), leaky());
    let ran = folder.run("inspect", &["--push", &url(&stub)]).ends_with(0);
    assert_eq!(stub.requests().len(), 3);
    assert!(!ran.err.contains("push"), "{}", ran.err);

    for (reply, tries, words) in [
        (busy, 3, "HTTP 503 Service Unavailable: busy; all else was done as it says\n"),
        (
            Reply::text(400, "text/plain", "\npushed metrics are \u{1b}[1minvalid\nmore"),
            1,
            "HTTP 400 Bad Request: pushed metrics are \\u{1b}[1minvalid; ",
        ),
        (Reply::text(401, "text/plain", ""), 1, "ARGO_GC_PUSH_USER and ARGO_GC_PUSH_PASSWORD\n"),
        (
            Reply::text(302, "text/plain", "").header("location", "http://127.0.0.1:1/"),
            1,
            "is --push the address",
        ),
        (
            Reply::text(404, "text/plain", "404 page not found\n"),
            1,
            "is --push the address of a Pushgateway?",
        ),
    ] {
        let stub = gateway(&[reply]);
        let alone = folder.run("inspect", &[]).ends_with(0);
        let ran = folder.run("inspect", &["--push", &url(&stub)]).ends_with(1);
        assert_eq!(stub.requests().len(), tries, "{words}");
        assert_eq!(ran.out, alone.out, "the report is whole");
        assert!(
            ran.err.contains(&format!("error: pushing the metrics to {}: HTTP ", url(&stub))),
            "{}",
            ran.err
        );
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    // A run that failed itself ends as it would without.
    let stub = gateway(&[Reply::text(400, "text/plain", "no")]);
    let ran = folder.purge(&["--all", "--push", &url(&stub)]).ends_with(5);
    assert!(ran.err.contains("not confirmed") && ran.err.contains("pushing the metrics"), "{}", ran.err);
    // A purge whose push fails has deleted all the same.
    let ran = folder.purge(&["--all", "--yes", "--push", &url(&stub)]).ends_with(1);
    assert!(ran.out.contains("Deleted") || ran.err.contains("Journal"), "{ran:#?}");
    assert!(!folder.has("one/a.tgz") && ran.err.contains("pushing the metrics"), "{ran:#?}");
}

#[test]
fn a_gateway_that_does_not_answer_holds_nobody_up_for_long() {
    let folder = leaky();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let ran = folder.run("inspect", &["--push", &nobody]).ends_with(1);
    assert!(ran.err.contains("onnection refused"), "{}", ran.err);
    let stub = gateway(&[Reply::stalled()]);
    let start = Instant::now();
    let ran = folder.run("inspect", &["--push", &url(&stub)]).ends_with(1);
    assert!(ran.err.contains("pushing the metrics"), "{}", ran.err);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

fn with(mut command: Command, variables: &[(&str, &str)]) -> Ran {
    command.envs(variables.iter().copied());
    Ran::of(command)
}

#[test]
fn credentials_come_from_the_environment_and_are_never_shown() {
    let folder = leaky();
    let secret = "s3cr-t";
    let basic = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("me:{secret}")));
    let bearer = format!("Bearer {secret}");
    for (variables, header) in [
        (&[("ARGO_GC_PUSH_TOKEN", secret)][..], Some(bearer.as_str())),
        (&[("ARGO_GC_PUSH_USER", "me"), ("ARGO_GC_PUSH_PASSWORD", secret)], Some(&basic)),
        (&[("ARGO_GC_PUSH_TOKEN", ""), ("ARGO_GC_PUSH_USER", "")], None),
    ] {
        let stub = gateway(&[Reply::text(400, "text/plain", "no")]);
        let ran =
            with(folder.command("inspect", &["-v", "9", "--push", &url(&stub)]), variables).ends_with(1);
        assert_eq!(stub.requests()[0].header("authorization"), header.into_iter().collect::<Vec<_>>());
        assert!(!ran.err.contains(secret), "{}", ran.err);
    }
    for (variables, words) in [
        (
            &[("ARGO_GC_PUSH_TOKEN", secret), ("ARGO_GC_PUSH_USER", "me")][..],
            "both ARGO_GC_PUSH_TOKEN and ARGO_GC_PUSH_USER are set",
        ),
        (&[("ARGO_GC_PUSH_PASSWORD", secret)], "ARGO_GC_PUSH_PASSWORD is set without ARGO_GC_PUSH_USER"),
        (&[("ARGO_GC_PUSH_TOKEN", "s3cr-t\n")], "ARGO_GC_PUSH_TOKEN has characters that no token has"),
    ] {
        let stub = gateway(&[taken()]);
        let ran = with(folder.command("inspect", &["--push", &url(&stub)]), variables).ends_with(1);
        assert!(ran.err.contains(words) && !ran.err.contains(secret), "{}", ran.err);
        assert!(stub.requests().is_empty());
    }
}

#[test]
fn a_push_that_makes_no_sense_is_refused() {
    for line in [
        "inspect --push pushgateway:9091",
        "inspect --push http://me:s3cr-t@pushgateway:9091",
        "inspect --push http://h/metrics/job/x",
        "inspect --push-label cluster=eu",
        "inspect --push http://h --push-label namespace=ml",
        "inspect --push http://h --watch",
        "purge --all --push http://h --plan-out plan.json",
        "purge --plan p.json --push http://h --shard 1/2",
        "purge --plan p.json --engine gcs-batch --push http://h",
        "manifest cronjob --image i --push-secret s",
    ] {
        let ran = Ran::of(plugin(line.split(' '))).ends_with(2);
        assert!(!ran.err.contains("s3cr-t"), "{}", ran.err);
    }
}

#[tokio::test]
#[ignore = "tests/run brings what it needs"]
async fn a_gateway_with_tls_needs_a_certificate_that_is_trusted_on_openssl() {
    let (stub, folder) = (gateway(&[taken()]), leaky());
    let tls = Tls::before(stub.address, "IP:127.0.0.1").await;
    let push = format!("https://{}", tls.address);
    let run = |variables: Vec<(&'static str, String)>| {
        let mut command = folder.command("inspect", &["--push", &push]);
        command.envs(variables);
        tokio::task::spawn_blocking(move || Ran::of(command))
    };
    let authority = tls.authority().display().to_string();
    run(vec![("SSL_CERT_FILE", authority)]).await.unwrap().ends_with(0);
    assert_eq!(stub.requests().len(), 1);
    let ran = run(Vec::new()).await.unwrap().ends_with(1);
    assert!(ran.err.contains("certificate"), "{}", ran.err);
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn a_manifest_hands_the_flags_and_the_secret_on() {
    let push = ["--push", "http://push:9091", "--push-label", "cluster=eu", "--push-secret", "push"];
    for mode in ["inspect", "report", "purge"] {
        let line = ["manifest", "cronjob", "--image", "i", "--mode", mode];
        let text = Ran::of(plugin(line.iter().chain(&push))).ends_with(0).out;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let (_, container) = crate::support::pod::pod(&objects);
        let args = container["args"].as_array().unwrap();
        assert_eq!(args[args.len() - 2..], ["--push=http://push:9091", "--push-label=cluster=eu"]);
        let env = container["env"].as_array().unwrap();
        let found: Vec<(&Value, &Value)> = env
            .iter()
            .filter(|variable| variable["valueFrom"].is_object())
            .map(|variable| (&variable["name"], &variable["valueFrom"]["secretKeyRef"]))
            .collect();
        let reference = |key: &str| json!({ "name": "push", "key": key, "optional": true });
        let wanted = [
            (json!("ARGO_GC_PUSH_TOKEN"), reference("token")),
            (json!("ARGO_GC_PUSH_USER"), reference("username")),
            (json!("ARGO_GC_PUSH_PASSWORD"), reference("password")),
        ];
        assert_eq!(found, wanted.iter().map(|(name, from)| (name, from)).collect::<Vec<_>>());
    }
}
