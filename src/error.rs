//! Errors as kubectl words them: what happened, where, what to do.

mod inventory;
mod storage;

pub use self::storage::storage_error;
use argo_gc_store::types::StoreError;
use kube::client::AuthError;
use serde::Deserialize;
use std::error::Error as StdError;
use std::{fmt, io};

/// client-go's words for a 404 that names no object.
const NO_RESOURCE: &str = "the server could not find the requested resource";

/// The Argo server's words for what its configuration does not offer; gRPC's code is the one of any failure.
const NOT_SUPPORTED: &str = "not supported";

/// The words of rustls-platform-verifier, which checks certificates for kube and for storage.
const NO_CERTIFICATES: &str = "No CA certificates were loaded";

/// The kind of a failure, for callers that treat some kinds in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Usage,
    Forbidden,
    /// The server has no object of that name.
    NotFound,
    /// The server has no such type of objects.
    NoResourceType,
    /// The server can't do what it was asked to do.
    Unsupported,
    /// Nothing listens at the address.
    ConnectionRefused,
    /// No credentials for the server could be found.
    Credentials,
    /// The server's certificate is not trusted.
    UntrustedCertificate,
    /// The server does not speak TLS.
    NotTls,
    /// A continue token is too old (HTTP 410).
    Expired,
    /// An answer is larger than what is read.
    TooLarge,
    /// One object makes no sense, or would take too much memory.
    Malformed,
    /// A guard refused, or the user did not confirm.
    Refused,
    /// The reader of the output closed it.
    ClosedPipe,
    Other,
}

