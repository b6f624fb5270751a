//! What the controller's configuration says about artifact repositories and the archive.

use super::artifact::{ArtifactLocation, Azure, Gcs, S3};
use super::related::ConfigMap;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A repository of the configuration: where workflows' artifacts go by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Repository {
    azure: Option<Engine>,
    gcs: Option<Engine>,
    s3: Option<Engine>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Engine {
    endpoint: String,
    #[serde(alias = "container")]
    bucket: String,
    #[serde(alias = "blobNameFormat")]
    key_format: String,
    key_prefix: String,
}

impl Repository {
    /// The location without a key, of the engine that counts, and the format of the keys (facts 5.2).
    pub fn place(&self) -> Option<(ArtifactLocation, String)> {
        let Self { azure, gcs, s3 } = self;
        let engine = azure.as_ref().or(gcs.as_ref()).or(s3.as_ref())?;
        let (endpoint, bucket, key) = (engine.endpoint.clone(), engine.bucket.clone(), String::new());
        let location = match (azure, gcs) {
            (Some(_), _) => ArtifactLocation {
                azure: Some(Azure { endpoint, container: bucket, blob: key }.into()),
                ..ArtifactLocation::default()
            },
            (None, Some(_)) => {
                ArtifactLocation { gcs: Some(Gcs { bucket, key }), ..ArtifactLocation::default() }
            }
            (None, None) => ArtifactLocation {
                s3: Some(S3 { endpoint, bucket, key }.into()),
                ..ArtifactLocation::default()
            },
        };
        let format = match (engine.key_format.as_str(), engine.key_prefix.trim_end_matches('/')) {
            ("", "") => String::new(),
            ("", prefix) => format!("{prefix}/"),
            (format, _) => format.to_owned(),
        };
        Some((location, format))
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
        let (location, format) = own.repository.unwrap().place().unwrap();
        assert_eq!(location.gcs.unwrap().bucket, "b");
        assert_eq!(format, "argo/{{workflow.name}}/{{pod.name}}");
        let block = "instanceID: x\nartifactRepository:\n  s3: {endpoint: e, bucket: c, keyPrefix: p}\npersistence: {archive: true}\n";
        let old = ControllerConfig::parse(&map("config", block)).unwrap();
        let (location, format) = old.repository.unwrap().place().unwrap();
        assert_eq!(location.s3.map(|s3| (s3.endpoint, s3.bucket)).unwrap(), ("e".into(), "c".into()));
        assert_eq!(format, "p/");
        let azure = "azure: {endpoint: https://a.example, container: c, blobNameFormat: 'x/{{pod.name}}'}";
        let own = ControllerConfig::parse(&map("artifactRepository", azure)).unwrap();
        let (location, format) = own.repository.unwrap().place().unwrap();
        assert_eq!((location.azure.unwrap().container.as_str(), format.as_str()), ("c", "x/{{pod.name}}"));
        assert!(old.archives);
        assert!(ControllerConfig::parse(&map("artifactRepository", "[")).is_err());
    }
}
