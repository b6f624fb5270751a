//! Whole outputs of `purge`, `undo` and `orphans`, on the example cluster and its buckets.

use crate::support::session::Session;

const ML: &str = "purge -f examples/cluster --store-root buckets -n ml --older 7d --accept-unread nodes";
const EXAMPLE: &str = "-f examples/cluster --store-root buckets";

#[test]
fn purge_shows_its_plan_and_deletes() {
    let mut session = Session::new();
    session.run(&format!("{ML} --dry-run"));
    session.run(&format!("{ML} --dry-run -o wide"));
    session.run(&format!(
        "purge {EXAMPLE} --older 7d --accept-unread nodes --policy examples/policy.yaml --dry-run \
         --repository gs://ml-artifacts --repository gs://ci-artifacts"
    ));
    session.run(&format!("purge {EXAMPLE} -n etl --reason no-strategy --accept-unread nodes --dry-run"));
    session.run(&format!("purge {EXAMPLE} -n none --all --accept-unread nodes --dry-run"));
    session.assert("purge_plan");
    session.run(&format!("{ML} --yes"));
    session.run(&format!("{ML} --yes"));
    session.assert("purge_deletes");
    let journal = session.journal();
    session.run(&format!("purge --resume {journal} --store-root buckets --yes"));
    session.assert("purge_resume");
    // What is lost is named in the order in which it was deleted, which differs from run to run.
    let undone = session.quietly("", &format!("undo {journal} --store-root buckets")).ends_with(4);
    assert!(undone.out.starts_with("Brought back 0 of 10 objects\n10 did not come back: "), "{}", undone.out);
    assert_eq!(undone.err.matches(": the bucket shows no copy of it").count(), 10, "{}", undone.err);
}

#[test]
fn purge_refuses() {
    let mut session = Session::new();
    // Without a terminal nobody can be asked.
    session.run(ML);
    session.run(&format!("purge {EXAMPLE} -n ml --older 7d --yes"));
    session.run(&format!("purge {EXAMPLE} --yes"));
    session.run(&format!("{ML} --yes --max-objects 3"));
    session.run(&format!("{ML} --yes --max-bytes 1KiB"));
    session.run(&format!("purge {EXAMPLE} -n ml no-such-workflow --accept-unread nodes --yes"));
    session.run(&format!("purge {EXAMPLE} -n ml train-x7k2p --accept-unread nodes --dry-run client"));
    session.run(&format!("{ML} --dry-run=true --bucket gs://ci-artifacts"));
    session.run(&format!("{ML} --dry-run=true --bucket gs://ml-artifacts/prefix"));
    session.run(&format!("purge {EXAMPLE} -n ml train-h8w2s --accept-unread nodes --yes"));
    session.run(&format!(
        "purge {EXAMPLE} -n ml --older 7d --accept-unread nodes --policy nowhere.yaml --dry-run"
    ));
    session.write("policy.yaml", "apiVersion: argo-gc/v1\nkind: RetentionPolicy\nkeepFirst: 1\n");
    session.run(&format!(
        "purge {EXAMPLE} -n ml --older 7d --accept-unread nodes --policy policy.yaml --dry-run"
    ));
    session.assert("purge_refuses");
}

#[test]
fn a_saved_plan_is_applied_once() {
    let mut session = Session::new();
    session.run(&format!("{ML} --plan-out plan.json"));
    session.run("purge --plan plan.json --store-root buckets");
    session.run("purge --plan plan.json --store-root buckets --yes");
    session.run("purge --plan plan.json --store-root buckets --yes");
    let edited =
        std::fs::read_to_string(session.path("plan.json")).unwrap().replace("train-x7k2p", "train-4m9qd");
    session.write("edited.json", edited);
    session.run("purge --plan edited.json --store-root buckets --yes");
    session.run("purge --plan nowhere.json --store-root buckets --yes");
    session.run("purge --plan examples/last-week.json --store-root buckets --yes");
    session.run("purge --plan plan.json --older 7d --store-root buckets --yes");
    session.assert("purge_saved_plan");
}

#[test]
fn orphans_lists_what_no_workflow_refers_to() {
    let mut session = Session::new();
    session.run(&format!("orphans {EXAMPLE} --repository gs://ml-artifacts"));
    session.run(&format!("orphans {EXAMPLE} --repository gs://ml-artifacts --older 5000d"));
    session.run(&format!("orphans {EXAMPLE} --repository gs://no-such-bucket"));
    session.run(&format!("orphans {EXAMPLE}"));
    session.assert("orphans");
}

#[test]
fn undo_needs_a_journal() {
    let mut session = Session::new();
    session.run("undo");
    session.run("undo nowhere.jsonl --store-root buckets");
    session.write("broken.jsonl", "{\"half\":");
    session.run("undo broken.jsonl --store-root buckets");
    session.run("purge --resume nowhere.jsonl --store-root buckets --yes");
    session.assert("undo_errors");
}
