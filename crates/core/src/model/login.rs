//! By which account Argo opens a bucket: what stands beside the bucket in a workflow.

use crate::argo::login::{Account, Login, SecretKey};
use crate::model::assessment::Assessment;
use crate::model::bucket::Bucket;
use crate::model::location::Location;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A login of a workflow, whose Secrets are in the workflow's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NamedLogin {
    pub namespace: String,
    pub login: Login,
}

impl fmt::Display for NamedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, login } = self;
        match &login.account {
            Account::Role { role } => write!(f, "role {role}"),
            Account::Environment => f.write_str("the environment's account"),
            account => {
                let mut names: Vec<&str> = account.secrets().iter().map(|secret| &*secret.name).collect();
                names.dedup();
                let names: Vec<String> =
                    names.into_iter().map(|name| format!("{namespace}/{name}")).collect();
                write!(f, "Secret {}", names.join(", "))
            }
        }?;
        match &login.authority {
            Some(SecretKey { name, .. }) => {
                write!(f, " and the certificate authority in Secret {namespace}/{name}")
            }
            None => Ok(()),
        }
    }
}

/// What the workflows name beside each bucket; none where one names nothing, and Argo uses its pod's own account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logins(BTreeMap<Bucket, BTreeSet<Option<NamedLogin>>>);

impl Logins {
    pub fn add(&mut self, bucket: Bucket, login: Option<NamedLogin>) {
        self.0.entry(bucket).or_default().insert(login);
    }

    /// Adds what a workflow names beside the buckets of its artifacts.
    pub fn assessed(&mut self, assessment: &Assessment) {
        for artifact in &assessment.artifacts {
            let Some(bucket) = artifact.location.as_ref().and_then(Location::bucket) else { continue };
            let named = |login: &Arc<Login>| NamedLogin {
                namespace: assessment.namespace.clone(),
                login: Login::clone(login),
            };
            self.add(bucket, artifact.login.as_ref().map(named));
        }
    }

    pub fn absorb(&mut self, other: Self) {
        for (bucket, logins) in other.0 {
            self.0.entry(bucket).or_default().extend(logins);
        }
    }

    /// All that is named beside a bucket; empty for a bucket that nobody named.
    pub fn of(&self, bucket: &Bucket) -> BTreeSet<Option<NamedLogin>> {
        self.0.get(bucket).cloned().unwrap_or_default()
    }

    /// Each login with its bucket. Buckets beside which there is none are left out.
    pub fn named(&self) -> impl Iterator<Item = (&Bucket, &NamedLogin)> {
        self.0.iter().flat_map(|(bucket, logins)| logins.iter().flatten().map(move |login| (bucket, login)))
    }
}

/// Says that several accounts are named for one bucket, so that none is certainly the one.
pub fn several(logins: &BTreeSet<Option<NamedLogin>>) -> String {
    let words: Vec<String> = logins
        .iter()
        .rev()
        .map(|login| login.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string))
        .collect();
    let authorities = logins.iter().flatten().any(|named| named.login.authority.is_some());
    let what = if authorities { "accounts or certificate authorities" } else { "accounts" };
    format!("its workflows name different {what} for it ({})", words.join("; "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::artifact::{Artifact, ArtifactLocation};
    use crate::model::location::resolve;

    fn location(json: &str) -> ArtifactLocation {
        serde_json::from_str::<Artifact>(json).unwrap().location
    }

    fn login(own: &str, base: &str) -> Option<String> {
        let resolved = resolve(&location(own), Some(&location(base))).unwrap();
        let named = |login: &Login| NamedLogin { namespace: "ml".to_owned(), login: login.clone() };
        resolved.login.map(|login| format!("{} {}", named(&login), login.secrets().len()))
    }

    const KEYS: &str = r#""accessKeySecret":{"name":"m","key":"a"},"secretKeySecret":{"name":"m","key":"s"}"#;

    #[test]
    fn a_login_is_of_the_location_that_completes_the_key() {
        let minio = format!(r#"{{"s3":{{"endpoint":"e","bucket":"b",{KEYS}}}}}"#);
        let own = r#"{"s3":{"endpoint":"e","bucket":"b","key":"k"}}"#;
        assert_eq!(login(r#"{"s3":{"key":"k"}}"#, &minio).as_deref(), Some("Secret ml/m 2"));
        // A full location has its own, or none.
        assert_eq!(login(own, &minio), None);
        // What is incomplete is replaced whole, its login too.
        let half = r#"{"s3":{"bucket":"b","key":"k","accessKeySecret":{"name":"x","key":"a"}}}"#;
        assert_eq!(login(half, &minio).as_deref(), Some("Secret ml/m 2"));
    }

    #[test]
    fn each_engines_login_is_read_in_argos_order() {
        let s3 = |more: &str| {
            login(&format!(r#"{{"s3":{{"endpoint":"e","bucket":"b","key":"k",{more}}}}}"#), "{}")
        };
        let token = r#""sessionTokenSecret":{"name":"t","key":"t"}"#;
        assert_eq!(s3(&format!("{KEYS},{token}")).as_deref(), Some("Secret ml/m, ml/t 3"));
        assert_eq!(s3(&format!(r#"{KEYS},"roleARN":"arn:r""#)).as_deref(), Some("Secret ml/m 2"));
        assert_eq!(s3(r#""roleARN":"arn:r""#).as_deref(), Some("role arn:r 0"));
        assert_eq!(s3(r#""useSDKCreds":true"#), None);
        let authority = r#""caSecret":{"name":"ca","key":"ca.crt"}"#;
        let and = "and the certificate authority in Secret ml/ca";
        let own = format!("the environment's account {and} 1");
        assert_eq!(s3(authority).as_deref(), Some(&*own));
        assert_eq!(s3(&format!("{KEYS},{authority}")), Some(format!("Secret ml/m {and} 3")));
        assert_eq!(s3(&format!(r#"{authority},"roleARN":"arn:r""#)), Some(format!("role arn:r {and} 1")));
        assert_eq!(s3(&format!(r#"{authority},"insecure":true"#)), None);
        let empty = r#""accessKeySecret":{"name":"","key":""},"secretKeySecret":null"#;
        assert_eq!(s3(empty), None);
        let gcs = r#"{"gcs":{"bucket":"b","key":"k","serviceAccountKeySecret":{"name":"g","key":"j"}}}"#;
        assert_eq!(login(gcs, "{}").as_deref(), Some("Secret ml/g 1"));
        let azure = r#"{"azure":{"endpoint":"https://a.blob.core.windows.net","container":"c","blob":"k",
                       "accountKeySecret":{"name":"z","key":"k"}}}"#;
        assert_eq!(login(azure, "{}").as_deref(), Some("Secret ml/z 1"));
    }

    #[test]
    fn several_are_told_by_name() {
        let named = |namespace: &str| NamedLogin {
            namespace: namespace.to_owned(),
            login: Login {
                account: Account::Google {
                    service_account_key: SecretKey { name: "g".into(), key: "j".into() },
                },
                authority: None,
            },
        };
        let bucket: Bucket = "gs://b".parse().unwrap();
        let mut logins = Logins::default();
        logins.add(bucket.clone(), Some(named("a")));
        let mut other = Logins::default();
        other.add(bucket.clone(), None);
        other.add(bucket.clone(), Some(named("b")));
        logins.absorb(other);
        let words = "its workflows name different accounts for it (Secret b/g; Secret a/g; none)";
        assert_eq!(several(&logins.of(&bucket)), words);
        assert_eq!(logins.named().count(), 2);
    }
}
