//! A real object store: fake-gcs-server, and before it a proxy which enforces what that server leaves out.
//!
//! fake-gcs-server ignores conditions, and has neither soft delete, holds, retention nor permissions. The proxy
//! adds them as the JSON API's documentation and Google's own storage-testbench have them, refuses with 501 what
//! it can't vouch for, logs every request, and fails on demand.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use self::answer::Refusal;
pub use self::state::Entry;
use self::store::{Conditions, Inner, Upload};
use super::server::{Server, free_port};

mod answer;
mod call;
mod list;
mod remove;
mod serve;
mod state;
mod store;

/// A bucket's soft delete policy, as it is for a bucket made without saying anything.
pub fn soft_delete_for_a_week() -> Value {
    json!({ "softDeletePolicy": { "retentionDurationSeconds": "604800" } })
}

/// A running object store; what is asked of it here is neither logged, delayed nor failed.
pub struct Gcs {
    inner: Arc<Inner>,
    /// The handle that a hook gets keeps nothing running.
    _running: Option<Running>,
}

struct Running {
    stop: Option<oneshot::Sender<()>>,
    proxy: Option<JoinHandle<()>>,
    _server: Server,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.proxy.take().map(JoinHandle::join);
    }
}

impl Gcs {
    /// Starts a store of the test's own.
    ///
    /// # Panics
    /// When it can't be started, or the program is missing.
    pub fn start() -> Self {
        let program = super::program("ARGO_GC_TEST_FAKE_GCS");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let (server, upstream) = start_server(&program, &host);
        let (stop, stopped) = oneshot::channel();
        let (started, inner) = mpsc::channel();
        let proxy = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let inner = Arc::new(Inner::new(host, upstream, Handle::current()));
                let router = Router::new().fallback(serve::serve).with_state(inner.clone());
                listener.set_nonblocking(true).expect("a listener");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let _ = started.send(inner);
                tokio::select! {
                    _ = stopped => {}
                    result = async { axum::serve(listener, router).await } => result.expect("the proxy runs"),
                }
            });
        });
        let inner = inner.recv().expect("the proxy starts");
        Self { inner, _running: Some(Running { stop: Some(stop), proxy: Some(proxy), _server: server }) }
    }

    /// What the plugin finds in `STORAGE_EMULATOR_HOST`.
    pub fn url(&self) -> String {
        self.inner.url()
    }

    /// Makes a bucket without soft delete, versioning or a retention policy.
    pub fn bucket(&self, name: &str) {
        self.bucket_with(name, json!({}));
    }

    /// Makes a bucket with attributes of the API's bucket resource, `softDeletePolicy`, `versioning` and
    /// `retentionPolicy` being enforced.
    ///
    /// # Panics
    /// When there is one of that name.
    pub fn bucket_with(&self, name: &str, attributes: Value) {
        let name = name.to_owned();
        self.run(async move |inner| inner.make_bucket(&name, attributes).await);
    }

    /// Writes an object, over one that is there as well, and returns its generation.
    ///
    /// # Panics
    /// When the bucket is missing, or a hold or a retention policy keeps what is there.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl AsRef<[u8]>) -> i64 {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let upload = Upload::media(&key, bytes.as_ref());
        let object =
            self.run(async move |inner| inner.write(&bucket, &key, &Conditions::default(), upload).await);
        state::number(&object, "generation")
    }

    /// Takes the live object away as someone else does, whom the log does not show; false if there is none.
    pub fn remove(&self, bucket: &str, key: &str) -> bool {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.run(async move |inner| inner.take_away(&bucket, &key).await)
    }

    /// Whether [`Gcs::bucket`] made it.
    pub fn has_bucket(&self, name: &str) -> bool {
        self.inner.state().attributes.contains_key(name)
    }

    /// The same store, for another thread.
    pub fn handle(&self) -> Self {
        Self { inner: self.inner.clone(), _running: None }
    }

    /// The live object's metadata.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Value> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.run(async move |inner| inner.live(&bucket, &key).await)
    }

    /// The live object's bytes.
    pub fn bytes(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.get(bucket, key)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Some(self.run(async move |inner| inner.bytes(&bucket, &key).await).to_vec())
    }

    /// The live objects' keys, in the API's order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let bucket = bucket.to_owned();
        let objects = self.run(async move |inner| inner.all_live(&bucket, "").await);
        objects.iter().filter_map(|object| object["name"].as_str().map(str::to_owned)).collect()
    }

    /// The live objects with a prefix and their sizes, in the API's order.
    pub fn sizes(&self, bucket: &str, prefix: &str) -> Vec<(String, u64)> {
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        let objects = self.run(async move |inner| inner.all_live(&bucket, &prefix).await);
        let size = |object: &Value| object["size"].as_str()?.parse().ok();
        objects
            .iter()
            .filter_map(|object| Some((object["name"].as_str()?.to_owned(), size(object)?)))
            .collect()
    }

    /// Places a temporary hold on the live object.
    pub fn hold(&self, bucket: &str, key: &str) {
        self.rule(bucket, key, |rules| rules.hold = true);
    }

    /// Retains the live object for a day, as a retention policy does.
    pub fn retain(&self, bucket: &str, key: &str) {
        let until = jiff::Timestamp::now() + Duration::from_secs(24 * 60 * 60);
        self.rule(bucket, key, |rules| rules.retained_until = Some(until));
    }

    /// Overrules when the live object was made: an RFC 3339 time.
    pub fn created(&self, bucket: &str, key: &str, time: &str) {
        self.set(bucket, key, json!({ "timeCreated": time, "updated": time }));
    }

    /// Overrules fields of the live object's metadata, as `storageClass` or `size`.
    pub fn set(&self, bucket: &str, key: &str, fields: Value) {
        let Value::Object(fields) = fields else { panic!("fields are a JSON object") };
        self.rule(bucket, key, |rules| rules.fields.extend(fields));
    }

    /// Has the live object marked since then and for a minute, as an earlier `purge --quarantine` did, beside a label of
    /// others.
    pub fn mark(&self, bucket: &str, key: &str, since: &str) {
        let object = self.get(bucket, key).unwrap_or_else(|| panic!("no object {key} in {bucket}"));
        let mark = format!("{since} {} 60s", state::number(&object, "generation"));
        self.set(bucket, key, json!({ "metadata": { "team": "ml", "argo-gc-quarantine": mark } }));
    }

    fn rule(&self, bucket: &str, key: &str, change: impl FnOnce(&mut state::Rules)) {
        let object = self.get(bucket, key).unwrap_or_else(|| panic!("no object {key} in {bucket}"));
        let generation = state::number(&object, "generation");
        let mut state = self.inner.state();
        change(state.rules.entry((bucket.to_owned(), key.to_owned(), generation)).or_default());
    }

    /// Denies deleting an object of that name, there or not.
    pub fn forbid(&self, bucket: &str, key: &str) {
        self.inner.state().forbidden.insert((bucket.to_owned(), key.to_owned()));
    }

    /// Answers with the status 403 or 404 when an object's custom metadata alone is asked for, after so many questions; of any
    /// object of the bucket if there is no key.
    pub fn hide_labels(&self, bucket: &str, key: &str, (after, status): (usize, u16)) {
        self.inner.state().labels.insert((bucket.to_owned(), key.to_owned()), (after, status));
    }

    /// What the caller may do in the bucket; before this, everything.
    pub fn permissions(&self, bucket: &str, permissions: &[&str]) {
        let permissions = permissions.iter().map(|permission| (*permission).to_owned()).collect();
        self.inner.state().permissions.insert(bucket.to_owned(), permissions);
    }

    /// Every request so far, in the order in which they came.
    pub fn log(&self) -> Vec<Entry> {
        self.inner.state().log.clone()
    }

    /// The time in which [`Entry::at`] is told.
    pub fn now(&self) -> Duration {
        self.inner.started.elapsed()
    }

    /// The requests to delete an object, in the order in which they came.
    pub fn deletes(&self) -> Vec<Entry> {
        self.log().into_iter().filter(|entry| entry.method == "DELETE" && entry.key.is_some()).collect()
    }

    /// Those of [`Gcs::deletes`] that named no generation which must be there.
    pub fn unpinned(&self) -> Vec<Entry> {
        self.deletes().into_iter().filter(|entry| entry.pin.is_none()).collect()
    }

    /// How many requests to delete were under way at once, at most.
    pub fn most_deletes_at_once(&self) -> usize {
        self.inner.state().most_at_once
    }

    /// Forgets what was logged and counted.
    pub fn clear_log(&self) {
        let mut state = self.inner.state();
        state.log.clear();
        state.most_at_once = 0;
    }

    /// Every nth DELETE is answered 429, 503 or another error, and isn't executed.
    pub fn fail_every(&self, n: u64, status: u16) {
        self.inner.state().faults.before = Some((n, status));
    }

    /// Every nth DELETE is executed, and then answered 503 or another error.
    pub fn fail_after_every(&self, n: u64, status: u16) {
        self.inner.state().faults.after = Some((n, Some(status)));
    }

    /// Every nth DELETE is executed, and then the connection is cut.
    pub fn cut_after_every(&self, n: u64) {
        self.inner.state().faults.after = Some((n, None));
    }

    /// Every nth DELETE waits before it is executed, which it is even if nobody waits for it any more.
    pub fn stall(&self, n: u64, time: Duration) {
        self.inner.state().faults.stall = Some((n, time));
    }

    /// Every nth DELETE is answered as if it were executed, and isn't.
    pub fn lie_every(&self, n: u64) {
        self.inner.state().faults.lie = Some(n);
    }

    /// Every request waits first.
    pub fn latency(&self, time: Duration) {
        self.inner.state().faults.latency = time;
    }

    /// Ends what [`Gcs::fail_every`] and its kind began, and counts anew.
    pub fn heal(&self) {
        self.inner.state().faults = state::Faults::default();
    }

    /// The status for deleting an object that isn't there under `ifGenerationMatch`: 404 as in Google's
    /// storage-testbench, unless this says 412. The documentation leaves it open.
    pub fn missing_answers(&self, status: u16) {
        self.inner.state().missing_status = status;
    }

    /// Runs once, before the next DELETE or PATCH of that object looks at it.
    pub fn before_delete(&self, bucket: &str, key: &str, hook: impl FnOnce(&Self) + Send + 'static) {
        let name = (bucket.to_owned(), key.to_owned());
        self.inner.state().hooks.entry(name).or_default().push_back(Box::new(hook));
    }

    /// Works in the proxy's runtime, so that plain tests, async ones and hooks can call.
    fn run<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        let work = work(self.inner.clone());
        self.inner.runtime.spawn(async move { sender.send(work.await) });
        let result = receiver.recv().expect("the proxy runs");
        result.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }
}

