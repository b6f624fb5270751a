//! The rules of a purge: ages, verdicts, allowed places.

use crate::argo::config;
use crate::argo::config::Repository;
use crate::argo::related::ConfigMap;
use crate::model::assessment::{ArtifactReport, Note};
use crate::model::bucket::Bucket;
use crate::model::context::Controllers;
use crate::plan::claim::{Claimant, KeyFormat};
use crate::plan::guarded::Guarded;
use crate::plan::retention::Retention;
use crate::reason::Reason;
use crate::verdict::{Class, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rules of one purge: which workflows it may touch, and how carefully.
#[derive(Debug, Clone)]
pub struct Rules {
    pub now: Timestamp,
    /// The time after the end of a run in which a retry may follow.
    pub grace: SignedDuration,
    /// The tolerated difference between the clocks of cluster and storage, and the tolerated delay of an
    /// upload.
    pub margin: SignedDuration,
    /// True if failed runs were selected by phase or name.
    pub failed_too: bool,
    pub verdicts: Vec<Verdict>,
    /// Only artifacts with these reasons are deleted; empty for all.
    pub reasons: Vec<Reason>,
    pub only: Option<Class>,
    /// Only artifacts of these names are deleted; empty for all.
    pub artifacts: Vec<String>,
    /// True if finalizers that nothing else will remove are to be released.
    pub release_finalizer: bool,
    /// True if the plan names the artifacts of pinned workflows, so that they lose their marks
    /// ([`quarantine`](crate::plan::quarantine)).
    pub names_needed: bool,
    /// True if workflows that are in the archive only are purged too.
    pub archived: bool,
    /// Only objects in buckets of these names are deleted; empty for all.
    pub buckets: Vec<String>,
    pub allowed: Allowed,
    /// The retention policy, which keeps runs that no other rule keeps.
    pub retention: Option<Arc<Retention>>,
    /// Folders of workflows of other clusters that are unfinished or pinned.
    pub elsewhere: Guarded,
}

/// Why an artifact of a selected workflow is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unwanted {
    /// Its verdict is not among those asked for.
    Verdict(Verdict),
    /// Argo has recorded it as deleted, which a driver's bug makes doubtful.
    Doubtful,
    /// Its reason is not among those asked for.
    Reason,
    /// It has none of the names asked for.
    Name,
    /// It is in none of the buckets asked for.
    Bucket,
    /// Only logs were asked for, or only other artifacts.
    Class,
    /// The retention policy does not give it up.
    Policy,
}

impl Serialize for Unwanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Verdict(_) => "verdict",
            Self::Doubtful => "doubtful",
            Self::Reason => "reason",
            Self::Name => "name",
            Self::Bucket => "bucket",
            Self::Class => "class",
            Self::Policy => "policy",
        })
    }
}

/// The places where deletion is allowed, as buckets with a key prefix.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    places: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    bucket: Bucket,
    /// It ends in `/`, or is empty, or is a whole key.
    prefix: String,
    /// The format of a configured repository's keys; none for a place that the user named.
    format: Option<KeyFormat>,
}

impl Allowed {
    /// Adds a place that the user named.
    pub fn add(&mut self, bucket: Bucket, prefix: impl Into<String>) {
        self.places.push(Place { bucket, prefix: prefix.into(), format: None });
    }

    /// Returns where the configuration of a cluster lets a purge delete. `maps` are its `artifact-repositories`, by
    /// namespace; `named` is the namespace that the user names.
    pub fn configured(
        controllers: &Controllers,
        named: Option<&str>,
        maps: &BTreeMap<String, ConfigMap>,
    ) -> Self {
        let mut allowed = Self::default();
        let namespaces = allowed.add_controllers(controllers, named);
        namespaces
            .into_iter()
            .filter_map(|namespace| maps.get(namespace))
            .for_each(|map| allowed.add_all_of(map));
        allowed
    }

