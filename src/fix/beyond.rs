//! What a fix of manifests alone does not settle: where they come from, and as whom GC pods run.

use serde_json::Value;
use std::collections::BTreeSet;

/// Returns true if an object, or one of a list's, was read from a cluster: a manifest that people write has no UID.
pub fn is_of_cluster(object: &Value) -> bool {
    let read = ["uid", "resourceVersion"].iter().any(|field| object["metadata"][field].is_string());
    read || object["items"].as_array().is_some_and(|items| items.iter().any(is_of_cluster))
}

/// Returns the service accounts that GC pods are to run as by these objects, and that are not among them.
pub fn missing_accounts<'v>(objects: impl Iterator<Item = &'v Value>) -> BTreeSet<String> {
    let (mut named, mut there) = (BTreeSet::new(), BTreeSet::new());
    objects.for_each(|object| look(object, &mut named, &mut there));
    named.retain(|account| !there.contains(account));
    named
}

fn look(value: &Value, named: &mut BTreeSet<String>, there: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| look(value, named, there)),
        Value::Object(fields) => {
            if value["kind"] == "ServiceAccount" {
                there.extend(value["metadata"]["name"].as_str().map(str::to_owned));
            }
            let account = value["artifactGC"]["serviceAccountName"].as_str();
            named.extend(account.filter(|name| !name.is_empty() && !name.contains("{{")).map(str::to_owned));
            fields.values().for_each(|value| look(value, named, there));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn accounts_count_wherever_they_are_named_unless_they_are_there() {
        let block =
            |account: &str| json!({ "strategy": "OnWorkflowDeletion", "serviceAccountName": account });
        let artifact = json!({ "name": "a", "artifactGC": block("of-artifact") });
        let templates = json!([{ "outputs": { "artifacts": [artifact] } }]);
        let cron = json!({
            "kind": "CronWorkflow",
            "spec": { "workflowSpec": { "artifactGC": block("of-cron"), "templates": templates } },
        });
        let odd = json!({ "spec": { "artifactGC": block("{{x}}"), "other": { "artifactGC": "text" } } });
        let account = json!({ "kind": "ServiceAccount", "metadata": { "name": "of-cron" } });
        let all = [cron, odd, account];
        assert_eq!(missing_accounts(all.iter()).into_iter().collect::<Vec<_>>(), ["of-artifact"]);
        assert_eq!(missing_accounts(all[..1].iter()).len(), 2);
    }

    #[test]
    fn what_a_cluster_gave_out_has_a_uid_or_a_version() {
        let written =
            json!({ "kind": "Workflow", "metadata": { "name": "a", "annotations": { "uid": "x" } } });
        let read = json!({ "kind": "Workflow", "metadata": { "name": "a", "resourceVersion": "7" } });
        assert!(!is_of_cluster(&written) && is_of_cluster(&read));
        assert!(is_of_cluster(&json!({ "kind": "List", "items": [written, read] })));
    }
}
