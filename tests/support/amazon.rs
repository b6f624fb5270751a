//! Amazon S3 in memory, as far as deletes in bulk go: listings, looks, pinned deletes of one and of many. It keeps a log,
//! and a test can step in before and after each request.

use super::clouds::{ACCOUNT, KEY};
use super::faulty_storage::{Answer, answer};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials, Override};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use argo_gc_store::types::Pinned;
use axum::Router;
use axum::body::Body;
use axum::extract::State as Held;
use axum::http::{Request, Response};
use object_store::aws::AwsCredential;
use object_store::azure::AzureAccessKey;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

/// When objects are written, in seconds.
pub const WRITTEN: i64 = 1_790_000_000;

#[derive(Clone, Debug)]
pub struct Object {
    pub tag: String,
    pub written: i64,
    pub is_held: bool,
}

/// A request as the server sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `list`, `look`, `delete`, `bulk`, or the name of a setting.
    pub kind: String,
    /// The keys that it is about.
    pub keys: Vec<String>,
}

/// What comes of a key in a delete of many, in place of what would.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The error code, and nothing is done.
    Code(&'static str),
    /// The error code, and it is deleted all the same.
    Done(&'static str),
    /// The key is not answered, and nothing is done.
    Silence,
    /// Nothing is answered as deleted what is not.
    Lie,
}

/// How a whole request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whole {
    /// It is carried out, and the answer is lost.
    Lost,
    /// It is not carried out, and the answer is lost.
    Unheard,
    /// The status and the error code, and nothing is done.
    Refused(u16, &'static str),
}

#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<String, Object>,
    pub log: Vec<Asked>,
    /// The status of the bucket's versioning, empty if it never had any.
    pub versioning: &'static str,
    pub has_lock: bool,
    /// The bucket's settings may not be read.
    pub is_secret: bool,
    /// Heeds neither If-Match nor the ETags of a delete of many.
    pub ignores_pins: bool,
    /// Faults of keys, each for so many requests.
    pub faults: HashMap<String, (Fault, usize)>,
    /// Faults of the next deletes of many.
    pub whole: Vec<Whole>,
    /// What happens just before a request is carried out.
    pub before: Option<Before>,
}

pub type Before = Arc<dyn Fn(&Asked, &mut BTreeMap<String, Object>) + Send + Sync>;

#[derive(Clone)]
pub struct Amazon {
    state: Arc<Mutex<State>>,
    address: std::net::SocketAddr,
}

impl Amazon {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let amazon = Self { state: Arc::default(), address: listener.local_addr().unwrap() };
        let app = Router::new()
            .fallback(|Held(amazon): Held<Self>, request: Request<Body>| async move {
                amazon.serve(request).await
            })
            .with_state(amazon.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        amazon
    }

    pub fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Writes an object.
    pub fn put(&self, key: &str, tag: &str, written: i64) {
        let object = Object { tag: tag.to_owned(), written, is_held: false };
        self.state().objects.insert(key.to_owned(), object);
    }

    pub fn has(&self, key: &str) -> bool {
        self.state().objects.contains_key(key)
    }

    /// Requests of a kind so far.
    pub fn asked(&self, kind: &str) -> usize {
        self.state().log.iter().filter(|asked| asked.kind == kind).count()
    }

    /// The keys of the requests of a kind, request by request.
    pub fn keys(&self, kind: &str) -> Vec<Vec<String>> {
        let state = self.state();
        state.log.iter().filter(|asked| asked.kind == kind).map(|asked| asked.keys.clone()).collect()
    }

