//! The GCS JSON API. object_store lacks generation pins, holds, soft delete and bucket settings, so requests are made
//! here.

pub mod credentials;
mod marks;
mod token;

use crate::api::{Answer, Api, Connection, is_dots};
use crate::gcs::credentials::Credentials;
use crate::http::{Request, Response, address, encoded};
use crate::labels::Marks;
use crate::listing::{ListKind, Page, Range, entry};
use crate::parse::time;
use crate::types::{BucketFacts, Restored, StoreError};
use argo_gc_core::model::object::ObjectFacts;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Method;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use std::sync::{Arc, LazyLock};

/// The permissions that a purge needs on a bucket.
const PERMISSIONS: [&str; 3] = ["storage.objects.list", "storage.objects.get", "storage.objects.delete"];

/// The one that marks need besides.
const TO_MARK: &str = "storage.objects.update";

/// Objects per page.
const PAGE: usize = 1000;

/// The fields of an object that are asked for.
const FIELDS: &str = "name,generation,size,timeCreated,storageClass,crc32c,temporaryHold,eventBasedHold,\
                      retentionExpirationTime,retention,timeDeleted";

/// One bucket at Google or at an emulator.
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
    /// Set for a version that is no longer the live one.
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

/// Implemented by hand: a derived untagged enum would create an error per listed object for the variant that does not
/// fit.
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
        // Only the storage knows whether a retention has ended: its answer to the delete shows that.
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

/// Returns a storage class. Nearly all objects have one of the known classes, whose names are allocated once.
fn storage_class(name: &str) -> Arc<str> {
    static KNOWN: LazyLock<[Arc<str>; 4]> =
        LazyLock::new(|| ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"].map(Arc::from));
    KNOWN.iter().find(|known| &***known == name).map_or_else(|| name.into(), Arc::clone)
}

/// The settings of a bucket (cloud.google.com/storage/docs/json_api/v1/buckets#resource).
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

    /// True if the API itself answered, rather than a proxy.
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

    /// True if a 403 is caused by a hold or by retention rather than by missing permissions.
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
    /// Without an `endpoint`, which is that of an emulator, Google is asked.
    pub fn new(endpoint: Option<&str>, bucket: &str, credentials: Credentials) -> Self {
        let endpoint = match endpoint {
            None => "https://storage.googleapis.com".to_owned(),
            Some(host) if host.contains("://") => host.trim_end_matches('/').to_owned(),
            Some(host) => format!("http://{}", host.trim_end_matches('/')),
        };
        Self { url: format!("{endpoint}/storage/v1/b/{}", encoded(bucket, false)), credentials }
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/o/{}", self.url, encoded(key, false))
    }

    async fn authorized(&self, request: &Request) -> Result<reqwest::Request, String> {
        let mut signed = reqwest::Request::new(request.method.clone(), address(&request.full_url())?);
        for (name, value) in &request.headers {
            let value = http::HeaderValue::try_from(value).map_err(|_| format!("{value:?} is no header"))?;
            signed.headers_mut().insert(*name, value);
        }
        if !request.body.is_empty() {
            *signed.body_mut() = Some(request.body.clone().into());
        }
        if let Some(token) = self.credentials.token().await? {
            let mut value = http::HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "the token is no header".to_owned())?;
            value.set_sensitive(true);
            signed.headers_mut().insert(http::header::AUTHORIZATION, value);
        }
        Ok(signed)
    }

    async fn settings(&self, connection: &Connection) -> Result<BucketFacts, StoreError> {
        let bucket = connection.bucket();
        let answer = connection.send(Request::new(Method::GET, self.url.clone())).await?;
        match connection.meaning(&answer) {
            Answer::NoObject | Answer::NoBucket => Err(StoreError::NoBucket(bucket.clone())),
            // A purge does not need the permission storage.buckets.get.
            Answer::Denied => Ok(BucketFacts::unread(bucket, connection.message(&answer))),
            _ => {
                let settings: Settings = connection.read(&answer, bucket.to_string(), read)?;
                Ok(BucketFacts {
                    soft_delete_seconds: settings.soft_delete_policy.retention_duration_seconds.number(),
                    versioning: settings.versioning.enabled,
                    retention_seconds: settings.retention_policy.retention_period.number(),
                    lifecycle_rules: settings.lifecycle.rule.len(),
                    ..BucketFacts::of(bucket)
                })
            }
        }
    }

    async fn permissions_lacked(
        &self,
        connection: &Connection,
        marks: bool,
    ) -> Result<Vec<String>, StoreError> {
        #[derive(Deserialize)]
        struct Granted {
            #[serde(default)]
            permissions: Vec<String>,
        }
        let needed = || PERMISSIONS.iter().chain(marks.then_some(&TO_MARK));
        let request = Request::new(Method::GET, format!("{}/iam/testPermissions", self.url));
        let request = needed().fold(request, |request, permission| request.query("permissions", permission));
        let answer = connection.send(request).await?;
        // Emulators don't implement this request.
        if !self.credentials.is_real() && matches!(answer.status, 404 | 405 | 501) {
            return Ok(Vec::new());
        }
        let what = format!("permissions on {}", connection.bucket());
        let granted: Granted = connection.read(&answer, what, read)?;
        let is_missing = |permission: &&&str| !granted.permissions.iter().any(|given| given == **permission);
        Ok(needed().filter(is_missing).map(|permission| (*permission).to_owned()).collect())
    }

    async fn undelete(&self, connection: &Connection, key: &str, generation: &str) -> Restored {
        let object = self.object_url(key);
        let restore = Request::new(Method::POST, format!("{object}/restore"))
            .query("generation", generation)
            .query("ifGenerationMatch", "0");
        // A noncurrent version is restored by a copy to its own key, which must not exist.
        let name = encoded(connection.bucket().name(), false);
        let copy =
            Request::new(Method::POST, format!("{object}/rewriteTo/b/{name}/o/{}", encoded(key, false)))
                .query("sourceGeneration", generation)
                .query("ifGenerationMatch", "0");
        let mut lost = Restored::Lost;
        for request in [restore, copy] {
            let answer = match connection.send(request).await {
                Ok(answer) => answer,
                Err(error) => {
                    lost = connection.not_restored(Err(error));
                    continue;
                }
            };
            match connection.meaning(&answer) {
                Answer::Yes if is_done(&answer) => return Restored::Restored,
                Answer::Yes => lost = Restored::Failed("the copy was not made at once".to_owned()),
                Answer::Changed if answer.is_retry => {
                    let why = "an object is there now; whether it is this one is not certain, because the answer to an \
                               earlier try was lost";
                    return Restored::Failed(why.to_owned());
                }
                Answer::Changed => return Restored::Taken,
                Answer::NoObject => {}
                // A bucket without soft delete knows of no such request.
                _ if answer.status == 400 && ErrorInfo::is_one(&answer) => {}
                _ => lost = connection.not_restored(Ok(answer)),
            }
        }
        lost
    }
}