/// What a user may do about an error. Only the command line words hints that name its flags and verbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    Text(String),
    /// There is no kubeconfig: name one, or read files instead of a cluster.
    NoKubeconfig,
    /// The cluster lacks Argo Workflows, so another context may be meant.
    OtherContext,
    /// The files are in folders further down.
    Descend,
    /// Reading one namespace needs fewer permissions.
    OneNamespace,
    /// Fewer requests read a list before it expires.
    LargerPages,
    /// The server needs more time.
    LongerTimeout,
    /// A list is smaller if fewer objects are asked for at a time.
    SmallerPages,
    /// The address of the Argo server may be wrong.
    ArgoServerAddress,
    /// The error is about the Argo server, not about the cluster.
    IsArgoServer,
    /// How an Inspection document is made.
    MakeInspection,
    /// How a lint report is made.
    MakeLintReport,
    /// How a document of another cluster's references is made.
    MakeReferences,
    /// A document of references is too old, or a higher age may be allowed.
    OldReferences,
    /// The clock of this machine is wrong.
    WrongClock,
    /// A larger difference of clocks may be allowed.
    LargerMargin,
    /// Only the objects of some buckets can be handled.
    ChooseBuckets,
    /// A plan is too old, or a higher age may be allowed.
    OldPlan,
    /// A plan belongs to another cluster.
    OtherCluster,
    /// A plan can't be used any more.
    NewPlan,
    /// A plan has more objects than it may have.
    MoreObjects,
    /// A saved plan was named where a journal is wanted.
    IsPlan,
    /// A journal was named where a saved plan is wanted.
    IsJournal,
    /// Objects can be brought back without the cluster.
    UndoWithoutCluster,
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A failure, ready to be shown.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// The whole first line, `error: ` or kubectl's other beginnings included.
    message: String,
    hints: Vec<Hint>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that begins with `error: `.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::worded(ErrorKind::Other, format!("error: {message}"))
    }

    /// One object makes no sense; others may.
    pub fn malformed(message: impl fmt::Display) -> Self {
        Self { kind: ErrorKind::Malformed, ..Self::new(message) }
    }

    /// A wrong command line.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::worded(ErrorKind::Usage, format!("error: {message}"))
    }

    /// A guard refused: nothing was changed.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::worded(ErrorKind::Refused, format!("error: {message}"))
    }

    fn worded(kind: ErrorKind, message: String) -> Self {
        Self { kind, message, hints: Vec::new(), source: None }
    }

    /// Adds a `hint: ` line.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The whole first line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The hints, in the order in which they are shown.
    pub fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// Keeps the error that caused this one. The message already says what users need of it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// Whether the server has no such object, or no such type of objects.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound | ErrorKind::NoResourceType)
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Usage => exit::USAGE,
            ErrorKind::Refused => exit::REFUSED,
            ErrorKind::ClosedPipe => exit::DONE,
            _ => exit::ERROR,
        }
    }

    /// The first line without `error: `, for use within another sentence.
    pub fn brief(&self) -> &str {
        self.message.strip_prefix("error: ").unwrap_or(&self.message)
    }

    /// The API server refused or failed; `body` is its Status object, if it sent one.
    pub fn from_status(code: u16, body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Status {
            message: String,
            reason: String,
        }
        let status: Status = serde_json::from_slice(body).unwrap_or_default();
        let kind = match (code, status.reason.as_str()) {
            (403, _) => ErrorKind::Forbidden,
            // For a type that it doesn't know the server names no object.
            (404, _) if status.message.is_empty() || status.message.ends_with(NO_RESOURCE) => {
                ErrorKind::NoResourceType
            }
            (404, _) => ErrorKind::NotFound,
            (410, _) | (_, "Expired" | "Gone") => ErrorKind::Expired,
            _ => ErrorKind::Other,
        };
        if code == 401 {
            let message = "error: You must be logged in to the server (Unauthorized)";
            return Self::worded(kind, message.into())
                .hint("the kubeconfig's credentials are missing, wrong or expired");
        }
        let (usual_reason, usual_message) = usual(code);
        let reason = match (status.reason.as_str(), usual_reason) {
            ("", "") => format!("HTTP {code}"),
            ("", usual) => usual.to_owned(),
            (reason, _) => reason.to_owned(),
        };
        let message = match (status.message.as_str(), usual_message) {
            ("", "") => format!("the server answered HTTP {code} without a reason"),
            ("", usual) => usual.to_owned(),
            (message, _) => message.to_owned(),
        };
        Self::worded(kind, format!("Error from server ({reason}): {message}"))
    }

    /// The Argo server at `host` refused or failed; `body` is its message as grpc-gateway writes it.
    pub fn from_argo_status(host: &str, code: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            /// gRPC's number.
            code: u32,
            #[serde(default)]
            message: String,
        }
        // A proxy in front of the server may send anything. Kubernetes' Status objects have larger codes.
        let answer = serde_json::from_slice::<Answer>(body).ok().filter(|answer| answer.code <= 16);
        let unsupported = answer.as_ref().is_some_and(|answer| answer.message.contains(NOT_SUPPORTED));
        let kind = match code {
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            _ if unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        };
        let message = match (&answer, code) {
            (_, 401) => {
                let message =
                    format!("error: You must be logged in to the Argo server {host} (Unauthorized)");
                return Self::worded(kind, message);
            }
            (None, 300..=400 | 404 | 405) => return Self::no_argo_server(host),
            (Some(answer), _) if !answer.message.is_empty() => answer.message.as_str(),
            _ => match usual(code).1 {
                "" => "no reason was given",
                usual => usual,
            },
        };
        let reason = match usual(code).0 {
            "" => format!("HTTP {code}"),
            reason => reason.to_owned(),
        };
        Self::worded(kind, format!("Error from the Argo server {host} ({reason}): {message}"))
    }

    /// Something else answers where an Argo server was expected.
    pub fn no_argo_server(host: &str) -> Self {
        Self::new(format!("the server {host} answers, but not as an Argo server does"))
            .hint(Hint::ArgoServerAddress)
            .hint(
                "an Argo server with TLS needs https, one below a path needs the path too: https://HOST/PATH",
            )
    }

    /// The API server could not be reached, or the connection broke.
    fn from_connection(host: &str, error: &(dyn StdError + 'static)) -> Self {
        let chain = chain(error);
        let io_kind = chain.iter().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
        let kind = match chain.iter().find_map(|error| tls(*error)) {
            Some(rustls::Error::InvalidCertificate(_)) => ErrorKind::UntrustedCertificate,
            Some(rustls::Error::InvalidMessage(_)) => ErrorKind::NotTls,
            _ => ErrorKind::Other,
        };
        // The innermost error says what happened; the outer ones only where in the client.
        let innermost = chain.last().map(ToString::to_string).unwrap_or_default();
        match io_kind {
            Some(io::ErrorKind::ConnectionRefused) => Self::worded(
                ErrorKind::ConnectionRefused,
                format!(
                    "The connection to the server {host} was refused - did you specify the right host or port?"
                ),
            ),
            Some(io::ErrorKind::TimedOut) => Self::timeout(host),
            _ => Self::worded(kind, format!("Unable to connect to the server: {host}: {innermost}")),
        }
    }

    /// The API server did not answer in time.
    pub fn timeout(host: &str) -> Self {
        Self::worded(ErrorKind::Other, format!("Unable to connect to the server: {host}: no answer in time"))
            .hint(Hint::LongerTimeout)
    }

    /// The answer is larger than `most` bytes, and was not read further.
    pub fn too_large(host: &str, most: usize) -> Self {
        let message = format!("error: the server {host} sent more than {} MiB in one answer", most >> 20);
        Self::worded(ErrorKind::TooLarge, message)
    }

    /// A failure of kube's client, never in its own words alone.
    pub fn from_kube(host: &str, error: kube::Error) -> Self {
        Self::of_kube(host, &error).caused_by(error)
    }

    fn of_kube(host: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let body = serde_json::to_vec(status).unwrap_or_default();
                Self::from_status(status.code, &body)
            }
            kube::Error::Auth(auth) => Self::from_auth(auth),
            kube::Error::RustlsTls(tls) => Self::setting_up(format!("setting up TLS: {}", innermost(tls))),
            kube::Error::InferKubeconfig(config) => Self::of_kubeconfig(config),
            // Credentials are renewed on the way to the server.
            other => match chain(other).into_iter().find_map(|cause| cause.downcast_ref::<AuthError>()) {
                Some(auth) => Self::from_auth(auth),
                None => Self::from_connection(host, other),
            },
        }
    }

    /// A client can't be made, so nothing was sent. `why` ends with the innermost cause.
    pub fn setting_up(why: impl fmt::Display) -> Self {
        let why = why.to_string();
        match why.contains(NO_CERTIFICATES) {
            true => Self::new("this machine has no CA certificates, so no server could be trusted")
                .hint("install them (mostly the package ca-certificates), or name a PEM file of them in SSL_CERT_FILE"),
            false => Self::new(why),
        }
    }

    /// No credentials could be found. Of a plugin's output only the standard error is shown: its standard output may
    /// hold a token.
    fn from_auth(error: &AuthError) -> Self {
        let message = match error {
            AuthError::AuthExecRun { out, .. } => {
                let words = String::from_utf8_lossy(&out.stderr);
                let last = words.lines().rfind(|line| !line.trim().is_empty());
                let last = last.map(|line| format!(": {}", line.trim())).unwrap_or_default();
                format!("the credential plugin failed with {}{last}", out.status)
            }
            AuthError::AuthExecParse(_) => "the credential plugin printed no ExecCredential".to_owned(),
            AuthError::AuthExecStart(cause) => format!("the credential plugin can't be started: {cause}"),
            AuthError::ReadTokenFile(cause, path) => format!("reading {}: {cause}", path.display()),
            other => innermost(other),
        };
        Self::worded(ErrorKind::Credentials, format!("error: getting credentials: {message}"))
    }

    /// The kubeconfig can't be read or makes no sense.
    pub fn from_kubeconfig(error: kube::config::KubeconfigError) -> Self {
        Self::of_kubeconfig(&error).caused_by(error)
    }

    fn of_kubeconfig(error: &kube::config::KubeconfigError) -> Self {
        use kube::config::KubeconfigError as E;
        match error {
            E::CurrentContextNotSet => {
                Self::new("no context is chosen in the kubeconfig").hint("kubectl config get-contexts")
            }
            E::LoadContext(name) => {
                Self::new(format!("context \"{name}\" does not exist")).hint("kubectl config get-contexts")
            }
            E::LoadClusterOfContext(name) => {
                Self::new(format!("cluster \"{name}\" does not exist in the kubeconfig"))
            }
            E::ReadConfig(cause, path) => Self::new(format!("reading {}: {cause}", path.display())),
            E::Parse(cause) => {
                let text = cause.to_string();
                Self::new(format!("the kubeconfig is not valid: {}", text.lines().next().unwrap_or_default()))
            }
            other => Self::new(format!("the kubeconfig cannot be used: {}", innermost(other))),
        }
    }
}

