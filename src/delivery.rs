//! Hands a text to a server over HTTP: a few tries within a minute, and words of a refusal that can be shown.

use argo_gc_store::http::is_here;
use argo_gc_store::types::innermost;
use reqwest::{Client, Method, RequestBuilder, Url, redirect};
use std::time::Duration;

/// Tries at the most.
const TRIES: u32 = 3;

/// The pause before the second try; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A try that is not answered within this time has failed. All tries and pauses together take less than a minute.
const TIMEOUT: Duration = Duration::from_secs(10);

/// So much of a refusal is shown.
const MOST_WORDS: usize = 300;

/// What is sent, and where to. The address may be a secret.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub method: Method,
    pub address: Url,
    /// The content type.
    pub kind: &'static str,
    pub body: String,
}

/// Reads the address of a server, such as `example`.
///
/// # Errors
/// It is none, or holds credentials. It is not repeated.
pub fn address(text: &str, example: &str) -> Result<Url, String> {
    let url: Option<Url> = text.parse().ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| format!("it is no URL such as {example}"))?;
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err("credentials are taken from the environment, never from the address".to_owned()),
    }
}

/// Who sends it.
#[derive(Clone)]
pub enum Credentials {
    Nobody,
    Token(String),
    User(String, String),
}

impl Credentials {
    /// The token of a variable.
    ///
    /// # Errors
    /// No header can hold it, and the client would show it in its own words.
    pub fn token(variable: &str, token: String) -> Result<Self, String> {
        match token.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(Self::Token(token)),
            false => Err(format!("{variable} has characters that no token has")),
        }
    }

    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nobody => request,
            Self::Token(token) => request.bearer_auth(token),
            Self::User(name, password) => request.basic_auth(name, Some(password)),
        }
    }
}

/// Why it did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the server answered, if it did.
    pub status: Option<u16>,
    pub why: String,
}

impl Failure {
    /// Whether the same request may go through later.
    fn may_pass(&self) -> bool {
        self.status.is_none_or(|status| matches!(status, 408 | 429 | 500..))
    }
}

/// Sends it.
///
/// # Errors
/// The server refused it, or did not take it within several tries.
pub async fn deliver(delivery: &Delivery, credentials: &Credentials) -> Result<(), Failure> {
    let unsent = |why: String| Failure { status: None, why };
    let builder = Client::builder()
        .user_agent(concat!("kubectl-argo-gc/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .timeout(TIMEOUT)
        // A redirect would send the credentials to another host.
        .redirect(redirect::Policy::none());
    // A proxy would take an address of this machine for one of its own.
    let builder = if is_here(&delivery.address) { builder.no_proxy() } else { builder };
    let client = builder.build().map_err(|error| unsent(innermost(&error)))?;
    let Delivery { method, address, kind, body } = delivery;
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        let request =
            client.request(method.clone(), address.clone()).header("content-type", *kind).body(body.clone());
        let Err(failure) = send(credentials.sign(request)).await else { return Ok(()) };
        tracing::debug!(tries, status = ?failure.status, why = failure.why, "delivery");
        if tries == TRIES || !failure.may_pass() {
            return Err(failure);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        tries += 1;
    }
}

async fn send(request: RequestBuilder) -> Result<(), Failure> {
    let lost = |error: reqwest::Error| Failure { status: None, why: innermost(&error.without_url()) };
    let mut answer = request.send().await.map_err(lost)?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    // The first words say what is wrong; a page of a proxy may be long.
    let mut words = Vec::new();
    while let (true, Ok(Some(chunk))) = (words.len() < MOST_WORDS, answer.chunk().await) {
        words.extend_from_slice(&chunk);
    }
    words.truncate(MOST_WORDS);
    let words = String::from_utf8_lossy(&words);
    let why = match words.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!("HTTP {status}: {line}"),
        None => format!("HTTP {status}"),
    };
    Err(Failure { status: Some(status.as_u16()), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of = |status| Failure { status, why: String::new() }.may_pass();
        assert!([None, Some(408), Some(429), Some(500), Some(503)].into_iter().all(of));
        assert!([400, 401, 403, 404, 301].into_iter().all(|status| !of(Some(status))));
    }
}
