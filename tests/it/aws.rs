//! AWS's credentials from logins and profiles: whose are used, and what is said when there are none.

use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, plugin, workflow};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const SESSION: &str = "arn:aws:iam::012345678901:user/ann";

/// A home with AWS's files in it, and a storage that notes who asks.
struct Aws {
    storage: Stub,
}

impl Aws {
    fn start(config: &str) -> Self {
        let storage = Stub::start([("/b/train/s.tgz".to_owned(), vec![Reply::json(403, &json!({}))])]);
        std::fs::create_dir_all(storage.path(".aws/login/cache")).unwrap();
        std::fs::create_dir_all(storage.path(".aws/sso/cache")).unwrap();
        std::fs::write(storage.path(".aws/config"), config).unwrap();
        Self { storage }
    }

    /// What `aws login` of the AWS CLI's version 2 leaves behind.
    fn login(&self, expires: &str) {
        let name = Sha256::digest(SESSION).iter().fold(String::new(), |mut name, byte| {
            write!(name, "{byte:02x}").unwrap();
            name
        });
        let token = json!({
            "accessToken": {
                "accessKeyId": "ASIALOGIN", "secretAccessKey": "key-not-to-be-shown",
                "sessionToken": "session-not-to-be-shown", "accountId": "012345678901", "expiresAt": expires,
            },
            "tokenType": "aws_sigv4", "refreshToken": "refresh-not-to-be-shown",
            "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": "dpop-not-to-be-shown",
        });
        std::fs::write(self.storage.path(&format!(".aws/login/cache/{name}.json")), token.to_string())
            .unwrap();
    }

    /// `inspect --check` of an artifact there.
    fn inspect(&self, environment: &[(&str, &str)]) -> Ran {
        self.inspect_with(environment, &[])
    }

    fn inspect_with(&self, environment: &[(&str, &str)], flags: &[&str]) -> Ran {
        let mut train = workflow("train");
        train["status"]["nodes"]["train"]["outputs"]["artifacts"] =
            json!([{ "name": "s", "s3": { "endpoint": "minio", "bucket": "b", "key": "train/s.tgz" } }]);
        let file = self.storage.path("workflow.json");
        std::fs::write(&file, train.to_string()).unwrap();
        let mut command = plugin(["inspect", "--check", "-v", "9", "-o", "json", "-f"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
            .arg(file)
            .args(flags)
            .args(["--endpoint-override", &format!("minio=http://{}", self.storage.address)])
            .env("HOME", self.storage.path(""))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied());
        let ran = Ran::of(command);
        let line = ran.err.lines().chain(ran.out.lines()).find(|line| line.contains("not-to-be-shown"));
        assert!(line.is_none(), "{line:?}");
        ran
    }

    /// The access key with which the storage was asked, if it was.
    fn key(&self) -> Option<String> {
        let seen = self.storage.requests_to("/b/train/s.tgz");
        let header = seen.last()?.header("authorization").first()?.to_string();
        Some(header.split_once("Credential=")?.1.split('/').next()?.to_owned())
    }

    /// The one gap of a run.
    fn gap(ran: &Ran) -> String {
        let document: Value = ran.json();
        document["gaps"].to_string()
    }
}

#[test]
fn a_login_of_the_aws_cli_is_used() {
    let aws = Aws::start(&format!("[profile work]\nregion = us-east-1\nlogin_session = {SESSION}\n"));
    aws.login("2046-11-02T00:00:00Z");
    aws.inspect(&[("AWS_PROFILE", "work")]);
    assert_eq!(aws.key().as_deref(), Some("ASIALOGIN"));
    let seen = &aws.storage.requests_to("/b/train/s.tgz")[0];
    assert_eq!(seen.header("x-amz-security-token"), ["session-not-to-be-shown"]);
}

#[test]
fn what_is_wrong_with_a_profile_is_said_with_what_to_do() {
    let login = format!("[profile work]\nlogin_session = {SESSION}\n");
    let sso = "[profile work]\nsso_session = work\nsso_account_id = 1\nsso_role_name = r\n\
               [sso-session work]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n\
               sso_registration_scopes = sso:account:access\n";
    let program = "[profile work]\ncredential_process = sh -c 'echo stderr-not-to-be-shown >&2; exit 7'\n";
    let mute = "[profile work]\ncredential_process = echo stdout-not-to-be-shown\n";
    let work = [("AWS_PROFILE", "work")];
    let web =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 8] = [
        ("", &[], "`aws login` or `aws sso login` logs in"),
        (&login, &work, "the login of the profile work has ended; `aws login --profile work`"),
        (sso, &work, "the SSO session of the profile work has ended; `aws sso login --profile work`"),
        (program, &work, "names as its credential_process ended with code 7"),
        (mute, &work, "names as its credential_process wrote no credentials"),
        (
            "",
            &web,
            "/nonexistent/token, which AWS_WEB_IDENTITY_TOKEN_FILE names, can't be read: No such file",
        ),
        ("[profile other]\nregion = x\n", &work, "the profile work is neither in"),
        (
            "[profile work]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n",
            &work,
            "the profile base is neither in",
        ),
    ];
    for (config, environment, words) in cases {
        let aws = Aws::start(config);
        let gap = Aws::gap(&aws.inspect(environment));
        assert!(gap.contains(words), "{words}: {gap}");
        assert!(gap.len() < 600, "{gap}");
        assert_eq!(aws.key(), None, "nobody else's credentials are used: {words}");
    }
    // It has ended, and what renews it can't be read.
    let aws = Aws::start(&login);
    aws.login("2016-11-02T00:00:00Z");
    let gap = Aws::gap(&aws.inspect(&work));
    assert!(gap.contains("`aws login --profile work` begins a new one"), "{gap}");
    let aws = Aws::start(sso);
    let name = ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json";
    let token = json!({ "accessToken": "sso-not-to-be-shown", "expiresAt": "2016-11-02T00:00:00Z", "region": "us-east-1",
                        "startUrl": "https://example.awsapps.com/start" });
    std::fs::write(aws.storage.path(name), token.to_string()).unwrap();
    let gap = Aws::gap(&aws.inspect(&work));
    assert!(gap.contains("`aws sso login --profile work` begins a new one"), "{gap}");
}