/// The reason and message that client-go uses if a server sends none; empty if client-go has none either.
fn usual(code: u16) -> (&'static str, &'static str) {
    match code {
        403 => ("Forbidden", "forbidden"),
        404 => ("NotFound", NO_RESOURCE),
        410 => ("Expired", "the continue token is too old"),
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        500 => ("InternalError", "an error on the server has prevented the request from succeeding"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the server was unable to return a response in the time allotted"),
        _ => ("", ""),
    }
}

/// An error and its causes, outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(error);
        next = error.source();
    }
    chain
}

/// The failure of TLS within an error. The client wraps it into I/O errors, which don't give it as their source.
fn tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls(error.downcast_ref::<io::Error>()?.get_ref()?))
}

/// The last error of a chain.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The message with the hints that are texts; `cli` words the others too.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hints.iter().try_for_each(|hint| match hint {
            Hint::Text(text) => write!(f, "\nhint: {text}"),
            _ => Ok(()),
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        // An output that waits on disk fails with an error of ours.
        error.downcast().unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Self::worded(ErrorKind::ClosedPipe, String::new()),
            _ => Self::new(format!("writing the output: {error}")).caused_by(error),
        })
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(&error).caused_by(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(storage_error(&error))
    }
}

/// Exit codes, as docs/exit-codes.md publishes them.
pub mod exit {
    /// Done, findings or not.
    pub const DONE: u8 = 0;
    /// An error; what was printed before it may be incomplete.
    pub const ERROR: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// `--fail-on` found what it was asked to look for.
    pub const FOUND: u8 = 3;
    /// Some objects could not be read; the others were handled.
    pub const PARTIAL: u8 = 4;
    /// Refused, or not confirmed: nothing was changed.
    pub const REFUSED: u8 = 5;
    /// Interrupted by Ctrl-C.
    pub const INTERRUPTED: u8 = 130;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn speaks_as_kubectl_does() {
        let forbidden =
            br#"{"kind":"Status","reason":"Forbidden","message":"pods is forbidden: User \"x\""}"#;
        let error = Error::from_status(403, forbidden);
        assert_eq!(error.to_string(), "Error from server (Forbidden): pods is forbidden: User \"x\"");
        assert_eq!(error.kind, ErrorKind::Forbidden);
        let error = Error::from_status(401, b"");
        assert!(error.to_string().starts_with("error: You must be logged in to the server (Unauthorized)"));
        let error = Error::from_status(502, b"<html>");
        assert_eq!(
            error.to_string(),
            "Error from server (HTTP 502): the server answered HTTP 502 without a reason"
        );
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Error::from_connection("127.0.0.1:1", &refused).to_string(),
            "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?"
        );
    }

    #[test]
    fn an_argo_server_is_distinguished_from_others() {
        let of = |code, body: &str| Error::from_argo_status("argo:2746", code, body.as_bytes());
        let denied = r#"{"error":"not allowed","code":7,"message":"not allowed"}"#;
        assert_eq!(
            of(403, denied).to_string(),
            "Error from the Argo server argo:2746 (Forbidden): not allowed"
        );
        assert_eq!(of(403, denied).kind, ErrorKind::Forbidden);
        let missing = r#"{"error":"not found","code":5,"message":"not found"}"#;
        assert_eq!(of(404, missing).kind, ErrorKind::NotFound);
        for alien in ["404 page not found", r#"{"kind":"Status","code":404,"message":"x"}"#, "<html>"] {
            let error = of(404, alien);
            assert!(
                error.kind == ErrorKind::Other && error.to_string().contains("not as an Argo server"),
                "{error}"
            );
        }
        let disabled = r#"{"code":2,"message":"getting archived workflows not supported"}"#;
        assert_eq!(of(500, disabled).kind, ErrorKind::Unsupported);
        assert!(of(401, "<html>").to_string().contains("(Unauthorized)"));
        assert!(of(502, "<html>").to_string().contains("(HTTP 502): no reason was given"));
    }

    #[test]
    fn causes_and_kinds_are_kept() {
        let wrapped =
            |error: rustls::Error| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        let kind = |error: io::Error| Error::from_kube("h", kube::Error::Service(error.into())).kind;
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(refused), ErrorKind::ConnectionRefused);
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert_eq!(kind(wrapped(certificate)), ErrorKind::UntrustedCertificate);
        let plain = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(kind(wrapped(plain)), ErrorKind::NotTls);
        let error = Error::from(io::Error::other("disk full"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk full"));
        assert_eq!(Error::from_status(404, b"404 page not found").kind, ErrorKind::NoResourceType);
        let missing = br#"{"kind":"Status","reason":"NotFound","message":"pods \"x\" not found"}"#;
        assert_eq!(Error::from_status(404, missing).kind, ErrorKind::NotFound);
    }

    #[test]
    fn a_closed_pipe_is_success() {
        assert_eq!(Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit_code(), exit::DONE);
        assert_eq!(Error::usage("x").exit_code(), exit::USAGE);
    }
}
