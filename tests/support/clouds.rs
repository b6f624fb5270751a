//! S3 and Azure without the clouds: moto, MinIO, rclone, VersityGW and azurite, each a server of the test's own.

use super::server::{Server, free_port};
use argo_gc_core::model::bucket::Bucket;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use reqwest::StatusCode;
use serde_json::json;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What every Azurite takes: published, no secret.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// What the S3 servers are started with. Moto takes any.
pub const AWS_KEY: &str = "AKIAEXAMPLE";
pub const AWS_SECRET: &str = "not-to-be-shown";

/// The key of an account that there never was, made for these tests.
const RSA: &str = "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC7fD5xCJBkcsqDoJ7TJzqOEXjoTbhZZ4m358Dh5WFfspEmqwz51eNB6QLpv2gcxpJocsGbAJ3kQ7250At+lqdTnzW5qxrIP/5Wi3BO5OmAhT3IwZpekXBtAnlCUtu7pkHqlJDMLpgrL0mCJFcxecYZ7t2YglTLSVfeMDZ/pJiwF/U0GqYNUYuHZsEJyHSnAsO4mRRWdRwakvMVjBwxVqezLGgBD1X4RMESpUKjX6+tlSfUvbmN25rlnxT7D6S6Xv5Xnj6ltL7IB8zRQrMmN9d2Q600ZjrdqGv/KW6GxdduND4fX5/2CLdJWQz2ZnW+61LgJDpRmn5KTcfEWq2HX1IFAgMBAAECggEAAZCrqF+1B0Zw2I3bNZHZKpcMjNfoc/dqAWe4YJcv65x+5+hupWYUZxgnk5Iq/G6CvPqt3hOwiorJBy35Vcp/kn88puE947Hd3cgW0Gz9yNP6UsMDyf1QOtpV7wIbeBYO7JyzFr+roO5DBu8AIVdOAMJrOPSbLTVE1Z1Oa/aQsouemAyJKDUAvg3pLXhoOtgV/+/lwuwsqCAuIhJ5GBYLdA2prs1cqjLQMu6mLiytrA/WTk4c+/lfPv/nMrf/i2l6B9++OhLiIYcmLJ99k1q/jjb+yTyfLopqTAOuNAFP9K0ReZ889vEZll0bIBdlfamyGN53x3Gmes0NDPLfbY5kYQKBgQDkrRmlPRrYhchTexA9gTg+ylYG2x7JT+hPml8SQrD8tx+0sPhxopJO6OAyS0+67OSyA51OYHtLlAlEav9xS3tady6bv6KpvkwQZkKIGB2VHH0Q1pMVBxoanG8UU2l19E6fa3nl6RDZPvYhLzlOUfm/Due5iUp7tGinr084xVzHdQKBgQDR4yuswSpSrmW/Z+OjcpHVWw4VqTk6day3e9QCUv+Jh2+aJ6/S/kysldZTAwNw06LD5K1EoF1yMS6Xmz+SXqRzYFTS8kdUV7LMMzGsyepK4lai/vkuXzDDQ5Mt2S9ijs1Dmle4AE3bk91tlK1rbwJBDvi5uRdhaMXkDEif1wKeUQKBgDLWsP7laNR+WZ0FnQSvd7ut7BY2HNAQrcsUvNIodYSZibj4JyPMSs60QzOrPpyGEgnpd8128bJJxQ2q5ANiDph8KqaBoj4uimaS9XOgOONvo/ZcXfKs04bbBG72ZFnO6LPUhxMwD4jc0IdsIkdhPi7Vt3quJRr/bszo0qoCZrAJAoGAekcT+chrxNGvm2yGFYI47gjnUr1NBv7pidgNcvExyMjrvu6iI5VdzCpbO++EgKX7rI68Vz/qUQ3QLCkZR0f2HPWhVWgrIDsbgpXMufLEma31dW6Ac4CnowrqYwql7ZBui5UOx7b9pRAnL6Evy2hX8tkrFOB9e5WTvMFfSif0cZECgYBUCIpYMdkOOiVc+WmedWlGlgxFTcuhg0brbY7j0M5A5A81OiXdf9JsZ4DxL3ocu4uxLPae0DB4pORq2rHosEd+EUUNwhEWBkNAZ9y7TnyeOHLMrFMXKTlXAfgZ/kgMITiNMXHYcXdPmIlw/ytEPMP8WT/EzC013bY8gpxdX1o0BQ==";

