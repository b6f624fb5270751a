//! Answers in the shape of the JSON API.

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

pub type Outcome = Result<Response, Refusal>;

#[derive(Debug)]
pub enum Refusal {
    Error {
        status: u16,
        reason: &'static str,
        message: String,
    },
    /// No answer at all.
    Cut,
}

impl Refusal {
    fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self::Error { status, reason, message: message.into() }
    }

    pub fn no_bucket() -> Self {
        Self::new(404, "notFound", "The specified bucket does not exist.")
    }

    pub fn no_object(bucket: &str, key: &str) -> Self {
        Self::new(404, "notFound", format!("No such object: {bucket}/{key}"))
    }

    pub fn mismatch() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.";
        Self::new(412, "conditionNotMet", message)
    }

    /// The documentation has `objectUnderActiveHold`, but the JSON API says `forbidden`.
    pub fn held(bucket: &str, key: &str) -> Self {
        let message = format!(
            "Object '{bucket}/{key}' is under active Temporary hold and cannot be deleted, overwritten or \
             archived until hold is removed."
        );
        Self::new(403, "forbidden", message)
    }

    pub fn retained(bucket: &str, key: &str, until: jiff::Timestamp) -> Self {
        let message = format!(
            "Object '{bucket}/{key}' is subject to bucket's retention policy or object retention and cannot be \
             deleted or overwritten until {until:.6}"
        );
        Self::new(403, "retentionPolicyNotMet", message)
    }

    pub fn denied(permission: &str, resource: &str) -> Self {
        let message = format!(
            "tester@example.iam.gserviceaccount.com does not have {permission} access to the Google Cloud \
             Storage {resource}. Permission '{permission}' denied on resource (or it may not exist)."
        );
        Self::new(403, "forbidden", message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// What a test may not lean on, as nothing here does it as the real service would.
    pub fn unsupported(what: &str) -> Self {
        Self::new(501, "notImplemented", format!("the tests' object store has no {what}"))
    }

    pub fn upstream(error: &dyn std::error::Error) -> Self {
        Self::new(502, "backendError", format!("fake-gcs-server: {error}"))
    }

    /// An error made up for the test.
    pub fn fault(status: u16, bucket: &str, key: &str) -> Self {
        match status {
            429 => {
                let message = format!(
                    "The object {bucket}/{key} exceeded the rate limit for object mutation operations (create, \
                     update, and delete). Please reduce your request rate. See \
                     https://cloud.google.com/storage/docs/gcs429."
                );
                Self::new(429, "rateLimitExceeded", message)
            }
            _ => Self::new(status, "backendError", "We encountered an internal error. Please try again."),
        }
    }

    /// `None` where the connection is to be cut. Errors of downloads are text.
    pub fn answer(self, media: bool) -> Option<Response> {
        let Self::Error { status, reason, message } = self else { return None };
        if media {
            let builder =
                Response::builder().status(status).header("content-type", "text/html; charset=UTF-8");
            return Some(builder.body(Body::from(message)).expect("a response"));
        }
        let mut error = json!({ "message": message, "domain": "global", "reason": reason });
        match status {
            412 => {
                error["locationType"] = json!("header");
                error["location"] = json!("If-Match");
            }
            429 => error["domain"] = json!("usageLimits"),
            _ => {}
        }
        Some(json(status, &json!({ "error": { "code": status, "message": message, "errors": [error] } })))
    }
}

pub fn json(status: u16, body: &Value) -> Response {
    let builder =
        Response::builder().status(status).header("content-type", "application/json; charset=UTF-8");
    builder.body(Body::from(body.to_string())).expect("a response")
}

/// As `fields` asks for: names, `a/b` and `a(b,c)`.
pub fn select(value: &Value, fields: &str) -> Value {
    let mut selected = match value {
        Value::Array(values) => {
            return Value::Array(values.iter().map(|value| select(value, fields)).collect());
        }
        Value::Object(_) => json!({}),
        value => return value.clone(),
    };
    for field in split(fields) {
        if field == "*" {
            return value.clone();
        }
        let (name, inner) = match field.find(['/', '(']) {
            Some(at) if field[at..].starts_with('(') => (&field[..at], field[at + 1..].strip_suffix(')')),
            Some(at) => (&field[..at], Some(&field[at + 1..])),
            None => (field, None),
        };
        if let Some(found) = value.get(name) {
            selected[name] = inner.map_or_else(|| found.clone(), |inner| select(found, inner));
        }
    }
    selected
}

/// At the commas outside of parentheses.
fn split(fields: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in fields.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&fields[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&fields[start..]);
    parts
}
