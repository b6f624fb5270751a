//! The S3 API, of AWS and its relatives. Signatures are object_store's; its listings leave out classes and odd keys.

pub mod credentials;

use crate::api::{Answer, ListKind, Page, Range, sendable, signable, unreadable};
use crate::bucket_client::BucketClient;
use crate::http::{Request, Response, encoded, time};
use crate::s3::credentials::AwsChain;
use crate::types::{BucketFacts, Restored, StoreError};
use crate::xml::xml;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, resolve_bucket_region};
use reqwest::Method;
use serde::Deserialize;
use std::borrow::Cow;
use tokio::sync::OnceCell;

/// Where nothing else is known, and what every relative of S3 takes.
const REGION: &str = "us-east-1";

/// What AWS's own calls itself.
const AWS: &str = "AmazonS3";

/// Between key and version in a token of ours: no version ID holds it.
const BETWEEN: char = '\n';

/// One bucket.
#[derive(Debug)]
pub(crate) struct S3 {
    /// Of the bucket, without a slash at its end.
    url: String,
    region: String,
    credentials: AwsChain,
    /// Set once the bucket was seen to be there.
    exists: OnceCell<()>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    contents: Vec<Content>,
    // Where these are missing, this is no listing but somebody's page.
    #[serde(rename = "Name")]
    _name: String,
    is_truncated: bool,
    encoding_type: Option<String>,
    next_continuation_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    key: String,
    #[serde(default)]
    last_modified: String,
    #[serde(rename = "ETag", default)]
    e_tag: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    storage_class: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    #[serde(default)]
    version: Vec<Version>,
    #[serde(default)]
    delete_marker: Vec<Version>,
    is_truncated: bool,
    encoding_type: Option<String>,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_version_id_marker: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Version {
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: String,
    #[serde(rename = "ETag")]
    e_tag: String,
    size: u64,
    storage_class: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ErrorBody {
    code: String,
    message: String,
}

/// A page of versions, its keys as they are.
struct VersionPage {
    version: Vec<Version>,
    delete_marker: Vec<Version>,
    /// Key and version to go on after.
    token: Option<String>,
}

fn read_versions(answer: &Response) -> Result<VersionPage, String> {
    let page: Versions = xml(&answer.body)?;
    let is_encoded = is_encoded(page.encoding_type.as_deref());
    let plain = |key: String| if is_encoded { decoded(&key).into_owned() } else { key };
    let plainly = |version: Version| Version { key: plain(version.key), ..version };
    let key = plain(page.next_key_marker);
    if page.is_truncated && key.is_empty() {
        return Err("the listing does not go on".to_owned());
    }
    Ok(VersionPage {
        version: page.version.into_iter().map(plainly).collect(),
        delete_marker: page.delete_marker.into_iter().map(plainly).collect(),
        token: page.is_truncated.then(|| format!("{key}{BETWEEN}{}", page.next_version_id_marker)),
    })
}

impl Version {
    fn facts(self) -> ObjectFacts {
        ObjectFacts {
            key: self.key,
            generation: self.version_id,
            size: self.size,
            created: time(&self.last_modified),
            storage_class: class(&self.storage_class).into(),
            crc32c: String::new(),
            held: None,
        }
    }
}

impl S3 {
    /// `url` is another endpoint than the bucket's own; one with `{bucket}` in it has the bucket in its host.
    ///
    /// # Errors
    /// The bucket's region can't be found out, or credentials can't be looked for.
    pub async fn open(bucket: &Bucket, url: Option<&str>, credentials: AwsChain) -> Result<Self, StoreError> {
        let name = bucket.name();
        // A key behind a query would not name an object any more.
        if url.is_some_and(|url| url.contains(['?', '#', '@'])) {
            return Err(StoreError::Failed {
                what: bucket.to_string(),
                message: "the endpoint has more in it than a host and a path".to_owned(),
            });
        }
        let chosen = credentials.region().await;
        let own = match url {
            Some(_) => None,
            None => match resolve_bucket_region(name, &ClientOptions::new()).await {
                Ok(region) => Some(region),
                Err(object_store::Error::NotFound { .. }) => {
                    return Err(StoreError::NoBucket(bucket.clone()));
                }
                Err(error) => match &chosen {
                    // Another partition of AWS than the public one.
                    Some(_) => None,
                    None => {
                        return Err(StoreError::Failed {
                            what: format!("the region of {bucket}"),
                            message: crate::http::innermost(&error),
                        });
                    }
                },
            },
        };
        let region = own.or(chosen).unwrap_or_else(|| REGION.to_owned());
        let url = match url {
            Some(url) if url.contains("{bucket}") => url.replace("{bucket}", name),
            Some(url) => format!("{}/{name}", url.trim_end_matches('/')),
            // The wildcard certificate covers one label only.
            None if name.contains('.') => format!("https://s3.{region}.amazonaws.com/{name}"),
            None => format!("https://{name}.s3.{region}.amazonaws.com"),
        };
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, region, credentials, exists: OnceCell::new() })
    }

