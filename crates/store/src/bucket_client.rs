//! The client of one bucket, whatever its engine. It deletes only the pinned object, and finds out what became of a
//! delete whose answer was lost.

use crate::api::{Answer, Api, Connection};
use crate::batch_lookup::shown;
use crate::http::{HttpClient, Tries};
use crate::labels::Known;
use crate::listing::{ListKind, Range};
use crate::parallel_list;
use crate::types::{BucketFacts, Gate, Outcome, Restored, StoreError};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use futures::stream::BoxStream;
use std::sync::Arc;
use tokio::sync::{OnceCell, RwLock};

/// One bucket.
#[derive(Debug, Clone)]
pub(crate) struct BucketClient {
    connection: Connection,
    /// The bucket's settings, once they were asked for.
    facts: Arc<OnceCell<BucketFacts>>,
    /// Whether listings have all facts, once that was asked for.
    lists_all_facts: Arc<OnceCell<bool>>,
    /// What is known of labels.
    labels: Arc<Known>,
    /// Whether a mark left its object as it was, once that was tried.
    keeps_pins: Arc<RwLock<Option<bool>>>,
}

impl BucketClient {
    pub fn new(bucket: Bucket, api: Box<dyn Api>, http: HttpClient) -> Self {
        Self {
            connection: Connection::new(bucket, api, http),
            facts: Arc::default(),
            lists_all_facts: Arc::default(),
            labels: Arc::default(),
            keeps_pins: Arc::default(),
        }
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    fn api(&self) -> &dyn Api {
        self.connection.api()
    }

    /// Names the account that sends the requests, so that people recognise it.
    pub async fn identity(&self) -> String {
        self.api().identity().await
    }

    /// The facts of one object; none if it does not exist.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        self.connection.head(key).await
    }

