//! What a controller's ConfigMap says of defaults, limits and repositories, of whatever storage.

use super::related::ConfigMap;
use super::{ArtifactGc, names};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// What every driver falls back to (facts 5.2).
pub const DEFAULT_KEY_FORMAT: &str = "{{workflow.name}}/{{pod.name}}";

/// The ConfigMap's settings, as far as they bear on collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `workflowDefaults.spec.artifactGC`.
    pub default_gc: Option<DefaultGc>,
    /// Workflows at a time, in all and in each namespace; none for no limit.
    pub parallelism: Option<u64>,
    pub namespace_parallelism: Option<u64>,
    pub repository: Option<Repository>,
    /// Finished workflows are also kept in the archive.
    pub archive: bool,
    /// Keys that could not be understood, with the parser's words.
    pub problems: Vec<String>,
}

/// `artifactGC` of the controller's `workflowDefaults`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultGc {
    pub strategy: String,
    pub service_account: String,
    pub force_finalizer_removal: bool,
}

/// An artifact repository: where artifacts go that name no place themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// The key in the ConfigMap: `gcs`, `s3`.
    pub engine: &'static str,
    /// Bucket, container or base URL; may be empty.
    pub bucket: String,
    /// The key's format, the driver's default included.
    pub key_format: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Block {
    artifact_repository: Option<RawRepository>,
    workflow_defaults: Option<Defaults>,
    parallelism: Option<Number>,
    namespace_parallelism: Option<Number>,
    persistence: Option<Persistence>,
}

