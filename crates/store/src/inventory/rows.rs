//! Reads the rows of one file, on a thread of its own.

use crate::inventory::manifest::{Columns, Condition, Header, Manifest, Of, hexadecimal};
use crate::inventory::source::Source;
use crate::inventory::types::{InventoryError, Listed, Wanted};
use crate::parse::header_time;
use argo_gc_core::model::object::ObjectFacts;
use csv::{ByteRecord, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use md5::{Digest, Md5};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Rows that are handed on together.
const TOGETHER: usize = 1000;

/// Parts of that size that wait to be taken, for each file.
const WAITING: usize = 4;

/// A row may have no more bytes. Without a bound a quote that is never closed would fill the memory.
const ROW: u64 = 1 << 20;

/// Bytes that are unpacked at a time.
const BUFFER: usize = 64 << 10;

/// One file to be read.
pub(crate) struct Job {
    pub manifest: Arc<Manifest>,
    /// The number of the file.
    pub file: usize,
    pub source: Source,
    pub wanted: Arc<[Wanted]>,
    /// Counts the rows of all files.
    pub count: Arc<AtomicU64>,
}

type Part = Result<Vec<Listed>, InventoryError>;

/// The objects of a file that were asked for. The stream ends with the first error.
pub(crate) fn read(job: Job) -> BoxStream<'static, Part> {
    stream::once(async move {
        let (sender, receiver) = mpsc::channel(WAITING);
        // What receives the file's bytes is a task of this runtime, so the file is opened here.
        match job.source.open(&job.manifest.files[job.file]) {
            Ok((name, file)) => {
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = job.run(&name, file, &sender) {
                        let _ = sender.blocking_send(Err(error));
                    }
                });
            }
            Err(error) => drop(sender.send(Err(error)).await),
        }
        stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
    })
    .flatten()
    .boxed()
}

/// Counts and hashes what is read, and says whether it is all that was told.
struct Checked {
    inner: Box<dyn Read + Send>,
    length: u64,
    hasher: Option<Md5>,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.length += length as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..length]);
        }
        Ok(length)
    }
}

/// A file, packed or not.
enum Unpacked {
    Plain(Checked),
    Gzip(Box<MultiGzDecoder<Checked>>),
}

impl Unpacked {
    fn checked(&mut self) -> &mut Checked {
        match self {
            Self::Plain(checked) => checked,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }
}

/// Ends with an error where a row is too long.
struct Bounded {
    inner: Unpacked,
    /// Bytes that may still be read before the row ends.
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.inner {
            Unpacked::Plain(checked) => checked.read(buffer)?,
            Unpacked::Gzip(decoder) => decoder.read(buffer)?,
        };
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other("the row is too long")),
        }
        Ok(length)
    }
}

impl Job {
    fn run(
        &self,
        name: &str,
        file: Box<dyn Read + Send>,
        sender: &mpsc::Sender<Part>,
    ) -> Result<(), InventoryError> {
        let told = &self.manifest.files[self.file];
        let hasher = told.md5.as_ref().map(|_| Md5::new());
        let checked = Checked { inner: file, length: 0, hasher };
        let inner = match told.name.ends_with(".gz") {
            true => Unpacked::Gzip(Box::new(MultiGzDecoder::new(checked))),
            false => Unpacked::Plain(checked),
        };
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.manifest.delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(Bounded { inner, left: ROW + BUFFER as u64 });
        if !self.each_row(name, &mut reader, sender)? {
            return Ok(());
        }
        let unusable = |why: &str| InventoryError::Unusable { name: name.to_owned(), why: why.to_owned() };
        let checked = reader.get_mut().inner.checked();
        // What comes after the end of what was packed counts too.
        io::copy(checked, &mut io::sink()).map_err(|error| unusable(&error.to_string()))?;
        if told.size.is_some_and(|size| size != checked.length) {
            return Err(unusable("it does not have the size that its manifest says"));
        }
        let sum = checked.hasher.take().map(hexadecimal);
        if sum != told.md5 {
            return Err(unusable("it does not have the checksum that its manifest says"));
        }
        Ok(())
    }

