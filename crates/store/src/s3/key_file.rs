//! Reads the key of one account from a file like `~/.aws/credentials`.

use object_store::aws::AwsCredential;
use std::collections::HashMap;

/// A key, and the region beside it.
pub(crate) struct KeyFile {
    pub credential: AwsCredential,
    pub region: Option<String>,
}

/// Reads the file's only profile, or the one named `default`.
///
/// # Errors
/// No profile is certainly the one, or it has no key. Nothing of the file is in the message.
pub(crate) fn read(text: &str) -> Result<KeyFile, String> {
    let mut profiles: Vec<(&str, HashMap<String, &str>)> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or_default().trim();
            profiles.push((name.strip_prefix("profile ").unwrap_or(name).trim(), HashMap::new()));
            continue;
        }
        let (name, value) = line.split_once('=').ok_or("a line is neither a profile nor a setting")?;
        let (_, settings) =
            profiles.last_mut().ok_or("it does not begin with a profile, such as [default]")?;
        settings.insert(name.trim().to_ascii_lowercase(), value.trim());
    }
    let named = |wanted: &str| profiles.iter().filter(|(name, _)| *name == wanted).count();
    let profile = match (&profiles[..], named("default")) {
        ([(_, only)], _) => only,
        ([], _) => return Err("it has no profile".to_owned()),
        (all, 1) => all.iter().find(|(name, _)| *name == "default").map_or(&all[0].1, |(_, found)| found),
        _ => return Err("it has several profiles; one alone, or one named [default], is used".to_owned()),
    };
    let value =
        |name: &str| profile.get(name).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
    let key = |name: &str| value(name).ok_or_else(|| format!("its profile has no {name}"));
    Ok(KeyFile {
        credential: AwsCredential {
            key_id: key("aws_access_key_id")?,
            secret_key: key("aws_secret_access_key")?,
            token: value("aws_session_token"),
        },
        region: value("region"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_only_profile_or_the_default_one_is_read() {
        for text in [
            "[default]\naws_access_key_id = AK\naws_secret_access_key=s=/+\n",
            "# ml\n[ml]\r\nAWS_ACCESS_KEY_ID=AK\r\naws_secret_access_key = s=/+\r\n",
            "[ml]\naws_access_key_id=other\n[default]\naws_access_key_id=AK\naws_secret_access_key=s=/+",
        ] {
            let KeyFile { credential, region } = read(text).unwrap();
            assert_eq!((&*credential.key_id, &*credential.secret_key), ("AK", "s=/+"), "{text}");
            assert_eq!((credential.token, region), (None, None));
        }
        let KeyFile { credential, region } = read(
            "[profile a]\naws_access_key_id=AK\naws_secret_access_key=s\naws_session_token=t\nregion=eu-west-1",
        )
        .unwrap();
        assert_eq!((credential.token.as_deref(), region.as_deref()), (Some("t"), Some("eu-west-1")));
    }

    #[test]
    fn what_is_not_certain_is_refused_without_showing_it() {
        for text in [
            "",
            "hunter2",
            "aws_access_key_id=hunter2",
            "[a]\naws_access_key_id=hunter2\n[b]\naws_access_key_id=hunter2\n",
            "[default]\n[default]\naws_access_key_id=hunter2",
            "[a]\ncredential_process = hunter2",
            "[a]\naws_access_key_id=hunter2\naws_secret_access_key=",
        ] {
            let why = read(text).map(|_| ()).unwrap_err();
            assert!(!why.contains("hunter2"), "{text}: {why}");
        }
    }
}