impl Api for Gcs {
    fn identity(&self) -> BoxFuture<'_, String> {
        async { self.credentials.identity().to_owned() }.boxed()
    }

    fn sign<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<reqwest::Request, String>> {
        self.authorized(request).boxed()
    }

    fn head(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key)).query("fields", FIELDS)
    }

    fn get(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key)).query("alt", "media")
    }

    fn read_head(&self, _key: &str, answer: &Response) -> Result<ObjectFacts, String> {
        read::<Object>(answer).map(ObjectFacts::from)
    }

    fn list(&self, range: &Range, token: Option<&str>) -> Request {
        let mut request = Request::new(Method::GET, format!("{}/o", self.url))
            .query("prefix", &range.prefix)
            .query("maxResults", &range.most.unwrap_or(PAGE).min(PAGE).to_string())
            .query("fields", &format!("kind,nextPageToken,items({FIELDS})"));
        match range.kind {
            ListKind::Live => {}
            ListKind::Noncurrent => request = request.query("versions", "true"),
            ListKind::SoftDeleted => request = request.query("softDeleted", "true"),
        }
        // A listing includes the key at its offset.
        if let Some(after) = &range.after {
            request = request.query("startOffset", after);
        }
        match token {
            Some(token) => request.query("pageToken", token),
            None => request,
        }
    }

    fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String> {
        let Objects { kind: resource, items, next_page_token } = read(answer)?;
        // In an empty listing nothing else shows that the API answered rather than a proxy.
        if resource != "storage#objects" {
            return Err(format!("it is no listing but {resource:?}"));
        }
        let token = next_page_token.filter(|token| !token.is_empty());
        let first = items.first().map_or_else(String::new, |first| entry(&first.name, &first.generation.0));
        // A listing of versions includes the live ones.
        let is_asked_for = |object: &Object| kind != ListKind::Noncurrent || object.time_deleted.is_some();
        let objects = items.into_iter().filter(is_asked_for).map(ObjectFacts::from).collect();
        Ok(Page { objects, first, more: token.is_some(), token, is_sure: true })
    }

    fn delete(&self, key: &str, generation: &str) -> Option<Request> {
        // Without a generation there is no pin, and "0" would mean "must not exist".
        let is_pin = !generation.is_empty() && generation != "0";
        is_pin.then(|| {
            Request::new(Method::DELETE, self.object_url(key)).query("ifGenerationMatch", generation)
        })
    }

    fn meaning(&self, answer: &Response) -> Answer {
        let error = || ErrorInfo::of(answer);
        match answer.status {
            404 if error().says("bucket does not exist") => Answer::NoBucket,
            // The 404 of a proxy says nothing about the object.
            404 if ErrorInfo::is_one(answer) => Answer::NoObject,
            412 => Answer::Changed,
            403 if error().is_hold() => Answer::Held,
            401 | 403 => Answer::Denied,
            _ => Answer::Refused,
        }
    }

    fn message(&self, answer: &Response) -> String {
        ErrorInfo::of(answer).message
    }

    fn bucket<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<BucketFacts, StoreError>> {
        self.settings(connection).boxed()
    }

    fn restore<'a>(
        &'a self,
        connection: &'a Connection,
        key: &'a str,
        pin: &'a str,
    ) -> BoxFuture<'a, Restored> {
        self.undelete(connection, key, pin).boxed()
    }

    fn missing_permissions<'a>(
        &'a self,
        connection: &'a Connection,
        marks: bool,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.permissions_lacked(connection, marks).boxed()
    }

    fn marks(&self) -> Option<&dyn Marks> {
        Some(self)
    }

    /// Slashes in a key are encoded, so only a key that is all dots would be resolved.
    fn is_addressable(&self, key: &str) -> bool {
        !key.is_empty() && !is_dots(key)
    }

    fn lists_all_facts<'a>(&'a self, _connection: &'a Connection) -> BoxFuture<'a, bool> {
        async { true }.boxed()
    }

    /// Google checks them, and another endpoint is an emulator, without credentials and with nothing of value.
    fn may_ignore_pins(&self) -> bool {
        false
    }
}

/// True if a rewrite is complete: a large one takes several requests.
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
