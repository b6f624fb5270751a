//! The S3 API, of AWS and of S3-compatible servers. object_store signs the requests; its own listings leave out storage
//! classes and keys that are no paths.

mod bulk;
pub mod credentials;
pub(crate) mod key_file;
mod listing;
mod marks;
mod words;

use crate::api::{Answer, Api, Bulk, Connection, KeyAnswer};
use crate::http::{Request, Response, encoded};
use crate::labels::Marks;
use crate::listing::{ListKind, Page, Range, Trail};
use crate::parse::{header_time, time, xml};
use crate::s3::credentials::AwsChain;
use crate::s3::listing::{
    Trace, Version, VersionPage, class, pin, read_live, read_versions, split_token, tag, trace,
};
use crate::signing::{sendable, signable};
use crate::types::{BucketFacts, Pinned, Restored, StoreError, innermost};
use argo_gc_core::model::bucket::{Bucket, host, is_amazon_s3};
use argo_gc_core::model::object::ObjectFacts;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, resolve_bucket_region};
use reqwest::Method;
use serde::Deserialize;
use std::collections::HashMap;
use tokio::sync::OnceCell;

/// The region where none is known; S3-compatible servers accept it.
const REGION: &str = "us-east-1";

/// Versions and delete markers that are read for a key and those that begin with it.
const MOST_VERSIONS: usize = 100_000;

/// One bucket.
#[derive(Debug)]
pub(crate) struct S3 {
    /// The URL of the bucket, without a slash at its end.
    url: String,
    region: String,
    /// True if the host is Amazon's, whose listings are complete and in byte order. Nothing that a server says about
    /// itself counts: rclone and others call themselves AmazonS3.
    is_amazon: bool,
    credentials: AwsChain,
    /// Set once the bucket is known to exist.
    exists: OnceCell<()>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Versioning {
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ObjectLock {
    object_lock_enabled: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorBody {
    code: String,
    message: String,
}

impl S3 {
    /// `url` replaces the endpoint of AWS; `{bucket}` in it is replaced by the bucket's name. `region` counts where AWS
    /// does not tell the bucket's.
    ///
    /// # Errors
    /// The bucket does not exist, or its region can't be determined.
    pub async fn open(
        bucket: &Bucket,
        url: Option<&str>,
        credentials: AwsChain,
        region: Option<String>,
    ) -> Result<Self, StoreError> {
        let name = bucket.name();
        // After a query a key would not be part of the path.
        if url.is_some_and(|url| url.contains(['?', '#', '@'])) {
            return Err(StoreError::Failed {
                what: bucket.to_string(),
                message: "the endpoint has more in it than a host and a path".to_owned(),
            });
        }
        let own = match url {
            Some(_) => None,
            None => match resolve_bucket_region(name, &ClientOptions::new()).await {
                Ok(region) => Some(region),
                Err(object_store::Error::NotFound { .. }) => {
                    return Err(StoreError::NoBucket(bucket.clone()));
                }
                Err(error) => match &region {
                    // The bucket may be in another partition of AWS (China, GovCloud), which this request can't find.
                    Some(_) => None,
                    None => {
                        return Err(StoreError::Failed {
                            what: format!("the region of {bucket}"),
                            message: innermost(&error),
                        });
                    }
                },
            },
        };
        let region = own.or(region).unwrap_or_else(|| REGION.to_owned());
        let is_amazon = url.is_none_or(is_amazon);
        let url = match url {
            Some(url) if url.contains("{bucket}") => url.replace("{bucket}", name),
            Some(url) => format!("{}/{name}", url.trim_end_matches('/')),
            // AWS's wildcard certificate covers one label only, so a name with dots can't be in the host.
            None if name.contains('.') => format!("https://s3.{region}.amazonaws.com/{name}"),
            None => format!("https://{name}.s3.{region}.amazonaws.com"),
        };
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, region, is_amazon, credentials, exists: OnceCell::new() })
    }

    /// The same bucket, at a server which is as good as Amazon's.
    pub fn at_amazon(self) -> Self {
        Self { is_amazon: true, ..self }
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/{}", self.url, encoded(key, true))
    }

    async fn authorized(&self, request: &Request) -> Result<reqwest::Request, String> {
        let credential = self.credentials.get().await?;
        let mut signed = signable(request)?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut signed, None)
            .map_err(|error| format!("signing: {error}"))?;
        sendable(signed)
    }

