//! How a run ended, told to people in a chat or to a program that takes JSON.

use crate::delivery::{Credentials, Delivery, Failure, address, deliver};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::fmt;

/// The longest text of a message, in characters.
const LONGEST: usize = 2_000;

/// The address of a webhook. That of a chat is a secret: whoever has it may post there.
#[derive(Clone)]
pub struct Hook(Url);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.place())
    }
}

impl Hook {
    /// Reads an address.
    ///
    /// # Errors
    /// It is none. The address is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        address(text, "https://hooks.example.com/x").map(Self)
    }

    /// The scheme, the host and the port: what may be shown.
    pub fn place(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

/// Who reads the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MessageFormat {
    /// A document with the sums, for programs.
    Json,
    /// A message for Slack, and for chats that take Slack's.
    Slack,
    /// A card for Microsoft Teams.
    Teams,
}

/// What is told of a run.
#[derive(Debug)]
pub struct Told {
    /// What the message begins with.
    pub title: String,
    /// The sentence that answers the question.
    pub sentence: String,
    /// What there is most of, such as `12 inline-template`.
    pub most: Vec<String>,
    /// For programs.
    pub document: Value,
}

/// Posts a message.
///
/// # Errors
/// The server refused it, or did not take it within several tries.
pub async fn post(
    hook: &Hook,
    format: MessageFormat,
    told: &Told,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let body = message(format, told).to_string();
    let delivery = Delivery { method: Method::POST, address: hook.0.clone(), kind: "application/json", body };
    deliver(&delivery, credentials).await
}

/// The message, in the form that the reader takes.
fn message(format: MessageFormat, told: &Told) -> Value {
    let Told { title, sentence, most, document } = told;
    let lines: Vec<String> = std::iter::once(shortened(sentence)).chain(most.iter().cloned()).collect();
    match format {
        MessageFormat::Json => document.clone(),
        MessageFormat::Slack => {
            json!({ "text": format!("*{}*\n{}", for_slack(title), for_slack(&lines.join("\n"))) })
        }
        MessageFormat::Teams => {
            let block = |text: &str, weight: &str| json!({ "type": "TextBlock", "text": text, "weight": weight, "wrap": true });
            let body: Vec<Value> = std::iter::once(block(title, "Bolder"))
                .chain(lines.iter().map(|line| block(line, "Default")))
                .collect();
            let card = json!({
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
                "body": body,
            });
            json!({ "type": "message", "attachments": [
                { "contentType": "application/vnd.microsoft.card.adaptive", "content": card },
            ] })
        }
    }
}

/// Slack's three characters with a meaning of their own, so that no name becomes a mention of everybody.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(sentence: &str) -> Told {
        Told {
            title: "prod: inspect".into(),
            sentence: sentence.into(),
            most: vec!["2 inline-template".into()],
            document: json!({ "kind": "RunReport" }),
        }
    }

    #[test]
    fn each_reader_gets_its_form() {
        let told = told("<!channel> & more");
        assert_eq!(message(MessageFormat::Json, &told), json!({ "kind": "RunReport" }));
        assert_eq!(
            message(MessageFormat::Slack, &told),
            json!({ "text": "*prod: inspect*\n&lt;!channel&gt; &amp; more\n2 inline-template" })
        );
        let card = message(MessageFormat::Teams, &told);
        let body = &card["attachments"][0]["content"]["body"];
        let texts: Vec<&str> =
            body.as_array().unwrap().iter().map(|block| block["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["prod: inspect", "<!channel> & more", "2 inline-template"]);
    }

    #[test]
    fn a_message_has_an_end() {
        let text = message(MessageFormat::Slack, &told(&"é".repeat(LONGEST + 1)))["text"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(text.chars().count() < LONGEST + 60 && text.contains('…'), "{text}");
    }

    #[test]
    fn an_address_is_not_repeated() {
        for wrong in ["hooks.example.com/secret", "ftp://h/secret", "https://secret:x@h/", "http://"] {
            let why = Hook::parse(wrong).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
        assert_eq!(Hook::parse("https://h:1/secret?x=y").unwrap().place(), "https://h:1");
    }
}