/// Written as a number, or as a ConfigMap's text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Persistence {
    archive: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Defaults {
    spec: DefaultSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DefaultSpec {
    #[serde(rename = "artifactGC")]
    artifact_gc: Option<ArtifactGc>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawRepository {
    artifactory: Option<Fields>,
    azure: Option<Fields>,
    gcs: Option<Fields>,
    hdfs: Option<Fields>,
    oss: Option<Fields>,
    plugin: Option<Fields>,
    s3: Option<Fields>,
}

/// The fields of all drivers; each uses its own.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    #[serde(alias = "container", alias = "repoURL", alias = "repoUrl", alias = "name")]
    bucket: String,
    #[serde(alias = "blobNameFormat", alias = "pathFormat")]
    key_format: String,
    key_prefix: String,
}

impl Settings {
    /// Reads the ConfigMap, each setting its own key or within the older `config` block. What can't be
    /// understood is a problem, and unset.
    pub fn parse(config: &ConfigMap) -> Self {
        let mut problems = Vec::new();
        let mut block: Block = key(config, "config", &mut problems).unwrap_or_default();
        let own = &mut problems;
        block.artifact_repository = key(config, "artifactRepository", own).or(block.artifact_repository);
        block.workflow_defaults = key(config, "workflowDefaults", own).or(block.workflow_defaults);
        block.parallelism = key(config, "parallelism", own).or(block.parallelism);
        block.namespace_parallelism =
            key(config, "namespaceParallelism", own).or(block.namespace_parallelism);
        block.persistence = key(config, "persistence", own).or(block.persistence);
        let mut limit = |name: &str, number: Option<Number>| {
            let parsed = match number? {
                Number::Number(number) => Ok(number),
                Number::Text(text) => text.trim().parse().map_err(|_| text),
            };
            // Zero is Argo's word for no limit.
            parsed
                .map_err(|text| problems.push(format!("{name}: {text:?} is no number")))
                .ok()
                .filter(|n| *n > 0)
        };
        let parallelism = limit("parallelism", block.parallelism);
        let namespace_parallelism = limit("namespaceParallelism", block.namespace_parallelism);
        let default_gc = block.workflow_defaults.and_then(|defaults| defaults.spec.artifact_gc);
        Self {
            default_gc: default_gc.map(|gc| DefaultGc {
                strategy: gc.strategy.as_str().to_owned(),
                service_account: gc.service_account_name,
                force_finalizer_removal: gc.force_finalizer_removal,
            }),
            parallelism,
            namespace_parallelism,
            repository: block.artifact_repository.and_then(RawRepository::facts),
            archive: block.persistence.is_some_and(|persistence| persistence.archive),
            problems,
        }
    }
}

impl RawRepository {
    /// The first that is there, in Argo's order (facts 5.2).
    fn facts(self) -> Option<Repository> {
        let of = |engine, fields: Option<Fields>| fields.map(|fields| (engine, fields));
        let (engine, fields) = of("artifactory", self.artifactory)
            .or_else(|| of("azure", self.azure))
            .or_else(|| of("gcs", self.gcs))
            .or_else(|| of("hdfs", self.hdfs))
            .or_else(|| of("oss", self.oss))
            .or_else(|| of("plugin", self.plugin))
            .or_else(|| of("s3", self.s3))?;
        let key_format = match (fields.key_format.as_str(), fields.key_prefix.as_str()) {
            ("", prefix) if engine == "s3" && !prefix.is_empty() => {
                format!("{}/{DEFAULT_KEY_FORMAT}", prefix.trim_end_matches('/'))
            }
            ("", _) => DEFAULT_KEY_FORMAT.to_owned(),
            (format, _) => format.to_owned(),
        };
        Some(Repository { engine, bucket: fields.bucket, key_format })
    }
}

/// What a key of an `artifact-repositories` ConfigMap holds: a repository, none that is known, or no sense.
pub type Entry = Result<Option<Repository>, String>;

/// The repositories of an `artifact-repositories` ConfigMap, and the key of its default; an entry that can't be
/// understood is an error.
pub fn repositories(config: &ConfigMap) -> (BTreeMap<&str, Entry>, Option<&str>) {
    let parsed = config
        .data
        .iter()
        .map(|(name, text)| (name.as_str(), yaml::<RawRepository>(name, text).map(RawRepository::facts)));
    (parsed.collect(), config.metadata.annotations.get(names::DEFAULT_REPOSITORY).map(String::as_str))
}

/// One key of the ConfigMap.
fn key<T: DeserializeOwned>(config: &ConfigMap, name: &str, problems: &mut Vec<String>) -> Option<T> {
    let text = config.data.get(name)?;
    yaml(name, text).map_err(|problem| problems.push(problem)).ok()
}

fn yaml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        format!("{name}: {}", error.lines().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(data: &[(&str, &str)]) -> ConfigMap {
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        ConfigMap { data, ..ConfigMap::default() }
    }

    #[test]
    fn reads_both_forms() {
        let defaults = "spec:\n  artifactGC: {strategy: OnWorkflowDeletion, serviceAccountName: gc}\n";
        let own = Settings::parse(&map(&[
            ("parallelism", "20"),
            ("namespaceParallelism", "4"),
            ("workflowDefaults", defaults),
            ("artifactRepository", "gcs: {bucket: b, keyFormat: '{{workflow.uid}}/{{pod.name}}'}"),
        ]));
        assert_eq!((own.parallelism, own.namespace_parallelism), (Some(20), Some(4)));
        assert_eq!(own.default_gc.unwrap().service_account, "gc");
        let repository = own.repository.unwrap();
        assert_eq!((repository.engine, repository.bucket.as_str()), ("gcs", "b"));
        assert_eq!(repository.key_format, "{{workflow.uid}}/{{pod.name}}");
        let old = Settings::parse(&map(&[(
            "config",
            "parallelism: 7\nartifactRepository:\n  s3: {bucket: c, keyPrefix: p}\npersistence: {archive: true}",
        )]));
        assert_eq!(old.parallelism, Some(7));
        assert_eq!(old.repository.unwrap().key_format, "p/{{workflow.name}}/{{pod.name}}");
        assert!(old.archive && old.problems.is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_a_problem() {
        let settings = Settings::parse(&map(&[("parallelism", "many"), ("artifactRepository", "[")]));
        assert_eq!(settings.problems.len(), 2, "{:?}", settings.problems);
        assert_eq!(settings.parallelism, None);
    }
}
