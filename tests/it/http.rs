//! The plugin against an API server that refuses, breaks off, stalls, or is none.

use crate::support::stub::{Reply, Seen, Stub, WORKFLOWS, proxy};
use crate::support::{Ran, plugin, workflow};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn page(names: &[&str], token: &str) -> Reply {
    Reply::page(&names.iter().map(|name| workflow(name)).collect::<Vec<_>>(), token)
}

fn expired() -> Reply {
    Reply::status(410, "Expired", "The provided continue parameter is too old")
}

/// The names in a document.
fn names(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let workflows = document["workflows"].as_array().unwrap();
    workflows.iter().map(|workflow| workflow["name"].as_str().unwrap().to_owned()).collect()
}

fn tokens(stub: &Stub) -> Vec<String> {
    let requests = stub.requests_to(WORKFLOWS);
    requests.iter().map(|seen| seen.asked().remove("continue").unwrap_or_default()).collect()
}

// Paging.

#[test]
fn a_list_that_expires_starts_over_and_counts_nothing_twice() {
    let bad = json!({ "metadata": { "name": "bad", "namespace": "ml" }, "status": { "nodes": 7 } });
    let first = || Reply::page(&[workflow("a"), bad.clone()], "t1");
    let stub = Stub::listing([first(), expired(), first(), page(&["b"], "")]);
    let ran = stub.inspect("-o json");
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert_eq!(names(&ran), ["a", "b"]);
    assert_eq!(ran.json()["summary"]["workflows"], 2);
    assert_eq!(ran.json()["gaps"].as_array().unwrap().len(), 1, "{ran:#?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:#?}");
    assert!(ran.err.starts_with("Warning: cannot read workflow ml/bad ("), "{ran:#?}");
    assert_eq!(tokens(&stub), ["", "t1", "", "t1"]);
}

#[test]
fn a_list_that_expires_twice_is_an_error_with_a_hint() {
    let stub = Stub::listing([page(&["a"], "t1"), expired(), page(&["a"], "t1"), expired()]);
    let ran = stub.inspect("");
    ran.assert(1, "Error from server (Expired): The provided continue parameter is too old\n");
    assert!(ran.err.contains("hint: ") && ran.err.contains("--chunk-size"), "{ran:#?}");
    assert_eq!(ran.out, "");
}

#[test]
fn a_list_beside_the_workflows_that_expires_starts_over_too() {
    let pods = "/api/v1/namespaces/ml/pods";
    let pod = |name: &str| json!({ "metadata": { "name": name, "namespace": "ml" } });
    let page = |name: &str, token: &str| Reply::page(&[pod(name)], token);
    let stub = Stub::start([
        (WORKFLOWS.to_owned(), vec![self::page(&["a"], "")]),
        (pods.to_owned(), vec![page("p", "t1"), expired(), page("p", "t1"), page("q", "")]),
    ]);
    stub.inspect("").assert(0, "");
    assert_eq!(stub.requests_to(pods).len(), 4);
    assert_eq!(stub.inspect("-o json").json()["gaps"], json!([]));
}

// Failures that pass, and failures that don't.

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let busy = Reply::status(429, "TooManyRequests", "too many requests").header("retry-after", "1");
    let stub = Stub::listing([busy, page(&["a"], "")]);
    let start = Instant::now();
    let ran = stub.inspect("-o name");
    assert!(start.elapsed() >= Duration::from_secs(1));
    ran.assert(0, "");
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("workflow.argoproj.io/a\n", ""));
}

#[test]
fn a_server_that_fails_for_a_moment_is_asked_again() {
    let broken = Reply::status(500, "InternalError", "etcdserver: leader changed");
    let gone = Reply::text(503, "text/plain", "upstream connect error");
    let stub = Stub::listing([broken, gone, page(&["a"], "")]);
    let ran = stub.inspect("-o name");
    ran.assert(0, "");
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("workflow.argoproj.io/a\n", ""));
    assert_eq!(stub.requests_to(WORKFLOWS).len(), 3);
}

#[test]
fn a_server_that_fails_for_ever_is_an_error() {
    let broken = Reply::status(500, "InternalError", "etcdserver: no leader");
    let stub = Stub::listing([broken]);
    stub.inspect("").assert(1, "Error from server (InternalError): etcdserver: no leader\n");
    assert!((2..10).contains(&stub.requests_to(WORKFLOWS).len()));
    let stub = Stub::listing([Reply::text(503, "text/plain", "upstream connect error")]);
    let words =
        "Error from server (ServiceUnavailable): the server is currently unable to handle the request\n";
    stub.inspect("").assert(1, words);
}