    /// A store that takes this server for Amazon's own; or for a server that S3 is spoken to.
    pub fn store(&self, is_amazon: bool) -> (Store, Bucket) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = AwsCredential { key_id: "k".into(), secret_key: "s".into(), token: None };
        let azure = AzureChain::key(ACCOUNT, AzureAccessKey::try_new(KEY).unwrap());
        let credentials = CloudCredentials { google: Credentials::none(), aws: AwsChain::key(key), azure };
        let host = if is_amazon { "s3.amazonaws.com" } else { "minio" };
        let over: Override = format!("{host}=http://{}", self.address).parse().unwrap();
        let over = if is_amazon { over.at_own_server() } else { over };
        let bucket = if is_amazon { "s3://b" } else { "s3://b@minio" };
        let cloud = Cloud::new(None, credentials, vec![over], Throttle::new(32, None)).unwrap();
        (Store::Cloud(cloud), bucket.parse().unwrap())
    }

    async fn serve(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let query: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = parts.uri.path().strip_prefix("/b/").unwrap_or_default();
        let plain = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
        let key =
            form_urlencoded::parse(plain.as_bytes()).next().map_or(String::new(), |(key, _)| key.into());
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let has = |name: &str| query.contains_key(name);
        let objects = named(&String::from_utf8_lossy(&body));
        let (kind, keys) = match parts.method.as_str() {
            "HEAD" => ("look", vec![key.clone()]),
            "DELETE" => ("delete", vec![key.clone()]),
            "POST" => ("bulk", objects.iter().map(|(key, _)| key.clone()).collect()),
            _ if has("versioning") => ("versioning", Vec::new()),
            _ if has("object-lock") => ("object-lock", Vec::new()),
            _ => ("list", Vec::new()),
        };
        let asked = Asked { kind: kind.to_owned(), keys };
        let state = &mut *self.state();
        if let Some(before) = state.before.clone() {
            before(&asked, &mut state.objects);
        }
        state.log.push(asked);
        match kind {
            "look" => state.look(&key),
            "delete" => {
                let tag = parts.headers.get("if-match").map(|tag| tag.to_str().unwrap().trim_matches('"'));
                state.delete(&key, tag.unwrap_or_default())
            }
            "bulk" => {
                let sum = parts.headers.get("x-amz-checksum-crc32").is_some();
                assert!(sum && objects.len() <= 1000 && parts.headers.contains_key("authorization"));
                state.bulk(&objects)
            }
            "versioning" | "object-lock" if state.is_secret => refused(403, "AccessDenied"),
            "versioning" => {
                let status = match state.versioning {
                    "" => String::new(),
                    status => format!("<Status>{status}</Status>"),
                };
                answer(200, &[], format!("<VersioningConfiguration>{status}</VersioningConfiguration>"))
            }
            "object-lock" if state.has_lock => answer(
                200,
                &[],
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
            ),
            "object-lock" => refused(404, "ObjectLockConfigurationNotFoundError"),
            _ => state.list(&query),
        }
    }
}