    /// Lists all live objects with a prefix, page by page, in no order.
    pub fn pages(&self, prefix: &str) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        parallel_list::pages(self.connection.clone(), prefix.to_owned())
    }

    /// True if a listing has all facts of an object that a request for the object has. It is asked for once.
    pub async fn lists_all_facts(&self) -> bool {
        *self.lists_all_facts.get_or_init(|| self.asks_lists_all_facts()).await
    }

    /// As [`Self::lists_all_facts`], by what is so now.
    pub async fn asks_lists_all_facts(&self) -> bool {
        self.api().lists_all_facts(&self.connection).await
    }

    /// What is known of labels.
    pub fn labels(&self) -> &Known {
        &self.labels
    }

    /// Whether a mark left its object as it was, once that was tried.
    pub fn keeps_pins(&self) -> &RwLock<Option<bool>> {
        &self.keeps_pins
    }

    /// Objects that are looked at, deleted and verified together.
    pub fn together(&self) -> usize {
        self.api().together()
    }

    /// Says of each key whether a listing shows its object.
    pub async fn shown(&self, keys: &[&str]) -> Vec<bool> {
        shown(&self.connection, keys).await
    }

    /// Deletes the object if it is still the pinned one. The gate is asked before each try. `may_be_done` says that an
    /// earlier request may have deleted the object, although its answer was lost or an error.
    pub async fn delete(&self, key: &str, pin: &str, mut may_be_done: bool, gate: Gate<'_>) -> Outcome {
        if !self.api().is_addressable(key) {
            return Outcome::Failed(StoreError::BadKey(key.to_owned()).to_string());
        }
        let Some(request) = self.api().delete(key, pin) else {
            return Outcome::Failed("its generation is not known".to_owned());
        };
        let mut tries = Tries::new();
        loop {
            if self.api().looks_before()
                && let Some(outcome) = objection(self.head(key).await, pin, may_be_done)
            {
                return outcome;
            }
            let signed = match self.connection.sign(&request).await {
                Ok(signed) => signed,
                Err(error) => return Outcome::Failed(error.to_string()),
            };
            let Some(sent) = self.connection.send_if(&request, signed, gate).await else {
                return self.settle_withheld(key, may_be_done).await;
            };
            let failure = match sent {
                Ok(answer) => match self.connection.meaning(&answer) {
                    Answer::Yes => return Outcome::Deleted,
                    Answer::NoBucket => return Outcome::Failed("the bucket is gone".to_owned()),
                    // A proxy in front of the storage can answer 404 as well, so a 404 alone does not prove that the
                    // object is gone.
                    Answer::NoObject => return self.settle_missing(key, pin, may_be_done).await,
                    // Some servers also answer so for an object that is gone.
                    Answer::Changed => return self.settle_changed(key, may_be_done).await,
                    Answer::Held => return Outcome::Held(self.connection.message(&answer)),
                    Answer::Denied => return Outcome::Denied(self.connection.message(&answer)),
                    Answer::Busy => self.connection.message(&answer),
                    Answer::Failing => {
                        may_be_done = true;
                        self.connection.message(&answer)
                    }
                    Answer::Refused => return Outcome::Failed(self.connection.message(&answer)),
                },
                Err(error) => {
                    may_be_done = true;
                    // The answer was lost, so only the object itself shows whether the delete was carried out.
                    match self.head(key).await {
                        Ok(None) => return Outcome::Deleted,
                        Ok(Some(now)) if now.generation != pin => return Outcome::Changed,
                        Ok(Some(_)) | Err(_) => error.why,
                    }
                }
            };
            if !tries.again().await {
                return Outcome::Failed(format!("every try failed: {failure}"));
            }
        }
    }

    /// Asks for the object after a delete was not sent, if an earlier try may have been carried out.
    async fn settle_withheld(&self, key: &str, may_be_done: bool) -> Outcome {
        match may_be_done {
            true if matches!(self.head(key).await, Ok(None)) => Outcome::Deleted,
            _ => Outcome::Withheld,
        }
    }

    /// Asks for the object after a delete was answered with "no such object".
    async fn settle_missing(&self, key: &str, pin: &str, may_be_done: bool) -> Outcome {
        match self.head(key).await {
            Ok(None) if may_be_done => Outcome::Deleted,
            Ok(None) => Outcome::Gone,
            Ok(Some(now)) if now.generation != pin => Outcome::Changed,
            Ok(Some(_)) => Outcome::Failed("the storage says that it isn't there, but shows it".to_owned()),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// Asks for the object after the pin of a delete did not match: it was overwritten, or is gone.
    async fn settle_changed(&self, key: &str, may_be_done: bool) -> Outcome {
        match self.head(key).await {
            Ok(None) if may_be_done => Outcome::Deleted,
            Ok(None) => Outcome::Gone,
            _ => Outcome::Changed,
        }
    }

    /// Reads the bucket's settings.
    pub async fn bucket(&self) -> Result<BucketFacts, StoreError> {
        let facts = self.api().bucket(&self.connection).await?;
        Ok(BucketFacts { looked_at: self.api().may_ignore_pins(), ..facts })
    }

    /// The kinds of deleted and overwritten objects that the bucket keeps; none if the engine can't answer that.
    pub async fn copy_kinds(&self) -> Result<Option<Vec<ListKind>>, StoreError> {
        let facts = self.facts.get_or_try_init(|| self.bucket()).await?;
        if let Some(why) = &facts.unread {
            if !self.api().has_copy_settings() {
                return Ok(None);
            }
            let what = format!("the settings of {}", self.connection.bucket());
            return Err(StoreError::Denied { what, message: why.clone() });
        }
        let kinds = [
            (ListKind::Noncurrent, facts.versioning),
            (ListKind::SoftDeleted, facts.soft_delete_seconds > 0),
        ];
        Ok(Some(kinds.into_iter().filter(|(_, is_kept)| *is_kept).map(|(kind, _)| kind).collect()))
    }

    /// The permissions that a purge needs and this identity lacks. Whether it may list is tried, at a key that is to be
    /// deleted: rights may be limited to a prefix.
    pub async fn missing_permissions(&self, key: &str, marks: bool) -> Result<Vec<String>, StoreError> {
        let missing = self.api().missing_permissions(&self.connection, marks).await?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        let range = Range { most: Some(1), ..Range::of(key) };
        match self.connection.page(&range, None).await {
            Ok(_) => Ok(Vec::new()),
            Err(StoreError::Denied { message, .. }) => {
                Ok(vec![format!("the permission to list objects ({message})")])
            }
            Err(error) => Err(error),
        }
    }

    /// Restores the deleted object that had the pin, if no newer object has taken its key.
    pub async fn restore(&self, key: &str, pin: &str) -> Restored {
        if !self.api().is_addressable(key) {
            return Restored::Failed(StoreError::BadKey(key.to_owned()).to_string());
        }
        self.api().restore(&self.connection, key, pin).await
    }
}

/// Says by a look at an object, just before its delete, why it must not be deleted; none if it is still the pinned one.
pub(crate) fn objection(
    found: Result<Option<ObjectFacts>, StoreError>,
    pin: &str,
    may_be_done: bool,
) -> Option<Outcome> {
    match found {
        Ok(None) if may_be_done => Some(Outcome::Deleted),
        Ok(None) => Some(Outcome::Gone),
        Ok(Some(now)) if now.generation != pin => Some(Outcome::Changed),
        Ok(Some(ObjectFacts { held: Some(hold), .. })) => Some(Outcome::Held(hold)),
        Ok(Some(_)) => None,
        Err(StoreError::Denied { message, .. }) => Some(Outcome::Denied(message)),
        Err(error) => Some(Outcome::Failed(error.to_string())),
    }
}
