//! Says why AWS's chain gives no credentials, and what to do: its own messages name layers of a library.

use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use std::error::Error;

/// The longest text of a server's or library's that is shown, in characters.
const MOST: usize = 200;

/// Why STS does not let the environment's account take on a role. STS says who was refused what, and no secret.
pub(super) fn why_no_role(error: &(dyn Error + 'static)) -> String {
    let mut next = Some(error);
    let mut last = String::new();
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref::<AssumeRoleError>() {
            let (code, message) = (refusal.code().unwrap_or_default(), refusal.message().unwrap_or_default());
            let advice = match code {
                "AccessDenied" => {
                    "; the environment's account needs sts:AssumeRole on it, and its trust policy has to name that account"
                }
                "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" => {
                    "; the environment's account has to log in anew"
                }
                _ => "",
            };
            let says = if message.is_empty() { code } else { message };
            return format!("STS refuses it: {}{advice}", short(says));
        }
        last = error.to_string();
        next = error.source();
    }
    format!("STS can't be asked: {}", short(&last))
}

/// The beginning of a text's first line.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Why there are no credentials; `profile` is the one that is used, and `token_file` that of a web identity.
pub(super) fn why(error: &(dyn Error + 'static), profile: &str, token_file: Option<&str>) -> String {
    let mut chain = vec![error];
    while let Some(source) = chain.last().copied().and_then(Error::source) {
        chain.push(source);
    }
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    let says = |words: &[&str]| texts.iter().any(|text| words.iter().any(|word| text.contains(word)));
    if says(&["SSO token", "/sso/cache", "\\sso\\cache", "UnauthorizedException"]) {
        let login = format!("aws sso login --profile {profile}");
        return format!("the SSO session of the profile {profile} has ended; `{login}` begins a new one");
    }
    if says(&["Login token", "/login/cache", "\\login\\cache", "AWS_LOGIN_CACHE_DIRECTORY"]) {
        let login = format!("aws login --profile {profile}");
        return format!("the login of the profile {profile} has ended; `{login}` begins a new one");
    }
    // What a program writes to stderr or stdout may hold its secrets.
    if let Some(text) = texts.iter().find(|text| text.contains("external process")) {
        let code =
            text.split_once("exited with code exit status: ").and_then(|(_, code)| code.split('.').next());
        let how = match code {
            Some(code) => format!("ended with code {code}"),
            None => "wrote no credentials".to_owned(),
        };
        return format!(
            "the program that the profile {profile} names as its credential_process {how}; run it by hand to see why"
        );
    }
    let io = chain.iter().find_map(|error| error.downcast_ref::<std::io::Error>());
    if let (Some(cause), Some(file)) = (io, token_file) {
        return format!("the file {file}, which AWS_WEB_IDENTITY_TOKEN_FILE names, can't be read: {cause}");
    }
    let is_empty = |text: &String| text.contains("was not enabled") || text.contains("no providers in chain");
    if texts.first().is_some_and(is_empty) {
        return "there are none: AWS_PROFILE names a profile, `aws login` or `aws sso login` logs in, AWS_ACCESS_KEY_ID \
                and AWS_SECRET_ACCESS_KEY are a key; and this machine has no role"
            .to_owned();
    }
    short(texts.last().map(String::as_str).unwrap_or_default())
}
