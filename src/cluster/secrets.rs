//! Reads Secrets. Only who asked for that by a flag has any read.

use crate::cluster::api_client::check_segment;
use crate::cluster::client::Cluster;
use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A Secret's values. It has no `Debug`, so that none is ever printed.
#[derive(Default, Deserialize)]
pub struct Secret {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl Secret {
    /// The value of a key as text; none if there is none, or it is no text.
    pub fn text(&self, key: &str) -> Option<String> {
        let bytes = STANDARD.decode(self.data.get(key)?).ok()?;
        String::from_utf8(bytes).ok()
    }
}

impl Cluster {
    /// Reads one Secret.
    ///
    /// # Errors
    /// It is not there, or may not be read. Nothing of it is in the message.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Secret, Error> {
        check_segment("namespace", namespace)?;
        check_segment("name of a Secret", name)?;
        let body = self.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}")).await?;
        // The parser's message could quote a value.
        serde_json::from_slice(&body).map_err(|_| Error::malformed("the server's answer is no Secret"))
    }
}
