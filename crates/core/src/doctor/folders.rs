//! The folders of a workflow's artifacts, to know which of them a purge keeps until its user names their place.

use crate::model::assessment::Assessment;
use crate::model::bucket::Bucket;
use crate::plan::rules::Allowed;
use std::collections::{BTreeMap, BTreeSet};

/// The most folders of one workflow. More are counted as the folder that they share.
const MOST: usize = 16;

/// Folders in buckets. Each ends in `/`, or is empty for the bucket itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders(BTreeSet<(Bucket, String)>);

impl Folders {
    /// Returns the folders of the artifacts that nobody will delete, or that Argo fails to delete.
    pub fn of(assessment: &Assessment) -> Self {
        let left = assessment.artifacts.iter().filter(|artifact| artifact.verdict.is_problem());
        let folder = |key: &str| key[..key.rfind('/').map_or(0, |at| at + 1)].to_owned();
        let places = left.filter_map(|artifact| artifact.location.as_ref());
        let places = places.filter_map(|location| Some((location.bucket()?, folder(&location.key))));
        let mut folders = Self(places.collect());
        if folders.0.len() > MOST {
            folders.0 = folders.shared().into_iter().collect();
        }
        folders
    }

    /// A folder, as its bucket and the beginning of its keys.
    #[cfg(test)]
    pub(crate) fn at(bucket: &str, folder: &str) -> Self {
        Self(bucket.parse().ok().map(|bucket| (bucket, folder.to_owned())).into_iter().collect())
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Returns the addresses of what is in no allowed place, one for each bucket.
    pub fn outside(&self, allowed: &Allowed) -> Vec<String> {
        let outside = self.0.iter().filter(|(bucket, folder)| !allowed.covers(bucket, folder));
        let shared = Self(outside.cloned().collect()).shared();
        let address = |(bucket, folder): (Bucket, String)| match folder.as_str() {
            "" => bucket.to_string(),
            folder => bucket.uri(folder.trim_end_matches('/')),
        };
        shared.into_iter().map(address).collect()
    }

    /// Returns for each bucket the longest folder that all of its folders share.
    fn shared(&self) -> BTreeMap<Bucket, String> {
        let mut shared: BTreeMap<Bucket, String> = BTreeMap::new();
        for (bucket, folder) in &self.0 {
            let common = shared.entry(bucket.clone()).or_insert_with(|| folder.clone());
            let parts = common.split_inclusive('/').zip(folder.split_inclusive('/'));
            let same = parts.take_while(|(one, other)| one == other).map(|(part, _)| part.len()).sum();
            common.truncate(same);
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folders(places: &[(&str, &str)]) -> Folders {
        let place = |(bucket, folder): &(&str, &str)| (bucket.parse().unwrap(), (*folder).to_owned());
        Folders(places.iter().map(place).collect())
    }

    #[test]
    fn what_no_repository_covers_is_named_by_its_narrowest_folder() {
        let mut allowed = Allowed::default();
        allowed.add("gs://mine".parse().unwrap(), "argo/");
        let outside = |places: &[(&str, &str)]| folders(places).outside(&allowed);
        assert_eq!(outside(&[("gs://mine", "argo/"), ("gs://mine", "argo/wf/pod/")]), [""; 0]);
        assert_eq!(
            outside(&[("gs://mine", "argo/wf/"), ("gs://mine", "argo-2/wf/")]),
            ["gs://mine/argo-2/wf"]
        );
        assert_eq!(
            outside(&[("gs://b", "wf/pod-1/"), ("gs://b", "wf/pod-10/"), ("gs://c", "")]),
            ["gs://b/wf", "gs://c"]
        );
        assert_eq!(outside(&[("gs://b", "x/"), ("gs://b", "xy/")]), ["gs://b"]);
    }
}
