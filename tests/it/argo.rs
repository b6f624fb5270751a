//! `inspect --argo-server`: offloaded nodes, archived workflows, and servers that won't have it.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::argo::{ARCHIVE, ArgoServer, Knows, Release, failure, leaking, offloaded};
use crate::support::kube::{ADMIN, ApiServer};
use crate::support::stub::{Reply, Stub, WORKFLOWS};
use crate::support::{Ran, free_port};

/// As the archive has it, begun at this second of a minute.
fn archived(name: &str, second: usize) -> Value {
    let mut workflow = leaking(name);
    workflow["status"]["startedAt"] = json!(format!("2026-11-01T00:00:{second:02}Z"));
    workflow["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"] = json!("Pending");
    workflow
}

fn inspect(stub: &Stub, argo: &ArgoServer, arguments: &str) -> Ran {
    stub.inspect(&format!("--argo-server {} {arguments}", argo.url()))
}

/// The verdict and reason of each workflow's first artifact or finding, by name.
fn verdicts(document: &Value) -> Vec<(String, String, String)> {
    let workflows = document["workflows"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut verdicts: Vec<_> = workflows
        .iter()
        .map(|workflow| {
            let artifact = &workflow["artifacts"][0];
            let of = if artifact.is_null() { &workflow["findings"][0] } else { artifact };
            (text(&workflow["name"]), text(&of["verdict"]), text(&of["reason"]))
        })
        .collect();
    verdicts.sort();
    verdicts
}

fn names(document: &Value) -> Vec<String> {
    verdicts(document).into_iter().map(|(name, ..)| name).collect()
}

fn row(name: &str, verdict: &str, reason: &str) -> (String, String, String) {
    (name.to_owned(), verdict.to_owned(), reason.to_owned())
}

#[test]
fn offloaded_nodes_are_filled_in_and_judged() {
    let heavy = leaking("argo-heavy");
    let stub = Stub::listing([Reply::page(&[offloaded(&heavy), leaking("argo-light")], "")]);
    let argo = ArgoServer::start(Knows { live: vec![heavy], ..Knows::default() });
    let without = stub.inspect("-o json").ends_with(0).json();
    assert_eq!(verdicts(&without)[0], row("argo-heavy", "unknown", "nodes-offloaded"));
    let ran = inspect(&stub, &argo, "-o json").ends_with(0);
    assert_eq!(
        verdicts(&ran.json()),
        [row("argo-heavy", "uncovered", "inline-only"), row("argo-light", "uncovered", "inline-only")]
    );
    assert_eq!(ran.json()["gaps"], json!([]), "{}", ran.err);
    // Only what needs it is asked for.
    assert_eq!(argo.requests_to("/api/v1/workflows/ml/argo-heavy").len(), 2, "once to know the cluster by");
    assert!(argo.requests_to("/api/v1/workflows/ml/argo-light").is_empty());
    assert!(argo.requests().iter().all(|seen| seen.method == "GET"));
}

#[test]
fn an_answer_about_another_state_leaves_the_nodes_unknown() {
    let seen = leaking("argo-moved");
    let stub = Stub::listing([Reply::page(&[offloaded(&seen)], "")]);
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 5] = [
        ("another workflow of that name", |wf| wf["metadata"]["uid"] = json!("another")),
        ("a later state of it", |wf| {
            wf["metadata"]["resourceVersion"] = json!("42");
            wf["status"]["phase"] = json!("Running");
            wf["status"]["finishedAt"] = json!(null);
        }),
        ("its archived record", |wf| {
            wf["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"] = json!("Persisted");
        }),
        ("no nodes", |wf| *wf = offloaded(wf)),
        ("no nodes", |wf| wf["status"]["nodes"] = json!(null)),
    ];
    for (why, change) in cases {
        let mut answer = seen.clone();
        change(&mut answer);
        let argo = ArgoServer::start(Knows { live: vec![answer], ..Knows::default() });
        let ran = inspect(&stub, &argo, "-o json").ends_with(0);
        assert_eq!(verdicts(&ran.json()), [row("argo-moved", "unknown", "nodes-offloaded")], "{why}");
        let gap = &ran.json()["gaps"][0];
        assert_eq!(gap["what"], "the nodes of workflow ml/argo-moved");
        assert!(gap["why"].as_str().unwrap().contains(why), "{why}: {gap}");
    }
    // A patch of its labels since does not make it another.
    let mut answer = seen;
    answer["metadata"]["resourceVersion"] = json!("42");
    let argo = ArgoServer::start(Knows { live: vec![answer], ..Knows::default() });
    let ran = inspect(&stub, &argo, "-o json").ends_with(0);
    assert_eq!(verdicts(&ran.json()), [row("argo-moved", "uncovered", "inline-only")]);
}

