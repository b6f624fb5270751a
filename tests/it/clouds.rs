//! S3 and Azure through kubectl, with the real API server: the same plan, pins and journal as for GCS.

use crate::support::clouds::{ACCOUNT, AWS_KEY, AWS_SECRET, Emulator, KEY};
use crate::support::kube::ADMIN;
use crate::support::purge::{Live, Ran, deletes, minio_secret, pod, protections, workflow};
use serde_json::{Value, json};
use std::time::Duration;

/// A namespace of the API server, and a bucket of that name in an emulator.
struct Cloud {
    live: Live,
    emulator: Emulator,
    runtime: tokio::runtime::Runtime,
}

impl Cloud {
    fn start(namespace: &'static str, emulator: Emulator) -> Self {
        let live = Live::start(namespace);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(emulator.make(namespace));
        Self { live, emulator, runtime }
    }

    fn put(&self, key: &str) {
        self.runtime.block_on(self.emulator.put(self.live.namespace, key, key));
    }

    /// A workflow whose artifacts are in the bucket.
    fn workflow(&self, name: &str, keys: &[&str]) -> Value {
        let (bucket, endpoint) = (self.live.namespace, self.emulator.endpoint());
        let is_azure = endpoint.starts_with("https");
        let (engine, key, repository) = match is_azure {
            true => ("azure", "blob", json!({ "endpoint": endpoint, "container": bucket })),
            false => ("s3", "key", json!({ "endpoint": endpoint, "bucket": bucket, "insecure": true })),
        };
        let mut workflow = workflow(self.live.namespace, name, keys);
        workflow["status"]["artifactRepositoryRef"]["artifactRepository"] = json!({ engine: repository });
        for artifact in pod(&mut workflow)["outputs"]["artifacts"].as_array_mut().unwrap() {
            let text = artifact["gcs"]["key"].take();
            artifact.as_object_mut().unwrap().remove("gcs");
            artifact[engine] = json!({ key: text });
        }
        workflow
    }

    /// What is there that no workflow names.
    fn orphans(&self) -> Vec<String> {
        let ran = self.run(
            "orphans",
            &["--repository", &format!("{}/argo", self.repository()), "--older", "0s", "-o", "json"],
        );
        let document = ran.ends_with(0).json();
        let found = &document["repositories"][0];
        let orphans = found["orphans"].as_array().unwrap();
        orphans
            .iter()
            .map(|group| format!("{} {}", group["name"].as_str().unwrap(), group["objects"]))
            .collect()
    }

    fn repository(&self) -> String {
        self.emulator.named(self.live.namespace).to_string()
    }

    fn run(&self, verb: &str, arguments: &[&str]) -> Ran {
        self.run_as(verb, arguments, &[])
    }

