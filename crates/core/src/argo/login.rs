//! By which account Argo opens a bucket: what stands beside the bucket in a location.

use serde::{Deserialize, Serialize};

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretKey {
    pub name: String,
    pub key: String,
}

/// What a location names to be let into its bucket (`docs/argo-gc.md#locations`). It holds names, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Login {
    pub account: Account,
    /// The certificate authority that alone is trusted to be the bucket's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<SecretKey>,
}

/// The account of a login.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Account {
    /// The account of the environment, as it is.
    Environment,
    /// A service account's key file.
    Google { service_account_key: SecretKey },
    /// An access key, its secret, and the token of temporary ones.
    S3 {
        access_key: SecretKey,
        secret_key: SecretKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<SecretKey>,
    },
    /// An account's key, or a shared access signature.
    Azure { account_key: SecretKey },
    /// The account of the environment takes on this role.
    Role { role: String },
}

impl Login {
    /// None if nothing is named, and the environment's account opens the bucket.
    pub fn new(account: Option<Account>, authority: Option<SecretKey>) -> Option<Self> {
        match (account, authority) {
            (None, None) => None,
            (account, authority) => {
                Some(Self { account: account.unwrap_or(Account::Environment), authority })
            }
        }
    }

    /// The keys of Secrets that it is made of.
    pub fn secrets(&self) -> Vec<&SecretKey> {
        self.account.secrets().into_iter().chain(&self.authority).collect()
    }
}

impl Account {
    /// The keys of Secrets that it is made of.
    pub fn secrets(&self) -> Vec<&SecretKey> {
        match self {
            Self::Google { service_account_key } => vec![service_account_key],
            Self::S3 { access_key, secret_key, session_token } => {
                [access_key, secret_key].into_iter().chain(session_token).collect()
            }
            Self::Azure { account_key } => vec![account_key],
            Self::Environment | Self::Role { .. } => Vec::new(),
        }
    }
}
