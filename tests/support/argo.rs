//! A stand-in for an Argo server: its API as far as the plugin asks, with upstream's shapes, paging and errors
//! (server/workflow, server/workflowarchive and persist/sqldb of v3.4.0 and v4.1.2; grpc-gateway v1.16).

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use tokio::sync::oneshot;

use super::purge::workflow;
use super::stub::{Reply, Seen};

pub const ARCHIVE: &str = "/api/v1/archived-workflows";
const STATUS: &str = "workflows.argoproj.io/workflow-archiving-status";

/// Which server it stands in for, where releases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Rows have no labels, records no mark of the archive, and `spec.startedAt<` is below.
    V34,
    /// `spec.startedAt<` is up to.
    V41,
}

/// What the server knows and does.
pub struct Knows {
    pub release: Release,
    /// Whom it lets in.
    pub token: Option<String>,
    /// Live workflows, with their nodes.
    pub live: Vec<Value>,
    /// None where it has no database.
    pub archive: Option<Vec<Value>>,
    pub managed_namespace: String,
    /// Other answers than its own, by path; each is given from the request of that number on, the first being 0.
    pub faults: Vec<(String, usize, Reply)>,
}

impl Default for Knows {
    fn default() -> Self {
        Self {
            release: Release::V41,
            token: None,
            live: Vec::new(),
            archive: Some(Vec::new()),
            managed_namespace: String::new(),
            faults: Vec::new(),
        }
    }
}

struct Server {
    knows: Mutex<Knows>,
    seen: Mutex<Vec<Seen>>,
}

/// A running stand-in; it ends when it is dropped.
pub struct ArgoServer {
    pub address: SocketAddr,
    server: Arc<Server>,
    _running: oneshot::Sender<()>,
}

/// As grpc-gateway words failures.
pub fn failure(status: u16, code: u32, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": message, "code": code, "message": message }))
}

impl ArgoServer {
    pub fn start(knows: Knows) -> Self {
        let server = Arc::new(Server { knows: Mutex::new(knows), seen: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (running, end) = oneshot::channel::<()>();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&server));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.expect("it serves"),
                    _ = end => {}
                }
            });
        });
        Self { address, server, _running: running }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what it knows from now on.
    pub fn change(&self, change: impl FnOnce(&mut Knows)) {
        change(&mut self.server.knows.lock().expect("no test panics while it holds this"));
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.server.seen.lock().expect("no test panics while it holds this").clone()
    }

    /// The requests to one path.
    pub fn requests_to(&self, path: &str) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path == path).collect()
    }
}

async fn answer(State(server): State<Arc<Server>>, request: Request<Body>) -> Response<Body> {
    let seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
        body: String::new(),
    };
    let earlier = {
        let mut all = server.seen.lock().expect("no test panics while it holds this");
        let earlier = all.iter().filter(|other| other.path == seen.path && is_whole(other)).count();
        all.push(seen.clone());
        earlier
    };
    let reply = {
        let knows = server.knows.lock().expect("no test panics while it holds this");
        let faults = knows.faults.iter().filter(|_| is_whole(&seen));
        let fault = faults.into_iter().find(|(path, from, _)| *path == seen.path && *from <= earlier);
        fault.map_or_else(|| knows.answer(&seen), |(_, _, reply)| reply.clone())
    };
    reply.send().await
}

/// Asks for all fields: a workflow's nodes are read from the database then.
fn is_whole(seen: &Seen) -> bool {
    !seen.query.contains("fields=")
}

