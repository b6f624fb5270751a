//! The API server's store. It is changed only where the API server has no way to what a test needs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// An etcd, asked through the gateway that it serves beside gRPC.
#[derive(Clone)]
pub struct Etcd {
    url: String,
}

impl Etcd {
    pub fn new(url: String) -> Self {
        Self { url }
    }

    /// Sets the creation time of a custom resource, which the store holds as JSON.
    pub async fn created(&self, path: &str, time: &Value) {
        let key = BASE64_STANDARD.encode(path);
        let found = self.ask("range", &json!({ "key": key })).await;
        let stored = found["kvs"][0]["value"].as_str().unwrap_or_else(|| panic!("etcd has no {path}"));
        let stored = BASE64_STANDARD.decode(stored).expect("Base64");
        let mut object: Value = serde_json::from_slice(&stored).expect("a custom resource");
        object["metadata"]["creationTimestamp"] = time.clone();
        self.ask("put", &json!({ "key": key, "value": BASE64_STANDARD.encode(object.to_string()) })).await;
    }

    async fn ask(&self, what: &str, body: &Value) -> Value {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.post(format!("{}/v3/kv/{what}", self.url)).json(body);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        answer.expect("etcd answers").json().await.expect("JSON")
    }
}