impl State {
    fn look(&self, key: &str) -> Answer {
        let Some(object) = self.objects.get(key) else {
            return answer(404, &[("x-amz-request-id", "1")], "");
        };
        let written = jiff::Timestamp::from_second(object.written).unwrap();
        let written =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&written).unwrap();
        let tag = format!("\"{}\"", object.tag);
        let mut headers = vec![("etag", &*tag), ("last-modified", &*written), ("content-length", "1")];
        if object.is_held {
            headers.push(("x-amz-object-lock-legal-hold", "ON"));
        }
        answer(200, &headers, "x")
    }

    fn delete(&mut self, key: &str, tag: &str) -> Answer {
        match self.objects.get(key) {
            None => refused(404, "NoSuchKey"),
            Some(object) if object.tag != tag && !self.ignores_pins => refused(412, "PreconditionFailed"),
            Some(_) => {
                self.objects.remove(key);
                answer(204, &[], "")
            }
        }
    }

    fn bulk(&mut self, objects: &[(String, String)]) -> Answer {
        let whole = if self.whole.is_empty() { None } else { Some(self.whole.remove(0)) };
        match whole {
            Some(Whole::Refused(status, code)) => return refused(status, code),
            Some(Whole::Unheard) => return lost(),
            Some(Whole::Lost) | None => {}
        }
        let mut body = String::new();
        for (key, tag) in objects {
            let fault = match self.faults.get_mut(key) {
                Some((fault, left)) if *left > 0 => {
                    *left -= 1;
                    Some(*fault)
                }
                _ => None,
            };
            let code = match (fault, self.objects.get(key)) {
                (Some(Fault::Silence), _) => continue,
                (Some(Fault::Lie), _) => "",
                (Some(Fault::Code(code)), _) => code,
                (Some(Fault::Done(code)), _) => {
                    self.objects.remove(key);
                    code
                }
                (None, None) => "NoSuchKey",
                (None, Some(object)) if object.tag != *tag && !self.ignores_pins => "PreconditionFailed",
                (None, Some(_)) => {
                    self.objects.remove(key);
                    ""
                }
            };
            let key = key.replace('&', "&amp;").replace('<', "&lt;");
            body += &match code.split_once(": ") {
                _ if code.is_empty() => format!("<Deleted><Key>{key}</Key></Deleted>"),
                Some((code, why)) => {
                    format!("<Error><Key>{key}</Key><Code>{code}</Code><Message>{why}</Message></Error>")
                }
                None => format!("<Error><Key>{key}</Key><Code>{code}</Code><Message>no</Message></Error>"),
            };
        }
        match whole {
            Some(Whole::Lost) => lost(),
            _ => answer(200, &[], format!("<DeleteResult>{body}</DeleteResult>")),
        }
    }

    fn list(&self, query: &HashMap<String, String>) -> Answer {
        let asked = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, most) = (asked("prefix"), asked("max-keys").parse().unwrap_or(1000).min(1000));
        let begin = asked("start-after").max(asked("continuation-token"));
        let begin = if begin < prefix { Bound::Included(prefix) } else { Bound::Excluded(begin) };
        let range = self.objects.range::<str, _>((begin, Bound::Unbounded));
        let mut listed: Vec<_> =
            range.take_while(|(key, _)| key.starts_with(prefix)).take(most + 1).collect();
        let is_truncated = listed.len() > most;
        listed.truncate(most);
        let encoded = |key: &str| form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>();
        let mut body: String = listed
            .iter()
            .map(|(key, Object { tag, written, .. })| {
                format!(
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{tag}&quot;</ETag>\
                     <Size>1</Size></Contents>",
                    encoded(key),
                    jiff::Timestamp::from_second(*written).unwrap()
                )
            })
            .collect();
        if let Some((last, _)) = listed.last().filter(|_| is_truncated) {
            body += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        let body = format!(
            "<ListBucketResult><Name>b</Name><EncodingType>url</EncodingType>\
             <IsTruncated>{is_truncated}</IsTruncated>{body}</ListBucketResult>"
        );
        answer(200, &[], body)
    }
}

fn refused(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    answer(status, &[("x-amz-request-id", "1")], body)
}

/// An answer that breaks off.
fn lost() -> Answer {
    let torn = futures::stream::iter([Err::<axum::body::Bytes, _>(std::io::Error::other("torn"))]);
    Response::builder().status(200).body(Body::from_stream(torn)).unwrap()
}

/// The objects that the body of a delete of many names, with their ETags.
fn named(body: &str) -> Vec<(String, String)> {
    let plain = |text: &str| {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&")
    };
    let part = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(part, _)| plain(part))
    };
    body.split("<Object>")
        .skip(1)
        .map(|object| {
            let tag = part(object, "ETag").expect("each object has its ETag");
            (part(object, "Key").expect("a key"), tag.trim_matches('"').to_owned())
        })
        .collect()
}

/// The pin of what [`Amazon::put`] wrote.
pub fn pin(tag: &str, written: i64) -> String {
    format!("{tag}@{written}")
}

/// Objects as a delete wants them.
pub fn pinned(objects: &[(String, String)]) -> Vec<Pinned<'_>> {
    objects.iter().map(|(key, pin)| Pinned { key, pin }).collect()
}