#[test]
fn a_server_that_can_not_give_the_nodes_says_why() {
    let seen = leaking("argo-nodb");
    let stub = Stub::listing([Reply::page(&[offloaded(&seen)], "")]);
    let path = "/api/v1/workflows/ml/argo-nodb";
    for (reply, why) in [
        (failure(500, 13, "offload node status is not supported"), "offload node status is not supported"),
        (failure(403, 7, "workflows is forbidden"), "workflows is forbidden"),
        (Reply::json(200, &seen).cut(), "127.0.0.1"),
        (Reply::text(200, "application/json", "{\"metadata\":{"), "sent no whole workflow"),
    ] {
        let faults = vec![(path.to_owned(), 0, reply)];
        let argo = ArgoServer::start(Knows { faults, ..Knows::default() });
        let ran = inspect(&stub, &argo, "-o json").ends_with(0);
        assert_eq!(verdicts(&ran.json()), [row("argo-nodb", "unknown", "nodes-offloaded")], "{why}");
        assert!(ran.err.contains(why) && ran.err.contains("Warning: cannot read the nodes"), "{}", ran.err);
    }
}

#[test]
fn archived_workflows_are_listed_page_by_page_and_live_ones_count_once() {
    for release in [Release::V34, Release::V41] {
        // Several began in one second: more than a page holds.
        let begun = [1, 1, 1, 1, 2, 3, 3, 5, 8, 13, 21];
        let mut archive: Vec<Value> = begun
            .iter()
            .enumerate()
            .map(|(at, second)| archived(&format!("argo-old-{at:02}"), *second))
            .collect();
        // Still there, and run again since it was archived.
        let mut both = archived("argo-both", 4);
        archive.push(both.clone());
        both["status"]["phase"] = json!("Running");
        both["status"]["nodes"] = json!({});
        let live = [both, leaking("argo-live")].to_vec();
        let stub = Stub::listing([Reply::page(&live, "")]);
        let argo = ArgoServer::start(Knows {
            release,
            live: live.clone(),
            archive: Some(archive),
            ..Knows::default()
        });
        let ran = inspect(&stub, &argo, "--chunk-size 2 -o json").ends_with(0);
        let mut want: Vec<_> = (0..begun.len())
            .map(|at| row(&format!("argo-old-{at:02}"), "unknown", "archived-stale"))
            .collect();
        want.insert(0, row("argo-live", "uncovered", "inline-only"));
        want.insert(0, row("argo-both", "", ""));
        assert_eq!(verdicts(&ran.json()), want, "{release:?}");
        let archived = |name: &str| {
            let document = ran.json();
            let workflows = document["workflows"].as_array().unwrap();
            workflows.iter().find(|workflow| workflow["name"] == name).unwrap()["archived"].clone()
        };
        assert_eq!((archived("argo-live"), archived("argo-old-00")), (json!(false), json!(true)));
        assert!(argo.requests_to(ARCHIVE).len() > 4, "it is read in pages");
        assert!(argo.requests_to(&format!("{ARCHIVE}/uid-ml-argo-both")).is_empty());
        assert_eq!(ran.json()["gaps"], json!([]), "{}", ran.err);
    }
}

