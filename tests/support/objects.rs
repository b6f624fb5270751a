//! Writes objects of any kind to the API server, as [`ApiServer::apply`](super::kube::ApiServer::apply) says.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use ::kube::{Client, Error};
use http::{Method, Request};
use serde_json::{Value, json};

use super::etcd::Etcd;

/// Objects from YAML documents, from one JSON value or from many; Lists are opened.
pub struct Objects(pub Vec<Value>);

impl From<Vec<Value>> for Objects {
    fn from(objects: Vec<Value>) -> Self {
        let open = |object: Value| match object {
            Value::Null => Vec::new(), // a document of comments only
            Value::Object(mut list)
                if list.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List")) =>
            {
                let Some(Value::Array(items)) = list.remove("items") else { panic!("a List without items") };
                items
            }
            object => vec![object],
        };
        Self(objects.into_iter().flat_map(open).collect())
    }
}

impl From<Value> for Objects {
    fn from(object: Value) -> Self {
        match object {
            Value::Array(objects) => objects.into(),
            object => vec![object].into(),
        }
    }
}

impl From<&str> for Objects {
    fn from(yaml: &str) -> Self {
        serde_saphyr::from_multiple::<Value>(yaml).expect("YAML documents").into()
    }
}

impl From<&String> for Objects {
    fn from(yaml: &String) -> Self {
        yaml.as_str().into()
    }
}

pub struct Writer {
    client: Client,
    etcd: Etcd,
    /// What each API version serves, asked once.
    served: HashMap<String, Vec<Value>>,
}

/// Where a kind's objects are.
struct Resource {
    plural: String,
    namespaced: bool,
    has_status: bool,
}

impl Writer {
    pub fn new(client: Client, etcd: Etcd) -> Self {
        Self { client, etcd, served: HashMap::new() }
    }

    pub async fn apply(&mut self, objects: Vec<Value>) -> Vec<Value> {
        let mut pending: Vec<(usize, Value)> = objects.into_iter().enumerate().collect();
        let mut written = Vec::new();
        self.make_namespaces(&pending).await;
        while !pending.is_empty() {
            let (position, object) = pending.remove(next(&pending));
            let result = self.write(&object).await;
            if let (Some(old), Some(new)) = (uid(&object), uid(&result)) {
                pending.iter_mut().for_each(|(_, other)| replace(other, old, new));
            }
            written.push((position, object, result));
        }
        written.sort_by_key(|(position, ..)| *position);
        // Last, as an object that is being deleted takes no new dependents in some kinds.
        let mut results = Vec::new();
        for (_, object, result) in written {
            let deleted = !object["metadata"]["deletionTimestamp"].is_null();
            results.push(if deleted { self.delete(&object).await } else { result });
        }
        results
    }

    async fn make_namespaces(&mut self, objects: &[(usize, Value)]) {
        let mut names = BTreeSet::new();
        for (_, object) in objects {
            // A kind that isn't served yet is defined by these objects: its namespace is still made.
            names.extend(object["metadata"]["namespace"].as_str());
        }
        for name in names {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            if let Err(error) = self.send(Method::POST, "/api/v1/namespaces", Some(&namespace)).await {
                assert_eq!(code(&error), 409, "namespace {name}: {error}");
            }
        }
    }

    /// Creates the object, or replaces it, and then its status; the result is what the server has.
    async fn write(&mut self, manifest: &Value) -> Value {
        let (collection, resource) = self.place(manifest).await;
        let name = manifest["metadata"]["name"].as_str().expect("an object has a name");
        let path = format!("{collection}/{name}");
        let mut object = manifest.clone();
        let metadata = object["metadata"].as_object_mut().expect("an object has metadata");
        for field in
            ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"]
        {
            metadata.remove(field);
        }
        metadata.remove("deletionTimestamp");
        metadata.remove("deletionGracePeriodSeconds");

        let result = match self.send(Method::POST, &collection, Some(&object)).await {
            Err(error) if code(&error) == 409 => {
                let existing = self.must(Method::GET, &path, None).await;
                let alive =
                    [&existing, manifest].map(|object| object["metadata"]["deletionTimestamp"].is_null());
                assert!(alive != [false, true], "{path} is there already, Terminating: that can't be undone");
                object["metadata"]["resourceVersion"] = existing["metadata"]["resourceVersion"].clone();
                self.must(Method::PUT, &path, Some(&object)).await
            }
            result => result.unwrap_or_else(|error| panic!("create {path}: {error}")),
        };
        if resource.plural == "customresourcedefinitions" {
            self.wait_served(manifest).await;
        }
        if manifest["kind"] == "Workflow" && manifest["metadata"]["creationTimestamp"].is_string() {
            let metadata = &result["metadata"];
            let [namespace, name] = [&metadata["namespace"], &metadata["name"]].map(|text| text.as_str());
            let stored = format!(
                "/registry/argoproj.io/workflows/{}/{}",
                namespace.expect("a namespace"),
                name.expect("a name")
            );
            self.etcd.created(&stored, &manifest["metadata"]["creationTimestamp"]).await;
            return self.must(Method::GET, &path, None).await;
        }
        match &manifest["status"] {
            Value::Object(status)
                if resource.has_status && resource.plural != "customresourcedefinitions" =>
            {
                let mut update = result;
                for (field, value) in status {
                    update["status"][field] = value.clone();
                }
                self.must(Method::PUT, &format!("{path}/status"), Some(&update)).await
            }
            _ => result,
        }
    }

