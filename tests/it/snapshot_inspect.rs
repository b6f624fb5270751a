//! Whole outputs of `inspect`, `doctor` and `diff`, on the example cluster and on the fixtures.

use crate::support::session::Session;

#[test]
fn inspect_lists_workflows() {
    let mut session = Session::new();
    session.run("inspect -f examples/cluster");
    session.assert("inspect_table");
    session.run("inspect -f examples/cluster -o wide");
    session.assert("inspect_wide");
    session.run("inspect -f examples/cluster -o name");
    session.run("inspect -f examples/cluster -o markdown");
    session.run("inspect -f examples/cluster -n etl --no-headers");
    session.run("inspect -f examples/cluster --verdict failing");
    session.run("inspect -f examples/cluster -n none");
    session.run("inspect -f examples/cluster -n ml -o csv");
    session.run("inspect -f examples/cluster -n ml -o jsonpath={.artifacts}");
    session.run("inspect -f examples/cluster -n ml --older 10d --newer 30d");
    session.run("inspect -f examples/cluster -n ml workflow.argoproj.io/eval-k5r3v wf/nosuch -o name");
    session.run("inspect -f examples/cluster pod/eval-k5r3v");
    session.run("version");
    session.run("inspect -f examples/cluster --fail-on uncovered -n ml");
    session.assert("inspect_choices");
}

#[test]
fn inspect_shows_one_workflow_as_a_tree() {
    let mut session = Session::new();
    for name in
        ["build-9c4tz -n ci", "release-5vn8k -n ci", "backfill-zq8c6 -n etl", "ingest-clicks-7hj4n -n etl"]
    {
        session.run(&format!("inspect -f examples/cluster {name}"));
    }
    for name in ["eval-k5r3v", "train-x7k2p", "train-4m9qd", "train-h8w2s"] {
        session.run(&format!("inspect -f examples/cluster -n ml {name}"));
    }
    session.assert("inspect_tree");
}

#[test]
fn inspect_groups_and_checks() {
    let mut session = Session::new();
    for key in ["namespace", "reason", "bucket", "template"] {
        session.run(&format!("inspect -f examples/cluster --group-by {key}"));
    }
    session.assert("inspect_groups");
    session.run("inspect -f examples/cluster --check --store-root buckets");
    session.run("inspect -f examples/cluster --check --store-root buckets -o wide -n ml");
    session.run("inspect -f examples/cluster --check --store-root buckets -n ml train-x7k2p");
    for key in ["namespace", "reason", "bucket"] {
        session.run(&format!("inspect -f examples/cluster --check --store-root buckets --group-by {key}"));
    }
    session.run("inspect -f examples/cluster --check --store-root nowhere");
    session.assert("inspect_check");
}

#[test]
fn inspect_knows_every_fixture() {
    let mut session = Session::new();
    session.run("inspect -R -f fixtures -o wide");
    session.assert("inspect_fixtures");
}

#[test]
fn doctor_says_what_hangs() {
    let mut session = Session::new();
    session.run("doctor -f examples/cluster");
    session.run("doctor -f examples/cluster -n ml eval-k5r3v");
    session.run("doctor -f examples/cluster -n none");
    session.run("doctor -f examples/cluster --yaml");
    session.assert("doctor");
    session.run("doctor -R -f fixtures");
    session.assert("doctor_fixtures");
}

#[test]
fn diff_compares_two_inspections() {
    let mut session = Session::new();
    let new = session.quietly("", "inspect -f examples/cluster -o json").ends_with(0);
    session.write("new.json", new.out);
    session.run("diff examples/last-week.json new.json");
    session.run("diff examples/last-week.json new.json --no-headers --fail-on new");
    session.run("diff new.json new.json");
    session.run("diff new.json examples/last-week.json");
    session.run("diff nowhere.json new.json");
    session.run("diff examples/inline.yaml new.json");
    session.run("diff - -");
    session.run("diff new.json new.json --fail-on worse");
    session.assert("diff");
}
