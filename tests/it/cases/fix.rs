//! What `fix` makes of manifests.

use super::Case;
use std::fs;

#[test]
fn inline_templates_of_a_manifest_are_lifted_together_or_not_at_all() {
    let case = Case::new("43-partial-lift");
    let path = case.path("twoinline.yaml");
    let given = fs::read_to_string(&path).unwrap();
    let ran = case.run("fix -f twoinline.yaml --write").ends_with(4);
    assert_eq!(fs::read_to_string(&path).unwrap(), given);
    assert!(
        ran.err.contains("twoinline.yaml:12:9: left the inline template of \"first\" as it is"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("{{tasks.first.status}}") && ran.err.contains("hand the value over"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("uncovered (inline-only)"), "what is left is named: {}", ran.err);
    // Without the expression both can go.
    fs::write(&path, given.replace("{{=len(tasks.first.status)}} ", "")).unwrap();
    let ran = case.run("fix -f twoinline.yaml --write --service-account gc").ends_with(0);
    assert!(ran.err.starts_with("Changed 3 places") && !ran.err.contains("Left: "), "{}", ran.err);
    case.run("lint -f twoinline.yaml --fail-on uncovered,failing,unknown,note").ends_with(0);
}

#[test]
fn unique_keys_differ_from_node_to_node_and_attempt_to_attempt() {
    let case = Case::new("44-key-twice-in-a-run");
    case.run("fix -f . --unique-keys --write").ends_with(0);
    for file in ["39-same-key-two-nodes.yaml", "46-retry-fixed-key.yaml"] {
        let text = fs::read_to_string(case.path(file)).unwrap();
        assert!(text.contains("key: \"{{workflow.uid}}/{{pod.name}}/"), "{text}");
    }
    case.run("lint -f . --fail-on uncovered,failing,gcs-missing,retry-attempts,shared-key").ends_with(0);
}
