//! What `inspect`, `doctor` and `purge` say of workflows from files.

use super::Case;

#[test]
fn inline_templates_are_uncovered_and_their_object_alone_is_planned() {
    let case = Case::new("01-inline-dag-gcs");
    let found = case.run("inspect -A -f input.yaml --check --store-root buckets -o json").ends_with(0).json();
    let artifact = &found["workflows"][0]["artifacts"][0];
    assert_eq!((&artifact["verdict"], &artifact["reason"]), (&"uncovered".into(), &"inline-only".into()));
    let notes = artifact["notes"].to_string() + &found["workflows"][0]["notes"].to_string();
    assert!(notes.contains("ttl-vanished"), "{found:#}");
    let lint = case.run("lint -f manifest -o json").ends_with(0).json();
    assert!(lint["findings"].as_array().unwrap().iter().any(|one| one["code"] == "inline-only"), "{lint:#}");
    let purge = "purge -A -f input.yaml --store-root buckets --repository gs://team-a-art --dry-run -o json";
    let plan = case.run(purge).ends_with(0).json();
    let planned: Vec<_> =
        plan["workflows"][0]["delete"].as_array().unwrap().iter().map(|object| &object["key"]).collect();
    assert_eq!(planned, ["relay-7k2mx/relay-7k2mx-2700113011/greeting.tgz"], "{plan:#}");
}
