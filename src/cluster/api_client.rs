//! HTTP requests to an API server with short retries, shared by the Kubernetes API and the Argo server.

use crate::cluster::buffer::{Buffer, Pool};
use crate::error::{Error, ErrorKind};
use http::{StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::Client;
use kube::client::{Body as KubeBody, ClientBuilder};
use kube::config::Config;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const JSON: &str = "application/json";

/// How often a request is sent, at the most.
const TRIES: u32 = 4;

/// The wait before the second try; it doubles with each one after.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest wait that a server can ask for.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The largest body that is read, unpacked. A page of a hundred workflows, each as large as etcd takes, is smaller.
const MAX_BODY: usize = 256 << 20;

/// How long a server may be silent, if the user sets no limit. A Kubernetes API server ends a request itself after 60
/// seconds, and its own words come first.
const MAX_SILENCE: Duration = Duration::from_secs(90);

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// As long as something comes now and then: the longest time without a byte.
    Silence(Duration),
    /// The longest time for a whole answer, as kubectl's `--request-timeout` means it.
    Whole(Duration),
    Endless,
}

impl Default for Patience {
    fn default() -> Self {
        Self::Silence(MAX_SILENCE)
    }
}

impl From<Option<Duration>> for Patience {
    /// The value of `--request-timeout`: zero is no limit, as with kubectl.
    fn from(request_timeout: Option<Duration>) -> Self {
        match request_timeout {
            None => Self::default(),
            Some(Duration::ZERO) => Self::Endless,
            Some(limit) => Self::Whole(limit),
        }
    }
}

impl Patience {
    /// The longest wait for the next sign of life.
    fn silence(self) -> Duration {
        match self {
            Self::Silence(limit) => limit,
            Self::Whole(_) | Self::Endless => Duration::MAX,
        }
    }

    /// The longest wait for a whole answer.
    fn whole(self) -> Duration {
        match self {
            Self::Whole(limit) => limit,
            Self::Silence(_) | Self::Endless => Duration::MAX,
        }
    }
}

/// A request that may be sent more than once.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    method: &'static str,
    path: &'a str,
    accept: &'static str,
    content_type: &'static str,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, accept: JSON, content_type: JSON, body: &[] }
    }

    pub(crate) fn post(path: &'a str, json: &'a [u8]) -> Self {
        Self { method: "POST", body: json, ..Self::get(path) }
    }

    pub(crate) fn json_patch(path: &'a str, operations: &'a [u8]) -> Self {
        let content_type = "application/json-patch+json";
        Self { method: "PATCH", content_type, body: operations, ..Self::get(path) }
    }

    pub(crate) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }
}

/// A whole answer, of whatever status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// How long the server asked to wait before the next request.
    pub(crate) wait: Option<Duration>,
    pub(crate) body: Buffer,
}

/// Why one request failed, and whether another try may help.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) passing: bool,
}

/// In what the servers differ: which of their failures pass by themselves, and how these are worded.
pub(crate) trait Failures {
    /// The server answered, but not with success.
    fn of_answer(&self, answer: &Answer) -> Failure;

    /// No whole answer arrived.
    fn of_connection(&self, failure: Failure) -> Failure {
        failure
    }
}

/// The connection to one server.
#[derive(Clone)]
pub(crate) struct ApiClient {
    client: Client,
    host: String,
    /// For each request.
    patience: Patience,
    /// The largest body that is read, unpacked, in bytes.
    max_body: usize,
    buffers: Pool,
    /// The server's time at its first answer.
    first_answer: Arc<OnceLock<Timestamp>>,
}

