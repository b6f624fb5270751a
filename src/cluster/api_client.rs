//! HTTP requests to an API server with short retries, shared by the Kubernetes API and the Argo server.

use crate::cluster::buffer::Buffer;
use crate::error::Error;
use http::{StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body as KubeBody;
use std::time::Duration;

/// The answer to one read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) wait: Option<Duration>,
    pub(crate) body: Buffer,
}

/// Reads a body into one buffer; frames are dropped as they come, since each holds on to a larger read buffer.
pub(crate) async fn collect(
    response: http::Response<KubeBody>,
    bytes: &mut Vec<u8>,
) -> Result<(), kube::Error> {
    /// No length is believed beyond this before the bytes are there.
    const MAX_TRUST: usize = 64 << 20;
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    bytes.reserve(MAX_TRUST.min(length));
    let mut body = std::pin::pin!(response.into_body());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(())
}

/// When the server answered, by its own clock.
pub(crate) fn date(headers: &http::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// `Retry-After` in seconds.
pub(crate) fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Refuses what can't be one part of a path, as kubectl does; `what` is `resource name` or `namespace`.
pub(crate) fn check_segment(what: &str, text: &str) -> Result<(), Error> {
    let ordinary = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let problem = match text.chars().find(|c| !ordinary(*c)) {
        Some(odd) => format!("may not contain {odd:?}"),
        None if text.is_empty() => "may not be empty".to_owned(),
        None if matches!(text, "." | "..") => format!("may not be '{text}'"),
        None => return Ok(()),
    };
    Err(Error::usage(format!("invalid {what} \"{text}\": {problem}")))
}

/// Appends an encoded query.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let target = format!("{path}?");
    let start = target.len();
    form_urlencoded::Serializer::for_suffix(target, start).extend_pairs(query).finish()
}