#[test]
fn a_body_cut_short_is_read_again() {
    let stub = Stub::listing([page(&["a", "b"], "").cut(), page(&["a", "b"], "")]);
    let ran = stub.inspect("-o json");
    ran.assert(0, "");
    assert_eq!(names(&ran), ["a", "b"]);
    assert_eq!(ran.err, "");
}

#[test]
fn a_body_always_cut_short_is_an_error() {
    let stub = Stub::listing([page(&["a", "b"], "").cut()]);
    let ran = stub.inspect("-o json");
    let words = "end of file before message length reached";
    ran.assert(1, &format!("Unable to connect to the server: {}: {words}\n", stub.address));
    assert_eq!(ran.out, "");
}

#[test]
fn a_failure_in_the_middle_shows_what_was_read_and_says_that_it_is_not_all() {
    let stub = Stub::listing([page(&["a"], "t1"), Reply::status(403, "Forbidden", "no more")]);
    let ran = stub.inspect("-o name");
    ran.assert(1, "Error from server (Forbidden): no more\n");
    assert_eq!(ran.out, "workflow.argoproj.io/a\n");
}

// Refusals.

#[test]
fn credentials_the_server_does_not_know_are_an_error() {
    let stub = Stub::listing([Reply::status(401, "Unauthorized", "Unauthorized")]);
    let ran = stub.inspect("");
    ran.assert(1, "error: You must be logged in to the server (Unauthorized)\nhint: ");
    assert_eq!(stub.requests_to(WORKFLOWS).len(), 1);
}

const FORBIDDEN: &str = "workflows.argoproj.io is forbidden: User \"me\" cannot list resource \"workflows\"";

#[test]
fn workflows_one_may_not_list_are_an_error() {
    let refusal = || Reply::status(403, "Forbidden", FORBIDDEN);
    let stub = Stub::listing([refusal()]);
    let ran = stub.inspect("");
    ran.assert(1, &format!("Error from server (Forbidden): {FORBIDDEN}\n"));
    assert!(!ran.err.contains("hint:"), "{ran:#?}");
    let all = Stub::start([("/apis/argoproj.io/v1alpha1/workflows".to_owned(), vec![refusal()])]);
    let ran = all.inspect("-A");
    ran.assert(1, &format!("Error from server (Forbidden): {FORBIDDEN}\nhint: "));
    assert!(ran.err.contains("ClusterRole") && ran.err.contains("-n"), "{ran:#?}");
}

#[test]
fn pods_one_may_not_list_are_a_gap() {
    let stub = Stub::start([
        (WORKFLOWS.to_owned(), vec![page(&["a"], "")]),
        ("/api/v1/namespaces/ml/pods".to_owned(), vec![Reply::status(403, "Forbidden", "pods is forbidden")]),
    ]);
    let ran = stub.inspect("-o json");
    ran.assert(0, "Warning: cannot ");
    assert!(ran.err.contains("pods in \"ml\" (forbidden); "), "{ran:#?}");
    assert_eq!(ran.err.lines().count(), 1);
    assert_eq!(names(&ran), ["a"]);
    let document = ran.json();
    assert_eq!(document["gaps"].as_array().unwrap().len(), 1);
    assert_eq!(document["gaps"][0]["what"], "pods in \"ml\"");
    assert_eq!(document["gaps"][0]["why"], "forbidden");
}

#[test]
fn a_server_without_argo_has_no_such_resource_type() {
    let words = "the server could not find the requested resource";
    // The API server itself says the first; with an aggregated one in between it can be a Status.
    for reply in [
        Reply::text(404, "text/plain; charset=utf-8", "404 page not found\n"),
        Reply::status(404, "NotFound", words),
    ] {
        let by_name = format!("{WORKFLOWS}/a");
        let stub = Stub::start([WORKFLOWS.to_owned(), by_name].map(|path| (path, vec![reply.clone()])));
        for arguments in ["", "a", "-o json"] {
            let ran = stub.inspect(arguments);
            ran.assert(1, "error: the server doesn't have a resource type \"workflows\"\nhint: ");
            assert_eq!(ran.out, "");
        }
    }
}

