//! The names that Kubernetes takes. A name that it would refuse can't be that of an object.

/// Returns true if the text may be the name of most kinds of object: a subdomain of RFC 1123
/// (IsDNS1123Subdomain, apimachinery/pkg/util/validation/validation.go@v0.34.2).
pub fn is_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().all(|byte| inner(byte) || byte == b'-')
            && part.bytes().next().is_some_and(inner)
            && part.bytes().next_back().is_some_and(inner)
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// Returns true if the text may be the key of a label: a name of at most 63 characters, with a subdomain and a slash
/// before it or not (IsQualifiedName, as above).
pub fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

/// Returns true if the text may be the value of a label (IsValidLabelValue, as above).
pub fn is_label_value(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_alphanumeric());
    let bytes = || text.bytes();
    text.len() <= 63
        && bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && ends(bytes().next())
        && ends(bytes().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for text in ["a", "a-1.b", "0", &"a".repeat(253)] {
            assert!(is_subdomain(text), "{text}");
        }
        for text in ["", "A", "a_b", "a/b", "-a", "a-", "a..b", ".a", "a.", "a b", &"a".repeat(254)] {
            assert!(!is_subdomain(text), "{text}");
        }
        for text in ["audit", "A_b.c-1", "example.com/audit"] {
            assert!(is_label_key(text), "{text}");
        }
        for text in ["", "audit ", "/audit", "a/b/c", "Example.com/a", "a/", "-a", &"a".repeat(64)] {
            assert!(!is_label_key(text), "{text}");
        }
        assert!(is_label_value("") && is_label_value("True_1.x") && !is_label_value("a b"));
    }
}
