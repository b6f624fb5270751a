//! Listing: order, pages and prefixes as the API has them.
//!
//! fake-gcs-server orders by bytes and pages, but puts every prefix on each page, gives more than 1000 objects
//! when asked, and names pages by object, which versions of one object share.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::{self, Outcome, Refusal};
use super::call::Call;
use super::state::{Kept, number};
use super::store::Inner;

const MOST: usize = 1000;

impl Inner {
    pub async fn list(&self, call: &Call, bucket: &str) -> Outcome {
        call.refuse(&["matchGlob", "filter", "includeTrailingDelimiter", "includeFoldersAsPrefixes"])?;
        self.check_permission(bucket, "storage.objects.list", "bucket")?;
        let text = |name: &str| call.get(name).unwrap_or_default();
        let limit = match call.number("maxResults")? {
            None => MOST,
            Some(limit) => usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(MOST).min(MOST),
        };
        let after = match text("pageToken") {
            "" => None,
            token => Some(After::parse(token).ok_or_else(|| Refusal::invalid("Invalid pageToken."))?),
        };
        let (versions, soft_deleted) = (call.flag("versions"), call.flag("softDeleted"));
        let mut items = if soft_deleted {
            self.bucket_resource(bucket).await?;
            if versions {
                return Err(Refusal::invalid("versions and softDeleted can't be listed together."));
            }
            if self.state().soft_delete(bucket).is_none() {
                return Err(Refusal::invalid("bucket soft delete policy must be set."));
            }
            self.all_kept(bucket, true)
        } else if versions || call.get("delimiter").is_some() {
            self.all_live(bucket, text("prefix")).await?
        } else {
            let from = after.as_ref().map_or("", |after| after.name.as_str());
            let start = text("startOffset").max(from);
            // One that the last page ended with, and one by which to know that there are more.
            self.live_from(bucket, text("prefix"), start, Some(limit + 2)).await?
        };
        if versions {
            items.extend(self.all_kept(bucket, false));
        }
        items.sort_by_cached_key(|item| (name(item).to_owned(), number(item, "generation")));
        let range = Range {
            prefix: text("prefix"),
            delimiter: text("delimiter"),
            start: text("startOffset"),
            end: text("endOffset"),
        };
        Ok(answer::json(200, &page(items, &range, after.as_ref(), limit)))
    }

    fn all_kept(&self, bucket: &str, soft_deleted: bool) -> Vec<Value> {
        let state = self.state();
        let is_wanted = |kept: &&Kept| kept.soft_deleted == soft_deleted && kept.object["bucket"] == bucket;
        state.kept.values().filter(is_wanted).map(|kept| kept.object.clone()).collect()
    }
}

struct Range<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    start: &'a str,
    end: &'a str,
}

/// The last object or prefix of a page, which needn't be there any more.
struct After {
    name: String,
    generation: i64,
    is_prefix: bool,
}

impl After {
    fn parse(token: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (name, generation, is_prefix) = serde_json::from_slice(&json).ok()?;
        Some(Self { name, generation, is_prefix })
    }

    fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!([self.name, self.generation, self.is_prefix]).to_string())
    }

    fn covers(&self, item: &Value) -> bool {
        if self.is_prefix && name(item).starts_with(&self.name) {
            return true;
        }
        (name(item), number(item, "generation")) <= (self.name.as_str(), self.generation)
    }
}

fn name(item: &Value) -> &str {
    item["name"].as_str().unwrap_or_default()
}

/// One page of items in order, of at most `limit` objects and prefixes together.
fn page(items: Vec<Value>, range: &Range, after: Option<&After>, limit: usize) -> Value {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let mut last: Option<After> = None;
    let mut more = false;
    for item in items {
        let inside = name(&item).starts_with(range.prefix)
            && name(&item) >= range.start
            && (range.end.is_empty() || name(&item) < range.end);
        if !inside || after.is_some_and(|after| after.covers(&item)) {
            continue;
        }
        let group = (!range.delimiter.is_empty())
            .then(|| name(&item)[range.prefix.len()..].find(range.delimiter))
            .flatten()
            .map(|at| name(&item)[..range.prefix.len() + at + range.delimiter.len()].to_owned());
        if group.is_some() && prefixes.last() == group.as_ref() {
            continue;
        }
        if objects.len() + prefixes.len() == limit {
            more = true;
            break;
        }
        let is_prefix = group.is_some();
        match group {
            Some(group) => {
                last = Some(After { name: group.clone(), generation: 0, is_prefix });
                prefixes.push(group);
            }
            None => {
                let generation = number(&item, "generation");
                last = Some(After { name: name(&item).to_owned(), generation, is_prefix });
                objects.push(item);
            }
        }
    }
    let mut page = json!({ "kind": "storage#objects" });
    if let Some(last) = last.filter(|_| more) {
        page["nextPageToken"] = json!(last.token());
    }
    if !prefixes.is_empty() {
        page["prefixes"] = json!(prefixes);
    }
    if !objects.is_empty() {
        page["items"] = Value::Array(objects);
    }
    page
}
