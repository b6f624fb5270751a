//! The XML of S3 listings: keys, versions, and the pins made of them.

use crate::http::Response;
use crate::listing::{Page, entry};
use crate::parse::{time, xml};
use argo_gc_core::model::object::ObjectFacts;
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;

/// Separates key and version in the tokens of version listings: no version ID holds it.
const SEPARATOR: char = '\n';

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    contents: Vec<Content>,
    // Name and is_truncated are required: a page without them is not a listing, but was sent by a proxy.
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

/// A version of an object, or a delete marker.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Version {
    pub key: String,
    pub version_id: String,
    pub is_latest: bool,
    last_modified: String,
    #[serde(rename = "ETag")]
    e_tag: String,
    size: u64,
    storage_class: String,
}

/// A page of a version listing, with decoded keys.
pub(crate) struct VersionPage {
    pub versions: Vec<Version>,
    pub delete_markers: Vec<Version>,
    /// As the page of any listing.
    pub first: String,
    /// The key and the version after which the next page begins.
    pub token: Option<String>,
}

/// Reads a page of a version listing.
pub(crate) fn read_versions(answer: &Response) -> Result<VersionPage, String> {
    let page: Versions = xml(&answer.body)?;
    let is_encoded = is_encoded(page.encoding_type.as_deref());
    let plain = |key: String| if is_encoded { decoded(&key).into_owned() } else { key };
    let plainly = |version: Version| Version { key: plain(version.key), ..version };
    let key = plain(page.next_key_marker);
    if page.is_truncated && key.is_empty() {
        return Err("the listing does not continue".to_owned());
    }
    let first = page.version.first().or(page.delete_marker.first());
    let first = first.map_or_else(String::new, |first| entry(&first.key, &first.version_id));
    Ok(VersionPage {
        first,
        versions: page.version.into_iter().map(plainly).collect(),
        delete_markers: page.delete_marker.into_iter().map(plainly).collect(),
        token: page.is_truncated.then(|| format!("{key}{SEPARATOR}{}", page.next_version_id_marker)),
    })
}

/// Splits the token of a version listing into key and version.
pub(crate) fn split_token(token: &str) -> Option<(&str, &str)> {
    token.rsplit_once(SEPARATOR)
}

