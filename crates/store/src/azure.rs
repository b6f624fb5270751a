//! Azure Blob Storage. object_store signs the requests; deletes are pinned by the ETag, which every write changes.

pub mod credentials;
mod marks;

use crate::api::{Answer, Api, Connection};
use crate::azure::credentials::{AzureChain, account};
use crate::http::{Request, Response, encoded};
use crate::labels::Marks;
use crate::listing::{ListKind, Page, Range, entry};
use crate::parse::{header_time, xml};
use crate::signing::{sendable, signable};
use crate::types::{BucketFacts, Restored, StoreError, innermost};
use argo_gc_core::model::bucket::{Bucket, host, is_azure};
use argo_gc_core::model::object::ObjectFacts;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::azure::{AzureAuthorizer, AzureCredential, AzureCredentialProvider};
use reqwest::Method;
use serde::Deserialize;
use tokio::sync::OnceCell;

/// What a listing is asked for, so that it tells the holds of each blob.
const HOLDS: &str = "immutabilitypolicy,legalhold";

/// Blobs that are looked at for versions.
const SOME: usize = 100;

/// One container.
#[derive(Debug)]
pub(crate) struct Azure {
    /// The URL of the account.
    endpoint: String,
    /// The URL of the container.
    url: String,
    account: String,
    /// True if the host is Azure's own.
    is_azure: bool,
    credentials: AzureCredentialProvider,
    identity: String,
    /// Whether listings take [`HOLDS`], once that was tried.
    lists_holds: OnceCell<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    // Required: a page without it is not a listing, but was sent by a proxy.
    blobs: Blobs,
    next_marker: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Blobs {
    blob: Vec<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blob {
    name: Name,
    properties: Properties,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    version_id: String,
}

impl Blob {
    fn facts(self) -> Result<ObjectFacts, String> {
        // XML can't hold every name, so some are percent-encoded.
        let key = match self.name.encoded {
            true => percent_decoded(&self.name.text)?,
            false => self.name.text,
        };
        facts(key, self.properties)
    }
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "@Encoded", default)]
    encoded: bool,
    #[serde(rename = "$text", default)]
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Properties {
    #[serde(rename = "Last-Modified")]
    last_modified: String,
    #[serde(rename = "Etag")]
    e_tag: String,
    #[serde(rename = "Content-Length")]
    content_length: u64,
    #[serde(rename = "AccessTier")]
    access_tier: String,
    #[serde(rename = "LegalHold")]
    legal_hold: bool,
    #[serde(rename = "ImmutabilityPolicyUntilDate")]
    immutable_until: String,
    #[serde(rename = "LeaseState")]
    lease_state: String,
}

impl Azure {
    /// `url` replaces the account's own endpoint.
    ///
    /// # Errors
    /// There are no credentials for the account.
    pub fn open(bucket: &Bucket, url: Option<&str>, chain: &AzureChain) -> Result<Self, StoreError> {
        let account = account(bucket.endpoint());
        let endpoint = url.unwrap_or(bucket.endpoint()).trim_end_matches('/').to_owned();
        let (credentials, identity) = chain.find(&account, bucket)?;
        let url = format!("{endpoint}/{}", encoded(bucket.name(), false));
        let is_azure = endpoint.starts_with("https://") && is_azure(host(&endpoint));
        let lists_holds = OnceCell::new();
        Ok(Self { endpoint, url, account, is_azure, credentials, identity, lists_holds })
    }

    /// The same container, at a server which is as good as Azure's.
    pub fn at_azure(self) -> Self {
        Self { is_azure: true, ..self }
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/{}", self.url, encoded(key, true))
    }

    async fn authorized(&self, request: &Request) -> Result<reqwest::Request, String> {
        let credential = self.credentials.get_credential().await;
        let credential =
            credential.map_err(|error| format!("no Azure credentials: {}", innermost(&error)))?;
        let mut signed = signable(request)?;
        if let AzureCredential::BearerToken(_) = &*credential
            && signed.uri().scheme_str() != Some("https")
        {
            return Err("a token is sent over https only".to_owned());
        }
        AzureAuthorizer::new(&credential, &self.account)
            .try_authorize(&mut signed)
            .map_err(|error| format!("signing: {error}"))?;
        sendable(signed)
    }