impl Knows {
    fn answer(&self, seen: &Seen) -> Reply {
        let authorization = seen.header("authorization");
        let wanted = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if wanted.is_some_and(|wanted| authorization != [wanted]) {
            return failure(
                401,
                16,
                "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/",
            );
        }
        if seen.method != "GET" {
            return failure(501, 12, "Method Not Allowed");
        }
        let parts: Vec<&str> = seen.path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["api", "v1", "info"] => Reply::json(
                200,
                &json!({ "managedNamespace": self.managed_namespace, "links": null, "columns": null }),
            ),
            ["api", "v1", "workflows", ""] => self.workflows(),
            ["api", "v1", "workflows", namespace, name] => {
                self.workflow(namespace, name, seen.asked().get("fields").map(String::as_str))
            }
            ["api", "v1", "archived-workflows"] => self.list(&seen.asked()),
            ["api", "v1", "archived-workflows", uid] => self.archived(uid),
            ["api", ..] => failure(404, 5, "Not Found"),
            // Its own pages.
            _ => Reply::text(200, "text/html", "<!doctype html><html lang=\"en\"><title>Argo</title></html>"),
        }
    }

    fn workflow(&self, namespace: &str, name: &str, fields: Option<&str>) -> Reply {
        let is = |workflow: &&Value| {
            workflow["metadata"]["namespace"] == namespace && workflow["metadata"]["name"] == name
        };
        let archive = self.archive.as_deref().unwrap_or_default();
        match self.live.iter().find(is).cloned().or_else(|| archive.iter().find(is).map(|w| self.marked(w))) {
            Some(workflow) if fields == Some("metadata.uid") => {
                Reply::json(200, &json!({ "metadata": { "uid": workflow["metadata"]["uid"] } }))
            }
            Some(workflow) => Reply::json(200, &workflow),
            None => failure(404, 5, &format!("workflows.argoproj.io \"{name}\" not found")),
        }
    }

    /// Since v3.5 archived ones are listed with the others.
    fn workflows(&self) -> Reply {
        let archive = self.archive.iter().flatten().filter(|_| self.release == Release::V41);
        let items: Vec<Value> = self.live.iter().cloned().chain(archive.map(|wf| self.row(wf))).collect();
        Reply::json(200, &json!({ "metadata": { "resourceVersion": "7" }, "items": items }))
    }

    fn marked(&self, workflow: &Value) -> Value {
        let mut workflow = workflow.clone();
        if self.release == Release::V41 {
            workflow["metadata"]["labels"][STATUS] = json!("Persisted");
        }
        workflow
    }

    fn archived(&self, uid: &str) -> Reply {
        let Some(archive) = &self.archive else {
            return failure(500, 13, "getting archived workflows not supported");
        };
        match archive.iter().find(|workflow| workflow["metadata"]["uid"] == uid) {
            Some(workflow) => Reply::json(200, &self.marked(workflow)),
            None => failure(404, 5, "not found"),
        }
    }

    fn list(&self, asked: &HashMap<String, String>) -> Reply {
        let option = |name: &str| asked.get(&format!("listOptions.{name}")).map_or("", String::as_str);
        let number = |name: &str| option(name).parse::<usize>().unwrap_or_default();
        let (limit, offset) = (number("limit"), number("continue"));
        let mut found: Vec<&Value> = self.archive.iter().flatten().collect();
        let text = |workflow: &Value, field: &str| workflow["metadata"][field].as_str().unwrap().to_owned();
        let started = |workflow: &Value| workflow["status"]["startedAt"].as_str().unwrap().to_owned();
        let mut counted = false;
        for selector in option("fieldSelector").split(',').filter(|selector| !selector.is_empty()) {
            if let Some(namespace) = selector.strip_prefix("metadata.namespace=") {
                found.retain(|workflow| text(workflow, "namespace") == namespace);
            } else if let Some(name) = selector.strip_prefix("metadata.name=") {
                found.retain(|workflow| text(workflow, "name") == name);
            } else if let Some(time) = selector.strip_prefix("spec.startedAt<") {
                let up_to = self.release == Release::V41;
                found.retain(|workflow| *started(workflow) < *time || up_to && started(workflow) == time);
            } else if selector == "ext.showRemainingItemCount=true" {
                counted = true;
            } else {
                return failure(500, 2, &format!("unsupported requirement {selector}"));
            }
        }
        for requirement in option("labelSelector").split(',').filter(|requirement| !requirement.is_empty()) {
            let (label, value) = requirement.split_once('=').expect("only equality is known here");
            found.retain(|workflow| workflow["metadata"]["labels"][label] == value);
        }
        if let Some(prefix) = asked.get("namePrefix") {
            found.retain(|workflow| text(workflow, "name").starts_with(prefix));
        }
        found.sort_by_key(|workflow| std::cmp::Reverse(started(workflow)));
        let mut metadata = json!({});
        let mut page: Vec<&Value> = found.clone();
        if limit > 0 {
            page = found.iter().skip(offset).take(limit).copied().collect();
            let after = found.len().saturating_sub(offset + limit);
            if after > 0 {
                metadata["continue"] = json!((offset + limit).to_string());
            }
            if counted {
                metadata["remainingItemCount"] = json!(after);
            }
        }
        let items: Vec<Value> = page.into_iter().map(|workflow| self.row(workflow)).collect();
        Reply::json(200, &json!({ "metadata": metadata, "items": items }))
    }

    /// What the list tells of a workflow. Go writes empty structs and zero times.
    fn row(&self, workflow: &Value) -> Value {
        let (meta, status) = (&workflow["metadata"], &workflow["status"]);
        let mut row = json!({
            "metadata": {
                "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
                "creationTimestamp": status["startedAt"],
            },
            "spec": { "arguments": {} },
            "status": {
                "phase": status["phase"], "startedAt": status["startedAt"], "finishedAt": status["finishedAt"],
                "storedTemplates": {},
            },
        });
        if self.release == Release::V41 {
            row["metadata"]["labels"] = meta["labels"].clone();
            row["metadata"]["labels"][STATUS] = json!("Persisted");
            row["metadata"]["annotations"] = json!({});
        }
        row
    }
}

/// As the API server has a workflow whose nodes the controller offloaded.
pub fn offloaded(workflow: &Value) -> Value {
    let mut workflow = workflow.clone();
    workflow["status"].as_object_mut().unwrap().remove("nodes");
    workflow["status"]["offloadNodeStatusVersion"] = json!("fnv:3141592653");
    workflow
}

/// A finished workflow in `ml` that left one artifact behind.
pub fn leaking(name: &str) -> Value {
    let mut workflow = workflow("ml", name, &[&format!("argo/{name}/1/a.tgz")]);
    workflow["metadata"]["resourceVersion"] = json!("41");
    workflow
}
