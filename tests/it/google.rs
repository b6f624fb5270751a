//! Google's credentials of every kind, against servers of the tests' own: what is sent to whom, and what is shown.

use crate::support::{Ran, free_port, plugin, workflow};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::identity::{Identity, Known};
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.full_control";
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const AUDIENCE: &str =
    "//iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/pool/providers/ci";
const POOL: &str = "projects/12/locations/global/workloadIdentityPools/pool/providers/ci";

#[derive(Debug, Clone)]
struct Asked {
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Asked {
    fn form(&self) -> HashMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Says = dyn Fn(&Asked, usize) -> (u16, Value) + Send + Sync;

/// Token servers, the metadata server and the storage in one.
struct Google {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    home: TempDir,
    _runtime: tokio::runtime::Runtime,
}

/// Answers as Google does; `lifetime` is that of the tokens, in seconds.
fn honest(asked: &Asked, count: usize, lifetime: u32) -> (u16, Value) {
    let token = |name: &str| format!("{name}-token-not-to-be-shown-{count}");
    match asked.path.as_str() {
        "/sts" => (
            200,
            json!({ "access_token": token("sts"), "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "token_type": "Bearer", "expires_in": lifetime }),
        ),
        "/oauth" => {
            (200, json!({ "access_token": token("user"), "token_type": "Bearer", "expires_in": lifetime }))
        }
        path if path.ends_with(":generateAccessToken") => {
            (200, json!({ "accessToken": token("robot"), "expireTime": "2046-11-02T00:00:00Z" }))
        }
        "/subject" => (200, json!({ "id": "subject-not-to-be-shown" })),
        "/computeMetadata/v1/instance/service-accounts/default/token" => {
            (200, json!({ "access_token": token("machine"), "token_type": "Bearer", "expires_in": lifetime }))
        }
        _ => (404, json!({ "error": { "code": 404, "message": "No such object: b/k", "errors": [] } })),
    }
}

impl Google {
    fn start(says: impl Fn(&Asked, usize) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let says: Arc<Says> = Arc::new(says);
        type Shared = (Arc<Says>, Arc<Mutex<Vec<Asked>>>);
        let app = Router::new()
            .fallback(|State((says, asked)): State<Shared>, request: Request<Body>| async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let body = String::from_utf8(body.to_vec()).unwrap();
                let request = Asked { path: parts.uri.path().to_owned(), headers: parts.headers, body };
                let count = {
                    let mut asked = asked.lock().unwrap();
                    asked.push(request.clone());
                    asked.iter().filter(|other| other.path == request.path).count()
                };
                let (status, body) = says(&request, count);
                let response = Response::builder().status(status).header("content-type", "application/json");
                response.body(Body::from(body.to_string())).unwrap()
            })
            .with_state((says, Arc::clone(&asked)));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, asked, home: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    fn honest() -> Self {
        Self::start(|asked, count| honest(asked, count, 3600))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn robot(&self) -> String {
        format!(
            "{}/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken",
            self.url
        )
    }

    fn external(&self, source: Value) -> Value {
        json!({
            "type": "external_account", "audience": AUDIENCE, "token_url": format!("{}/sts", self.url),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source,
        })
    }

    fn file_sourced(&self) -> Value {
        let path = self.file("subject", "subject-not-to-be-shown");
        self.external(json!({ "file": path }))
    }

    fn user(&self) -> Value {
        json!({
            "type": "authorized_user", "client_id": "client", "client_secret": "secret-not-to-be-shown",
            "refresh_token": "refresh-not-to-be-shown", "token_uri": format!("{}/oauth", self.url),
            "account": "ann@example.com",
        })
    }

    fn impersonated(&self, source: &Value) -> Value {
        json!({
            "type": "impersonated_service_account", "service_account_impersonation_url": self.robot(),
            "delegates": ["between@p.iam.gserviceaccount.com"], "source_credentials": source,
        })
    }

    /// A storage at this server, with the account of a file.
    fn store(&self, file: &Value) -> (Store, String) {
        let path = self.file("credentials.json", file.to_string());
        let google = Credentials::find(Some(&path)).unwrap();
        let identity = google.identity().to_owned();
        let credentials = CloudCredentials { google, aws: AwsChain::default(), azure: AzureChain::default() };
        let cloud =
            Cloud::new(Some(self.url.clone()), credentials, Vec::new(), Throttle::new(32, None)).unwrap();
        (Store::Cloud(cloud), identity)
    }

    /// Asks for objects at the same time.
    fn head(&self, store: &Store, objects: usize) -> Vec<Result<(), String>> {
        let bucket: Bucket = "gs://b".parse().unwrap();
        let runtime = self._runtime.handle();
        let keys: Vec<String> = (0..objects).map(|at| format!("k{at}")).collect();
        let heads = keys.iter().map(|key| store.head(&bucket, key));
        let answers = runtime.block_on(futures::future::join_all(heads));
        answers.into_iter().map(|answer| answer.map(|_| ()).map_err(|error| error.to_string())).collect()
    }

    fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path.ends_with(path)).cloned().collect()
    }

    /// The token with which the storage was asked last.
    fn bearer(&self) -> String {
        self.asked("/o/k0").last().map_or_else(String::new, |asked| asked.header("authorization").to_owned())
    }

    /// `inspect --check` of one artifact at Google, by the account of a file, or of the machine.
    fn inspect(&self, file: Option<&Value>, environment: &[(&str, &str)], flags: &[&str]) -> Ran {
        let objects = self.file("workflow.json", workflow("train").to_string());
        let mut command = plugin(["inspect", "--check", "-o", "json", "-f"]);
        command.arg(objects).args(flags).env_remove("STORAGE_EMULATOR_HOST");
        command.env_remove("GOOGLE_APPLICATION_CREDENTIALS").env("NO_PROXY", "127.0.0.1");
        if let Some(file) = file {
            command.arg("--credentials").arg(self.file("credentials.json", file.to_string()));
        }
        command.envs(environment.iter().copied());
        Ran::of(command)
    }
}

/// A proxy that lets nobody through, and the hosts that it was asked for.
fn closed_proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hosts = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&hosts);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut line = String::new();
            let _ = BufReader::new(&client).read_line(&mut line);
            seen.lock().unwrap().push(line.split(' ').nth(1).unwrap_or_default().to_owned());
            let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (url, hosts)
}

#[test]
fn a_federation_exchanges_the_token_of_a_file_or_url_once_for_many_requests() {
    for from in ["file", "url"] {
        let google = Google::honest();
        let file = match from {
            "file" => google.file_sourced(),
            _ => google.external(json!({
                "url": format!("{}/subject", google.url), "headers": { "Authorization": "Basic header-not-to-be-shown" },
                "format": { "type": "json", "subject_token_field_name": "id" },
            })),
        };
        let (store, identity) = google.store(&file);
        assert!(google.asked.lock().unwrap().is_empty(), "nothing is asked before it is needed");
        assert_eq!(identity, format!("the federated identity of {POOL}"));
        assert!(google.head(&store, 100).iter().all(Result::is_ok));
        let exchanges = google.asked("/sts");
        assert_eq!(exchanges.len(), 1);
        let form = exchanges[0].form();
        assert_eq!(form["subject_token"], "subject-not-to-be-shown");
        assert_eq!((form["audience"].as_str(), form["scope"].as_str()), (AUDIENCE, SCOPE));
        assert_eq!(google.bearer(), "Bearer sts-token-not-to-be-shown-1");
        if from == "url" {
            assert_eq!(google.asked("/subject")[0].header("authorization"), "Basic header-not-to-be-shown");
        }
    }
}

#[test]
fn a_service_account_is_impersonated_over_a_federation_or_a_user() {
    let google = Google::honest();
    let body = |google: &Google| -> Value {
        let asked = google.asked(":generateAccessToken");
        assert_eq!(asked.len(), 1);
        serde_json::from_str(&asked[0].body).unwrap()
    };
    // As gcloud writes it for a federation.
    let mut file = google.file_sourced();
    file["service_account_impersonation_url"] = json!(google.robot());
    let (store, identity) = google.store(&file);
    assert_eq!(identity, format!("robot@p.iam.gserviceaccount.com, through {POOL}"));
    assert!(google.head(&store, 3).iter().all(Result::is_ok));
    assert_eq!(google.asked("/sts")[0].form()["scope"], "https://www.googleapis.com/auth/iam");
    let asked = &google.asked(":generateAccessToken")[0];
    assert_eq!(asked.header("authorization"), "Bearer sts-token-not-to-be-shown-1");
    assert_eq!(body(&google)["scope"], json!([SCOPE]));
    assert_eq!(google.bearer(), "Bearer robot-token-not-to-be-shown-1");

    let google = Google::honest();
    for (file, source, by) in [
        (google.impersonated(&google.file_sourced()), "sts", format!("the federated identity of {POOL}")),
        (google.impersonated(&google.user()), "user", "ann@example.com".to_owned()),
    ] {
        google.asked.lock().unwrap().clear();
        let (store, identity) = google.store(&file);
        assert!(
            identity.starts_with(&format!("robot@p.iam.gserviceaccount.com, impersonated by {by}")),
            "{identity}"
        );
        assert!(google.head(&store, 3).iter().all(Result::is_ok));
        let bearer = format!("Bearer {source}-token-not-to-be-shown-1");
        assert_eq!(google.asked(":generateAccessToken")[0].header("authorization"), bearer);
        let body = body(&google);
        assert_eq!(body["scope"], json!([SCOPE]));
        assert_eq!(body["delegates"], json!(["between@p.iam.gserviceaccount.com"]));
        assert_eq!(google.bearer(), "Bearer robot-token-not-to-be-shown-1");
        if source == "sts" {
            assert_eq!(google.asked("/sts")[0].form()["scope"], PLATFORM);
        }
    }
}

#[test]
fn one_impersonation_within_another_goes_through_the_accounts_between() {
    let google = Google::honest();
    let mut inner = google.impersonated(&google.user());
    let (robot, gate) = ("robot@p.iam.gserviceaccount.com", "gate@p.iam.gserviceaccount.com");
    inner["service_account_impersonation_url"] = json!(google.robot().replace(robot, gate));
    inner["delegates"] = json!(["first@p.iam.gserviceaccount.com"]);
    let mut middle = google.impersonated(&inner);
    middle["service_account_impersonation_url"] = json!(google.robot().replace(robot, "mid@p"));
    middle["delegates"] = Value::Null;
    let (store, identity) = google.store(&google.impersonated(&middle));
    let by =
        format!("{robot}, impersonated by mid@p, impersonated by {gate}, impersonated by ann@example.com (");
    assert!(identity.starts_with(&by), "{identity}");
    assert!(google.head(&store, 3).iter().all(Result::is_ok));
    let asked = google.asked(":generateAccessToken");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].path.contains(robot), "{asked:?}");
    assert_eq!(asked[0].header("authorization"), "Bearer user-token-not-to-be-shown-1");
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    let between = |name: &str| format!("projects/-/serviceAccounts/{name}");
    let through = [
        "first@p.iam.gserviceaccount.com",
        &between(gate),
        &between("mid@p"),
        "between@p.iam.gserviceaccount.com",
    ];
    assert_eq!(body["delegates"], json!(through));
    assert_eq!(google.bearer(), "Bearer robot-token-not-to-be-shown-1");

    // What an inner one lacks is told by its place.
    middle["source_credentials"]["source_credentials"] = json!({ "type": "authorized_user" });
    let path = google.file("credentials.json", google.impersonated(&middle).to_string());
    let error = Credentials::find(Some(&path)).unwrap_err().to_string();
    assert!(error.contains("in source_credentials: in source_credentials: in source_credentials: credentials of type authorized_user need the field client_id"), "{error}");
}

