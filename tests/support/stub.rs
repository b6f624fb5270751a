//! A stand-in for an API server that answers as a test scripts it, however wrongly, and remembers every request.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use futures::stream;
use futures::stream::StreamExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{io, thread};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{Ran, plugin};

/// The workflows of the namespace the stub's kubeconfig names.
pub const WORKFLOWS: &str = "/apis/argoproj.io/v1alpha1/namespaces/ml/workflows";

/// One answer.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    end: End,
    /// How long it lets wait.
    delay: Duration,
}

/// How an answer ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Whole,
    /// The connection breaks before the announced length is reached.
    Cut,
    /// Nothing comes after the headers.
    StalledBody,
    /// So many bytes are announced, and do not come.
    Announced(u64),
    /// Not even the headers come.
    Stalled,
}

impl Reply {
    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body: body.into(), end: End::Whole, delay: Duration::ZERO }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// A Status object, as the API server reports failures.
    pub fn status(code: u16, reason: &str, message: &str) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        Self::json(code, &status)
    }

    /// A page of a list, in the key order of custom resources.
    pub fn page(items: &[Value], token: &str) -> Self {
        let metadata = json!({ "continue": token, "resourceVersion": "7" });
        Self::json(200, &json!({ "apiVersion": "v1", "items": items, "kind": "List", "metadata": metadata }))
    }

    /// A page of a list that tells how many objects follow.
    pub fn page_of_more(items: &[Value], token: &str, remaining: u64) -> Self {
        let metadata = json!({ "continue": token, "remainingItemCount": remaining, "resourceVersion": "7" });
        Self::json(200, &json!({ "apiVersion": "v1", "items": items, "kind": "List", "metadata": metadata }))
    }

    /// The same answer, after a while.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn stalled() -> Self {
        Self { end: End::Stalled, ..Self::page(&[], "") }
    }

    /// An answer that says how many bytes it has, and sends one of them.
    pub fn announcing(bytes: u64) -> Self {
        Self { end: End::Announced(bytes), ..Self::page(&[], "") }
    }

    pub fn cut(mut self) -> Self {
        self.end = End::Cut;
        self
    }

    pub fn stalling_in_its_body(mut self) -> Self {
        self.end = End::StalledBody;
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) async fn send(self) -> Response<Body> {
        tokio::time::sleep(self.delay).await;
        if self.end == End::Stalled {
            std::future::pending::<()>().await;
        }
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        let length = match self.end {
            End::Announced(bytes) => bytes,
            _ => self.body.len() as u64,
        };
        let body = match self.end {
            End::Whole => return response.body(Body::from(self.body)).expect("a response"),
            End::Cut => {
                let half = self.body[..self.body.len() / 2].to_vec();
                // What comes before is on its way only once the server has nothing else to do.
                let cut = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Err(io::Error::other("cut"))
                });
                Body::from_stream(stream::iter([Ok(half)]).chain(cut))
            }
            End::Stalled | End::StalledBody | End::Announced(_) => {
                let nothing = stream::pending::<io::Result<Vec<u8>>>();
                Body::from_stream(stream::iter([Ok(self.body[..1].to_vec())]).chain(nothing))
            }
        };
        response.header("content-length", length).body(body).expect("a response")
    }
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// As it was sent, still encoded.
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII")).collect()
    }

    /// The query, decoded.
    pub fn asked(&self) -> HashMap<String, String> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// Answers by path. A path answers with its replies in order, and with the last one ever after; one without
/// replies with an empty list, or to an access review with a yes.
struct Script {
    replies: HashMap<String, Vec<Reply>>,
    seen: Mutex<Vec<Seen>>,
    arrived: mpsc::Sender<()>,
}

impl Script {
    fn next(&self, seen: Seen) -> Reply {
        let mut requests = self.seen.lock().expect("no test panics while it holds this");
        let earlier = requests.iter().filter(|other| other.path == seen.path).count();
        let reply = self.replies.get(&seen.path).map_or_else(
            || unscripted(&seen.path),
            |replies| replies[earlier.min(replies.len() - 1)].clone(),
        );
        requests.push(seen);
        let _ = self.arrived.send(());
        reply
    }
}