    async fn delete(&mut self, manifest: &Value) -> Value {
        let (collection, _) = self.place(manifest).await;
        let path = format!("{collection}/{}", manifest["metadata"]["name"].as_str().unwrap_or_default());
        let finalizers = manifest["metadata"]["finalizers"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(!finalizers.is_empty(), "{path} has a deletionTimestamp but no finalizer: it would be gone");
        // The server takes these two finalizers away unless the deletion asks for them.
        let policy = [("foregroundDeletion", "Foreground"), ("orphan", "Orphan")];
        let policy = policy.iter().find(|(finalizer, _)| finalizers.iter().any(|other| other == finalizer));
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": policy.map_or("Background", |(_, policy)| policy),
        });
        self.must(Method::DELETE, &path, Some(&options)).await;
        self.must(Method::GET, &path, None).await
    }

    /// The path of the object's collection.
    async fn place(&mut self, object: &Value) -> (String, Resource) {
        let version = object["apiVersion"].as_str().expect("an object has an apiVersion");
        let kind = object["kind"].as_str().expect("an object has a kind");
        let root = root(version);
        let resource =
            self.resource(version, kind).await.unwrap_or_else(|| panic!("no kind {kind} in {version}"));
        let collection = if resource.namespaced {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
            format!("{root}/namespaces/{namespace}/{}", resource.plural)
        } else {
            format!("{root}/{}", resource.plural)
        };
        (collection, resource)
    }

    async fn resource(&mut self, version: &str, kind: &str) -> Option<Resource> {
        if !self.served.contains_key(version) {
            let list = self.send(Method::GET, &root(version), None).await.ok()?;
            self.served.insert(version.to_owned(), list["resources"].as_array()?.clone());
        }
        let served = &self.served[version];
        let is_subresource =
            |resource: &Value| resource["name"].as_str().is_some_and(|name| name.contains('/'));
        let resource =
            served.iter().find(|resource| resource["kind"] == kind && !is_subresource(resource))?;
        let plural = resource["name"].as_str()?.to_owned();
        let status = format!("{plural}/status");
        let has_status = served.iter().any(|resource| resource["name"] == status.as_str());
        Some(Resource { plural, namespaced: resource["namespaced"] == true, has_status })
    }

    async fn wait_served(&mut self, definition: &Value) {
        let spec = &definition["spec"];
        let kind = spec["names"]["kind"].as_str().expect("a kind");
        for version in spec["versions"].as_array().expect("versions") {
            let [group, version] =
                [&spec["group"], &version["name"]].map(|name| name.as_str().expect("a name"));
            let version = format!("{group}/{version}");
            let start = Instant::now();
            while self.resource(&version, kind).await.is_none() {
                assert!(start.elapsed() < Duration::from_secs(120), "{kind} isn't served after 120 s");
                self.served.remove(&version);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.served.remove(&version); // its status may be listed a moment later
        }
    }

    async fn must(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        self.send(method.clone(), path, body).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.client.request(request.body(body).expect("a request")).await
    }
}

/// The first object that holds no other pending object's uid, so that owners go before what they own.
fn next(pending: &[(usize, Value)]) -> usize {
    let uids: Vec<&str> = pending.iter().filter_map(|(_, object)| uid(object)).collect();
    let waits = |object: &Value| uids.iter().any(|other| Some(*other) != uid(object) && holds(object, other));
    pending.iter().position(|(_, object)| !waits(object)).unwrap_or_default()
}

fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty())
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Array(values) => values.iter().any(|value| holds(value, text)),
        Value::Object(fields) => fields.values().any(|value| holds(value, text)),
        _ => false,
    }
}

fn replace(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(string) if string == old => new.clone_into(string),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, old, new)),
        Value::Object(fields) => fields.values_mut().for_each(|value| replace(value, old, new)),
        _ => {}
    }
}

/// The path below which an apiVersion is served.
fn root(version: &str) -> String {
    let prefix = if version.contains('/') { "/apis" } else { "/api" };
    format!("{prefix}/{version}")
}

/// The status code of a refused request; 0 if there was none.
pub fn code(error: &Error) -> u16 {
    match error {
        Error::Api(status) => status.code,
        _ => 0,
    }
}
