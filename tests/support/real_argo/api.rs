//! Requests to the API server, by whoever acts.

use std::pin::Pin;

use ::kube::{Client, Error};
use futures::Stream;
use http::{Method, Request};
use kube::core::WatchEvent;
use serde_json::{Value, json};

pub use super::super::objects::code;

/// A client that acts as the administrator, or as a service account.
#[derive(Clone)]
pub struct Api {
    client: Client,
    /// Namespace and name.
    account: Option<(String, String)>,
}

pub type Events = Pin<Box<dyn Stream<Item = Result<WatchEvent<Value>, Error>> + Send>>;

impl Api {
    pub fn new(client: Client) -> Self {
        Self { client, account: None }
    }

    /// The same server, asked by an account of the cluster: what it may not do is refused.
    pub fn by_account(&self, namespace: &str, name: &str) -> Self {
        Self { client: self.client.clone(), account: Some((namespace.to_owned(), name.to_owned())) }
    }

    pub async fn get(&self, path: &str) -> Result<Value, Error> {
        self.send(Method::GET, path, "application/json", None).await
    }

    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, Error> {
        self.send(Method::POST, path, "application/json", Some(object)).await
    }

    /// A JSON merge patch.
    pub async fn patch(&self, path: &str, patch: &Value) -> Result<Value, Error> {
        self.send(Method::PATCH, path, "application/merge-patch+json", Some(patch)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, Error> {
        let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0 });
        self.send(Method::DELETE, path, "application/json", Some(&options)).await
    }

    /// What happens to the objects below a path from a version on.
    pub async fn watch(&self, path: &str, query: &str, version: &str) -> Result<Events, Error> {
        let uri = format!("{path}?watch=1&resourceVersion={version}{query}");
        let request = self.request(Method::GET, &uri, "application/json").body(Vec::new());
        let events = self.client.request_events(request.expect("a request")).await?;
        Ok(Box::pin(events))
    }

    fn request(&self, method: Method, path: &str, kind: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path).header("content-type", kind);
        let Some((namespace, name)) = &self.account else { return request };
        request
            .header("impersonate-user", format!("system:serviceaccount:{namespace}:{name}"))
            .header("impersonate-group", "system:serviceaccounts")
            .header("impersonate-group", format!("system:serviceaccounts:{namespace}"))
            .header("impersonate-group", "system:authenticated")
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        self.client.request(self.request(method, path, kind).body(body).expect("a request")).await
    }
}

/// The server's own words for a request that it refused.
pub fn words(error: &Error) -> String {
    match error {
        Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
