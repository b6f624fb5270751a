//! The watch of one kind.

use crate::cluster::api_client::{Request, with_query};
use crate::cluster::client::Cluster;
use crate::cluster::referrers::{ARGO, Named, Referrer, WORKFLOWS};
use crate::error::{Error, ErrorKind};
use argo_gc_core::argo::meta::Meta;
use futures::future::BoxFuture;
use http::StatusCode;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The server ends a stream after this time, and the next one begins where it ended. A stream that goes on for longer is
/// a connection that nobody is at the other end of.
const STREAM: Duration = Duration::from_secs(10);

/// How long the head of an answer may take, and how long after its time a stream may end.
const DELAY: Duration = Duration::from_secs(3);

/// After the last sign from the server a kind counts as known for so long.
const VALID: Duration = Duration::from_secs(15);

/// From the end of a reading to the next one, where there is no stream.
const PAUSE: Duration = Duration::from_secs(10);

/// The wait after a failure. It doubles with each failure that follows.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// After so many failures in a row a kind is read, and the stream is tried again later.
const FAILURES: u32 = 3;

/// The longest line of a stream, in bytes: one object. The server stores none that is nearly as large.
const MAX_LINE: usize = 64 << 20;

/// The most pages of one reading.
const MAX_PAGES: usize = 100_000;

/// An object that appeared, changed or was deleted.
pub struct Change {
    pub(crate) kind: &'static Referrer,
    pub(crate) deleted: bool,
    pub(crate) meta: Meta,
    /// Its JSON; of a deleted object the last one.
    pub(crate) text: String,
}

/// Hears of each change. No more is read of the kind until it is done.
pub(crate) type Sink = Arc<dyn Fn(Change) -> BoxFuture<'static, ()> + Send + Sync>;

/// The watch of one kind.
pub(super) struct Feed {
    pub cluster: Cluster,
    pub kind: &'static Referrer,
    pub path: String,
    /// Whether the path is that of one object: the only namespace that the user can see.
    pub single: bool,
    /// The version of the server's state before anything was read; empty if it didn't know the kind, so that there is
    /// nothing to leave out.
    pub baseline: String,
    pub sink: Sink,
    /// Why it is read again and again instead of watched.
    pub unwatched: Mutex<Option<String>>,
    pub hearing: Hearing,
}

/// What a feed has received.
#[derive(Default)]
pub(super) struct Hearing {
    validity: Mutex<Validity>,
    /// Whether everything since `baseline` is to be told again.
    anew: AtomicBool,
    nudge: Notify,
    /// The last failure.
    trouble: Mutex<String>,
}

/// Whether what was received of a kind counts.
#[derive(Default)]
struct Validity {
    /// Until when it counts; none if it is out of date.
    until: Option<Instant>,
    /// How often it was made out of date. What began to be read before the last time doesn't count.
    renewals: u64,
}

/// How a stream ended.
enum End {
    /// As it should.
    Ended,
    /// The server has forgotten what came after the version.
    Expired,
    /// The server doesn't know the kind.
    Unknown,
    Refused(String),
    Broken(String),
}

/// A list, or one object: both have metadata.
#[derive(Deserialize)]
struct List<'a> {
    metadata: ListMeta,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    token: String,
}

/// One line of a stream.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

impl Feed {
    pub async fn run(self: Arc<Self>) {
        let mut version = self.baseline.clone();
        let (mut refused, mut expired, mut failures) = (self.single, false, 0_u32);
        loop {
            let anew = self.hearing.anew.swap(false, Ordering::AcqRel);
            let reads = refused || failures >= FAILURES;
            if reads || expired || anew {
                let renewals = lock(&self.hearing.validity).renewals;
                let since = if anew { &self.baseline } else { &version };
                match self.read(since).await {
                    Ok(newest) => version = newest,
                    Err(error) => {
                        self.hearing.anew.fetch_or(anew, Ordering::AcqRel);
                        error.brief().clone_into(&mut lock(&self.hearing.trouble));
                        sleep(FIRST_WAIT * 4).await;
                        continue;
                    }
                }
                expired = false;
                self.heard_since(renewals);
                if reads {
                    let _ = timeout(PAUSE, self.hearing.nudge.notified()).await;
                }
                if refused {
                    continue;
                }
            }
            let end = tokio::select! {
                end = self.follow(&mut version) => end,
                () = self.hearing.nudge.notified() => continue,
            };
            match end {
                End::Ended => {
                    failures = 0;
                    *lock(&self.unwatched) = None;
                }
                End::Expired => expired = true,
                End::Unknown => {
                    self.heard();
                    let _ = timeout(PAUSE, self.hearing.nudge.notified()).await;
                }
                End::Refused(why) => {
                    refused = true;
                    *lock(&self.unwatched) = Some(why);
                }
                End::Broken(why) => {
                    tracing::debug!(path = self.path, why, "the watch broke");
                    failures += 1;
                    if failures >= FAILURES {
                        *lock(&self.unwatched) = Some(why.clone());
                    }
                    *lock(&self.hearing.trouble) = why;
                    sleep(FIRST_WAIT * failures.min(FAILURES)).await;
                }
            }
        }
    }

