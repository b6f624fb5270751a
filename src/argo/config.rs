//! What the controller's configuration says about artifact repositories and the archive.

use super::related::ConfigMap;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A repository of the configuration: where workflows' artifacts go by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Repository {
    gcs: Option<Bucket>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Bucket {
    bucket: String,
    key_format: String,
}

impl Repository {
    /// Bucket and key format; none when it names no bucket of GCS. That another storage has a bucket of some name
    /// says nothing of who owns the name there.
    pub fn place(&self) -> Option<(&str, &str)> {
        let Bucket { bucket, key_format } = self.gcs.as_ref()?;
        (!bucket.is_empty()).then_some((bucket.as_str(), key_format.as_str()))
    }
}

/// The parts of the controller's ConfigMap that matter to a deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControllerConfig {
    pub repository: Option<Repository>,
    /// Finished workflows are also kept in the archive.
    pub archives: bool,
}

impl ControllerConfig {
    /// Reads `artifactRepository` and `persistence`, each its own key or within the older `config` block.
    ///
    /// # Errors
    /// One of them is no YAML of that shape.
    pub fn parse(config: &ConfigMap) -> Result<Self, String> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Block {
            artifact_repository: Option<Repository>,
            persistence: Option<Persistence>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Persistence {
            archive: bool,
        }
        let mut block: Block = match config.data.get("config") {
            Some(text) => yaml("config", text)?,
            None => Block::default(),
        };
        if let Some(text) = config.data.get("artifactRepository") {
            block.artifact_repository = Some(yaml("artifactRepository", text)?);
        }
        if let Some(text) = config.data.get("persistence") {
            block.persistence = Some(yaml("persistence", text)?);
        }
        Ok(Self {
            repository: block.artifact_repository,
            archives: block.persistence.is_some_and(|persistence| persistence.archive),
        })
    }
}

/// The repositories of an `artifact-repositories` ConfigMap; entries of another shape are passed over.
pub fn repositories(config: &ConfigMap) -> BTreeMap<&str, Repository> {
    let parsed = config.data.iter().map(|(name, text)| (name.as_str(), yaml(name, text)));
    parsed.filter_map(|(name, repository)| Some((name, repository.ok()?))).collect()
}

fn yaml<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        format!("{key}: {}", error.lines().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(key: &str, text: &str) -> ConfigMap {
        ConfigMap { data: [(key.to_owned(), text.to_owned())].into(), ..ConfigMap::default() }
    }

    #[test]
    fn reads_both_forms() {
        let repository =
            "archiveLogs: true\ngcs:\n  bucket: b\n  keyFormat: argo/{{workflow.name}}/{{pod.name}}\n";
        let own = ControllerConfig::parse(&map("artifactRepository", repository)).unwrap();
        assert_eq!(own.repository.unwrap().place(), Some(("b", "argo/{{workflow.name}}/{{pod.name}}")));
        let block = "instanceID: x\nartifactRepository:\n  s3: {bucket: c, keyPrefix: p}\npersistence: {archive: true}\n";
        let old = ControllerConfig::parse(&map("config", block)).unwrap();
        assert_eq!(old.repository.unwrap().place(), None, "a bucket of S3 is none of GCS");
        assert!(old.archives);
        assert!(ControllerConfig::parse(&map("artifactRepository", "[")).is_err());
    }
}
