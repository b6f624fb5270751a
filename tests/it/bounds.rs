//! What is odd, huge or endless costs its own row, or ends with a sentence: never the run, nor the machine's memory.

use crate::support::purge::{Folder, workflow as finished};
use crate::support::stub::{Reply, Stub, WORKFLOWS};
use crate::support::{Ran, plugin, workflow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::process::Command;

/// The address space that a run may have, in KiB. It is far more than it needs, and less than any bomb wants.
const SPACE: u32 = 3 << 20;

/// The same command with a limit on its memory.
fn limited(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -v {SPACE}; exec \"$0\" \"$@\"")).arg(command.get_program());
    shell.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// `text`, then its last three bytes again until there are `length` of them, as gzip: 13 bits for each 258 bytes.
fn repeated(text: &str, length: usize) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let stored = u16::try_from(text.len()).unwrap();
    packed.push(0);
    packed.extend(stored.to_le_bytes());
    packed.extend((!stored).to_le_bytes());
    packed.extend(text.bytes());
    // A last block with fixed codes, of which each repeats 258 bytes from three bytes before.
    let mut bits = vec![1, 1, 0];
    for _ in 0..length / 258 {
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0]);
    }
    bits.extend([0; 7]);
    packed.extend(bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | bit)));
    packed
}

/// A workflow of 440 KB whose nodes would take 6 GB.
fn bomb(mut workflow: Value) -> Value {
    let packed = repeated(r#"{"n":{"outputs":{"artifacts":[{},"#, 60 << 20);
    let status = workflow["status"].as_object_mut().unwrap();
    status.remove("nodes");
    status.insert("compressedNodes".to_owned(), STANDARD.encode(packed).into());
    workflow
}

/// The same, as it is within etcd's limit.
fn plain_bomb(mut workflow: Value) -> Value {
    workflow["spec"]["templates"] =
        serde_json::from_str(&format!("[{}{{}}]", "{},".repeat(480_000))).unwrap();
    workflow
}

#[test]
fn a_bomb_costs_its_own_row() {
    let items = [workflow("a"), bomb(workflow("hostile")), workflow("z")];
    let stub = Stub::listing([Reply::page(&items, "")]);
    let command = stub.command(&stub.config(&json!({})), "-o json");
    let found = Ran::of(limited(&command)).ends_with(0).json();
    let workflows = found["workflows"].as_array().unwrap();
    let of = |name: &str| workflows.iter().find(|workflow| workflow["name"] == name).unwrap();
    assert_eq!(of("a")["artifacts"][0]["verdict"], "uncovered", "{found:#}");
    assert_eq!(of("z")["artifacts"][0]["verdict"], "uncovered");
    let finding = &of("hostile")["findings"][0];
    assert_eq!((&finding["verdict"], &finding["reason"]), (&json!("unknown"), &json!("nodes-unreadable")));
    let evidence = finding["evidence"].to_string();
    assert!(evidence.contains("too large: its first ") && evidence.contains(" MiB of memory"), "{evidence}");
}

#[test]
fn a_plain_bomb_costs_its_own_row() {
    let items = [workflow("a"), plain_bomb(workflow("hostile")), workflow("z")];
    let stub = Stub::listing([Reply::page(&items, "")]);
    for verb in ["inspect", "doctor"] {
        let ran = stub.run(verb, "").ends_with(4);
        assert!(ran.err.contains("ml/hostile") && ran.err.contains("too large: its first "), "{}", ran.err);
    }
    let ran = stub.inspect("-o name").ends_with(4);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
}

#[test]
fn a_bomb_among_files_costs_its_own_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.json");
    let items = [workflow("a"), bomb(workflow("hostile")), plain_bomb(workflow("plain")), workflow("z")];
    std::fs::write(&path, json!({ "kind": "List", "items": items }).to_string()).unwrap();
    let mut command = plugin(["inspect", "-o", "json", "-f"]);
    command.arg(&path);
    let found = Ran::of(limited(&command)).ends_with(4);
    assert!(found.err.contains("ml/plain") && found.err.contains("too large: its first "), "{}", found.err);
    assert_eq!(found.json()["workflows"].as_array().unwrap().len(), 3);
}

