//! Where the files of an inventory lie: on disk, or in a bucket.

use crate::inventory::manifest::DataFile;
use crate::inventory::types::{Address, InventoryError};
use crate::store::Store;
use crate::types::StoreError;
use argo_gc_core::model::bucket::Bucket;
use futures::TryStreamExt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// The longest manifest that is read. One of a billion objects has some thousand files.
const MANIFEST: usize = 64 << 20;

/// Pieces of an object that wait to be read.
const WAITING: usize = 16;

/// Where an inventory is.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    address: Address,
    store: Store,
}

impl Source {
    pub fn new(address: &Address, store: &Store) -> Self {
        Self { address: address.clone(), store: store.clone() }
    }

    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// The text of the manifest.
    pub async fn manifest(&self) -> Result<Vec<u8>, InventoryError> {
        match &self.address {
            Address::File(path) => self.small_file(path),
            Address::Object(bucket, key) => self.small_object(bucket, key).await,
        }
    }

    /// The checksum beside the manifest, in lower-case hexadecimal digits. The storage writes it last.
    pub async fn checksum(&self) -> Result<String, InventoryError> {
        let beside = |name: &str| match name.strip_suffix(".json") {
            Some(stem) => Ok(format!("{stem}.checksum")),
            None => Err(self.unusable("the name of its manifest does not end in .json".to_owned())),
        };
        let text = match &self.address {
            Address::File(path) => {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                self.small_file(&path.with_file_name(beside(name)?))?
            }
            Address::Object(bucket, key) => self.small_object(bucket, &beside(key)?).await?,
        };
        Ok(String::from_utf8_lossy(&text).trim().to_ascii_lowercase())
    }

    fn unusable(&self, why: String) -> InventoryError {
        InventoryError::Unusable { name: self.name(), why }
    }

    fn small_file(&self, path: &Path) -> Result<Vec<u8>, InventoryError> {
        let failed = |error: io::Error| self.unusable(format!("{}: {error}", path.display()));
        let mut text = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MANIFEST as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() > MANIFEST {
            Err(self.unusable("its manifest is too long".to_owned()))
        } else {
            Ok(text)
        }
    }

    async fn small_object(&self, bucket: &Bucket, key: &str) -> Result<Vec<u8>, InventoryError> {
        let mut pieces = self.store.read(bucket, key);
        let mut text = Vec::new();
        while let Some(piece) = pieces.try_next().await? {
            if text.len() + piece.len() > MANIFEST {
                return Err(self.unusable("its manifest is too long".to_owned()));
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }

    /// The name of a data file for people, and what it is read by on a thread of its own.
    ///
    /// On disk it may lie as the storage wrote it, below a folder that the manifest is in too, or beside the manifest.
    pub fn open(&self, file: &DataFile) -> Result<(String, Box<dyn Read + Send>), InventoryError> {
        match &self.address {
            Address::File(path) => {
                let found = on_disk(path, &file.name)
                    .ok_or_else(|| self.unusable(format!("its file {} is missing", file.name)))?;
                let opened = File::open(&found)
                    .map_err(|error| self.unusable(format!("{}: {error}", found.display())))?;
                Ok((found.display().to_string(), Box::new(opened)))
            }
            Address::Object(bucket, key) => {
                let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
                // A name without a folder is that of a file beside the manifest.
                let data = match (file.name.contains('/'), folder) {
                    (true, _) | (_, "") => file.name.clone(),
                    _ => format!("{folder}/{}", file.name),
                };
                Ok((bucket.uri(&data), Box::new(self.object(bucket, data))))
            }
        }
    }

    fn object(&self, bucket: &Bucket, key: String) -> Pieces {
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut pieces = self.store.read(bucket, &key);
        tokio::spawn(async move {
            loop {
                let piece = pieces.try_next().await.transpose();
                let Some(piece) = piece else { return };
                let is_last = piece.is_err();
                // Nobody reads on after another error.
                if sender.send(piece).await.is_err() || is_last {
                    return;
                }
            }
        });
        Pieces { receiver, piece: Vec::new(), at: 0 }
    }
}

/// Returns the path of a data file whose key is `name`.
fn on_disk(manifest: &Path, name: &str) -> Option<PathBuf> {
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let as_written = real.ancestors().map(|above| above.join(name)).find(|path| path.is_file());
    let last = name.rsplit('/').next().unwrap_or(name);
    as_written.or_else(|| Some(folder.join(last)).filter(|path| path.is_file()))
}

/// Reads an object that another task receives.
struct Pieces {
    receiver: mpsc::Receiver<Result<Vec<u8>, StoreError>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.receiver.blocking_recv() {
                Some(Ok(piece)) => (self.piece, self.at) = (piece, 0),
                Some(Err(error)) => return Err(io::Error::other(error.to_string())),
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len() - self.at);
        buffer[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
