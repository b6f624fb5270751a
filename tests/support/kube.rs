//! A real Kubernetes API server: etcd and kube-apiserver, with Argo's kinds and without controllers.

use std::ffi::OsStr;
use std::net::TcpStream;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::{Client, Config};
use http::{Method, Request};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::etcd::Etcd;
pub use super::objects::Objects;
use super::objects::Writer;
use super::server::{Server, free_port};

/// May do everything.
pub const ADMIN: &str = "admin";
/// May do nothing until a test grants it something (`subjects: [{ kind: User, name: alice }]`).
pub const ALICE: &str = "alice";
/// As [`ALICE`], to hold two of them against each other.
pub const BOB: &str = "bob";

const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-argo_gc");
/// By which kubectl asks the plugin for completions.
const SHIM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/kubectl_complete-argo_gc");
/// The kinds of Argo.
const CRDS: &str = include_str!("../manifests/crds.yaml");

/// A controller of the cluster's own, whose configuration names the repository.
pub const CONTROLLER: &str = include_str!("../manifests/controller.yaml");

/// The rights of Argo's own controller.
const CONTROLLERS_ROLE: &str = include_str!("../manifests/controllers-role.yaml");

const AUDIT_POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{ level: Metadata, users: [alice, bob] }, { level: None }]
";

/// A running API server. No controller runs: nothing is collected, scheduled or finalized unless the test does it.
pub struct ApiServer {
    // In the order in which they are dropped.
    _apiserver: Server,
    _etcd: Server,
    kubectl: PathBuf,
    etcd: Etcd,
    directory: TempDir,
}

