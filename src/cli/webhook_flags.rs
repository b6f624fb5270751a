//! `--webhook`: how a run ended, posted to people.

use crate::cli::push_flags::Mode;
use crate::delivery::{Credentials, Failure};
use crate::error::{Error, exit};
use crate::output::beside::Answer;
use crate::output::escape::escape;
use crate::webhook::{Hook, MessageFormat, Told, post};
use argo_gc_core::model::API_VERSION;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

/// A bearer token for the server.
const TOKEN: &str = "ARGO_GC_WEBHOOK_TOKEN";

/// What stands before the name of a variable.
const VARIABLE: &str = "env:";

#[derive(Debug, Clone, Args)]
pub(crate) struct WebhookFlags {
    /// Posts how the run ended to this URL, also if it failed. env:NAME takes the URL from a variable, because that of a chat is
    /// a secret. ARGO_GC_WEBHOOK_TOKEN is sent as a bearer token.
    #[arg(long, value_parser = address, value_name = "URL", help_heading = "Webhook")]
    webhook: Option<Address>,
    /// With --webhook: who reads it.
    #[arg(
        long,
        value_enum,
        default_value = "json",
        value_name = "FORMAT",
        requires = "webhook",
        help_heading = "Webhook"
    )]
    webhook_format: MessageFormat,
    /// With --webhook: what the message begins with, such as prod-eu.
    #[arg(
        long,
        default_value = "argo-gc",
        value_name = "TEXT",
        requires = "webhook",
        help_heading = "Webhook"
    )]
    webhook_title: String,
}

/// Where an address is from.
#[derive(Debug, Clone)]
enum Address {
    Given(Hook),
    /// The name of a variable.
    In(String),
}

fn address(text: &str) -> Result<Address, String> {
    match text.strip_prefix(VARIABLE) {
        None => Hook::parse(text).map(Address::Given),
        Some("") => Err("env: needs the name of a variable".to_owned()),
        Some(name) => Ok(Address::In(name.to_owned())),
    }
}

/// What a run found or did, for a message.
pub(crate) struct Outcome {
    pub mode: Mode,
    pub began: Timestamp,
    pub answer: Answer,
}

impl WebhookFlags {
    /// Whether a message is asked for.
    pub fn is_given(&self) -> bool {
        self.webhook.is_some()
    }

    /// Where a message goes, if one is asked for. It is known before the run begins.
    ///
    /// # Errors
    /// The variable that has the address is not set, or holds none.
    pub fn open(&self) -> Result<Option<Hook>, Error> {
        let name = match &self.webhook {
            None => return Ok(None),
            Some(Address::Given(hook)) => return Ok(Some(hook.clone())),
            Some(Address::In(name)) => name,
        };
        let wrong = |why: &str| Error::usage(format!("--webhook: the variable {name}: {why}"));
        let value = std::env::var(name).map_err(|_| wrong("it is not set"))?;
        Hook::parse(value.trim()).map(Some).map_err(|why| wrong(&why))
    }

    /// Posts how a run itself ended, and what went wrong after it. Returns what prevented the message.
    pub async fn tell(
        &self,
        hook: Option<Hook>,
        outcome: Outcome,
        ended: &Result<u8, Error>,
        unpushed: Option<&Error>,
    ) -> Option<Error> {
        let hook = hook?;
        let posted = match credentials() {
            Ok(credentials) => {
                let told = self.told(outcome, ended, unpushed);
                post(&hook, self.webhook_format, &told, &credentials).await
            }
            Err(why) => Err(Failure { status: None, why }),
        };
        posted.err().map(|Failure { status, why }| {
            let place = hook.place();
            let words = format!("posting the result to {place}: {why}; all else was done as it says");
            let error = Error::new(escape(&words));
            match status {
                Some(400..=499) => error.hint("is --webhook-format what this address takes?"),
                _ => error,
            }
        })
    }

    fn told(&self, outcome: Outcome, ended: &Result<u8, Error>, unpushed: Option<&Error>) -> Told {
        let Outcome { mode, began, answer: Answer { sentence, mut most, sums } } = outcome;
        let (code, sentence) = match (ended, unpushed) {
            // The process ends with the failure's code, but what the run did is what people want to read.
            (Ok(exit::DONE), Some(failure)) => (failure.exit_code(), sentence),
            (Ok(code), _) => (*code, sentence),
            (Err(error), _) => (error.exit_code(), error.message().to_owned()),
        };
        let sentence = escape(&sentence).into_owned();
        let failure = unpushed.map(|failure| escape(failure.message()).into_owned());
        if let Some(failure) = &failure {
            most.insert(0, failure.clone());
        }
        let title = &self.webhook_title;
        let document = json!({
            "apiVersion": API_VERSION, "kind": "RunReport", "title": title, "mode": mode.as_str(), "generatedAt": began,
            "exitCode": code, "answer": sentence, "failure": failure, "summary": sums,
        });
        Told { title: format!("{title}: {}", mode.as_str()), sentence, most, document }
    }
}

/// The credentials of the environment.
fn credentials() -> Result<Credentials, String> {
    match std::env::var(TOKEN).ok().filter(|token| !token.is_empty()) {
        None => Ok(Credentials::Nobody),
        Some(token) => Credentials::token(TOKEN, token),
    }
}
