//! HTTP requests to any storage API, and their answers.

use crate::throttle::Throttle;
use crate::types::{Gate, innermost};
use http::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, Method};
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Tries per request.
const TRIES: u32 = 6;

/// The pause before the second try. It doubles from try to try, to about half a minute in all.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A request that is not answered within this time has failed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The body of a streamed answer has to be there by then. Each of its pieces has [`TIMEOUT`].
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The words for an answer that is not read, because it has more bytes than it may have.
pub(crate) const TOO_LONG: &str = "its answer is too long";

/// The words for a server that stops in the middle of an answer.
const SILENT: &str = "the server stopped sending";

/// No try begins later than this after the first one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer bodies are not read. The longest page of a listing has a thousand keys of a kilobyte, each byte escaped.
const MOST_BYTES: usize = 16 << 20;

/// As [`MOST_BYTES`], for errors, whatever the request allows.
const MOST_ERROR_BYTES: usize = 1 << 20;

/// The tries of one request. The pauses between them double, and are random in part so that many clients do not try
/// again at the same moment.
pub(crate) struct Tries {
    begun: Instant,
    made: u32,
    random: RandomState,
}

impl Tries {
    /// Begins with the first try.
    pub fn new() -> Self {
        Self { begun: Instant::now(), made: 1, random: RandomState::new() }
    }

    /// Waits for the next try. False if there is none.
    pub async fn again(&mut self) -> bool {
        let part = 0.5 + (self.random.hash_one(self.made) % 1000) as f64 / 1000.0;
        let pause = FIRST_PAUSE.mul_f64(part) * 2_u32.pow(self.made - 1);
        if self.made >= TRIES || self.begun.elapsed() + pause > PATIENCE {
            return false;
        }
        self.made += 1;
        tokio::time::sleep(pause).await;
        true
    }
}

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: Method,
    /// The URL without its query.
    pub url: String,
    pub query: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// No longer answer is read.
    most: usize,
}

impl Request {
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let (query, headers, body) = (Vec::new(), Vec::new(), Vec::new());
        Self { method, url: url.into(), query, headers, body, most: MOST_BYTES }
    }

    /// Has no answer read that is longer than so many bytes.
    pub fn answered_in(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    pub fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The whole URL, encoded as signatures require.
    pub fn full_url(&self) -> String {
        let mut url = self.url.clone();
        for (at, (name, value)) in self.query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encoded(value, false));
        }
        url
    }
}

/// Percent-encodes all characters but the unreserved ones; slashes too, unless the text is a path.
pub(crate) fn encoded(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            b'/' if is_path => encoded.push('/'),
            _ => {
                use std::fmt::Write;
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Parses a URL.
///
/// # Errors
/// It is no URL, or the parser changes its path, so that the request would go to another object.
pub(crate) fn address(text: &str) -> Result<reqwest::Url, String> {
    let url: reqwest::Url = text.parse().map_err(|_| "the address is no URL".to_owned())?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    let path = path.split('?').next().unwrap_or_default();
    match url.path() == path || path.is_empty() && url.path() == "/" {
        true => Ok(url),
        false => Err("the address would lead to another object".to_owned()),
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body is too long, and was not read.
    pub is_too_long: bool,
    /// An earlier try failed, perhaps after the server had carried it out.
    pub is_retry: bool,
}

impl Response {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An answer whose body is still to be read. It counts as a request in flight while it lasts.
pub(crate) struct Streamed {
    pub status: u16,
    pub headers: HeaderMap,
    response: reqwest::Response,
    _turn: OwnedSemaphorePermit,
}

impl Streamed {
    /// The next piece of the body; none at its end. The error is a lost connection.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let chunk =
            tokio::time::timeout(TIMEOUT, self.response.chunk()).await.map_err(|_| SILENT.to_owned())?;
        let chunk = chunk.map_err(|error| innermost(&error.without_url()))?;
        Ok(chunk.map(|chunk| chunk.to_vec()))
    }

    /// Reads the body of an error.
    pub async fn into_error(mut self) -> Result<Response, String> {
        let (mut body, mut is_too_long) = (Vec::new(), false);
        while let Some(chunk) = self.chunk().await? {
            is_too_long = body.len() + chunk.len() > MOST_ERROR_BYTES;
            if is_too_long {
                body.clear();
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: self.status, headers: self.headers, body, is_too_long, is_retry: false })
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The innermost cause, without the URL.
    pub why: String,
    /// The server's certificate is not trusted, so nothing was sent, and another try would not help.
    pub is_distrust: bool,
}

impl Lost {
    /// For other reasons than the connection's.
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_distrust: false }
    }
}

impl From<reqwest::Error> for Lost {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut next: Option<&(dyn Error + 'static)> = Some(&error);
        let mut is_distrust = false;
        while let Some(error) = next {
            is_distrust |= matches!(tls(error), Some(rustls::Error::InvalidCertificate(_)));
            next = error.source();
        }
        Self { why: innermost(&error), is_distrust }
    }
}

/// The failure of TLS within an error. The client wraps it into I/O errors, which don't give it as their source.
fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls(error.downcast_ref::<std::io::Error>()?.get_ref()?))
}

