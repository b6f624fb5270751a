//! Marks of blobs: one of a blob's index tags, which have no part in its ETag. All tags are written together.

use crate::azure::Azure;
use crate::http::{Request, Response};
use crate::labels::{Labels, MOST_BYTES, Marks, NoLabels, with};
use crate::tags;
use reqwest::Method;

/// The root of the document of a blob's tags.
const TAGS: &str = "Tags";

impl Marks for Azure {
    fn ask(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key)).query("comp", "tags").answered_in(MOST_BYTES)
    }

    fn read(&self, answer: &Response) -> Result<Labels, NoLabels> {
        tags::read(answer, TAGS)
    }

    fn set(&self, key: &str, _pin: &str, labels: &Labels, mark: Option<&str>) -> Request {
        let body = tags::write(TAGS, &with(labels, mark));
        Request::new(Method::PUT, self.object_url(key))
            .query("comp", "tags")
            .header("content-type", "application/xml")
            // It is part of the signature.
            .header("content-length", &body.len().to_string())
            .body(body)
    }

    fn most(&self) -> usize {
        10
    }

    fn heeds_pin(&self) -> bool {
        false
    }
}
