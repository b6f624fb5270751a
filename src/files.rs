//! Kubernetes objects from files, directories and standard input: JSON or YAML, lists or many documents.
//!
//! JSON is streamed object by object; a YAML document is held whole.

pub mod encoding;
pub mod inspection;
pub mod json;
pub mod lint_report;
pub mod policy;
pub mod yaml;

use crate::error::{Error, Hint};
use crate::syntax::paths::plain;
use argo_gc_core::argo::list::{Item, Malformed, object};
use argo_gc_core::argo::rbac::{Role, RoleBinding, ServiceAccount};
use argo_gc_core::argo::related::*;
use argo_gc_core::argo::words;
use argo_gc_core::argo::workflow::Workflow;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// An input that objects are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Stdin,
    File(PathBuf),
}

impl Input {
    /// Whether a second reading would find nothing, as of standard input, pipes and a shell's `<(...)`.
    pub fn is_read_once(&self) -> bool {
        match self {
            Self::Stdin => true,
            Self::File(path) => path.metadata().is_ok_and(|metadata| !metadata.is_file()),
        }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One object, by its kind.
#[derive(Debug)]
pub enum Object {
    Workflow(Box<Workflow>),
    Template(Box<WorkflowTemplate>),
    GcTask(Box<GcTask>),
    TaskResult(Box<TaskResult>),
    Pod(Box<Pod>),
    Event(Box<Event>),
    Deployment(Box<Deployment>),
    ConfigMap(Box<ConfigMap>),
    Role(Box<Role>),
    ClusterRole(Box<Role>),
    RoleBinding(Box<RoleBinding>),
    ClusterRoleBinding(Box<RoleBinding>),
    ServiceAccount(Box<ServiceAccount>),
    /// An object of any other kind.
    Other(String),
    Malformed(Malformed),
}

impl Object {
    /// The `kind` of the object. That of a cluster template is the one of templates; a malformed object has none.
    pub fn kind(&self) -> &str {
        match self {
            Self::Workflow(_) => "Workflow",
            Self::Template(_) => "WorkflowTemplate",
            Self::GcTask(_) => "WorkflowArtifactGCTask",
            Self::TaskResult(_) => "WorkflowTaskResult",
            Self::Pod(_) => "Pod",
            Self::Event(_) => "Event",
            Self::Deployment(_) => "Deployment",
            Self::ConfigMap(_) => "ConfigMap",
            Self::Role(_) => "Role",
            Self::ClusterRole(_) => "ClusterRole",
            Self::RoleBinding(_) => "RoleBinding",
            Self::ClusterRoleBinding(_) => "ClusterRoleBinding",
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::Other(kind) => kind,
            Self::Malformed(_) => "",
        }
    }
}

/// Why an input ended before its end, or could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("the path \"{0}\" does not exist")]
    Missing(String),
    #[error("there is no .json, .yaml or .yml file in \"{path}\"{}", if *below { ", only in folders below it" } else { "" })]
    EmptyDirectory {
        path: String,
        /// Whether there is one further down.
        below: bool,
    },
    #[error("cannot read {0}: {1}")]
    Io(String, #[source] io::Error),
    #[error("{input}: {message}")]
    Syntax { input: String, message: String },
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        let below = matches!(error, InputError::EmptyDirectory { below: true, .. });
        let shown = Self::new(&error).caused_by(error);
        if below { shown.hint(Hint::Descend) } else { shown }
    }
}

/// Turns paths into inputs: `-` into standard input, a directory into its JSON and YAML files, sorted by name. Those of `.`
/// are named without it.
///
/// # Errors
/// A path does not exist, or a directory holds nothing to read.
pub fn inputs(paths: &[PathBuf], recursive: bool) -> Result<Vec<Input>, InputError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
        } else if path.is_dir() {
            let before = inputs.len();
            directory(path, recursive, &mut inputs)?;
            if inputs.len() == before {
                let mut all = Vec::new();
                directory(path, true, &mut all)?;
                let path = path.display().to_string();
                return Err(InputError::EmptyDirectory { path, below: !all.is_empty() });
            }
        } else if path.exists() {
            inputs.push(Input::File(plain(path)));
        } else {
            return Err(InputError::Missing(path.display().to_string()));
        }
    }
    Ok(inputs)
}

