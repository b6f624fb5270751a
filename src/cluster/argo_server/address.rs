//! The address and the credentials for the Argo server, as the argo CLI has them
//! (cmd/argo/commands/client/conn.go@v4.1.2).

use crate::cluster::api_client::is_loopback;
use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use kube::config::AuthInfo;

/// The variable of the token. There is no flag, because all users of a machine can see command lines.
const TOKEN: &str = "ARGO_TOKEN";

/// The address of an Argo server.
#[derive(Debug, Clone)]
pub struct ArgoAddress {
    /// Its path is the base of all requests.
    pub(crate) uri: Uri,
    /// Whether any certificate is accepted.
    pub(crate) insecure: bool,
}

/// The address of an Argo server as it was typed.
#[derive(Debug, Clone, Copy, Default)]
pub struct TypedAddress<'a> {
    /// `HOST:PORT`, or a URL, whose scheme says whether TLS is used.
    pub server: &'a str,
    /// Whether TLS is used, for an address without a scheme.
    pub secure: bool,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// The base path of the server, for an address without a path.
    pub base_href: &'a str,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// The text without what may be a password.
    pub shown: String,
    pub why: &'static str,
}

impl ArgoAddress {
    /// The address as a URL, whose scheme says whether TLS is used, and whose path is the base.
    #[must_use]
    pub fn url(&self) -> String {
        self.uri.to_string()
    }

    /// Whether any certificate is accepted.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// Parses an address as the argo CLI does.
    ///
    /// # Errors
    /// It is no address, or holds a password.
    pub fn parse(typed: TypedAddress<'_>) -> Result<Self, AddressError> {
        let TypedAddress { server, secure, insecure, base_href } = typed;
        let wrong = |why| {
            // The text before an @ may be a password.
            let shown = server.rsplit('@').next().unwrap_or_default().to_owned();
            AddressError { shown, why }
        };
        let (scheme, rest) = match server.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            Some(_) => return Err(wrong("use HOST:PORT, or a URL that begins with http:// or https://")),
            None if secure => ("https", server),
            None => ("http", server),
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path),
            None => (rest, base_href),
        };
        if authority.contains('@') {
            return Err(wrong("a user or password does not belong there; set the token in ARGO_TOKEN"));
        }
        if path.contains(['?', '#']) {
            return Err(wrong("it may have a path, but no query"));
        }
        let path = path.trim_matches('/');
        let uri: Uri =
            format!("{scheme}://{authority}/{path}").parse().map_err(|_| wrong("it is no address"))?;
        match uri.host() {
            Some(host) if !host.is_empty() => Ok(Self { uri, insecure }),
            _ => Err(wrong("it names no host")),
        }
    }
}

/// Whether the environment has a token for the Argo server other than the user's own.
pub fn has_own_token() -> bool {
    std::env::var_os(TOKEN).is_some_and(|token| !token.is_empty())
}

/// The credentials: `ARGO_TOKEN`, with or without `Bearer` or `Basic`, else the token of the kubeconfig's user.
/// A variable that is set but empty means no credentials, for servers that need none.
pub(crate) fn credentials(auth: &AuthInfo) -> Result<AuthInfo, Error> {
    match std::env::var(TOKEN) {
        Ok(token) => from_token(token.trim()),
        Err(std::env::VarError::NotPresent) => Ok(own(auth)),
        Err(std::env::VarError::NotUnicode(_)) => Err(unusable("is no text")),
    }
}

/// The kubeconfig user without the certificate and the impersonation, which only Kubernetes understands.
fn own(auth: &AuthInfo) -> AuthInfo {
    let mut own = AuthInfo::default();
    own.username.clone_from(&auth.username);
    own.password.clone_from(&auth.password);
    own.token.clone_from(&auth.token);
    own.token_file.clone_from(&auth.token_file);
    own.auth_provider.clone_from(&auth.auth_provider);
    own.exec.clone_from(&auth.exec);
    own
}

