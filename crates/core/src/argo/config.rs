//! Reads a controller's ConfigMap: which workflows it manages, defaults, limits, the archive and repositories.
//!
//! Each setting is in a key of its own, or all are in the key `config` (config/controller.go@v4.1.2).

use crate::argo::artifact::{ArtifactGc, ArtifactLocation};
use crate::argo::related::ConfigMap;
use crate::argo::{de, names};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The key format that every driver defaults to (`docs/argo-gc.md#repository-keys`).
pub const DEFAULT_KEY_FORMAT: &str = "{{workflow.name}}/{{pod.name}}";

/// The keys of an artifact repository's drivers; the first one present counts
/// (`docs/argo-gc.md#repository-keys`).
const ENGINES: [&str; 7] = ["artifactory", "azure", "gcs", "hdfs", "oss", "plugin", "s3"];

/// The settings of the ConfigMap that affect collection or deletion.
#[derive(Debug, Clone, Default)]
pub struct ControllerConfig {
    /// The instance ID; empty if unset, none if it could not be understood.
    pub instance_id: Option<String>,
    /// The single namespace it manages, unless its command line names one.
    pub namespace: Option<String>,
    /// `workflowDefaults.spec.artifactGC`.
    pub default_gc: Option<ArtifactGc>,
    /// The whole of `workflowDefaults.spec`, as written; null if there is none.
    pub default_spec: Value,
    /// The limit of workflows at a time, in total and per namespace; none for no limit.
    pub parallelism: Option<u64>,
    pub namespace_parallelism: Option<u64>,
    pub repository: Option<Repository>,
    /// True if finished workflows are also stored in the archive; none if the setting could not be understood.
    pub archives: Option<bool>,
    /// `workflowRestrictions.templateReferencing`.
    pub referencing: Referencing,
    /// The settings that could not be understood, each with the reason.
    pub problems: Vec<String>,
}

/// Whether workflows must be made from a WorkflowTemplate as a whole (config/config.go@v4.1.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Referencing {
    /// They need not.
    #[default]
    Free,
    Strict,
    /// They must, and the WorkflowTemplate may not change while they exist.
    Secure,
}

impl Referencing {
    /// Returns the setting's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Strict => "Strict",
            Self::Secure => "Secure",
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        // The controller ignores what it does not know.
        Ok(match value["templateReferencing"].as_str().unwrap_or_default() {
            "Strict" => Self::Strict,
            "Secure" => Self::Secure,
            _ => Self::Free,
        })
    }
}

/// An artifact repository, which stores artifacts that do not name a place themselves.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// The key of its driver: `gcs`, `s3`.
    pub engine: &'static str,
    /// Bucket, container or base URL; may be empty.
    pub bucket: String,
    /// The key's format, the driver's default included.
    pub key_format: String,
    /// The driver's location, without a key.
    pub location: ArtifactLocation,
    pub archive_logs: bool,
}