#[test]
fn what_selects_live_workflows_selects_archived_ones() {
    let mut other = archived("argo-sel-other", 1);
    other["metadata"]["namespace"] = json!("ci");
    let mut failed = archived("argo-sel-failed", 2);
    failed["status"]["phase"] = json!("Failed");
    failed["metadata"]["labels"]["app"] = json!("etl");
    let mut young = archived("argo-sel-young", 3);
    young["status"]["finishedAt"] = json!(crate::support::purge::ago(jiff::SignedDuration::from_mins(5)));
    young["metadata"]["labels"]["workflows.argoproj.io/controller-instanceid"] = json!("blue");
    for release in [Release::V34, Release::V41] {
        let archive = Some(vec![other.clone(), failed.clone(), young.clone()]);
        let argo = ArgoServer::start(Knows { release, archive, ..Knows::default() });
        let stub = Stub::start([]);
        let found = |arguments: &str| {
            names(&inspect(&stub, &argo, &format!("{arguments} -o json")).ends_with(0).json())
        };
        assert_eq!(found("-A"), ["argo-sel-failed", "argo-sel-other", "argo-sel-young"]);
        assert_eq!(found("-n ci"), ["argo-sel-other"]);
        assert_eq!(found(""), ["argo-sel-failed", "argo-sel-young"]);
        assert_eq!(found("-A --status failed"), ["argo-sel-failed"]);
        assert_eq!(found("-A --older 1h"), ["argo-sel-failed", "argo-sel-other"]);
        assert_eq!(found("-A --prefix argo-sel-o"), ["argo-sel-other"]);
        assert_eq!(found("-A --instanceid blue"), ["argo-sel-young"]);
        assert_eq!(found("-A --field-selector metadata.namespace!=ml"), ["argo-sel-other"]);
    }
}

#[test]
fn labels_and_names_are_looked_up_in_both_places() {
    let mut etl = archived("argo-lab-etl", 2);
    etl["metadata"]["labels"]["app"] = json!("etl");
    // Archived as etl, and live as something else: the cluster does not list it, and it is live all the same.
    let mut relabelled = archived("argo-lab-live", 3);
    relabelled["metadata"]["labels"]["app"] = json!("etl");
    let path = |name: &str| format!("{WORKFLOWS}/{name}");
    let absent = |name: &str| {
        let words = format!("workflows.argoproj.io \"{name}\" not found");
        (path(name), vec![Reply::status(404, "NotFound", &words)])
    };
    let stub = Stub::start([
        (path("argo-lab-live"), vec![Reply::json(200, &leaking("argo-lab-live"))]),
        absent("argo-lab-etl"),
        absent("argo-lab-none"),
    ]);
    let archive = Some(vec![etl, relabelled, archived("argo-lab-plain", 4)]);
    let argo = ArgoServer::start(Knows { live: vec![leaking("argo-lab-live")], archive, ..Knows::default() });
    let found = inspect(&stub, &argo, "-l app=etl -o json").ends_with(0).json();
    assert_eq!(names(&found), ["argo-lab-etl"]);
    let found = inspect(&stub, &argo, "argo-lab-live argo-lab-etl -o json").ends_with(0).json();
    assert_eq!(names(&found), ["argo-lab-etl", "argo-lab-live"]);
    assert_eq!(verdicts(&found)[1], row("argo-lab-live", "uncovered", "inline-only"));
    let ran = inspect(&stub, &argo, "argo-lab-none argo-lab-etl -o json");
    ran.assert(1, "Error from server (NotFound): workflows.argoproj.io \"argo-lab-none\" not found");
}

