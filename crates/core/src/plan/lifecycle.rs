//! Predicts what a lifecycle rule of a bucket would delete, and which of these objects are still needed.

use crate::model::bucket::Bucket;
use crate::model::engine::StorageEngine;
use crate::model::object::ObjectFacts;
use crate::plan::guarded::Guarded;
use crate::plan::kubeflow::has_shape;
use crate::plan::orphans::referrer;
use crate::plan::references::References;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// The number of needed objects that are named.
const NAMED: usize = 20;

/// An object that a rule would delete although something needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Needed {
    pub key: String,
    /// The referrer, the hold, or the owner of the folder that contains the object.
    pub by: String,
}

/// The effect a rule would have on the bucket's present content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// The number of objects the rule would delete, including the needed ones.
    pub objects: u64,
    pub bytes: u64,
    /// The number of deleted objects that something needs.
    pub needed: u64,
    /// The first of the needed objects.
    pub named: Vec<Needed>,
    /// The number of objects below the prefix that are too young for the rule.
    pub left: u64,
}

/// A rule that deletes what is older than some days below a prefix, tried on listed objects.
pub struct Rule<'a> {
    pub references: &'a References,
    pub guarded: &'a Guarded,
    pub bucket: &'a Bucket,
    /// The prefix ends in `/`, or is empty.
    pub prefix: &'a str,
    pub days: u32,
    pub now: Timestamp,
}

