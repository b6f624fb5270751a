//! Signs of life: a bar on a terminal, lines elsewhere.

use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, workflow};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// Two workflows, of which the second lets wait.
fn slow(delay: Duration) -> Stub {
    let pages = [
        Reply::page_of_more(&[workflow("first")], "next", 1),
        Reply::page(&[workflow("second")], "").after(delay),
    ];
    Stub::listing(pages)
}

/// Runs `inspect` on a terminal of 80 columns; gives all that the terminal is sent.
fn on_a_terminal(stub: &Stub, arguments: &str) -> String {
    let plugin = stub.command(&stub.config(&json!({})), arguments);
    let words: Vec<String> = std::iter::once(plugin.get_program())
        .chain(plugin.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut command = Command::new("script");
    let line = format!("stty cols 80 rows 24; exec {}", words.join(" "));
    command.args(["-qfec", &line, "/dev/null"]).env("HOME", "/nonexistent").env("TERM", "xterm");
    Ran::of(command).out
}

#[test]
fn a_terminal_shows_how_many_workflows_are_read_of_how_many() {
    let stub = slow(Duration::from_millis(2500));
    let shown = on_a_terminal(&stub, "--chunk-size 1");
    assert!(shown.contains("Reading workflows: 1 of 2"), "{shown:?}");
    // What was drawn is gone before anything else is printed.
    let (bar, rest) = shown.rsplit_once("Reading workflows").unwrap();
    assert!(bar.contains('[') && rest.contains("\u{1b}[2K"), "{shown:?}");
    let after = rest.rsplit_once("\u{1b}[2K").unwrap().1;
    assert!(after.contains("second") && after.contains("WORKFLOW "), "{shown:?}");
}

#[test]
fn who_is_quick_shows_none() {
    let shown = on_a_terminal(&slow(Duration::ZERO), "--chunk-size 1");
    assert!(shown.contains("second") && !shown.contains("Reading"), "{shown:?}");
}

#[test]
fn what_is_no_terminal_gets_a_line_every_half_minute() {
    let stub = slow(Duration::from_secs(34));
    let ran = stub.inspect("--chunk-size 1 -o json");
    let first = ran.err.lines().next().unwrap_or_default();
    assert!(first.starts_with("Reading workflows: 1 of 2, "), "{}", ran.err);
    assert_eq!(ran.err.matches("Reading").count(), 1, "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["workflows"].as_array().map(Vec::len), Some(2), "{document}");
}