fn start_server(program: &Path, public_host: &str) -> (Server, String) {
    // A port is free only until someone else takes it, so one failure says little.
    let mut failures = Vec::new();
    for _ in 0..3 {
        // The server's keeper removes it too.
        let directory = TempDir::with_prefix("argo-gc-gcs-").expect("a temporary directory").keep();
        let port = free_port();
        let arguments = [
            "-scheme=http".to_owned(),
            "-backend=memory".to_owned(),
            "-host=127.0.0.1".to_owned(),
            format!("-port={port}"),
            // By this it tells `/bucket/key` from other paths.
            format!("-public-host={public_host}"),
            format!("-external-url=http://{public_host}"),
            "-log-level=warn".to_owned(),
        ];
        let server = Server::start(program, &arguments, directory.join("gcs.log"), &directory);
        let start = Instant::now();
        loop {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (server, format!("http://127.0.0.1:{port}"));
            }
            if server.has_ended() || start.elapsed() > Duration::from_secs(180) {
                failures.push(server.last_words());
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    panic!("fake-gcs-server doesn't start:\n{}", failures.join("\n---\n"));
}

/// Fields over fields; a null takes one away.
fn merge(into: &mut Value, fields: &Map<String, Value>) {
    let Some(object) = into.as_object_mut() else { return };
    for (name, value) in fields {
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
}
