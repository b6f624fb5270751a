//! The GCS JSON API, for what object_store can't do: generation pins, holds, soft delete, bucket settings.

mod credentials;
mod http;

pub use credentials::Credentials;

use super::throttle::Throttle;
use super::{BucketFacts, Outcome, Restored, StoreError, time};
use crate::gc::plan::ObjectFacts;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http::{Answer, Call};
use reqwest::Method;
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

/// The rights a purge needs on a bucket.
const RIGHTS: [&str; 3] = ["storage.objects.list", "storage.objects.get", "storage.objects.delete"];
/// The fields of an object we ask for.
const FIELDS: &str = "name,generation,size,timeCreated,storageClass,crc32c,temporaryHold,eventBasedHold,\
                      retentionExpirationTime,retention";

/// One endpoint with one identity.
#[derive(Debug, Clone)]
pub struct Gcs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: reqwest::Client,
    endpoint: String,
    credentials: Credentials,
    throttle: Throttle,
}

/// An object resource (cloud.google.com/storage/docs/json_api/v1/objects#resource).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    name: String,
    generation: Number,
    #[serde(default)]
    size: Number,
    #[serde(default)]
    time_created: String,
    #[serde(default)]
    storage_class: String,
    #[serde(default)]
    crc32c: String,
    #[serde(default)]
    temporary_hold: bool,
    #[serde(default)]
    event_based_hold: bool,
    retention_expiration_time: Option<String>,
    retention: Option<Retention>,
}

/// An object's own retention.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    retain_until_time: Option<String>,
}

/// The API writes 64-bit numbers as strings; emulators don't always.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Number {
    #[default]
    None,
    Plain(u64),
    Text(String),
}