fn from_token(token: &str) -> Result<AuthInfo, Error> {
    let mut auth = AuthInfo::default();
    if token.is_empty() {
        return Ok(auth);
    }
    let (scheme, word) = token.split_once(' ').unwrap_or(("Bearer", token));
    let word = word.trim();
    if !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unusable("holds what no header can hold"));
    }
    if scheme.eq_ignore_ascii_case("Bearer") {
        auth.token = Some(word.to_owned().into());
    } else if scheme.eq_ignore_ascii_case("Basic") {
        let plain = STANDARD.decode(word).ok().and_then(|plain| String::from_utf8(plain).ok());
        let Some((user, password)) = plain.as_deref().and_then(|plain| plain.split_once(':')) else {
            return Err(unusable("is no user and password in base64"));
        };
        auth.username = Some(user.to_owned());
        auth.password = Some(password.to_owned().into());
    } else {
        return Err(unusable("begins with neither Bearer nor Basic"));
    }
    Ok(auth)
}

fn unusable(why: &str) -> Error {
    Error::new(format!("{TOKEN} {why}")).hint("use what `argo auth token` prints")
}

/// The proxy that the environment names for the address, as for Go's clients; none for this machine.
pub(crate) fn proxy(uri: &Uri) -> Result<Option<Uri>, Error> {
    let host = uri.host().unwrap_or_default();
    if is_loopback(host) {
        return Ok(None);
    }
    let named = |names: [&str; 2]| {
        names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    let names = match uri.scheme_str() {
        Some("https") => ["HTTPS_PROXY", "https_proxy"],
        _ => ["HTTP_PROXY", "http_proxy"],
    };
    let spared = named(["NO_PROXY", "no_proxy"]).is_some_and(|list| is_spared(host, &list));
    let Some(proxy) = named(names).filter(|_| !spared) else { return Ok(None) };
    let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
    proxy.parse().map(Some).map_err(|_| Error::new(format!("{} names no proxy", names[0])))
}

/// Whether a `NO_PROXY` list has the host, or a domain that contains it. Networks in the list are ignored.
fn is_spared(host: &str, list: &str) -> bool {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let domain = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*" || host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    fn uri(server: &str, secure: bool, base_href: &str) -> Result<String, AddressError> {
        let typed = TypedAddress { server, secure, insecure: false, base_href };
        ArgoAddress::parse(typed).map(|address| address.uri.to_string())
    }

    #[test]
    fn hosts_are_as_the_cli_has_them_and_urls_say_it_themselves() {
        assert_eq!(uri("argo:2746", true, "").unwrap(), "https://argo:2746/");
        assert_eq!(uri("argo:2746", false, "/argo/").unwrap(), "http://argo:2746/argo");
        assert_eq!(uri("http://argo:2746", true, "").unwrap(), "http://argo:2746/");
        assert_eq!(
            uri("https://argo.example.com/argo/", false, "").unwrap(),
            "https://argo.example.com/argo"
        );
        for wrong in ["ftp://argo", "https://", ":2746", "https://me:secret@argo", "argo:2746/?x=1", "a b"] {
            let error = uri(wrong, true, "").unwrap_err();
            assert!(!error.shown.contains("secret") && !error.why.is_empty(), "{error:?}");
        }
    }

    #[test]
    fn tokens_come_with_or_without_their_scheme() {
        let token = |text: &str| from_token(text).unwrap().token.map(|token| format!("{token:?}"));
        assert_eq!(from_token("").unwrap().token.is_none(), token("").is_none());
        assert!(token("Bearer abc").is_some() && token("abc").is_some());
        assert_eq!(from_token("Basic bWU6cHc=").unwrap().username.as_deref(), Some("me"));
        for wrong in ["Basic %%", "Digest abc", "Bearer a\nb", "Bearer ä"] {
            let error = from_token(wrong).unwrap_err().to_string();
            assert!(error.contains("argo auth token") && !error.contains("abc"), "{error}");
        }
    }

    #[test]
    fn a_proxy_is_spared_for_its_list() {
        for list in ["*", "argo.example.com", ".example.com", "x, example.com"] {
            assert!(is_spared("argo.example.com", list), "{list}");
        }
        assert!(!is_spared("argo.example.com", "ample.com,argo"));
    }
}
