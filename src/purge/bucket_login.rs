//! The accounts that a plan was made with, as it is saved: names of Secrets, and no value.

use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::login::{Logins, NamedLogin};
use serde::{Deserialize, Serialize};

/// An account that a workflow named for a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketLogin {
    pub bucket: Bucket,
    #[serde(flatten)]
    pub login: NamedLogin,
}

impl BucketLogin {
    /// What is named beside all buckets.
    pub fn all(logins: &Logins) -> Vec<Self> {
        let one =
            |(bucket, login): (&Bucket, &NamedLogin)| Self { bucket: bucket.clone(), login: login.clone() };
        logins.named().map(one).collect()
    }

    /// The same, to be asked by bucket.
    pub fn logins(all: &[Self]) -> Logins {
        let mut logins = Logins::default();
        all.iter().for_each(|one| logins.add(one.bucket.clone(), Some(one.login.clone())));
        logins
    }
}
