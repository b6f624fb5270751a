//! Documents of references: what a cluster needs of the buckets that it shares with others.
//!
//! A document is of a whole cluster, or there is none: what it leaves out, another cluster may delete.

use crate::cluster::identity::ClusterIdentity;
use crate::error::{Error, Hint};
use crate::scan::gather::ScanPart;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::references::ReferencesBuilder;
use argo_gc_core::plan::select::CLOCKS;
use argo_gc_core::plan::told::Told;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

const KIND: &str = "References";

/// A document of references: what stands before the referrers, and the referrers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    api_version: String,
    kind: String,
    /// When the reading began.
    generated_at: Timestamp,
    cluster: ClusterIdentity,
    /// Names and UIDs of all workflows that exist.
    workflows: BTreeSet<String>,
    guarded: Guarded,
    /// These are written one by one.
    #[serde(skip_serializing)]
    referrers: Vec<Told>,
}

impl Head {
    /// A document of what a cluster refers to, read from `now` on.
    pub fn new(
        now: Timestamp,
        cluster: ClusterIdentity,
        workflows: BTreeSet<String>,
        guarded: Guarded,
    ) -> Self {
        let (api_version, kind) = (API_VERSION.to_owned(), KIND.to_owned());
        Self { api_version, kind, generated_at: now, cluster, workflows, guarded, referrers: Vec::new() }
    }
}

/// What other clusters need.
#[derive(Default)]
pub(crate) struct OtherClusters {
    pub references: ReferencesBuilder,
    /// Names and UIDs of all their workflows.
    pub names: Vec<String>,
    pub guarded: Guarded,
    pub clusters: Vec<ClusterIdentity>,
    /// The time of the oldest document; none without documents.
    pub as_of: Option<Timestamp>,
}

impl OtherClusters {
    /// Refuses to go on without a document of each of these clusters.
    ///
    /// # Errors
    /// One has none.
    pub fn ensure(&self, wanted: &[ClusterIdentity]) -> Result<(), Error> {
        let is_here = |wanted: &&ClusterIdentity| !self.clusters.iter().any(|given| given.is(wanted));
        match wanted.iter().find(is_here) {
            None => Ok(()),
            Some(missing) => Err(Error::refused(format!(
                "the plan was made with the references of the cluster {}, which may have changed",
                missing.server
            ))
            .hint(Hint::MakeReferences)),
        }
    }

    /// Moves what they refer to into a part of a gathering.
    pub fn into_part(self) -> ScanPart {
        let mut part = ScanPart::default();
        part.gathering = self.references;
        part.names = self.names;
        part.guarded = self.guarded;
        part
    }
}

/// Reads documents of other clusters than `own`; none is given for files.
///
/// # Errors
/// A file can't be read, is no such document, is older than `max_age` or is of this cluster.
pub(crate) fn read(
    paths: &[PathBuf],
    max_age: SignedDuration,
    own: Option<&ClusterIdentity>,
    now: Timestamp,
) -> Result<OtherClusters, Error> {
    let mut others = OtherClusters::default();
    for path in paths {
        let head = open(path)?;
        let refused = |why: String| Error::refused(format!("{}: {why}", path.display()));
        let age = now.duration_since(head.generated_at);
        if age > max_age {
            return Err(refused(format!(
                "these references were read at {}, which is too long ago",
                head.generated_at
            ))
            .hint(Hint::OldReferences));
        }
        if age < -CLOCKS {
            return Err(refused(format!("it is dated {}, which is in the future", head.generated_at)));
        }
        if own.is_some_and(|own| own.is(&head.cluster)) {
            return Err(refused("these references are of this very cluster, not of another".to_owned())
                .hint(Hint::MakeReferences));
        }
        for told in &head.referrers {
            others.references.hear(told, &head.cluster.server);
        }
        others.names.extend(head.workflows);
        others.guarded.absorb(head.guarded);
        others.as_of = Some(others.as_of.map_or(head.generated_at, |time| time.min(head.generated_at)));
        others.clusters.push(head.cluster);
    }
    Ok(others)
}

fn open(path: &Path) -> Result<Head, Error> {
    let wrong = |why: String| Error::new(format!("{}: {why}", path.display())).hint(Hint::MakeReferences);
    let file = || {
        let file = File::open(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
        Ok::<_, Error>(BufReader::with_capacity(1 << 16, file))
    };
    match serde_json::from_reader::<_, Head>(file()?) {
        Ok(head) if head.kind == KIND && head.api_version == API_VERSION => Ok(head),
        Ok(head) => {
            Err(wrong(format!("this is a document of kind {}, not {KIND} of {API_VERSION}", head.kind)))
        }
        // What kind of document it is helps more than where it differs.
        Err(error) => Err(wrong(match serde_json::from_reader::<_, Other>(file()?) {
            Ok(Other { kind }) if kind != KIND => format!("this is a document of kind {kind}, not {KIND}"),
            _ => format!("this is no complete document of references: {error}"),
        })),
    }
}

/// Any document.
#[derive(Deserialize)]
struct Other {
    kind: String,
}
