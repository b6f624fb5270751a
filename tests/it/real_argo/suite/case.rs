//! A case: a workflow, and what is right for it. `cases/README.md` says what the fields mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub struct File {
    #[serde(default)]
    pub given: Vec<Value>,
    /// What `lint` finds in those of them that are templates.
    #[serde(default)]
    pub templates: BTreeMap<String, BTreeSet<String>>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// What it is; for readers, as `why` is.
    #[serde(rename = "is")]
    pub _is: String,
    #[serde(rename = "why", default)]
    pub _why: String,
    #[serde(default = "usual")]
    pub namespace: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    pub spec: Value,
    pub lint: BTreeSet<String>,
    pub artifacts: BTreeMap<String, String>,
    #[serde(default)]
    pub finding: Option<String>,
    #[serde(default)]
    pub after: Option<String>,
    #[serde(default)]
    pub during: Option<String>,
    #[serde(default)]
    pub meanwhile: Option<Value>,
    #[serde(default)]
    pub expires: bool,
    #[serde(default)]
    pub lose: Option<String>,
    #[serde(default)]
    hangs: Option<bool>,
    #[serde(default)]
    pub then: BTreeMap<String, String>,
    #[serde(default)]
    pub later: BTreeMap<String, String>,
    #[serde(default)]
    pub doctor: Option<String>,
}

fn usual() -> String {
    "cases".to_owned()
}

/// What `cases/` holds.
pub fn read() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/real_argo/cases");
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).expect("a file");
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.iter().map(read).collect()
}

impl Case {
    pub fn workflow(&self) -> Value {
        self.workflow_of("cases", &self.name)
    }

    /// The same for another part of the suite, under another name.
    pub fn workflow_of(&self, suite: &str, name: &str) -> Value {
        let mut labels = json!(self.labels);
        labels["suite"] = json!(suite);
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": { "name": name, "namespace": self.namespace, "labels": labels },
            "spec": self.spec,
        })
    }

    /// The verdict and reason of each artifact, as one text.
    pub fn verdicts(&self) -> BTreeMap<String, String> {
        let bare = |text: &String| {
            let words = text.split(' ').filter(|word| !["gone", "stays"].contains(word));
            words.collect::<Vec<_>>().join(" ")
        };
        self.artifacts.iter().map(|(name, text)| (name.clone(), bare(text))).collect()
    }

    /// Whether this artifact's object is there once the workflow was deleted.
    pub fn stays(&self, artifact: &str) -> bool {
        let mut words = self.artifacts.get(artifact).map(String::as_str).unwrap_or_default().split(' ');
        let verdict = words.next().unwrap_or_default();
        match words.next_back() {
            Some("gone") => false,
            Some("stays") => true,
            _ => verdict != "covered" && verdict != "collected",
        }
    }

    /// Whether the workflow stays when it is deleted.
    pub fn hangs(&self) -> bool {
        self.hangs.unwrap_or_else(|| self.artifacts.values().any(|text| text.starts_with("failing")))
    }

    /// Whether it can be run again as it is, and leaks then too.
    pub fn leaks_again(&self) -> bool {
        let alone =
            self.after.is_none() && self.during.is_none() && self.meanwhile.is_none() && !self.expires;
        let uncovered = |text: &String| text.starts_with("uncovered") && !text.ends_with("gone");
        alone && self.namespace == usual() && self.artifacts.values().any(uncovered)
    }

    /// Whether `fix` makes it one that is collected wholly.
    pub fn is_cured_by_fix(&self) -> bool {
        self.lint.iter().any(|code| code.starts_with("inline-"))
            && !self.lint.contains("force-early")
            && !self.expires
    }
}
