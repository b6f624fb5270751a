//! The plan as it is shown, saved and applied: `kind: PurgePlan`.

use crate::error::Error;
use crate::gc::reference::{References, Released};
use crate::gc::{Kept, PlannedObject, PlannedWorkflow, Protection};
use crate::store::BucketFacts;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the documents.
pub const API_VERSION: &str = "argo-gc/v1";

/// Which objects go, which stay and why, in which cluster and storage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub api_version: String,
    pub kind: String,
    pub created_at: Timestamp,
    /// The cluster it was made in; none for files.
    pub cluster: Option<ClusterIdentity>,
    /// Where the buckets are: an endpoint or a directory.
    pub storage: String,
    pub buckets: Vec<BucketFacts>,
    /// Sources of references that were not read, and accepted so.
    pub unread: Vec<String>,
    pub workflows: Vec<PlannedWorkflow>,
    pub totals: Totals,
    /// SHA-256 of this document with an empty hash, as hexadecimal digits.
    pub hash: String,
}

/// What tells one cluster from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIdentity {
    /// UID of the `kube-system` namespace.
    pub uid: Option<String>,
    pub server: String,
    pub context: Option<String>,
}

/// Sums over a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub objects: u64,
    pub bytes: u64,
    pub kept: u64,
    pub absent: u64,
}

impl Plan {
    /// Sums up and seals a plan.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        let mut totals = Totals::default();
        for workflow in &self.workflows {
            totals.objects += workflow.delete.len() as u64;
            totals.bytes += workflow.bytes();
            totals.kept += workflow.keep.len() as u64;
            totals.absent += workflow.absent.len() as u64;
        }
        self.totals = totals;
        self.hash = String::new();
        self.hash = self.digest();
        self
    }

    /// The hash over everything, the field of the hash being empty.
    fn digest(&self) -> String {
        debug_assert!(self.hash.is_empty());
        let mut hasher = std::io::BufWriter::with_capacity(1 << 16, Sha256::new());
        // Neither our own strings and numbers nor a hash can fail to be written.
        let _ = serde_json::to_writer(&mut hasher, self);
        let hasher = hasher.into_inner().unwrap_or_default();
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a saved plan and checks that it may be applied.
    ///
    /// # Errors
    /// It is no plan, was edited, is past `max_age`, or is of another cluster or storage.
    pub fn read(
        text: &str,
        cluster: Option<&ClusterIdentity>,
        storage: &str,
        max_age: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut plan: Self = serde_json::from_str(text)
            .map_err(|error| Error::refused(format!("this is no saved plan: {error}")))?;
        if plan.api_version != API_VERSION || plan.kind != "PurgePlan" {
            return Err(Error::refused(format!(
                "this is a {} of {}, not a plan",
                plan.kind, plan.api_version
            )));
        }
        let hash = std::mem::take(&mut plan.hash);
        let digest = plan.digest();
        plan.hash = hash;
        if digest != plan.hash {
            return Err(Error::refused("the plan was edited after it was made")
                .hint("make a new one with --plan-out"));
        }
        let age = now.duration_since(plan.created_at);
        if age > max_age {
            return Err(Error::refused(format!(
                "the plan was made at {}, which is too long ago",
                plan.created_at
            ))
            .hint("make a new one, or allow its age with --plan-max-age"));
        }
        let same = match (&plan.cluster, cluster) {
            (None, None) => true,
            (Some(then), Some(now)) => match (&then.uid, &now.uid) {
                (Some(then), Some(now)) => then == now,
                // Without a UID on both sides only the address is left to compare.
                _ => then.server == now.server,
            },
            _ => false,
        };
        if !same {
            let place = plan.cluster.as_ref().map_or("files", |cluster| &cluster.server);
            return Err(Error::refused(format!("the plan is of another cluster: {place}"))
                .hint("choose it with --context"));
        }
        if plan.storage != storage {
            return Err(Error::refused(format!("the plan is of other storage: {}", plan.storage)));
        }
        Ok(plan)
    }

    /// Keeps what something refers to by now; gives their number.
    pub fn keep_referenced(&mut self, references: &References) -> usize {
        let mut released = Released::default();
        self.workflows.iter().for_each(|workflow| released.whole(&workflow.uid));
        let mut kept = 0;
        for PlannedWorkflow { delete, keep, .. } in &mut self.workflows {
            delete.retain(|object| {
                let Some(holder) = references.holder(&object.bucket, &object.key, &released) else {
                    return true;
                };
                kept += 1;
                keep.push(Kept {
                    location: format!("gs://{}/{}", object.bucket, object.key),
                    artifact: object.artifact.to_string(),
                    protection: Protection::Referenced,
                    detail: format!("by {}", holder.name),
                });
                false
            });
        }
        kept
    }

    /// All objects to be deleted.
    pub fn objects(&self) -> impl Iterator<Item = &PlannedObject> {
        self.workflows.iter().flat_map(|workflow| &workflow.delete)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plan() -> Plan {
        let identity = ClusterIdentity { uid: Some("u".into()), server: "s".into(), context: None };
        Plan {
            api_version: API_VERSION.into(),
            kind: "PurgePlan".into(),
            created_at: "2026-11-01T00:00:00Z".parse().unwrap(),
            cluster: Some(identity),
            storage: "gcs".into(),
            buckets: Vec::new(),
            unread: Vec::new(),
            workflows: Vec::new(),
            totals: Totals::default(),
            hash: String::new(),
        }
        .sealed()
    }

    fn read(text: &str, uid: &str, now: &str) -> Result<Plan, String> {
        let cluster =
            ClusterIdentity { uid: Some(uid.into()), server: "other address".into(), context: None };
        let day = SignedDuration::from_hours(24);
        Plan::read(text, Some(&cluster), "gcs", day, now.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn danger_25_a_stale_edited_or_foreign_plan_is_refused() {
        let text = serde_json::to_string(&plan()).unwrap();
        let soon = "2026-11-01T01:00:00Z";
        assert_eq!(read(&text, "u", soon).unwrap(), plan());
        assert!(read(&text, "v", soon).unwrap_err().contains("another cluster"));
        assert!(read(&text, "u", "2026-11-02T01:00:00Z").unwrap_err().contains("too long ago"));
        let edited = text.replace("\"gcs\"", "\"gcS\"");
        assert!(read(&edited, "u", soon).unwrap_err().contains("edited"));
        assert!(read("{}", "u", soon).unwrap_err().contains("no saved plan"));
        let pretty = serde_json::to_string_pretty(&plan()).unwrap();
        assert!(read(&pretty, "u", soon).is_ok(), "white space is no edit");
    }
}