fn directory(path: &Path, recursive: bool, inputs: &mut Vec<Input>) -> Result<(), InputError> {
    let unreadable = |error| InputError::Io(path.display().to_string(), error);
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(unreadable)?;
    entries.sort();
    for entry in entries {
        let extension = entry.extension().and_then(|extension| extension.to_str());
        if entry.is_dir() {
            // Following a link to a directory above it would never end.
            if recursive && !entry.is_symlink() {
                directory(&entry, recursive, inputs)?;
            }
        } else if matches!(extension, Some("json" | "yaml" | "yml")) {
            inputs.push(Input::File(plain(&entry)));
        }
    }
    Ok(())
}

/// Hands all objects of an input to `each` in order, with their JSON texts, until it returns false.
///
/// # Errors
/// The input can't be opened, or is damaged from some point on: what came before has been visited.
pub fn read(
    input: &Input,
    stdin: &mut dyn Read,
    each: &mut dyn FnMut(Object, &str) -> bool,
) -> Result<(), InputError> {
    let name = input.to_string();
    match input {
        Input::Stdin => read_from(&name, stdin, each),
        Input::File(path) => {
            let mut file = File::open(path).map_err(|error| InputError::Io(name.clone(), error))?;
            read_from(&name, &mut file, each)
        }
    }
}

/// Reads objects from any reader; JSON is recognised by its first character.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    name: &str,
    reader: &mut dyn Read,
    each: &mut dyn FnMut(Object, &str) -> bool,
) -> Result<(), InputError> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let first = first_character(&mut reader).map_err(|error| InputError::Io(name.to_owned(), error))?;
    let mut raw = |text: &str, list_kind: &str| each(parse(text, list_kind), text);
    let result = match first {
        None => Ok(()),
        Some(b'{' | b'[') => json::read(reader, &mut raw),
        Some(_) => yaml::read(reader, &mut raw),
    };
    result.map_err(|message| InputError::Syntax { input: name.to_owned(), message })
}

/// Skips white space and a byte order mark, and returns the next byte without taking it.
fn first_character(reader: &mut impl io::BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let skip = if buffer.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
        };
        if skip == 0 {
            return Ok(Some(buffer[0]));
        }
        reader.consume(skip);
    }
}

/// What no object can be read as.
#[derive(Deserialize)]
enum Nothing {}