    /// Asks for a page of a listing that also tells what is named in `include`.
    fn listing(&self, range: &Range, include: Option<&str>) -> Request {
        let mut request = Request::new(Method::GET, self.url.clone())
            .query("restype", "container")
            .query("comp", "list")
            .query("prefix", &range.prefix);
        if let Some(include) = include {
            request = request.query("include", include);
        }
        match range.most {
            Some(most) => request.query("maxresults", &most.min(5000).to_string()),
            None => request,
        }
    }

    /// True if blobs of the container have versions. That the account keeps versions shows in nothing else here; and one
    /// that kept them once may not do so any more. An answer that can't be read is a no.
    async fn has_versions(&self, connection: &Connection) -> bool {
        let Ok(answer) = connection.send(self.listing(&some(SOME), Some("versions"))).await else {
            return false;
        };
        let page: Result<Listing, String> = xml(&answer.body);
        let has_version = |page: Listing| page.blobs.blob.iter().any(|blob| !blob.version_id.is_empty());
        connection.meaning(&answer) == Answer::Yes && page.is_ok_and(has_version)
    }

    /// Whether listings take [`HOLDS`]. Accounts with a hierarchy of folders may refuse it.
    async fn tries_holds(&self, connection: &Connection) -> Result<bool, StoreError> {
        let answer = connection.send(self.listing(&some(1), Some(HOLDS))).await?;
        Ok(connection.meaning(&answer) == Answer::Yes && self.read_list(&answer, ListKind::Live).is_ok())
    }

    /// Soft delete is a setting of the account. Whether the account keeps versions only its blobs show.
    async fn settings(&self, connection: &Connection) -> Result<BucketFacts, StoreError> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Service {
            delete_retention_policy: Retention,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Retention {
            enabled: bool,
            days: u64,
        }
        let bucket = connection.bucket();
        let request = Request::new(Method::GET, self.url.clone()).query("restype", "container");
        let exists = connection.send(request).await?;
        if matches!(connection.meaning(&exists), Answer::NoBucket | Answer::NoObject) {
            return Err(StoreError::NoBucket(bucket.clone()));
        }
        let request = Request::new(Method::GET, format!("{}/", self.endpoint))
            .query("restype", "service")
            .query("comp", "properties");
        let answer = connection.send(request).await?;
        if connection.meaning(&answer) != Answer::Yes {
            return Ok(BucketFacts::unread(bucket, connection.message(&answer)));
        }
        let Service { delete_retention_policy: Retention { enabled, days } } =
            xml(&answer.body).map_err(|why| StoreError::unreadable(bucket.to_string(), &why))?;
        let has_versions = self.has_versions(connection).await;
        let why = match (has_versions, enabled) {
            // Soft delete keeps no blob that stays as a version.
            (true, _) => {
                "its blobs have versions: if the account still keeps them, a deleted blob stays as one, is billed, and has \
                 to be made the current version again by hand"
            }
            (false, true) => {
                let soft_delete_seconds = days.saturating_mul(86_400);
                return Ok(BucketFacts { soft_delete_seconds, ..BucketFacts::of(bucket) });
            }
            (false, false) => "the account has no soft delete, and its blobs show no versions",
        };
        Ok(BucketFacts::unread(bucket, why.to_owned()))
    }

    /// Undeletes the blob with the pin. A request names a deleted blob by its name alone, so the container is asked first
    /// which one it would be.
    async fn undelete(&self, connection: &Connection, key: &str, pin: &str) -> Restored {
        match connection.head(key).await {
            Ok(Some(_)) => return Restored::Taken,
            Ok(None) => {}
            Err(error) => return connection.not_restored(Err(error)),
        }
        let kept = match self.deleted(connection, key).await {
            Ok(Some(kept)) if kept.generation == pin => kept,
            Ok(Some(_)) => {
                return Restored::Failed(
                    "a newer blob of this name was deleted since, and only that would be restored".to_owned(),
                );
            }
            Ok(None) => {
                return Restored::Failed(
                    "the container shows no deleted blob of this name; if the account keeps versions, one of them \
                     may hold it"
                        .to_owned(),
                );
            }
            Err(error) => return connection.not_restored(Err(error)),
        };
        let request = Request::new(Method::PUT, self.object_url(key)).query("comp", "undelete");
        let answer = connection.send(request).await;
        let is_it =
            |now: &ObjectFacts| now.generation == pin || (now.size, now.created) == (kept.size, kept.created);
        connection.restored(key, answer, is_it, "nothing came back").await
    }

