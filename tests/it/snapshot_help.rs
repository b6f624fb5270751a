//! The help of every verb, and the errors that every verb shares.

use crate::support::session::Session;

const VERBS: [&str; 13] = [
    "inspect",
    "explain",
    "doctor",
    "purge",
    "undo",
    "orphans",
    "references",
    "lint",
    "fix",
    "diff",
    "manifest",
    "completion",
    "version",
];

#[test]
fn every_verb_has_help() {
    let mut session = Session::new();
    for arguments in ["-h", "--help", "help", "--version", ""] {
        session.run(arguments);
    }
    session.assert("help");
    let verbs = session.quietly("", "-h").ends_with(0).out;
    let commands =
        verbs.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.iter().filter(|name| **name != "help").copied().collect::<Vec<_>>(), VERBS);
    for verb in VERBS {
        session.run(&format!("{verb} -h"));
        session.run(&format!("{verb} --help"));
        session.assert(&format!("help_{verb}"));
    }
}

#[test]
fn wrong_usage_is_answered_with_what_is_right() {
    let mut session = Session::new();
    for arguments in [
        "inspct",
        "inspect --no-such-flag",
        "inspect --old 7d",
        "inspect -o xml",
        "inspect --older seven",
        "inspect --status Finished",
        "inspect --verdict lost",
        "inspect --argo-version four",
        "inspect -A -n ml",
        "inspect -R",
        "inspect --group-by colour -f examples/cluster",
        "purge --older",
        "purge --engine cloud",
        "orphans --repository nowhere",
        "explain --list inline-only",
        "doctor --yaml -o json",
        "diff one.json",
    ] {
        session.run(arguments);
    }
    session.assert("errors_usage");
}

#[test]
fn files_that_can_not_be_read_are_named() {
    let mut session = Session::new();
    session.write("broken.yaml", "kind: Workflow\nmetadata: {name: a\nspec:\n");
    session.write("broken.json", "{\"kind\": \"Workflow\", ");
    session.write("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    session.write("odd.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: 1\n");
    session.write("text.txt", "hello\n");
    for verb in ["inspect", "doctor", "lint", "purge --dry-run --all --store-root buckets", "fix"] {
        for file in ["nowhere.yaml", "broken.yaml", "broken.json", "other.yaml", "odd.yaml", "text.txt"] {
            session.run(&format!("{verb} -f {file}"));
        }
        session.assert(&format!("errors_files_{}", verb.split(' ').next().unwrap()));
    }
    session.run_with("", "inspect -f -");
    session.run_with("hello", "inspect -f -");
    session.assert("errors_standard_input");
}

#[test]
fn a_cluster_that_can_not_be_reached_is_named() {
    let mut session = Session::new();
    for arguments in [
        "inspect",
        "inspect -A",
        "inspect train-x7k2p",
        "doctor",
        "lint -A",
        "purge --all --dry-run --store-root buckets",
        "orphans --repository gs://ml-artifacts --store-root buckets",
    ] {
        session.run(&format!("{arguments} --kubeconfig kubeconfig"));
    }
    session.run("inspect");
    session.run("inspect --kubeconfig nowhere");
    session.run("inspect --kubeconfig kubeconfig --context other");
    session.run("inspect --kubeconfig kubeconfig --user other");
    session.run("inspect --kubeconfig examples/inline.yaml");
    session.run("inspect --kubeconfig kubeconfig --request-timeout soon");
    session.assert("errors_cluster");
}