fn unscripted(path: &str) -> Reply {
    match path.ends_with("/subjectaccessreviews") {
        true => Reply::json(201, &json!({ "status": { "allowed": true } })),
        false => Reply::page(&[], ""),
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap_or_default();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    script.next(seen).send().await
}

/// A running stub with a kubeconfig that leads to it; it ends when it is dropped.
pub struct Stub {
    pub address: SocketAddr,
    script: Arc<Script>,
    arrivals: Mutex<mpsc::Receiver<()>>,
    home: TempDir,
    _running: oneshot::Sender<()>,
}

impl Stub {
    pub fn start(replies: impl IntoIterator<Item = (String, Vec<Reply>)>) -> Self {
        let (arrived, arrivals) = mpsc::channel();
        let replies = replies.into_iter().collect();
        let script = Arc::new(Script { replies, seen: Mutex::default(), arrived });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (running, end) = oneshot::channel::<()>();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
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
        let home = tempfile::tempdir().expect("a directory");
        Self { address, script, arrivals: Mutex::new(arrivals), home, _running: running }
    }

    /// A stub whose list of workflows in the kubeconfig's namespace answers like this.
    pub fn listing(replies: impl Into<Vec<Reply>>) -> Self {
        Self::start([(WORKFLOWS.to_owned(), replies.into())])
    }

    /// A path in the stub's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The kubeconfig as an object, for tests that change it.
    pub fn config(&self, user: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stub",
            "clusters": [{ "name": "stub", "cluster": { "server": format!("http://{}", self.address) } }],
            "contexts": [{ "name": "stub", "context": { "cluster": "stub", "user": "me", "namespace": "ml" } }],
            "users": [{ "name": "me", "user": user }],
        })
    }

    /// The plugin's `inspect` under a kubeconfig, ready to run.
    pub fn command(&self, config: &Value, arguments: &str) -> Command {
        self.command_of("inspect", config, arguments)
    }

    fn command_of(&self, verb: &str, config: &Value, arguments: &str) -> Command {
        let path = self.path("kubeconfig");
        std::fs::write(&path, config.to_string()).expect("the kubeconfig is written");
        let mut command = plugin([verb, "--kubeconfig"]);
        command.arg(path).args(arguments.split_whitespace());
        command
    }

    /// Runs a verb with more arguments, separated by white space.
    pub fn run(&self, verb: &str, arguments: &str) -> Ran {
        Ran::of(self.command_of(verb, &self.config(&json!({})), arguments))
    }

    /// Runs `inspect` with more arguments, separated by white space.
    pub fn inspect(&self, arguments: &str) -> Ran {
        self.inspect_as(&json!({}), arguments)
    }

    /// As [`Self::inspect`], with a user of the kubeconfig.
    pub fn inspect_as(&self, user: &Value, arguments: &str) -> Ran {
        Ran::of(self.command(&self.config(user), arguments))
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.script.seen.lock().expect("no test panics while it holds this").clone()
    }

    /// The requests to one path.
    pub fn requests_to(&self, path: &str) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path == path).collect()
    }

    /// Waits for the next request.
    pub fn wait(&self) {
        let arrivals = self.arrivals.lock().expect("no test panics while it holds this");
        arrivals.recv_timeout(Duration::from_secs(180)).expect("a request comes");
    }
}

/// An HTTP proxy that leads every CONNECT to one server; gives its address and the request heads it gets.
pub fn proxy(target: SocketAddr) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (sender, heads) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || tunnel(client, target, &sender));
        }
    });
    (address, heads)
}

fn tunnel(client: TcpStream, target: SocketAddr, heads: &mpsc::Sender<String>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let _ = heads.send(head);
    (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let server = TcpStream::connect(target)?;
    let mut to_server = server.try_clone()?;
    thread::spawn(move || io::copy(&mut reader, &mut to_server));
    io::copy(&mut &server, &mut &client)?;
    Ok(())
}
