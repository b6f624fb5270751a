//! The eight stores that one suite holds: folders, memory, fake-gcs-server, moto, MinIO, rclone, VersityGW and azurite; each with
//! one bucket, and with a plain client that shares nothing with ours.

use super::clouds::{ACCOUNT, Emulator, KEY, Kind, aws};
use super::gcs::Gcs;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials, Override};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::local::LocalBuckets;
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use futures::TryStreamExt;
use object_store::azure::AzureAccessKey;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

pub const NAME: &str = "suite";

/// A store with one bucket, and how objects come into it.
pub struct Case {
    pub store: Store,
    pub bucket: Bucket,
    pub writer: Writer,
}

pub enum Writer {
    Folder(tempfile::TempDir),
    Memory(Arc<InMemory>),
    Gcs(Box<Gcs>),
    Emulator(Emulator),
}

impl Case {
    pub async fn put(&self, key: &str, bytes: &str) {
        self.try_put(key, bytes).await.unwrap_or_else(|why| panic!("{} {key:?}: {why}", self.bucket));
    }

    /// Writes an object, if the store takes the key.
    pub async fn try_put(&self, key: &str, bytes: &str) -> Result<(), String> {
        match &self.writer {
            Writer::Folder(folder) => {
                let path = folder.path().join(NAME).join(ObjectPath::parse(key).map_err(text)?.as_ref());
                std::fs::create_dir_all(path.parent().unwrap()).map_err(text)?;
                std::fs::write(path, bytes).map_err(text)
            }
            Writer::Memory(store) => {
                let path = ObjectPath::parse(key).map_err(text)?;
                store.put(&path, bytes.to_owned().into()).await.map_err(text).map(|_| ())
            }
            Writer::Gcs(gcs) => {
                gcs.put(NAME, key, bytes);
                Ok(())
            }
            Writer::Emulator(server) => server.try_put(NAME, key, bytes).await,
        }
    }

    /// Keys with a prefix and their sizes, as a client finds them that knows nothing of ours, sorted.
    ///
    /// # Errors
    /// The server refuses to list them.
    pub async fn plain_list(&self, prefix: &str) -> Result<Vec<(String, u64)>, String> {
        let mut listed: Vec<(String, u64)> = match &self.writer {
            Writer::Folder(folder) => {
                let root = folder.path().join(NAME);
                let mut files = Vec::new();
                walk(&root, &root, &mut files);
                files
            }
            Writer::Memory(store) => {
                let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
                objects.into_iter().map(|object| (object.location.to_string(), object.size)).collect()
            }
            Writer::Gcs(gcs) => gcs.sizes(NAME, prefix),
            Writer::Emulator(server) => server.plain_list(NAME, prefix).await?,
        };
        listed.retain(|(key, _)| key.starts_with(prefix));
        listed.sort_unstable();
        Ok(listed)
    }

    /// The size of an object, as such a client finds it.
    ///
    /// # Errors
    /// The server refuses to tell.
    pub async fn plain_head(&self, key: &str) -> Result<Option<u64>, String> {
        match &self.writer {
            Writer::Emulator(server) => server.plain_head(NAME, key).await,
            _ => {
                let listed = self.plain_list(key).await?.into_iter();
                Ok(listed.filter(|(found, _)| found == key).map(|(_, size)| size).next())
            }
        }
    }

    /// True if the server breaks at such a key, rather than refuse it.
    pub fn lacks(&self, key: &str) -> bool {
        let Writer::Emulator(server) = &self.writer else { return false };
        match server.kind {
            // After one such key it can't list its container any more.
            Kind::Azurite => key.contains(|c: char| c < ' '),
            // It finds one spelling of an accent by the other.
            Kind::Rclone => key.contains('\u{301}'),
            _ => false,
        }
    }

    /// True if the server knows no labels of objects.
    pub fn has_no_labels(&self) -> bool {
        matches!(self.writer, Writer::Folder(_) | Writer::Memory(_))
    }

    /// True if a listing leaves the object out although it is there: MinIO lists nothing that is
    /// below another object.
    pub fn hides(&self, key: &str, others: &[&str]) -> bool {
        let is_above = |other: &&str| key.strip_prefix(*other).is_some_and(|rest| rest.starts_with('/'));
        matches!(&self.writer, Writer::Emulator(server) if server.kind == Kind::Minio)
            && others.iter().any(is_above)
    }

    pub fn missing(&self) -> Bucket {
        self.bucket.to_string().replace(NAME, "missing").parse().unwrap()
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, u64)>) {
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => walk(root, &entry.path(), files),
            false => {
                let key = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push((key, entry.metadata().unwrap().len()));
            }
        }
    }
}

pub fn cloud(gcs: Option<String>, over: Vec<Override>) -> Store {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let azure = AzureChain::key(ACCOUNT, AzureAccessKey::try_new(KEY).unwrap());
    let credentials = CloudCredentials { google: Credentials::none(), aws: AwsChain::key(aws()), azure };
    Store::Cloud(Cloud::new(gcs, credentials, over, Throttle::new(16, None)).unwrap())
}

/// A bucket of a server, which keeps versions if it can and shall.
pub async fn emulated(kind: Kind, is_versioned: bool) -> Case {
    let server = Emulator::start(kind);
    server.make(NAME).await;
    if is_versioned && kind.has_versions() {
        server.version(NAME).await;
    }
    let store = cloud(None, vec![server.over().parse().unwrap()]);
    Case { store, bucket: server.named(NAME), writer: Writer::Emulator(server) }
}

/// The stores that need no server.
pub async fn local() -> Vec<Case> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(NAME)).unwrap();
    let memory = Arc::new(InMemory::new());
    let bucket: Bucket = format!("gs://{NAME}").parse().unwrap();
    vec![
        Case {
            store: Store::Local(LocalBuckets::directory(folder.path()).unwrap()),
            bucket: bucket.clone(),
            writer: Writer::Folder(folder),
        },
        Case {
            store: Store::Local(LocalBuckets::memory(HashMap::from([(
                NAME.to_owned(),
                Arc::clone(&memory),
            )]))),
            bucket,
            writer: Writer::Memory(memory),
        },
    ]
}

pub async fn fake_gcs() -> Vec<Case> {
    let gcs = Gcs::start();
    gcs.bucket(NAME);
    let store = cloud(Some(gcs.url()), Vec::new());
    vec![Case { store, bucket: format!("gs://{NAME}").parse().unwrap(), writer: Writer::Gcs(gcs.into()) }]
}

pub async fn moto() -> Vec<Case> {
    vec![emulated(Kind::Moto, false).await]
}

pub async fn minio() -> Vec<Case> {
    vec![emulated(Kind::Minio, true).await]
}

pub async fn rclone() -> Vec<Case> {
    vec![emulated(Kind::Rclone, false).await]
}

pub async fn versitygw() -> Vec<Case> {
    vec![emulated(Kind::VersityGw, true).await]
}

pub async fn azurite() -> Vec<Case> {
    vec![emulated(Kind::Azurite, false).await]
}

/// The tests of a check on every store: each is named by what it needs.
#[macro_export]
macro_rules! on_every_store {
    ($check:ident: fn $here:ident() by local; $(fn $test:ident() by $cases:ident;)*) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $here() {
            $check($crate::support::stores::local().await).await;
        }
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "tests/run brings what it needs"]
            async fn $test() {
                $check($crate::support::stores::$cases().await).await;
            }
        )*
    };
}