    /// The blob of a name that an undelete would bring back.
    async fn deleted(&self, connection: &Connection, key: &str) -> Result<Option<ObjectFacts>, StoreError> {
        let range = Range { kind: ListKind::SoftDeleted, ..Range::of(key) };
        let mut pages = connection.in_order(range);
        while let Some(page) = pages.try_next().await? {
            let is_empty = page.is_empty();
            if let Some(kept) = page.into_iter().find(|blob| blob.key == key) {
                return Ok(Some(kept));
            }
            // The name comes before all names that begin with it.
            if !is_empty {
                break;
            }
        }
        Ok(None)
    }
}

impl Api for Azure {
    fn identity(&self) -> BoxFuture<'_, String> {
        async { self.identity.clone() }.boxed()
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
        let properties = Properties {
            last_modified: answer.header("last-modified").to_owned(),
            e_tag: answer.header("etag").to_owned(),
            content_length: answer
                .header("content-length")
                .parse()
                .map_err(|_| "it has no content-length".to_owned())?,
            access_tier: answer.header("x-ms-access-tier").to_owned(),
            legal_hold: answer.header("x-ms-legal-hold") == "true",
            immutable_until: answer.header("x-ms-immutability-policy-until-date").to_owned(),
            lease_state: answer.header("x-ms-lease-state").to_owned(),
        };
        facts(key.to_owned(), properties)
    }

    fn list(&self, range: &Range, token: Option<&str>) -> Request {
        let include = match range.kind {
            ListKind::Live => self.lists_holds.get().filter(|lists| **lists).map(|_| HOLDS),
            ListKind::Noncurrent | ListKind::SoftDeleted => Some("deleted"),
        };
        let request = self.listing(range, include);
        match token {
            Some(token) => request.query("marker", token),
            None => request,
        }
    }

    fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String> {
        let Listing { blobs, next_marker } = xml(&answer.body)?;
        let first = blobs.blob.first();
        let first = first.map_or_else(String::new, |first| entry(&first.name.text, &first.properties.e_tag));
        let is_asked_for = |blob: &Blob| blob.deleted == (kind != ListKind::Live);
        let objects: Result<Vec<ObjectFacts>, String> =
            blobs.blob.into_iter().filter(is_asked_for).map(Blob::facts).collect();
        let token = next_marker.filter(|token| !token.is_empty());
        Ok(Page { objects: objects?, first, more: token.is_some(), token, is_sure: self.is_azure })
    }

    fn delete(&self, key: &str, tag: &str) -> Option<Request> {
        let is_pin = !tag.is_empty() && tag != "*";
        // Without a header that allows it, Azure refuses to delete a blob with snapshots.
        is_pin.then(|| Request::new(Method::DELETE, self.object_url(key)).header("if-match", tag))
    }

    fn meaning(&self, answer: &Response) -> Answer {
        let code = code(answer);
        match (answer.status, code.as_str()) {
            (404, "ContainerNotFound" | "ContainerBeingDeleted" | "ResourceNotFound") => Answer::NoBucket,
            // The 404 of a proxy says nothing about the blob.
            (404, "BlobNotFound") => Answer::NoObject,
            // For a question without the ID of the lease, Microsoft documents 403.
            (403 | 409 | 412, code) if code.starts_with("Lease") || code.starts_with("BlobImmutable") => {
                Answer::Held
            }
            (409, "SnapshotsPresent" | "BlobHasSnapshots") => Answer::Held,
            (412, _) => Answer::Changed,
            (401 | 403, _) => Answer::Denied,
            _ => Answer::Refused,
        }
    }

