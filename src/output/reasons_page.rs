//! The page docs/reasons.md, made from the catalogue of reasons.

use crate::output::explain::{RELEASE_COMMAND, RELEASE_HINT};
use argo_gc_core::reason::Reason;
use argo_gc_core::reason::entry::{Entry, Group, Link, ToldFrom};
use std::fmt::Write;

/// Returns the whole page.
pub fn page() -> String {
    let mut text = String::from(
        "# Reasons\n\n\
         Every verdict of `kubectl argo-gc inspect` other than `covered` and `collected` carries one of \
         these codes; hazards and suspicions are notes beside a verdict. A code is never reused for another \
         meaning. This page is generated from the catalogue that `kubectl argo-gc explain CODE` prints.\n\n\
         ## The chain\n\nArgo deletes an artifact only if all of this holds, in order:\n\n",
    );
    for (at, link) in Link::CHAIN.iter().enumerate() {
        let _ = writeln!(text, "{}. **{}**: {}", at + 1, link.as_str(), link.holds());
    }
    text += "\n## Removing the finalizer, and only that\n\n";
    let _ = writeln!(text, "If the finalizer remains:\n\n```sh\n{RELEASE_COMMAND}\n```\n\n{RELEASE_HINT}\n");
    for group in Group::ALL {
        let _ =
            writeln!(text, "## {}\n\n| code | what it says | verdicts |\n| --- | --- | --- |", group.title());
        for entry in entries(group) {
            let code = entry.code;
            let _ =
                writeln!(text, "| [`{code}`](#{}) | {} | {} |", anchor(code), entry.title, verdicts(entry));
        }
        text.push('\n');
        for entry in entries(group) {
            section(&mut text, entry);
        }
    }
    format!("{}\n", text.trim_end())
}

fn entries(group: Group) -> impl Iterator<Item = &'static Entry> {
    Reason::ALL.iter().map(|reason| reason.entry()).filter(move |entry| entry.group == group)
}

fn verdicts(entry: &Entry) -> String {
    let verdicts: Vec<&str> = entry.verdicts.iter().map(|verdict| verdict.as_str()).collect();
    if verdicts.is_empty() { "note".to_owned() } else { verdicts.join(", ") }
}

/// GitHub leaves dots out of a heading's anchor.
fn anchor(code: &str) -> String {
    code.replace('.', "")
}

fn section(text: &mut String, entry: &Entry) {
    let _ = writeln!(text, "### {}\n\n**{}**\n\n{}\n", entry.code, entry.title, entry.why);
    let _ = writeln!(text, "- Versions: {}", entry.versions);
    if entry.link != Link::None {
        let _ = writeln!(text, "- The chain breaks at: {}", entry.link.as_str());
    }
    let _ = writeln!(text, "- Detected from: {}", told_from(entry.told_from));
    let _ = writeln!(text, "- Evidence: {}", entry.evidence.join("; "));
    let _ = writeln!(text, "- Remedy: {}", entry.remedy);
    let _ = writeln!(text, "- Upstream: {}", entry.upstream.join(", "));
    let _ = writeln!(text, "- False positives: {}\n", entry.false_positives);
    if let Some(yaml) = entry.remedy_yaml {
        let _ = writeln!(text, "```yaml\n{}\n```\n", yaml.trim_end());
    }
}

/// The source from which the plugin detects a reason, as a sentence.
fn told_from(source: ToldFrom) -> &'static str {
    match source {
        ToldFrom::Objects => "Kubernetes objects.",
        ToldFrom::Manifests => "Manifests, by `lint`.",
        ToldFrom::Bucket => "The bucket, with `inspect --check`.",
        ToldFrom::Nothing => "Nothing this plugin reads shows it: described here, never reported.",
    }
}
