//! Marks of S3 objects: one of an object's tags, which have no part in its ETag. All tags are written together.

use crate::http::{Request, Response};
use crate::labels::{Labels, MOST_BYTES, Marks, NoLabels, with};
use crate::s3::{S3, bulk, error};
use crate::tags;
use reqwest::Method;

/// The root of the document of an object's tags.
const TAGGING: &str = "Tagging";

impl Marks for S3 {
    fn ask(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key)).query("tagging", "").answered_in(MOST_BYTES)
    }

    fn read(&self, answer: &Response) -> Result<Labels, NoLabels> {
        tags::read(answer, TAGGING)
    }

    fn has_none(&self, answer: &Response) -> bool {
        answer.status == 404 && error(answer).code == "NoSuchTagSet"
    }

    fn set(&self, key: &str, _pin: &str, labels: &Labels, mark: Option<&str>) -> Request {
        let request = Request::new(Method::PUT, self.object_url(key)).query("tagging", "");
        bulk::summed(request, tags::write(TAGGING, &with(labels, mark)))
    }

    fn most(&self) -> usize {
        10
    }

    fn heeds_pin(&self) -> bool {
        false
    }
}