    /// As [`Self::run`], with other variables.
    fn run_as(&self, verb: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.live.server.kubectl_as(ADMIN, ["argo-gc", verb]);
        command.args(arguments);
        if !arguments.contains(&"--endpoint-override") {
            command.args(["--endpoint-override", &self.emulator.over()]);
        }
        Ran::of({
            command
                .env("XDG_STATE_HOME", self.live.directory.path())
                .env("AWS_ACCESS_KEY_ID", AWS_KEY)
                .env("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
                .env("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
                .env("AZURE_STORAGE_ACCOUNT_KEY", KEY)
                .envs(environment.iter().copied());
            command
        })
    }

    /// Purges the namespace; its objects are written by the test, long after the run.
    fn purge(&self, arguments: &[&str]) -> Ran {
        self.purge_as(arguments, &[])
    }

    fn purge_as(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let always = ["-n", self.live.namespace, "--repository", &self.repository(), "--margin", "72h"];
        self.run_as("purge", &[&always, arguments].concat(), environment)
    }
}

fn what_is_shown_is_deleted_and_neighbours_stay(cloud: &Cloud) {
    let keys =
        ["argo/clouded/clouded-1/a.tgz", "argo/clouded/clouded-1/b ü+c.tgz", "argo/clouded/clouded-1/dir"];
    let mut train = cloud.workflow("cloud-train", &keys);
    pod(&mut train)["outputs"]["artifacts"][2]["archive"] = json!({ "none": {} });
    cloud.live.server.apply(train);
    let there = [
        "argo/clouded/clouded-1/a.tgz",
        "argo/clouded/clouded-1/b ü+c.tgz",
        "argo/clouded/clouded-1/dir/x",
        "argo/clouded/clouded-1/dir/y/z",
    ];
    let neighbours = [
        "argo/clouded/clouded-1/a.tgz.sig",
        "argo/clouded/clouded-1/directory/x",
        "argo/clouded2/clouded2-1/a.tgz",
    ];
    there.iter().chain(&neighbours).for_each(|key| cloud.put(key));

    let inspected =
        cloud.run("inspect", &["-n", cloud.live.namespace, "--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(inspected["gaps"], json!([]), "{inspected}");
    let artifacts = inspected["workflows"][0]["artifacts"].as_array().unwrap();
    let stored: Vec<_> =
        artifacts.iter().map(|artifact| artifact["stored"]["objects"].as_u64().unwrap()).collect();
    assert_eq!(stored, [1, 1, 2], "{inspected}");

    let plan = cloud.live.file("plan.json");
    cloud.purge(&["cloud-train", "--plan-out", &plan]).ends_with(0);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    assert_eq!(deletes(&document), there);
    assert_eq!(document["buckets"][0]["bucket"], cloud.repository());
    // One is written again, with the same content: no ETag of S3's tells, but its time does.
    std::thread::sleep(Duration::from_millis(1100));
    cloud.put("argo/clouded/clouded-1/dir/x");
    // Another server has none of it, and would call it gone.
    let elsewhere = cloud.emulator.over().replace("127.0.0.1", "127.0.0.2");
    let ran = cloud.run("purge", &["--plan", &plan, "--yes", "--endpoint-override", &elsewhere]).ends_with(5);
    assert!(ran.err.contains("the plan is of other storage"), "{}", ran.err);
    let ran = cloud.run("purge", &["--plan", &plan, "--yes"]).ends_with(4);
    assert!(ran.out.contains("Deleted 3 objects"), "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("argo/clouded/clouded-1/dir/x")
            && ran.err.contains("was overwritten since the plan was made"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains(AWS_SECRET) && !ran.err.contains(KEY), "{}", ran.err);
    // The plan made anew takes it, and no neighbour.
    let ran = cloud.purge(&["cloud-train", "--yes"]).ends_with(0);
    assert!(ran.out.contains("Deleted 1 object"), "{}{}", ran.out, ran.err);
    assert_eq!(cloud.orphans(), ["clouded 2", "clouded2 1"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn s3_goes_by_the_same_plan_on_apiserver_and_fake_gcs_and_moto() {
    let cloud = Cloud::start("cloud-s3", Emulator::s3());
    what_is_shown_is_deleted_and_neighbours_stay(&cloud);
    // Who deletes, and that the pin may not be heeded, is said before.
    cloud.live.server.apply(cloud.workflow("cloud-again", &["argo/again/1/a.tgz"]));
    cloud.put("argo/again/1/a.tgz");
    let ran = cloud.purge(&["cloud-again"]).ends_with(5);
    assert!(ran.err.contains("deleting as AWS access key AKIAEXAMPLE"), "{}", ran.err);
    assert!(ran.err.contains("queried just before its delete"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn azure_goes_by_the_same_plan_on_apiserver_and_fake_gcs_and_azurite() {
    let cloud = Cloud::start("cloud-azure", Emulator::azure());
    what_is_shown_is_deleted_and_neighbours_stay(&cloud);
    cloud.live.server.apply(cloud.workflow("cloud-again", &["argo/again/1/a.tgz"]));
    cloud.put("argo/again/1/a.tgz");
    let ran = cloud.purge(&["cloud-again"]).ends_with(5);
    assert!(ran.err.contains("deleting as the account key of devstoreaccount1"), "{}", ran.err);
    // Not at Azure's own host, whose word it would be that pins are heeded.
    assert!(ran.err.contains("queried just before its delete"), "{}", ran.err);
    assert!(ran.err.contains("the account has no soft delete"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_versioned_s3_bucket_hides_the_live_version_and_undo_shows_it_again_on_apiserver_and_fake_gcs_and_moto() {
    let cloud = Cloud::start("cloud-versions", Emulator::s3());
    cloud.runtime.block_on(cloud.emulator.version(cloud.live.namespace));
    let keys = ["argo/versions/versions-1/a.tgz", "argo/versions/versions-1/b.tgz"];
    cloud.live.server.apply(cloud.workflow("cloud-versions", &keys));
    keys.iter().for_each(|key| cloud.put(key));
    // The version that comes back has the tags that it had.
    let bucket = cloud.live.namespace;
    keys.iter().for_each(|key| cloud.runtime.block_on(cloud.emulator.tag(bucket, key, "team", "ml")));
    let marking = cloud.live.file("marking.jsonl");
    cloud.purge(&["cloud-versions", "--quarantine", "30d", "--journal", &marking, "--yes"]).ends_with(0);
    assert!(cloud.runtime.block_on(cloud.emulator.tags(bucket, keys[0])).contains("argo-gc-quarantine"));
    let ran = cloud.purge(&["cloud-versions", "--yes"]).ends_with(0);
    assert!(
        ran.err.contains("versioning is on, so deleted objects stay as noncurrent versions"),
        "{}",
        ran.err
    );
    assert_eq!(cloud.orphans(), [""; 0]);
    let inspected =
        cloud.run("inspect", &["-n", cloud.live.namespace, "--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(inspected["workflows"][0]["artifacts"][0]["stored"]["copies"]["objects"], 1, "{inspected}");
    // A newer object has taken one of the names.
    cloud.put(keys[1]);
    let journal =
        std::fs::read_dir(cloud.live.directory.path().join("argo-gc")).unwrap().next().unwrap().unwrap();
    let ran = cloud.run("undo", &[journal.path().to_str().unwrap()]).ends_with(4);
    assert!(ran.out.contains("Brought back 1 of 2 objects"), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 was left alone"), "{}", ran.out);
    let tags = cloud.runtime.block_on(cloud.emulator.tags(bucket, keys[0]));
    assert!(tags.contains(">ml<") && !tags.contains("argo-gc-quarantine"), "{tags}");
    // What is back is an artifact of its workflow again.
    assert_eq!(cloud.orphans(), ["versions 1"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_29_a_bucket_of_that_name_at_another_host_is_foreign_on_apiserver_and_fake_gcs_and_moto() {
    let cloud = Cloud::start("cloud-foreign", Emulator::s3());
    let mut train = cloud.workflow("cloud-foreign", &["argo/foreign/1/a.tgz"]);
    train["status"]["artifactRepositoryRef"]["artifactRepository"]["s3"]["endpoint"] =
        json!("evil.example:9000");
    cloud.live.server.apply(train);
    cloud.put("argo/foreign/1/a.tgz");
    let ran = cloud.purge(&["cloud-foreign", "--dry-run", "-o", "json"]).ends_with(0);
    assert_eq!(protections(&ran.json()), ["foreign-location"], "{}", ran.err);
    // Allowed by its own name it is still not asked for.
    let evil = "s3://cloud-foreign@evil.example:9000";
    let ran = cloud.purge(&["cloud-foreign", "--dry-run", "-o", "json", "--repository", evil]).ends_with(0);
    let document = ran.json();
    assert_eq!(deletes(&document), [""; 0]);
    assert!(document.to_string().contains("--endpoint-override evil.example:9000=URL"), "{document}");
    let ran = cloud.run("inspect", &["-n", cloud.live.namespace, "--check"]).ends_with(0);
    assert!(ran.err.contains("is not asked for"), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_purge_with_the_workflows_secret_names_it_and_reads_it_anew_on_apiserver_and_fake_gcs_and_moto() {
    let cloud = Cloud::start("cloud-secrets", Emulator::s3());
    cloud.runtime.block_on(cloud.emulator.version(cloud.live.namespace));
    let keys = ["argo/secrets/secrets-1/a.tgz", "argo/secrets/secrets-1/b.tgz"];
    let mut train = cloud.workflow("cloud-secrets", &keys);
    let place = &mut train["status"]["artifactRepositoryRef"]["artifactRepository"]["s3"];
    place["accessKeySecret"] = json!({ "name": "minio-cred", "key": "accesskey" });
    place["secretKeySecret"] = json!({ "name": "minio-cred", "key": "secretkey" });
    cloud.live.server.apply(train);
    cloud.live.server.apply(minio_secret("cloud-secrets", "minio-cred", "AKFIRST"));
    keys.iter().for_each(|key| cloud.put(key));
    let named = "Secret cloud-secrets/minio-cred";
    let flag = "--use-workflow-secrets";

    let plan = cloud.live.file("secrets.json");
    let ran = cloud.purge(&["cloud-secrets", flag, "--plan-out", &plan]).ends_with(0);
    let opened = format!("{} is opened with {named}", cloud.repository());
    assert!(ran.out.contains(&opened) && ran.err.contains(flag), "{ran:#?}");
    let saved = std::fs::read_to_string(&plan).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/purge-plan.v1.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let document: Value = serde_json::from_str(&saved).unwrap();
    jsonschema::validate(&schema, &document).unwrap();
    assert_eq!(document["identities"].as_array().map(Vec::len), Some(1));
    assert!(saved.contains("\"minio-cred\"") && !saved.contains("hunter2"), "{saved}");

    // Without the flag neither the Secret nor anybody else's account takes its place.
    let ran = cloud.run("purge", &["--plan", &plan, "--yes"]).ends_with(5);
    assert!(ran.err.contains(&format!("the plan was made with {named}")), "{}", ran.err);
    cloud.live.server.apply(minio_secret("cloud-secrets", "minio-cred", "AKSECOND"));
    let ran = cloud.run("purge", &["--plan", &plan, "--yes", flag]).ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects"), "{ran:#?}");
    assert!(ran.err.contains(&format!("deleting as access key AKSECOND ({named})")), "{}", ran.err);

    let journal = ran.err.lines().find_map(|line| line.strip_prefix("Journal: ")).unwrap().to_owned();
    let written = std::fs::read_to_string(&journal).unwrap();
    assert!(written.contains("AKSECOND") && !written.contains("hunter2"), "{written}");
    for (verb, arguments) in [("purge", vec!["--resume", &*journal]), ("undo", vec![&*journal])] {
        let ran = cloud.run(verb, &arguments).ends_with(5);
        assert!(ran.err.contains(&format!("the plan was made with {named}")), "{}", ran.err);
        let ran = cloud.run(verb, &[&arguments[..], &[flag]].concat()).ends_with(0);
        assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{ran:#?}");
    }
    // Its workflow is told by undo in any case; without a cluster for that, one is asked for the Secret.
    cloud.purge(&["cloud-secrets", flag, "--yes"]).ends_with(0);
    let ran = cloud.run("undo", &[&*journal, "--no-record", flag]);
    assert!(!ran.err.contains("without a cluster"), "{ran:#?}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_purge_as_the_workflows_role_names_it_and_takes_it_on_anew_on_apiserver_and_fake_gcs_and_moto() {
    let cloud = Cloud::start("cloud-role", Emulator::s3());
    let keys = ["argo/role/role-1/a.tgz", "argo/role/role-1/b.tgz"];
    let mut train = cloud.workflow("cloud-role", &keys);
    let role = "arn:aws:iam::123456789012:role/gc";
    train["status"]["artifactRepositoryRef"]["artifactRepository"]["s3"]["roleARN"] = json!(role);
    cloud.live.server.apply(train);
    keys.iter().for_each(|key| cloud.put(key));
    // Moto is an STS too.
    let (sts, flag) = (cloud.emulator.url(), "--use-workflow-secrets");
    let sts = [("AWS_ENDPOINT_URL_STS", &*sts), ("AWS_REGION", "us-east-1")];

    let plan = cloud.live.file("role.json");
    let ran = cloud.purge_as(&["cloud-role", flag, "--plan-out", &plan], &sts).ends_with(0);
    assert!(ran.out.contains(&format!("{} is opened with role {role}", cloud.repository())), "{ran:#?}");
    let saved = std::fs::read_to_string(&plan).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/purge-plan.v1.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    jsonschema::validate(&schema, &serde_json::from_str(&saved).unwrap()).unwrap();
    assert!(saved.contains(role) && !saved.contains(AWS_SECRET) && !saved.contains("ASIA"), "{saved}");
    let ran = cloud.run("purge", &["--plan", &plan, "--yes"]).ends_with(5);
    assert!(ran.err.contains(&format!("the plan was made with role {role}")), "{}", ran.err);
    let ran = cloud.run_as("purge", &["--plan", &plan, "--yes", flag], &sts).ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects"), "{ran:#?}");
    assert!(ran.err.contains("deleting as access key ASIA"), "{}", ran.err);
    assert!(ran.err.contains(&format!("(role {role})")), "{}", ran.err);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_purge_with_an_account_key_of_a_secret_is_whole_on_apiserver_and_fake_gcs_and_azurite() {
    let cloud = Cloud::start("azure-secrets", Emulator::azure());
    let keys = ["argo/secrets/secrets-1/a.tgz", "argo/secrets/secrets-1/b.tgz"];
    let mut train = cloud.workflow("azure-secrets", &keys);
    train["status"]["artifactRepositoryRef"]["artifactRepository"]["azure"]["accountKeySecret"] =
        json!({ "name": "account", "key": "key" });
    cloud.live.server.apply(train);
    keys.iter().chain(&["argo/secrets/neighbour"]).for_each(|key| cloud.put(key));
    let secret = |value: &str| {
        cloud.live.server.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": { "key": value },
            "metadata": { "namespace": "azure-secrets", "name": "account" },
        }));
    };
    let (named, flag) = ("Secret azure-secrets/account", "--use-workflow-secrets");
    // The environment has the key of another account, which opens nothing here.
    let other = [("AZURE_STORAGE_ACCOUNT_NAME", "other")];
    let ran = cloud.run_as("inspect", &["-n", "azure-secrets", "--check", "-o", "json"], &other).ends_with(0);
    assert!(ran.out.contains("for the account other"), "{ran:#?}");

    secret("hunter2");
    let ran = cloud.purge_as(&["azure-secrets", "--dry-run", flag, "-o", "json"], &other).ends_with(0);
    let words = format!("{named}: it is neither an account key nor a shared access signature");
    assert!(ran.out.contains(&words) && !ran.out.contains("hunter2"), "{ran:#?}");
    assert_eq!(protections(&ran.json()), ["no-certain-location"; 1]);

    secret(KEY);
    let ran = cloud.purge_as(&["azure-secrets", "--yes", flag], &other).ends_with(0);
    assert!(ran.out.contains("Deleted 2 objects"), "{ran:#?}");
    assert!(ran.err.contains(&format!("deleting as {ACCOUNT} ({named})")), "{}", ran.err);
    assert!(!format!("{}{}", ran.out, ran.err).contains(KEY), "{ran:#?}");
    let left = cloud.runtime.block_on(cloud.emulator.plain_list("azure-secrets", "argo/secrets"));
    let left: Vec<String> = left.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, ["argo/secrets/neighbour"]);
}