#[test]
fn yaml_that_repeats_itself_ends_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.yaml");
    let mut text = String::from("kind: Workflow\nmetadata: {name: x}\na: &a [{},{},{},{},{},{},{},{},{}]\n");
    for (name, before) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        text += &format!("{name}: &{name} [{}]\n", [format!("*{before}").as_str(); 9].join(","));
    }
    for text in [text, format!("a: {}", "[".repeat(100_000)), format!("a: {}", "{a: ".repeat(100_000))] {
        std::fs::write(&path, text).unwrap();
        for verb in ["inspect", "lint"] {
            let mut command = plugin([verb, "-f"]);
            command.arg(&path);
            let ran = Ran::of(limited(&command));
            assert!(matches!(ran.code, Some(1 | 4)) && ran.err.contains("bomb.yaml"), "{verb}: {ran:#?}");
        }
    }
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
    let large = || Reply::announcing(300 << 20);
    let replies =
        [large(), Reply::page(&[workflow("a")], "next"), large(), Reply::page(&[workflow("z")], "")];
    let stub = Stub::listing(replies);
    let ran = stub.inspect("-o name").ends_with(0);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    let asked: Vec<_> =
        stub.requests_to(WORKFLOWS).iter().map(|seen| seen.asked()["limit"].clone()).collect();
    assert_eq!(asked, ["100", "10", "10", "1"]);
    // One workflow alone is no smaller.
    let stub = Stub::listing([large()]);
    let ran = stub.inspect("").ends_with(1);
    assert!(ran.err.contains("sent more than 256 MiB in one answer"), "{}", ran.err);
    assert_eq!(stub.requests_to(WORKFLOWS).len(), 3);
}

#[test]
fn a_list_that_goes_round_ends() {
    let round = || -> Vec<Reply> {
        let pages = ["a", "b"].iter().cycle().take(40).zip(0..);
        pages.map(|(token, at)| Reply::page(&[workflow(&format!("w{at}"))], token)).collect()
    };
    let ran = Stub::listing(round()).inspect("").ends_with(1);
    assert!(ran.err.contains("repeats"), "{}", ran.err);
    // Beside the workflows it is a gap, and reason enough to delete nothing.
    let templates = WORKFLOWS.replace("/workflows", "/workflowtemplates");
    let everywhere = "/apis/argoproj.io/v1alpha1/workflowtemplates";
    let listed = Reply::page(&[workflow("a")], "");
    let stub = Stub::start([
        (WORKFLOWS.to_owned(), vec![listed.clone()]),
        ("/apis/argoproj.io/v1alpha1/workflows".to_owned(), vec![listed]),
        (templates, round()),
        (everywhere.to_owned(), round()),
    ]);
    let ran = stub.inspect("").ends_with(0);
    assert!(ran.err.contains("workflowtemplates") && ran.err.contains("repeats"), "{}", ran.err);
    let buckets = stub.path("buckets");
    std::fs::create_dir(&buckets).unwrap();
    let ran = stub.run("purge", &format!("--all --yes --store-root {}", buckets.display())).ends_with(5);
    assert!(ran.err.contains("templates: ") && ran.err.contains("repeats"), "{}", ran.err);
}

