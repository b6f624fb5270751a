//! `--use-workflow-secrets` where workflows name a role, or the authority of a private server's certificate.

use crate::support::clouds::google_key;
use crate::support::faulty_storage::{Asked, FaultyStorage, answer};
use crate::support::purge::{Live, Ran, in_minio, in_minio_with, minio_secret, protections};
use crate::support::stub::proxy;
use crate::support::tls::Tls;
use crate::workflow_secrets::{World, all};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;

const ROLE: &str = "arn:aws:iam::123456789012:role/gc";
const READS: [&str; 2] = [
    "inspect -A --check -o json --use-workflow-secrets",
    "purge -A --all --dry-run=client --repository s3://of-a@minio:9000 --repository s3://of-b@minio:9000 -o json \
     --use-workflow-secrets",
];

/// An STS that gives the role `NAME` the key `ASIA-NAME-1`, then `ASIA-NAME-2`, for so many seconds; `denied` to nobody.
async fn sts(seconds: i64) -> FaultyStorage {
    let given = std::sync::atomic::AtomicUsize::new(0);
    FaultyStorage::start(move |asked| {
        let role = form(asked).remove("RoleArn").unwrap_or_default();
        let name = role.rsplit('/').next().unwrap_or_default();
        if name == "denied" {
            let why = format!("User: arn:aws:iam::1:user/ann is not authorized to perform: sts:AssumeRole on resource: {role}");
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{why}</Message></Error>\
                 <RequestId>1</RequestId></ErrorResponse>"
            );
            return answer(403, &[("content-type", "text/xml")], body);
        }
        let number = given.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let end = Timestamp::now() + SignedDuration::from_secs(seconds);
        let body = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ASIA-{name}-{number}</AccessKeyId><SecretAccessKey>hunter2-{number}</SecretAccessKey>\
             <SessionToken>hunter2-token-{number}</SessionToken><Expiration>{end:.0}</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>A:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/gc/s</Arn>\
             </AssumedRoleUser></AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\
             </AssumeRoleResponse>"
        );
        answer(200, &[("content-type", "text/xml")], body)
    })
    .await
}

fn form(asked: &Asked) -> HashMap<String, String> {
    form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect()
}

fn place(workflow: &mut Value) -> &mut Value {
    &mut workflow["status"]["artifactRepositoryRef"]["artifactRepository"]["s3"]
}