    /// The first page of the live objects with a prefix, one object long.
    async fn first(&self, connection: &Connection, prefix: &str) -> Result<Page, StoreError> {
        let range = Range { most: Some(1), ..Range::of(prefix) };
        let answer = connection.send(self.list(&range, None)).await?;
        let what = connection.bucket().uri(prefix);
        connection.read(&answer, what, |answer| self.read_list(answer, range.kind))
    }

    /// A HEAD's 404 has no body, so it does not show whether the object or the whole bucket is missing. If the bucket
    /// is missing, nothing is known about the object. A 404 without S3's request ID may be that of a proxy.
    async fn verify_absent(
        &self,
        connection: &Connection,
        key: &str,
        answer: &Response,
    ) -> Result<(), StoreError> {
        self.exists.get_or_try_init(async || self.first(connection, key).await.map(|_| ())).await?;
        if !answer.header("x-amz-request-id").is_empty() {
            return Ok(());
        }
        match self.first(connection, key).await?.objects.iter().any(|object| object.key == key) {
            true => {
                let what = connection.bucket().uri(key);
                Err(StoreError::unreadable(what, "it isn't there, and is listed"))
            }
            false => Ok(()),
        }
    }

    /// Asks for a setting of the bucket.
    async fn setting(&self, connection: &Connection, name: &'static str) -> Result<Response, StoreError> {
        connection.send(Request::new(Method::GET, format!("{}/", self.url)).query(name, "")).await
    }

    async fn settings(&self, connection: &Connection) -> Result<BucketFacts, StoreError> {
        let bucket = connection.bucket();
        let answer = self.setting(connection, "versioning").await?;
        match connection.meaning(&answer) {
            Answer::Yes => {
                let Versioning { status } =
                    xml(&answer.body).map_err(|why| StoreError::unreadable(bucket.to_string(), &why))?;
                Ok(BucketFacts { versioning: status == "Enabled", ..BucketFacts::of(bucket) })
            }
            Answer::NoBucket => Err(StoreError::NoBucket(bucket.clone())),
            // A purge does not need the permission s3:GetBucketVersioning.
            _ => Ok(BucketFacts::unread(bucket, connection.message(&answer))),
        }
    }

    /// True if objects of the bucket can have holds and retentions; none if that can't be told. A bucket that was never
    /// versioned has no object lock.
    async fn has_object_lock(&self, connection: &Connection) -> Option<bool> {
        let answer = self.setting(connection, "versioning").await.ok()?;
        let is_answer = String::from_utf8_lossy(&answer.body).contains("<VersioningConfiguration");
        if connection.meaning(&answer) == Answer::Yes && is_answer {
            let Versioning { status } = xml(&answer.body).ok()?;
            if status.is_empty() {
                return Some(false);
            }
        }
        let answer = self.setting(connection, "object-lock").await.ok()?;
        match connection.meaning(&answer) {
            Answer::Yes => {
                let ObjectLock { object_lock_enabled } = xml(&answer.body).ok()?;
                (object_lock_enabled == "Enabled").then_some(true)
            }
            _ => (error(&answer).code == "ObjectLockConfigurationNotFoundError").then_some(false),
        }
    }

    /// All versions and all delete markers of the keys with a prefix, newest first for each key. Other listings have no
    /// delete markers, so a restore can't use them.
    async fn versions(
        &self,
        connection: &Connection,
        prefix: &str,
    ) -> Result<(Vec<Version>, Vec<Version>), StoreError> {
        let (mut versions, mut markers, mut trail) = (Vec::new(), Vec::new(), Trail::default());
        let range = Range { kind: ListKind::Noncurrent, ..Range::of(prefix) };
        let mut token: Option<String> = None;
        loop {
            let answer = connection.send(self.list(&range, token.as_deref())).await?;
            let page = connection.read(&answer, connection.bucket().uri(prefix), read_versions)?;
            versions.extend(page.versions);
            markers.extend(page.delete_markers);
            if versions.len() + markers.len() > MOST_VERSIONS {
                let what = connection.bucket().uri(prefix);
                return Err(StoreError::TooMany { what, most: MOST_VERSIONS });
            }
            token = connection.follow(&range, &mut trail, page.token, &page.first)?;
            if token.is_none() {
                return Ok((versions, markers));
            }
        }
    }