    fn message(&self, answer: &Response) -> String {
        let (code, message) = (code(answer), error(answer).message);
        let line = message.lines().next().unwrap_or_default();
        match (line.is_empty(), code.is_empty()) {
            (false, false) => format!("{line} ({code})"),
            (false, true) => line.to_owned(),
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

    fn marks(&self) -> Option<&dyn Marks> {
        Some(self)
    }

    /// Azure checks them; an emulator or a compatible server at another host may not.
    fn may_ignore_pins(&self) -> bool {
        !self.is_azure
    }

    /// A listing tells holds, retentions and leases. Another server than Azure's may leave them out, and there each blob is
    /// asked for just before its delete, which shows them.
    fn lists_all_facts<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, bool> {
        async {
            let tried = self.lists_holds.get_or_try_init(|| self.tries_holds(connection)).await;
            tried.is_ok_and(|lists| *lists) || !self.is_azure
        }
        .boxed()
    }

    /// A marker is the server's own.
    fn lists_from_any_key(&self) -> bool {
        false
    }

    /// Only blobs show whether the account keeps versions, whatever the permissions are.
    fn has_copy_settings(&self) -> bool {
        false
    }
}

/// So many blobs of a container.
fn some(most: usize) -> Range {
    Range { most: Some(most), ..Range::default() }
}

fn facts(key: String, properties: Properties) -> Result<ObjectFacts, String> {
    let Properties { last_modified, e_tag, content_length, access_tier, .. } = &properties;
    let written = header_time(last_modified).map_err(|error| format!("Last-Modified: {error}"))?;
    let held = match properties.legal_hold {
        true => Some("legal hold".to_owned()),
        false if !properties.immutable_until.is_empty() => {
            Some(format!("retained until {}", properties.immutable_until))
        }
        false => (properties.lease_state == "leased").then(|| "lease".to_owned()),
    };
    // The ETags of a listing have no quotes.
    let tag = e_tag.trim_matches('"');
    Ok(ObjectFacts {
        key,
        generation: if tag.is_empty() { String::new() } else { format!("\"{tag}\"") },
        size: *content_length,
        created: Some(written),
        storage_class: access_tier.as_str().into(),
        crc32c: String::new(),
        held,
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorBody {
    code: String,
    message: String,
}

fn error(answer: &Response) -> ErrorBody {
    xml(&answer.body).unwrap_or_default()
}

/// The error code of an answer. It is in a header first, because an answer to HEAD has no body.
fn code(answer: &Response) -> String {
    match answer.header("x-ms-error-code") {
        "" => error(answer).code,
        code => code.to_owned(),
    }
}

fn percent_decoded(text: &str) -> Result<String, String> {
    let plain = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let pair = form_urlencoded::parse(plain.as_bytes()).next();
    pair.map(|(key, _)| key.into_owned()).ok_or_else(|| "a blob without a name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::xml;

    #[test]
    fn names_keep_their_spaces() {
        let body = "<EnumerationResults><Blobs><Blob><Name> a/b </Name><Properties>\
            <Last-Modified>Mon, 02 Nov 2026 00:00:00 GMT</Last-Modified><Etag>0x1</Etag></Properties></Blob>\
            <Blob><Name Encoded=\"true\">c%20d%2B+%FF%EF%BF%BF</Name><Properties>\
            <Last-Modified>Mon, 02 Nov 2026 00:00:00 GMT</Last-Modified><Etag>0x1</Etag></Properties></Blob>\
            </Blobs><NextMarker /></EnumerationResults>";
        let listing: Result<Listing, String> = xml(body.as_bytes());
        let keys: Vec<_> = listing.map_or_else(
            |error| vec![error],
            |listing| {
                let facts = listing.blobs.blob.into_iter().map(Blob::facts);
                facts.map(|facts| facts.map_or_else(|error| error, |facts| facts.key)).collect()
            },
        );
        assert_eq!(keys[0], " a/b ");
        assert!(keys[1].starts_with("c d++"), "{keys:?}");
    }

    #[test]
    fn the_account_is_in_the_host_or_an_emulators_path() {
        assert_eq!(account("https://ml.blob.core.windows.net"), "ml");
        assert_eq!(account("http://127.0.0.1:10000/devstoreaccount1"), "devstoreaccount1");
        assert_eq!(account("https://evil.blob.core.windows.net/ml"), "evil");
    }
}