#[test]
fn a_workflow_that_is_not_there_is_an_error() {
    let words = "workflows.argoproj.io \"a\" not found";
    let stub = Stub::start([(format!("{WORKFLOWS}/a"), vec![Reply::status(404, "NotFound", words)])]);
    let ran = stub.inspect("a");
    ran.assert(1, &format!("Error from server (NotFound): {words}\n"));
    assert!(!ran.err.contains("hint"), "{ran:#?}");
}

#[test]
fn a_namespace_that_is_not_there_is_an_error() {
    let words = "namespaces \"ml\" not found";
    let stub =
        Stub::start([("/api/v1/namespaces/ml".to_owned(), vec![Reply::status(404, "NotFound", words)])]);
    let ran = stub.inspect("");
    ran.assert(1, &format!("Error from server (NotFound): {words}\n"));
    assert_eq!(ran.out, "");
}

#[test]
fn an_empty_namespace_is_a_sentence() {
    let stub = Stub::listing([page(&[], "")]);
    let ran = stub.inspect("");
    ran.assert(0, "No workflows found in ml namespace.\n");
    assert_eq!(ran.out, "");
    // That it can't be read, too, is no reason to fail.
    let refusal = Reply::status(403, "Forbidden", "no");
    let stub = Stub::start([("/api/v1/namespaces/ml".to_owned(), vec![refusal])]);
    stub.inspect("").assert(0, "No workflows found in ml namespace.\n");
}

#[test]
fn a_web_page_is_no_list_of_workflows() {
    let html = || Reply::text(200, "text/html", "<!DOCTYPE html><title>Log in</title>");
    let stub = Stub::start([(WORKFLOWS.to_owned(), vec![html()]), (format!("{WORKFLOWS}/a"), vec![html()])]);
    for arguments in ["", "a", "a -o json"] {
        let ran = stub.inspect(arguments);
        ran.assert(1, &format!("error: the server {} sent no ", stub.address));
        assert!(ran.err.contains("hint: is it a Kubernetes API server?"), "{ran:#?}");
        assert_eq!(ran.out, "");
    }
}

#[test]
fn a_message_of_the_server_cannot_reach_the_terminal_raw() {
    let stub = Stub::listing([Reply::status(403, "Forbidden", "no\u{1b}]0;title\u{7}\u{9b}2J")]);
    let ran = stub.inspect("");
    ran.assert(1, "Error from server (Forbidden): no\\u{1b}]0;title\\u{7}\\u{9b}2J\n");
}

// What is sent.

#[test]
fn selectors_chunks_and_names_are_sent_as_given() {
    let stub = Stub::listing([page(&["a"], "")]);
    let arguments =
        ["-l", "app in (etl,ml),!old", "--field-selector", "metadata.name!=x&y", "--chunk-size", "7"];
    let mut command = stub.command(&stub.config(&json!({})), "");
    command.args(arguments);
    Ran::of(command).assert(0, "");
    let [request] = &stub.requests_to(WORKFLOWS)[..] else { panic!("{:#?}", stub.requests()) };
    assert_eq!(request.method, "GET");
    let asked = request.asked();
    assert_eq!(asked["labelSelector"], "app in (etl,ml),!old");
    assert_eq!(asked["fieldSelector"], "metadata.name!=x&y");
    assert_eq!(asked["limit"], "7");
    assert_eq!(asked.len(), 3);
}

#[test]
fn without_flags_a_hundred_workflows_are_asked_for_at_a_time() {
    let stub = Stub::listing([page(&["a"], "t=/&"), page(&["b"], "")]);
    assert_eq!(names(&stub.inspect("-o json")), ["a", "b"]);
    assert!(stub.requests_to(WORKFLOWS).iter().all(|seen| seen.asked()["limit"] == "100"));
    assert_eq!(tokens(&stub), ["", "t=/&"]);
    let stub = Stub::listing([page(&["a"], "")]);
    stub.inspect("--chunk-size 0").assert(0, "");
    assert_eq!(stub.requests_to(WORKFLOWS)[0].query, "");
}