    /// Deletes the delete marker that hides the object with the pin.
    async fn undelete(&self, connection: &Connection, key: &str, pin: &str) -> Restored {
        let (versions, markers) = match self.versions(connection, key).await {
            Ok(versions) => versions,
            Err(error) => return connection.not_restored(Err(error)),
        };
        let marker = match trace(key, pin, &versions, &markers) {
            Trace::Live => return Restored::Taken,
            Trace::Nowhere => return Restored::Lost,
            Trace::Buried(id) => {
                return Restored::Failed(format!(
                    "it is kept as version {id}, which is not the one that removing its delete marker would \
                     restore; copy that version back yourself"
                ));
            }
            Trace::Behind(marker) => marker,
        };
        let request = Request::new(Method::DELETE, self.object_url(key)).query("versionId", marker);
        let answer = match marker {
            "null" => match self.remove_null(connection, key, &request).await {
                Ok(answer) => Ok(answer),
                Err(restored) => return restored,
            },
            _ => connection.send(request).await,
        };
        // If the object was deleted twice, another marker still hides it.
        let is_it = |now: &ObjectFacts| tag(&now.generation) == tag(pin);
        connection.restored(key, answer, is_it, "another delete marker hides it").await
    }

    /// Deletes the version `null` while it is a delete marker. A bucket whose versioning is suspended gives this ID to
    /// whatever is written next, so nothing may be live just before, and the request is never sent twice.
    async fn remove_null(
        &self,
        connection: &Connection,
        key: &str,
        request: &Request,
    ) -> Result<Response, Restored> {
        match connection.head(key).await {
            Ok(None) => {}
            Ok(Some(_)) => return Err(Restored::Taken),
            Err(error) => return Err(Restored::Failed(error.to_string())),
        }
        let signed = connection.sign(request).await;
        let signed = signed.map_err(|error| Restored::Failed(error.to_string()))?;
        connection.send_once(request, signed).await.map_err(|lost| {
            Restored::Failed(format!(
                "{}; it was tried only once, because its delete marker is version null",
                lost.why
            ))
        })
    }
}

