//! DeleteObjects of Amazon S3, which deletes up to a thousand objects, each if it still has the ETag that stands beside
//! its key.

use crate::api::{Answer, KeyAnswer};
use crate::http::{Request, Response};
use crate::parse::xml;
use crate::s3::listing::tag;
use crate::types::Pinned;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;
use reqwest::Method;
use serde::Deserialize;
use std::collections::HashMap;

/// Objects of one request.
pub(crate) const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answers {
    #[serde(default)]
    deleted: Vec<Deleted>,
    #[serde(default)]
    error: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    // Required: an error without a key is about the whole request, which settles no object.
    key: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// True if the body of a request can name the object and its pin. XML can't hold control characters, and a parser may
/// drop spaces at the ends of a key or replace others.
pub(crate) fn fits(Pinned { key, pin }: &Pinned<'_>) -> bool {
    let is_unsafe = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    !tag(pin).is_empty() && !key.contains(is_unsafe) && key.trim() == *key
}

/// Asks for the delete of these objects of the bucket at `url`. Each key is to be answered, hence `Quiet` is off.
pub(crate) fn request(url: &str, objects: &[Pinned<'_>]) -> Request {
    let mut body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_owned();
    for Pinned { key, pin } in objects {
        for part in
            ["<Object><Key>", &escape(*key), "</Key><ETag>\"", &escape(tag(pin)), "\"</ETag></Object>"]
        {
            body.push_str(part);
        }
    }
    body.push_str("<Quiet>false</Quiet></Delete>");
    summed(Request::new(Method::POST, format!("{url}/")).query("delete", ""), body)
}

/// The request with an XML body and its checksum, on which Amazon insists.
pub(crate) fn summed(request: Request, body: String) -> Request {
    let mut sum = flate2::Crc::new();
    sum.update(body.as_bytes());
    request
        .header("content-type", "application/xml")
        .header("x-amz-sdk-checksum-algorithm", "CRC32")
        .header("x-amz-checksum-crc32", &STANDARD.encode(sum.sum().to_be_bytes()))
        .body(body)
}

/// Reads what the answer says of each key.
pub(crate) fn read(answer: &Response) -> Result<HashMap<String, KeyAnswer>, String> {
    let Answers { deleted, error } = xml(&answer.body)?;
    let deleted = deleted.into_iter().map(|Deleted { key }| (key, Answer::Yes, String::new()));
    let failed = error.into_iter().map(|Failure { key, code, message }| {
        let meaning = meaning(&code, &message);
        let message = if message.is_empty() { code } else { format!("{message} ({code})") };
        (key, meaning, message)
    });
    let mut answers = HashMap::new();
    for (key, meaning, message) in deleted.chain(failed) {
        let answer = KeyAnswer { meaning, message };
        if answers.insert(key.clone(), answer).is_some() {
            // What is answered twice is not answered.
            let message = "the answer names the key twice".to_owned();
            answers.insert(key, KeyAnswer { meaning: Answer::Failing, message });
        }
    }
    Ok(answers)
}

/// What the error code of a key means.
fn meaning(code: &str, message: &str) -> Answer {
    match code {
        "PreconditionFailed" | "ConditionalRequestConflict" => Answer::Changed,
        "NoSuchKey" | "NoSuchVersion" | "NotFound" => Answer::NoObject,
        "NoSuchBucket" => Answer::NoBucket,
        "AccessDenied" if message.to_lowercase().contains("object lock") => Answer::Held,
        "AccessDenied" | "AllAccessDisabled" => Answer::Denied,
        "SlowDown" | "ServiceUnavailable" | "ThrottlingException" | "RequestLimitExceeded" => Answer::Busy,
        "InternalError" | "OperationAborted" | "RequestTimeout" => Answer::Failing,
        _ => Answer::Refused,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn response(body: &str) -> Response {
        let body = body.as_bytes().to_vec();
        Response { status: 200, headers: http::HeaderMap::new(), body, is_too_long: false, is_retry: false }
    }

    #[test]
    fn a_key_that_xml_might_change_is_left_out() {
        let fits = |key, pin| fits(&Pinned { key, pin });
        for key in ["a/b.tgz", "a b", "<&>\"'", "ü/😀", "a//b"] {
            assert!(fits(key, "e@1"), "{key:?}");
        }
        for key in ["a\u{1}", "a\tb", "a\r\nb", "\u{7f}", "\u{85}", "a\u{fffe}", " a", "a ", "a\u{a0}"] {
            assert!(!fits(key, "e@1"), "{key:?}");
        }
        assert!(!fits("a", "") && !fits("a", "@1"), "an object without a pin is never named");
    }

    #[test]
    fn each_object_has_its_tag_and_the_body_its_sum() {
        let request =
            request("http://h/b", &[Pinned { key: "a&b", pin: "e1@5" }, Pinned { key: "c", pin: "e2@6" }]);
        let body = String::from_utf8(request.body.clone()).unwrap();
        assert_eq!(
            body,
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&amp;b</Key>\
             <ETag>\"e1\"</ETag></Object><Object><Key>c</Key><ETag>\"e2\"</ETag></Object><Quiet>false</Quiet></Delete>"
        );
        assert_eq!(request.full_url(), "http://h/b/?delete=");
        let sum = request.headers.iter().find(|(name, _)| *name == "x-amz-checksum-crc32").unwrap();
        assert_eq!(sum.1.len(), 8);
    }

    #[test]
    fn what_is_not_answered_clearly_is_not_answered() {
        let body = "<DeleteResult><Deleted><Key> a&amp;b </Key></Deleted><Deleted><Key>twice</Key></Deleted>\
            <Error><Key>twice</Key><Code>InternalError</Code></Error>\
            <Error><Key>lock</Key><Code>AccessDenied</Code><Message>by Object Lock</Message></Error>\
            <Error><Key>slow</Key><Code>SlowDown</Code></Error></DeleteResult>";
        let answers = read(&response(body)).unwrap();
        let meaning = |key: &str| answers.get(key).map(|answer| answer.meaning);
        assert_eq!(meaning(" a&b "), Some(Answer::Yes));
        assert_eq!(meaning("twice"), Some(Answer::Failing));
        assert_eq!(meaning("lock"), Some(Answer::Held));
        assert_eq!(meaning("slow"), Some(Answer::Busy));
        assert_eq!(meaning("other"), None);
        // The answer to the whole request: it says nothing of any object.
        assert!(read(&response("<Error><Code>InternalError</Code></Error>")).unwrap().is_empty());
        assert!(read(&response("<html><br></html>")).is_err());
    }
}
