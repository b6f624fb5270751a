//! The objects: those of fake-gcs-server, and the versions kept beside it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use http::{Method, StatusCode};
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::answer::Refusal;
use super::call::encode;
use super::state::{Kept, State, number, version};

pub struct Inner {
    /// The proxy's own address.
    pub host: String,
    pub upstream: String,
    pub client: Client,
    pub runtime: Handle,
    pub started: Instant,
    state: Mutex<State>,
    /// By hash of the name: what looks at an object and then changes it does so alone.
    locks: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
pub struct Conditions {
    pub generation: Option<i64>,
    pub metageneration: Option<i64>,
}

impl Conditions {
    /// Generation 0 means that there is no object.
    pub fn check(&self, object: Option<&Value>) -> Result<(), Refusal> {
        let holds = |wanted: Option<i64>, field: &str| {
            wanted.is_none_or(|wanted| wanted == object.map_or(0, |object| number(object, field)))
        };
        if holds(self.generation, "generation") && holds(self.metageneration, "metageneration") {
            Ok(())
        } else {
            Err(Refusal::mismatch())
        }
    }
}

/// As fake-gcs-server takes it.
pub struct Upload {
    pub query: Vec<(String, String)>,
    pub content_type: String,
    pub body: Bytes,
}

impl Upload {
    pub fn media(key: &str, bytes: &[u8]) -> Self {
        let query = [("uploadType", "media"), ("name", key)];
        Self {
            query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            content_type: "application/octet-stream".to_owned(),
            body: Bytes::copy_from_slice(bytes),
        }
    }

    /// Bytes with what another object's metadata says of them.
    fn like(key: &str, object: &Value, bytes: &[u8]) -> Self {
        const BOUNDARY: &str = "between-the-parts-of-an-upload";
        let mut metadata = json!({ "name": key });
        for field in
            ["contentType", "contentEncoding", "cacheControl", "customTime", "metadata", "storageClass"]
        {
            if let Some(value) = object.get(field) {
                metadata[field] = value.clone();
            }
        }
        let content_type = object["contentType"].as_str().unwrap_or("application/octet-stream");
        let mut body = format!(
            "--{BOUNDARY}\r\ncontent-type: application/json\r\n\r\n{metadata}\r\n\
             --{BOUNDARY}\r\ncontent-type: {content_type}\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        Self {
            query: vec![("uploadType".to_owned(), "multipart".to_owned())],
            content_type: format!("multipart/related; boundary={BOUNDARY}"),
            body: body.into(),
        }
    }
}

impl Inner {
    pub fn new(host: String, upstream: String, runtime: Handle) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            host,
            upstream,
            client: Client::builder().no_proxy().build().expect("a client"),
            runtime,
            started: Instant::now(),
            state: Mutex::default(),
            locks: (0..64).map(|_| tokio::sync::Mutex::default()).collect(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn lock(&self, bucket: &str, key: &str) -> tokio::sync::MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((bucket, key));
        self.locks[(hash % 64) as usize].lock().await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Refusal> {
        let request = request.header("host", &self.host);
        request.send().await.map_err(|error| Refusal::upstream(&error))
    }

    pub fn bucket_url(&self, bucket: &str) -> String {
        format!("{}/storage/v1/b/{}", self.upstream, encode(bucket))
    }

    fn object_url(&self, bucket: &str, key: &str) -> String {
        format!("{}/o/{}", self.bucket_url(bucket), encode(key))
    }

    pub async fn make_bucket(&self, name: &str, attributes: Value) -> Result<Value, Refusal> {
        let url = format!("{}/storage/v1/b", self.upstream);
        let answer = self.send(self.client.post(url).json(&json!({ "name": name }))).await?;
        if !answer.status().is_success() {
            return Err(Refusal::invalid(format!("no bucket {name}: {}", answer.status())));
        }
        let off = json!({ "retentionDurationSeconds": "0" });
        let mut all = Map::from_iter([("softDeletePolicy".to_owned(), off)]);
        if let Value::Object(attributes) = attributes {
            all.extend(attributes);
        }
        self.state().attributes.insert(name.to_owned(), all);
        self.bucket_resource(name).await
    }

    pub async fn bucket_resource(&self, bucket: &str) -> Result<Value, Refusal> {
        let answer = self.send(self.client.get(self.bucket_url(bucket))).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Refusal::no_bucket());
        }
        let mut resource: Value = answer.json().await.map_err(|error| Refusal::upstream(&error))?;
        if let Some(fields) = resource.as_object_mut() {
            fields.remove("versioning"); // there only once it was set
        }
        if let Some(attributes) = self.state().attributes.get(bucket) {
            super::merge(&mut resource, attributes);
        }
        Ok(resource)
    }