    /// Adds the repositories of the controllers whose configuration may say where a purge deletes. Returns the namespaces
    /// whose `artifact-repositories` say so too: the controllers' own, and the one that the user named.
    pub fn add_controllers<'a>(
        &mut self,
        controllers: &'a Controllers,
        named: Option<&'a str>,
    ) -> BTreeSet<&'a str> {
        let mut namespaces: BTreeSet<&str> = named.into_iter().collect();
        for controller in controllers.seen.iter().filter(|controller| controller.may_widen(named)) {
            let config = controller.config.as_ref();
            if let Some(repository) = config.and_then(|config| config.repository.as_ref()) {
                self.add_configured(repository);
            }
            namespaces.insert(&controller.namespace);
        }
        namespaces
    }

    /// Adds a configured repository, with the constant prefix of the keys that are written to it.
    fn add_configured(&mut self, repository: &Repository) {
        if let Some(bucket) = repository.location.place() {
            let prefix = constant_prefix(&repository.key_format).to_owned();
            let format = Some(KeyFormat::parse(&repository.key_format));
            self.places.push(Place { bucket, prefix, format });
        }
    }

    /// Adds all repositories of an `artifact-repositories` ConfigMap. Nothing can be stored in those that can't be
    /// understood.
    pub fn add_all_of(&mut self, config: &ConfigMap) {
        let entries = config::repositories(config).entries.into_values();
        entries.filter_map(Result::ok).flatten().for_each(|repository| self.add_configured(&repository));
    }

    /// Returns the name of the bucket and the prefix of each place.
    pub(crate) fn constants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places.iter().map(|place| (place.bucket.name(), &*place.prefix))
    }

    /// Returns the address of each place.
    pub fn places(&self) -> impl Iterator<Item = String> {
        self.places.iter().map(|place| place.bucket.uri(&place.prefix))
    }

    /// Returns the prefixes of the places in a bucket.
    pub fn prefixes(&self, bucket: &Bucket) -> impl Iterator<Item = &str> {
        self.places.iter().filter(move |place| place.bucket == *bucket).map(|place| &*place.prefix)
    }

    /// Returns the key formats of the configured repositories, each with its bucket.
    pub fn key_formats(&self) -> Vec<(Bucket, String)> {
        let format = |place: &Place| Some((place.bucket.clone(), place.format.as_ref()?.as_str().to_owned()));
        self.places.iter().filter_map(format).collect()
    }

    /// Returns true if the object's place is allowed. A prefix matches only up to a path boundary
    /// (`docs/dangers.md`, danger 2).
    pub fn covers(&self, bucket: &Bucket, key: &str) -> bool {
        self.places.iter().any(|place| place.covers(bucket, key))
    }

    /// Returns the format by which the key is another namespace's or workflow's, if a repository of the bucket has
    /// such a format. A named place allows the key if it leaves the format no choice of the namespace or workflow.
    pub(crate) fn format_of_another(
        &self,
        claimant: Claimant<'_>,
        bucket: &Bucket,
        key: &str,
    ) -> Option<&str> {
        let named = |constant: &str| {
            self.places.iter().any(|named| {
                named.format.is_none() && named.prefix.len() > constant.len() && named.covers(bucket, key)
            })
        };
        let places = self.places.iter().filter(|place| place.bucket == *bucket);
        let mut formats = places.filter_map(|place| Some((place.prefix.as_str(), place.format.as_ref()?)));
        let found = formats.find(|(constant, format)| format.is_anothers(claimant, key) && !named(constant));
        found.map(|(_, format)| format.as_str())
    }
}

impl Place {
    fn covers(&self, bucket: &Bucket, key: &str) -> bool {
        let prefix = self.prefix.as_str();
        let whole = |rest: &str| {
            prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
        };
        self.bucket == *bucket && key.strip_prefix(prefix).is_some_and(whole)
    }
}

/// Returns the constant prefix of the keys that a key format makes, cut at a path boundary.
pub fn constant_prefix(format: &str) -> &str {
    let constant = &format[..format.find("{{").unwrap_or(format.len())];
    &constant[..constant.rfind('/').map_or(0, |at| at + 1)]
}

impl Rules {
    /// Returns rules that permit no deletion, for gathering references only.
    pub fn none(now: Timestamp) -> Self {
        Self {
            now,
            grace: SignedDuration::MAX,
            margin: SignedDuration::ZERO,
            failed_too: false,
            verdicts: Vec::new(),
            reasons: Vec::new(),
            only: None,
            artifacts: Vec::new(),
            release_finalizer: false,
            names_needed: false,
            archived: false,
            buckets: Vec::new(),
            allowed: Allowed::default(),
            retention: None,
            elsewhere: Guarded::default(),
        }
    }

    /// Returns why the artifact is not asked for, if there is a reason.
    pub fn unwanted(&self, artifact: &ArtifactReport) -> Option<Unwanted> {
        let class = if artifact.logs { Class::Logs } else { Class::Artifacts };
        let bucket = artifact.location.as_ref().map(|location| &location.bucket);
        if self.only.is_some_and(|only| only != class) {
            Some(Unwanted::Class)
        } else if !self.artifacts.is_empty() && !self.artifacts.contains(&artifact.name) {
            Some(Unwanted::Name)
        } else if !self.buckets.is_empty() && bucket.is_some_and(|bucket| !self.buckets.contains(bucket)) {
            Some(Unwanted::Bucket)
        } else if artifact.verdict == Verdict::Collected && self.reasons.contains(&Reason::DeletedButPresent)
        {
            // Whether anything is there only storage shows.
            None
        } else if artifact.reason == Some(Reason::ArchivedStale) && self.archived {
            // Argo collects nothing of a workflow that is gone, so what is still there stays.
            self.other_reason(artifact)
        } else if artifact.is_to_come()
            && !artifact.reason.is_some_and(|reason| self.reasons.contains(&reason))
        {
            // Whatever is in the way of its collection may be mended, and until it is due it may be needed.
            Some(Unwanted::Verdict(Verdict::Covered))
        } else if !self.verdicts.contains(&artifact.verdict) {
            let doubt =
                |note: &Note| matches!(note.reason, Reason::S3FalseDeleted | Reason::WrongBucketDeleted);
            Some(match artifact.notes.iter().any(doubt) {
                true => Unwanted::Doubtful,
                false => Unwanted::Verdict(artifact.verdict),
            })
        } else {
            self.other_reason(artifact)
        }
    }