#[test]
fn an_archive_that_may_not_be_read_is_a_gap() {
    let stub = Stub::listing([Reply::page(&[leaking("argo-gap")], "")]);
    let denied =
        failure(403, 7, "Permission denied, you are not allowed to list workflows in namespace \"ml\".");
    let faults = vec![(ARCHIVE.to_owned(), 0, denied)];
    let live = vec![leaking("argo-gap")];
    let argo = ArgoServer::start(Knows { live: live.clone(), faults, ..Knows::default() });
    let ran = inspect(&stub, &argo, "-o json").ends_with(0);
    assert_eq!(verdicts(&ran.json()), [row("argo-gap", "uncovered", "inline-only")]);
    assert_eq!(ran.json()["gaps"][0]["what"], "archived workflows");
    assert!(ran.err.contains("(Forbidden): Permission denied"), "{}", ran.err);
    // One that goes between list and look is missing alone.
    let gone = format!("{ARCHIVE}/uid-ml-argo-gone");
    let archive = Some(vec![archived("argo-gone", 1), archived("argo-stays", 2)]);
    let faults = vec![(gone, 0, failure(404, 5, "not found"))];
    let argo = ArgoServer::start(Knows { live, archive, faults, ..Knows::default() });
    let ran = inspect(&stub, &argo, "-o json").ends_with(0);
    assert_eq!(names(&ran.json()), ["argo-gap", "argo-stays"]);
    assert_eq!(ran.json()["gaps"][0]["what"], "archived workflow ml/argo-gone");
}

#[test]
fn the_token_goes_as_a_bearer_and_is_never_shown() {
    let heavy = leaking("argo-token");
    let stub = Stub::listing([Reply::page(&[offloaded(&heavy)], "")]);
    let secret = "s3cr3t-t0ken";
    let knows =
        || Knows { token: Some(secret.into()), live: vec![leaking("argo-token")], ..Knows::default() };
    let argo = ArgoServer::start(knows());
    let run = |argo: &ArgoServer, user: Value, token: Option<&str>| {
        let mut command = stub.command(&stub.config(&user), "-o json -v 9");
        // As the argo CLI has it: no scheme.
        command.env("ARGO_SERVER", argo.address.to_string()).env("ARGO_SECURE", "false");
        if let Some(token) = token {
            command.env("ARGO_TOKEN", token);
        }
        Ran::of(command)
    };
    let own = json!({ "token": "cluster-token" });
    for token in [format!("Bearer {secret}"), secret.to_owned(), format!("  Bearer {secret}\n")] {
        let ran = run(&argo, own.clone(), Some(&token)).ends_with(0);
        assert_eq!(verdicts(&ran.json()), [row("argo-token", "uncovered", "inline-only")]);
        assert!(ran.err.contains("/api/v1/workflows/ml/argo-token"), "it is logged: {}", ran.err);
        assert!(!ran.err.contains(secret) && !ran.out.contains(secret), "{}", ran.err);
    }
    assert!(argo.requests().iter().all(|seen| seen.header("authorization") == [format!("Bearer {secret}")]));
    // Whatever the libraries log.
    let mut command = stub.command(&stub.config(&own), "");
    command.env("ARGO_SERVER", argo.url()).env("ARGO_TOKEN", secret).env("RUST_LOG", "trace");
    let ran = Ran::of(command).ends_with(0);
    assert!(ran.err.contains("TRACE") && !ran.err.contains(secret), "{}", ran.err);
    // The cluster gets its own token still.
    assert!(stub.requests().iter().all(|seen| seen.header("authorization") == ["Bearer cluster-token"]));
    // Without the variable it is the kubeconfig user's.
    let argo = ArgoServer::start(knows());
    let ran = run(&argo, json!({ "token": secret, "as": "somebody" }), None).ends_with(0);
    assert!(!ran.err.contains(secret), "{}", ran.err);
    assert!(argo.requests().iter().all(|seen| seen.header("impersonate-user").is_empty()));
    // A wrong one is told of, and not shown.
    let ran = run(&argo, own.clone(), Some("Bearer wr0ng-t0ken"));
    let last = ran.err.lines().filter(|line| !line.contains("argo_gc")).collect::<Vec<_>>().join("\n");
    assert!(last.starts_with("error: You must be logged in to the Argo server 127.0.0.1:"), "{last}");
    assert!(last.contains("hint: set ARGO_TOKEN to what `argo auth token` prints"), "{last}");
    assert!(ran.code == Some(1) && !ran.err.contains("wr0ng"), "{}", ran.err);
    for unusable in ["Digest abcdefg", "Bearer abc\u{e4}defg", "Basic !!abcdefg"] {
        let ran = run(&argo, own.clone(), Some(unusable)).ends_with(1);
        assert!(ran.err.contains("ARGO_TOKEN") && !ran.err.contains("defg"), "{}", ran.err);
    }
}

