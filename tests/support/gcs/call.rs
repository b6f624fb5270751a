//! What a request asks for.

use axum::body::Bytes;
use axum::http::request::Parts;
use http::{HeaderMap, Method};

use super::answer::Refusal;
use super::store::Conditions;

pub struct Call {
    pub method: Method,
    pub route: Route,
    pub query: Vec<(String, String)>,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

pub enum Route {
    Buckets,
    Bucket(String),
    Permissions(String),
    Objects(String),
    Object(String, String),
    Restore(String, String),
    Copy {
        source: (String, String),
        target: (String, String),
        rewrite: bool,
    },
    Upload(String),
    /// The XML API's `/bucket/key`.
    Xml(String, String),
    Unknown,
}

impl Call {
    pub fn new(parts: Parts, body: Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self {
            route: route(parts.uri.path()).unwrap_or(Route::Unknown),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            method: parts.method,
            headers: parts.headers,
            body,
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn authorization(&self) -> Option<String> {
        self.headers.get("authorization")?.to_str().ok().map(str::to_owned)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    pub fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let parse = |value: &str| {
            value.parse().map_err(|_| Refusal::invalid(format!("Invalid value at '{name}': \"{value}\"")))
        };
        self.get(name).map(parse).transpose()
    }

    /// The generation that must be there, which the XML API takes from a header.
    pub fn pin(&self) -> Result<Option<i64>, Refusal> {
        let header = self.headers.get("x-goog-if-generation-match").and_then(|value| value.to_str().ok());
        match (&self.route, header) {
            (Route::Xml(..), Some(value)) => {
                value.parse().map(Some).map_err(|_| Refusal::invalid("Invalid generation"))
            }
            _ => self.number("ifGenerationMatch"),
        }
    }

    pub fn conditions(&self) -> Result<Conditions, Refusal> {
        self.refuse(&["ifGenerationNotMatch", "ifMetagenerationNotMatch"])?;
        Ok(Conditions { generation: self.pin()?, metageneration: self.number("ifMetagenerationMatch")? })
    }

    pub fn refuse(&self, parameters: &[&str]) -> Result<(), Refusal> {
        match parameters.iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(Refusal::unsupported(name)),
            None => Ok(()),
        }
    }

    pub fn is_media(&self) -> bool {
        self.get("alt") == Some("media")
    }

    pub fn bucket(&self) -> Option<&str> {
        match &self.route {
            Route::Bucket(bucket)
            | Route::Permissions(bucket)
            | Route::Objects(bucket)
            | Route::Object(bucket, _)
            | Route::Restore(bucket, _)
            | Route::Upload(bucket)
            | Route::Xml(bucket, _)
            | Route::Copy { target: (bucket, _), .. } => Some(bucket),
            Route::Buckets | Route::Unknown => None,
        }
    }

    pub fn key(&self) -> Option<&str> {
        match &self.route {
            Route::Object(_, key) | Route::Restore(_, key) | Route::Copy { target: (_, key), .. } => {
                Some(key)
            }
            Route::Xml(_, key) if !key.is_empty() => Some(key),
            Route::Upload(_) => self.get("name"),
            _ => None,
        }
    }
}

/// Each name is one segment, as in the API: a `/` in it that isn't encoded leads nowhere.
fn route(path: &str) -> Option<Route> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let route = match segments[..] {
        ["storage", "v1", "b"] => Route::Buckets,
        ["storage", "v1", "b", bucket] => Route::Bucket(decode(bucket)?),
        ["storage", "v1", "b", bucket, "iam", "testPermissions"] => Route::Permissions(decode(bucket)?),
        ["storage", "v1", "b", bucket, "o"] => Route::Objects(decode(bucket)?),
        ["storage", "v1", "b", bucket, "o", key] | ["download", "storage", "v1", "b", bucket, "o", key] => {
            Route::Object(decode(bucket)?, decode(key)?)
        }
        ["storage", "v1", "b", bucket, "o", key, "restore"] => Route::Restore(decode(bucket)?, decode(key)?),
        [
            "storage",
            "v1",
            "b",
            bucket,
            "o",
            key,
            verb @ ("copyTo" | "rewriteTo"),
            "b",
            bucket2,
            "o",
            key2,
        ] => Route::Copy {
            source: (decode(bucket)?, decode(key)?),
            target: (decode(bucket2)?, decode(key2)?),
            rewrite: verb == "rewriteTo",
        },
        ["upload", "storage", "v1", "b", bucket, "o"] => Route::Upload(decode(bucket)?),
        ["storage" | "upload" | "download" | "batch", ..] => return None,
        [bucket] => Route::Xml(decode(bucket)?, String::new()),
        [bucket, ref key @ ..] => Route::Xml(decode(bucket)?, decode(&key.join("/"))?),
        [] => return None,
    };
    Some(route)
}

/// `None` for what isn't UTF-8 or is empty.
fn decode(segment: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), segment.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

/// A name as one segment of a path.
pub fn encode(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}
