//! What the cluster holds at a moment, and who in it needs an object: read the slow way, from the texts of all objects.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::support::real_argo::{BUCKET, RealArgo};

/// Where objects that name keys can be.
const KINDS: [&str; 6] = [
    "/apis/argoproj.io/v1alpha1/workflows",
    "/apis/argoproj.io/v1alpha1/workflowtemplates",
    "/apis/argoproj.io/v1alpha1/clusterworkflowtemplates",
    "/apis/argoproj.io/v1alpha1/cronworkflows",
    "/apis/argoproj.io/v1alpha1/workflowtaskresults",
    "/api/v1/configmaps",
];

/// All objects of a moment, by UID, and all keys of the bucket.
pub struct World {
    pub at: Timestamp,
    pub objects: BTreeMap<String, Holder>,
    pub keys: BTreeSet<String>,
}

/// An object of the cluster.
pub struct Holder {
    pub object: Value,
    text: String,
}

impl World {
    pub fn now(argo: &RealArgo) -> Self {
        let at = Timestamp::now();
        let mut objects = BTreeMap::new();
        for path in KINDS {
            let mut list = argo.server.get(path).expect("a list");
            for mut object in list["items"].as_array_mut().map(std::mem::take).unwrap_or_default() {
                object["metadata"]["managedFields"].take();
                let uid = object["metadata"]["uid"].as_str().expect("a UID").to_owned();
                let text = object.to_string();
                objects.insert(uid, Holder { object, text });
            }
        }
        Self { at, objects, keys: argo.gcs.keys(BUCKET).into_iter().collect() }
    }

    /// The UIDs of all objects that name the key, or the artifact whose directory the object is in.
    pub fn holders(&self, key: &str, artifact: &str) -> BTreeSet<&str> {
        let names = |holder: &Holder| names(&holder.text, key) || names(&holder.text, artifact);
        self.objects.iter().filter(|(_, holder)| names(holder)).map(|(uid, _)| uid.as_str()).collect()
    }

    /// The UIDs of all objects that name something in the directory.
    pub fn holders_below(&self, directory: &str) -> BTreeSet<&str> {
        let below = format!("{directory}/");
        let holders = self.objects.iter().filter(|(_, holder)| holder.text.contains(&below));
        holders.map(|(uid, _)| uid.as_str()).collect()
    }

    /// The workflow of that name.
    pub fn workflow(&self, namespace: &str, name: &str) -> Option<&Value> {
        let is_it = |object: &&Value| {
            object["kind"] == "Workflow"
                && object["metadata"]["namespace"] == namespace
                && object["metadata"]["name"] == name
        };
        self.objects.values().map(|holder| &holder.object).find(is_it)
    }
}

/// Whether a text names the key as a whole: not as a part of a longer one.
fn names(text: &str, key: &str) -> bool {
    let mut from = 0;
    while let Some(at) = text[from..].find(key).map(|at| from + at) {
        let before = text[..at].chars().next_back();
        let after = text[at + key.len()..].chars().next();
        let begins = before.is_none_or(|char| matches!(char, '"' | '/' | ' ' | ',' | '='));
        let ends = after.is_none_or(|char| matches!(char, '"' | '\\' | ' ' | ','));
        if begins && ends {
            return true;
        }
        from = at + key.len();
    }
    false
}
