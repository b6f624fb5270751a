//! Completion, asked as kubectl and shells ask for it.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use argo_gc_core::reason::Reason;
use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;

use crate::support::kube::{ALICE, ApiServer};
use crate::support::purge::{Folder, workflow as leaky};
use crate::support::{Ran, in_terminal, plugin, workflow};

/// What a person waits at the most.
const CAP: Duration = Duration::from_secs(2);

/// Candidates without descriptions, and the directive, of the helper that kubectl calls.
fn ask(words: &[&str]) -> (Vec<String>, String) {
    answer(Ran::of(plugin(["__complete"].iter().chain(words))))
}

#[track_caller]
fn answer(ran: Ran) -> (Vec<String>, String) {
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:#?}");
    let mut lines: Vec<&str> = ran.out.lines().collect();
    let directive = lines.pop().expect("a directive").to_owned();
    let values = lines.iter().map(|line| line.split('\t').next().expect("a value").to_owned());
    (values.collect(), directive)
}

/// `kubectl __complete argo-gc WORDS`: what the shell's script of `kubectl completion` runs.
#[track_caller]
fn kubectl(mut command: Command, words: &[&str]) -> Vec<String> {
    let ran = Ran::of({
        command.args(words);
        command
    });
    // kubectl says on stderr what it does, for the debugging of scripts; nothing else may stand there.
    let own =
        |line: &str| line.starts_with("[Debug] ") || line.starts_with("Completion ended with directive: ");
    assert!(ran.err.lines().all(own), "{ran:#?}");
    let mut lines: Vec<String> = ran.out.lines().map(str::to_owned).collect();
    assert!(lines.pop().is_some_and(|directive| directive.starts_with(':')), "{ran:#?}");
    lines
}

/// Workflows of a namespace, one of them of another name.
fn load(server: &ApiServer, namespace: &str) {
    for (name, phase) in
        [("tab-train-x7k2p", "Succeeded"), ("tab-train-q4z9m", "Failed"), ("tab-etl-nightly-1", "Running")]
    {
        let mut workflow = workflow(name);
        workflow["metadata"]["namespace"] = json!(namespace);
        workflow["metadata"]["labels"] = json!({ "workflows.argoproj.io/phase": phase, "team": "vision" });
        workflow["status"]["phase"] = json!(phase);
        server.apply(workflow);
    }
}

#[test]
fn verbs_flags_and_values_come_from_the_command_line_itself() {
    let (verbs, directive) = ask(&[""]);
    assert_eq!(directive, ":4", "no files");
    let help = Ran::of(plugin(["--help"])).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // Longer texts go on in the next line, further in.
    let listed = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(listed.len() >= 6 && listed == verbs, "{listed:?} {verbs:?}");
    assert_eq!(ask(&["insp"]).0, ["inspect"]);

    let (flags, _) = ask(&["inspect", "--"]);
    let help = Ran::of(plugin(["inspect", "--help"])).out;
    let shown = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let shown: Vec<&str> =
        shown.filter_map(|line| line.split([' ', ',', '[']).find(|word| word.starts_with("--"))).collect();
    assert!(shown.len() > 30, "{help}");
    for flag in &shown {
        assert!(flags.iter().any(|known| known == flag), "{flag}: {flags:?}");
    }
    assert_eq!(ask(&["inspect", "--sele"]).0, ["--selector"]);
    // A lone dash is the begin of a long flag too.
    assert!(ask(&["inspect", "-"]).0.contains(&"--namespace".to_owned()));

    assert_eq!(ask(&["purge", "-o", ""]).0, ["table", "wide", "json", "yaml"]);
    assert_eq!(ask(&["inspect", "--color=a"]).0, ["--color=auto", "--color=always"]);
    assert_eq!(ask(&["inspect", "--status", "Failed,E"]).0, ["Failed,Error"]);
    assert_eq!(ask(&["inspect", "--verdict", "co"]).0, ["covered", "collected"]);
    // Only what the flag takes.
    assert_eq!(ask(&["manifest", "p"]).0, ["policy"]);
    assert_eq!(ask(&["manifest", "policy", "--action", ""]).0, ["warn", "audit", "deny"]);
    assert_eq!(ask(&["manifest", "policy", "--rule", "inline,l"]).0, ["inline,logs-only"]);
    assert_eq!(ask(&["purge", "--verdict", ""]).0, ["uncovered", "failing", "kept"]);
    assert_eq!(ask(&["inspect", "--fail-on", "a"]).0, [""; 0]);
    assert!(ask(&["inspect", "--verdict", "a"]).0 == ["all"]);
}