    /// Hands on the rows. False if nobody takes them.
    fn each_row(
        &self,
        name: &str,
        reader: &mut Reader<Bounded>,
        sender: &mpsc::Sender<Part>,
    ) -> Result<bool, InventoryError> {
        let mut places = Places::new(&self.manifest, &self.wanted);
        let row = |line: u64, why: String| InventoryError::Row { file: name.to_owned(), line, why };
        let (mut record, mut part, mut count) = (ByteRecord::new(), Vec::new(), 0_u64);
        let mut columns = self.manifest.columns.clone();
        let mut awaits_header = self.manifest.header == Header::Always;
        loop {
            let line = reader.position().line();
            let more = reader.read_byte_record(&mut record).map_err(|error| row(line, error.to_string()))?;
            reader.get_mut().left = ROW + BUFFER as u64;
            if !more {
                break;
            }
            let line = record.position().map_or(line, csv::Position::line);
            if std::mem::take(&mut awaits_header) {
                columns = in_order(&record, &columns).map_err(|why| row(line, why))?;
                continue;
            }
            count += 1;
            if let Some(listed) = places.listed(&record, &columns).map_err(|why| row(line, why))? {
                part.push(listed);
            }
            if part.len() == TOGETHER && sender.blocking_send(Ok(std::mem::take(&mut part))).is_err() {
                return Ok(false);
            }
        }
        if awaits_header {
            return Err(row(1, "there is no header".to_owned()));
        }
        self.count.fetch_add(count, Ordering::Relaxed);
        Ok(sender.blocking_send(Ok(part)).is_ok())
    }
}

/// Finds the columns by the header of a file.
fn in_order(header: &ByteRecord, told: &Columns) -> Result<Columns, String> {
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let find = |column: usize| {
        let name = &told.names[column];
        let mut found = names.iter().enumerate().filter(|(_, other)| other.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok(at),
            _ => Err(format!("its header does not have the column {name} once")),
        }
    };
    let live = told.live.iter().map(|condition| {
        Ok(match *condition {
            Condition::True(column) => Condition::True(find(column)?),
            Condition::False(column) => Condition::False(find(column)?),
            Condition::Empty(column) => Condition::Empty(find(column)?),
            Condition::Current { version, current } => {
                Condition::Current { version: find(version)?, current: find(current)? }
            }
        })
    });
    Ok(Columns {
        key: find(told.key)?,
        size: find(told.size)?,
        written: find(told.written)?,
        class: told.class.map(find).transpose()?,
        bucket: told.bucket.map(find).transpose()?,
        live: live.collect::<Result<_, String>>()?,
        names,
    })
}

/// The places that are asked for, and the storage classes that were met.
struct Places<'a> {
    manifest: &'a Manifest,
    /// The beginning of names as the inventory has them, and how much of it is not of the key.
    beginnings: Vec<(String, usize)>,
    classes: Vec<Arc<str>>,
}

impl<'a> Places<'a> {
    fn new(manifest: &'a Manifest, wanted: &[Wanted]) -> Self {
        let beginning = |Wanted { bucket, prefix }: &Wanted| match manifest.of {
            // Names begin with the container.
            Of::Azure { .. } => (format!("{}/{prefix}", bucket.name()), bucket.name().len() + 1),
            Of::S3(_) | Of::Gcs(_) => (prefix.clone(), 0),
        };
        Self { manifest, beginnings: wanted.iter().map(beginning).collect(), classes: Vec::new() }
    }

    /// The object of a row; none if it was not asked for, or is not live.
    fn listed(&mut self, row: &ByteRecord, columns: &Columns) -> Result<Option<Listed>, String> {
        if row.len() != columns.names.len() {
            return Err(format!("it has {} columns, and there should be {}", row.len(), columns.names.len()));
        }
        if let (Some(bucket), Of::S3(of) | Of::Gcs(of)) = (columns.bucket, &self.manifest.of)
            && &row[bucket] != of.as_bytes()
        {
            let other = String::from_utf8_lossy(&row[bucket]);
            return Err(format!("it is of bucket {other:?}, and the inventory of {of}"));
        }
        for condition in &columns.live {
            if !holds(*condition, row, columns)? {
                return Ok(None);
            }
        }
        let name = match self.manifest.encodes_keys {
            true => form_decoded(&row[columns.key])?,
            false => row[columns.key].to_vec(),
        };
        let name = String::from_utf8(name).map_err(|_| "its key is no UTF-8".to_owned())?;
        if name.is_empty() {
            return Err("it has no key".to_owned());
        }
        let Some(place) = self.beginnings.iter().position(|(beginning, _)| name.starts_with(beginning))
        else {
            return Ok(None);
        };
        let value = |column: usize| String::from_utf8_lossy(&row[column]);
        let size =
            value(columns.size).parse().map_err(|_| format!("{:?} is no size", value(columns.size)))?;
        let written = time(&value(columns.written))
            .ok_or_else(|| format!("{:?} is no time", value(columns.written)))?;
        let class = columns.class.map_or_else(|| Arc::from(""), |column| self.class(&value(column)));
        let skipped = self.beginnings[place].1;
        let key = if skipped == 0 { name } else { name[skipped..].to_owned() };
        let facts = ObjectFacts {
            key,
            generation: String::new(),
            size,
            created: Some(written),
            storage_class: class,
            crc32c: String::new(),
            held: None,
        };
        Ok(Some(Listed { place, facts }))
    }

