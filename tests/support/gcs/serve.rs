//! From a request to its answer, and the log of them.

use std::panic::resume_unwind;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use super::answer::{self, Outcome, Refusal};
use super::call::{Call, Route};
use super::state::{Entry, number, version};
use super::store::{Inner, Upload};

pub async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { resume_unwind(Box::new("the client has gone")) };
    let call = Call::new(parts, body);
    // A client that goes away ends this future, but as with the real service not what it asked for.
    match tokio::spawn(async move { inner.answer(call).await }).await {
        Ok(Some(response)) => response,
        Ok(None) => resume_unwind(Box::new("the connection is to be cut")),
        Err(error) => answer::json(500, &json!({ "error": { "code": 500, "message": error.to_string() } })),
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, call: Call) -> Option<Response> {
        let entry = Entry {
            method: call.method.to_string(),
            bucket: call.bucket().map(str::to_owned),
            key: call.key().map(str::to_owned),
            target: call.target.clone(),
            generation: call.number("generation").ok().flatten(),
            pin: call.pin().ok().flatten(),
            status: None,
            executed: false,
            authorization: call.authorization(),
            at: self.started.elapsed(),
        };
        let (position, latency) = {
            let mut state = self.state();
            state.log.push(entry);
            (state.log.len() - 1, state.faults.latency)
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let mut executed = false;
        let outcome = match (&call.method, &call.route) {
            (&Method::DELETE, Route::Object(bucket, key) | Route::Xml(bucket, key)) if !key.is_empty() => {
                let (outcome, deleted) = self.delete(&call, bucket, key).await;
                executed = deleted;
                outcome
            }
            (&Method::PATCH, Route::Object(bucket, key)) => {
                self.run_hook(bucket, key).await;
                self.patch(&call, bucket, key).await
            }
            _ => self.dispatch(&call).await,
        };
        let response = match outcome {
            Ok(response) => select(&call, response).await,
            Err(refusal) => refusal.answer(call.is_media()),
        };
        // Not there any more when the log was cleared meanwhile.
        if let Some(entry) = self.state().log.get_mut(position) {
            entry.status = response.as_ref().map(|response| response.status().as_u16());
            entry.executed = executed;
        }
        response
    }

    async fn dispatch(&self, call: &Call) -> Outcome {
        match (&call.method, &call.route) {
            (&Method::POST, Route::Buckets) => {
                let mut attributes = body(call)?;
                let name = attributes["name"].as_str().unwrap_or_default().to_owned();
                if let Some(fields) = attributes.as_object_mut() {
                    fields.remove("name");
                }
                Ok(answer::json(200, &self.make_bucket(&name, attributes).await?))
            }
            (&Method::GET, Route::Bucket(bucket)) => {
                self.check_permission(bucket, "storage.buckets.get", "bucket")?;
                Ok(answer::json(200, &self.bucket_resource(bucket).await?))
            }
            (&Method::GET, Route::Permissions(bucket)) => self.test_permissions(call, bucket).await,
            (&Method::GET, Route::Objects(bucket)) => self.list(call, bucket).await,
            (&Method::GET, Route::Object(bucket, key)) => self.read(call, bucket, key).await,
            (&Method::POST, Route::Restore(bucket, key)) => self.restore(call, bucket, key).await,
            (&Method::POST, Route::Copy { .. }) => self.copy(call).await,
            (&Method::POST, Route::Upload(bucket)) => self.upload(call, bucket).await,
            (&Method::GET | &Method::HEAD, Route::Xml(bucket, _)) => {
                self.check_permission(bucket, "storage.objects.get", "object")?;
                self.forward(call).await
            }
            (method, _) => Err(Refusal::unsupported(&format!("{method} {}", call.target))),
        }
    }

    pub fn check_permission(&self, bucket: &str, permission: &str, resource: &str) -> Result<(), Refusal> {
        match self.state().permissions.get(bucket) {
            Some(permissions) if !permissions.contains(permission) => {
                Err(Refusal::denied(permission, resource))
            }
            _ => Ok(()),
        }
    }

    async fn test_permissions(&self, call: &Call, bucket: &str) -> Outcome {
        self.bucket_resource(bucket).await?;
        let asked = call.query.iter().filter(|(name, _)| name == "permissions").map(|(_, value)| value);
        let granted: Vec<&String> =
            asked.filter(|permission| self.check_permission(bucket, permission, "").is_ok()).collect();
        let mut body = json!({ "kind": "storage#testIamPermissionsResponse" });
        if !granted.is_empty() {
            body["permissions"] = json!(granted);
        }
        Ok(answer::json(200, &body))
    }

    async fn read(&self, call: &Call, bucket: &str, key: &str) -> Outcome {
        self.check_permission(bucket, "storage.objects.get", "object")?;
        if call.get("fields") == Some("metadata") {
            match self.state().hides_labels(bucket, key) {
                None => {}
                Some(404) => return Err(Refusal::no_object(bucket, key)),
                Some(_) => return Err(Refusal::denied("storage.objects.get", "object")),
            }
        }
        let generation = call.number("generation")?;
        if call.flag("softDeleted") {
            if self.state().soft_delete(bucket).is_none() {
                return Err(Refusal::invalid("bucket soft delete policy must be set."));
            }
            let Some(generation) = generation.filter(|_| !call.is_media()) else {
                return Err(Refusal::invalid("A soft-deleted object has a generation, and can't be read."));
            };
            let kept = self.kept(bucket, key, generation, true);
            let kept = kept.ok_or_else(|| Refusal::no_object(bucket, key))?;
            return Ok(answer::json(200, &kept.object));
        }
        let object = self.find(bucket, key, generation).await?;
        let object = object.ok_or_else(|| Refusal::no_object(bucket, key))?;
        call.conditions()?.check(Some(&object))?;
        if !call.is_media() {
            return Ok(answer::json(200, &object));
        }
        match self.kept(bucket, key, number(&object, "generation"), false) {
            Some(kept) => {
                let builder = Response::builder().header("x-goog-generation", number(&object, "generation"));
                Ok(builder.body(Body::from(kept.bytes)).expect("a response"))
            }
            None => self.forward(call).await,
        }
    }

    /// Custom metadata only: a name that is left out stays, and null removes one. The generation stays.
    async fn patch(&self, call: &Call, bucket: &str, key: &str) -> Outcome {
        let conditions = call.conditions()?;
        self.check_permission(bucket, "storage.objects.update", "object")?;
        let body = body(call)?;
        let (Some(1), Some(changes)) =
            (body.as_object().map(serde_json::Map::len), body["metadata"].as_object())
        else {
            return Err(Refusal::unsupported(&format!("patch of anything but metadata: {body}")));
        };
        let _alone = self.lock(bucket, key).await;
        let object = self.live(bucket, key).await?.ok_or_else(|| Refusal::no_object(bucket, key))?;
        conditions.check(Some(&object))?;
        let mut metadata = json!(object["metadata"].as_object().cloned().unwrap_or_default());
        super::merge(&mut metadata, changes);
        let mut state = self.state();
        let rules = state.rules.entry(version(&object)).or_default();
        rules.fields.insert("metadata".to_owned(), metadata);
        Ok(answer::json(200, &state.dress(object)))
    }

    /// The soft-deleted version stays where it is, and can be restored again.
    async fn restore(&self, call: &Call, bucket: &str, key: &str) -> Outcome {
        let conditions = call.conditions()?;
        self.check_permission(bucket, "storage.objects.restore", "object")?;
        self.check_permission(bucket, "storage.objects.create", "object")?;
        self.bucket_resource(bucket).await?;
        let generation = call.number("generation")?;
        let generation = generation.ok_or_else(|| Refusal::invalid("Required parameter: generation"))?;
        if self.state().soft_delete(bucket).is_none() {
            return Err(Refusal::invalid("bucket soft delete policy must be set."));
        }
        let kept = self.kept(bucket, key, generation, true);
        let kept = kept.ok_or_else(|| Refusal::no_object(bucket, key))?;
        let written = self.write_like((bucket, key), &conditions, &kept.object, &kept.bytes).await?;
        Ok(answer::json(200, &written))
    }

    async fn copy(&self, call: &Call) -> Outcome {
        let Route::Copy { source, target, rewrite } = &call.route else {
            return Err(Refusal::unsupported("such copy"));
        };
        let conditions = call.conditions()?;
        self.check_permission(&source.0, "storage.objects.get", "object")?;
        self.check_permission(&target.0, "storage.objects.create", "object")?;
        call.refuse(&["ifSourceGenerationNotMatch", "ifSourceMetagenerationMatch", "rewriteToken"])?;
        let generation = call.number("sourceGeneration")?;
        let object = self.find(&source.0, &source.1, generation).await?;
        let mut object = object.ok_or_else(|| Refusal::no_object(&source.0, &source.1))?;
        let found = number(&object, "generation");
        if call.number("ifSourceGenerationMatch")?.is_some_and(|wanted| wanted != found) {
            return Err(Refusal::mismatch());
        }
        let bytes = match self.kept(&source.0, &source.1, found, false) {
            Some(kept) => kept.bytes,
            None => self.bytes(&source.0, &source.1).await?,
        };
        if let Value::Object(fields) = body(call)? {
            super::merge(&mut object, &fields);
        }
        let written = self.write_like((&target.0, &target.1), &conditions, &object, &bytes).await?;
        if !rewrite {
            return Ok(answer::json(200, &written));
        }
        let answer = json!({
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": bytes.len().to_string(),
            "objectSize": bytes.len().to_string(),
            "done": true,
            "resource": written,
        });
        Ok(answer::json(200, &answer))
    }

    async fn upload(&self, call: &Call, bucket: &str) -> Outcome {
        let conditions = call.conditions()?;
        self.check_permission(bucket, "storage.objects.create", "object")?;
        let name = match call.get("uploadType") {
            Some("media") => call.get("name").map(str::to_owned),
            Some("multipart") => call.get("name").map(str::to_owned).or_else(|| name_in_parts(&call.body)),
            _ => return Err(Refusal::unsupported("resumable upload")),
        };
        let name = name.ok_or_else(|| Refusal::invalid("Required parameter: name"))?;
        let content_type = call.headers.get("content-type").and_then(|value| value.to_str().ok());
        let query = call.query.iter().filter(|(name, _)| !name.starts_with("if"));
        let upload = Upload {
            query: query.cloned().collect(),
            content_type: content_type.unwrap_or("application/octet-stream").to_owned(),
            body: call.body.clone(),
        };
        Ok(answer::json(200, &self.write(bucket, &name, &conditions, upload).await?))
    }

    /// Reading is fake-gcs-server's own.
    async fn forward(&self, call: &Call) -> Outcome {
        let mut request =
            self.client.request(call.method.clone(), format!("{}{}", self.upstream, call.target));
        for name in ["range", "accept-encoding", "if-match", "if-none-match"] {
            request = call
                .headers
                .get(name)
                .into_iter()
                .fold(request, |request, value| request.header(name, value));
        }
        let answer = self.send(request).await?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if !["connection", "transfer-encoding"].contains(&name.as_str()) {
                response = response.header(name, value);
            }
        }
        let bytes = answer.bytes().await.map_err(|error| Refusal::upstream(&error))?;
        Ok(response.body(Body::from(bytes)).expect("a response"))
    }
}

fn body(call: &Call) -> Result<Value, Refusal> {
    if call.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&call.body).map_err(|error| Refusal::invalid(error.to_string()))
}

/// The first part of a multipart upload is the object's metadata.
fn name_in_parts(body: &Bytes) -> Option<String> {
    let start = body.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let metadata = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<Value>().next()?.ok()?;
    metadata["name"].as_str().map(str::to_owned)
}

/// Only the fields that were asked for.
async fn select(call: &Call, response: Response) -> Option<Response> {
    let Some(fields) = call.get("fields").filter(|_| !call.is_media() && response.status() == 200) else {
        return Some(response);
    };
    let body = to_bytes(response.into_body(), usize::MAX).await.ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    Some(answer::json(200, &answer::select(&body, fields)))
}