/// Where Google gives tokens.
pub const GOOGLE: &str = "https://oauth2.googleapis.com/token";

/// The key file of a service account at Google.
pub fn google_key(token_uri: &str) -> String {
    let lines: Vec<String> =
        RSA.as_bytes().chunks(64).map(|line| String::from_utf8(line.into()).unwrap()).collect();
    let kind = "PRIVATE KEY";
    let key = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"));
    json!({
        "type": "service_account", "client_email": "gc@ml.iam.gserviceaccount.com", "private_key": key,
        "private_key_id": "1", "client_id": "2", "token_uri": token_uri,
    })
    .to_string()
}

/// The kinds of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Moto,
    Minio,
    Rclone,
    VersityGw,
    Azurite,
}

impl Kind {
    /// The variable in which `tests/run` names it.
    fn variable(self) -> &'static str {
        match self {
            Self::Moto => "ARGO_GC_TEST_MOTO",
            Self::Minio => "ARGO_GC_TEST_MINIO",
            Self::Rclone => "ARGO_GC_TEST_RCLONE",
            Self::VersityGw => "ARGO_GC_TEST_VERSITYGW",
            Self::Azurite => "ARGO_GC_TEST_AZURITE",
        }
    }

    /// True if it can keep versions.
    pub fn has_versions(self) -> bool {
        matches!(self, Self::Moto | Self::Minio | Self::VersityGw)
    }

    /// The command that serves below a directory, which exists.
    fn command(self, program: &Path, port: u16, directory: &Path) -> (PathBuf, Vec<String>) {
        let folder = |name: &str| {
            let folder = directory.join(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            folder.display().to_string()
        };
        let (address, port) = (format!("127.0.0.1:{port}"), port.to_string());
        let this = program.display().to_string();
        // Nothing of the user's own may be read or written.
        let home = format!("HOME={}", directory.display());
        let words: Vec<String> = match self {
            Self::Moto => {
                let library = format!("PYTHONPATH={this}");
                ["env", &library, "python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", &port]
                    .map(str::to_owned)
                    .into()
            }
            Self::Minio => {
                let key = format!("MINIO_ROOT_USER={AWS_KEY}");
                let secret = format!("MINIO_ROOT_PASSWORD={AWS_SECRET}");
                let quiet = ["MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=on"];
                let server = [&this, "server", "--quiet", "--address", &address, &folder("data")];
                [&["env", &home, &key, &secret], &quiet[..], &server]
                    .concat()
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect()
            }
            Self::Rclone => {
                let key = format!("{AWS_KEY},{AWS_SECRET}");
                let config = directory.join("rclone.conf").display().to_string();
                [
                    "env",
                    &home,
                    &this,
                    "serve",
                    "s3",
                    "--addr",
                    &address,
                    "--auth-key",
                    &key,
                    "--config",
                    &config,
                    &folder("data"),
                ]
                .map(str::to_owned)
                .into()
            }
            Self::VersityGw => [
                "env",
                &home,
                &this,
                "--access",
                AWS_KEY,
                "--secret",
                AWS_SECRET,
                "--port",
                &address,
                "--quiet",
                "posix",
                "--versioning-dir",
                &folder("versions"),
                &folder("data"),
            ]
            .map(str::to_owned)
            .into(),
            Self::Azurite => [
                "node",
                &this,
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port,
                "--inMemoryPersistence",
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
            ]
            .map(str::to_owned)
            .into(),
        };
        let mut words = words.into_iter();
        (words.next().unwrap_or_default().into(), words.collect())
    }
}

/// A server of one of the kinds.
pub struct Emulator {
    _server: Server,
    _directory: TempDir,
    client: reqwest::Client,
    pub port: u16,
    pub kind: Kind,
}

impl Emulator {
    /// S3, by moto.
    pub fn s3() -> Self {
        Self::start(Kind::Moto)
    }

    /// Azure, by azurite.
    pub fn azure() -> Self {
        Self::start(Kind::Azurite)
    }

