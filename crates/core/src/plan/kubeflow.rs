//! Recognises what belongs to Kubeflow Pipelines.
//!
//! Its cache is an index in a database (MySQL) that points new runs at objects of earlier ones, and its launcher writes
//! objects that no output of Argo names (`docs/argo-gc.md#kubeflow`). Neither can be read here, so what has
//! its labels or its shapes may be needed.

use crate::argo::meta::Meta;
use crate::plan::key_shape::{KeyFormat, is_uuid};
use std::sync::LazyLock;

/// The label with the ID of the run that a workflow carries out.
pub const RUN_ID: &str = "pipeline/runid";

/// The beginning of the labels and annotations that its compiler and its cache set, such as
/// `pipelines.kubeflow.org/reused_from_cache`.
const DOMAIN: &str = "pipelines.kubeflow.org/";

/// The key formats that its manifests configure Argo with: the present one, and the one before.
const KEY_FORMATS: [&str; 2] = [
    "private-artifacts/{{workflow.namespace}}/{{workflow.name}}/{{workflow.creationTimestamp.Y}}/\
     {{workflow.creationTimestamp.m}}/{{workflow.creationTimestamp.d}}/{{pod.name}}",
    "artifacts/{{workflow.name}}/{{workflow.creationTimestamp.Y}}/{{workflow.creationTimestamp.m}}/\
     {{workflow.creationTimestamp.d}}/{{pod.name}}",
];

/// Returns true if an object carries one of its labels or annotations.
pub fn has_label(meta: &Meta) -> bool {
    let names = meta.labels.keys().chain(meta.annotations.keys());
    names.into_iter().any(|name| name == RUN_ID || name.starts_with(DOMAIN))
}

/// Returns true if a key has a shape that its launcher, its API server or its configuration of Argo writes, below
/// whatever folder: `v2/artifacts/<pipeline>/<run id>/…`, `pipelines/<id>`, or one of its key formats.
pub fn has_shape(key: &str) -> bool {
    static FORMATS: LazyLock<[KeyFormat; 2]> = LazyLock::new(|| KEY_FORMATS.map(KeyFormat::parse));
    let starts = std::iter::once(0).chain(key.match_indices('/').map(|(at, _)| at + 1));
    starts.into_iter().any(|at| {
        let mut parts = key[at..].split('/');
        match parts.next() {
            Some("v2") => parts.next() == Some("artifacts") && parts.nth(1).is_some(),
            Some("pipelines") => parts.next().is_some_and(is_uuid),
            Some("private-artifacts" | "artifacts") => {
                FORMATS.iter().any(|format| format.matches(&key[at..]).is_some())
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_labels_and_annotations_are_known() {
        let with = |label: &str, annotation: &str| {
            let entry = |name: &str| [(name.to_owned(), "x".to_owned())].into();
            has_label(&Meta { labels: entry(label), annotations: entry(annotation), ..Meta::default() })
        };
        assert!(with("pipeline/runid", "a") && with("a", "pipelines.kubeflow.org/run_name"));
        assert!(with("pipelines.kubeflow.org/reused_from_cache", "a"));
        assert!(!with("pipeline/other", "kubeflow.org/x") && !has_label(&Meta::default()));
    }

    #[test]
    fn its_shapes_are_known_below_any_folder() {
        for key in [
            "v2/artifacts/train/1c0ffee0/model",
            "root/v2/artifacts/train/1c0ffee0/step/model",
            "pipelines/0a1b2c3d-0000-4000-8000-00805f9b34fb",
            "private-artifacts/ml/train/2026/11/28/train-main-7/main.log",
            "mlpipeline/artifacts/train/2025/01/02/train-7/a.tgz",
        ] {
            assert!(has_shape(key), "{key}");
        }
        for key in [
            "v2/artifacts/x",
            "av2/artifacts/train/1/model",
            "artifacts/train/train-7/a.tgz",
            "pipelines/train/x",
            "private-artifacts/ml/train/2026/11/28/other-7/main.log",
            "train/train-7/v2",
            "",
        ] {
            assert!(!has_shape(key), "{key}");
        }
    }
}
