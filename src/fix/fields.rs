//! The fields in which artifacts have their keys.

use argo_gc_core::lint::path::FieldPath;
use serde_json::Value;

/// Kinds of locations whose key is an object's name in a bucket.
pub(crate) const KEYS: [(&str, &str); 5] =
    [("gcs", "key"), ("s3", "key"), ("azure", "blob"), ("oss", "key"), ("plugin", "key")];

/// The places where output artifacts of pods have their keys, at any depth below the path, whether they have one or not.
pub(crate) fn written_fields(value: &Value, path: &FieldPath) -> Vec<FieldPath> {
    let mut found = Vec::new();
    outputs(value, path, &mut found);
    found
}

fn outputs(value: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = path.key(key);
                if key == "outputs" {
                    let artifacts = path.key("artifacts");
                    let count = value["artifacts"].as_array().map_or(0, Vec::len);
                    for at in 0..count {
                        let fields =
                            KEYS.iter().map(|(engine, key)| artifacts.index(at).key(engine).key(key));
                        found.extend(fields);
                    }
                } else {
                    outputs(value, &path, found);
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| outputs(item, &path.index(at), found));
        }
        _ => {}
    }
}
