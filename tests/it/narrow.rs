//! What is shown on a terminal of 80 columns.

use crate::support::in_terminal;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// The example's own time.
const NOW: &str = "2026-11-25T12:00:00Z";

/// Runs commands on the example at so many columns; every line fits but for the commands to type and what is wide by nature.
fn shown(columns: usize, commands: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let buckets = folder.path().join("buckets");
    assert!(
        Command::new(root.join("examples/make-buckets")).arg(&buckets).output().unwrap().status.success()
    );
    let mut text = String::new();
    for command in commands {
        let words = format!("x {command}").replace("BUCKETS", &buckets.display().to_string());
        let (code, out, err) = in_terminal(words.split_whitespace(), NOW.parse().unwrap(), columns);
        assert!(code == 0, "{command}: {code}\n{out}{err}");
        let is_command = |line: &str| line.split("  ").any(|part| part.trim_start().starts_with("kubectl "));
        // A location is whole, in a line of its own.
        let is_tree = |line: &str| line.trim_start_matches([' ', '│']).starts_with("gs://");
        for line in out.lines().filter(|line| !is_command(line) && !is_tree(line)) {
            assert!(line.chars().count() <= columns, "{command} at {columns}: {line}\n{out}");
        }
        writeln!(text, "$ kubectl argo-gc {command}\n{out}").unwrap();
    }
    text
}

const TABLES: [&str; 15] = [
    "inspect -f examples/cluster",
    "inspect -f examples/cluster -n etl",
    "inspect -f examples/cluster --check --store-root BUCKETS",
    "inspect -f examples/cluster --check --store-root BUCKETS --group-by reason",
    "inspect -f examples/cluster --check --store-root BUCKETS --group-by namespace",
    "purge -f examples/cluster --store-root BUCKETS -n ml --all --release-finalizer --accept-unread nodes --dry-run",
    "purge -f examples/cluster --store-root BUCKETS -A --policy examples/policy.yaml --accept-unread nodes --dry-run",
    "inspect -f examples/cluster -n etl -o wide",
    "purge -f examples/cluster --store-root BUCKETS -A --keep-last 1 --accept-unread nodes --dry-run",
    "lint -f examples/inline.yaml",
    "diff examples/last-week.json examples/last-week.json",
    "doctor -f examples/cluster -n ml",
    "explain --list",
    "explain gcs-directory",
    "inspect -f examples/cluster -n ml eval-k5r3v",
];

/// A comment that is broken is no comment any more.
#[test]
fn samples_stay_yaml_at_80_columns() {
    let mut samples = 0;
    for reason in argo_gc_core::reason::Reason::ALL {
        let Some(yaml) = reason.entry().remedy_yaml else { continue };
        let (code, out, err) = in_terminal(["x", "explain", reason.code()], NOW.parse().unwrap(), 80);
        assert_eq!((code, err.as_str()), (0, ""), "{}", reason.code());
        let shown: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
        assert!(out.contains(&shown), "{out}");
        samples += 1;
    }
    assert!(samples > 10, "{samples}");
}

#[test]
fn every_line_fits_80_columns() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let text = shown(80, &TABLES);
    settings.bind(|| insta::assert_snapshot!("narrow", text));
}

#[test]
fn every_line_fits_narrower_and_wider_terminals() {
    for columns in [100, 132] {
        shown(columns, &TABLES);
    }
    // The pins of the example's objects differ from run to run.
    shown(80, &["explain gs://ml-artifacts/train-x7k2p -f examples/cluster --store-root BUCKETS"]);
    shown(
        80,
        &[
            "purge -f examples/cluster --store-root BUCKETS -n ml --all --accept-unread nodes --dry-run -o wide",
        ],
    );
    // Narrower than that, a name can be too long for any line.
    shown(60, &TABLES[..8]);
}