/// A certificate authority, with the clients that believe a server only if it vouches for it.
#[derive(Clone)]
pub(crate) struct Authority(Clients);

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// # Errors
    /// The text has no certificate in PEM, or one that can't be read. Nothing of it is in the message.
    pub fn of_pem(text: &str) -> Result<Self, String> {
        let none = || "it has no certificate in PEM".to_owned();
        let certificates = Certificate::from_pem_bundle(text.as_bytes()).map_err(|_| none())?;
        if certificates.is_empty() {
            return Err(none());
        }
        let clients = Clients::new(|builder| builder.tls_certs_only(certificates.clone()));
        clients.map(Self).map_err(|_| "a certificate in it can't be read".to_owned())
    }
}

/// The clients that send requests.
#[derive(Debug, Clone)]
struct Clients {
    client: Client,
    /// The client for addresses of this machine. It uses no proxy, because there such an address would be that of the
    /// proxy itself.
    direct: Client,
}

impl Clients {
    fn new(with: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Self, reqwest::Error> {
        let builder = || {
            with(
                Client::builder()
                    .user_agent(concat!("kubectl-argo-gc/", env!("CARGO_PKG_VERSION")))
                    .connect_timeout(Duration::from_secs(10))
                    .timeout(TIMEOUT)
                    .pool_max_idle_per_host(256)
                    // A redirect would send the token to another host.
                    .redirect(reqwest::redirect::Policy::none()),
            )
        };
        Ok(Self { client: builder().build()?, direct: builder().no_proxy().build()? })
    }

    fn of(&self, url: &reqwest::Url) -> &Client {
        if is_here(url) { &self.direct } else { &self.client }
    }
}

/// The HTTP client for all storage, with the limit on requests in flight.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    clients: Clients,
    throttle: Throttle,
}

impl HttpClient {
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(throttle: Throttle) -> Result<Self, reqwest::Error> {
        Ok(Self { clients: Clients::new(|builder| builder)?, throttle })
    }

    /// The same, for a server that an authority vouches for. The limit on requests in flight is shared.
    pub fn trusting(&self, authority: &Authority) -> Self {
        Self { clients: authority.0.clone(), throttle: self.throttle.clone() }
    }

    /// Waits for its turn, sends a signed request and reads the whole answer; none if the gate is closed when its turn has
    /// come, and nothing was sent. `request` is the unsigned one, which may be logged.
    pub async fn send_if(
        &self,
        request: &Request,
        signed: reqwest::Request,
        gate: Gate<'_>,
    ) -> Option<Result<Response, Lost>> {
        let Some(_turn) = self.throttle.turn().await else { return Some(Err(Lost::because("interrupted"))) };
        if !gate() {
            return None;
        }
        Some(self.send_now(request, signed).await)
    }

