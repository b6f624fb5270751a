//! The GCS JSON API, for what object_store can't do: generation pins, holds, soft delete, bucket settings.

pub mod credentials;

use crate::api::{Answer, ListKind, Page, Range, unreadable};
use crate::bucket_client::BucketClient;
use crate::gcs::credentials::Credentials;
use crate::http::{Request, Response, address, encoded, time};
use crate::types::{BucketFacts, Restored, StoreError};
use argo_gc_core::model::object::ObjectFacts;
use reqwest::Method;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use std::sync::{Arc, LazyLock};

/// The rights a purge needs on a bucket.
const RIGHTS: [&str; 3] = ["storage.objects.list", "storage.objects.get", "storage.objects.delete"];

/// Objects a page.
const PAGE: usize = 1000;

/// The fields of an object we ask for.
const FIELDS: &str = "name,generation,size,timeCreated,storageClass,crc32c,temporaryHold,eventBasedHold,\
                      retentionExpirationTime,retention,timeDeleted";

/// One bucket of Google's, or of an emulator's.
#[derive(Debug)]
pub(crate) struct Gcs {
    /// `…/storage/v1/b/BUCKET`.
    url: String,
    credentials: Credentials,
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
    /// Of a version that is no longer the live one.
    time_deleted: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Objects {
    kind: String,
    #[serde(default)]
    items: Vec<Object>,
    next_page_token: Option<String>,
}

/// An object's own retention.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    retain_until_time: Option<String>,
}

/// The API writes 64-bit numbers as strings; emulators don't always.
#[derive(Debug, Default)]
struct Number(String);

impl Number {
    fn number(&self) -> u64 {
        self.0.parse().unwrap_or_default()
    }
}

/// By hand: a derived choice between the two makes an error of each that does not fit, for each object listed.
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Number;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("a number, or a string of one")
            }

            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number::default())
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
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
            generation: object.generation.0,
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

/// The error body of the API.
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

impl ErrorInfo {
    fn of(answer: &Response) -> Self {
        serde_json::from_slice::<ErrorBody>(&answer.body).unwrap_or_default().error
    }

    /// Whether the API itself answered.
    fn is_one(answer: &Response) -> bool {
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "error")]
            _error: serde::de::IgnoredAny,
        }
        serde_json::from_slice::<Body>(&answer.body).is_ok()
    }

    fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(words)
    }

    /// A 403 that comes of a hold or of retention rather than of missing rights.
    fn is_hold(&self) -> bool {
        let reasons =
            ["retentionPolicyNotMet", "objectUnderActiveHold", "objectHold", "underObjectRetention"];
        self.errors.iter().any(|item| reasons.contains(&item.reason.as_str()))
            || ["active temporary hold", "active event-based hold", "retention"]
                .iter()
                .any(|words| self.says(words))
    }
}

impl Gcs {
    /// An `endpoint` is an emulator's; none is Google's.
    pub fn new(endpoint: Option<&str>, bucket: &str, credentials: Credentials) -> Self {
        let endpoint = match endpoint {
            None => "https://storage.googleapis.com".to_owned(),
            Some(host) if host.contains("://") => host.trim_end_matches('/').to_owned(),
            Some(host) => format!("http://{}", host.trim_end_matches('/')),
        };
        Self { url: format!("{endpoint}/storage/v1/b/{}", encoded(bucket, false)), credentials }
    }

    pub fn identity(&self) -> &str {
        self.credentials.identity()
    }

