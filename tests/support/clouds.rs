//! S3 and Azure without the clouds: moto and azurite, each a server of the test's own.

use super::server::{Server, free_port};
use argo_gc_core::model::bucket::Bucket;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What every Azurite takes: published, no secret.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server of one of the two kinds.
pub struct Emulator {
    _server: Server,
    _directory: TempDir,
    client: reqwest::Client,
    pub port: u16,
    is_azure: bool,
}

impl Emulator {
    /// S3, by moto.
    pub fn s3() -> Self {
        Self::start("ARGO_GC_TEST_MOTO", "moto", |program, port| {
            let arguments =
                ["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
            let library = format!("PYTHONPATH={}", program.display());
            ("env".into(), [vec![library, "python3".into()], arguments.to_vec()].concat())
        })
    }

    /// Azure, by azurite.
    pub fn azure() -> Self {
        Self::start("ARGO_GC_TEST_AZURITE", "azurite", |program, port| {
            let port = port.to_string();
            let script = program.display().to_string();
            let arguments = [
                &*script,
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port,
                "--inMemoryPersistence",
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
            ];
            ("node".into(), arguments.map(str::to_owned).to_vec())
        })
    }

    fn start(variable: &str, part: &str, command: impl Fn(&Path, u16) -> (PathBuf, Vec<String>)) -> Self {
        let program = super::program(variable);
        // A port is free only until someone else takes it.
        for _ in 0..3 {
            let (port, directory) = (free_port(), TempDir::new().expect("a directory"));
            let (program, arguments) = command(&program, port);
            let server = Server::start(&program, &arguments, directory.path().join("log"), directory.path());
            let start = Instant::now();
            while !server.has_ended() && start.elapsed() < Duration::from_secs(180) {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let is_azure = part.contains("azurite");
                    let _ = rustls::crypto::ring::default_provider().install_default();
                    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
                    let client = client.expect("a client");
                    return Self { _server: server, _directory: directory, client, port, is_azure };
                }
                thread::sleep(Duration::from_millis(50));
            }
            eprintln!("{}", server.last_words());
        }
        panic!("{part} doesn't start");
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        match self.is_azure {
            true => format!("http://127.0.0.1:{}/{ACCOUNT}", self.port),
            false => format!("http://127.0.0.1:{}", self.port),
        }
    }

    /// What workflows name as the endpoint, which is another than where it is reached.
    pub fn endpoint(&self) -> &'static str {
        if self.is_azure { "https://devstoreaccount1.blob.core.windows.net" } else { "minio.argo:9000" }
    }

    /// The value of `--endpoint-override`.
    pub fn over(&self) -> String {
        format!("{}={}", self.endpoint().trim_start_matches("https://"), self.url())
    }

    /// The bucket of a name, as the plugin knows it.
    pub fn named(&self, name: &str) -> Bucket {
        let text = match self.is_azure {
            true => format!("{}/{name}", self.endpoint()),
            false => format!("s3://{name}@{}", self.endpoint()),
        };
        text.parse().expect("a bucket")
    }

    /// Makes a bucket.
    pub async fn make(&self, name: &str) {
        let query = if self.is_azure { "?restype=container" } else { "" };
        self.send("PUT", &format!("/{name}{query}"), &[], Vec::new()).await;
    }

    /// Turns versioning on (S3).
    pub async fn version(&self, name: &str) {
        let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <Status>Enabled</Status></VersioningConfiguration>";
        self.send("PUT", &format!("/{name}?versioning"), &[], body.into()).await;
    }

    /// Writes an object.
    pub async fn put(&self, bucket: &str, key: &str, bytes: &str) {
        self.put_bytes(bucket, key, bytes.as_bytes().to_vec()).await;
    }

    /// Writes an object that is no text.
    pub async fn put_bytes(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        let kind: &[(&str, &str)] = if self.is_azure { &[("x-ms-blob-type", "BlockBlob")] } else { &[] };
        let path = key.split('/').map(escaped).collect::<Vec<_>>().join("/");
        self.send("PUT", &format!("/{bucket}/{path}"), kind, bytes).await;
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = request.header("content-length", body.len());
        let mut request: HttpRequest = request.body(HttpRequestBody::empty()).expect("a request");
        if self.is_azure {
            let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).expect("a key"));
            AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).expect("a signature");
        } else {
            let credential = AwsCredential { key_id: "k".into(), secret_key: "s".into(), token: None };
            let authorizer = AwsAuthorizer::new(&credential, "s3", "us-east-1").with_sign_payload(false);
            authorizer.try_authorize(&mut request, None).expect("a signature");
        }
        let (parts, _) = request.into_parts();
        let url: reqwest::Url = parts.uri.to_string().parse().expect("a URL");
        let sent = self.client.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let answer = sent.expect("an answer");
        let status = answer.status();
        assert!(status.is_success(), "{method} {path}: {status} {}", answer.text().await.unwrap_or_default());
    }
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