impl ControllerConfig {
    /// Reads the ConfigMap. A setting that can't be understood is listed as a problem, and is unset or none.
    pub fn parse(config: &ConfigMap) -> Self {
        let mut settings = Settings::of(config);
        let limit = |value: &Value| {
            let number = match value {
                Value::Null => Some(0),
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_u64(),
            };
            // In Argo zero means no limit.
            number
                .map(|number| Some(number).filter(|n| *n > 0))
                .ok_or_else(|| format!("{value} is no number"))
        };
        Self {
            instance_id: settings.get("instanceID", text),
            namespace: settings.get("namespace", text).filter(|namespace| !namespace.is_empty()),
            default_gc: settings
                .get("workflowDefaults", typed::<Option<Defaults>>)
                .flatten()
                .and_then(|defaults| defaults.spec.artifact_gc),
            default_spec: settings
                .get("workflowDefaults", |value| Ok(value["spec"].clone()))
                .unwrap_or_default(),
            parallelism: settings.get("parallelism", limit).flatten(),
            namespace_parallelism: settings.get("namespaceParallelism", limit).flatten(),
            repository: settings.get("artifactRepository", Repository::read).flatten(),
            archives: settings
                .get("persistence", typed::<Option<Persistence>>)
                .map(|persistence| persistence.is_some_and(|persistence| persistence.archive)),
            referencing: settings.get("workflowRestrictions", Referencing::read).unwrap_or_default(),
            problems: settings.problems,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Persistence {
    archive: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Defaults {
    #[serde(deserialize_with = "de::or_default")]
    spec: DefaultSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DefaultSpec {
    #[serde(rename = "artifactGC")]
    artifact_gc: Option<ArtifactGc>,
}

impl Repository {
    /// Reads a repository from its text; none if it names no known driver.
    fn read(value: &Value) -> Result<Option<Self>, String> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Fields {
            #[serde(alias = "container", alias = "repoURL", alias = "repoUrl", alias = "name")]
            #[serde(deserialize_with = "de::or_default")]
            bucket: String,
            #[serde(alias = "blobNameFormat", alias = "pathFormat", deserialize_with = "de::or_default")]
            key_format: String,
            #[serde(deserialize_with = "de::or_default")]
            key_prefix: String,
        }
        if !matches!(value, Value::Object(_) | Value::Null) {
            return Err("this is no repository".to_owned());
        }
        let named = ENGINES
            .into_iter()
            .find_map(|engine| Some((engine, value.get(engine).filter(|fields| !fields.is_null())?)));
        let Some((engine, fields)) = named else { return Ok(None) };
        let place = Map::from_iter([(engine.to_owned(), fields.clone())]);
        let Fields { bucket, key_format, key_prefix } = typed(fields)?;
        let key_format = match (key_format.as_str(), key_prefix.trim_end_matches('/')) {
            ("", prefix) if engine == "s3" && !prefix.is_empty() => format!("{prefix}/{DEFAULT_KEY_FORMAT}"),
            ("", _) => DEFAULT_KEY_FORMAT.to_owned(),
            _ => key_format,
        };
        Ok(Some(Self {
            engine,
            bucket,
            key_format,
            location: typed(&Value::Object(place))?,
            archive_logs: typed::<Option<bool>>(&value["archiveLogs"])?.unwrap_or(false),
        }))
    }
}

/// The value of a key in an `artifact-repositories` ConfigMap: a repository, none if its driver is unknown, or
/// an error if it can't be understood.
pub type Entry = Result<Option<Repository>, String>;

/// The repositories of an `artifact-repositories` ConfigMap.
pub struct Repositories<'a> {
    /// The entries by their keys.
    pub entries: BTreeMap<&'a str, Entry>,
    /// The key of the default repository.
    pub default: Option<&'a str>,
}

/// Returns the repositories of an `artifact-repositories` ConfigMap. An entry that can't be understood is an error.
pub fn repositories(config: &ConfigMap) -> Repositories<'_> {
    let parsed = config.data.iter().map(|(name, text)| {
        let entry = yaml(text).and_then(|value| Repository::read(&value));
        (name.as_str(), entry.map_err(|why| format!("{name}: {why}")))
    });
    let default = config.metadata.annotations.get(names::DEFAULT_REPOSITORY).map(String::as_str);
    Repositories { entries: parsed.collect(), default }
}

/// The parsed settings, from the key `config` or from keys of their own.
struct Settings<'a> {
    own: &'a BTreeMap<String, String>,
    /// The value of the key `config`; none if it could not be understood.
    block: Option<Map<String, Value>>,
    problems: Vec<String>,
}

impl<'a> Settings<'a> {
    fn of(config: &'a ConfigMap) -> Self {
        let mut problems = Vec::new();
        let block = match config.data.get("config").map(|text| yaml(text)) {
            None | Some(Ok(Value::Null)) => Some(Map::new()),
            Some(Ok(Value::Object(block))) => Some(block),
            Some(Ok(_)) => {
                problems.push("config: these are no settings".to_owned());
                None
            }
            Some(Err(why)) => {
                problems.push(format!("config: {why}"));
                None
            }
        };
        if config.data.len() > 1 && config.data.contains_key("config") {
            problems.push("config: a controller refuses other keys beside this one".to_owned());
        }
        Self { own: &config.data, block, problems }
    }

    /// Returns one setting; none if it can't be understood. An absent setting is read as null.
    fn get<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let value = match (self.own.get(name), &self.block) {
            (Some(text), _) => yaml(text),
            (None, Some(block)) => Ok(block.get(name).cloned().unwrap_or_default()),
            (None, None) => return None,
        };
        let read = value.and_then(|value| read(&value));
        read.map_err(|why| self.problems.push(format!("{name}: {why}"))).ok()
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err("this is no text".to_owned()),
    }
}

fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| error.to_string())
}

