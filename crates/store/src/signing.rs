//! Converts requests to the type that object_store signs, and back.

use crate::http::{Request, address};

/// Converts a request to the type that object_store's authorizers sign.
pub(crate) fn signable(request: &Request) -> Result<object_store::client::HttpRequest, String> {
    let mut signable = http::Request::builder().method(request.method.clone()).uri(request.full_url());
    for (name, value) in &request.headers {
        signable = signable.header(*name, value);
    }
    signable.body(request.body.clone().into()).map_err(|error| error.to_string())
}

/// Converts a signed request to the type that is sent.
pub(crate) fn sendable(signed: object_store::client::HttpRequest) -> Result<reqwest::Request, String> {
    let (parts, body) = signed.into_parts();
    let mut request = reqwest::Request::new(parts.method, address(&parts.uri.to_string())?);
    *request.headers_mut() = parts.headers;
    if let Some(body) = body.as_bytes().filter(|body| !body.is_empty()) {
        *request.body_mut() = Some(body.clone().into());
    }
    Ok(request)
}
