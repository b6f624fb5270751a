//! Metrics of a run that is over before Prometheus could ask for them: they are handed to a Pushgateway, which keeps them.

use argo_gc_store::http::is_here;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, RequestBuilder, Url, redirect};
use std::error::Error as StdError;
use std::time::Duration;

/// The text format that every Pushgateway reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tries at the most.
const TRIES: u32 = 3;

/// The pause before the second try; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A try that is not answered within this time has failed. All tries and pauses together take less than a minute.
const TIMEOUT: Duration = Duration::from_secs(10);

/// So much of a refusal is shown.
const MOST_WORDS: usize = 300;

/// The address of a Pushgateway, without a path of its own.
#[derive(Debug, Clone)]
pub struct Gateway(Url);

impl Gateway {
    /// Reads an address such as `http://pushgateway:9091`, below a path if a proxy serves it there.
    ///
    /// # Errors
    /// It is no such address, or holds more than that. A password is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url: Url = text.parse().map_err(|_| "it is no URL such as http://pushgateway:9091".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("it is no URL such as http://pushgateway:9091".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials are taken from the environment, never from the address".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("only a host, a port and a path belong there".to_owned());
        }
        if url.path().contains("/metrics") {
            return Err("leave out the path from /metrics on: it is made of the grouping key".to_owned());
        }
        Ok(Self(url))
    }

    /// The scheme, the host and the port.
    pub fn place(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The whole address.
    pub fn address(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address of a group: what is put there replaces what this group had, and nothing else.
    fn group(&self, key: &[(String, String)]) -> String {
        let mut address = self.address().to_owned() + "/metrics";
        for (label, value) in key {
            address += &segment(label, value);
        }
        address
    }
}

/// A label of a grouping key as two parts of a path. A value that could mean something else there is encoded.
fn segment(label: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match value {
        "" => format!("/{label}@base64/="),
        _ if value.chars().all(plain) && !value.chars().all(|c| c == '.') => format!("/{label}/{value}"),
        _ => format!("/{label}@base64/{}", URL_SAFE_NO_PAD.encode(value)),
    }
}

/// Who pushes.
#[derive(Clone)]
pub enum Credentials {
    Nobody,
    Token(String),
    User(String, String),
}

impl Credentials {
    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nobody => request,
            Self::Token(token) => request.bearer_auth(token),
            Self::User(name, password) => request.basic_auth(name, Some(password)),
        }
    }
}

/// Why metrics did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the gateway answered, if it did.
    pub status: Option<u16>,
    pub why: String,
}

impl Failure {
    /// Whether the same request may go through later.
    fn may_pass(&self) -> bool {
        self.status.is_none_or(|status| matches!(status, 408 | 429 | 500..))
    }
}

/// Replaces the metrics of a group.
///
/// # Errors
/// The gateway refused them, or did not take them within several tries.
pub async fn push(
    gateway: &Gateway,
    key: &[(String, String)],
    credentials: &Credentials,
    metrics: &str,
) -> Result<(), Failure> {
    let unsent = |why: String| Failure { status: None, why };
    let builder = Client::builder()
        .user_agent(concat!("kubectl-argo-gc/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .timeout(TIMEOUT)
        // A redirect would send the credentials to another host.
        .redirect(redirect::Policy::none());
    // A proxy would take an address of this machine for one of its own.
    let builder = if is_here(&gateway.0) { builder.no_proxy() } else { builder };
    let client = builder.build().map_err(|error| unsent(innermost(&error)))?;
    let address = gateway.group(key);
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        let request = client.put(&address).header("content-type", FORMAT).body(metrics.to_owned());
        let Err(failure) = send(credentials.sign(request)).await else { return Ok(()) };
        tracing::debug!(tries, status = ?failure.status, why = failure.why, "push");
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

/// The last error of a chain says what happened; the outer ones only where in the client.
fn innermost(error: &dyn StdError) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn address(gateway: &str, key: &[(&str, &str)]) -> String {
        let key: Vec<_> = key.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect();
        Gateway::parse(gateway).unwrap().group(&key)
    }

    /// The encoding is the one of Pushgateway's README, section "URL".
    #[test]
    fn a_group_is_a_path_in_which_no_value_means_something_else() {
        assert_eq!(
            address("http://push:9091", &[("job", "argo-gc"), ("mode", "purge")]),
            "http://push:9091/metrics/job/argo-gc/mode/purge"
        );
        assert_eq!(address("https://h/gate/", &[("job", "a")]), "https://h/gate/metrics/job/a");
        let key =
            [("path", "/var/tmp"), ("none", ""), ("up", ".."), ("text", "a b?#%"), ("name", "Prometheus")];
        assert_eq!(
            address("http://h", &key),
            "http://h/metrics/path@base64/L3Zhci90bXA/none@base64/=/up@base64/Li4\
             /text@base64/YSBiPyMl/name/Prometheus"
        );
    }

    #[test]
    fn an_address_has_no_secret_and_no_group() {
        for wrong in [
            "",
            "pushgateway:9091",
            "ftp://h",
            "http://user:pass@h",
            "http://user@h",
            "http://h/?a=b",
            "http://h/#a",
            "http://h/metrics/job/x",
        ] {
            let why = Gateway::parse(wrong).unwrap_err();
            assert!(!why.contains("pass"), "{why}");
        }
        assert_eq!(Gateway::parse("http://h:9091/gate").unwrap().place(), "http://h:9091");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of = |status| Failure { status, why: String::new() }.may_pass();
        assert!([None, Some(408), Some(429), Some(500), Some(503)].into_iter().all(of));
        assert!([400, 401, 403, 404, 301].into_iter().all(|status| !of(Some(status))));
    }
}
