//! What the proxy knows beyond what fake-gcs-server does.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Gcs;

/// A request, as it was logged.
#[derive(Clone, Debug)]
pub struct Entry {
    pub method: String,
    /// For a copy and a restore, where it goes.
    pub bucket: Option<String>,
    pub key: Option<String>,
    /// Path and query, as sent.
    pub target: String,
    /// The `generation` asked for.
    pub generation: Option<i64>,
    /// The generation in `ifGenerationMatch`.
    pub pin: Option<i64>,
    /// `None` while under way, and when the connection was cut instead.
    pub status: Option<u16>,
    /// An object was deleted, whatever the answer said.
    pub executed: bool,
    /// The header by which it is authorized.
    pub authorization: Option<String>,
    /// Since the store's start.
    pub at: Duration,
}

/// A bucket's name, an object's name, its generation.
pub type Version = (String, String, i64);
pub type Name = (String, String);
pub type Hook = Box<dyn FnOnce(&Gcs) + Send>;

#[derive(Default)]
pub struct Rules {
    pub hold: bool,
    pub retained_until: Option<Timestamp>,
    pub fields: Map<String, Value>,
}

/// A version that is no longer live.
#[derive(Clone)]
pub struct Kept {
    /// Else it is noncurrent.
    pub soft_deleted: bool,
    pub object: Value,
    pub bytes: Bytes,
}

pub struct State {
    pub attributes: HashMap<String, Map<String, Value>>,
    pub permissions: HashMap<String, HashSet<String>>,
    pub forbidden: HashSet<Name>,
    /// How often an object's labels are still read, and the status after that; all objects of a bucket if there is no key.
    pub labels: HashMap<Name, (usize, u16)>,
    pub rules: HashMap<Version, Rules>,
    pub kept: BTreeMap<Version, Kept>,
    pub hooks: HashMap<Name, VecDeque<Hook>>,
    pub faults: Faults,
    pub missing_status: u16,
    pub log: Vec<Entry>,
    pub at_once: usize,
    pub most_at_once: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            attributes: HashMap::new(),
            permissions: HashMap::new(),
            forbidden: HashSet::new(),
            labels: HashMap::new(),
            rules: HashMap::new(),
            kept: BTreeMap::new(),
            hooks: HashMap::new(),
            faults: Faults::default(),
            missing_status: 404,
            log: Vec::new(),
            at_once: 0,
            most_at_once: 0,
        }
    }
}

impl State {
    /// How long deleted objects are kept; `None` without a soft delete policy.
    pub fn soft_delete(&self, bucket: &str) -> Option<Duration> {
        self.seconds(bucket, "softDeletePolicy", "retentionDurationSeconds")
    }

    pub fn retention(&self, bucket: &str) -> Option<Duration> {
        self.seconds(bucket, "retentionPolicy", "retentionPeriod")
    }

    pub fn is_versioned(&self, bucket: &str) -> bool {
        self.attributes.get(bucket).is_some_and(|attributes| {
            attributes.get("versioning").is_some_and(|versioning| versioning["enabled"] == true)
        })
    }

    fn seconds(&self, bucket: &str, policy: &str, field: &str) -> Option<Duration> {
        let seconds = number(self.attributes.get(bucket)?.get(policy)?, field);
        u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// The status for a question for an object's labels that is not answered.
    pub fn hides_labels(&mut self, bucket: &str, key: &str) -> Option<u16> {
        let name = |key: &str| (bucket.to_owned(), key.to_owned());
        let named = if self.labels.contains_key(&name(key)) { name(key) } else { name("") };
        let (left, status) = self.labels.get_mut(&named)?;
        let is_hidden = *left == 0;
        *left = left.saturating_sub(1);
        is_hidden.then_some(*status)
    }

    /// Until when the object's retention lasts, if it isn't over.
    pub fn retained_until(&self, object: &Value) -> Option<Timestamp> {
        let version = version(object);
        let by_rule = self.rules.get(&version).and_then(|rules| rules.retained_until);
        let created = object["timeCreated"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        let by_bucket = created.zip(self.retention(&version.0)).map(|(time, period)| time + period);
        by_rule.max(by_bucket).filter(|until| *until > Timestamp::now())
    }

    /// An object of fake-gcs-server's as the API gives it, with what the tests overruled.
    pub fn dress(&self, mut object: Value) -> Value {
        let version = version(&object);
        if let Some(fields) = object.as_object_mut() {
            fields.remove("acl"); // `projection=noAcl` is the default
        }
        object["id"] = Value::String(format!("{}/{}/{}", version.0, version.1, version.2));
        if let Some(rules) = self.rules.get(&version) {
            super::merge(&mut object, &rules.fields);
            if rules.hold {
                object["temporaryHold"] = Value::Bool(true);
            }
        }
        if let Some(until) = self.retained_until(&object) {
            object["retentionExpirationTime"] = Value::String(format!("{until:.3}"));
        }
        object
    }
}

/// The three things that name an object's version.
pub fn version(object: &Value) -> Version {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    (text("bucket"), text("name"), number(object, "generation"))
}

/// The API's numbers of 64 bits are strings; 0 without one.
pub fn number(object: &Value, field: &str) -> i64 {
    match &object[field] {
        Value::String(text) => text.parse().unwrap_or_default(),
        value => value.as_i64().unwrap_or_default(),
    }
}

/// Each with its n: every nth DELETE.
#[derive(Default)]
pub struct Faults {
    count: u64,
    pub before: Option<(u64, u16)>,
    /// Without a status the connection is cut.
    pub after: Option<(u64, Option<u16>)>,
    pub stall: Option<(u64, Duration)>,
    /// Answered as if it were done.
    pub lie: Option<u64>,
    pub latency: Duration,
}

/// The faults of one DELETE.
pub struct Due {
    pub before: Option<u16>,
    pub after: Option<Option<u16>>,
    pub stall: Option<Duration>,
    pub lie: bool,
}

impl Faults {
    pub fn next(&mut self) -> Due {
        self.count += 1;
        let count = self.count;
        let is_due = |n: u64| n > 0 && count.is_multiple_of(n);
        Due {
            before: self.before.filter(|(n, _)| is_due(*n)).map(|(_, status)| status),
            after: self.after.filter(|(n, _)| is_due(*n)).map(|(_, status)| status),
            stall: self.stall.filter(|(n, _)| is_due(*n)).map(|(_, time)| time),
            lie: self.lie.is_some_and(is_due),
        }
    }
}
