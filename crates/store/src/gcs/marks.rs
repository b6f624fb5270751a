//! Marks of GCS objects: one of an object's custom metadata, which have no part in its generation.

use crate::gcs::{Gcs, read};
use crate::http::{Request, Response};
use crate::labels::{Labels, MOST_BYTES, Marks, NAME, NoLabels};
use reqwest::Method;
use serde::Deserialize;
use std::collections::BTreeMap;

impl Marks for Gcs {
    fn ask(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key)).query("fields", "metadata").answered_in(MOST_BYTES)
    }

    fn read(&self, answer: &Response) -> Result<Labels, NoLabels> {
        #[derive(Deserialize)]
        struct Custom {
            #[serde(default)]
            metadata: BTreeMap<String, String>,
        }
        let custom = read::<Custom>(answer).map_err(NoLabels::Unreadable)?;
        Ok(custom.metadata.into_iter().collect())
    }

    fn set(&self, key: &str, generation: &str, _labels: &Labels, mark: Option<&str>) -> Request {
        // Names that are left out stay as they are; null removes one.
        let body = serde_json::json!({ "metadata": { NAME: mark } });
        Request::new(Method::PATCH, self.object_url(key))
            .query("ifGenerationMatch", generation)
            .query("fields", "generation")
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    fn heeds_pin(&self) -> bool {
        true
    }
}