    pub fn is_current(&self, now: Instant) -> bool {
        lock(&self.hearing.validity).until.is_some_and(|until| now < until)
    }

    /// The server gave a sign: whatever there was to tell until now was told, or is about to be.
    fn heard(&self) {
        lock(&self.hearing.validity).until = Some(Instant::now() + VALID);
    }

    /// The kind was read whole. It counts unless it was made out of date since the reading began.
    fn heard_since(&self, renewals: u64) {
        let mut validity = lock(&self.hearing.validity);
        if validity.renewals == renewals {
            validity.until = Some(Instant::now() + VALID);
        }
    }

    /// Makes what was received out of date.
    pub fn expire(&self) {
        let mut validity = lock(&self.hearing.validity);
        validity.until = None;
        validity.renewals += 1;
        drop(validity);
        self.hearing.nudge.notify_one();
    }

    /// Has everything since the baseline told again.
    pub fn begin_anew(&self) {
        self.hearing.anew.store(true, Ordering::Release);
        self.expire();
    }

    /// The last failure, in words; empty if there was none.
    pub fn trouble(&self) -> String {
        lock(&self.hearing.trouble).clone()
    }

    fn query<'a>(&'a self, selector: &'a str) -> Vec<(&'static str, &'a str)> {
        if selector.is_empty() { Vec::new() } else { vec![("labelSelector", selector)] }
    }

    fn selector(&self) -> String {
        self.kind.label.map(|(name, value)| format!("{name}={value}")).unwrap_or_default()
    }

    /// Follows one stream from a version on, which it moves along.
    async fn follow(&self, version: &mut String) -> End {
        let began = Instant::now();
        let (selector, seconds, from) = (self.selector(), STREAM.as_secs().to_string(), version.clone());
        let mut query = vec![("watch", "1"), ("allowWatchBookmarks", "true")];
        query.push(("timeoutSeconds", &seconds));
        if !from.is_empty() {
            query.push(("resourceVersion", &from));
        }
        query.extend(self.query(&selector));
        let path = with_query(&self.path, &query);
        let response = match timeout(DELAY, self.cluster.api.begin(Request::get(&path))).await {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => return End::Broken(failure.error.brief().to_owned()),
            Err(_) => return End::Broken("the server does not answer".to_owned()),
        };
        let status = response.status();
        let mut body = std::pin::pin!(response.into_body());
        let (mut bytes, mut searched) = (Vec::new(), 0);
        if status.is_success() {
            self.heard();
        }
        let mut quiet = true;
        loop {
            let frame = match timeout_at(began + STREAM + DELAY, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) if status == 404 && self.kind.group == ARGO => return End::Unknown,
                Ok(None) if !status.is_success() => return refusal(status, &bytes),
                Ok(None) if quiet && began.elapsed() < STREAM / 4 => {
                    return End::Broken("the stream ends at once".to_owned());
                }
                Ok(None) => return End::Ended,
                Ok(Some(Err(_))) => return End::Broken("the connection broke".to_owned()),
                Err(_) => return End::Broken("no more data arrives".to_owned()),
            };
            let Ok(data) = frame.into_data() else { continue };
            bytes.extend_from_slice(&data);
            if bytes.len() > MAX_LINE {
                return End::Broken(format!("an object has more than {} MiB", MAX_LINE >> 20));
            }
            if !status.is_success() {
                continue;
            }
            while let Some(end) = bytes[searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = bytes.drain(..=searched + end).collect();
                searched = 0;
                if let Err(end) = self.line(&line, version).await {
                    return end;
                }
                quiet = false;
            }
            searched = bytes.len();
            self.heard();
        }
    }

    /// Takes one line of a stream.
    async fn line(&self, line: &[u8], version: &mut String) -> Result<(), End> {
        #[derive(Deserialize)]
        struct Status {
            #[serde(default)]
            code: u16,
        }
        let odd = |error: serde_json::Error| End::Broken(format!("the server sent no event: {error}"));
        let Line { kind, object } = serde_json::from_slice(line).map_err(odd)?;
        if kind == "ERROR" {
            let Status { code } = serde_json::from_str(object.get()).map_err(odd)?;
            return Err(match StatusCode::from_u16(code) {
                Ok(status) => refusal(status, object.get().as_bytes()),
                Err(_) => End::Broken("the server reported an error".to_owned()),
            });
        }
        let Named { metadata: meta } = serde_json::from_str(object.get()).map_err(odd)?;
        let reached = meta.resource_version.clone();
        if kind != "BOOKMARK" {
            let text = object.get().to_owned();
            (self.sink)(Change { kind: self.kind, deleted: kind == "DELETED", meta, text }).await;
        }
        // Only now: a stream may be given up at any wait, and what was not told has to come again.
        if !reached.is_empty() {
            *version = reached;
        }
        Ok(())
    }

    /// Reads the kind whole, tells what changed since a version, and gives the version of what was read.
    async fn read(&self, since: &str) -> Result<String, Error> {
        let (selector, size) =
            (self.selector(), if self.kind.kind == WORKFLOWS.kind { "100" } else { "500" });
        let mut newest = String::new();
        let mut token = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", size)];
            query.extend(self.query(&selector));
            if !token.is_empty() {
                query.push(("continue", &token));
            }
            let body = match self.cluster.get(&with_query(&self.path, &query)).await {
                Err(error) if is_unknown(&error, self.kind) => return Ok(since.to_owned()),
                Err(error) if error.kind == ErrorKind::Expired && !token.is_empty() => {
                    (newest, token) = (String::new(), String::new());
                    continue;
                }
                other => other?,
            };
            if self.single {
                let text = std::str::from_utf8(&body).map_err(Error::new)?;
                return self.item(text, since).await;
            }
            let list: List<'_> = serde_json::from_slice(&body).map_err(|error| broken(self.kind, error))?;
            for item in &list.items {
                self.item(item.get(), since).await?;
            }
            if newest.is_empty() {
                newest = list.metadata.resource_version;
            }
            token = list.metadata.token;
            if token.is_empty() {
                return Ok(newest);
            }
        }
        Err(Error::new(format!("the list of {} has no end", self.kind.resource)))
    }

    /// Tells of an object if it changed since a version; gives its own.
    async fn item(&self, text: &str, since: &str) -> Result<String, Error> {
        let Named { metadata: meta } =
            serde_json::from_str(text).map_err(|error| broken(self.kind, error))?;
        let version = meta.resource_version.clone();
        if is_newer(&version, since) {
            (self.sink)(Change { kind: self.kind, deleted: false, meta, text: text.to_owned() }).await;
        }
        Ok(version)
    }
}