#[test]
fn an_object_that_makes_no_sense_costs_itself_in_every_verb() {
    let odd = |name: &str| json!({ "metadata": { "name": name, "namespace": "ml", "labels": [] }, "spec": { "templates": 7 } });
    let template = json!({ "metadata": { "name": "good", "namespace": "ml" }, "spec": { "templates": [] } });
    let argo = "/apis/argoproj.io/v1alpha1";
    let workflows = Reply::page(&[workflow("a"), odd("odd-wf"), workflow("z")], "");
    let templates = Reply::page(&[odd("odd-template"), template], "");
    let caches = Reply::page(&[odd("odd-cache")], "");
    let stub = Stub::start([
        (WORKFLOWS.to_owned(), vec![workflows.clone()]),
        (format!("{argo}/workflows"), vec![workflows]),
        (format!("{argo}/workflowtemplates"), vec![templates.clone()]),
        (format!("{argo}/namespaces/ml/workflowtemplates"), vec![templates]),
        ("/api/v1/configmaps".to_owned(), vec![caches]),
    ]);
    let buckets = stub.path("buckets");
    std::fs::create_dir_all(buckets.join("b/argo")).unwrap();
    let root = format!("--store-root {}", buckets.display());
    for (verb, arguments, code, told) in [
        ("inspect", String::new(), 4, vec!["ml/odd-wf", "ml/odd-template"]),
        ("doctor", String::new(), 4, vec!["ml/odd-wf", "ml/odd-template"]),
        ("lint", String::new(), 4, vec!["odd-template"]),
        (
            "fix",
            format!("--lifecycle 30 --repository gs://b/argo {root}"),
            4,
            vec!["workflow ml/odd-wf", "workflow template ml/odd-template", "cache ml/odd-cache"],
        ),
        ("orphans", format!("--repository gs://b/argo {root}"), 0, vec!["cache ml/odd-cache"]),
    ] {
        let ran = stub.run(verb, &arguments).ends_with(code);
        for name in told {
            assert!(ran.err.contains(name), "{verb}: {name}\n{}", ran.err);
        }
    }
    // Each is named, and so can be accepted alone.
    let ran = stub.run("purge", &format!("--all --yes {root}")).ends_with(5);
    let each = "caches:ml/odd-cache,templates:ml/odd-template,workflows:ml/odd-wf";
    assert!(ran.err.contains(&format!("--accept-unread {each}")), "{}", ran.err);
    stub.run("purge", &format!("--all --yes {root} --accept-unread {each}")).ends_with(0);
}

#[test]
fn one_object_is_accepted_as_unread_and_not_its_kind() {
    let mut folder = Folder::new();
    folder.add(finished("ml", "train", &["train/a.tgz"]));
    folder.put("train/a.tgz");
    folder.add(bomb(finished("x", "hostile", &[])));
    let refused = folder.purge(&["train", "--yes"]).ends_with(5);
    assert!(refused.err.contains("--accept-unread nodes:x/hostile\n"), "{}", refused.err);
    folder.purge(&["train", "--yes", "--accept-unread", "nodes:x/other"]).ends_with(5);
    // The next one that can't be read is not accepted with it.
    folder.add(bomb(finished("x", "second", &[])));
    let one = ["train", "--yes", "--accept-unread", "nodes:x/hostile"];
    let refused = folder.purge(&one).ends_with(5);
    assert!(refused.err.contains("--accept-unread nodes:x/second\n"), "{}", refused.err);
    assert!(folder.has("train/a.tgz"));
    folder.purge(&["train", "--yes", "--accept-unread", "nodes:x/hostile,nodes:x/second"]).ends_with(0);
    assert!(!folder.has("train/a.tgz"));
    let wrong = folder.purge(&["train", "--accept-unread", "others:x/y"]).ends_with(2);
    assert!(wrong.err.contains("[possible values: workflows, nodes, caches,"), "{}", wrong.err);
}

#[test]
fn an_age_without_a_unit_is_no_age() {
    for (verb, flag) in [
        ("inspect", "--older"),
        ("purge", "--older"),
        ("purge", "--grace"),
        ("purge", "--margin"),
        ("purge", "--plan-max-age"),
        ("orphans", "--older"),
        ("doctor", "--older"),
    ] {
        let ran = Ran::of(plugin([verb, flag, "7"])).ends_with(2);
        let words = format!("error: invalid value '7' for '{flag} <DURATION>': 7 of what? write 7d for days");
        assert!(ran.err.starts_with(&words), "{}", ran.err);
    }
}
