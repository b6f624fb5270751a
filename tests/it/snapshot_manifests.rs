//! Whole outputs of `lint`, `fix`, `explain`, `manifest` and `completion`.

use crate::support::session::Session;

#[test]
fn lint_shows_findings_with_their_places() {
    let mut session = Session::new();
    session.run("lint -f examples/inline.yaml");
    session.run("lint -f examples/inline.yaml --no-headers --fail-on uncovered");
    session.run("lint -f examples/inline.yaml --argo-version 3.4.0");
    session.run("lint -f examples/inline.yaml --only nonsense");
    session.run("lint");
    session.assert("lint");
    session.run("lint -R -f fixtures/lint");
    session.assert("lint_fixtures");
}

#[test]
fn fix_shows_and_writes_edits() {
    let mut session = Session::new();
    session.run("fix -f examples/inline.yaml");
    session.run("fix -f examples/inline.yaml --diff");
    session.run("fix -f examples/inline.yaml --strategy OnWorkflowDeletion --unique-keys --diff");
    session.run("fix --defaults");
    session.run("fix --lifecycle 30 --repository gs://ml-artifacts -f examples/cluster --store-root buckets");
    session.run("fix -f nowhere.yaml");
    session.run("fix");
    session.assert("fix");
    session.write("inline.yaml", std::fs::read(session.path("examples/inline.yaml")).unwrap());
    session.run("fix -f inline.yaml --write");
    session.show("inline.yaml");
    session.run("fix -f inline.yaml --write");
    session.assert("fix_writes");
}

#[test]
fn explain_knows_every_code() {
    let mut session = Session::new();
    session.run("explain --list");
    session.run("explain no-such-code");
    session.run("explain inline-nothing");
    session.run("explain");
    let list = session.quietly("", "explain --list").ends_with(0).out;
    session.assert("explain_list");
    for code in
        list.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| word.contains('-'))
    {
        session.run(&format!("explain {code}"));
    }
    session.assert("explain_codes");
}

#[test]
fn manifest_prints_objects() {
    let mut session = Session::new();
    let image = "--image registry.example.com/argo-gc:1";
    for kind in ["cronjob", "cronworkflow"] {
        session.run(&format!("manifest {kind} {image}"));
        session.run(&format!("manifest {kind} {image} --mode purge --policy examples/policy.yaml"));
        session.assert(&format!("manifest_{kind}"));
    }
    session.run("manifest policy");
    session.run(
        "manifest policy --action deny --rule no-strategy,force-no-pod --name gc --exempt-namespaces ml,etl",
    );
    session.assert("manifest_policy");
    session.run("manifest");
    session.run("manifest deployment");
    session.run("manifest policy --image IMAGE");
    session.run("manifest policy --action refuse");
    session.run("manifest policy --rule inline-only");
    session.run("manifest policy --exempt-namespaces ML");
    session.run(&format!("manifest cronjob {image} --action deny"));
    session.run("manifest cronjob --image");
    session.run(&format!("manifest cronjob {image} --mode purge"));
    session.run(&format!("manifest cronjob {image} --schedule daily"));
    session.run(&format!("manifest cronjob {image} --policy nowhere.yaml"));
    session.assert("manifest_errors");
}

#[test]
fn completion_prints_a_script() {
    let mut session = Session::new();
    for shell in ["kubectl", "bash", "zsh", "fish", "powershell", "tcsh"] {
        session.run(&format!("completion {shell}"));
    }
    session.assert("completion");
}