impl Number {
    fn text(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Plain(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn number(&self) -> u64 {
        self.text().parse().unwrap_or_default()
    }
}

impl From<Object> for ObjectFacts {
    fn from(object: Object) -> Self {
        let retention = object.retention.and_then(|retention| retention.retain_until_time);
        // Whether a retention is over is the storage's to say; its delete will.
        let held = match (object.temporary_hold, object.event_based_hold) {
            (true, _) => Some("temporary hold".to_owned()),
            (_, true) => Some("event-based hold".to_owned()),
            _ => {
                object.retention_expiration_time.or(retention).map(|until| format!("retained until {until}"))
            }
        };
        Self {
            key: object.name,
            generation: object.generation.text(),
            size: object.size.number(),
            created: time(&object.time_created),
            storage_class: storage_class(&object.storage_class),
            crc32c: object.crc32c,
            held,
        }
    }
}

/// Nearly all objects are of one of these classes; each is held once.
fn storage_class(name: &str) -> Arc<str> {
    static KNOWN: LazyLock<[Arc<str>; 4]> =
        LazyLock::new(|| ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"].map(Arc::from));
    KNOWN.iter().find(|known| &***known == name).map_or_else(|| name.into(), Arc::clone)
}

impl Gcs {
    /// Nothing is sent yet. An `endpoint` is an emulator's; none is Google's.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(
        endpoint: Option<&str>,
        credentials: Credentials,
        throttle: Throttle,
    ) -> Result<Self, StoreError> {
        let client = http::client().map_err(|error| StoreError::Failed {
            what: "HTTP client".to_owned(),
            message: error.to_string(),
        })?;
        let endpoint = match endpoint {
            None => "https://storage.googleapis.com".to_owned(),
            Some(host) if host.contains("://") => host.trim_end_matches('/').to_owned(),
            Some(host) => format!("http://{}", host.trim_end_matches('/')),
        };
        Ok(Self { inner: Arc::new(Inner { client, endpoint, credentials, throttle }) })
    }

    /// Who deletes.
    pub fn identity(&self) -> &str {
        self.inner.credentials.identity()
    }

    fn url(&self, bucket: &str, rest: &str) -> String {
        format!("{}/storage/v1/b/{}{rest}", self.inner.endpoint, segment(bucket))
    }

    fn object_url(&self, bucket: &str, key: &str) -> String {
        self.url(bucket, &format!("/o/{}", segment(key)))
    }

    pub(super) async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        let url = self.object_url(bucket, key);
        let answer = self.call(Call::new(Method::GET, &url).query("fields", FIELDS)).await?;
        match answer.status {
            404 if answer.says("bucket does not exist") => Err(StoreError::NoBucket(bucket.to_owned())),
            404 => Ok(None),
            _ => Ok(Some(answer.read::<Object>(&format!("gs://{bucket}/{key}"))?.into())),
        }
    }

    pub(super) async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectFacts>, StoreError> {
        self.pages(bucket, prefix).try_concat().await
    }

    pub(super) fn pages(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
        let (gcs, bucket, prefix) = (self.clone(), bucket.to_owned(), prefix.to_owned());
        stream::try_unfold(Some(String::new()), move |token| {
            let (gcs, bucket, prefix) = (gcs.clone(), bucket.clone(), prefix.clone());
            async move {
                let Some(token) = token else { return Ok(None) };
                let (objects, next) = gcs.page(&bucket, &prefix, &token).await?;
                Ok(Some((objects, Some(next).filter(|next| !next.is_empty()))))
            }
        })
        .boxed()
    }

    /// One page, with the token of the next; empty when it was the last.
    async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        token: &str,
    ) -> Result<(Vec<ObjectFacts>, String), StoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            items: Vec<Object>,
            #[serde(default)]
            next_page_token: String,
        }
        let fields = format!("nextPageToken,items({FIELDS})");
        let url = self.url(bucket, "/o");
        let mut call = Call::new(Method::GET, &url)
            .query("prefix", prefix)
            .query("maxResults", "1000")
            .query("fields", &fields);
        if !token.is_empty() {
            call = call.query("pageToken", token);
        }
        let answer = self.call(call).await?;
        if answer.status == 404 {
            return Err(StoreError::NoBucket(bucket.to_owned()));
        }
        let page: Page = answer.read(&format!("gs://{bucket}/{prefix}"))?;
        Ok((page.items.into_iter().map(ObjectFacts::from).collect(), page.next_page_token))
    }

    pub(super) async fn delete(&self, bucket: &str, key: &str, generation: &str) -> Outcome {
        // Without a generation there is no pin, and "0" would mean "must not exist".
        if generation.is_empty() || generation == "0" {
            return Outcome::Failed("its generation is not known".to_owned());
        }
        let url = self.object_url(bucket, key);
        let mut sent = false;
        for pause in http::pauses() {
            let call = Call::new(Method::DELETE, &url).query("ifGenerationMatch", generation);
            match self.once(call).await {
                Ok(answer) => match answer.status {
                    200..=299 => return Outcome::Deleted,
                    // An earlier try whose answer was lost has done it.
                    404 if answer.says("bucket does not exist") => {
                        return Outcome::Failed("the bucket is gone".to_owned());
                    }
                    404 if sent => return Outcome::Deleted,
                    404 => return Outcome::Gone,
                    // A store may answer so for an object that is gone, too.
                    412 => return self.changed(bucket, key, sent).await,
                    403 if answer.is_hold() => return Outcome::Held(answer.message()),
                    401 | 403 => return Outcome::Denied(answer.message()),
                    _ if answer.is_passing() => sent |= answer.status != 429,
                    _ => return Outcome::Failed(answer.message()),
                },
                Err(error) => {
                    sent = true;
                    // Settled by a look, not by a guess.
                    match self.head(bucket, key).await {
                        Ok(None) => return Outcome::Deleted,
                        Ok(Some(now)) if now.generation != generation => return Outcome::Changed,
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

    /// What a failed pin means: overwritten, or gone.
    async fn changed(&self, bucket: &str, key: &str, sent: bool) -> Outcome {
        match self.head(bucket, key).await {
            Ok(None) if sent => Outcome::Deleted,
            Ok(None) => Outcome::Gone,
            _ => Outcome::Changed,
        }
    }

    pub(super) async fn bucket(&self, bucket: &str) -> Result<BucketFacts, StoreError> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Settings {
            versioning: Versioning,
            soft_delete_policy: SoftDelete,
            retention_policy: RetentionPolicy,
            lifecycle: Lifecycle,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Versioning {
            enabled: bool,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct SoftDelete {
            retention_duration_seconds: Number,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct RetentionPolicy {
            retention_period: Number,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Lifecycle {
            rule: Vec<serde::de::IgnoredAny>,
        }
        let answer = self.call(Call::new(Method::GET, &self.url(bucket, ""))).await?;
        let unread = |why: String| BucketFacts {
            name: bucket.to_owned(),
            unread: Some(why),
            ..BucketFacts::default()
        };
        match answer.status {
            404 => Err(StoreError::NoBucket(bucket.to_owned())),
            // storage.buckets.get is not among what a purge needs.
            401 | 403 => Ok(unread(answer.message())),
            _ => {
                let settings: Settings = answer.read(&format!("bucket {bucket}"))?;
                Ok(BucketFacts {
                    name: bucket.to_owned(),
                    soft_delete_seconds: settings.soft_delete_policy.retention_duration_seconds.number(),
                    versioning: settings.versioning.enabled,
                    retention_seconds: settings.retention_policy.retention_period.number(),
                    lifecycle_rules: settings.lifecycle.rule.len(),
                    unread: None,
                })
            }
        }
    }

    pub(super) async fn missing_rights(&self, bucket: &str) -> Result<Vec<String>, StoreError> {
        #[derive(Deserialize)]
        struct Granted {
            #[serde(default)]
            permissions: Vec<String>,
        }
        let url = self.url(bucket, "/iam/testPermissions");
        let call =
            RIGHTS.iter().fold(Call::new(Method::GET, &url), |call, right| call.query("permissions", right));
        let answer = self.call(call).await?;
        // Emulators don't know the question.
        if !self.inner.credentials.is_real() && matches!(answer.status, 404 | 405 | 501) {
            return Ok(Vec::new());
        }
        let granted: Granted = answer.read(&format!("rights on bucket {bucket}"))?;
        let missing = RIGHTS.iter().filter(|right| !granted.permissions.iter().any(|given| given == **right));
        Ok(missing.map(|right| (*right).to_owned()).collect())
    }

    pub(super) async fn restore(&self, bucket: &str, key: &str, generation: &str) -> Restored {
        let restore = Call::new(Method::POST, &format!("{}/restore", self.object_url(bucket, key)))
            .query("generation", generation)
            .query("ifGenerationMatch", "0");
        // A noncurrent version is brought back by copying it over the empty name.
        let target =
            format!("{}/rewriteTo/b/{}/o/{}", self.object_url(bucket, key), segment(bucket), segment(key));
        let copy = Call::new(Method::POST, &target)
            .query("sourceGeneration", generation)
            .query("ifGenerationMatch", "0");
        let mut lost = Restored::Lost;
        for call in [restore, copy] {
            match self.call(call).await {
                Ok(answer) => match answer.status {
                    200..=299 => return Restored::Restored,
                    412 => return Restored::Taken,
                    400 | 404 => {}
                    _ => lost = Restored::Failed(answer.message()),
                },
                Err(error) => lost = Restored::Failed(error.to_string()),
            }
        }
        lost
    }

    /// Sends until an answer is no passing failure.
    async fn call(&self, call: Call) -> Result<Answer, StoreError> {
        let failed = |message| StoreError::Failed { what: self.inner.endpoint.clone(), message };
        let mut last = None;
        for pause in http::pauses() {
            match self.once(call.clone()).await {
                Ok(answer) if !answer.is_passing() => return Ok(answer),
                Ok(answer) => last = Some(failed(answer.message())),
                Err(message) => last = Some(failed(message)),
            }
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(last.unwrap_or_else(|| failed("no answer".to_owned())))
    }

    /// Sends once, in its turn.
    async fn once(&self, call: Call) -> Result<Answer, String> {
        let Inner { client, credentials, throttle, .. } = &*self.inner;
        let token = credentials.token().await?;
        let Some(_turn) = throttle.turn().await else { return Err("interrupted".to_owned()) };
        let answer = call.send(client, token.as_deref()).await;
        match &answer {
            Ok(answer) if matches!(answer.status, 429 | 503) => throttle.slow_down(),
            Ok(_) => throttle.went_well(),
            Err(_) => {}
        }
        answer
    }
}

/// One segment of a URL's path: everything but unreserved characters is encoded.
fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => {
                use std::fmt::Write;
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_one_segment() {
        assert_eq!(segment("a/b c%2F?#é"), "a%2Fb%20c%252F%3F%23%C3%A9");
    }

    #[test]
    fn holds_and_retention_are_told_apart() {
        let held = |json: &str| ObjectFacts::from(serde_json::from_str::<Object>(json).unwrap()).held;
        assert_eq!(held(r#"{"name":"a","generation":"1"}"#), None);
        assert_eq!(held(r#"{"name":"a","generation":1,"temporaryHold":true}"#).unwrap(), "temporary hold");
        assert_eq!(
            held(r#"{"name":"a","generation":"1","eventBasedHold":true}"#).unwrap(),
            "event-based hold"
        );
        let until = held(r#"{"name":"a","generation":"1","retentionExpirationTime":"2030-01-01T00:00:00Z"}"#);
        assert_eq!(until.unwrap(), "retained until 2030-01-01T00:00:00Z");
    }
}