#[test]
fn what_is_no_argo_server_is_called_so() {
    let stub = Stub::listing([Reply::page(&[leaking("argo-wrong")], "")]);
    let asked = |server: &str| stub.inspect(&format!("--argo-server {server}"));
    let port = free_port();
    let ran = asked(&format!("http://127.0.0.1:{port}"));
    ran.assert(1, &format!("The connection to the server 127.0.0.1:{port} was refused"));
    assert!(ran.err.contains("hint: this is the Argo server of --argo-server or ARGO_SERVER"), "{}", ran.err);
    // Log-in pages, other sites, Kubernetes itself, and the server's own pages.
    let page = |status| Reply::text(status, "text/html", "<html><body>Sign in</body></html>");
    let kubernetes = Reply::status(404, "NotFound", "the server could not find the requested resource");
    for reply in [page(200), page(302).header("location", "/login"), page(404), kubernetes] {
        let other = Stub::start([("/api/v1/info".to_owned(), vec![reply])]);
        let ran = asked(&format!("http://{}", other.address));
        ran.assert(
            1,
            &format!("error: the server {} answers, but not as an Argo server does", other.address),
        );
        assert!(ran.err.contains("hint: is --argo-server (ARGO_SERVER) right?"), "{}", ran.err);
    }
    // A path before the API, in either way.
    let below = Stub::start([
        ("/argo/api/v1/info".to_owned(), vec![Reply::json(200, &json!({}))]),
        ("/argo/api/v1/workflows/ml/argo-wrong".to_owned(), vec![Reply::json(200, &leaking("argo-wrong"))]),
    ]);
    let ran = asked(&format!("http://{}/argo/", below.address)).ends_with(0);
    assert!(!below.requests_to("/argo/api/v1/archived-workflows").is_empty(), "{}", ran.err);
    // It speaks no TLS.
    let argo = ArgoServer::start(Knows::default());
    let ran = asked(&argo.address.to_string()).ends_with(1);
    assert!(ran.err.contains("hint: it seems to speak plain HTTP: set ARGO_SECURE=false"), "{}", ran.err);
    asked("ftp://argo").assert(2, "error: invalid --argo-server \"ftp://argo\": use HOST:PORT");
    let ran = asked("https://me:pa55word@argo");
    assert!(ran.code == Some(2) && !ran.err.contains("pa55word"), "{}", ran.err);
    // Nobody is asked when the variable is empty.
    let mut command = stub.command(&stub.config(&json!({})), "");
    command.env("ARGO_SERVER", "").env("ARGO_TOKEN", "x");
    Ran::of(command).ends_with(0);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let stub = Stub::listing([Reply::page(&[leaking("argo-slow")], "")]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let ran = stub.inspect(&format!("--argo-server http://{address} --request-timeout 1s"));
    ran.assert(1, &format!("Unable to connect to the server: {address}: no answer in time"));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_certificate_of_nobody_known_is_refused_unless_told_on_apiserver() {
    let server = ApiServer::shared();
    let kubeconfig: Value =
        serde_json::from_str(&std::fs::read_to_string(server.kubeconfig()).unwrap()).unwrap();
    let url = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let inspect = |more: Option<(&str, &str)>| {
        let mut command = server.plugin(ADMIN, ["inspect", "-n", "argo-tls"]);
        command.env("ARGO_SERVER", url.trim_start_matches("https://"));
        command.envs(more);
        Ran::of(command)
    };
    let ran = inspect(None).ends_with(1);
    assert!(ran.err.contains("Unable to connect to the server: 127.0.0.1:"), "{}", ran.err);
    assert!(ran.err.contains("invalid peer certificate"), "{}", ran.err);
    assert!(ran.err.contains("hint: if its certificate is self-signed"), "{}", ran.err);
    // Then it is seen to be Kubernetes'.
    let ran = inspect(Some(("ARGO_INSECURE_SKIP_VERIFY", "true"))).ends_with(1);
    assert!(ran.err.contains("not as an Argo server does"), "{}", ran.err);
}
