//! The tags of an object, as XML: S3 and Azure have nearly the same.

use crate::http::{Response, TOO_LONG};
use crate::labels::{Labels, NoLabels};
use crate::parse::xml;
use quick_xml::escape::escape;
use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    // Required: without it this is another document.
    #[serde(rename = "TagSet")]
    tag_set: TagSet,
}

#[derive(Deserialize)]
struct TagSet {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    name: Text,
    #[serde(rename = "Value")]
    value: Text,
}

/// A text with the spaces at its ends.
#[derive(Deserialize)]
struct Text {
    #[serde(rename = "$text", default)]
    text: String,
}

/// Reads tags, whose document has this root.
///
/// # Errors
/// It is the object itself: a server that does not know tags answers with that, and would take new tags for a new object.
pub(crate) fn read(answer: &Response, root: &str) -> Result<Labels, NoLabels> {
    // Even an object whose content is such a document has these.
    if !answer.header("etag").is_empty() || !answer.header("last-modified").is_empty() {
        return Err(NoLabels::Unknown("it answers with the object itself".to_owned()));
    }
    if answer.is_too_long {
        return Err(NoLabels::Unreadable(TOO_LONG.to_owned()));
    }
    if !String::from_utf8_lossy(&answer.body).contains(&format!("<{root}")) {
        return Err(NoLabels::Unknown("it answers with something else".to_owned()));
    }
    let Document { tag_set: TagSet { tags } } = xml(&answer.body).map_err(NoLabels::Unreadable)?;
    Ok(tags.into_iter().map(|Tag { name, value }| (name.text, value.text)).collect())
}

/// Writes tags as a document with this root.
pub(crate) fn write(root: &str, tags: &Labels) -> String {
    let mut text = format!("<{root}><TagSet>");
    for (name, value) in tags {
        for part in ["<Tag><Key>", &escape(name), "</Key><Value>", &escape(value), "</Value></Tag>"] {
            text.push_str(part);
        }
    }
    text.push_str(&format!("</TagSet></{root}>"));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn response(headers: &[(&'static str, &str)], body: &str) -> Response {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Response { status: 200, headers, body: body.into(), is_too_long: false, is_retry: false }
    }

    #[test]
    fn tags_come_back_as_they_were() {
        let tags: Labels = [(" a b ", " 1 & <2> "), ("empty", ""), ("ü", "\"'")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        for tags in [tags, Labels::new()] {
            assert_eq!(read(&response(&[], &write("Tagging", &tags)), "Tagging").unwrap(), tags);
        }
        assert!(read(&response(&[], "<Tagging><TagSet/></Tagging>"), "Tagging").unwrap().is_empty());
    }

    #[test]
    fn an_object_is_never_taken_for_its_tags() {
        let body = write("Tagging", &Labels::new());
        for headers in [[("etag", "\"e\"")], [("last-modified", "Mon, 02 Nov 2026 00:00:00 GMT")]] {
            assert!(read(&response(&headers, &body), "Tagging").is_err());
        }
        for body in ["", "{}", "<Tags><TagSet/></Tags>", "<Tagging/>", "<html><br></html>"] {
            assert!(read(&response(&[], body), "Tagging").is_err(), "{body}");
        }
    }

    #[test]
    fn only_what_no_object_would_change_is_said_of_the_whole_server() {
        let tag = "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>";
        assert!(matches!(read(&response(&[], tag), "Tagging"), Err(NoLabels::Unreadable(_))));
        assert!(matches!(read(&response(&[], "{}"), "Tagging"), Err(NoLabels::Unknown(_))));
        let cut = |headers| Response { is_too_long: true, ..response(headers, "") };
        assert!(matches!(read(&cut(&[("etag", "e")]), "Tagging"), Err(NoLabels::Unknown(_))));
        assert!(matches!(read(&cut(&[]), "Tagging"), Err(NoLabels::Unreadable(_))));
    }
}