#[test]
fn named_workflows_are_asked_for_by_name() {
    let other = "/apis/argoproj.io/v1alpha1/namespaces/other/workflows";
    let one = |name: &str| (format!("{other}/{name}"), vec![Reply::json(200, &workflow(name))]);
    let stub = Stub::start([one("a"), one("b.c-1")]);
    let ran = stub.inspect("-n other -o json a b.c-1");
    ran.assert(0, "");
    assert_eq!(names(&ran), ["a", "b.c-1"]);
    assert_eq!(stub.requests_to(other).len(), 0);
}

#[test]
fn what_cannot_be_a_name_is_never_sent() {
    let stub = Stub::listing([page(&[], "")]);
    for (arguments, words) in [
        (["a?b", "-n", "ml"], "invalid resource name \"a?b\": may not contain '?'"),
        (["..", "-n", "ml"], "invalid resource name \"..\": may not be '..'"),
        (["a", "-n", "../x"], "invalid namespace \"../x\": may not contain '/'"),
        (["a", "-n", "a b"], "invalid namespace \"a b\": may not contain ' '"),
    ] {
        let mut command = stub.command(&stub.config(&json!({})), "");
        command.args(arguments);
        Ran::of(command).assert(2, &format!("error: {words}\n"));
    }
    let mut command = stub.command(&stub.config(&json!({})), "");
    command.args(["a/b/c", "-n", "ml"]);
    let ran = Ran::of(command).ends_with(2);
    assert!(ran.err.contains("\"a/b/c\" is neither NAME nor NAMESPACE/NAME"), "{ran:#?}");
    assert!(stub.requests().iter().all(|seen| seen.path.starts_with("/api") && !seen.path.contains("a/b")));
    assert_eq!(stub.requests_to(WORKFLOWS).len(), 0);
}

#[test]
fn an_empty_namespace_flag_means_the_context_s() {
    let stub = Stub::listing([page(&["a"], "")]);
    let mut command = stub.command(&stub.config(&json!({})), "");
    command.args(["-n", ""]);
    Ran::of(command).assert(0, "");
    assert_eq!(stub.requests_to(WORKFLOWS).len(), 1);
}

#[test]
fn nothing_but_reads_is_sent() {
    let stub = Stub::listing([page(&["a"], "")]);
    stub.inspect("").assert(0, "");
    assert!(stub.requests().iter().all(|seen| seen.method == "GET"), "{:#?}", stub.requests());
    assert!(stub.requests().len() > 5);
}

// Identity.

#[test]
fn impersonation_goes_with_every_request() {
    let stub = Stub::listing([page(&["a"], "t"), page(&[], "")]);
    stub.inspect("--as jane --as-group a --as-group b --as-uid 42").assert(0, "");
    let requests = stub.requests();
    assert!(requests.len() > 5);
    for seen in requests {
        assert_eq!(seen.header("impersonate-user"), ["jane"], "{seen:?}");
        assert_eq!(seen.header("impersonate-group"), ["a", "b"], "{seen:?}");
        assert_eq!(seen.header("impersonate-uid"), ["42"], "{seen:?}");
    }
}

#[test]
fn without_flags_nobody_is_impersonated() {
    let stub = Stub::listing([page(&["a"], "")]);
    stub.inspect("").assert(0, "");
    let odd = |seen: &Seen| seen.headers.keys().any(|name| name.as_str().starts_with("impersonate"));
    assert!(!stub.requests().iter().any(odd));
}

const SECRET: &str = "s3cr3t-t0ken";

/// Runs with every log line on, and checks the header and that no token is told.
fn sends_the_secret(stub: &Stub, user: &Value) {
    let mut command = stub.command(&stub.config(user), "");
    command.env("RUST_LOG", "trace");
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.err.contains("TRACE") || ran.err.contains("DEBUG"), "nothing was logged: {ran:#?}");
    for seen in stub.requests() {
        assert_eq!(seen.header("authorization"), [format!("Bearer {SECRET}")], "{seen:?}");
    }
    assert!(!ran.err.contains(SECRET) && !ran.out.contains(SECRET), "{ran:#?}");
}

#[test]
fn a_token_is_sent_and_never_told() {
    sends_the_secret(&Stub::listing([page(&["a"], "")]), &json!({ "token": SECRET }));
}

#[test]
fn a_token_file_is_sent_without_its_newline_and_never_told() {
    for text in [SECRET.to_owned(), format!("{SECRET}\n")] {
        let stub = Stub::listing([page(&["a"], "")]);
        std::fs::write(stub.path("token"), text).unwrap();
        sends_the_secret(&stub, &json!({ "tokenFile": stub.path("token") }));
    }
}