impl ApiServer {
    /// The server that the tests of this process share.
    ///
    /// Tests keep apart by namespaces of their own.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<ApiServer> = LazyLock::new(ApiServer::start);
        &SHARED
    }

    /// Starts a server of the test's own.
    ///
    /// # Panics
    /// When it can't be started, or the programs are missing.
    pub fn start() -> Self {
        Self::start_with(false, None)
    }

    /// As [`ApiServer::start`], with an audit log of what [`ALICE`] and [`BOB`] ask for.
    pub fn audited() -> Self {
        Self::start_with(true, None)
    }

    /// Starts a server with the kinds of that folder in place of the tests' own, and with service accounts as real
    /// clusters have them: a pod whose account is missing is refused.
    pub fn start_with_kinds(folder: &Path) -> Self {
        Self::start_with(false, Some(folder))
    }

    fn start_with(audit: bool, kinds: Option<&Path>) -> Self {
        let [etcd, apiserver, kubectl] =
            ["ARGO_GC_TEST_ETCD", "ARGO_GC_TEST_APISERVER", "ARGO_GC_TEST_KUBECTL"].map(super::program);
        // A port is free only until someone else takes it, so one failure says little.
        let mut failures = Vec::new();
        for _ in 0..3 {
            // The servers' keepers remove it too.
            let directory = TempDir::with_prefix("argo-gc-kube-").expect("a temporary directory");
            let extras = Extras { audit, accounts: kinds.is_some() };
            match start_servers(&etcd, &apiserver, directory.path(), &extras) {
                Ok((apiserver, etcd, store)) => {
                    let server = Self { _apiserver: apiserver, _etcd: etcd, kubectl, etcd: store, directory };
                    fs::create_dir(server.plugins()).expect("a directory");
                    let link = server.plugins().join("kubectl-argo_gc");
                    std::os::unix::fs::symlink(PLUGIN, link).expect("a link to the plugin");
                    let link = server.plugins().join("kubectl_complete-argo_gc");
                    std::os::unix::fs::symlink(SHIM, link).expect("a link to kubectl's helper");
                    match kinds {
                        None => drop(server.apply(CRDS)),
                        Some(folder) => server.bring_kinds(folder),
                    }
                    server.apply(CONTROLLERS_ROLE);
                    server.let_manage("argo");
                    return server;
                }
                Err(failure) => failures.push(failure),
            }
        }
        panic!("the API server doesn't start:\n{}", failures.join("\n---\n"));
    }

    /// The administrator's kubeconfig; its context's namespace is `default`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_for(ADMIN)
    }

    /// The kubeconfig of [`ADMIN`], [`ALICE`] or [`BOB`].
    pub fn kubeconfig_for(&self, user: &str) -> PathBuf {
        kubeconfig_path(self.directory.path(), user)
    }

    /// The real kubectl, ready to run as the administrator, with the built plugin on its PATH.
    pub fn kubectl<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.kubectl_as(ADMIN, arguments)
    }

    /// As [`ApiServer::kubectl`], for another user.
    pub fn kubectl_as<S: AsRef<OsStr>>(&self, user: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command(&self.kubectl, user, arguments)
    }

    /// The built plugin without kubectl before it, ready to run as a user.
    pub fn plugin<S: AsRef<OsStr>>(&self, user: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        self.command(Path::new(PLUGIN), user, arguments)
    }

    fn command<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        user: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [self.plugins()].into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .args(args)
            .env("PATH", std::env::join_paths(path).expect("a PATH"))
            .env("KUBECONFIG", self.kubeconfig_for(user))
            // kubectl caches below HOME what it discovers.
            .env("HOME", self.directory.path())
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null());
        super::without_argo_server(&mut command);
        command
    }

    /// A directory that holds the plugin only: cargo's has other files of that name.
    fn plugins(&self) -> PathBuf {
        self.directory.path().join("plugins")
    }

    /// A client for async tests; it lives no longer than the runtime it is made in.
    pub async fn client(&self, user: &str) -> Client {
        client(&self.kubeconfig_for(user)).await.expect("a client")
    }

    /// Brings objects of any kind into the server, status too, and returns them as they are there.
    ///
    /// - Namespaces that are missing are made. What exists already is replaced.
    /// - The server sets `uid`, `resourceVersion` and `generation` itself. An object's uid in the manifest is replaced
    ///   by the real one wherever another object holds it (owner references, events), whatever the order of the objects.
    /// - It sets `creationTimestamp` too, and nobody can change that through it. A Workflow's is put into the server's
    ///   own store afterwards, so that it was created when its manifest says.
    /// - An object with a `deletionTimestamp` is deleted at the end; its finalizers keep it, Terminating.
    ///
    /// # Panics
    /// When the server refuses an object.
    pub fn apply(&self, manifest: impl Into<Objects>) -> Vec<Value> {
        let objects = manifest.into();
        self.run(async |client| Writer::new(client, self.etcd.clone()).apply(objects.0).await)
    }

    /// Brings Argo's kinds, a file for each, into the server, and waits until it serves them.
    fn bring_kinds(&self, folder: &Path) {
        let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let is_kind = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("argoproj.io_"))
        };
        let mut command = self.kubectl(["create", "--validate=false"]);
        for path in files.filter(is_kind) {
            command.arg("-f").arg(path);
        }
        super::stdout(command);
        let words = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=120s"];
        // A kind without any conditions yet, as it is at first, is an error to kubectl.
        let start = Instant::now();
        while !self.kubectl(words).output().expect("kubectl runs").status.success() {
            assert!(start.elapsed() < Duration::from_secs(120), "the kinds are not there");
        }
    }

    /// Lets the service accounts of a namespace manage all workflows, as Argo's controller may, and waits until the server
    /// knows: its authorizer hears of roles through a watch.
    pub fn let_manage(&self, namespace: &str) {
        let group = "rbac.authorization.k8s.io";
        // Other accounts of the namespace get nothing by it.
        let accounts = ["argo", "default"].map(|name| format!("system:serviceaccount:{namespace}:{name}"));
        let subject = |name: &String| json!({ "apiGroup": group, "kind": "User", "name": name });
        self.apply(json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
            "metadata": { "name": format!("argo-controller-{namespace}") },
            "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "argo-controller" },
            "subjects": accounts.iter().map(subject).collect::<Vec<_>>(),
        }));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": accounts[0], "resourceAttributes": {
                "verb": "delete", "group": "argoproj.io", "resource": "workflows",
            }},
        });
        let start = Instant::now();
        while !self.allows(&review) {
            assert!(start.elapsed() < Duration::from_secs(120), "{namespace} may not manage workflows");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The answer of an access review.
    fn allows(&self, review: &Value) -> bool {
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = self.send(Method::POST, path, Some(review)).expect("the server reviews");
        answer["status"]["allowed"] == true
    }

    /// Where the server listens, host and port, and the file with its certificate.
    pub fn address(&self) -> (String, String, PathBuf) {
        let text = fs::read_to_string(self.kubeconfig()).expect("a kubeconfig");
        let config: Value = serde_json::from_str(&text).expect("JSON");
        let cluster = &config["clusters"][0]["cluster"];
        let address = cluster["server"].as_str().and_then(|url| url.strip_prefix("https://"));
        let (host, port) = address.and_then(|address| address.split_once(':')).expect("a host and a port");
        let certificate = cluster["certificate-authority"].as_str().expect("a file");
        (host.to_owned(), port.to_owned(), certificate.into())
    }

    /// GET a path of the API as the administrator: `/apis/argoproj.io/v1alpha1/namespaces/ml/workflows/w`.
    pub fn get(&self, path: &str) -> Result<Value, ::kube::Error> {
        self.send(Method::GET, path, None)
    }

    /// Any other request, as the administrator.
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ::kube::Error> {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let request = request.body(body).expect("a request");
        self.run(async |client| client.request(request).await)
    }

    /// The requests of an [`ApiServer::audited`] so far, as `audit.k8s.io/v1` Events.
    pub fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.directory.path().join("audit.log")).unwrap_or_default();
        log.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    /// Runs async work as the administrator, from a plain test or an async one.
    fn run<T: Send>(&self, work: impl AsyncFnOnce(Client) -> T + Send) -> T {
        blocking(async || work(self.client(ADMIN).await).await)
    }
}

