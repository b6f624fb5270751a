//! The one way to ask a bucket over HTTP, and to delete from it: tries, pins, settling what got lost.

use crate::api::{Answer, ListKind, Page, Range, unreadable};
use crate::azure::Azure;
use crate::gcs::Gcs;
use crate::http::{HttpClient, Request, Response, pauses};
use crate::s3::S3;
use crate::types::{BucketFacts, Outcome, Restored, StoreError};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use futures::stream;
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What tells one API from another.
#[derive(Debug)]
pub(crate) enum Api {
    Gcs(Gcs),
    S3(S3),
    Azure(Azure),
}

macro_rules! each {
    ($api:expr, $one:ident => $what:expr) => {
        match $api {
            Api::Gcs($one) => $what,
            Api::S3($one) => $what,
            Api::Azure($one) => $what,
        }
    };
}

/// One bucket.
#[derive(Debug, Clone)]
pub(crate) struct BucketClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    api: Api,
    wire: HttpClient,
    /// Its settings, once asked for.
    facts: OnceCell<BucketFacts>,
}

impl BucketClient {
    pub fn new(bucket: Bucket, api: Api, wire: HttpClient) -> Self {
        Self(Arc::new(Inner { bucket, api, wire, facts: OnceCell::new() }))
    }

    pub fn bucket_name(&self) -> &Bucket {
        &self.0.bucket
    }

    /// Who asks, for people to recognise.
    pub async fn identity(&self) -> String {
        match &self.0.api {
            Api::Gcs(gcs) => gcs.identity().to_owned(),
            Api::S3(s3) => s3.identity().await,
            Api::Azure(azure) => azure.identity().to_owned(),
        }
    }

    pub async fn head(&self, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        let what = || self.0.bucket.uri(key);
        if !self.is_addressable(key) {
            return Err(StoreError::BadKey(key.to_owned()));
        }
        let answer = self.call(each!(&self.0.api, api => api.head(key))).await?;
        match self.said(&answer) {
            Answer::NoObject => {
                if let Api::S3(s3) = &self.0.api {
                    s3.ensure_absent(self, key, &answer).await?;
                }
                Ok(None)
            }
            Answer::Yes => each!(&self.0.api, api => api.read_head(key, &answer))
                .map(Some)
                .map_err(|why| unreadable(what(), &why)),
            said => Err(self.error(said, what(), &answer)),
        }
    }