#[test]
fn a_missing_token_file_is_named() {
    let stub = Stub::listing([page(&["a"], "")]);
    let ran = stub.inspect_as(&json!({ "tokenFile": stub.path("missing") }), "");
    ran.assert(1, "error: getting credentials: ");
    assert!(ran.err.contains("missing") && ran.err.contains("No such file"), "{ran:#?}");
}

/// A user whose credentials come from a script.
fn with_plugin(stub: &Stub, script: &str) -> Value {
    let path = stub.path("credentials");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never",
        "installHint": "install it with care",
    });
    json!({ "exec": exec })
}

fn credential(status: &Value) -> String {
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status,
    });
    format!("echo '{credential}'")
}

#[test]
fn a_credential_plugin_is_asked_and_its_token_never_told() {
    let stub = Stub::listing([page(&["a"], "")]);
    sends_the_secret(&stub, &with_plugin(&stub, &credential(&json!({ "token": SECRET }))));
}

#[test]
fn a_credential_plugin_that_fails_is_named() {
    let stub = Stub::listing([page(&["a"], "")]);
    let script = format!("echo {SECRET}; echo 'please log in' >&2; exit 3");
    let ran = stub.inspect_as(&with_plugin(&stub, &script), "");
    let words =
        "error: getting credentials: the credential plugin failed with exit status: 3: please log in\n";
    ran.assert(1, words);
    assert!(ran.err.contains(stub.path("credentials").to_str().unwrap()), "{ran:#?}");
    assert!(ran.err.contains("hint: install it with care"), "{ran:#?}");
    assert!(!ran.err.contains(SECRET), "{ran:#?}");
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn a_credential_plugin_that_prints_nonsense_does_not_give_its_token_away() {
    for script in
        [format!("echo '{{\"status\": {{\"token\": {SECRET}'"), format!("echo {SECRET}"), "true".into()]
    {
        let stub = Stub::listing([page(&["a"], "")]);
        let ran = stub.inspect_as(&with_plugin(&stub, &script), "");
        ran.assert(1, "error: getting credentials: ");
        assert!(!ran.err.contains(SECRET), "{ran:#?}");
        assert!(ran.err.lines().count() < 6, "{ran:#?}");
    }
}

#[test]
fn a_credential_plugin_that_is_missing_is_named() {
    let stub = Stub::listing([page(&["a"], "")]);
    let user = with_plugin(&stub, "true");
    std::fs::remove_file(stub.path("credentials")).unwrap();
    let ran = stub.inspect_as(&user, "");
    ran.assert(1, "error: getting credentials: the credential plugin can't be started: No such file");
    assert!(ran.err.contains(stub.path("credentials").to_str().unwrap()), "{ran:#?}");
}

#[test]
fn a_credential_plugin_that_fails_to_renew_does_not_give_its_output_away() {
    let stub = Stub::listing([page(&["a"], "")]);
    let status = json!({ "token": SECRET, "expirationTimestamp": "2020-01-01T00:00:00Z" });
    let once = stub.path("once");
    let once = once.display();
    let script =
        format!("[ -e {once} ] && {{ echo {SECRET}; exit 5; }}; touch {once}; {}", credential(&status));
    let ran = stub.inspect_as(&with_plugin(&stub, &script), "");
    ran.assert(1, "error: getting credentials: the credential plugin failed with exit status: 5\n");
    assert!(!ran.err.contains(SECRET), "{ran:#?}");
}

// The way there.

#[test]
fn a_refused_connection_names_the_server() {
    let stub = Stub::listing([page(&["a"], "")]);
    let mut config = stub.config(&json!({}));
    let port = crate::support::free_port();
    config["clusters"][0]["cluster"]["server"] = json!(format!("http://127.0.0.1:{port}"));
    let ran = Ran::of(stub.command(&config, ""));
    ran.assert(
        1,
        &format!(
            "The connection to the server 127.0.0.1:{port} was refused - did you specify the right host or port?\n"
        ),
    );
}

#[test]
fn a_server_that_stalls_is_given_up_when_a_limit_is_set() {
    for reply in [Reply::stalled(), page(&["a"], "").stalling_in_its_body()] {
        let stub = Stub::listing([reply]);
        let start = Instant::now();
        let ran = stub.inspect("--request-timeout 1s");
        ran.assert(
            1,
            &format!("Unable to connect to the server: {}: no answer in time\nhint: ", stub.address),
        );
        assert!(ran.err.contains("--request-timeout"), "{ran:#?}");
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(60), "{took:?}");
    }
}