#[test]
fn reasons_come_with_their_titles() {
    let ran = Ran::of(plugin(["__complete", "explain", ""]));
    for reason in Reason::ALL {
        let line = format!("{}\t{}", reason.code(), reason.entry().title);
        assert!(ran.out.lines().any(|shown| shown == line), "{line}: {}", ran.out);
    }
    assert_eq!(ask(&["inspect", "--reason", "no-strategy,inline-p"]).0, ["no-strategy,inline-poison"]);
}

#[test]
fn paths_are_left_to_the_shell() {
    assert_eq!(ask(&["inspect", "-f", "READ"]), (vec![], ":0".into()));
    assert_eq!(ask(&["undo", ""]), (vec![], ":0".into()));
    assert_eq!(ask(&["purge", "--plan", ""]), (vec![], ":0".into()));
}

#[test]
fn nonsense_is_answered_with_the_directive_alone() {
    for words in [
        &["nosuch", "x"][..],
        &["inspect", "--nosuch"],
        &["inspect", "--chunk-size", "x"],
        &["explain", "no-such-code"],
        &["inspect", "--kubeconfig", "/nonexistent", "-n", ""],
    ] {
        assert_eq!(ask(words), (vec![], ":4".into()), "{words:?}");
    }
    assert_eq!(answer(Ran::of(plugin(["__complete"]))).1, ":4");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn kubectl_completes_names_of_the_cluster_on_apiserver() {
    let server = ApiServer::shared();
    load(server, "complete-ml");
    load(server, "complete-etl");
    // A server that other tests keep busy may answer too late for a person, too.
    let completes = |words: &[&str], expected: &[&str]| {
        let ask = || kubectl(server.kubectl(["__complete", "argo-gc"]), words);
        let answers: Vec<Vec<String>> = (0..5).map(|_| ask()).take_while(|found| found != expected).collect();
        assert!(answers.len() < 5, "{words:?}: {answers:?}");
    };

    let workflows = ["tab-etl-nightly-1\tRunning", "tab-train-q4z9m\tFailed", "tab-train-x7k2p\tSucceeded"];
    completes(&["inspect", "-n", "complete-ml", ""], &workflows);
    // A half-typed word, and names that stand there already.
    completes(&["purge", "-n", "complete-ml", "tab-train-x"], &["tab-train-x7k2p\tSucceeded"]);
    completes(
        &["inspect", "-n", "complete-ml", "tab-train-x7k2p", "tab-train-"],
        &["tab-train-q4z9m\tFailed"],
    );
    completes(&["inspect", "-n", "complete-none", ""], &[]);

    completes(&["inspect", "-n", "complete-"], &["complete-etl", "complete-ml"]);
    completes(&["inspect", "--namespace=complete-m"], &["--namespace=complete-ml"]);
    completes(&["inspect", "-n", "complete-ml", "-l", "te"], &["team="]);
    completes(&["inspect", "-n", "complete-ml", "-l", "x!=y,team="], &["x!=y,team=vision"]);
    completes(&["inspect", "--context", ""], &["test"]);
    let repository = |prefix: &str| {
        format!("gcs:\n  bucket: complete-artifacts\n  keyFormat: {prefix}/{{{{workflow.name}}}}")
    };
    server.apply(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "artifact-repositories", "namespace": "complete-ml" },
        "data": { "one": repository("argo"), "two": repository("logs") },
    }));
    let repositories = ["gs://complete-artifacts/argo/", "gs://complete-artifacts/logs/"];
    completes(&["orphans", "-n", "complete-ml", "--repository", "gs://complete-"], &repositories);
    completes(&["explain", "-n", "complete-ml", "gs://complete-"], &repositories);
    completes(&["purge", "-n", "complete-ml", "--bucket", "gs://complete-"], &["gs://complete-artifacts"]);
    completes(&["inspect", "--user", "a"], &["admin"]);
    completes(&["inspect", "--cluster", ""], &["test"]);

    // Who may not list anything is told of what the kubeconfig names.
    let refused = |words: &[&str]| kubectl(server.kubectl_as(ALICE, ["__complete", "argo-gc"]), words);
    assert_eq!(refused(&["inspect", "-n", ""]), ["default"]);
    assert_eq!(refused(&["inspect", "-n", "complete-ml", ""]), [""; 0]);
}

