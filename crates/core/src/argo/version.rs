//! Versions of the workflow controller.

use std::fmt;

/// A release such as 3.5.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

/// The newest release whose source was read for this crate.
pub const NEWEST: Version = Version(4, 1, 2);

impl Version {
    /// Reads `v3.5.6`, `3.5.6` or `v3.5.6-rc1`; none for tags that name no release (`latest`, a digest).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let mut parts = text.splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next()?;
        let digits = patch.find(|c: char| !c.is_ascii_digit()).unwrap_or(patch.len());
        Some(Self(major, minor, patch[..digits].parse().ok()?))
    }

    /// Returns the release named by a container image reference such as
    /// `quay.io/argoproj/workflow-controller:v3.5.6`.
    pub fn from_image(image: &str) -> Option<Self> {
        let name = image.split('@').next()?;
        let (_, tag) = name.rsplit_once(':')?;
        Self::parse(tag)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use crate::argo::version::Version;

    #[test]
    fn reads_release_tags_and_nothing_else() {
        assert_eq!(Version::parse("v3.5.6"), Some(Version(3, 5, 6)));
        assert_eq!(Version::parse("4.1.0-rc2"), Some(Version(4, 1, 0)));
        assert_eq!(Version::parse("latest"), None);
        assert_eq!(
            Version::from_image("localhost:5000/argo/workflow-controller:v3.6.19"),
            Some(Version(3, 6, 19))
        );
        assert_eq!(Version::from_image("localhost:5000/workflow-controller"), None);
        assert_eq!(Version::from_image("q/wc:v3.7.0@sha256:abc"), Some(Version(3, 7, 0)));
    }
}
