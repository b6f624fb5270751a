//! Recognises what belongs to Kubeflow Pipelines.
//!
//! Its cache is an index in a database (MySQL) that points new runs at objects of earlier ones, and its launcher writes
//! objects that no output of Argo names (`docs/argo-gc.md#kubeflow`). Neither can be read here, so what has
//! its labels or its shapes may be needed.

use crate::argo::meta::Meta;
use crate::plan::key_shape::{KeyFormat, is_uuid};
use serde::Deserialize;
use std::collections::BTreeSet;
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
    shape(key).is_some()
}

/// What a key of its shape tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KubeflowKey<'k> {
    /// Its launcher wrote the object in a run.
    Run { pipeline: &'k str, run: &'k str },
    /// An uploaded pipeline, or what Argo wrote for a workflow of its.
    Other,
}

/// Returns what a key tells that has one of the shapes of [`has_shape`].
pub fn shape(key: &str) -> Option<KubeflowKey<'_>> {
    static FORMATS: LazyLock<[KeyFormat; 2]> = LazyLock::new(|| KEY_FORMATS.map(KeyFormat::parse));
    let starts = std::iter::once(0).chain(key.match_indices('/').map(|(at, _)| at + 1));
    starts.into_iter().find_map(|at| {
        let mut parts = key[at..].split('/');
        match parts.next() {
            Some("v2") if parts.next() == Some("artifacts") => {
                let (pipeline, run) = (parts.next()?, parts.next()?);
                Some(KubeflowKey::Run { pipeline, run })
            }
            Some("pipelines") => parts.next().is_some_and(is_uuid).then_some(KubeflowKey::Other),
            Some("private-artifacts" | "artifacts") => {
                let is_it = FORMATS.iter().any(|format| format.matches(&key[at..]).is_some());
                is_it.then_some(KubeflowKey::Other)
            }
            _ => None,
        }
    })
}

/// The IDs of the runs that Kubeflow Pipelines still has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveRuns(BTreeSet<String>);

impl LiveRuns {
    /// Reads an ID a line, or the answers of its API to `GET /apis/v2beta1/runs`, one after the other.
    ///
    /// # Errors
    /// It is neither, tells of no run, or is not the whole list: then nothing could be known of a run that is not in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let runs = match text.trim_start().starts_with('{') {
            true => of_answers(text)?,
            false => of_lines(text)?,
        };
        match runs.is_empty() {
            true => Err("it has no run; a list of no runs may be that of another namespace".to_owned()),
            false => Ok(Self(runs)),
        }
    }

    /// Adds those of another namespace.
    pub fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns true if the run is there.
    pub fn has(&self, run: &str) -> bool {
        self.0.contains(run)
    }
}

/// A page of the list of runs, of version 2 of the API or of version 1.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    runs: Vec<Run>,
    #[serde(default)]
    next_page_token: String,
    total_size: Option<usize>,
}

#[derive(Deserialize)]
struct Run {
    #[serde(alias = "id")]
    run_id: String,
}

fn of_answers(text: &str) -> Result<BTreeSet<String>, String> {
    let (mut runs, mut total, mut is_whole) = (BTreeSet::new(), 0, false);
    let another = "it goes on after the last page: each list has a file of its own";
    for (number, answer) in (1..).zip(serde_json::Deserializer::from_str(text).into_iter::<Answer>()) {
        let Answer { runs: page, next_page_token, total_size } =
            answer.map_err(|error| format!("answer {number}: {error}"))?;
        if is_whole {
            return Err(another.to_owned());
        }
        for Run { run_id } in page {
            runs.insert(id(&run_id).map_err(|error| format!("answer {number}: {error}"))?);
        }
        total = total.max(total_size.unwrap_or_default());
        is_whole = next_page_token.is_empty();
    }
    if !is_whole {
        return Err("it ends with a next_page_token: there are more runs".to_owned());
    }
    match total > runs.len() {
        true => Err(format!("it has {} runs of {total}", runs.len())),
        false => Ok(runs),
    }
}

fn of_lines(text: &str) -> Result<BTreeSet<String>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| id(line.trim()).map_err(|error| format!("line {number}: {error}"))).collect()
}

fn id(text: &str) -> Result<String, String> {
    match is_uuid(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not the ID of a run")),
    }
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

    #[test]
    fn the_run_is_told_of_what_its_launcher_wrote() {
        let run = KubeflowKey::Run { pipeline: "train", run: "1c0ffee0" };
        assert_eq!(shape("root/v2/artifacts/train/1c0ffee0/step/model"), Some(run));
        assert_eq!(shape("pipelines/0a1b2c3d-0000-4000-8000-00805f9b34fb"), Some(KubeflowKey::Other));
    }

    const ONE: &str = "0a1b2c3d-0000-4000-8000-00805f9b34fb";
    const TWO: &str = "1a1b2c3d-0000-4000-8000-00805f9b34fb";

    #[test]
    fn live_runs_are_a_line_each_or_the_answers_of_the_api() {
        let both = Ok(LiveRuns([ONE, TWO].map(str::to_owned).into()));
        let pages = format!(
            r#"{{"runs":[{{"run_id":"{ONE}","state":"RUNNING"}}],"next_page_token":"x","total_size":2}}
               {{"runs":[{{"id":"{TWO}"}}]}}"#
        );
        for text in [format!("{ONE}\n\n {TWO} \n"), pages] {
            assert_eq!(LiveRuns::parse(&text), both, "{text}");
        }
        assert!(both.is_ok_and(|both| both.has(ONE) && !both.has("other")));
    }

    #[test]
    fn a_list_that_may_not_be_whole_is_none() {
        for (text, words) in [
            (String::new(), "it has no run"),
            ("{}".to_owned(), "it has no run"),
            (r#"{"runs":[],"total_size":0}"#.to_owned(), "it has no run"),
            (format!(r#"{{"runs":[{{"run_id":"{ONE}"}}],"next_page_token":"x"}}"#), "there are more runs"),
            (format!(r#"{{"runs":[{{"run_id":"{ONE}"}}],"total_size":2}}"#), "it has 1 runs of 2"),
            (
                format!(r#"{{"runs":[{{"run_id":"{ONE}"}}]}}{{"runs":[{{"run_id":"{TWO}"}}]}}"#),
                "a file of its own",
            ),
            (format!("{ONE}\nTraceback"), "line 2: \"Traceback\" is not the ID of a run"),
            (r#"{"runs":[{"name":"x"}]}"#.to_owned(), "answer 1: missing field"),
            (r#"{"runs":[{"run_id":"x"}]}"#.to_owned(), "answer 1: \"x\" is not the ID of a run"),
            ("{\"error\":".to_owned(), "answer 1: "),
            ("<html>".to_owned(), "line 1: "),
        ] {
            let error = LiveRuns::parse(&text).err().unwrap_or_default();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