    /// Waits for its turn, sends a signed request and reads the head of the answer; its body is read piece by piece, and may
    /// take as long as it takes. The error is the innermost cause, without the URL.
    pub async fn stream(&self, request: &Request, mut signed: reqwest::Request) -> Result<Streamed, String> {
        let Some(turn) = self.throttle.turn().await else { return Err("interrupted".to_owned()) };
        *signed.timeout_mut() = Some(LONGEST);
        let client = self.clients.of(signed.url());
        let sent =
            tokio::time::timeout(TIMEOUT, client.execute(signed)).await.map_err(|_| SILENT.to_owned())?;
        let response = sent.map_err(|error| innermost(&error.without_url()))?;
        let status = response.status().as_u16();
        tracing::debug!(method = %request.method, url = request.url, query = ?request.query, status, "storage");
        match status {
            429 | 503 => self.throttle.slow_down(),
            _ => self.throttle.went_well(),
        }
        Ok(Streamed { status, headers: response.headers().clone(), response, _turn: turn })
    }

    /// Sends fewer requests at a time, because the storage asks for that.
    pub fn slow_down(&self) {
        self.throttle.slow_down();
    }

    async fn send_now(&self, request: &Request, mut signed: reqwest::Request) -> Result<Response, Lost> {
        if request.body.is_empty() && matches!(request.method, Method::POST | Method::PUT) {
            signed.headers_mut().insert(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("0"));
        }
        let answer = async {
            let client = self.clients.of(signed.url());
            let mut response = client.execute(signed).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            tracing::debug!(method = %request.method, url = request.url, query = ?request.query, status, "storage");
            let most = if response.status().is_success() { request.most } else { MOST_ERROR_BYTES };
            let (mut body, mut is_too_long) = (Vec::new(), false);
            while let Some(chunk) = response.chunk().await? {
                is_too_long = body.len() + chunk.len() > most;
                if is_too_long {
                    body.clear();
                    break;
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response { status, headers, body, is_too_long, is_retry: false })
        };
        let answer = answer.await;
        match &answer {
            Ok(answer) if matches!(answer.status, 429 | 503) => self.throttle.slow_down(),
            Ok(_) => self.throttle.went_well(),
            Err(_) => {}
        }
        answer
    }
}

/// True if an address is one of this machine.
pub fn is_here(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Method;

    #[tokio::test]
    async fn a_storage_that_does_not_answer_is_not_asked_for_long() {
        let begun = Instant::now();
        let of = |begun| Tries { begun, made: 1, random: RandomState::new() };
        assert!(of(begun).again().await);
        // Two tries of half a minute, and no third.
        let earlier = begun.checked_sub(2 * TIMEOUT).unwrap_or(begun);
        assert!(!of(earlier).again().await);
        assert!(!Tries { made: TRIES, ..of(begun) }.again().await);
    }

    #[test]
    fn an_address_that_leads_elsewhere_is_refused() {
        for text in ["http://h/b/a", "http://h/b//a/", "http://h", "http://h?q=/../x", "http://h/b/%2Fa%2E.x"]
        {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in
            ["http://h/b/a/../c", "http://h/b/./c", "http://h/b/..", "http://h/%2e%2E/c", "http://h/b\\c"]
        {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_are_one_segment_or_a_path() {
        assert_eq!(encoded("a/b c%2F?#é", false), "a%2Fb%20c%252F%3F%23%C3%A9");
        assert_eq!(encoded("a/b +", true), "a/b%20%2B");
        let call = Request::new(Method::GET, "http://h/b").query("prefix", "a b/").query("n", "1");
        assert_eq!(call.full_url(), "http://h/b?prefix=a%20b%2F&n=1");
    }
}
