//! Fetches and holds a token of Google's, with google-cloud-auth, and says in few words why there is none.

use futures::FutureExt;
use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::AccessTokenCredentials;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Tries for a token where the failure may pass.
const TRIES: u32 = 3;

/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// All who wait for a token are told of a failure that others have just had, rather than fail one after the other.
const FRESH: Duration = Duration::from_secs(5);

/// The longest reason that is shown, in characters.
const MOST: usize = 200;

/// Makes a provider. It begins to fetch a token at once, and renews it before its end.
pub(super) type Maker = Box<dyn Fn() -> Result<AccessTokenCredentials, BuildError> + Send + Sync>;

/// The tokens of one account.
pub(super) struct Tokens {
    make: Maker,
    /// Parts of the credentials that a server could repeat in an error.
    secrets: Vec<String>,
    /// The library sets no limit to the answer of a token server.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    provider: Option<AccessTokenCredentials>,
    failure: Option<(Instant, String)>,
}

impl Tokens {
    pub fn new(make: Maker, secrets: Vec<String>, patience: Duration) -> Self {
        Self { make, secrets, patience, state: Mutex::default() }
    }

    /// A token that has not expired.
    ///
    /// # Errors
    /// There is none, and why.
    pub async fn get(&self) -> Result<String, String> {
        // One asks, and the others wait for the answer.
        let mut state = self.state.lock().await;
        if let Some((at, why)) = &state.failure
            && at.elapsed() < FRESH
        {
            return Err(why.clone());
        }
        let answer = tokio::time::timeout(self.patience, self.fetch(&mut state.provider)).await;
        let answer = answer.unwrap_or_else(|_| Err("the server for tokens does not answer".to_owned()));
        if let Err(why) = &answer {
            // A provider that hangs or has failed may never try again; the next one does.
            *state = State { provider: None, failure: Some((Instant::now(), why.clone())) };
        }
        answer
    }

    async fn fetch(&self, provider: &mut Option<AccessTokenCredentials>) -> Result<String, String> {
        let mut tried = 1;
        loop {
            let made = match provider.take() {
                Some(made) => made,
                None => (self.make)().map_err(|error| self.shown(&error))?,
            };
            // The library panics at a token that ended before it came.
            let token = AssertUnwindSafe(made.access_token()).catch_unwind().await;
            let error = match token {
                Ok(Ok(token)) => {
                    *provider = Some(made);
                    return Ok(token.token);
                }
                Ok(Err(error)) => error,
                Err(_) => return Err("the token had expired when it arrived; is the clock right?".to_owned()),
            };
            if tried == TRIES || !error.is_transient() {
                return Err(self.shown(&error));
            }
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(tried - 1)).await;
            tried += 1;
        }
    }

    fn shown(&self, error: &(dyn Error + 'static)) -> String {
        let mut text = reason(error);
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "…");
        }
        let text = without_tokens(&text);
        match text.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// The reason that helps, without addresses and the layers of libraries around it.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut chain = vec![error];
    while let Some(source) = chain.last().copied().and_then(Error::source) {
        chain.push(source);
    }
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    if let Some(said) = texts.iter().rev().find_map(|text| said(text)) {
        return said;
    }
    // What a program writes to stderr may hold its secrets.
    if let Some(text) = texts.iter().find(|text| text.contains("command execution failed")) {
        let code = text.rsplit_once("code=").and_then(|(_, code)| code.split_whitespace().next());
        return format!("the program for the token ended with code {}", code.unwrap_or("unknown"));
    }
    // The parser's message could quote a token.
    let is_unreadable = |error: &(dyn Error + 'static)| {
        error.is::<serde_json::Error>() || error.downcast_ref().is_some_and(reqwest::Error::is_decode)
    };
    if chain.iter().copied().any(is_unreadable) {
        return "what should hold the token is not understood".to_owned();
    }
    let status = chain.iter().find_map(|error| error.downcast_ref::<reqwest::Error>()?.status());
    if let Some(status) = status {
        return format!("the server for tokens answers HTTP {}", status.as_u16());
    }
    let last = texts.last().map(String::as_str).unwrap_or_default();
    let cut = ["and future calls", "but future calls"].iter().find_map(|words| last.find(words));
    last[..cut.unwrap_or(last.len())].trim().lines().next().unwrap_or_default().to_owned()
}

/// What the body of an answer says, in the two shapes that Google's servers have.
fn said(text: &str) -> Option<String> {
    let start = text.find('{')?;
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<serde_json::Value>();
    let body = values.next()?.ok()?;
    let error = &body["error"];
    let (code, words) = match error.is_object() {
        true => (error["status"].as_str(), error["message"].as_str()),
        false => (error.as_str(), body["error_description"].as_str()),
    };
    match (code, words) {
        (None, None) => None,
        (code, words) => Some([words, code].into_iter().flatten().collect::<Vec<_>>().join(": ")),
    }
}

/// Leaves out what looks like a token or a key.
fn without_tokens(text: &str) -> String {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '=' | '/' | '%');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let longest = word.split(['.', '/']).map(str::len).max().unwrap_or_default();
        shown.push_str(if longest > 36 { "…" } else { word });
        let next = after.find(belongs).unwrap_or(after.len());
        shown.push_str(&after[..next]);
        rest = &after[next..];
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use google_cloud_auth::credentials::external_account;
    use serde_json::json;
    use std::net::TcpListener;

    /// The kernel takes the connection, and nobody answers.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_hangs_is_not_waited_for() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let file = json!({
            "type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": url,
            "credential_source": { "url": url },
        });
        let make = move || external_account::Builder::new(file.clone()).build_access_token_credentials();
        let tokens = Tokens::new(Box::new(make), Vec::new(), Duration::from_millis(300));
        let all = futures::future::join_all((0..20).map(|_| tokens.get())).await;
        assert!(all.iter().all(|token| token.as_ref().is_err_and(|why| why.contains("does not answer"))));
    }

    #[test]
    fn a_servers_words_are_shown_and_tokens_are_not() {
        let oauth = r#"failed to exchange token, body=<{"error":"invalid_grant","error_description":"The audience does not match"}>"#;
        assert_eq!(said(oauth).unwrap(), "The audience does not match: invalid_grant");
        let api = r#"x {"error": {"code": 403, "message": "Permission 'iam.x' denied", "status": "PERMISSION_DENIED"}} y"#;
        assert_eq!(said(api).unwrap(), "Permission 'iam.x' denied: PERMISSION_DENIED");
        assert_eq!(said("nothing"), None);
        let token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUuY29tIn0.c2ln";
        assert_eq!(without_tokens(&format!("bad token <{token}>, gone")), "bad token <…>, gone");
        let email = "a-service-account@some-long-project-name.iam.gserviceaccount.com";
        assert_eq!(without_tokens(email), email);
    }
}
