//! Azure Blob Storage. Signatures are object_store's; deletes are pinned by ETag, which is new with every write.

pub mod credentials;

use crate::api::{Answer, ListKind, Page, Range, sendable, signable, unreadable};
use crate::azure::credentials::AzureChain;
use crate::bucket_client::BucketClient;
use crate::http::{Request, Response, encoded};
use crate::types::{BucketFacts, Restored, StoreError};
use crate::xml::xml;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use jiff::Timestamp;
use object_store::azure::{AzureAuthorizer, AzureCredential, AzureCredentialProvider};
use reqwest::Method;
use serde::Deserialize;

/// One container.
#[derive(Debug)]
pub(crate) struct Azure {
    /// Of the account.
    endpoint: String,
    /// Of the container.
    url: String,
    account: String,
    credentials: AzureCredentialProvider,
    identity: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    // Where it is missing, this is no listing but somebody's page.
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
}

impl Blob {
    fn facts(self) -> Result<ObjectFacts, String> {
        // XML can't hold every name.
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
    /// `url` is another endpoint of the account than its own.
    ///
    /// # Errors
    /// There are no credentials for the account.
    pub fn open(bucket: &Bucket, url: Option<&str>, chain: &AzureChain) -> Result<Self, StoreError> {
        let account = account(bucket.endpoint());
        let endpoint = url.unwrap_or(bucket.endpoint()).trim_end_matches('/').to_owned();
        let (credentials, identity) = chain.find(&account, bucket)?;
        let url = format!("{endpoint}/{}", encoded(bucket.name(), false));
        Ok(Self { endpoint, url, account, credentials, identity })
    }

    pub fn identity(&self) -> &str {
        &self.identity
    }

    pub async fn sign(&self, call: &Request) -> Result<reqwest::Request, String> {
        let credential = self.credentials.get_credential().await;
        let credential = credential
            .map_err(|error| format!("no Azure credentials: {}", crate::http::innermost(&error)))?;
        let mut request = signable(call)?;
        if let AzureCredential::BearerToken(_) = &*credential
            && request.uri().scheme_str() != Some("https")
        {
            return Err("a token is sent over https only".to_owned());
        }
        AzureAuthorizer::new(&credential, &self.account)
            .try_authorize(&mut request)
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

    pub fn list(&self, range: &Range, token: Option<&str>) -> Request {
        let call = Request::new(Method::GET, self.url.clone())
            .query("restype", "container")
            .query("comp", "list")
            .query("prefix", &range.prefix);
        let call = match range.kind {
            ListKind::Live => call,
            ListKind::Noncurrent | ListKind::SoftDeleted => call.query("include", "deleted"),
        };
        let call = match range.most {
            Some(most) => call.query("maxresults", &most.min(5000).to_string()),
            None => call,
        };
        match token {
            Some(token) => call.query("marker", token),
            None => call,
        }
    }

    pub fn read_list(&self, answer: &Response, kind: ListKind) -> Result<Page, String> {
        let Listing { blobs, next_marker } = xml(&answer.body)?;
        let is_asked_for = |blob: &Blob| kind == ListKind::Live || blob.deleted;
        let objects: Result<Vec<ObjectFacts>, String> =
            blobs.blob.into_iter().filter(is_asked_for).map(Blob::facts).collect();
        let token = next_marker.filter(|token| !token.is_empty());
        Ok(Page { objects: objects?, more: token.is_some(), token, is_sure: true })
    }

    pub fn delete(&self, key: &str, tag: &str) -> Option<Request> {
        let is_pin = !tag.is_empty() && tag != "*";
        // A blob with snapshots is refused, for they would go with it.
        is_pin.then(|| Request::new(Method::DELETE, self.object_url(key)).header("if-match", tag))
    }

    pub fn said(&self, answer: &Response) -> Answer {
        let code = code(answer);
        match (answer.status, code.as_str()) {
            (404, "ContainerNotFound" | "ContainerBeingDeleted" | "ResourceNotFound") => Answer::NoBucket,
            // A proxy's "not found" says nothing of the blob.
            (404, "BlobNotFound") => Answer::NoObject,
            (412 | 409, code) if code.starts_with("Lease") || code.starts_with("BlobImmutable") => {
                Answer::Held
            }
            (409, "SnapshotsPresent" | "BlobHasSnapshots") => Answer::Held,
            (412, _) => Answer::Changed,
            (401 | 403, _) => Answer::Denied,
            _ => Answer::Refused,
        }
    }

    pub fn message(&self, answer: &Response) -> String {
        let (code, message) = (code(answer), error(answer).message);
        let line = message.lines().next().unwrap_or_default();
        match (line.is_empty(), code.is_empty()) {
            (false, false) => format!("{line} ({code})"),
            (false, true) => line.to_owned(),
            _ => code,
        }
    }

    /// Soft delete is a setting of the account; versioning can't be read here.
    pub async fn bucket(&self, remote: &BucketClient) -> Result<BucketFacts, StoreError> {
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
        let name = remote.bucket_name();
        let exists =
            remote.call(Request::new(Method::GET, self.url.clone()).query("restype", "container")).await?;
        if matches!(remote.said(&exists), Answer::NoBucket | Answer::NoObject) {
            return Err(StoreError::NoBucket(name.clone()));
        }
        let call = Request::new(Method::GET, format!("{}/", self.endpoint))
            .query("restype", "service")
            .query("comp", "properties");
        let answer = remote.call(call).await?;
        match remote.said(&answer) {
            Answer::Yes => {
                let Service { delete_retention_policy: Retention { enabled, days } } =
                    xml(&answer.body).map_err(|why| unreadable(name.to_string(), &why))?;
                match enabled {
                    true => Ok(BucketFacts { soft_delete_seconds: days * 86_400, ..BucketFacts::of(name) }),
                    false => Ok(BucketFacts::unread(
                        name,
                        "the account has no soft delete, and whether it keeps versions isn't told".to_owned(),
                    )),
                }
            }
            _ => Ok(BucketFacts::unread(name, remote.message(&answer))),
        }
    }

    /// Takes back the soft delete.
    pub async fn restore(&self, remote: &BucketClient, key: &str, _tag: &str) -> Restored {
        match remote.head(key).await {
            Ok(Some(_)) => return Restored::Taken,
            Ok(None) => {}
            Err(error) => return Restored::Failed(error.to_string()),
        }
        let call = Request::new(Method::PUT, self.object_url(key)).query("comp", "undelete");
        match remote.call(call).await {
            // It also says yes where there was nothing to bring back.
            Ok(answer) if remote.said(&answer) == Answer::Yes => match remote.head(key).await {
                Ok(Some(_)) => Restored::Restored,
                // Where the account keeps versions, one may hold it all the same.
                Ok(None) => Restored::Failed(
                    "nothing came back: it is lost, unless the account keeps versions".to_owned(),
                ),
                Err(error) => Restored::Failed(error.to_string()),
            },
            Ok(answer) if remote.said(&answer) == Answer::NoObject => Restored::Lost,
            Ok(answer) => Restored::Failed(remote.message(&answer)),
            Err(error) => Restored::Failed(error.to_string()),
        }
    }
}

/// The account of an endpoint: the first label of its host; in the path for emulators.
fn account(endpoint: &str) -> String {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // Azure's own hosts are an account's each, whatever path somebody wrote behind one.
    match path.is_empty() || argo_gc_core::model::bucket::is_azure(host) {
        true => host.split(['.', ':']).next().unwrap_or_default().to_owned(),
        false => path.split('/').next().unwrap_or_default().to_owned(),
    }
}

fn facts(key: String, properties: Properties) -> Result<ObjectFacts, String> {
    let Properties { last_modified, e_tag, content_length, access_tier, .. } = &properties;
    let written: Timestamp = jiff::fmt::rfc2822::parse(last_modified)
        .map_err(|error| format!("Last-Modified: {error}"))?
        .timestamp();
    let held = match properties.legal_hold {
        true => Some("legal hold".to_owned()),
        false if !properties.immutable_until.is_empty() => {
            Some(format!("retained until {}", properties.immutable_until))
        }
        false => (properties.lease_state == "leased").then(|| "lease".to_owned()),
    };
    // A listing leaves out the quotes.
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

/// An answer to HEAD has no body.
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
    use crate::xml::xml;

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
