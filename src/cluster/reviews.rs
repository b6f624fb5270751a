//! Asks the API server what a service account may do. A review stores nothing.

use crate::cluster::client::Cluster;
use crate::error::Error;
use serde::Deserialize;
use serde_json::json;

/// What is done to which resource of Argo.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action<'a> {
    pub verb: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    /// Where; empty for all namespaces at once.
    pub within: &'a str,
}

impl Cluster {
    /// Whether a service account may do what a GC pod of its namespace does to its tasks.
    pub(crate) async fn may(
        &self,
        namespace: &str,
        account: &str,
        verb: &str,
        subresource: &str,
    ) -> Result<bool, Error> {
        let resource = "workflowartifactgctasks";
        self.account_may(namespace, account, Action { verb, resource, subresource, within: namespace }).await
    }

    /// Whether a service account may act on a resource of Argo.
    ///
    /// # Errors
    /// The server can't be asked, or refuses to say.
    pub(crate) async fn account_may(
        &self,
        namespace: &str,
        account: &str,
        action: Action<'_>,
    ) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Review {
            status: ReviewStatus,
        }
        #[derive(Deserialize)]
        struct ReviewStatus {
            allowed: bool,
        }
        let Action { verb, resource, subresource, within } = action;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": format!("system:serviceaccount:{namespace}:{account}"),
                "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
                "resourceAttributes": {
                    "namespace": within, "verb": verb, "group": "argoproj.io",
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