    /// The live object's metadata.
    pub async fn live(&self, bucket: &str, key: &str) -> Result<Option<Value>, Refusal> {
        let answer = self.send(self.client.get(self.object_url(bucket, key))).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            let is_known = self.state().attributes.contains_key(bucket);
            return if is_known { Ok(None) } else { Err(Refusal::no_bucket()) };
        }
        let object = answer.json().await.map_err(|error| Refusal::upstream(&error))?;
        Ok(Some(self.state().dress(object)))
    }

    /// The live object's bytes.
    pub async fn bytes(&self, bucket: &str, key: &str) -> Result<Bytes, Refusal> {
        let request = self.client.get(self.object_url(bucket, key)).query(&[("alt", "media")]);
        // So that compressed content stays as it was stored.
        let answer = self.send(request.header("accept-encoding", "gzip")).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Refusal::no_object(bucket, key));
        }
        answer.bytes().await.map_err(|error| Refusal::upstream(&error))
    }

    /// The live version without a generation, else the live or the noncurrent one of that generation.
    pub async fn find(
        &self,
        bucket: &str,
        key: &str,
        generation: Option<i64>,
    ) -> Result<Option<Value>, Refusal> {
        let live = self.live(bucket, key).await?;
        let Some(wanted) = generation else { return Ok(live) };
        if live.as_ref().is_some_and(|live| number(live, "generation") == wanted) {
            return Ok(live);
        }
        Ok(self.kept(bucket, key, wanted, false).map(|kept| kept.object))
    }

    pub fn kept(&self, bucket: &str, key: &str, generation: i64, soft_deleted: bool) -> Option<Kept> {
        let kept = self.state().kept.get(&(bucket.to_owned(), key.to_owned(), generation)).cloned();
        kept.filter(|kept| kept.soft_deleted == soft_deleted)
    }

    /// Every live object with that prefix.
    pub async fn all_live(&self, bucket: &str, prefix: &str) -> Result<Vec<Value>, Refusal> {
        self.live_from(bucket, prefix, "", None).await
    }

    /// The live objects with that prefix from a name on, in the API's order.
    pub async fn live_from(
        &self,
        bucket: &str,
        prefix: &str,
        start: &str,
        limit: Option<usize>,
    ) -> Result<Vec<Value>, Refusal> {
        let mut query = vec![("prefix", prefix.to_owned()), ("startOffset", start.to_owned())];
        query.extend(limit.map(|limit| ("maxResults", limit.to_string())));
        let url = format!("{}/o", self.bucket_url(bucket));
        let answer = self.send(self.client.get(url).query(&query)).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Refusal::no_bucket());
        }
        let mut page: Value = answer.json().await.map_err(|error| Refusal::upstream(&error))?;
        let Value::Array(items) = page["items"].take() else { return Ok(Vec::new()) };
        let state = self.state();
        Ok(items.into_iter().map(|item| state.dress(item)).collect())
    }

    /// Writes an object, and returns it; what it replaces is kept as the bucket says.
    pub async fn write(
        &self,
        bucket: &str,
        key: &str,
        conditions: &Conditions,
        upload: Upload,
    ) -> Result<Value, Refusal> {
        let _alone = self.lock(bucket, key).await;
        let current = self.live(bucket, key).await?;
        conditions.check(current.as_ref())?;
        if let Some(current) = &current {
            self.check_removable(current, false)?;
            self.keep(current, None, false).await?;
        }
        let url = format!("{}/upload/storage/v1/b/{}/o", self.upstream, encode(bucket));
        let request = self.client.post(url).query(&upload.query).header("content-type", upload.content_type);
        let answer = self.send(request.body(upload.body)).await?;
        if !answer.status().is_success() {
            return Err(Refusal::invalid(format!("fake-gcs-server refuses the upload: {}", answer.status())));
        }
        let object = answer.json().await.map_err(|error| Refusal::upstream(&error))?;
        Ok(self.state().dress(object))
    }

    /// Writes bytes under a name with another object's metadata.
    pub async fn write_like(
        &self,
        (bucket, key): (&str, &str),
        conditions: &Conditions,
        object: &Value,
        bytes: &Bytes,
    ) -> Result<Value, Refusal> {
        self.write(bucket, key, conditions, Upload::like(key, object, bytes)).await
    }

    /// Takes the live object away as the bucket's rules allow, and tells whether there was one.
    pub async fn take_away(&self, bucket: &str, key: &str) -> Result<bool, Refusal> {
        let _alone = self.lock(bucket, key).await;
        let Some(current) = self.live(bucket, key).await? else { return Ok(false) };
        self.check_removable(&current, false)?;
        self.keep(&current, None, false).await?;
        self.delete_live(bucket, key).await.map(|()| true)
    }

    /// Takes the live object away.
    pub async fn delete_live(&self, bucket: &str, key: &str) -> Result<(), Refusal> {
        let answer = self.send(self.client.request(Method::DELETE, self.object_url(bucket, key))).await?;
        if answer.status().is_success() { Ok(()) } else { Err(Refusal::no_object(bucket, key)) }
    }

    /// Holds and retention. Retention lets a live version become noncurrent.
    pub fn check_removable(&self, object: &Value, permanently: bool) -> Result<(), Refusal> {
        let state = self.state();
        let version = version(object);
        if object["temporaryHold"] == true {
            return Err(Refusal::held(&version.0, &version.1));
        }
        match state.retained_until(object) {
            Some(until) if permanently || !state.is_versioned(&version.0) => {
                Err(Refusal::retained(&version.0, &version.1, until))
            }
            _ => Ok(()),
        }
    }

    /// Keeps a version that is about to go, noncurrent or soft-deleted as the bucket says.
    ///
    /// `bytes` are a noncurrent version's; the live one's are read.
    pub async fn keep(&self, object: &Value, bytes: Option<Bytes>, permanently: bool) -> Result<(), Refusal> {
        let version = version(object);
        let (versioned, soft_delete) = {
            let state = self.state();
            (state.is_versioned(&version.0), state.soft_delete(&version.0))
        };
        let mut object = object.clone();
        let now = Timestamp::now();
        let soft_deleted = !versioned || permanently;
        if !soft_deleted {
            object["timeDeleted"] = json!(format!("{now:.3}"));
        } else if let Some(kept_for) = soft_delete {
            object["softDeleteTime"] = json!(format!("{now:.3}"));
            object["hardDeleteTime"] = json!(format!("{:.3}", now + kept_for));
        } else {
            return Ok(());
        }
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.bytes(&version.0, &version.1).await?,
        };
        self.state().kept.insert(version, Kept { soft_deleted, object, bytes });
        Ok(())
    }
}
