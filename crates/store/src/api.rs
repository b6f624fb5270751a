//! The trait that each storage engine implements, and the connection to one bucket through it.

use crate::http::{HttpClient, Lost, Request, Response, Streamed, TOO_LONG, Tries};
use crate::labels::Marks;
use crate::listing::{ListKind, NO_WAY_ON, Page, Range, Trail};
use crate::outage::Outage;
use crate::types::{BucketFacts, Gate, Pinned, Restored, StoreError};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a provider of credentials may take. Some try for minutes, each time anew.
pub(crate) const SIGNING: Duration = Duration::from_secs(60);

/// What an answer means, in words that all engines share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    NoObject,
    NoBucket,
    /// The pin did not match.
    Changed,
    /// A hold, a lease or a retention policy forbids the request.
    Held,
    Denied,
    /// The server asks for fewer requests; nothing was done.
    Busy,
    /// The server failed, perhaps after it had carried the request out.
    Failing,
    Refused,
}

/// What became of one object of a request that deletes many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyAnswer {
    pub meaning: Answer,
    pub message: String,
}

/// Deletes many objects by one request.
///
/// An engine has it only where the server heeds the pin of each object in such a request.
pub(crate) trait Bulk: Send + Sync {
    /// True if a request for many can name the object and its pin.
    fn fits(&self, object: &Pinned<'_>) -> bool;

    /// Asks for the delete of the objects, each if it still has its pin.
    fn request(&self, objects: &[Pinned<'_>]) -> Request;

    /// Reads the answer of each key. A key that the answer leaves out may be deleted, or not.
    fn read(&self, answer: &Response) -> Result<HashMap<String, KeyAnswer>, String>;
}

/// The API of a storage engine, for one bucket.
///
/// An implementation makes requests and reads answers. Tries, pins and paging are written once, in [`Connection`] and
/// in `bucket_client`. Nothing outside `cloud` knows which engine it talks to.
pub(crate) trait Api: fmt::Debug + Send + Sync {
    /// Names the account that sends the requests, so that people recognise it.
    fn identity(&self) -> BoxFuture<'_, String>;

    /// Adds the credentials to a request.
    fn sign<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<reqwest::Request, String>>;

    /// Asks for the facts of one object.
    fn head(&self, key: &str) -> Request;

    /// Asks for the bytes of one object.
    fn get(&self, key: &str) -> Request;

    /// Reads the answer to [`Self::head`].
    fn read_head(&self, key: &str, answer: &Response) -> Result<ObjectFacts, String>;

    /// Asks for one page of a listing; `token` is that of the page before.
    fn list(&self, range: &Range, token: Option<&str>) -> Request;

    /// Reads the answer to [`Self::list`].
    fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String>;

    /// Deletes an object if it still has the pin. None if the pin is not one: without a pin nothing is deleted.
    fn delete(&self, key: &str, pin: &str) -> Option<Request>;

    /// What an answer means whose status has no meaning that all engines share (see [`Connection::meaning`]).
    fn meaning(&self, answer: &Response) -> Answer;

    /// The server's explanation of an answer; empty if it gave none.
    fn message(&self, answer: &Response) -> String;

    /// Reads the bucket's settings.
    ///
    /// # Errors
    /// The bucket does not exist, or storage can't be asked. Settings that can't be read are no error, but are
    /// reported in [`BucketFacts::unread`].
    fn bucket<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<BucketFacts, StoreError>>;

    /// Restores the deleted object that had the pin, if no newer object has taken its key.
    fn restore<'a>(
        &'a self,
        connection: &'a Connection,
        key: &'a str,
        pin: &'a str,
    ) -> BoxFuture<'a, Restored>;

    /// The permissions that a purge needs and this identity lacks, by a request of the API for that. Empty where it has
    /// none: the first refused request shows them then. `marks` says that objects are marked, too.
    fn missing_permissions<'a>(
        &'a self,
        _connection: &'a Connection,
        _marks: bool,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Verifies that `answer`, which said that the object does not exist, proves that. Engines whose answer is proof
    /// enough need no more requests.
    ///
    /// # Errors
    /// The object may exist.
    fn ensure_absent<'a>(
        &'a self,
        _connection: &'a Connection,
        _key: &'a str,
        _answer: &'a Response,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async { Ok(()) }.boxed()
    }

    /// True if a URL can hold the key. A part `.` or `..` in a path would be resolved, and name another object or the
    /// bucket.
    fn is_addressable(&self, key: &str) -> bool {
        !key.is_empty() && !key.split('/').any(is_dots)
    }

    /// True if a listing can begin at any key, rather than only at the prefix or at a token of the server's.
    fn lists_from_any_key(&self) -> bool {
        true
    }

    /// True if the server is known to list keys in byte order. Only then may a listing leap to a key and count on what
    /// it passed.
    fn lists_in_byte_order(&self) -> bool {
        true
    }

    /// True if a listing has all facts of an object that [`Self::head`] has, its holds and retention included; or if no
    /// object of the bucket can have a hold.
    fn lists_all_facts<'a>(&'a self, _connection: &'a Connection) -> BoxFuture<'a, bool> {
        async { false }.boxed()
    }

    /// Objects that are looked at, deleted and verified together, where that saves requests.
    fn together(&self) -> usize {
        1
    }

    /// The deletes of many objects by one request, where the server has them and heeds each pin.
    fn bulk(&self) -> Option<&dyn Bulk> {
        None
    }

    /// How objects are marked, where that leaves their pins as they are.
    fn marks(&self) -> Option<&dyn Marks> {
        None
    }

    /// True unless the host is known to heed the pins of deletes.
    fn may_ignore_pins(&self) -> bool;

    /// True if each object is to be asked for just before its delete, because its pin may be ignored, or does not tell
    /// everything.
    fn looks_before(&self) -> bool {
        self.may_ignore_pins()
    }

    /// True if the API can answer whether the bucket keeps deleted objects, so that settings which could not be read
    /// are a lack of permissions.
    fn has_copy_settings(&self) -> bool {
        true
    }
}

/// True if a URL's parser would resolve this part of a path.
pub(crate) fn is_dots(part: &str) -> bool {
    part == "." || part == ".."
}

/// One bucket, and the API and HTTP client through which it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    api: Box<dyn Api>,
    http: HttpClient,
    outage: Outage,
}