    /// A storage class. There are few, and each is allocated once.
    fn class(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.classes.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let class: Arc<str> = name.into();
        if self.classes.len() < 32 {
            self.classes.push(Arc::clone(&class));
        }
        class
    }
}

fn holds(condition: Condition, row: &ByteRecord, columns: &Columns) -> Result<bool, String> {
    let truth = |column: usize| match &row[column] {
        value if value.eq_ignore_ascii_case(b"true") => Ok(Some(true)),
        value if value.eq_ignore_ascii_case(b"false") => Ok(Some(false)),
        b"" => Ok(None),
        other => {
            let name = &columns.names[column];
            Err(format!("{name} is {:?}, neither true nor false", String::from_utf8_lossy(other)))
        }
    };
    Ok(match condition {
        Condition::True(column) => {
            truth(column)?.ok_or_else(|| format!("{} has no value", columns.names[column]))?
        }
        Condition::False(column) => truth(column)? != Some(true),
        Condition::Empty(column) => row[column].is_empty(),
        Condition::Current { version, current } => {
            let is_current = truth(current)?;
            row[version].is_empty() || is_current == Some(true)
        }
    })
}

/// A time as one of the storages writes it.
fn time(text: &str) -> Option<Timestamp> {
    let plain = text.strip_suffix(" UTC");
    let utc = plain.map(|plain| format!("{plain}Z"));
    let text = utc.as_deref().unwrap_or(text);
    text.parse().ok().or_else(|| header_time(text).ok())
}

/// Decodes a key as HTML forms encode it.
fn form_decoded(text: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = || format!("{:?} is no URL-encoded key", String::from_utf8_lossy(text));
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).ok_or_else(wrong);
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                decoded.push((high * 16 + low) as u8);
            }
            other => decoded.push(*other),
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_are_decoded_as_forms_encode_them() {
        let decoded = |text: &str| form_decoded(text.as_bytes()).map(|key| String::from_utf8(key).unwrap());
        assert_eq!(decoded("a/b+c%2Bd%0Ae%C3%BC").unwrap(), "a/b c+d\ne\u{fc}");
        for wrong in ["%", "%2", "%zz", "%+1"] {
            assert!(decoded(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_of_all_three_are_read() {
        for text in [
            "2026-11-01T02:30:00.000Z",
            "2026-11-01T02:30:00.0000000Z",
            "2026-11-01 02:30:00 UTC",
            "Sun, 01 Nov 2026 02:30:00 GMT",
        ] {
            assert_eq!(time(text), "2026-11-01T02:30:00Z".parse().ok(), "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn a_row_is_live_only_if_nothing_says_otherwise() {
        let names = ["Snapshot", "VersionId", "IsCurrentVersion", "Deleted"].map(str::to_owned).to_vec();
        let live =
            vec![Condition::Empty(0), Condition::Current { version: 1, current: 2 }, Condition::False(3)];
        let columns = Columns { names, key: 0, size: 0, written: 0, class: None, bucket: None, live };
        let is_live = |values: [&str; 4]| {
            let row = ByteRecord::from(values.to_vec());
            let all = columns.live.iter().map(|condition| holds(*condition, &row, &columns));
            all.collect::<Result<Vec<bool>, String>>().map(|all| all.into_iter().all(|holds| holds))
        };
        assert_eq!(is_live(["", "", "", ""]), Ok(true));
        assert_eq!(is_live(["", "v", "true", "false"]), Ok(true));
        for copy in [["s", "", "", ""], ["", "v", "", ""], ["", "v", "false", ""], ["", "v", "true", "TRUE"]]
        {
            assert_eq!(is_live(copy), Ok(false), "{copy:?}");
        }
        assert!(is_live(["", "v", "yes", ""]).is_err());
    }
}