    pub async fn identity(&self) -> String {
        match self.credentials.get().await {
            Ok(credential) => format!("AWS access key {}", credential.key_id),
            Err(why) => format!("nobody ({why})"),
        }
    }

    pub async fn sign(&self, call: &Request) -> Result<reqwest::Request, String> {
        let credential = self.credentials.get().await?;
        let mut request = signable(call)?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut request, None)
            .map_err(|error| format!("signing: {error}"))?;
        sendable(request)
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/{}", self.url, encoded(key, true))
    }

    pub fn head(&self, key: &str) -> Request {
        Request::new(Method::HEAD, self.object_url(key))
    }

    pub fn read_head(&self, key: &str, answer: &Response) -> Result<ObjectFacts, String> {
        let written = jiff::fmt::rfc2822::parse(answer.header("last-modified"))
            .map_err(|error| format!("last-modified: {error}"))?
            .timestamp();
        let until: Option<Timestamp> = time(answer.header("x-amz-object-lock-retain-until-date"));
        let held = match answer.header("x-amz-object-lock-legal-hold") {
            "ON" => Some("legal hold".to_owned()),
            // Whether it is over is told by the server's own clock.
            _ => until
                .filter(|until| {
                    jiff::fmt::rfc2822::parse(answer.header("date")).is_ok_and(|now| *until > now.timestamp())
                })
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

    /// A look at an object says nothing of its bucket: where that isn't there either, nothing is known to be gone.
    /// Nor is it where the "not found" may be that of whoever stands before the storage.
    ///
    /// # Errors
    /// There is no such bucket, it can't be listed, or its listing has the object.
    pub async fn ensure_absent(
        &self,
        remote: &BucketClient,
        key: &str,
        answer: &Response,
    ) -> Result<(), StoreError> {
        let look = async |prefix: &str| {
            let range = Range { most: Some(1), ..Range::of(prefix) };
            let what = || remote.bucket_name().uri(prefix);
            let answer = remote.call(self.list(&range, None)).await?;
            match remote.said(&answer) {
                Answer::Yes => self.read_list(&answer, range.kind).map_err(|why| unreadable(what(), &why)),
                said => Err(remote.error(said, what(), &answer)),
            }
        };
        self.exists.get_or_try_init(async || look("").await.map(|_| ())).await?;
        if !answer.header("x-amz-request-id").is_empty() {
            return Ok(());
        }
        match look(key).await?.objects.iter().any(|object| object.key == key) {
            true => Err(unreadable(remote.bucket_name().uri(key), "it isn't there, and is listed")),
            false => Ok(()),
        }
    }

    pub fn list(&self, range: &Range, token: Option<&str>) -> Request {
        let call = Request::new(Method::GET, format!("{}/", self.url));
        let mut call = match range.kind {
            ListKind::Live => call.query("list-type", "2"),
            ListKind::Noncurrent | ListKind::SoftDeleted => call.query("versions", ""),
        };
        // XML can't hold every key.
        call = call.query("encoding-type", "url").query("prefix", &range.prefix);
        if let Some(most) = range.most {
            call = call.query("max-keys", &most.min(1000).to_string());
        }
        match range.kind {
            ListKind::Live => {
                if let Some(after) = &range.after {
                    call = call.query("start-after", after);
                }
                if let Some(token) = token {
                    call = call.query("continuation-token", token);
                }
            }
            ListKind::Noncurrent | ListKind::SoftDeleted => {
                // The marker of a version goes with its key's.
                let marker = token.and_then(|token| token.rsplit_once(BETWEEN));
                if let Some(key) = marker.map(|(key, _)| key).or(range.after.as_deref()) {
                    call = call.query("key-marker", key);
                }
                if let Some((_, version)) = marker.filter(|(_, version)| !version.is_empty()) {
                    call = call.query("version-id-marker", version);
                }
            }
        }
        call
    }

    pub fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String> {
        let is_sure = answer.header("server") == AWS;
        if kind != ListKind::Live {
            let VersionPage { version, token, .. } = read_versions(answer)?;
            let objects = version.into_iter().filter(|version| !version.is_latest);
            let objects = objects.map(Version::facts).collect();
            return Ok(Page { objects, more: token.is_some(), token, is_sure });
        }
        let Listing { contents, is_truncated, encoding_type, next_continuation_token, .. } =
            xml(&answer.body)?;
        let is_encoded = is_encoded(encoding_type.as_deref());
        let object = |content: Content| {
            let written = time(&content.last_modified)
                .ok_or_else(|| format!("LastModified is {:?}", content.last_modified))?;
            let written = Timestamp::from_second(written.as_second()).map_err(|error| error.to_string())?;
            Ok(ObjectFacts {
                key: if is_encoded { decoded(&content.key).into_owned() } else { content.key },
                generation: pin(&content.e_tag, written),
                size: content.size,
                created: Some(written),
                storage_class: class(&content.storage_class).into(),
                crc32c: String::new(),
                held: None,
            })
        };
        let objects: Result<Vec<ObjectFacts>, String> = contents.into_iter().map(object).collect();
        let token = next_continuation_token.filter(|token| !token.is_empty());
        Ok(Page { objects: objects?, more: is_truncated || token.is_some(), token, is_sure })
    }

    pub fn delete(&self, key: &str, pin: &str) -> Option<Request> {
        let (tag, _) = pin.rsplit_once('@').filter(|(tag, _)| !tag.is_empty())?;
        // AWS and Ceph heed it; MinIO and others ignore it, so the object was looked at just before.
        Some(Request::new(Method::DELETE, self.object_url(key)).header("if-match", &format!("\"{tag}\"")))
    }

    pub fn said(&self, answer: &Response) -> Answer {
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

    pub fn message(&self, answer: &Response) -> String {
        let ErrorBody { code, message } = error(answer);
        match (message.is_empty(), code.is_empty()) {
            (false, false) => format!("{message} ({code})"),
            (false, true) => message,
            _ => code,
        }
    }

    pub async fn bucket(&self, remote: &BucketClient) -> Result<BucketFacts, StoreError> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Versioning {
            status: String,
        }
        let name = remote.bucket_name();
        let call = Request::new(Method::GET, format!("{}/", self.url)).query("versioning", "");
        let answer = remote.call(call).await?;
        match remote.said(&answer) {
            Answer::Yes => {
                let Versioning { status } =
                    xml(&answer.body).map_err(|why| unreadable(name.to_string(), &why))?;
                Ok(BucketFacts { versioning: status == "Enabled", looked_at: true, ..BucketFacts::of(name) })
            }
            Answer::NoBucket => Err(StoreError::NoBucket(name.clone())),
            // s3:GetBucketVersioning is not among what a purge needs.
            _ => Ok(BucketFacts { looked_at: true, ..BucketFacts::unread(name, remote.message(&answer)) }),
        }
    }

    /// All versions of what begins so, newest first for each key, and all delete markers.
    async fn versions(
        &self,
        remote: &BucketClient,
        prefix: &str,
    ) -> Result<(Vec<Version>, Vec<Version>), StoreError> {
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        let range = Range { kind: ListKind::Noncurrent, ..Range::of(prefix) };
        let mut token: Option<String> = None;
        loop {
            let answer = remote.call(self.list(&range, token.as_deref())).await?;
            let what = || remote.bucket_name().uri(prefix);
            let said = remote.said(&answer);
            if said != Answer::Yes {
                return Err(remote.error(said, what(), &answer));
            }
            let page = read_versions(&answer).map_err(|why| unreadable(what(), &why))?;
            versions.extend(page.version);
            markers.extend(page.delete_marker);
            if page.token.is_none() {
                return Ok((versions, markers));
            }
            token = remote.next(&range, token.as_ref(), page.token)?;
        }
    }

    /// Takes away the delete marker that hides the version which was deleted.
    pub async fn restore(&self, remote: &BucketClient, key: &str, pin: &str) -> Restored {
        let failed = |why: String| Restored::Failed(why);
        let (version, delete_marker) = match self.versions(remote, key).await {
            Ok(versions) => versions,
            Err(error) => return failed(error.to_string()),
        };
        let is_its = |other: &&Version| other.key == key;
        if version.iter().filter(is_its).any(|other| other.is_latest) {
            return Restored::Taken;
        }
        let is_pinned = |other: &Version| {
            let written =
                time(&other.last_modified).and_then(|at| Timestamp::from_second(at.as_second()).ok());
            written.is_some_and(|written| crate::s3::pin(&other.e_tag, written) == pin)
        };
        // Versions come newest first: below the marker lies what it hides.
        let hidden = version.iter().find(is_its).filter(|other| is_pinned(other));
        let marker = delete_marker.iter().filter(is_its).find(|marker| marker.is_latest);
        let (Some(_), Some(marker)) = (hidden, marker) else { return Restored::Lost };
        let call = Request::new(Method::DELETE, self.object_url(key)).query("versionId", &marker.version_id);
        match remote.call(call).await {
            // Below the marker may lie another: the name was deleted twice.
            Ok(answer) if remote.said(&answer) == Answer::Yes => match remote.head(key).await {
                Ok(Some(_)) => Restored::Restored,
                Ok(None) => failed("another delete marker hides it".to_owned()),
                Err(error) => failed(error.to_string()),
            },
            Ok(answer) => failed(remote.message(&answer)),
            Err(error) => failed(error.to_string()),
        }
    }
}

/// An ETag is of the content: written again with the same, an object has the same one. So the time counts too.
fn pin(tag: &str, written: Timestamp) -> String {
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    match tag.is_empty() {
        true => String::new(),
        false => format!("{tag}@{}", written.as_second()),
    }
}

/// Where there is none, it is the standard one.
fn class(name: &str) -> &str {
    if name.is_empty() { "STANDARD" } else { name }
}

pub(crate) fn error(answer: &Response) -> ErrorBody {
    xml(&answer.body).unwrap_or_default()
}

/// Whether a listing's keys are encoded, as it was asked to.
fn is_encoded(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("url"))
}

