//! `--webhook`: what a chat or a program is sent, and what users are told if it is not taken.

use crate::support::purge::{Folder, workflow};
use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, plugin};
use serde_json::{Value, json};

/// The path is the secret.
const HOOK: &str = "/services/hunter2";

fn server(replies: &[Reply]) -> Stub {
    Stub::start([(HOOK.to_owned(), replies.to_vec())])
}

fn taken() -> Reply {
    Reply::text(200, "text/plain", "ok")
}

fn leaky() -> Folder {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "one", &["one/a.tgz", "one/b.tgz"]));
    folder.put("one/a.tgz");
    folder
}

/// Runs a verb on the folder, with the address in the variable HOOK.
fn run(stub: &Stub, folder: &Folder, verb: &str, more: &[&str], variables: &[(&str, &str)]) -> Ran {
    let arguments: Vec<&str> = ["--webhook", "env:HOOK"].iter().chain(more).copied().collect();
    let mut command = folder.command(verb, &arguments);
    command.env("HOOK", format!("http://{}{HOOK}", stub.address)).envs(variables.iter().copied());
    let ran = Ran::of(command);
    assert!(!ran.err.contains("hunter2") && !ran.out.contains("hunter2"), "{ran:#?}");
    ran
}

fn bodies(stub: &Stub) -> Vec<Value> {
    let requests = stub.requests();
    requests.iter().for_each(|request| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", HOOK));
        assert_eq!(request.header("content-type"), ["application/json"]);
    });
    requests.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

#[test]
fn a_report_is_posted_for_programs_and_for_chats() {
    let folder = leaky();
    let stub = server(&[taken()]);
    let alone = folder.run("inspect", &[]).ends_with(0);
    let ran = run(&stub, &folder, "inspect", &[], &[("ARGO_GC_WEBHOOK_TOKEN", "t0ken")]).ends_with(0);
    assert_eq!(ran.out, alone.out);
    let document = bodies(&stub).remove(0);
    assert_eq!(stub.requests()[0].header("authorization"), ["Bearer t0ken"]);
    assert_eq!(
        (&document["kind"], &document["mode"], &document["exitCode"], &document["title"]),
        (&json!("RunReport"), &json!("inspect"), &json!(0), &json!("argo-gc"))
    );
    let answer = "1 of 1 workflow leaves artifacts behind: 2 artifacts nobody will delete";
    assert!(document["answer"].as_str().unwrap().starts_with(answer), "{document:#}");
    assert_eq!(document["summary"]["artifacts"]["uncovered"], 2);

    // What is shown does not change what is told, and findings are no failure.
    let more = [
        "--webhook-format",
        "slack",
        "--webhook-title",
        "prod <eu>",
        "--fail-on",
        "uncovered",
        "--verdict",
        "covered",
    ];
    run(&stub, &folder, "inspect", &more, &[]).ends_with(3);
    let text = bodies(&stub)[1]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with(&format!("*prod &lt;eu&gt;: inspect*\n{answer}")), "{text}");
    assert!(text.lines().nth(2).unwrap().starts_with("2 inline-only: Only inline"), "{text}");

    run(&stub, &folder, "purge", &["--all", "--dry-run", "--webhook-format", "teams"], &[]).ends_with(0);
    let card = &bodies(&stub)[2]["attachments"][0]["content"];
    assert_eq!(card["body"][0]["text"], "argo-gc: report", "{card:#}");
}

#[test]
fn a_run_that_failed_is_told_too() {
    let stub = server(&[taken()]);
    let mut command = plugin(["inspect", "-f", "/nowhere/at-all", "--webhook"]);
    command.arg(format!("http://{}{HOOK}", stub.address));
    let ran = Ran::of(command).ends_with(1);
    let document = bodies(&stub).remove(0);
    assert_eq!(document["exitCode"], 1);
    assert!(document["answer"].as_str().unwrap().contains("/nowhere/at-all"), "{document:#} {ran:#?}");
    // A purge that is refused.
    let folder = leaky();
    run(&stub, &folder, "purge", &["--all", "--dry-run", "--max-objects", "0"], &[]);
    let document = bodies(&stub).remove(1);
    assert!(document["exitCode"].as_u64().unwrap() > 0, "{document:#}");
}

