//! The words for failures of storage.

use argo_gc_core::model::bucket::host;
use argo_gc_store::types::StoreError;

/// Words a failure of storage, with the flag that avoids it; the storage library knows no flags.
pub fn storage_error(error: &StoreError) -> String {
    match error {
        StoreError::Untrusted(bucket) => {
            format!("{error}; --endpoint-override {}=URL allows it", host(bucket.endpoint()))
        }
        StoreError::NoIdentity { .. } => {
            format!(
                "{error}; --identity BUCKET=FILE names an account by hand, and docs/rbac.md the right to read Secrets"
            )
        }
        StoreError::Distrusted { .. } => {
            format!(
                "{error}; if its authority is a private one, --use-workflow-secrets trusts the one that workflows name \
                 beside the bucket (caSecret), and SSL_CERT_FILE names a file of those that are always trusted"
            )
        }
        _ => error.to_string(),
    }
}