/// A kubeconfig whose server is this.
fn kubeconfig(directory: &TempDir, server: &str) -> String {
    let path = directory.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": server, "insecure-skip-tls-verify": true } }],
        "users": [{ "name": "u", "user": { "token": "t" } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u", "namespace": "team-a" } }],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    path.display().to_string()
}

#[test]
fn a_dead_server_holds_nobody_up() {
    let directory = TempDir::new().unwrap();
    // Connections are taken by the system, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://{}", silent.local_addr().unwrap());
    for (server, slow) in [(silent.as_str(), true), ("https://127.0.0.1:1", false)] {
        let config = kubeconfig(&directory, server);
        let storage = server.replace("https", "http");
        for (words, expected) in [
            (&["inspect", ""][..], &[][..]),
            (&["inspect", "-l", "te"], &[]),
            (&["inspect", "-n", ""], &["team-a"]),
            (&["explain", "gs:"], &[]),
            (&["explain", "--gcs-endpoint", &storage, "gs://b/a"], &[]),
            (&["purge", "--repository", ""], &[]),
        ] {
            let ask = || {
                let mut command = plugin(["__complete"].iter().chain(words));
                command.env("KUBECONFIG", &config).env("NO_PROXY", "127.0.0.1");
                let start = Instant::now();
                let (found, _) = answer(Ran::of(command));
                (start.elapsed(), found)
            };
            // What a busy machine adds is not the plugin's.
            let (took, found) =
                (0..3).map(|_| ask()).find(|(took, _)| *took < CAP).expect("an answer in time");
            assert!(!slow || took > Duration::from_secs(1), "it is waited for: {took:?}");
            assert_eq!(found, expected, "{server} {words:?}");
        }
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn kubectl_shows_nothing_of_a_dead_server_on_apiserver() {
    let kube = ApiServer::shared();
    let directory = TempDir::new().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://{}", silent.local_addr().unwrap());
    for server in [silent.as_str(), "https://127.0.0.1:1"] {
        let mut command = kube.kubectl(["__complete", "argo-gc"]);
        command.env("KUBECONFIG", kubeconfig(&directory, server));
        assert_eq!(kubectl(command, &["purge", ""]), [""; 0]);
    }
}

#[test]
fn a_hostile_name_ends_no_line() {
    let directory = TempDir::new().unwrap();
    let path = kubeconfig(&directory, "https://127.0.0.1:1");
    let config = std::fs::read_to_string(&path).unwrap();
    let config = config.replace(r#""name":"u""#, r#""name":"u\n:1\u001b[2J""#);
    std::fs::write(&path, config).unwrap();
    assert_eq!(ask(&["inspect", "--kubeconfig", &path, "--user", ""]), (vec![], ":4".into()));
    assert_eq!(ask(&["inspect", "--kubeconfig", &path, "--cluster", ""]).0, ["c"]);
}

#[test]
fn bash_completes_by_its_script() {
    let script = r#"
source <(kubectl-argo_gc completion bash)
complete -p kubectl-argo_gc >/dev/null || exit 3
COMP_WORDS=(kubectl-argo_gc expl); COMP_CWORD=1; COMP_TYPE=9
_clap_complete_kubectl_argo_gc kubectl-argo_gc expl kubectl-argo_gc
printf '%s\n' "${COMPREPLY[@]}"
"#;
    let mut command = plugin([""; 0]);
    let program = std::path::PathBuf::from(command.get_program());
    command = Command::new("bash");
    let path = std::env::var("PATH").unwrap();
    command.args(["-c", script]).env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
    let ran = Ran::of(command).ends_with(0);
    assert_eq!((ran.out.trim(), ran.err.as_str()), ("explain", ""));
}

#[test]
fn kubectl_and_fish_ask_the_program() {
    let script = Ran::of(plugin(["completion", "kubectl"])).ends_with(0).out;
    let shim = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/kubectl_complete-argo_gc");
    assert_eq!(script, std::fs::read_to_string(shim).unwrap());
    // As fish asks, whose script needs nothing but this.
    let mut command = plugin(["--", "kubectl-argo_gc", "explain", "inline-"]);
    command.env("ARGO_GC_COMPLETE", "fish");
    let ran = Ran::of(command).ends_with(0);
    assert!(ran.out.starts_with("inline-only\tOnly inline templates"), "{}", ran.out);
    let mut command = plugin(["--", "kubectl-argo_gc", "x"]);
    command.env("ARGO_GC_COMPLETE", "nosuch");
    Ran::of(command).ends_with(2);
}

#[test]
fn the_place_of_every_script_is_told() {
    let all = Ran::of(plugin(["completion"])).ends_with(0).out;
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    for shell in ["kubectl", "bash", "zsh", "fish", "powershell"] {
        assert!(all.contains(&format!("argo_gc completion {shell}")) || shell == "kubectl", "{shell}: {all}");
        // A script that is redirected comes alone; one on a terminal is followed by its place.
        assert_eq!(Ran::of(plugin(["completion", shell])).ends_with(0).err, "");
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        let (code, script, place) = in_terminal(["x", "completion", shell], now, 80);
        assert!(code == 0 && !script.is_empty() && all.contains(place.trim()), "{shell}: {place}");
        assert!(place.contains(&format!("completion {shell}")), "{shell}: {place}");
    }
}

/// As [`ask`], in a folder of the user's own.
fn ask_in(folder: &std::path::Path, words: &[&str]) -> (Vec<String>, String) {
    let mut command = plugin(["__complete"].iter().chain(words));
    command.current_dir(folder).env("XDG_STATE_HOME", folder.join("state"));
    answer(Ran::of(command))
}

#[test]
fn journals_and_saved_plans_are_found() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut purge = Folder::new();
    purge.add(leaky("ml", "one", &["one/a.tgz"])).put_at(
        "ml-artifacts",
        "one/a.tgz",
        SignedDuration::from_hours(49),
    );
    let plan = path("tuesday.plan").display().to_string();
    purge.run("purge", &["--all", "-n", "ml", "--plan-out", &plan]).ends_with(0);
    std::fs::write(path("tuesday.txt"), "no plan").unwrap();
    std::fs::create_dir_all(path("state/argo-gc")).unwrap();
    std::fs::create_dir(path("sub")).unwrap();
    std::fs::copy(&plan, path("sub/other.json")).unwrap();
    // A pipe that nobody writes to would be waited for.
    assert!(Command::new("mkfifo").arg(path("tuesday.pipe")).status().unwrap().success());
    for journal in ["purge-1.jsonl", "purge-2.jsonl", "notes.txt"] {
        std::fs::write(path("state/argo-gc").join(journal), "").unwrap();
    }
    let ask = |words: &[&str]| ask_in(folder.path(), words);
    let one = path("state/argo-gc/purge-1.jsonl").display().to_string();
    let two = path("state/argo-gc/purge-2.jsonl").display().to_string();
    // Where none of them is meant, the shell completes paths.
    for words in [&["undo"][..], &["purge", "--resume"]] {
        assert_eq!(ask(&[words, &[""]].concat()), (vec![one.clone(), two.clone()], ":0".into()));
        assert_eq!(ask(&[words, &[&two[..two.len() - 6]]].concat()), (vec![two.clone()], ":0".into()));
        assert_eq!(ask(&[words, &["note"]].concat()), (vec![], ":0".into()));
    }
    for verb in ["purge", "explain"] {
        assert_eq!(ask(&[verb, "--plan", ""]), (vec!["tuesday.plan".into()], ":0".into()));
        assert_eq!(ask(&[verb, "--plan", "sub/"]), (vec!["sub/other.json".into()], ":0".into()));
        assert_eq!(ask(&[verb, "--plan", "x"]), (vec![], ":0".into()));
    }
}

#[test]
fn locations_are_completed_folder_by_folder() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("buckets");
    for key in
        ["ml-artifacts/train-1/model.tgz", "ml-artifacts/train-1/log.tgz", "ml-artifacts/trace.tgz", "logs/x"]
    {
        std::fs::create_dir_all(root.join(key).parent().unwrap()).unwrap();
        std::fs::write(root.join(key), "x").unwrap();
    }
    let root = root.display().to_string();
    let ask = |verb: &[&str], typed: &str| {
        ask_in(folder.path(), &[verb, &["--store-root", &root], &[typed]].concat())
    };
    // What is typed so far goes on: no space follows.
    let shown =
        |places: &[&str]| (places.iter().map(ToString::to_string).collect::<Vec<_>>(), ":6".to_owned());
    assert_eq!(ask(&["explain"], "gs:"), shown(&["gs://logs/", "gs://ml-artifacts/"]));
    assert_eq!(ask(&["explain"], "gs://ml"), shown(&["gs://ml-artifacts/"]));
    assert_eq!(
        ask(&["explain"], "gs://ml-artifacts/tra"),
        shown(&["gs://ml-artifacts/trace.tgz", "gs://ml-artifacts/train-1/"])
    );
    let objects = ["gs://ml-artifacts/train-1/log.tgz", "gs://ml-artifacts/train-1/model.tgz"];
    let (found, directive) = ask(&["explain"], "gs://ml-artifacts/train-1/");
    assert_eq!((found, directive.as_str()), (objects.map(str::to_owned).to_vec(), ":4"));
    assert_eq!(ask(&["explain"], "gs://nowhere/a").0, [""; 0]);
    // Words are there without any storage.
    assert_eq!(ask(&["explain"], "inline-p").0, ["inline-poison"]);
    let repository = ["orphans", "--repository"];
    let typed =
        ask_in(folder.path(), &["orphans", "--store-root", &root, repository[1], "gs://ml-artifacts/train"]);
    assert_eq!(typed, shown(&["gs://ml-artifacts/train-1/"]));
    let buckets = ask_in(folder.path(), &["purge", "--store-root", &root, "--bucket", ""]).0;
    assert_eq!(buckets, ["gs://logs", "gs://ml-artifacts"]);
    let repositories = ask_in(folder.path(), &["orphans", "--store-root", &root, "--repository", ""]);
    assert_eq!(repositories, shown(&["gs://logs/", "gs://ml-artifacts/"]));
    // A part of a listing would look like the whole.
    for at in 0..5001 {
        std::fs::write(folder.path().join(format!("buckets/logs/{at}")), "").unwrap();
    }
    assert_eq!(ask(&["explain"], "gs://logs/").0, [""; 0]);
    assert_eq!(ask(&["explain"], "gs://logs/499").0.len(), 11);
}