impl Rule<'_> {
    /// Adds one object to the effect of the rule.
    pub fn tries(&self, effect: &mut Effect, object: &ObjectFacts) {
        let Some(rest) = object.key.strip_prefix(self.prefix) else { return };
        let age = SignedDuration::from_hours(24 * i64::from(self.days));
        // An object of unknown age may be old enough.
        if object.created.is_some_and(|created| self.now.duration_since(created) < age) {
            effect.left += 1;
            return;
        }
        effect.objects += 1;
        effect.bytes += object.size;
        let first = rest.split('/').next().unwrap_or_default();
        let folder = &object.key[..self.prefix.len() + first.len()];
        let by = match referrer(self.references, self.bucket.name(), &object.key, folder) {
            Some(referrer) => referrer.name.clone(),
            None => match (&object.held, self.guarded.holder(rest)) {
                (Some(hold), _) => hold.clone(),
                (None, Some(guard)) => format!("{guard}, which is pinned or not finished"),
                (None, None) if has_shape(&object.key) => {
                    "Kubeflow Pipelines, whose cache may hand it out again".to_owned()
                }
                (None, None) => return,
            },
        };
        effect.needed += 1;
        if effect.named.len() < NAMED {
            effect.named.push(Needed { key: object.key.clone(), by });
        }
    }

    /// Returns the rule in the format of the storage's own tools; none for a storage without such rules.
    pub fn document(&self) -> Option<Value> {
        let Self { prefix, days, bucket, .. } = self;
        Some(match bucket.engine() {
            StorageEngine::S3 => json!({ "Rules": [{
                "ID": "argo-artifacts", "Status": "Enabled",
                "Filter": { "Prefix": prefix }, "Expiration": { "Days": days },
            }]}),
            StorageEngine::Azure => json!({ "rules": [{
                "name": "argo-artifacts", "enabled": true, "type": "Lifecycle",
                "definition": {
                    "filters": { "blobTypes": ["blockBlob"], "prefixMatch": [format!("{}/{prefix}", bucket.name())] },
                    "actions": { "baseBlob": { "delete": { "daysAfterModificationGreaterThan": days } } },
                },
            }]}),
            StorageEngine::Gcs => {
                // Where the bucket keeps versions, the age of a version counts from its creation: without isLive what was
                // deleted or overwritten by mistake would go for good with the next look.
                let mut condition = json!({ "age": days, "isLive": true });
                if !prefix.is_empty() {
                    condition["matchesPrefix"] = json!([prefix]);
                }
                json!({ "lifecycle": { "rule": [{ "action": { "type": "Delete" }, "condition": condition }] } })
            }
            _ => return None,
        })
    }

    /// Returns the command that sets the rule from a file. On GCS, S3 and Azure it replaces all existing rules.
    pub fn command(&self, file: &str) -> Option<String> {
        let Self { bucket, .. } = self;
        Some(match bucket.engine() {
            StorageEngine::S3 => {
                let endpoint = match bucket.endpoint() {
                    "" => String::new(),
                    host => format!(" --endpoint-url https://{host}"),
                };
                format!(
                    "aws s3api put-bucket-lifecycle-configuration --bucket {} --lifecycle-configuration file://{file}{endpoint}",
                    bucket.name()
                )
            }
            StorageEngine::Azure => {
                let account =
                    crate::model::bucket::host(bucket.endpoint()).split('.').next().unwrap_or_default();
                format!(
                    "az storage account management-policy create --account-name {account} --resource-group GROUP --policy @{file}"
                )
            }
            StorageEngine::Gcs => {
                format!("gcloud storage buckets update {bucket} --lifecycle-file {file}")
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::uses::Use;
    use crate::model::bucket::Bucket;
    use crate::model::object::ObjectFacts;
    use crate::plan::guarded::Guarded;
    use crate::plan::references::{Buckets, References, ReferencesBuilder};
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn what_is_needed_is_named_and_what_is_young_is_left() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 100);
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.workflow("ml", "train", "u");
        let found = Use { bucket: "b".into(), key: "argo/train/a.tgz".into(), ..Use::default() };
        gathering.add(by, &found, &Buckets::default(), false);
        let references = gathering.finish();
        let mut guarded = Guarded::default();
        guarded.workflow("pinned", "u2");
        let bucket: Bucket = "gs://b".parse().unwrap();
        let rule = Rule {
            references: &references,
            guarded: &guarded,
            bucket: &bucket,
            prefix: "argo/",
            days: 30,
            now,
        };
        let mut effect = Effect::default();
        for (key, days, held) in [
            ("argo/train/a.tgz", 40, None),
            ("argo/gone/a.tgz", 40, None),
            ("argo/pinned/a.tgz", 40, None),
            ("argo/held/a.tgz", 40, Some("temporary hold")),
            ("argo/gone/young.tgz", 29, None),
            ("argo/v2/artifacts/pipe/run/model", 40, None),
            ("elsewhere/a.tgz", 40, None),
        ] {
            let created = Some(now - SignedDuration::from_hours(24 * days));
            rule.tries(
                &mut effect,
                &ObjectFacts {
                    key: key.into(),
                    generation: "1".into(),
                    size: 10,
                    created,
                    storage_class: "".into(),
                    crc32c: String::new(),
                    held: held.map(str::to_owned),
                },
            );
        }
        assert_eq!((effect.objects, effect.bytes, effect.needed, effect.left), (5, 50, 4, 1));
        let by: Vec<&str> = effect.named.iter().map(|needed| needed.by.as_str()).collect();
        let kubeflow = "Kubeflow Pipelines, whose cache may hand it out again";
        assert_eq!(
            by,
            ["workflow ml/train", "pinned, which is pinned or not finished", "temporary hold", kubeflow]
        );
    }

    #[test]
    fn an_object_of_just_the_age_goes_and_only_the_first_needed_ones_are_named() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 100);
        let mut guarded = Guarded::default();
        guarded.workflow("pinned", "u");
        let (references, bucket) = (References::default(), "gs://b".parse().unwrap());
        let rule =
            Rule { references: &references, guarded: &guarded, bucket: &bucket, prefix: "", days: 30, now };
        let mut effect = Effect::default();
        for at in 0..=NAMED {
            let facts = ObjectFacts {
                key: format!("pinned/{at}"),
                generation: "1".into(),
                size: 1,
                created: Some(now - SignedDuration::from_hours(24 * 30)),
                storage_class: "".into(),
                crc32c: String::new(),
                held: None,
            };
            rule.tries(&mut effect, &facts);
        }
        let all = u64::try_from(NAMED).unwrap() + 1;
        assert_eq!((effect.objects, effect.needed, effect.left), (all, all, 0));
        assert_eq!(effect.named.len(), NAMED);
    }

    #[test]
    fn each_storage_has_its_rule() {
        let (references, guarded) = (References::default(), Guarded::default());
        for (bucket, part, command) in [
            ("gs://b", r#""matchesPrefix":["argo/"]"#, "gcloud storage buckets update gs://b "),
            ("s3://b@minio:9000", r#""Expiration":{"Days":30}"#, "--endpoint-url https://minio:9000"),
            ("https://a.blob.core.windows.net/c", r#""prefixMatch":["c/argo/"]"#, "--account-name a "),
        ] {
            let bucket: Bucket = bucket.parse().unwrap();
            let (references, guarded, bucket) = (&references, &guarded, &bucket);
            let rule =
                Rule { references, guarded, bucket, prefix: "argo/", days: 30, now: Timestamp::UNIX_EPOCH };
            assert!(rule.document().unwrap().to_string().contains(part), "{:?}", rule.document());
            assert!(
                format!("{} ", rule.command("rule.json").unwrap()).contains(command),
                "{:?}",
                rule.command("rule.json")
            );
        }
    }
}