    fn other_reason(&self, artifact: &ArtifactReport) -> Option<Unwanted> {
        let asked = |reason| self.reasons.contains(&reason);
        (!self.reasons.is_empty() && !artifact.reason.is_some_and(asked)).then_some(Unwanted::Reason)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::config::ControllerConfig;
    use crate::model::context::Controller;

    const FORMAT: &str = "argo/{{workflow.namespace}}/{{pod.name}}";

    fn map(text: &str) -> ConfigMap {
        let data = [("artifactRepository".to_owned(), text.to_owned())].into();
        ConfigMap { data, ..ConfigMap::default() }
    }

    fn controller(bucket: &str, within: Option<&str>) -> Controller {
        let config =
            ControllerConfig::parse(&map(&format!("gcs: {{bucket: {bucket}, keyFormat: '{FORMAT}'}}")));
        let (namespace, within) = (format!("of-{bucket}"), within.map(str::to_owned));
        Controller { namespace, within, config: Some(config), ..Controller::default() }
    }

    #[test]
    fn danger_33_a_controller_of_one_namespace_allows_nothing_until_that_is_named() {
        let seen = vec![controller("all", None), controller("one", Some("ml"))];
        let controllers = Controllers { seen, complete: true, ..Controllers::default() };
        let one: Bucket = "gs://one".parse().unwrap();
        for (named, allows, more) in [
            (None, false, &["of-all"][..]),
            (Some("ci"), false, &["ci", "of-all"]),
            (Some("ml"), true, &["ml", "of-all", "of-one"]),
        ] {
            let mut allowed = Allowed::default();
            let namespaces = allowed.add_controllers(&controllers, named);
            assert_eq!(namespaces.into_iter().collect::<Vec<_>>(), more);
            assert!(allowed.covers(&"gs://all".parse().unwrap(), "argo/x/y"));
            assert_eq!(allowed.covers(&one, "argo/x/y"), allows, "{named:?}");
            assert!(!allowed.covers(&one, "other/x"));
        }
    }

    #[test]
    fn danger_29_a_place_allows_anothers_key_only_if_it_names_whose() {
        let bucket: Bucket = "gs://b".parse().unwrap();
        let claimant = Claimant { namespace: "ml", name: "train", uid: "u" };
        let format = |named: &[&str], key: &str| {
            let mut allowed = Allowed::default();
            allowed.add_all_of(&map(&format!("gcs: {{bucket: b, keyFormat: '{FORMAT}'}}")));
            named.iter().for_each(|prefix| allowed.add(bucket.clone(), *prefix));
            assert_eq!(allowed.format_of_another(claimant, &"gs://c".parse().unwrap(), key), None);
            allowed.format_of_another(claimant, &bucket, key).map(str::to_owned)
        };
        assert_eq!(format(&[], "argo/ml/p/x"), None);
        for named in [&[][..], &[""], &["argo"], &["argo/"], &["argo/team-b"], &["logs"]] {
            assert_eq!(format(named, "argo/team-a/p/x").as_deref(), Some(FORMAT), "{named:?}");
        }
        assert_eq!(format(&["", "argo/team-a"], "argo/team-a/p/x"), None);
    }

    #[test]
    fn the_constant_part_of_each_place_and_the_formats_are_told() {
        let mut allowed = Allowed::default();
        assert_eq!(allowed.constants().count(), 0);
        allowed.add_all_of(&map(&format!("gcs: {{bucket: b, keyFormat: '{FORMAT}'}}")));
        allowed.add("gs://c".parse().unwrap(), "team");
        assert_eq!(allowed.constants().collect::<Vec<_>>(), [("b", "argo/"), ("c", "team")]);
        assert_eq!(allowed.key_formats(), [("gs://b".parse().unwrap(), FORMAT.to_owned())]);
        allowed.add("gs://c".parse().unwrap(), "");
        for (bucket, prefixes) in
            [("gs://b", &["argo/"][..]), ("gs://c", &["team", ""]), ("gs://d", &[]), ("s3://c", &[])]
        {
            assert_eq!(allowed.prefixes(&bucket.parse().unwrap()).collect::<Vec<_>>(), prefixes, "{bucket}");
        }
    }
}