#[test]
fn a_proxy_is_asked_for_a_tunnel() {
    // kube's client asks with CONNECT for http servers too, and the requests go through as to the server.
    let stub = Stub::listing([page(&["a"], "")]);
    let (address, heads) = proxy(stub.address);
    let mut config = stub.config(&json!({ "token": SECRET }));
    config["clusters"][0]["cluster"]["server"] = json!("http://cluster.invalid:8001");
    config["clusters"][0]["cluster"]["proxy-url"] = json!(format!("http://jane:pr0xy-pass@{address}"));
    let mut command = stub.command(&config, "-o name");
    command.env("RUST_LOG", "trace");
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.out, "workflow.argoproj.io/a\n");
    let head = heads.try_recv().unwrap();
    assert!(head.starts_with("CONNECT cluster.invalid:8001 HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("proxy-authorization: basic amfuztpwcjb4es1wyxnz"), "{head}");
    assert!(!head.contains(SECRET), "the proxy need not know: {head}");
    assert_eq!(stub.requests_to(WORKFLOWS)[0].header("authorization"), [format!("Bearer {SECRET}")]);
    for secret in [SECRET, "pr0xy-pass", "amFuZTpwcjB4eS1wYXNz"] {
        assert!(!ran.err.contains(secret), "{secret}");
    }
}

// The kubeconfig.

#[test]
fn what_the_kubeconfig_does_not_name_is_an_error() {
    let stub = Stub::listing([page(&["a"], "")]);
    for (flag, words) in [
        ("--context nowhere", "error: context \"nowhere\" does not exist"),
        ("--cluster nowhere", "error: cluster \"nowhere\" does not exist"),
        ("--user nobody", "error: auth info \"nobody\" does not exist"),
    ] {
        stub.inspect(flag).assert(1, words);
    }
    assert_eq!(stub.requests().len(), 0);
}

fn inspect_with_kubeconfig(path: &std::path::Path) -> Ran {
    let mut command = plugin(["inspect", "--kubeconfig"]);
    command.arg(path);
    Ran::of(command)
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing");
    let ran = inspect_with_kubeconfig(&missing);
    ran.assert(1, &format!("error: reading {}: No such file or directory", missing.display()));
    let ran = inspect_with_kubeconfig(home.path());
    ran.assert(1, &format!("error: reading {}: Is a directory", home.path().display()));
}

#[test]
fn a_list_of_kubeconfigs_may_name_some_that_are_not_there() {
    let stub = Stub::listing([page(&["a"], "")]);
    let missing = stub.path("missing");
    let config = stub.path("kubeconfig");
    std::fs::write(&config, stub.config(&json!({})).to_string()).unwrap();
    for paths in [[&missing, &config], [&config, &missing]] {
        let mut command = plugin(["inspect", "-o", "name"]);
        command.env("KUBECONFIG", std::env::join_paths(paths).unwrap());
        let ran = Ran::of(command);
        ran.assert(0, "");
        assert_eq!(ran.out, "workflow.argoproj.io/a\n");
    }
    let mut command = plugin(["inspect"]);
    command.env("KUBECONFIG", &missing);
    Ran::of(command).assert(1, &format!("error: reading {}: No such file", missing.display()));
}

#[test]
fn a_damaged_kubeconfig_is_an_error_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config");
    for text in [
        "apiVersion: v1\nclusters: [",
        "users:\n- name: me\n  user: {token: s3cr3t-t0ken, exec: [}\n",
        "users:\n- name: me\n  user: s3cr3t-t0ken\n",
        "\u{0}\u{1}",
        "just words",
    ] {
        std::fs::write(&path, text).unwrap();
        let ran = inspect_with_kubeconfig(&path);
        ran.assert(1, "error: the kubeconfig is not valid: ");
        assert_eq!(ran.err.lines().count(), 1, "{ran:#?}");
        assert!(!ran.err.contains(SECRET), "{ran:#?}");
    }
}