impl Api for S3 {
    fn identity(&self) -> BoxFuture<'_, String> {
        async {
            match self.credentials.get().await {
                Ok(credential) => match self.credentials.name() {
                    Some(name) => format!("access key {} ({name})", credential.key_id),
                    None => format!("AWS access key {}", credential.key_id),
                },
                Err(why) => format!("nobody ({why})"),
            }
        }
        .boxed()
    }

    fn sign<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<reqwest::Request, String>> {
        self.authorized(request).boxed()
    }

    fn head(&self, key: &str) -> Request {
        Request::new(Method::HEAD, self.object_url(key))
    }

    fn get(&self, key: &str) -> Request {
        Request::new(Method::GET, self.object_url(key))
    }

    fn read_head(&self, key: &str, answer: &Response) -> Result<ObjectFacts, String> {
        let written =
            header_time(answer.header("last-modified")).map_err(|error| format!("last-modified: {error}"))?;
        let until: Option<Timestamp> = time(answer.header("x-amz-object-lock-retain-until-date"));
        let held = match answer.header("x-amz-object-lock-legal-hold") {
            "ON" => Some("legal hold".to_owned()),
            // The server's own clock decides whether the retention has ended.
            _ => until
                .filter(|until| header_time(answer.header("date")).is_ok_and(|now| *until > now))
                .map(|until| format!("retained until {until}")),
        };
        let size =
            answer.header("content-length").parse().map_err(|_| "it has no content-length".to_owned())?;
        Ok(ObjectFacts {
            key: key.to_owned(),
            generation: pin(answer.header("etag"), written),
            size,
            created: Some(written),
            storage_class: class(answer.header("x-amz-storage-class")).into(),
            crc32c: String::new(),
            held,
        })
    }

    fn list(&self, range: &Range, token: Option<&str>) -> Request {
        let request = Request::new(Method::GET, format!("{}/", self.url));
        let mut request = match range.kind {
            ListKind::Live => request.query("list-type", "2"),
            ListKind::Noncurrent | ListKind::SoftDeleted => request.query("versions", ""),
        };
        // XML can't hold every key, so keys are asked for in their encoded form.
        request = request.query("encoding-type", "url").query("prefix", &range.prefix);
        if let Some(most) = range.most {
            request = request.query("max-keys", &most.min(1000).to_string());
        }
        match range.kind {
            ListKind::Live => {
                if let Some(after) = &range.after {
                    request = request.query("start-after", after);
                }
                if let Some(token) = token {
                    request = request.query("continuation-token", token);
                }
            }
            ListKind::Noncurrent | ListKind::SoftDeleted => {
                // A version marker is valid only together with its key marker.
                let marker = token.and_then(split_token);
                if let Some(key) = marker.map(|(key, _)| key).or(range.after.as_deref()) {
                    request = request.query("key-marker", key);
                }
                if let Some((_, version)) = marker.filter(|(_, version)| !version.is_empty()) {
                    request = request.query("version-id-marker", version);
                }
            }
        }
        request
    }

    fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String> {
        let is_sure = self.is_amazon;
        if kind == ListKind::Live {
            return read_live(answer, is_sure);
        }
        let VersionPage { versions, token, first, .. } = read_versions(answer)?;
        let noncurrent = versions.into_iter().filter(|version| !version.is_latest);
        let objects = noncurrent.map(Version::facts).collect();
        Ok(Page { objects, first, more: token.is_some(), token, is_sure })
    }

    fn delete(&self, key: &str, pin: &str) -> Option<Request> {
        let (tag, _) = pin.rsplit_once('@').filter(|(tag, _)| !tag.is_empty())?;
        // AWS and Ceph obey if-match; MinIO and others ignore it (see `may_ignore_pins`).
        Some(Request::new(Method::DELETE, self.object_url(key)).header("if-match", &format!("\"{tag}\"")))
    }

    fn meaning(&self, answer: &Response) -> Answer {
        let code = error(answer).code;
        match (answer.status, code.as_str()) {
            (404, "NoSuchBucket") => Answer::NoBucket,
            (404, _) => Answer::NoObject,
            (412 | 409, "PreconditionFailed" | "ConditionalRequestConflict") | (412, _) => Answer::Changed,
            (403, _) if error(answer).message.to_lowercase().contains("object lock") => Answer::Held,
            (401 | 403, _) => Answer::Denied,
            _ => Answer::Refused,
        }
    }

    fn message(&self, answer: &Response) -> String {
        let ErrorBody { code, message } = error(answer);
        match (message.is_empty(), code.is_empty()) {
            (false, false) => format!("{message} ({code})"),
            (false, true) => message,
            _ => code,
        }
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

    fn ensure_absent<'a>(
        &'a self,
        connection: &'a Connection,
        key: &'a str,
        answer: &'a Response,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.verify_absent(connection, key, answer).boxed()
    }

    fn lists_in_byte_order(&self) -> bool {
        self.is_amazon
    }

    /// MinIO and others ignore if-match.
    fn may_ignore_pins(&self) -> bool {
        !self.is_amazon
    }

    /// An ETag does not tell what was written again with the same content; the time of the object does.
    fn looks_before(&self) -> bool {
        true
    }

    /// A listing shows no holds. Amazon lets a held object be hidden by a delete marker, so there it must be certain that
    /// nothing can be held. At other servers each object is asked for just before its delete, which shows its holds.
    fn lists_all_facts<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, bool> {
        async {
            match self.has_object_lock(connection).await {
                Some(has) => !has,
                None => !self.is_amazon,
            }
        }
        .boxed()
    }

    fn together(&self) -> usize {
        bulk::MOST
    }

    fn marks(&self) -> Option<&dyn Marks> {
        Some(self)
    }

    /// MinIO and others ignore the ETags.
    fn bulk(&self) -> Option<&dyn Bulk> {
        self.is_amazon.then_some(self as &dyn Bulk)
    }
}

impl Bulk for S3 {
    fn fits(&self, object: &Pinned<'_>) -> bool {
        self.is_addressable(object.key) && bulk::fits(object)
    }

    fn request(&self, objects: &[Pinned<'_>]) -> Request {
        bulk::request(&self.url, objects)
    }

    fn read(&self, answer: &Response) -> Result<HashMap<String, KeyAnswer>, String> {
        bulk::read(answer)
    }
}

/// True if the URL of an override leads to Amazon S3 itself. Without TLS anybody might answer.
fn is_amazon(url: &str) -> bool {
    let bare = url.replace("{bucket}.", "");
    bare.starts_with("https://") && is_amazon_s3(host(&bare))
}

fn error(answer: &Response) -> ErrorBody {
    xml(&answer.body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_and_tls_tell_amazon() {
        for url in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://{bucket}.s3.eu-west-1.amazonaws.com/",
            "https://s3.cn-north-1.amazonaws.com.cn/x",
        ] {
            assert!(is_amazon(url), "{url}");
        }
        for url in [
            "http://s3.eu-west-1.amazonaws.com",
            "https://minio:9000/s3.amazonaws.com",
            "https://s3.amazonaws.com.evil.example",
            "https://s3-1.eu-west-1.elb.amazonaws.com",
            "http://127.0.0.1:9000",
        ] {
            assert!(!is_amazon(url), "{url}");
        }
    }
}