/// Reads one object from its JSON text; objects of a list may leave out their kind.
fn parse(text: &str, list_kind: &str) -> Object {
    #[derive(Deserialize)]
    #[serde(expecting = "a Kubernetes object")]
    #[serde(rename_all = "camelCase")]
    struct TypeMeta {
        api_version: Option<IgnoredAny>,
        kind: Option<String>,
        spec: Option<IgnoredAny>,
        status: Option<IgnoredAny>,
    }
    let meta: TypeMeta = match serde_json::from_str(text) {
        Ok(meta) => meta,
        Err(error) => {
            return Object::Malformed(Malformed { name: "<object>".to_owned(), error: words::of(&error) });
        }
    };
    // Reading it as nothing gives the object's name.
    let malformed = |error: String| {
        Object::Malformed(match object::<Nothing>(text) {
            Item::Malformed(Malformed { name, .. }) => Malformed { name, error },
            Item::Object(_) => Malformed { name: String::new(), error },
        })
    };
    if let Some(key) = json::repeated_key(text) {
        // Which of the two counts is not for us to say.
        return malformed(format!("the key {key:?} appears twice"));
    }
    if meta.api_version.is_some() && meta.kind.is_none() {
        return malformed("it has no kind: it was cut off".to_owned());
    }
    let is_begun = meta.kind.is_some() && meta.spec.is_none() && meta.status.is_none();
    let kind = meta.kind.unwrap_or_default();
    let kind = match kind.as_str() {
        // Argo's server leaves the kind out of listed workflows.
        "" => list_kind.strip_suffix("List").filter(|kind| !kind.is_empty()).unwrap_or("Workflow"),
        kind => kind,
    };
    macro_rules! read {
        ($variant:ident) => {
            match object(text) {
                Item::Object(object) => Object::$variant(object),
                Item::Malformed(malformed) => Object::Malformed(malformed),
            }
        };
    }
    match kind {
        "Workflow" => match read!(Workflow) {
            // What was cut off after its first lines still is YAML.
            Object::Workflow(_) if is_begun => malformed("it has no spec: it was cut off".to_owned()),
            object => object,
        },
        "WorkflowTemplate" | "ClusterWorkflowTemplate" => read!(Template),
        "WorkflowArtifactGCTask" => read!(GcTask),
        "WorkflowTaskResult" => read!(TaskResult),
        "Pod" => read!(Pod),
        "Event" => read!(Event),
        "Deployment" => read!(Deployment),
        "ConfigMap" => read!(ConfigMap),
        "Role" => read!(Role),
        "ClusterRole" => read!(ClusterRole),
        "RoleBinding" => read!(RoleBinding),
        "ClusterRoleBinding" => read!(ClusterRoleBinding),
        "ServiceAccount" => read!(ServiceAccount),
        other => Object::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn kinds(text: &str) -> (Vec<String>, Option<String>) {
        let mut seen = Vec::new();
        let result = read_from("test", &mut text.as_bytes(), &mut |object, _| {
            seen.push(match object {
                Object::Workflow(workflow) => workflow.metadata.name,
                Object::Other(kind) => format!("other {kind}"),
                Object::Malformed(malformed) => format!("malformed {}", malformed.name),
                other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
            });
            true
        });
        (seen, result.err().map(|error| error.to_string()))
    }

    #[test]
    fn reads_every_common_arrangement() {
        let workflow =
            |name: &str| format!(r#"{{"kind":"Workflow","metadata":{{"name":"{name}"}},"spec":{{}}}}"#);
        let (a, b) = (workflow("a"), workflow("b"));
        for text in [
            format!(r#"{{"apiVersion":"v1","items":[{a},{b}],"kind":"List"}}"#),
            format!("{a}\n{b}\n"),
            format!("\u{feff}[{a}, {b}]"),
            format!(r#"{{"kind":"List","items":[{{"kind":"List","items":[{a}]}},{b}]}}"#),
            "kind: Workflow\nmetadata: {name: a}\nspec: {}\n---\nkind: Workflow\nmetadata:\n  name: b\nspec: {}\n"
                .to_owned(),
            "---\nkind: List\nitems:\n- {kind: Workflow, metadata: {name: a}, spec: {}}\n- metadata: {name: b}\n"
                .to_owned(),
            r#"{"kind":"WorkflowList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}"#
                .to_owned(),
        ] {
            assert_eq!(kinds(&text), (vec!["a".to_owned(), "b".to_owned()], None), "{text}");
        }
    }

    #[test]
    fn damage_ends_the_input_but_not_what_came_before() {
        let (seen, error) = kinds(r#"{"items":[{"metadata":{"name":"a"}},{"kind":"Work"#);
        assert_eq!(seen, ["a"]);
        assert!(error.unwrap().ends_with(": it is cut off"));
        let (seen, error) = kinds("kind: Workflow\nmetadata: {name: a}\nspec: {}\n---\nkind: [\n");
        assert_eq!(seen, ["a"]);
        assert!(error.unwrap().contains("document 2"));
        // What was cut off may still be YAML.
        for (text, seen, why) in [
            ("apiVersion: v1", "malformed <unnamed>", None),
            ("kind: Workflow\nmetadata: {name: a}\nspec:\n", "malformed a", None),
            (
                "apiVersion: v1\nitems:\n- metadata: {name: a}\n",
                "a",
                Some("document 1, line 1: the list has no kind"),
            ),
        ] {
            let (found, error) = kinds(text);
            assert_eq!(found, [seen], "{text}");
            assert_eq!(error.is_some(), why.is_some(), "{text}");
            assert!(error.unwrap_or_default().contains(why.unwrap_or_default()), "{text}");
        }
        assert_eq!(kinds("").0.len(), 0);
        assert!(kinds("just words").1.unwrap().contains("not a Kubernetes object"));
        assert!(kinds("[1, 2]").0.iter().all(|seen| seen.starts_with("malformed")));
    }

    #[test]
    fn other_kinds_are_named() {
        assert_eq!(kinds(r#"{"kind":"CronWorkflow"}"#).0, ["other CronWorkflow"]);
        assert_eq!(
            kinds(r#"{"kind":"Workflow","status":{"nodes":7},"metadata":{"name":"x"}}"#).0,
            ["malformed x"]
        );
    }
}