/// The chain would go on to the machine's role.
#[test]
fn a_profile_that_is_not_there_is_not_replaced_by_the_machine() {
    let aws = Aws::start("[profile other]\nregion = x\n");
    let machine = Stub::start([(
        "/credentials".to_owned(),
        vec![Reply::json(
            200,
            &json!({ "AccessKeyId": "ASIAMACHINE", "SecretAccessKey": "key-not-to-be-shown",
                     "Token": "session-not-to-be-shown", "Expiration": "2046-11-02T00:00:00Z" }),
        )],
    )]);
    let url = format!("http://{}/credentials", machine.address);
    let role = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str());
    aws.inspect(&[role]);
    assert_eq!(aws.key().as_deref(), Some("ASIAMACHINE"));
    let aws = Aws::start("[profile other]\nregion = x\n");
    let ran = aws.inspect(&[role, ("AWS_PROFILE", "wrok")]);
    assert_eq!(aws.key(), None, "{ran:#?}");
    assert!(Aws::gap(&ran).contains("the profile wrok"), "{ran:#?}");
}

#[test]
fn a_bucket_is_asked_as_the_account_that_is_named_for_it_and_no_other_is() {
    let config =
        "[profile team]\naws_access_key_id = AKIATEAM\naws_secret_access_key = key-not-to-be-shown\n";
    let of_environment =
        [("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "other-not-to-be-shown")];
    for (bucket, key) in [
        ("s3://b@minio", "AKIATEAM"),
        ("s3://c@minio", "AKIAENVIRONMENT"),
        // The same name at another host is another bucket.
        ("s3://b", "AKIAENVIRONMENT"),
        ("s3://b@evil:9000", "AKIAENVIRONMENT"),
    ] {
        let aws = Aws::start(config);
        aws.inspect_with(&of_environment, &["--identity", &format!("{bucket}=profile:team")]);
        assert_eq!(aws.key().as_deref(), Some(key), "{bucket}");
    }
    // Another account than the one that is named does not step in.
    let aws = Aws::start(config);
    let ran = aws.inspect_with(&of_environment, &["--identity", "s3://b@minio=profile:taem"]);
    assert!(Aws::gap(&ran).contains("the profile taem is neither in"), "{ran:#?}");
    assert_eq!(aws.key(), None);
    for (value, code, words) in [
        ("s3://b=/nonexistent/file", 2, "/nonexistent/file: No such file"),
        ("gs://b=/nonexistent/key.json", 2, "/nonexistent/key.json: No such file"),
        ("https://ml.blob.core.windows.net/c=/nonexistent/key", 2, "/nonexistent/key: No such file"),
    ] {
        let ran = aws.inspect_with(&[], &["--identity", value]).ends_with(code);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    let twice = ["--identity", "s3://b=profile:x", "--identity", "s3://b=profile:y"];
    let ran = aws.inspect_with(&[], &twice).ends_with(2);
    assert!(ran.err.contains("it is the bucket's second; a bucket has one"), "{}", ran.err);
}
