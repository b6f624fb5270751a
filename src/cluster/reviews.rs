//! Asks the API server what a service account may do. A review stores nothing.

use crate::cluster::client::Cluster;
use crate::error::Error;
use argo_gc_core::model::account::{Account, Action};
use serde::Deserialize;
use serde_json::json;

impl Cluster {
    /// Whether a service account may do this within a namespace, or (empty) in all.
    ///
    /// # Errors
    /// The server can't be asked, or refuses to say.
    pub(crate) async fn account_may(
        &self,
        account: &Account,
        action: Action,
        within: &str,
    ) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Review {
            status: ReviewStatus,
        }
        #[derive(Deserialize)]
        struct ReviewStatus {
            allowed: bool,
        }
        let Account { namespace, name } = account;
        let Action { verb, group, resource, subresource } = action;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": format!("system:serviceaccount:{namespace}:{name}"),
                "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
                "resourceAttributes": {
                    "namespace": within, "verb": verb, "group": group,
                    "resource": resource, "subresource": subresource,
                },
            },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = self.review_access(path, review.to_string().as_bytes()).await?;
        let review: Review = serde_json::from_slice(&answer)?;
        Ok(review.status.allowed)
    }
}
