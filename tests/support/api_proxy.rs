//! A reverse proxy before the real API server that breaks watches and requests when a test says so.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use futures::StreamExt;
use http_body_util::BodyExt;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use super::kube::{ADMIN, ApiServer};

/// How watches fare.
#[derive(Default)]
struct Weather {
    /// New ones are answered 503, and those under way end.
    cut: AtomicBool,
    /// Nothing more comes of them, and nobody is told.
    silent: AtomicBool,
    changed: Notify,
    /// Every so manieth other request is answered 503; 0 is none.
    failing: AtomicU64,
    count: AtomicU64,
    /// So many seconds are added to the time that answers have.
    ahead: AtomicI64,
}

/// A running proxy; it ends when it is dropped.
pub struct ApiProxy {
    address: SocketAddr,
    weather: Arc<Weather>,
    _running: oneshot::Sender<()>,
}

impl ApiProxy {
    /// Passes on all requests as the administrator.
    pub fn before(server: &'static ApiServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let weather = Arc::new(Weather::default());
        let (running, end) = oneshot::channel::<()>();
        let sky = Arc::clone(&weather);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let client = server.client(ADMIN).await;
                let app = Router::new().fallback(pass).with_state((client, sky));
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served.expect("it serves"),
                    _ = end => {}
                }
            });
        });
        Self { address, weather, _running: running }
    }

    /// A kubeconfig that leads to it.
    pub fn config(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{ "name": "proxy", "cluster": { "server": format!("http://{}", self.address) } }],
            "contexts": [{ "name": "proxy", "context": { "cluster": "proxy", "user": "me" } }],
            "users": [{ "name": "me", "user": {} }],
        })
    }

    /// Ends all watches, and answers others with an error from now on.
    pub fn cut_watches(&self) {
        self.weather.cut.store(true, Ordering::SeqCst);
        self.weather.changed.notify_waiters();
    }

    /// Answers every nth request that isn't a watch with 503 from now on.
    pub fn fail_every(&self, n: u64) {
        self.weather.failing.store(n, Ordering::SeqCst);
    }

    /// Sets the server's clock, so that it differs from this machine's.
    pub fn set_clock(&self, ahead: SignedDuration) {
        self.weather.ahead.store(ahead.as_secs(), Ordering::SeqCst);
    }

    /// Lets nothing more of any watch through, as a connection does whose other end is gone.
    pub fn silence_watches(&self) {
        self.weather.silent.store(true, Ordering::SeqCst);
    }
}

async fn pass(
    State((client, weather)): State<(Client, Arc<Weather>)>,
    request: Request<Body>,
) -> Response<Body> {
    let watches = request.uri().query().is_some_and(|query| query.contains("watch=1"));
    if watches && weather.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    if watches && weather.cut.load(Ordering::SeqCst) {
        return Response::builder().status(503).body(Body::from("cut")).expect("a response");
    }
    let failing = weather.failing.load(Ordering::SeqCst);
    if !watches && failing > 0 && weather.count.fetch_add(1, Ordering::SeqCst) % failing == failing - 1 {
        return Response::builder().status(503).body(Body::from("failed")).expect("a response");
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let mut passed = http::Request::builder().method(parts.method).uri(parts.uri);
    for name in ["accept", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            passed = passed.header(name, value);
        }
    }
    let passed = passed.body(kube::client::Body::from(body.to_vec())).expect("a request");
    let answer = client.send(passed).await.expect("the server answers");
    let (head, body) = answer.into_parts();
    let mut response = Response::builder().status(head.status);
    if let Some(kind) = head.headers.get("content-type") {
        response = response.header("content-type", kind);
    }
    let time = Timestamp::now() + SignedDuration::from_secs(weather.ahead.load(Ordering::SeqCst));
    let time = DateTimePrinter::new().timestamp_to_rfc9110_string(&time).expect("a time");
    response = response.header("date", time);
    let sky = Arc::clone(&weather);
    let frames = body.into_data_stream().then(move |frame| {
        let silent = watches && sky.silent.load(Ordering::SeqCst);
        async move {
            if silent {
                std::future::pending::<()>().await;
            }
            frame
        }
    });
    let cut = async move {
        if watches {
            weather.changed.notified().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    response.body(Body::from_stream(frames.take_until(Box::pin(cut)))).expect("a response")
}