    pub fn pages(&self, prefix: &str) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        match self.begins_anywhere() {
            true => crate::parallel_list::pages(self.clone(), prefix.to_owned()),
            false => self.in_order(Range::of(prefix)),
        }
    }

    /// Whether a listing can begin at any key: Azure's only at a marker of its own.
    pub fn begins_anywhere(&self) -> bool {
        !matches!(self.0.api, Api::Azure(_))
    }

    /// A listing page by page.
    pub fn in_order(&self, range: Range) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        let remote = self.clone();
        stream::try_unfold(Some(None), move |token: Option<Option<String>>| {
            let (remote, range) = (remote.clone(), range.clone());
            async move {
                let Some(token) = token else { return Ok(None) };
                let page = remote.page(&range, token.as_deref()).await?;
                let next = remote.next(&range, token.as_ref(), page.token)?;
                Ok(Some((page.objects, next.map(Some))))
            }
        })
        .boxed()
    }

    /// The token of the next page.
    ///
    /// # Errors
    /// It is the one before: the listing would never end.
    pub fn next(
        &self,
        range: &Range,
        before: Option<&String>,
        token: Option<String>,
    ) -> Result<Option<String>, StoreError> {
        match token.is_some() && token.as_ref() == before {
            true => Err(unreadable(self.0.bucket.uri(&range.prefix), "the listing does not go on")),
            false => Ok(token),
        }
    }

    /// Whether a URL can hold the key: it would resolve dots, and name another object, or the bucket.
    pub fn is_addressable(&self, key: &str) -> bool {
        let is_dots = |part: &str| part == "." || part == "..";
        match &self.0.api {
            Api::Gcs(_) => !key.is_empty() && !is_dots(key),
            Api::S3(_) | Api::Azure(_) => !key.is_empty() && !key.split('/').any(is_dots),
        }
    }

    pub async fn page(&self, range: &Range, token: Option<&str>) -> Result<Page, StoreError> {
        let what = || self.0.bucket.uri(&range.prefix);
        let answer = self.call(each!(&self.0.api, api => api.list(range, token))).await?;
        match self.said(&answer) {
            Answer::Yes => {
                let page: Page = each!(&self.0.api, api => api.read_list(&answer, range.kind))
                    .map_err(|why| unreadable(what(), &why))?;
                match page.objects.iter().find(|object| !object.key.starts_with(&range.prefix)) {
                    Some(other) => {
                        Err(unreadable(what(), &format!("it lists {:?}, which was not asked for", other.key)))
                    }
                    None => Ok(page),
                }
            }
            Answer::NoObject => Err(StoreError::NoBucket(self.0.bucket.clone())),
            said => Err(self.error(said, what(), &answer)),
        }
    }

    /// Deletes the object if it is still the pinned one.
    pub async fn delete(&self, key: &str, pin: &str) -> Outcome {
        if !self.is_addressable(key) {
            return Outcome::Failed(StoreError::BadKey(key.to_owned()).to_string());
        }
        let Some(call) = each!(&self.0.api, api => api.delete(key, pin)) else {
            return Outcome::Failed("its generation is not known".to_owned());
        };
        let mut sent = false;
        for pause in pauses() {
            if self.may_ignore_pins()
                && let Some(outcome) = self.look(key, pin, sent).await
            {
                return outcome;
            }
            let request = match self.sign(&call).await {
                Ok(request) => request,
                Err(error) => return Outcome::Failed(error.to_string()),
            };
            match self.0.wire.send(&call, request).await {
                Ok(answer) => match self.said(&answer) {
                    Answer::Yes => return Outcome::Deleted,
                    Answer::NoBucket => return Outcome::Failed("the bucket is gone".to_owned()),
                    // Whoever stands before a storage may say so, too, and not mean the object.
                    Answer::NoObject => return self.missing(key, pin, sent).await,
                    // A store may answer so for an object that is gone, too.
                    Answer::Changed => return self.changed(key, sent).await,
                    Answer::Held => return Outcome::Held(self.message(&answer)),
                    Answer::Denied => return Outcome::Denied(self.message(&answer)),
                    Answer::Busy => {}
                    Answer::Failing => sent = true,
                    Answer::Refused => return Outcome::Failed(self.message(&answer)),
                },
                Err(error) => {
                    sent = true;
                    // Settled by a look, not by a guess.
                    match self.head(key).await {
                        Ok(None) => return Outcome::Deleted,
                        Ok(Some(now)) if now.generation != pin => return Outcome::Changed,
                        Ok(Some(_)) => {}
                        Err(_) if pause.is_none() => return Outcome::Failed(error),
                        Err(_) => {}
                    }
                }
            }
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Outcome::Failed("the storage did not answer, or was too busy, at every try".to_owned())
    }

    /// Whether the server may delete whatever the pin says: then each object is looked at just before.
    pub fn may_ignore_pins(&self) -> bool {
        matches!(self.0.api, Api::S3(_))
    }

    /// Why the object is not to be deleted any more, by a look just before; none when it is as it was.
    async fn look(&self, key: &str, pin: &str, sent: bool) -> Option<Outcome> {
        match self.head(key).await {
            Ok(None) if sent => Some(Outcome::Deleted),
            Ok(None) => Some(Outcome::Gone),
            Ok(Some(now)) if now.generation != pin => Some(Outcome::Changed),
            Ok(Some(ObjectFacts { held: Some(hold), .. })) => Some(Outcome::Held(hold)),
            Ok(Some(_)) => None,
            Err(StoreError::Denied { message, .. }) => Some(Outcome::Denied(message)),
            Err(error) => Some(Outcome::Failed(error.to_string())),
        }
    }

    /// What "no such object" means to a delete, by a look.
    async fn missing(&self, key: &str, pin: &str, sent: bool) -> Outcome {
        match self.head(key).await {
            // An earlier try whose answer was lost has done it.
            Ok(None) if sent => Outcome::Deleted,
            Ok(None) => Outcome::Gone,
            Ok(Some(now)) if now.generation != pin => Outcome::Changed,
            Ok(Some(_)) => Outcome::Failed("the storage says that it isn't there, and shows it".to_owned()),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// What a failed pin means: overwritten, or gone.
    async fn changed(&self, key: &str, sent: bool) -> Outcome {
        match self.head(key).await {
            Ok(None) if sent => Outcome::Deleted,
            Ok(None) => Outcome::Gone,
            _ => Outcome::Changed,
        }
    }

    pub async fn bucket(&self) -> Result<BucketFacts, StoreError> {
        each!(&self.0.api, api => api.bucket(self).await)
    }

    /// What of deleted and overwritten objects the bucket keeps; none where its storage doesn't tell.
    pub async fn kept(&self) -> Result<Option<Vec<ListKind>>, StoreError> {
        let facts = self.0.facts.get_or_try_init(|| self.bucket()).await?;
        match (&facts.unread, &self.0.api) {
            (None, _) => {}
            // Whether an account keeps versions is no question to its storage.
            (Some(_), Api::Azure(_)) => return Ok(None),
            (Some(why), _) => {
                let what = format!("the settings of {}", self.0.bucket);
                return Err(StoreError::Denied { what, message: why.clone() });
            }
        }
        let kinds = [
            (ListKind::Noncurrent, facts.versioning),
            (ListKind::SoftDeleted, facts.soft_delete_seconds > 0),
        ];
        Ok(Some(kinds.into_iter().filter(|(_, is_kept)| *is_kept).map(|(kind, _)| kind).collect()))
    }

    /// Whether a listing says of an object all that a look at it does.
    pub fn lists_all(&self) -> bool {
        // S3 and Azure tell of holds and retention only who asks for the object.
        matches!(self.0.api, Api::Gcs(_))
    }

    pub async fn missing_rights(&self) -> Result<Vec<String>, StoreError> {
        match &self.0.api {
            Api::Gcs(gcs) => gcs.missing_rights(self).await,
            // Neither has such a question: the first refusal tells.
            Api::S3(_) | Api::Azure(_) => Ok(Vec::new()),
        }
    }

    pub async fn restore(&self, key: &str, pin: &str) -> Restored {
        if !self.is_addressable(key) {
            return Restored::Failed(StoreError::BadKey(key.to_owned()).to_string());
        }
        each!(&self.0.api, api => api.restore(self, key, pin).await)
    }

    /// Sends until an answer is no passing failure.
    pub async fn call(&self, call: Request) -> Result<Response, StoreError> {
        let failed = |message| StoreError::Failed { what: self.0.bucket.to_string(), message };
        let mut last = None;
        for pause in pauses() {
            let request = self.sign(&call).await?;
            match self.0.wire.send(&call, request).await {
                Ok(answer) if !matches!(self.said(&answer), Answer::Busy | Answer::Failing) => {
                    return Ok(answer);
                }
                Ok(answer) => last = Some(failed(self.message(&answer))),
                Err(message) => last = Some(failed(message)),
            }
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(last.unwrap_or_else(|| failed("no answer".to_owned())))
    }

    /// Whoever gives credentials has tried again already.
    async fn sign(&self, call: &Request) -> Result<reqwest::Request, StoreError> {
        let signed = each!(&self.0.api, api => api.sign(call).await);
        signed.map_err(|why| StoreError::Credentials(format!("for {}: {why}", self.0.bucket)))
    }

    /// What an answer means here.
    pub fn said(&self, answer: &Response) -> Answer {
        match answer.status {
            200..=299 => Answer::Yes,
            429 => Answer::Busy,
            // What it can't do it will not learn.
            408 | 500 | 502..=599 => Answer::Failing,
            _ => each!(&self.0.api, api => api.said(answer)),
        }
    }

    /// What the storage said, in one line.
    pub fn message(&self, answer: &Response) -> String {
        let message = each!(&self.0.api, api => api.message(answer));
        match message.lines().next() {
            Some(line) if !line.is_empty() => line.to_owned(),
            _ => format!("HTTP {}", answer.status),
        }
    }

    /// An answer that is no good one, as an error.
    pub fn error(&self, said: Answer, what: String, answer: &Response) -> StoreError {
        let message = self.message(answer);
        match said {
            Answer::NoBucket => StoreError::NoBucket(self.0.bucket.clone()),
            Answer::Denied => StoreError::Denied { what, message },
            _ => StoreError::Failed { what, message },
        }
    }
}
