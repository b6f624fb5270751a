//! The links of the chain, one by one.

use serde_json::json;

use crate::support::real_argo::{BUCKET, RealArgo};

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_named_template_is_collected_and_an_inline_one_is_not_on_argo() {
    let argo = RealArgo::shared();
    let namespace = "chain-first";
    argo.namespace(namespace);
    let body = json!({
        "container": { "image": "test", "command": ["produce"] },
        "outputs": { "artifacts": [{ "name": "out", "path": "/tmp/out" }] },
    });
    let mut named = body.clone();
    named["name"] = json!("work");
    argo.create(json!([
        { "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
          "metadata": { "name": "named", "namespace": namespace },
          "spec": { "entrypoint": "work", "artifactGC": { "strategy": "OnWorkflowDeletion" }, "templates": [named] } },
        { "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
          "metadata": { "name": "inline", "namespace": namespace },
          "spec": { "entrypoint": "main", "artifactGC": { "strategy": "OnWorkflowDeletion" },
                    "templates": [{ "name": "main", "steps": [[{ "name": "s", "inline": body }]] }] } },
    ]));
    for name in ["named", "inline"] {
        let over = argo.completed(namespace, name);
        assert_eq!(over["status"]["phase"], "Succeeded", "{over:#?}");
        assert_eq!(argo.keys(&format!("{namespace}/{name}/")).len(), 1, "{:?}", argo.gcs.keys(BUCKET));
    }
    argo.argo_gc(&["inspect", "-n", namespace, "-o", "json"]).ends_with(0);
    for name in ["named", "inline"] {
        argo.gone(namespace, name);
    }
    assert_eq!(argo.keys(&format!("{namespace}/named/")), [""; 0]);
    assert_eq!(argo.keys(&format!("{namespace}/inline/")).len(), 1);
}
