//! What `lint --skip-foreign` skips, told in a few sentences: whole repositories have many such files.

use argo_gc_core::model::gap::Gap;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How many files of a sort are named.
const NAMED: usize = 3;

/// The files that were skipped.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// What holds no Kubernetes object.
    pub foreign: Vec<String>,
    /// What can't be read, and doesn't name Argo's API.
    pub unreadable: Vec<String>,
    /// Templates with something of Argo's, each with its chart's folder.
    pub templates: BTreeMap<String, PathBuf>,
}

impl Skipped {
    /// A note for each sort.
    pub fn notes(&self) -> Vec<Gap> {
        let charts: BTreeSet<&PathBuf> = self.templates.values().collect();
        let chart = match charts.first() {
            Some(chart) if charts.len() == 1 && chart.as_os_str().is_empty() => ".".to_owned(),
            Some(chart) if charts.len() == 1 => chart.display().to_string(),
            _ => "CHART".to_owned(),
        };
        let render = format!("lint what comes of it: helm template {chart} | kubectl argo-gc lint -f -");
        let skipped = ["it was skipped", "they were skipped"];
        let foreign = ["it holds no Kubernetes object", "they hold no Kubernetes objects"];
        let unreadable = [
            "it can't be read, and doesn't name Argo's API",
            "they can't be read, and don't name Argo's API",
        ];
        let template = ["it is a template of a Helm chart", "they are templates of Helm charts"];
        let templates: Vec<String> = self.templates.keys().cloned().collect();
        [
            note(&self.foreign, foreign, skipped),
            note(&self.unreadable, unreadable, skipped),
            note(&templates, template, [&render; 2]),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A note on files, in the words for one and for several.
fn note(files: &[String], why: [&str; 2], effect: [&str; 2]) -> Option<Gap> {
    let many = usize::from(files.len() > 1);
    let gap = Gap { what: named(files), why: why[many].to_owned(), effect: effect[many].to_owned() };
    (!files.is_empty()).then_some(gap)
}

/// `a, b, c and 34 more`.
fn named(files: &[String]) -> String {
    match files {
        [first @ .., last] if !first.is_empty() && files.len() <= NAMED => {
            format!("{} and {last}", first.join(", "))
        }
        _ if files.len() <= NAMED => files.join(", "),
        _ => format!("{} and {} more", files[..NAMED].join(", "), files.len() - NAMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_is_one_sentence_however_many_files() {
        let files = |count: usize| (0..count).map(|n| format!("{n}.yaml")).collect::<Vec<_>>();
        for (count, expected) in [
            (1, "0.yaml"),
            (2, "0.yaml and 1.yaml"),
            (3, "0.yaml, 1.yaml and 2.yaml"),
            (40, "0.yaml, 1.yaml, 2.yaml and 37 more"),
        ] {
            let notes = Skipped { foreign: files(count), ..Skipped::default() }.notes();
            assert_eq!(notes.len(), 1);
            assert_eq!(notes[0].what, expected);
            assert_eq!(notes[0].why.starts_with("they"), count > 1);
        }
        assert!(Skipped::default().notes().is_empty());
    }
}
