//! A storage that answers what a test makes it answer.

use super::clouds::{ACCOUNT, KEY};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials, Override};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use object_store::aws::AwsCredential;
use object_store::azure::AzureAccessKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A request as a storage sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: HashMap<String, String>,
    /// The header by which it is authorized; empty if it has none.
    pub authorization: String,
    /// The header of AWS's temporary credentials; empty if it has none.
    pub token: String,
    pub body: String,
}

impl Asked {
    pub fn get(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }
}

pub type Answer = Response<Body>;
pub type Log = Arc<Mutex<Vec<Asked>>>;
type Says = dyn Fn(&Asked) -> Answer + Send + Sync;

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.into())).unwrap()
}

/// A server that says what it is told to, and remembers what it was asked.
pub struct FaultyStorage {
    address: std::net::SocketAddr,
    pub asked: Log,
}

impl FaultyStorage {
    pub async fn start(says: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let asked = Log::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let says: Arc<Says> = Arc::new(says);
        let app = Router::new()
            .fallback(|State((says, asked)): State<(Arc<Says>, Log)>, request: Request<Body>| async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 24).await.unwrap_or_default();
                let query = parts.uri.query().unwrap_or_default();
                let header = |name: &str| {
                    let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
                    value.unwrap_or_default().to_owned()
                };
                let request = Asked {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
                    authorization: header("authorization"),
                    token: header("x-amz-security-token"),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                asked.lock().unwrap().push(request.clone());
                says(&request)
            })
            .with_state((says, Arc::clone(&asked)));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    pub fn deletes(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.method == "DELETE").count()
    }

    /// The three storages, all of this server.
    pub fn store(&self) -> Store {
        self.store_by(|over| over)
    }

    /// As [`Self::store`], and taken for the clouds' own servers.
    pub fn own_store(&self) -> Store {
        self.store_by(Override::at_own_server)
    }

    fn store_by(&self, change: impl Fn(Override) -> Override) -> Store {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = AwsCredential { key_id: "k".into(), secret_key: "s".into(), token: None };
        let azure = AzureChain::key(ACCOUNT, AzureAccessKey::try_new(KEY).unwrap());
        let credentials = CloudCredentials { google: Credentials::none(), aws: AwsChain::key(key), azure };
        let over: Vec<Override> = ["minio", "devstoreaccount1.blob.core.windows.net"]
            .map(|host| change(format!("{host}={}", self.url()).parse().unwrap()))
            .into();
        Store::Cloud(Cloud::new(Some(self.url()), credentials, over, Throttle::new(32, None)).unwrap())
    }
}

pub fn gcs() -> Bucket {
    "gs://b".parse().unwrap()
}

pub fn s3() -> Bucket {
    "s3://b@minio".parse().unwrap()
}

pub fn azure() -> Bucket {
    "https://devstoreaccount1.blob.core.windows.net/b".parse().unwrap()
}

/// A page of an S3 listing: contents, and what else stands in it.
pub fn listing(keys: &[&str], more: &str) -> Answer {
    let contents: String = keys
        .iter()
        .map(|key| {
            format!(
                "<Contents><Key>{}</Key><LastModified>2026-11-02T00:00:00.123Z</LastModified>\
                 <ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>",
                form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>()
            )
        })
        .collect();
    // Nothing that a server calls itself may count.
    let headers = [("server", "AmazonS3")];
    let body = format!(
        "<ListBucketResult><Name>b</Name><EncodingType>url</EncodingType>{contents}{more}</ListBucketResult>"
    );
    answer(200, &headers, body)
}

pub const END: &str = "<IsTruncated>false</IsTruncated>";

/// A storage where nothing is; it says so as a bucket that exists.
pub async fn empty() -> FaultyStorage {
    FaultyStorage::start(|asked| {
        let headers =
            [("x-amz-request-id", "1"), ("x-ms-request-id", "1"), ("x-ms-error-code", "BlobNotFound")];
        match asked.method.as_str() {
            "HEAD" => answer(404, &headers, ""),
            _ if asked.path.starts_with("/storage/v1") => {
                answer(200, &[("content-type", "application/json")], r#"{"kind":"storage#objects"}"#)
            }
            _ if asked.query.contains_key("comp") => {
                answer(200, &headers, "<EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>")
            }
            _ => answer(
                200,
                &headers,
                "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>",
            ),
        }
    })
    .await
}

/// Whose requests there were for a bucket.
pub fn asked_as(asked: &[Asked], bucket: &str, who: impl Fn(&Asked) -> bool) -> (usize, usize) {
    let of_bucket: Vec<&Asked> =
        asked.iter().filter(|asked| asked.path.split('/').any(|part| part == bucket)).collect();
    (of_bucket.len(), of_bucket.iter().filter(|asked| who(asked)).count())
}