/// What it means that a stream was answered so.
fn refusal(status: StatusCode, body: &[u8]) -> End {
    let error = Error::from_status(status.as_u16(), body);
    match status.as_u16() {
        410 => End::Expired,
        403 => End::Refused("forbidden".to_owned()),
        401 | 408 | 429 | 500.. => End::Broken(error.brief().to_owned()),
        _ => End::Refused(error.brief().to_owned()),
    }
}

/// Whether a kind is one that the server doesn't know: then it has no objects.
pub(super) fn is_unknown(error: &Error, kind: &Referrer) -> bool {
    error.is_not_found() && kind.group == ARGO
}

pub(super) fn broken(kind: &Referrer, error: serde_json::Error) -> Error {
    Error::new(format!("the server's list of {}: {error}", kind.resource)).caused_by(error)
}

/// Whether a version is newer than another. Kubernetes promises no order, but has one; doubt counts as newer.
pub(crate) fn is_newer(version: &str, other: &str) -> bool {
    match (version.parse::<u64>(), other.parse::<u64>()) {
        (Ok(version), Ok(other)) => version > other,
        _ => true,
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_no_number_counts_as_newer() {
        assert!(is_newer("10", "9") && !is_newer("9", "9") && !is_newer("9", "10"));
        assert!(is_newer("x", "9") && is_newer("9", ""));
    }
}