impl Connection {
    pub fn new(bucket: Bucket, api: Box<dyn Api>, http: HttpClient) -> Self {
        Self(Arc::new(Inner { bucket, api, http, outage: Outage::default() }))
    }

    pub fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }

    pub fn api(&self) -> &dyn Api {
        &*self.0.api
    }

    /// Sends a request until its answer is not a temporary failure.
    pub async fn send(&self, request: Request) -> Result<Response, StoreError> {
        let (mut tries, mut is_retry) = (Tries::new(), false);
        loop {
            let signed = self.sign(&request).await?;
            let message = match self.send_once(&request, signed).await {
                Ok(answer) => match self.meaning(&answer) {
                    Answer::Busy => self.message(&answer),
                    Answer::Failing => {
                        is_retry = true;
                        self.message(&answer)
                    }
                    _ => return Ok(Response { is_retry, ..answer }),
                },
                Err(Lost { is_distrust: true, why }) => {
                    return Err(StoreError::Distrusted { bucket: self.0.bucket.clone(), why });
                }
                Err(Lost { why, .. }) => {
                    is_retry = true;
                    why
                }
            };
            if !tries.again().await {
                return Err(StoreError::Failed { what: self.0.bucket.to_string(), message });
            }
        }
    }

    /// Sends a signed request once, if the storage was not given up. The error is a lost connection.
    pub async fn send_once(&self, request: &Request, signed: reqwest::Request) -> Result<Response, Lost> {
        let sent = self.send_if(request, signed, &|| true).await;
        sent.unwrap_or_else(|| Err(Lost::because("interrupted")))
    }

    /// Works like [`Self::send_once`]; none if the gate is closed by the time the request may be sent.
    pub async fn send_if(
        &self,
        request: &Request,
        signed: reqwest::Request,
        gate: Gate<'_>,
    ) -> Option<Result<Response, Lost>> {
        if let Some(why) = self.0.outage.lasts(Instant::now()) {
            return Some(Err(Lost::because(why)));
        }
        let answer = self.0.http.send_if(request, signed, gate).await?;
        match &answer {
            Ok(answer) if !matches!(self.meaning(answer), Answer::Busy | Answer::Failing) => {
                self.0.outage.ended();
            }
            Ok(answer) => self.0.outage.failed(&self.message(answer), Instant::now()),
            Err(Lost { why, .. }) => self.0.outage.failed(why, Instant::now()),
        }
        Some(answer)
    }

    /// Sends a signed request once, if the storage was not given up, and leaves the answer's body to be read. The error is a
    /// lost connection.
    pub async fn stream(&self, request: &Request, signed: reqwest::Request) -> Result<Streamed, String> {
        match self.0.outage.lasts(Instant::now()) {
            Some(why) => Err(why),
            None => self.0.http.stream(request, signed).await,
        }
    }

    /// Signs a request. It is tried once, because the providers of credentials have tried several times already.
    pub async fn sign(&self, request: &Request) -> Result<reqwest::Request, StoreError> {
        let signed = match self.0.outage.lasts(Instant::now()) {
            Some(why) => Err(why),
            None => {
                let signed = tokio::time::timeout(SIGNING, self.api().sign(request)).await;
                let signed = signed.unwrap_or_else(|_| Err("their provider does not answer".to_owned()));
                signed.inspect_err(|why| self.0.outage.failed(why, Instant::now()))
            }
        };
        signed.map_err(|why| StoreError::Credentials(format!("for {}: {why}", self.0.bucket)))
    }

    /// Sends fewer requests at a time, because the storage asks for that.
    pub fn slow_down(&self) {
        self.0.http.slow_down();
    }

    /// What an answer means.
    pub fn meaning(&self, answer: &Response) -> Answer {
        match answer.status {
            // Another try would be as long.
            _ if answer.is_too_long => Answer::Refused,
            200..=299 => Answer::Yes,
            429 => Answer::Busy,
            // 501 is left out: another try would not help a server that lacks the operation.
            408 | 500 | 502..=599 => Answer::Failing,
            _ => self.api().meaning(answer),
        }
    }

    /// The server's explanation of an answer, in one line.
    pub fn message(&self, answer: &Response) -> String {
        if answer.is_too_long {
            return TOO_LONG.to_owned();
        }
        let message = self.api().message(answer);
        match message.lines().next() {
            Some(line) if !line.is_empty() => line.to_owned(),
            _ => format!("HTTP {}", answer.status),
        }
    }

    /// The error for an answer other than yes.
    pub fn error(&self, meaning: Answer, what: String, answer: &Response) -> StoreError {
        let message = self.message(answer);
        match meaning {
            Answer::NoBucket => StoreError::NoBucket(self.0.bucket.clone()),
            Answer::Denied => StoreError::Denied { what, message },
            Answer::Held => StoreError::Held { what, message },
            Answer::Busy | Answer::Failing => StoreError::Failed { what, message },
            Answer::Yes | Answer::NoObject | Answer::Changed | Answer::Refused => {
                StoreError::Refused { what, message }
            }
        }
    }

    /// Reads the answer if it is a yes; every other answer is an error about `what`.
    pub fn read<T>(
        &self,
        answer: &Response,
        what: String,
        read: impl FnOnce(&Response) -> Result<T, String>,
    ) -> Result<T, StoreError> {
        match self.meaning(answer) {
            Answer::Yes => read(answer).map_err(|why| StoreError::unreadable(what, &why)),
            meaning => Err(self.error(meaning, what, answer)),
        }
    }

    /// The facts of one object; none if it does not exist.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        if !self.api().is_addressable(key) {
            return Err(StoreError::BadKey(key.to_owned()));
        }
        let answer = self.send(self.api().head(key)).await?;
        match self.meaning(&answer) {
            Answer::NoObject => {
                self.api().ensure_absent(self, key, &answer).await?;
                Ok(None)
            }
            _ => {
                let read = |answer: &Response| self.api().read_head(key, answer);
                self.read(&answer, self.0.bucket.uri(key), read).map(Some)
            }
        }
    }

    /// What became of a restore, by the answer to its request. A yes is verified: `is_it` tells the object from a newer
    /// one, and `hidden` says why there may be none, as some servers say yes if there was nothing to restore.
    pub async fn restored(
        &self,
        key: &str,
        answer: Result<Response, StoreError>,
        is_it: impl Fn(&ObjectFacts) -> bool,
        hidden: &str,
    ) -> Restored {
        match answer {
            Ok(answer) if self.meaning(&answer) == Answer::Yes => match self.head(key).await {
                Ok(Some(now)) if is_it(&now) => Restored::Restored,
                Ok(Some(_)) => Restored::Taken,
                Ok(None) => Restored::Failed(hidden.to_owned()),
                Err(error) => Restored::Failed(error.to_string()),
            },
            answer => self.not_restored(answer),
        }
    }

    /// What became of a restore that was not carried out.
    pub fn not_restored(&self, answer: Result<Response, StoreError>) -> Restored {
        Restored::Failed(match answer {
            Ok(answer) => self.message(&answer),
            Err(error) => error.to_string(),
        })
    }

    /// One page of a listing.
    pub async fn page(&self, range: &Range, token: Option<&str>) -> Result<Page, StoreError> {
        let what = || self.0.bucket.uri(&range.prefix);
        let answer = self.send(self.api().list(range, token)).await?;
        if self.meaning(&answer) == Answer::NoObject {
            return Err(StoreError::NoBucket(self.0.bucket.clone()));
        }
        let page = self.read(&answer, what(), |answer| self.api().read_list(answer, range.kind))?;
        match page.objects.iter().find(|object| !object.key.starts_with(&range.prefix)) {
            Some(other) => {
                let why = format!("it lists {:?}, which was not asked for", other.key);
                Err(StoreError::unreadable(what(), &why))
            }
            None => Ok(page),
        }
    }

    /// Lists a range page by page, each after the one before.
    pub fn in_order(&self, range: Range) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        let connection = self.clone();
        let begin = (Some(None), Trail::default());
        stream::try_unfold(begin, move |(token, mut trail): (Option<Option<String>>, Trail)| {
            let (connection, range) = (connection.clone(), range.clone());
            async move {
                let Some(token) = token else { return Ok(None) };
                let page = connection.page(&range, token.as_deref()).await?;
                if page.more && page.token.is_none() {
                    return Err(StoreError::unreadable(connection.bucket().uri(&range.prefix), NO_WAY_ON));
                }
                let next = connection.follow(&range, &mut trail, page.token, &page.first)?;
                Ok(Some((page.objects, (next.map(Some), trail))))
            }
        })
        .boxed()
    }

    /// The token of the next page, as [`Trail::follow`].
    ///
    /// # Errors
    /// The listing would never end.
    pub fn follow(
        &self,
        range: &Range,
        trail: &mut Trail,
        token: Option<String>,
        first: &str,
    ) -> Result<Option<String>, StoreError> {
        let next = trail.follow(token, first);
        next.map_err(|why| StoreError::unreadable(self.0.bucket.uri(&range.prefix), why))
    }
}
