//! The pictures of the README, made from the example at its own time. `docs/pictures/make` writes them.

use crate::support::in_terminal;
use crate::support::svg::terminal;
use std::fs;
use std::path::Path;
use std::process::Command;

const NOW: &str = "2026-11-25T12:00:00Z";
const COLUMNS: usize = 128;

fn run(command: &str) -> String {
    let words = command.split_whitespace().skip(1);
    let (code, out, err) = in_terminal(words, NOW.parse().unwrap(), COLUMNS);
    assert_eq!(code, 0, "{err}");
    out
}

#[test]
fn the_picture_of_a_terminal_shows_what_the_example_gives() {
    let command = "kubectl argo-gc inspect -f examples/cluster";
    let shown = run(&format!("{command} --color always"));
    // The suggestions at its end would need much room.
    let picture = terminal(command, shown.split("\nNext:").next().unwrap(), COLUMNS);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/inspect.svg");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &picture).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == picture, "docs/pictures/make makes the picture anew");
}

/// The page that `docs/pictures/make` takes a picture of.
#[test]
fn the_page_of_the_picture_is_the_report_of_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let buckets = folder.path().join("buckets");
    assert!(
        Command::new(root.join("examples/make-buckets")).arg(&buckets).output().unwrap().status.success()
    );
    let check = format!("--check --store-root {}", buckets.display());
    let page = run(&format!("kubectl argo-gc inspect -f examples/cluster {check} -o html"));
    assert!(page.contains("train-x7k2p"), "{page}");
    if let Some(path) = std::env::var_os("REPORT_PAGE") {
        fs::write(path, page).unwrap();
    }
}