/// Undoes the encoding of keys: a space may be a plus.
fn decoded(key: &str) -> Cow<'_, str> {
    if !key.contains(['%', '+']) {
        return key.into();
    }
    // The form's decoder takes `&` and `=` for separators; encoded keys hold neither.
    let whole = key.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(whole.as_bytes())
        .next()
        .map_or_else(String::new, |(key, _)| key.into_owned())
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::encoded;
    use crate::xml::xml;
    use jiff::Timestamp;

    #[test]
    fn keys_come_back_as_they_were() {
        for (encoded, key) in [
            ("a/b.tgz", "a/b.tgz"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("x%3D1%26y", "x=1&y"),
            ("a=b&c%25", "a=b&c%"),
            ("%C3%A9", "é"),
        ] {
            assert_eq!(decoded(encoded), key);
        }
    }

    #[test]
    fn keys_that_are_not_encoded_keep_their_spaces() {
        let body = "<ListBucketResult><Name>b</Name><Contents><Key> a b+c </Key><ETag>\"e\"</ETag></Contents>\
            <IsTruncated>false</IsTruncated></ListBucketResult>";
        let listing: Result<Listing, String> = xml(body.as_bytes());
        let keys: Vec<_> = listing.map_or_else(
            |error| vec![error],
            |listing| listing.contents.into_iter().map(|content| content.key).collect(),
        );
        assert_eq!(keys, [" a b+c "]);
    }

    #[test]
    fn a_pin_needs_a_tag() {
        assert_eq!(pin("\"abc\"", Timestamp::UNIX_EPOCH), "abc@0");
        assert_eq!(pin("", Timestamp::UNIX_EPOCH), "");
    }
}
