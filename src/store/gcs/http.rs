//! One HTTP call to the JSON API, and how its answers are read.

use super::StoreError;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Tries in all at one call.
const TRIES: u32 = 6;
/// The wait before the second try; it doubles, to a sum of about half a minute.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A call without an answer for as long has failed.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("kubectl-argo-gc/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(256)
        // A redirect would carry the token elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// The pause after each try, none after the last: doubling, with jitter so that many don't come back at once.
pub(super) fn pauses() -> impl Iterator<Item = Option<Duration>> {
    let random = RandomState::new();
    (0..TRIES).map(move |attempt| {
        let part = 0.5 + (random.hash_one(attempt) % 1000) as f64 / 1000.0;
        (attempt + 1 < TRIES).then(|| FIRST_PAUSE.mul_f64(part) * 2_u32.pow(attempt))
    })
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    url: String,
    query: Vec<(&'static str, String)>,
}

impl Call {
    pub fn new(method: Method, url: &str) -> Self {
        Self { method, url: url.to_owned(), query: Vec::new() }
    }

    pub fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    /// Sends it and reads the answer whole; the error is the innermost cause, without the URL.
    pub async fn send(self, client: &Client, token: Option<&str>) -> Result<Answer, String> {
        let mut request = client.request(self.method.clone(), &self.url).query(&self.query);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if self.method == Method::POST {
            request = request.header("content-length", "0");
        }
        let (method, url, query) = (self.method, self.url, self.query);
        let answer = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            tracing::debug!(%method, url, ?query, status, "storage");
            Ok(Answer { status, body: response.bytes().await?.to_vec() })
        };
        answer.await.map_err(|error: reqwest::Error| innermost(&error.without_url()))
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// An answer, good or bad.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    body: Vec<u8>,
}

/// The error body of the JSON API.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: ErrorInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorInfo {
    message: String,
    errors: Vec<ErrorItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorItem {
    reason: String,
}

impl Answer {
    /// Another try may go better.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
    }

    fn error(&self) -> ErrorInfo {
        serde_json::from_slice::<ErrorBody>(&self.body).unwrap_or_default().error
    }

    /// What the storage said, in one line.
    pub fn message(&self) -> String {
        match self.error().message.lines().next() {
            Some(line) if !line.is_empty() => line.to_owned(),
            _ => format!("HTTP {}", self.status),
        }
    }

    pub fn says(&self, words: &str) -> bool {
        self.error().message.to_lowercase().contains(words)
    }

    /// A 403 that comes of a hold or of retention rather than of missing rights.
    pub fn is_hold(&self) -> bool {
        let error = self.error();
        let reasons =
            ["retentionPolicyNotMet", "objectUnderActiveHold", "objectHold", "underObjectRetention"];
        error.errors.iter().any(|item| reasons.contains(&item.reason.as_str()))
            || ["active temporary hold", "active event-based hold", "retention"]
                .iter()
                .any(|words| error.message.to_lowercase().contains(words))
    }

    /// The body of a good answer.
    pub fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, StoreError> {
        let what = what.to_owned();
        match self.status {
            200..=299 => serde_json::from_slice(&self.body)
                .map_err(|error| StoreError::Failed { what, message: format!("unreadable answer: {error}") }),
            401 | 403 => Err(StoreError::Denied { what, message: self.message() }),
            _ => Err(StoreError::Failed { what, message: self.message() }),
        }
    }
}