/// A runtime can't be entered within another, so this has a thread of its own.
fn blocking<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work())
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

pub async fn client(kubeconfig: &Path) -> Result<Client, Box<dyn std::error::Error>> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &options).await?;
    config.proxy_url = None;
    config.default_retry = false; // 15 tries would hide what a server of our own answers
    Ok(Client::try_from(config)?)
}

fn kubeconfig_path(directory: &Path, user: &str) -> PathBuf {
    directory.join(format!("{user}.kubeconfig"))
}

/// What a server has beyond the others.
struct Extras {
    /// A log of what [`ALICE`] and [`BOB`] ask for.
    audit: bool,
    /// Pods are refused whose service account is missing.
    accounts: bool,
}

/// The servers as controller-runtime's envtest starts them.
fn start_servers(
    etcd: &Path,
    apiserver: &Path,
    directory: &Path,
    extras: &Extras,
) -> Result<(Server, Server, Etcd), String> {
    let within = |name: &str| directory.join(name).display().to_string();
    let (client_port, peer_port, port) = (free_port(), free_port(), free_port());
    let etcd_url = format!("http://127.0.0.1:{client_port}");

    let arguments = [
        format!("--data-dir={}", within("etcd")),
        format!("--listen-client-urls={etcd_url}"),
        format!("--advertise-client-urls={etcd_url}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
        "--unsafe-no-fsync".to_owned(),
    ];
    let etcd = Server::start(etcd, &arguments, directory.join("etcd.log"), directory);
    wait(&etcd, "etcd", || TcpStream::connect(("127.0.0.1", client_port)).is_ok())?;

    let tokens = [(ADMIN, "system:masters"), (ALICE, ""), (BOB, "")];
    let table = tokens.map(|(user, groups)| format!("{user}-token,{user},{user}-uid,\"{groups}\"\n"));
    fs::write(within("tokens.csv"), table.concat()).expect("the token file");
    let mut arguments = vec![
        format!("--etcd-servers={etcd_url}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        // The server makes its certificate and key here; the key also signs service accounts' tokens.
        format!("--cert-dir={}", within("certificates")),
        format!("--service-account-key-file={}", within("certificates/apiserver.key")),
        format!("--service-account-signing-key-file={}", within("certificates/apiserver.key")),
        "--service-account-issuer=https://127.0.0.1".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        format!("--token-auth-file={}", within("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        // It would want of etcd what older ones lack, and tell of changes up to 25 s late.
        "--feature-gates=WatchList=false".to_owned(),
    ];
    if !extras.accounts {
        // It would want a service account, which a controller makes, for each pod.
        arguments.push("--disable-admission-plugins=ServiceAccount".to_owned());
    }
    if extras.audit {
        fs::write(within("audit.yaml"), AUDIT_POLICY).expect("the policy");
        arguments.push(format!("--audit-policy-file={}", within("audit.yaml")));
        arguments.push(format!("--audit-log-path={}", within("audit.log")));
    }
    let apiserver = Server::start(apiserver, &arguments, directory.join("apiserver.log"), directory);
    for (user, _) in tokens {
        let kubeconfig = kubeconfig(port, &within("certificates/apiserver.crt"), user);
        fs::write(kubeconfig_path(directory, user), kubeconfig.to_string()).expect("the kubeconfig");
    }
    let admin = kubeconfig_path(directory, ADMIN);
    wait(&apiserver, "kube-apiserver", || {
        blocking(async || {
            let Ok(client) = client(&admin).await else { return false }; // no certificate yet
            client.request_text(Request::get("/readyz").body(Vec::new()).expect("a request")).await.is_ok()
        })
    })?;
    Ok((apiserver, etcd, Etcd::new(etcd_url)))
}

fn kubeconfig(port: u16, certificate: &str, user: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": certificate,
        }}],
        "users": [{ "name": user, "user": { "token": format!("{user}-token") } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": user, "namespace": "default" } }],
        "current-context": "test",
    })
}

fn wait(server: &Server, name: &str, ready: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !ready() {
        if server.has_ended() {
            return Err(format!("{name} has ended:\n{}", server.last_words()));
        }
        if start.elapsed() > Duration::from_secs(240) {
            return Err(format!("{name} isn't ready after 60 s:\n{}", server.last_words()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