fn yaml(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        error.lines().next().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::related::ConfigMap;

    fn parse(data: &[(&str, &str)]) -> ControllerConfig {
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        ControllerConfig::parse(&ConfigMap { data, ..ConfigMap::default() })
    }

    /// The same settings, each in its own key and all in `config`.
    fn both(settings: &[(&str, &str)]) -> [ControllerConfig; 2] {
        let block: String = settings
            .iter()
            .map(|(key, text)| match text.contains('\n') {
                true => format!("{key}:\n  {}\n", text.trim().replace('\n', "\n  ")),
                false => format!("{key}: {text}\n"),
            })
            .collect();
        [parse(settings), parse(&[("config", &block)])]
    }

    #[test]
    fn reads_both_forms_alike() {
        let forms = both(&[
            ("instanceID", "'prod' # the one"),
            ("namespace", "ml"),
            ("parallelism", "20"),
            ("namespaceParallelism", "4"),
            (
                "workflowDefaults",
                "spec:\n  artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}\n",
            ),
            (
                "artifactRepository",
                "archiveLogs: true\ngcs:\n  bucket: b\n  keyFormat: '{{workflow.uid}}/{{pod.name}}'\n",
            ),
            ("persistence", "archive: true\npostgresql:\n  host: db\n"),
            ("workflowRestrictions", "templateReferencing: Secure\n"),
        ]);
        for config in forms {
            assert_eq!(config.problems, Vec::<String>::new());
            assert_eq!(config.instance_id.as_deref(), Some("prod"));
            assert_eq!(config.namespace.as_deref(), Some("ml"));
            assert_eq!((config.parallelism, config.namespace_parallelism), (Some(20), Some(4)));
            assert_eq!(config.default_gc.unwrap().service_account_name, "gc");
            assert_eq!(config.archives, Some(true));
            assert_eq!(config.referencing, Referencing::Secure);
            let repository = config.repository.unwrap();
            assert_eq!((repository.engine, repository.bucket.as_str()), ("gcs", "b"));
            assert_eq!(repository.key_format, "{{workflow.uid}}/{{pod.name}}");
            assert_eq!(repository.location.gcs.unwrap().bucket, "b");
            assert!(repository.archive_logs);
        }
    }

    #[test]
    fn reads_each_drivers_fields() {
        let repository = |text| parse(&[("artifactRepository", text)]).repository.unwrap();
        let s3 =
            repository("s3: {endpoint: e, bucket: c, keyPrefix: p/, accessKeySecret: {name: s, key: k}}");
        assert_eq!(s3.key_format, "p/{{workflow.name}}/{{pod.name}}");
        assert_eq!(s3.location.s3.map(|s3| (s3.endpoint, s3.bucket)).unwrap(), ("e".into(), "c".into()));
        let azure = repository(
            "azure: {endpoint: https://a.example, container: c, blobNameFormat: 'x/{{pod.name}}'}",
        );
        assert_eq!(
            (azure.location.azure.unwrap().container.as_str(), azure.key_format.as_str()),
            ("c", "x/{{pod.name}}")
        );
        // The first driver counts, and only its location is used.
        let two = repository("s3: {bucket: c}\nartifactory: {repoURL: https://r.example}");
        assert_eq!((two.engine, two.bucket.as_str()), ("artifactory", "https://r.example"));
        assert!(two.location.s3.is_none() && two.key_format == DEFAULT_KEY_FORMAT);
        assert!(parse(&[("artifactRepository", "{}")]).repository.is_none());
    }

    #[test]
    fn unset_is_not_the_same_as_not_understood() {
        let none = parse(&[]);
        assert_eq!((none.instance_id.as_deref(), none.archives), (Some(""), Some(false)));
        assert_eq!(none.referencing, Referencing::Free);
        for (text, mode) in [("templateReferencing: Strict", Referencing::Strict), ("{}", Referencing::Free)]
        {
            assert_eq!(parse(&[("workflowRestrictions", text)]).referencing, mode);
        }
        for config in both(&[("parallelism", "many"), ("persistence", "archive: perhaps\n")]) {
            assert_eq!(config.problems.len(), 2, "{:?}", config.problems);
            assert_eq!((config.parallelism, config.archives), (None, None));
            assert_eq!(config.instance_id.as_deref(), Some(""));
        }
        for broken in ["[", "just text"] {
            let config = parse(&[("config", broken)]);
            assert_eq!((config.instance_id, config.archives), (None, None));
            assert_eq!(config.problems.len(), 1, "{:?}", config.problems);
        }
        let config = parse(&[("artifactRepository", "["), ("instanceID", "123")]);
        assert_eq!((config.problems.len(), config.instance_id.as_deref()), (1, Some("123")));
        let config = parse(&[("config", "instanceID: a"), ("parallelism", "3")]);
        assert_eq!((config.problems.len(), config.parallelism), (1, Some(3)));
    }
}