/// What a listing of versions shows of a deleted object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trace<'a> {
    /// An object is live.
    Live,
    /// No version has its content.
    Nowhere,
    /// The delete marker with this ID hides it, and nothing else.
    Behind(&'a str),
    /// It is the version with this ID, and would not come back if the newest marker went.
    Buried(&'a str),
}

/// Finds the object that had the pin among the versions and delete markers of its key.
///
/// Versions are known by their ETags: VersityGW shows as the time of a version that at which it was superseded, and
/// what has the same ETag has the same content.
pub(crate) fn trace<'a>(key: &str, pin: &str, versions: &'a [Version], markers: &'a [Version]) -> Trace<'a> {
    let is_its = |other: &&Version| other.key == key;
    let mut its: Vec<&Version> = versions.iter().filter(is_its).collect();
    if its.iter().any(|version| version.is_latest) {
        return Trace::Live;
    }
    // They come newest first. A server that lists them in another way shows it by their times.
    let in_order = its.is_sorted_by(|a, b| time(&a.last_modified) >= time(&b.last_modified));
    let newest = its.first().map(|newest| newest.version_id.as_str()).filter(|_| in_order);
    its.retain(|version| !tag(pin).is_empty() && bare(&version.e_tag) == tag(pin));
    let Some(copy) = its.first() else { return Trace::Nowhere };
    // Without an ID a delete of the marker would be a delete of whatever is live.
    let marker =
        markers.iter().filter(is_its).find(|marker| marker.is_latest && !marker.version_id.is_empty());
    match marker.filter(|_| newest == Some(&copy.version_id)) {
        Some(marker) => Trace::Behind(&marker.version_id),
        None => Trace::Buried(&copy.version_id),
    }
}

impl Version {
    pub fn facts(self) -> ObjectFacts {
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

/// Reads a page of live objects. `is_sure` is that of the page.
pub(crate) fn read_live(answer: &Response, is_sure: bool) -> Result<Page, String> {
    let Listing { contents, is_truncated, encoding_type, next_continuation_token, .. } = xml(&answer.body)?;
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
    let first = contents.first().map_or_else(String::new, |first| entry(&first.key, ""));
    let objects: Result<Vec<ObjectFacts>, String> = contents.into_iter().map(object).collect();
    let token = next_continuation_token.filter(|token| !token.is_empty());
    Ok(Page { objects: objects?, first, more: is_truncated || token.is_some(), token, is_sure })
}

/// The pin of an object: its ETag and its time. The ETag depends on the content alone, so an object that was written
/// again with the same content has the same ETag.
pub(crate) fn pin(tag: &str, written: Timestamp) -> String {
    match bare(tag) {
        "" => String::new(),
        tag => format!("{tag}@{}", written.as_second()),
    }
}

/// The ETag of a pin, without quotes.
pub(crate) fn tag(pin: &str) -> &str {
    pin.rsplit_once('@').map_or("", |(tag, _)| tag)
}

/// An ETag without its quotes.
fn bare(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// The storage class; servers leave out the standard one.
pub(crate) fn class(name: &str) -> &str {
    if name.is_empty() { "STANDARD" } else { name }
}

/// True if the keys of a listing are encoded; some servers ignore that this was asked for.
fn is_encoded(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("url"))
}

/// Decodes a key of a listing; a plus is a space.
fn decoded(key: &str) -> Cow<'_, str> {
    if !key.contains(['%', '+']) {
        return key.into();
    }
    // The decoder of forms splits at `&` and `=`, which a server may have left unencoded.
    let whole = key.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(whole.as_bytes())
        .next()
        .map_or_else(String::new, |(key, _)| key.into_owned())
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::xml;
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
    fn a_deleted_object_is_traced_by_its_content() {
        let version = |id: &str, tag: &str, day: u8, is_latest| Version {
            key: "k".into(),
            version_id: id.into(),
            is_latest,
            last_modified: format!("2026-11-{day:02}T00:00:00Z"),
            e_tag: format!("\"{tag}\""),
            ..Version::default()
        };
        let marker = |id: &str| [version(id, "", 9, true)];
        let found = |versions: &[Version], markers: &[Version]| {
            format!("{:?}", trace("k", "mine@1", versions, markers))
        };
        let mine = || version("1", "mine", 1, false);
        // Its time is that of the delete, as at VersityGW.
        assert_eq!(found(&[version("1", "mine", 9, false)], &marker("m")), r#"Behind("m")"#);
        assert_eq!(found(&[mine()], &marker("null")), r#"Behind("null")"#);
        assert_eq!(found(&[version("2", "other", 2, true), mine()], &[]), "Live");
        assert_eq!(found(&[version("2", "other", 2, false), mine()], &marker("m")), r#"Buried("1")"#);
        // Oldest first: which one the marker hides is not certain.
        assert_eq!(found(&[mine(), version("2", "other", 2, false)], &marker("m")), r#"Buried("1")"#);
        assert_eq!(found(&[mine()], &[]), r#"Buried("1")"#);
        assert_eq!(found(&[mine()], &marker("")), r#"Buried("1")"#);
        assert_eq!(found(&[version("2", "other", 2, false)], &marker("m")), "Nowhere");
        assert_eq!(found(&[], &marker("m")), "Nowhere");
        assert_eq!(trace("k", "@1", &[version("1", "", 1, false)], &marker("m")), Trace::Nowhere);
        assert_eq!(trace("other", "mine@1", &[mine()], &marker("m")), Trace::Nowhere);
    }

    #[test]
    fn a_pin_needs_a_tag() {
        assert_eq!(pin("\"abc\"", Timestamp::UNIX_EPOCH), "abc@0");
        assert_eq!(pin("", Timestamp::UNIX_EPOCH), "");
    }
}
