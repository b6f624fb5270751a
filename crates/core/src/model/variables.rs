//! The variables of keys and locations: finds them, and fills in those of an archive location, as the controller does when
//! it makes a pod, and GC does not.

use crate::argo::artifact::ArtifactLocation;

/// Returns the location with the variables of its buckets and endpoints filled in; none if it has none, or the value of one
/// is not known. Its key is left alone: that of the artifact takes its place.
pub(crate) fn filled(
    location: &ArtifactLocation,
    value: impl Fn(&str) -> Option<String>,
) -> Option<ArtifactLocation> {
    let mut filled = location.clone();
    let ArtifactLocation { gcs, s3, azure, oss, .. } = &mut filled;
    let mut fields: Vec<&mut String> = Vec::new();
    fields.extend(gcs.iter_mut().map(|gcs| &mut gcs.bucket));
    fields.extend(s3.iter_mut().flat_map(|s3| [&mut s3.endpoint, &mut s3.bucket]));
    fields.extend(azure.iter_mut().flat_map(|azure| [&mut azure.endpoint, &mut azure.container]));
    fields.extend(oss.iter_mut().flat_map(|oss| [&mut oss.endpoint, &mut oss.bucket]));
    let mut any = false;
    for field in fields.into_iter().filter(|field| field.contains("{{")) {
        *field = fill(field, &value)?;
        any = true;
    }
    any.then_some(filled)
}

/// Returns the first text of the location that has a variable.
pub(crate) fn variable(location: &ArtifactLocation) -> Option<&str> {
    let ArtifactLocation { gcs, s3, azure, oss, .. } = location;
    let gcs = gcs.iter().map(|gcs| &gcs.bucket);
    let s3 = s3.iter().flat_map(|s3| [&s3.endpoint, &s3.bucket]);
    let azure = azure.iter().flat_map(|azure| [&azure.endpoint, &azure.container]);
    let oss = oss.iter().flat_map(|oss| [&oss.endpoint, &oss.bucket]);
    gcs.chain(s3).chain(azure).chain(oss).map(String::as_str).find(|text| text.contains("{{"))
}

fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, name, after)) = next_variable(rest) {
        let known = value(name)?;
        // A value may be a variable again, which nobody has filled in.
        if known.is_empty() || known.contains("{{") {
            return None;
        }
        filled.push_str(before);
        filled.push_str(&known);
        rest = after;
    }
    filled.push_str(rest);
    // What is left of a variable without an end nobody fills in.
    (!rest.contains("{{")).then_some(filled)
}

/// Returns the text before the first variable, the variable's name, and the text after it.
pub(crate) fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name.trim(), after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn a_location_is_filled_in_whole_or_not_at_all() {
        let value = |name: &str| match name {
            "inputs.parameters.b" => Some("ml".to_owned()),
            "inputs.parameters.again" => Some("{{workflow.name}}".to_owned()),
            "inputs.parameters.empty" => Some(String::new()),
            _ => None,
        };
        let bucket = |text: &str| {
            let location = json!({ "gcs": { "bucket": text, "key": "a/{{pod.name}}" } });
            let location: ArtifactLocation = serde_json::from_value(location).unwrap();
            Some(filled(&location, value)?.gcs.unwrap().bucket)
        };
        assert_eq!(bucket("{{inputs.parameters.b}}").unwrap(), "ml");
        assert_eq!(bucket("a-{{ inputs.parameters.b }}-{{inputs.parameters.b}}").unwrap(), "a-ml-ml");
        for text in [
            "ml",
            "{{inputs.parameters.c}}",
            "{{inputs.parameters.b}}-{{inputs.parameters.c}}",
            "{{inputs.parameters.again}}",
            "{{inputs.parameters.empty}}",
            "{{inputs.parameters.b",
            "{{=inputs.parameters.b}}",
        ] {
            assert_eq!(bucket(text), None, "{text}");
        }
        let s3 = json!({ "s3": { "endpoint": "{{inputs.parameters.b}}.example:9000", "bucket": "x", "key": "k" } });
        let s3: ArtifactLocation = serde_json::from_value(s3).unwrap();
        assert_eq!(variable(&s3), Some("{{inputs.parameters.b}}.example:9000"));
        assert_eq!(filled(&s3, value).unwrap().s3.unwrap().endpoint, "ml.example:9000");
    }
}