    pub async fn sign(&self, call: &Request) -> Result<reqwest::Request, String> {
        let mut request = reqwest::Request::new(call.method.clone(), address(&call.full_url())?);
        if let Some(token) = self.credentials.token().await? {
            let mut value = http::HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "the token is no header".to_owned())?;
            value.set_sensitive(true);
            request.headers_mut().insert(http::header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/o/{}", self.url, encoded(key, false))
    }

    pub fn head(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key)).query("fields", FIELDS)
    }

    pub fn read_head(&self, _key: &str, answer: &Response) -> Result<ObjectFacts, String> {
        read::<Object>(answer).map(ObjectFacts::from)
    }

    pub fn list(&self, range: &Range, token: Option<&str>) -> Request {
        let call = Request::new(Method::GET, format!("{}/o", self.url))
            .query("prefix", &range.prefix)
            .query("maxResults", &range.most.unwrap_or(PAGE).min(PAGE).to_string())
            .query("fields", &format!("kind,nextPageToken,items({FIELDS})"));
        let call = match range.kind {
            ListKind::Live => call,
            ListKind::Noncurrent => call.query("versions", "true"),
            ListKind::SoftDeleted => call.query("softDeleted", "true"),
        };
        // The offset is where to begin, not what to begin after.
        let call = match &range.after {
            Some(after) => call.query("startOffset", after),
            None => call,
        };
        match token {
            Some(token) => call.query("pageToken", token),
            None => call,
        }
    }

    pub fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String> {
        let Objects { kind: said, items, next_page_token } = read(answer)?;
        // An empty listing has nothing else that tells it from somebody's answer.
        if said != "storage#objects" {
            return Err(format!("it is no listing but {said:?}"));
        }
        let token = next_page_token.filter(|token| !token.is_empty());
        // The live version is listed among the others.
        let is_asked_for = |object: &Object| kind != ListKind::Noncurrent || object.time_deleted.is_some();
        let objects = items.into_iter().filter(is_asked_for).map(ObjectFacts::from).collect();
        Ok(Page { objects, more: token.is_some(), token, is_sure: true })
    }

    pub fn delete(&self, key: &str, generation: &str) -> Option<Request> {
        // Without a generation there is no pin, and "0" would mean "must not exist".
        let is_pin = !generation.is_empty() && generation != "0";
        is_pin.then(|| {
            Request::new(Method::DELETE, self.object_url(key)).query("ifGenerationMatch", generation)
        })
    }

    pub fn said(&self, answer: &Response) -> Answer {
        let error = || ErrorInfo::of(answer);
        match answer.status {
            404 if error().says("bucket does not exist") => Answer::NoBucket,
            // A proxy's "not found" says nothing of the object.
            404 if ErrorInfo::is_one(answer) => Answer::NoObject,
            412 => Answer::Changed,
            403 if error().is_hold() => Answer::Held,
            401 | 403 => Answer::Denied,
            _ => Answer::Refused,
        }
    }

    pub fn message(&self, answer: &Response) -> String {
        ErrorInfo::of(answer).message
    }

    pub async fn bucket(&self, remote: &BucketClient) -> Result<BucketFacts, StoreError> {
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
        let name = remote.bucket_name();
        let answer = remote.call(Request::new(Method::GET, self.url.clone())).await?;
        match remote.said(&answer) {
            Answer::Yes => {
                let settings: Settings = read(&answer).map_err(|why| unreadable(name.to_string(), &why))?;
                Ok(BucketFacts {
                    soft_delete_seconds: settings.soft_delete_policy.retention_duration_seconds.number(),
                    versioning: settings.versioning.enabled,
                    retention_seconds: settings.retention_policy.retention_period.number(),
                    lifecycle_rules: settings.lifecycle.rule.len(),
                    ..BucketFacts::of(name)
                })
            }
            Answer::NoObject | Answer::NoBucket => Err(StoreError::NoBucket(name.clone())),
            // storage.buckets.get is not among what a purge needs.
            Answer::Denied => Ok(BucketFacts::unread(name, remote.message(&answer))),
            said => Err(remote.error(said, name.to_string(), &answer)),
        }
    }

    pub async fn missing_rights(&self, remote: &BucketClient) -> Result<Vec<String>, StoreError> {
        #[derive(Deserialize)]
        struct Granted {
            #[serde(default)]
            permissions: Vec<String>,
        }
        let call = Request::new(Method::GET, format!("{}/iam/testPermissions", self.url));
        let answer =
            remote.call(RIGHTS.iter().fold(call, |call, right| call.query("permissions", right))).await?;
        // Emulators don't know the question.
        if !self.credentials.is_real() && matches!(answer.status, 404 | 405 | 501) {
            return Ok(Vec::new());
        }
        let what = || format!("rights on {}", remote.bucket_name());
        match remote.said(&answer) {
            Answer::Yes => {
                let granted: Granted = read(&answer).map_err(|why| unreadable(what(), &why))?;
                let is_missing = |right: &&&str| !granted.permissions.iter().any(|given| given == **right);
                Ok(RIGHTS.iter().filter(is_missing).map(|right| (*right).to_owned()).collect())
            }
            said => Err(remote.error(said, what(), &answer)),
        }
    }

    pub async fn restore(&self, remote: &BucketClient, key: &str, generation: &str) -> Restored {
        let object = self.object_url(key);
        let restore = Request::new(Method::POST, format!("{object}/restore"))
            .query("generation", generation)
            .query("ifGenerationMatch", "0");
        // A noncurrent version is brought back by copying it over the empty name.
        let name = encoded(remote.bucket_name().name(), false);
        let copy =
            Request::new(Method::POST, format!("{object}/rewriteTo/b/{name}/o/{}", encoded(key, false)))
                .query("sourceGeneration", generation)
                .query("ifGenerationMatch", "0");
        let mut lost = Restored::Lost;
        for call in [restore, copy] {
            match remote.call(call).await {
                Ok(answer) => match answer.status {
                    200..=299 if is_done(&answer) => return Restored::Restored,
                    200..=299 => lost = Restored::Failed("the copy was not made at once".to_owned()),
                    412 => return Restored::Taken,
                    400 | 404 => {}
                    _ => lost = Restored::Failed(remote.message(&answer)),
                },
                Err(error) => lost = Restored::Failed(error.to_string()),
            }
        }
        lost
    }
}

/// Whether a rewrite is over: a large one takes several calls.
fn is_done(answer: &Response) -> bool {
    #[derive(Deserialize)]
    struct Rewrite {
        done: Option<bool>,
    }
    read::<Rewrite>(answer).is_ok_and(|rewrite| rewrite.done != Some(false))
}

fn read<T: DeserializeOwned>(answer: &Response) -> Result<T, String> {
    serde_json::from_slice(&answer.body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use argo_gc_core::model::object::ObjectFacts;

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