#[test]
fn a_token_is_renewed_when_it_ends_and_a_failure_that_passes_is_tried_again() {
    let google = Google::start(|asked, count| match (asked.path.as_str(), count) {
        // The first exchange fails in a way that may pass; its successor's token soon ends.
        ("/oauth", 1) => (503, json!({})),
        ("/oauth", 2) => honest(asked, count, 1),
        _ => honest(asked, count, 3600),
    });
    let (store, identity) = google.store(&google.user());
    assert!(identity.starts_with("ann@example.com ("), "{identity}");
    assert!(google.head(&store, 10).iter().all(Result::is_ok));
    assert_eq!(google.asked("/oauth").len(), 2);
    let asked: Value = serde_json::from_str(&google.asked("/oauth")[0].body).unwrap();
    assert_eq!(asked["refresh_token"], "refresh-not-to-be-shown");
    assert_eq!(google.bearer(), "Bearer user-token-not-to-be-shown-2");
    std::thread::sleep(Duration::from_millis(1100));
    assert!(google.head(&store, 10).iter().all(Result::is_ok));
    assert_eq!(google.bearer(), "Bearer user-token-not-to-be-shown-3");
    assert_eq!(google.asked("/oauth").len(), 3);
}

#[test]
fn a_refused_exchange_says_why_and_shows_no_secret() {
    let long = "eyJhbGciOiJSUzI1NiJ9.bm90LXRvLWJlLXNob3duLW5vdC10by1iZS1zaG93bi1ub3Q.c2lnbmF0dXJl";
    let google = Google::start(move |asked, _| {
        let repeated = if asked.path == "/oauth" { "refresh-not-to-be-shown" } else { "" };
        let words = format!("The audience of {long} does not match {repeated}");
        (400, json!({ "error": "invalid_grant", "error_description": words }))
    });
    for file in [google.file_sourced(), google.user(), google.impersonated(&google.user())] {
        let (store, _) = google.store(&file);
        let begun = Instant::now();
        for answer in google.head(&store, 20) {
            let error = answer.unwrap_err();
            assert!(error.contains("does not match") && error.contains("invalid_grant"), "{error}");
            assert!(!error.contains(long) && !error.contains("not-to-be-shown"), "{error}");
            assert!(error.len() < 500, "{error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "what can't pass is not tried again");
    }
}

#[test]
fn aws_gives_a_federation_its_token_by_a_signed_request() {
    let google = Google::start(|asked, count| match asked.path.as_str() {
        "/sts" => (400, json!({ "error": "invalid_target", "error_description": "no such pool" })),
        _ => honest(asked, count, 3600),
    });
    let mut file = google.external(json!({
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    }));
    file["subject_token_type"] = json!("urn:ietf:params:aws:token-type:aws4_request");
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "key-not-to-be-shown"),
        ("AWS_SESSION_TOKEN", "session-not-to-be-shown"),
        ("AWS_REGION", "eu-west-1"),
    ];
    for flags in [&[][..], &["-v", "9"]] {
        let ran = google.inspect(Some(&file), &environment, flags);
        assert!(ran.err.contains("no such pool: invalid_target"), "{}", ran.err);
        assert!(!ran.err.contains("not-to-be-shown") && !ran.out.contains("not-to-be-shown"), "{ran:#?}");
    }
    let subject = google.asked("/sts")[0].form()["subject_token"].clone();
    let subject: String =
        form_urlencoded::parse(format!("t={subject}").as_bytes()).next().unwrap().1.into_owned();
    let subject: Value = serde_json::from_str(&subject).unwrap();
    assert_eq!(
        subject["url"],
        "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    );
    let text = subject.to_string();
    assert!(text.contains("AWS4-HMAC-SHA256") && text.contains(AUDIENCE), "{text}");
    assert!(!text.contains("key-not-to-be-shown"), "the key signs, and stays here: {text}");
}

#[test]
#[cfg(unix)]
fn a_program_gives_the_token_only_where_the_variable_of_googles_tools_allows_it() {
    use std::os::unix::fs::PermissionsExt;
    let google = Google::start(|_, _| (400, json!({ "error": "seen" })));
    let program = google.file("give", "");
    let expiry = "4102444800";
    let says = |script: &str| {
        std::fs::write(&program, format!("#!/bin/sh\ntouch {}.ran\n{script}\n", program.display())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    let file = google.external(json!({ "executable": { "command": program, "timeout_millis": 5000 } }));
    says(&format!(
        r#"echo '{{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"program-not-to-be-shown","expiration_time":{expiry}}}'"#
    ));
    for file in [&file, &google.impersonated(&file)] {
        let ran = google.inspect(Some(file), &[], &[]).ends_with(1);
        assert!(ran.err.contains("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is set to 1"), "{}", ran.err);
    }
    assert!(!google.home.path().join("give.ran").exists());
    let allowed = [("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")];
    google.inspect(Some(&file), &allowed, &[]);
    assert_eq!(google.asked("/sts")[0].form()["subject_token"], "program-not-to-be-shown");
    for (script, words) in [
        ("echo 'stderr-not-to-be-shown' >&2; exit 3", "ended with code 3"),
        ("echo 'stdout-not-to-be-shown'", "is not understood"),
        (
            r#"echo '{"version":1,"success":false,"token_type":"","code":"401","message":"log in first"}'"#,
            "log in first",
        ),
    ] {
        says(script);
        let ran = google.inspect(Some(&file), &allowed, &["-v", "9"]);
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
        assert!(!ran.err.contains("not-to-be-shown"), "{}", ran.err);
    }
}

#[test]
fn the_machines_account_and_the_proxy_are_heeded_and_no_token_is_logged() {
    let google = Google::honest();
    let (proxy, hosts) = closed_proxy();
    let metadata = google.url.trim_start_matches("http://").to_owned();
    // A user's login whose token server is Google's own.
    let mut user = google.user();
    user.as_object_mut().unwrap().remove("token_uri");
    let ran = google.inspect(Some(&user), &[("HTTPS_PROXY", &proxy)], &[]);
    assert!(hosts.lock().unwrap().iter().all(|host| host == "oauth2.googleapis.com:443"), "{hosts:?}");
    assert!(!hosts.lock().unwrap().is_empty(), "{ran:#?}");
    for (log, flags) in [("trace", &[][..]), ("off", &["-v", "9"])] {
        hosts.lock().unwrap().clear();
        let environment =
            [("HTTPS_PROXY", proxy.as_str()), ("GCE_METADATA_HOST", &metadata), ("RUST_LOG", log)];
        let ran = google.inspect(None, &environment, flags);
        let asked = google.asked("/default/token");
        assert_eq!(asked.last().unwrap().header("metadata-flavor"), "Google");
        // The request had its token, and was on its way.
        assert!(hosts.lock().unwrap().iter().any(|host| host == "storage.googleapis.com:443"), "{ran:#?}");
        let line = ran.err.lines().chain(ran.out.lines()).find(|line| line.contains("not-to-be-shown"));
        assert!(line.is_none(), "{log}: {line:?}");
    }
}

#[test]
fn an_account_that_is_named_for_a_bucket_is_used_for_no_other() {
    let google = Google::honest();
    let own = google.file("own.json", google.file_sourced().to_string());
    let path = google.file("credentials.json", google.user().to_string());
    let default = Credentials::find(Some(&path)).unwrap();
    let credentials =
        CloudCredentials { google: default, aws: AwsChain::default(), azure: AzureChain::default() };
    let cloud =
        Cloud::new(Some(google.url.clone()), credentials, Vec::new(), Throttle::new(4, None)).unwrap();
    let bucket: Bucket = "gs://own".parse().unwrap();
    let account = Identity::read(&bucket, &std::fs::read_to_string(&own).unwrap(), "own.json").unwrap();
    let store = Store::Cloud(cloud.with_identities(Arc::new(Known::from([(bucket, account)]))));
    for (bucket, token) in [("own", "sts"), ("other", "user")] {
        let named: Bucket = format!("gs://{bucket}").parse().unwrap();
        google._runtime.block_on(store.head(&named, "k0")).unwrap();
        assert_eq!(google.bearer(), format!("Bearer {token}-token-not-to-be-shown-1"), "{bucket}");
    }
}
