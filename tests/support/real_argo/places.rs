//! Where Argo's executor puts an artifact, and finds it again.

use serde_json::{Value, json};

/// A bucket and a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub bucket: String,
    pub key: String,
}

/// The kinds of storage that Argo's artifacts name.
const STORAGES: [&str; 10] =
    ["gcs", "s3", "azure", "oss", "hdfs", "git", "http", "artifactory", "raw", "plugin"];

/// The kind of storage that an artifact, or an archive location, names.
pub fn storage(location: &Value) -> Option<&'static str> {
    STORAGES.into_iter().find(|name| location[*name].is_object())
}

/// The key that an artifact names itself, or what is one in its kind of storage.
pub fn key(artifact: &Value) -> Option<&str> {
    let storage = storage(artifact)?;
    let field = match storage {
        "azure" => "blob",
        "hdfs" => "path",
        "http" | "artifactory" => "url",
        _ => "key",
    };
    artifact[storage][field].as_str().filter(|key| !key.is_empty())
}

/// Gives an output artifact the key that the executor makes of the archive location and a file name.
pub fn complete(artifact: &mut Value, archive: &Value, file: &str) -> Result<(), String> {
    if key(artifact).is_some() {
        return Ok(());
    }
    let storage = storage(archive).ok_or("template artifact location not set")?;
    let folder =
        archive[storage]["key"].as_str().ok_or("key unsupported: cannot get key for artifact location")?;
    artifact[storage] = json!({ "key": clean(&format!("{folder}/{file}")) });
    Ok(())
}

/// Where an artifact in GCS is: what it leaves open, the archive location says.
///
/// # Errors
/// The name of a storage that isn't GCS, or "none".
pub fn relocated(artifact: &Value, archive: &Value) -> Result<Place, &'static str> {
    let named = storage(artifact).unwrap_or("none");
    if named != "gcs" {
        return Err(named);
    }
    let own = &artifact["gcs"];
    let bucket = own["bucket"].as_str().filter(|bucket| !bucket.is_empty());
    let bucket = bucket.or_else(|| archive["gcs"]["bucket"].as_str()).unwrap_or_default();
    let key = own["key"].as_str().unwrap_or_default();
    Ok(Place { bucket: bucket.to_owned(), key: key.to_owned() })
}

/// A path as Go's `path.Clean` writes it; the driver saves under it.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let rooted = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