fn in_minio_as(namespace: &str, bucket: &str, role: &str) -> Value {
    let mut workflow = in_minio(namespace, bucket);
    place(&mut workflow)["roleARN"] = json!(role);
    workflow
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_role_is_taken_on_for_the_bucket_it_stands_beside_and_no_other_on_apiserver() {
    let world = World::start();
    let sts = world.runtime.block_on(sts(3600));
    let (url, at) = (world.storage.url(), sts.url());
    let run = |line: &str| {
        sts.asked.lock().unwrap().clear();
        world.run_with(line, &url, &[("AWS_ENDPOINT_URL_STS", &at)])
    };
    let asked_sts = || sts.asked.lock().unwrap().clone();
    // A Secret for the namespace's own key is there and not named, and the other bucket has none.
    world.server.apply(minio_secret("team-a", "cred", "AKA"));
    world.server.apply(minio_secret("team-b", "cred", "AKA"));
    world.server.apply(in_minio_as("team-a", "of-a", ROLE));
    world.server.apply(in_minio("team-b", "of-b"));
    let keys = |bucket: &str, begin: &str| {
        let asked = world.storage.asked.lock().unwrap();
        let of_bucket = asked.iter().filter(|asked| asked.path.split('/').any(|part| part == bucket));
        let of_bucket: Vec<&Asked> = of_bucket.collect();
        let begin = format!("Credential={begin}");
        (of_bucket.len(), of_bucket.iter().filter(|asked| asked.authorization.contains(&begin)).count())
    };
    for line in READS {
        run(line).ends_with(0);
        all(keys("of-a", "ASIA-gc-"));
        all(keys("of-b", "AKAMBIENT/"));
        let asked = asked_sts();
        assert_eq!(asked.len(), 1, "once for the run: {asked:?}");
        assert!(asked[0].authorization.contains("Credential=AKAMBIENT/"), "{asked:?}");
        assert!(asked[0].authorization.contains("/us-east-1/sts/"), "{asked:?}");
        let form = form(&asked[0]);
        assert_eq!((&*form["RoleArn"], &*form["RoleSessionName"]), (ROLE, "kubectl-argo-gc"));
        let tokens = world.storage.asked.lock().unwrap();
        assert!(tokens.iter().any(|asked| asked.token.starts_with("hunter2-token-")));
    }

    // Another role for that bucket, or none: neither is taken on.
    for (workflow, words) in [
        (in_minio_as("team-b", "x", "arn:aws:iam::1:role/admin"), "role arn:aws:iam::1:role/admin"),
        (in_minio("team-b", "x"), "none"),
        (in_minio_with("team-b", "x", "cred"), "Secret team-b/cred"),
    ] {
        world.shares(workflow);
        for line in READS {
            let ran = run(line).ends_with(0);
            assert!(ran.out.contains("its workflows name different accounts for it ("), "{ran:#?}");
            assert!(ran.out.contains(words), "{ran:#?}");
            assert_eq!((world.asked("of-a", "").0, asked_sts().len()), (0, 0), "{line}");
        }
    }
    // The same role, from another namespace, is the same account.
    world.shares(in_minio_as("team-b", "x", ROLE));
    run(READS[0]).ends_with(0);
    all(keys("of-a", "ASIA-gc-"));
    // A role beside keys is not the account, as in Argo.
    let mut both = in_minio_with("team-a", "of-a", "cred");
    place(&mut both)["roleARN"] = json!("arn:aws:iam::1:role/other");
    world.server.apply(both);
    let mut shares = in_minio_with("team-b", "x", "cred");
    place(&mut shares)["useSDKCreds"] = json!(true);
    world.shares(shares);
    run(READS[0]).ends_with(0);
    all(world.asked("of-a", "AKA"));
    assert_eq!(asked_sts().len(), 0);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_role_that_is_refused_leaves_its_bucket_alone_and_says_what_to_do_on_apiserver() {
    let world = World::start();
    let sts = world.runtime.block_on(sts(3600));
    let (url, at) = (world.storage.url(), sts.url());
    world.server.apply(in_minio_as("team-a", "of-a", "arn:aws:iam::1:role/denied"));
    world.server.apply(in_minio("team-b", "of-b"));
    for line in READS {
        let ran = world.run_with(line, &url, &[("AWS_ENDPOINT_URL_STS", &at)]).ends_with(0);
        for words in [
            "role arn:aws:iam::1:role/denied: STS refuses it: User: arn:aws:iam::1:user/ann is not authorized",
            "the environment's account needs sts:AssumeRole on it, and its trust policy has to name that account",
        ] {
            assert!(ran.out.contains(words), "{words}: {ran:#?}");
        }
        // Nobody else's account takes its place, and the other bucket's owner is not stopped by it.
        assert_eq!(world.asked("of-a", "").0, 0);
        all(world.asked("of-b", "AKAMBIENT"));
    }
    let plan = world.run_with(READS[1], &url, &[("AWS_ENDPOINT_URL_STS", &at)]).json();
    assert_eq!(protections(&plan), ["no-certain-location"; 1], "{plan}");
    // Without an account there is nobody who could take it on.
    let nobody = [("AWS_ENDPOINT_URL_STS", &*at), ("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    sts.asked.lock().unwrap().clear();
    let ran = world.run_with(READS[0], &url, &nobody).ends_with(0);
    assert!(ran.out.contains("role arn:aws:iam::1:role/denied: there are none: AWS_PROFILE"), "{ran:#?}");
    assert_eq!(sts.asked.lock().unwrap().len(), 0);
    // What stands for STS does not answer.
    let ran = world.run_with(READS[0], &url, &[("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")]).ends_with(0);
    assert!(ran.out.contains("role arn:aws:iam::1:role/denied: STS can't be asked: "), "{ran:#?}");

    // For a host that nobody allows STS is not asked.
    let mut elsewhere = in_minio_as("team-a", "of-a", ROLE);
    place(&mut elsewhere)["endpoint"] = json!("evil:9000");
    world.server.apply(elsewhere);
    sts.asked.lock().unwrap().clear();
    let ran = world.run_with(READS[0], &url, &[("AWS_ENDPOINT_URL_STS", &at)]).ends_with(0);
    assert!(ran.out.contains("--endpoint-override evil:9000=URL allows it"), "{ran:#?}");
    assert_eq!(sts.asked.lock().unwrap().len(), 0);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_roles_key_is_renewed_before_it_expires_on_apiserver() {
    let world = World::start();
    // They end within the time in which they are to be renewed.
    let sts = world.runtime.block_on(sts(200));
    let (url, at) = (world.storage.url(), sts.url());
    world.server.apply(in_minio_as("team-a", "of-a", ROLE));
    world
        .run_with(READS[1], &url, &[("AWS_ENDPOINT_URL_STS", &at), ("AWS_REGION", "eu-west-1")])
        .ends_with(0);
    let asked = sts.asked.lock().unwrap().clone();
    assert!(asked.len() > 1, "{asked:?}");
    assert!(asked.iter().all(|asked| asked.authorization.contains("Credential=AKAMBIENT/")), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.authorization.contains("/eu-west-1/sts/")), "{asked:?}");
    assert_eq!(world.asked("of-a", "ASIA-gc-1").1, 0, "the first key was renewed before it was used");
    assert!(world.asked("of-a", "ASIA-gc-2").1 > 0);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_private_authority_is_trusted_for_its_bucket_and_no_other_on_apiserver_and_openssl() {
    let world = World::start();
    let tls = world.runtime.block_on(Tls::before(world.storage.address(), "IP:127.0.0.1"));
    let other = world.runtime.block_on(Tls::before(world.storage.address(), "IP:127.0.0.1"));
    let url = format!("https://{}", tls.address);
    let authority = |tls: &Tls| std::fs::read_to_string(tls.authority()).unwrap();
    let secret = |namespace: &str, text: &str| {
        world.server.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": namespace, "name": "ca" },
            "stringData": { "ca.crt": text },
        }));
    };
    let trusting = |mut workflow: Value| {
        place(&mut workflow)["caSecret"] = json!({ "name": "ca", "key": "ca.crt" });
        workflow
    };
    let run = |line: &str| world.run_with(line, &url, &[]).ends_with(0);
    secret("team-a", &authority(&tls));
    secret("team-b", &authority(&other));
    world.server.apply(trusting(in_minio("team-a", "of-a")));
    world.server.apply(in_minio("team-b", "of-b"));

    // Without the flag the error names what is wrong, and both ways.
    let ran = run("inspect -A --check -o json");
    for words in [
        "s3://of-a@minio:9000 is not asked: the certificate of its server is not trusted: ",
        "UnknownIssuer",
        "--use-workflow-secrets trusts the one",
        "(caSecret)",
        "SSL_CERT_FILE",
    ] {
        assert!(ran.out.contains(words), "{words}: {ran:#?}");
    }
    assert_eq!(world.storage.asked.lock().unwrap().len(), 0);

    // The environment's account stays the bucket's; the other bucket of that server is not believed.
    let ran = run(READS[0]);
    all(world.asked("of-a", "AKAMBIENT"));
    assert_eq!(world.asked("of-b", "").0, 0);
    assert!(ran.out.contains("s3://of-b@minio:9000 is not asked: the certificate"), "{ran:#?}");
    let both = world.run_with(READS[0], &url, &[("SSL_CERT_FILE", tls.authority().to_str().unwrap())]);
    both.ends_with(0);
    all(world.asked("of-b", "AKAMBIENT"));

    // Beside a key.
    world.server.apply(minio_secret("team-a", "cred", "AKA"));
    world.server.apply(trusting(in_minio_with("team-a", "of-a", "cred")));
    run(READS[0]);
    all(world.asked("of-a", "AKA"));
    let ran = run(
        "purge -n team-a --all --dry-run=client --repository s3://of-a@minio:9000 --use-workflow-secrets",
    );
    let words = "s3://of-a@minio:9000 is opened with Secret team-a/cred and the certificate authority in Secret team-a/ca";
    assert!(
        ran.out.replace("\n", " ").split_whitespace().collect::<Vec<_>>().join(" ").contains(words),
        "{ran:#?}"
    );

    // Different authorities, or one and none, are as different accounts.
    world.server.apply(minio_secret("team-b", "cred", "AKA"));
    for workflow in [trusting(in_minio_with("team-b", "x", "cred")), in_minio_with("team-b", "x", "cred")] {
        world.shares(workflow);
        let ran = run(READS[0]);
        let words = "name different accounts or certificate authorities for it (";
        assert!(ran.out.contains(words), "{ran:#?}");
        assert_eq!(world.storage.asked.lock().unwrap().len(), 0);
    }
    secret("team-b", &authority(&tls));
    world.shares(trusting(in_minio_with("team-b", "x", "cred")));
    run(READS[0]);
    all(world.asked("of-a", "AKA"));

    // It alone is trusted, whatever else this machine trusts.
    secret("team-a", &authority(&other));
    secret("team-b", &authority(&other));
    let ran = world.run_with(READS[0], &url, &[("SSL_CERT_FILE", tls.authority().to_str().unwrap())]);
    assert!(ran.out.contains("s3://of-a@minio:9000 is not asked: the certificate"), "{ran:#?}");
    assert_eq!(world.asked("of-a", "").0, 0);
    secret("team-a", "hunter2");
    secret("team-b", "hunter2");
    let ran = run(READS[0]);
    assert!(ran.out.contains("it has no certificate in PEM"), "{ran:#?}");
    assert_eq!(world.asked("of-a", "").0, 0);
}

/// The workflow's bucket at Google, which a proxy leads to fake-gcs-server.
#[test]
#[ignore = "tests/run brings what it needs"]
fn a_purge_with_a_service_accounts_key_of_a_secret_is_whole_on_apiserver_and_fake_gcs_and_openssl() {
    let live = Live::start("google-secrets");
    live.gcs.bucket("google-secrets");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let google = live.gcs.url().trim_start_matches("http://").parse().unwrap();
    let tls = runtime.block_on(Tls::before(google, "DNS:storage.googleapis.com"));
    let (proxy, _heads) = proxy(tls.address);
    // What the Secret names as the server for tokens is chosen by whoever made it, and is sent nothing.
    let tokens = runtime.block_on(FaultyStorage::start(|_| answer(500, &[], "")));
    let mut train = live.workflow("google-train", &["train/a.tgz", "train/b.tgz"]);
    train["status"]["artifactRepositoryRef"]["artifactRepository"]["gcs"]["serviceAccountKeySecret"] =
        json!({ "name": "robot", "key": "key.json" });
    live.server.apply(train);
    ["train/a.tgz", "train/b.tgz", "train/neighbour"].iter().for_each(|key| live.put(key));
    let secret = |text: &str| {
        live.server.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "google-secrets", "name": "robot" },
            "stringData": { "key.json": text },
        }));
    };
    let run = |arguments: &[&str]| {
        let mut command = live.command("purge", arguments);
        command.env_remove("STORAGE_EMULATOR_HOST").env("HTTPS_PROXY", format!("http://{proxy}"));
        command.env("SSL_CERT_FILE", tls.authority()).env_remove("GOOGLE_APPLICATION_CREDENTIALS");
        let ran = Ran::of(command);
        let shown = format!("{}{}", ran.out, ran.err);
        assert!(!shown.contains("PRIVATE") && !shown.contains("hunter2"), "{ran:#?}");
        ran
    };
    let flag = "--use-workflow-secrets";
    // Other kinds of credentials name hosts and programs, and whoever writes the Secret is not trusted with these.
    let federation = json!({
        "type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": tokens.url(),
        "credential_source": { "url": tokens.url() }, "client_secret": "hunter2",
    });
    secret(&federation.to_string());
    let ran = run(&["google-train", "--dry-run", flag, "-o", "json"]).ends_with(0);
    assert!(ran.out.contains("Secret google-secrets/robot: it is no key of a service account"), "{ran:#?}");
    assert_eq!(protections(&ran.json()), ["no-certain-location"; 1]);
    assert!(live.gcs.log().is_empty(), "{:?}", live.gcs.log());

    secret(&google_key(&tokens.url()));
    let ran = run(&["google-train", "--yes", "--margin", "72h", flag]).ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects"), "{ran:#?}");
    let named = "deleting as gc@ml.iam.gserviceaccount.com (Secret google-secrets/robot)";
    assert!(ran.err.contains(named), "{}", ran.err);
    assert_eq!(live.gcs.keys("google-secrets"), ["train/neighbour"]);
    live.was_careful(&["train/a.tgz", "train/b.tgz"]);
    for entry in live.gcs.log() {
        let header = entry.authorization.unwrap_or_default();
        let token = header.strip_prefix("Bearer ").unwrap_or_else(|| panic!("{}: {header}", entry.target));
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "gc@ml.iam.gserviceaccount.com", "{claims}");
    }
    assert_eq!(tokens.asked.lock().unwrap().len(), 0);
}