/// What a run did is told also where its metrics find no taker.
#[test]
fn a_push_that_failed_does_not_hide_what_the_run_did() {
    let folder = leaky();
    folder.put("one/b.tgz");
    let stub = server(&[taken()]);
    let gateway = ["inspect", "report", "purge"].map(|mode| {
        (format!("/metrics/job/argo-gc/mode/{mode}"), vec![Reply::text(400, "text/plain", "no")])
    });
    let gateway = Stub::start(gateway);
    let push = format!("http://{}", gateway.address);
    let failure = format!("pushing the metrics to {push}: HTTP 400");
    let told = |verb: &str, more: &[&str], code: i32| {
        let more: Vec<&str> = ["--push", push.as_str()].iter().chain(more).copied().collect();
        let ran = run(&stub, &folder, verb, &more, &[]).ends_with(code);
        assert!(ran.err.contains(&failure), "{ran:#?}");
        bodies(&stub).pop().unwrap()
    };
    let slack = ["--webhook-format", "slack"];
    let text = told("inspect", &slack, 1)["text"].as_str().unwrap().to_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("1 of 1 workflow leaves artifacts behind"), "{text}");
    assert!(lines[2].contains(&failure) && lines[3].starts_with("2 inline-only"), "{text}");
    let document = told("purge", &["--all", "--dry-run"], 1);
    assert_eq!(document["answer"], "0 of 2 objects are gone", "{document:#}");
    // A run with a code of its own keeps it.
    let document = told("inspect", &["--fail-on", "uncovered"], 3);
    assert_eq!(document["exitCode"], 3, "{document:#}");
    // Without a plan there is only the error.
    let document = told("purge", &["--all", "--max-objects", "0", "--yes"], 5);
    assert_eq!(document["exitCode"], 5, "{document:#}");
    assert!(!document["answer"].as_str().unwrap().contains("pushing"), "{document:#}");
    let document = told("purge", &["--all", "--yes"], 1);
    assert_eq!(
        (&document["exitCode"], &document["answer"], &document["summary"]["left"]),
        (&json!(1), &json!("2 of 2 objects are gone"), &json!(0)),
        "{document:#}"
    );
    assert!(document["failure"].as_str().unwrap().contains(&failure), "{document:#}");
}

#[test]
fn a_message_that_is_not_taken_is_told_and_shows_no_secret() {
    let folder = leaky();
    let stub = server(&[Reply::text(404, "text/plain", "no_service")]);
    let ran = run(&stub, &folder, "inspect", &["--webhook-format", "slack"], &[]).ends_with(1);
    assert!(
        ran.err.contains(&format!("posting the result to http://{}: HTTP 404", stub.address)),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("no_service") && ran.err.contains("--webhook-format"), "{}", ran.err);
    assert!(ran.out.contains("inline-only"), "the report is shown all the same: {}", ran.out);
    assert_eq!(stub.requests().len(), 1, "what can't pass is not tried again");
    let ran = run(&stub, &folder, "inspect", &["--fail-on", "uncovered"], &[]).ends_with(3);
    assert!(ran.err.contains("HTTP 404"), "{}", ran.err);

    let stub = server(&[Reply::text(503, "text/plain", ""), taken()]);
    run(&stub, &folder, "inspect", &[], &[]).ends_with(0);
    assert_eq!(stub.requests().len(), 2, "what may pass is tried again");
}

#[test]
fn an_address_that_can_not_be_is_wrong_usage() {
    let folder = leaky();
    for (more, words) in [
        (&["--webhook", "env:ARGO_GC_NOT_SET"][..], "the variable ARGO_GC_NOT_SET: it is not set"),
        (&["--webhook", "env:"], "env: needs the name of a variable"),
        (&["--webhook", "hooks.example.com"], "it is no URL such as"),
        (&["--webhook", "https://u:p@h/"], "credentials are taken from the environment"),
        (&["--webhook-format", "slack"], "--webhook"),
        (&["--webhook", "https://h/", "-w"], "cannot be used with"),
    ] {
        let ran = folder.run("inspect", more).ends_with(2);
        assert!(ran.err.contains(words), "{ran:#?}");
    }
}