    /// Starts a server of a kind.
    pub fn start(kind: Kind) -> Self {
        let program = super::program(kind.variable());
        // A port is free only until someone else takes it.
        for _ in 0..3 {
            let (port, directory) = (free_port(), TempDir::new().expect("a directory"));
            let (program, arguments) = kind.command(&program, port, directory.path());
            let server = Server::start(&program, &arguments, directory.path().join("log"), directory.path());
            let start = Instant::now();
            while !server.has_ended() && start.elapsed() < Duration::from_secs(180) {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let _ = rustls::crypto::ring::default_provider().install_default();
                    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
                    let client = client.expect("a client");
                    return Self { _server: server, _directory: directory, client, port, kind };
                }
                thread::sleep(Duration::from_millis(50));
            }
            eprintln!("{}", server.last_words());
        }
        panic!("{kind:?} doesn't start");
    }

    fn is_azure(&self) -> bool {
        self.kind == Kind::Azurite
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        match self.is_azure() {
            true => format!("http://127.0.0.1:{}/{ACCOUNT}", self.port),
            false => format!("http://127.0.0.1:{}", self.port),
        }
    }

    /// What workflows name as the endpoint, which is another than where it is reached.
    pub fn endpoint(&self) -> &'static str {
        if self.is_azure() { "https://devstoreaccount1.blob.core.windows.net" } else { "minio.argo:9000" }
    }

    /// The value of `--endpoint-override`.
    pub fn over(&self) -> String {
        format!("{}={}", self.endpoint().trim_start_matches("https://"), self.url())
    }

    /// The bucket of a name, as the plugin knows it.
    pub fn named(&self, name: &str) -> Bucket {
        let text = match self.is_azure() {
            true => format!("{}/{name}", self.endpoint()),
            false => format!("s3://{name}@{}", self.endpoint()),
        };
        text.parse().expect("a bucket")
    }

    /// Makes a bucket, once the server is ready.
    pub async fn make(&self, name: &str) {
        let query = if self.is_azure() { "?restype=container" } else { "" };
        let start = Instant::now();
        loop {
            let (status, body) = self.ask("PUT", &format!("/{name}{query}"), &[], Vec::new()).await;
            match status {
                StatusCode::SERVICE_UNAVAILABLE if start.elapsed() < Duration::from_secs(120) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                _ => return assert!(status.is_success(), "{name}: {status} {body}"),
            }
        }
    }

    /// Turns versioning on (S3).
    pub async fn version(&self, name: &str) {
        let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <Status>Enabled</Status></VersioningConfiguration>";
        let (status, answer) = self.ask("PUT", &format!("/{name}?versioning"), &[], body.into()).await;
        assert!(status.is_success(), "{name}: {status} {answer}");
    }

    /// Writes an object.
    pub async fn put(&self, bucket: &str, key: &str, bytes: &str) {
        self.put_bytes(bucket, key, bytes.as_bytes().to_vec()).await;
    }

    /// Writes an object that is no text.
    pub async fn put_bytes(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        self.try_put(bucket, key, bytes).await.unwrap_or_else(|why| panic!("{key:?}: {why}"));
    }

    /// Writes an object, if the server takes the key.
    pub async fn try_put(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) -> Result<(), String> {
        let kind: &[(&str, &str)] = if self.is_azure() { &[("x-ms-blob-type", "BlockBlob")] } else { &[] };
        let bytes = bytes.into();
        let mut refused = String::new();
        // As every client of S3 does, it asks again after an error of the server: rclone answers 500 to one of two writes
        // that make the same folder.
        for wait in [0, 50, 200, 800] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let (status, answer) = self.ask("PUT", &path(bucket, key), kind, bytes.clone()).await;
            if status.is_success() {
                return Ok(());
            }
            refused = format!("{status} {answer}");
            if !status.is_server_error() {
                break;
            }
        }
        Err(refused)
    }

    /// Where an object's tags are.
    fn tags_path(&self, bucket: &str, key: &str) -> String {
        format!("{}?{}", path(bucket, key), if self.is_azure() { "comp=tags" } else { "tagging" })
    }

    /// Gives an object one tag, and no other.
    pub async fn tag(&self, bucket: &str, key: &str, name: &str, value: &str) {
        let root = if self.is_azure() { "Tags" } else { "Tagging" };
        let tag = format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>");
        let body = format!("<{root}><TagSet>{tag}</TagSet></{root}>");
        let kind = [("content-type", "application/xml")];
        let (status, answer) = self.ask("PUT", &self.tags_path(bucket, key), &kind, body.into()).await;
        assert!(status.is_success(), "{key}: {status} {answer}");
    }

    /// The tags of an object, as the server writes them.
    pub async fn tags(&self, bucket: &str, key: &str) -> String {
        let (status, answer) = self.ask("GET", &self.tags_path(bucket, key), &[], Vec::new()).await;
        assert!(status.is_success(), "{key}: {status} {answer}");
        answer
    }

    /// The size of an object; none if there is none.
    ///
    /// # Errors
    /// The server refuses to tell, because it can't hold such a name.
    pub async fn plain_head(&self, bucket: &str, key: &str) -> Result<Option<u64>, String> {
        let (status, length) = self.ask("HEAD", &path(bucket, key), &[], Vec::new()).await;
        match status.as_u16() {
            200 => Ok(Some(length.parse().expect("a length"))),
            404 => Ok(None),
            400 => Err(format!("HEAD {key:?}: {status}")),
            _ => panic!("HEAD {key:?}: {status}"),
        }
    }

    /// The keys with a prefix and their sizes, in the server's order: page by page, each by the token of the one before.
    ///
    /// # Errors
    /// The server refuses to list them.
    pub async fn plain_list(&self, bucket: &str, prefix: &str) -> Result<Vec<(String, u64)>, String> {
        let (query, entry, name, size, next, marker) = match self.is_azure() {
            true => ("restype=container&comp=list", "Blob", "Name", "Content-Length", "NextMarker", "marker"),
            false => (
                "list-type=2&encoding-type=url",
                "Contents",
                "Key",
                "Size",
                "NextContinuationToken",
                "continuation-token",
            ),
        };
        let (mut listed, mut token) = (Vec::new(), String::new());
        loop {
            let more =
                if token.is_empty() { String::new() } else { format!("&{marker}={}", escaped(&token)) };
            let target = format!("/{bucket}?{query}&prefix={}{more}", escaped(prefix));
            let (status, body) = self.ask("GET", &target, &[], Vec::new()).await;
            if !status.is_success() {
                return Err(format!("{target}: {status} {body}"));
            }
            let is_encoded = within(&body, "EncodingType").is_some();
            let begin = format!("<{entry}>");
            listed.extend(body.split(&begin).skip(1).map(|entry| {
                let key = unescaped(within(entry, name).expect("a key"));
                let key = if is_encoded { decoded(&key) } else { key };
                (key, within(entry, size).expect("a size").parse().expect("a size"))
            }));
            token = within(&body, next).map(unescaped).unwrap_or_default();
            if token.is_empty() {
                return Ok(listed);
            }
        }
    }

    /// Sends a request. The text is the body; for HEAD the length.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (StatusCode, String) {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = request.header("content-length", body.len());
        let mut request: HttpRequest = request.body(HttpRequestBody::empty()).expect("a request");
        if self.is_azure() {
            let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).expect("a key"));
            AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).expect("a signature");
        } else {
            let credential = aws();
            let authorizer = AwsAuthorizer::new(&credential, "s3", "us-east-1").with_sign_payload(false);
            authorizer.try_authorize(&mut request, None).expect("a signature");
        }
        let (parts, _) = request.into_parts();
        let url: reqwest::Url = parts.uri.to_string().parse().expect("a URL");
        assert_eq!(url.path(), parts.uri.path(), "the URL leads elsewhere");
        let sent = self.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let answer = sent.expect("an answer");
        let status = answer.status();
        if method == "HEAD" {
            let length = answer.headers().get("content-length").and_then(|length| length.to_str().ok());
            return (status, length.unwrap_or_default().to_owned());
        }
        (status, answer.text().await.unwrap_or_default())
    }
}

/// The credential that the S3 servers are started with.
pub fn aws() -> AwsCredential {
    AwsCredential { key_id: AWS_KEY.into(), secret_key: AWS_SECRET.into(), token: None }
}

fn path(bucket: &str, key: &str) -> String {
    let key = key.split('/').map(escaped).collect::<Vec<_>>().join("/");
    format!("/{bucket}/{key}")
}

fn escaped(part: &str) -> String {
    part.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// What stands in the first element of a name; none if it is empty or missing.
fn within<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let begin = text.find(&format!("<{name}>"))? + name.len() + 2;
    let end = text[begin..].find(&format!("</{name}>"))?;
    Some(&text[begin..begin + end]).filter(|text| !text.is_empty())
}

/// A text of XML without its entities.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';').expect("the end of an entity");
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = entity.trim_start_matches('#');
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                char::from_u32(code.expect("a number")).expect("a character")
            }
        });
        rest = after;
    }
    plain + rest
}

/// A text without its percents, in which a plus is a space.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
                u8::from_str_radix(std::str::from_utf8(&digits).expect("digits"), 16).expect("digits")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("a key")
}
