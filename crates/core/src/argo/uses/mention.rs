//! Finds objects that are named within plain text: by URI, or in a document that is stored as a string.

use std::borrow::Cow;

/// Schemes whose host is the bucket.
const SCHEMES: [&str; 11] =
    ["gs", "gcs", "s3", "s3a", "s3n", "az", "azure", "abfs", "abfss", "wasb", "wasbs"];

/// The depth to which documents within documents are parsed; deeper ones are read line by line.
const MAX_DEPTH: usize = 3;

/// Calls `take` with bucket and key of every object that a text names by a URI such as `gs://` or `s3://`, or
/// by a URL.
pub(crate) fn uris(text: &str, take: &mut dyn FnMut(&str, &str)) {
    if !text.contains("://") {
        return;
    }
    // A text that is a single URI may contain characters that otherwise end one.
    if text.starts_with("gs://") || text.starts_with("s3://") {
        uri(text, take);
    }
    let ends = |c: char| c.is_whitespace() || "\"'`,;<>()|\\".contains(c);
    text.split(ends).filter(|word| word.contains("://")).for_each(|word| uri(word, take));
}

fn uri(word: &str, take: &mut dyn FnMut(&str, &str)) {
    let Some((scheme, rest)) = word.split_once("://") else { return };
    let scheme = scheme.to_ascii_lowercase();
    let Some((host, path)) = rest.split_once('/') else { return };
    let mut found = |bucket: &str, key: &str| {
        // The value of a variable or a pattern is unknown.
        let cut =
            key.find(['*', '?', '[']).map_or(key, |at| key[..at].rsplit_once('/').map_or("", |(dir, _)| dir));
        if !bucket.is_empty()
            && !cut.trim_matches('/').is_empty()
            && !key.contains("{{")
            && !key.contains('$')
        {
            take(bucket, cut);
        }
    };
    // Other text may precede the scheme: `--from=gs`.
    if SCHEMES.iter().any(|known| scheme.ends_with(known)) {
        // abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/BLOB
        return found(host.split('@').next().unwrap_or(host), path);
    }
    if !scheme.ends_with("http") && !scheme.ends_with("https") {
        return;
    }
    let host = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
    let host = host.split(':').next().unwrap_or(&host);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let api = path.split_once("storage/v1/b/").and_then(|(_, rest)| rest.split_once("/o/"));
    if let Some((bucket, key)) = api.filter(|_| host.ends_with("googleapis.com")) {
        return found(bucket, &decoded(key));
    }
    let own = host.strip_suffix(".storage.googleapis.com");
    let own = own.or_else(|| {
        let host = host.strip_suffix(".cn").unwrap_or(host);
        host.strip_suffix(".amazonaws.com").and_then(|host| host.rsplit_once(".s3")).map(|it| it.0)
    });
    if let Some(bucket) = own {
        return found(bucket, &decoded(path));
    }
    // Google, AWS, Azure and every MinIO write the bucket first in the path, or as the host's first label. For
    // other hosts this finds names that no bucket has, which does no harm.
    if let Some((bucket, key)) = path.split_once('/') {
        found(bucket, &decoded(key));
    }
    if let Some((bucket, _)) = host.split_once('.') {
        found(bucket, &decoded(path));
    }
}

/// Decodes percent-encoding, and leaves a percent sign that is none as it is.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The content of a document that is stored as a string.
pub(crate) enum Content {
    Nothing,
    Documents(Vec<serde_json::Value>),
    /// Keys without a bucket, from a text that can't be parsed.
    Keys(Vec<String>),
}

/// Returns true for the field names under which Argo inlines a location with a key.
pub(crate) fn is_engine(field: &str) -> bool {
    matches!(field, "gcs" | "s3" | "azure" | "oss" | "hdfs" | "plugin" | "artifactory" | "http")
}

/// Reads a document that is stored as a string: the manifest of a resource template, a Sensor's inline workflow.
pub(crate) fn document(text: &str, depth: usize) -> Content {
    let several_lines = text.contains('\n') || text.trim_start().starts_with('{');
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
    if !several_lines || !words().any(is_engine) {
        return Content::Nothing;
    }
    if depth < MAX_DEPTH
        && let Ok(documents) = serde_saphyr::from_multiple::<serde_json::Value>(text)
        && documents.iter().any(|document| document.is_object() || document.is_array())
    {
        return Content::Documents(documents);
    }
    // A text with variables may not be valid YAML yet, so it is searched for keys line by line.
    let keys = text.lines().filter_map(|line| {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || "-{\"'".contains(c));
        let value = line.strip_prefix("key").or_else(|| line.strip_prefix("blob"))?;
        let value = value.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?;
        let value = value.trim().trim_end_matches([',', '}']).trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    });
    Content::Keys(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        uris(text, &mut |bucket, key| all.push(format!("{bucket} {key}")));
        all
    }

    #[test]
    fn every_form_of_an_address_is_one_object() {
        for text in [
            "gs://b/a/x.tgz",
            "cp --from=gs://b/a/x.tgz /tmp",
            "https://storage.googleapis.com/b/a/x.tgz?X-Goog-Signature=abc",
            "HTTPS://b.storage.googleapis.com/a/x.tgz",
            "https://storage.cloud.google.com/b/a/x%2Etgz",
            "https://storage.googleapis.com/storage/v1/b/b/o/a%2Fx.tgz?alt=media",
            "https://www.googleapis.com/download/storage/v1/b/b/o/a%2Fx.tgz",
            "s3://b/a/x.tgz",
            "aws s3 cp --from=s3://b/a/x.tgz .",
            "https://b.s3.eu-central-1.amazonaws.com/a/x.tgz?X-Amz-Signature=s",
            "https://s3.amazonaws.com/b/a/x.tgz",
            "http://minio.argo:9000/b/a/x.tgz",
            "https://account.blob.core.windows.net/b/a/x.tgz?sig=s",
            "abfss://b@account.dfs.core.windows.net/a/x.tgz",
            "wasb://b@account.blob.core.windows.net/a/x.tgz",
            "gcs://b/a/x.tgz",
            "http://b.minio.argo:9000/a/x.tgz",
            "https://b.fra1.digitaloceanspaces.com/a/x.tgz",
            "https://b.s3.cn-north-1.amazonaws.com.cn/a/x.tgz",
            "https://b.s3.dualstack.eu-west-1.amazonaws.com/a/x.tgz",
        ] {
            assert!(found(text).contains(&"b a/x.tgz".to_owned()), "{text}: {:?}", found(text));
        }
        assert_eq!(found("gs://b/one,gs://b/two"), ["b one,gs://b/two", "b one", "b two"]);
        assert!(found("https://a.s3.b.s3.eu-west-1.amazonaws.com/k").contains(&"a.s3.b k".to_owned()));
        assert!(found("gs://b/my file").contains(&"b my file".to_owned()));
        assert!(found("gs://b/dir/*.csv").contains(&"b dir".to_owned()));
    }

    #[test]
    fn a_bucket_or_a_variable_is_no_object() {
        for text in
            ["gs://b", "gs://b/", "gs://b/{{x}}/y", "gs://b/${X}", "https://example.com/", "a://", "%"]
        {
            assert!(found(text).is_empty(), "{text}");
        }
        assert_eq!(decoded("%41%zz%"), "A%zz%");
    }
}