#[test]
fn without_a_kubeconfig_the_user_learns_how_to_name_one() {
    let ran = Ran::of(plugin(["inspect"]));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("error: ") && ran.err.contains("--kubeconfig"), "{ran:#?}");
}

// Signals and pipes.

/// Sends SIGINT to one process.
fn interrupt(child: &Child) {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

/// The exit code, of a child that has to end within a minute.
fn end_of(mut child: Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > Duration::from_secs(180) {
            let _ = child.kill();
            panic!("it runs on");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn ctrl_c_ends_a_wait_for_the_server() {
    let stub = Stub::listing([Reply::stalled()]);
    let mut command = stub.command(&stub.config(&json!({})), "");
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    stub.wait();
    interrupt(&child);
    assert_eq!(end_of(child), Some(130));
}

#[test]
fn ctrl_c_ends_a_wait_for_standard_input() {
    let mut command = plugin(["inspect", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let pipe = child.stdin.take();
    // There is no event to wait for: it has begun to read when a signal no longer kills it.
    std::thread::sleep(Duration::from_secs(2));
    interrupt(&child);
    assert_eq!(end_of(child), Some(130));
    drop(pipe);
}

#[test]
fn ctrl_c_ends_a_wait_for_a_credential_plugin() {
    let stub = Stub::listing([page(&["a"], "")]);
    let started = stub.path("started");
    let user = with_plugin(&stub, &format!("touch {}; exec sleep 60", started.display()));
    let mut command = stub.command(&stub.config(&user), "");
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !started.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    interrupt(&child);
    assert_eq!(end_of(child), Some(130));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let many: Vec<String> = (0..2000).map(|number| format!("workflow-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let stub = Stub::listing([page(&many, "t1"), page(&["last"], "")]);
    for format in ["json", "yaml", "table", "wide", "tree", "name", "markdown"] {
        let mut command = stub.command(&stub.config(&json!({})), &format!("-o {format}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let stderr = child.stderr.take().unwrap();
        assert_eq!(end_of(child), Some(0), "{format}");
        assert_eq!(std::io::read_to_string(stderr).unwrap(), "", "{format}");
    }
}

// Purge.

#[test]
fn danger_26_ages_are_not_judged_by_a_wrong_clock() {
    let namespace = json!({ "metadata": { "name": "kube-system", "uid": "u" } });
    let reply = Reply::json(200, &namespace).header("date", "Fri, 01 Jan 2100 00:00:00 GMT");
    let stub = Stub::start([("/api/v1/namespaces/kube-system".to_owned(), vec![reply])]);
    let (config, root) = (stub.path("config"), tempfile::tempdir().unwrap());
    std::fs::write(&config, stub.config(&json!({})).to_string()).unwrap();
    for words in [&["purge", "--all", "--yes"][..], &["orphans", "--repository", "gs://b"]] {
        let mut command = plugin(words);
        command.arg("--kubeconfig").arg(&config).arg("--store-root").arg(root.path());
        let ran = Ran::of(command);
        assert_eq!(ran.code, Some(5), "{ran:#?}");
        assert!(ran.err.contains("seconds behind the API server's"), "{ran:#?}");
    }
}

#[test]
fn a_machine_without_certificates_is_told_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let (file, empty) = (folder.path().join("empty.pem"), folder.path().join("empty"));
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir(&empty).unwrap();
    let stub = Stub::listing([page(&["a"], "")]);
    let files = |more: &[&str]| {
        let mut command = plugin(["inspect", "--check", "-f", "examples/cluster"]);
        command.args(more).env_remove("STORAGE_EMULATOR_HOST").current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    };
    let cluster = stub.command(&stub.config(&json!({})), "");
    let (google, emulator) = (files(&[]), files(&["--gcs-endpoint", "http://127.0.0.1:1"]));
    for mut command in [cluster, google, emulator] {
        command.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", &empty);
        let ran = Ran::of(command);
        ran.assert(1, "error: this machine has no CA certificates, so no server could be trusted\nhint: ");
        assert!(ran.err.contains("ca-certificates") && ran.err.contains("SSL_CERT_FILE"), "{ran:#?}");
        assert_eq!(ran.out, "");
    }
    // Files, and folders in the place of buckets, need none.
    let mut folders = files(&["--store-root", "."]);
    folders.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", &empty);
    Ran::of(folders).ends_with(0);
}