impl ApiClient {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// The configuration can't be used.
    pub(crate) fn new(mut config: Config, patience: Patience) -> Result<Self, Error> {
        // kube's retries are made for controllers and wait for minutes; `exchange` has its own.
        config.default_retry = false;
        // What is before the @ may be a password.
        let host = config.cluster_url.authority().map_or("", |authority| authority.as_str());
        let host = host.rsplit('@').next().unwrap_or_default().to_owned();
        // On the same machine compressing costs more time than it saves.
        config.disable_compression |= is_loopback(config.cluster_url.host().unwrap_or_default());
        let builder = ClientBuilder::try_from(config).map_err(|error| Error::from_kube(&host, error))?;
        let (buffers, first_answer) = (Pool::default(), Arc::default());
        Ok(Self { client: builder.build(), host, patience, max_body: MAX_BODY, buffers, first_answer })
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The server's time at its first answer; none before, or if its answers have no date.
    pub(crate) fn first_answer(&self) -> Option<Timestamp> {
        self.first_answer.get().copied()
    }

    /// Sends a request until it succeeds, fails for good, or the tries are used up; gives the body.
    ///
    /// # Errors
    /// The last failure.
    pub(crate) async fn exchange(
        &self,
        request: Request<'_>,
        failures: &impl Failures,
    ) -> Result<Buffer, Error> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let (Failure { error, passing }, asked) = match self.send(request).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer.body),
                Ok(answer) => (failures.of_answer(&answer), answer.wait),
                Err(failure) => (failures.of_connection(failure), None),
            };
            if !passing || attempt == TRIES {
                return Err(error);
            }
            tracing::debug!(path = request.path, attempt, %error, "trying again");
            tokio::time::sleep(asked.unwrap_or(wait).min(MAX_WAIT)).await;
            wait *= 2;
            attempt += 1;
        }
    }

    /// Sends a request once, and reads the answer whole.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answer, Failure> {
        self.within(self.patience.whole(), self.exchange_once(request)).await?
    }

    /// Waits for something, but not longer than this.
    async fn within<T>(&self, limit: Duration, what: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::time::timeout(limit, what)
            .await
            .map_err(|_| Failure { error: Error::timeout(&self.host), passing: false })
    }

    /// Sends a request once, and gives the answer as soon as its head is there: its body may go on for long, and no limit
    /// applies to it.
    pub(crate) async fn begin(&self, request: Request<'_>) -> Result<http::Response<KubeBody>, Failure> {
        let Request { method, path, accept, content_type, body } = request;
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, content_type)
            .body(KubeBody::from(body.to_vec()))
            .map_err(|error| {
                let error = Error::new(format!("{path}: {error}")).caused_by(error);
                Failure { error, passing: false }
            })?;
        let response = self.within(self.patience.silence(), self.client.send(request)).await?;
        let response = response.map_err(|error| {
            let broken = matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_));
            let error = Error::from_kube(&self.host, error);
            let passing = broken && error.kind != ErrorKind::ConnectionRefused;
            Failure { error, passing }
        })?;
        if let Some(time) = date(response.headers()) {
            let _ = self.first_answer.set(time);
        }
        tracing::debug!(method, path, status = response.status().as_u16(), server = %self.host, "kubernetes");
        Ok(response)
    }

    async fn exchange_once(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let response = self.begin(request).await?;
        let status = response.status();
        let wait = retry_after(response.headers());
        let mut body = self.buffers.take();
        self.collect(response, &mut body.bytes).await?;
        Ok(Answer { status, wait, body })
    }

    /// Reads a body into one buffer. Each frame is dropped as soon as it is copied, because it holds a larger read
    /// buffer.
    async fn collect(&self, response: http::Response<KubeBody>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        /// The most that is reserved because of a `Content-Length` alone.
        const MAX_TRUST: usize = 64 << 20;
        let most = self.max_body;
        let too_large = || Failure { error: Error::too_large(&self.host, most), passing: false };
        let length = response.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        if length > most {
            return Err(too_large());
        }
        bytes.reserve(MAX_TRUST.min(length));
        let mut body = std::pin::pin!(response.into_body());
        while let Some(frame) = self.within(self.patience.silence(), body.frame()).await? {
            let frame = frame
                .map_err(|error| Failure { error: Error::from_kube(&self.host, error), passing: true })?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() + data.len() > most {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}

/// The time of the answer by the server's own clock.
fn date(headers: &http::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// `Retry-After` in seconds.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    const SHORT: Duration = Duration::from_millis(200);

    /// A server that answers one connection, and then waits until the client hangs up.
    fn server(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> http::Uri {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            // These requests have no body and fit into one packet.
            let _ = connection.read(&mut [0; 4096]).unwrap();
            answer(&mut connection);
            let _ = connection.read_to_end(&mut Vec::new());
        });
        format!("http://{address}").parse().unwrap()
    }

    fn client(uri: http::Uri, patience: Patience) -> ApiClient {
        ApiClient::new(Config::new(uri), patience).unwrap()
    }

    #[test]
    fn a_request_timeout_means_what_kubectl_means() {
        assert_eq!(Patience::from(None), Patience::Silence(MAX_SILENCE));
        assert_eq!(Patience::from(Some(Duration::ZERO)), Patience::Endless);
        assert_eq!(Patience::from(Some(SHORT)), Patience::Whole(SHORT));
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_is_not_waited_for() {
        for sent in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
            for patience in [Patience::Silence(SHORT), Patience::Whole(SHORT)] {
                let client = client(server(move |connection| connection.write_all(sent).unwrap()), patience);
                let Err(failure) = client.send(Request::get("/x")).await else { panic!("an answer") };
                assert!(failure.error.message().ends_with("no answer in time"), "{}", failure.error);
                assert!(!failure.passing);
            }
        }
    }

    #[tokio::test]
    async fn a_body_without_end_is_cut_off() {
        let sends = async |head: &'static [u8], length: usize| {
            let uri = server(move |connection| {
                let _ = connection.write_all(head);
                let _ = connection.write_all(&vec![b' '; length]);
            });
            let mut client = client(uri, Patience::Silence(SHORT));
            client.max_body = 1000;
            client.send(Request::get("/x")).await.map(|answer| answer.body.len())
        };
        const OPEN: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let failure = sends(OPEN, 1 << 20).await.unwrap_err();
        assert!(failure.error.kind == ErrorKind::TooLarge && !failure.passing, "{}", failure.error);
        // What is announced need not be waited for.
        let failure = sends(b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", 0).await.unwrap_err();
        assert_eq!(failure.error.kind, ErrorKind::TooLarge, "{}", failure.error);
        assert!(
            sends(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", 1000).await.is_ok_and(|n| n == 1000)
        );
    }
}
