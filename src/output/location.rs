//! What a place in storage is, as tables and as documents. Only this file knows the formats.

use crate::error::Error;
use crate::output::age::age;
use crate::output::columns::table;
use crate::output::document;
use crate::output::escape::{cell, escape};
use crate::output::prose::Prose;
use crate::output::protections::{clause, detail_of};
use crate::output::text::{plural, size};
use crate::output::words::Word;
use crate::purge::explain::Explanation;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::choice::{Choice, Unselected};
use argo_gc_core::plan::explanation::{Conclusion, Fate, ObjectReport, PlaceReport, ReferrerReport};
use argo_gc_core::plan::located::Located;
use argo_gc_core::plan::references::Role;
use argo_gc_core::plan::rules::Unwanted;
use argo_gc_core::verdict::{Verdict, When};
use jiff::Timestamp;
use std::io;
use std::io::Write;

/// Rows of objects that a table shows.
const ROWS: usize = 50;

/// An output format of `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExplainFormat {
    Table,
    Json,
    Yaml,
}

/// Shows the answer.
///
/// # Errors
/// Writing failed.
pub fn write(
    out: &mut dyn Write,
    width: Option<usize>,
    format: ExplainFormat,
    explanation: &Explanation,
    now: Timestamp,
) -> Result<(), Error> {
    if format == ExplainFormat::Table {
        return Ok(text(&mut Prose::new(out, width), width, explanation, now)?);
    }
    let mut head = serde_json::to_value(explanation).map_err(Error::new)?;
    if let Some(head) = head.as_object_mut() {
        head.remove("places");
        head.insert("apiVersion".to_owned(), API_VERSION.into());
        head.insert("kind".to_owned(), "LocationExplanation".into());
        head.insert("generatedAt".to_owned(), now.to_string().into());
    }
    let mut places = explanation.places.clone();
    for object in places.iter_mut().flat_map(|place| &mut place.objects) {
        if let Fate::Kept { protection, detail } = &mut object.fate {
            *detail = detail_of(*protection, detail);
        }
    }
    for place in &mut places {
        if let Conclusion::Kept { protection, detail } = &mut place.conclusion {
            *detail = detail_of(*protection, detail);
        }
    }
    document::write(out, format == ExplainFormat::Yaml, &head, "places", places.into_iter().map(Ok))
}

fn text(
    out: &mut dyn Write,
    width: Option<usize>,
    explanation: &Explanation,
    now: Timestamp,
) -> io::Result<()> {
    let Explanation { location, plan, places, more, namesakes, refused, may_read, unread: _ } = explanation;
    if places.iter().any(|place| place.location != *location) {
        writeln!(out, "{} has {} below it", escape(location), plural(places.len() as u64, "artifact place"))?;
    }
    let whose = match (plan, refused.is_empty()) {
        (Some(plan), _) => format!("The plan of {}", plan.created_at),
        (None, true) => "A purge with these flags".to_owned(),
        (None, false) => "Once it is no longer refused (below), a purge with these flags".to_owned(),
    };
    for (at, place) in places.iter().enumerate() {
        if at > 0 || place.location != *location {
            writeln!(out)?;
        }
        one(out, width, place, (&whose, plan.is_none()), now)?;
    }
    if !refused.is_empty() {
        writeln!(out, "\nAt present a purge with these flags is refused: {}", escape(refused))?;
    }
    if *more > 0 {
        writeln!(out, "\nAnd {} more there", plural(*more, "artifact"))?;
    }
    if !may_read.is_empty() {
        let names: Vec<&str> = may_read.iter().map(String::as_str).collect();
        let names = escape(&names.join(", ")).into_owned();
        writeln!(
            out,
            "\nWhether these read it is unknown, because they read keys made of parameters: {names}"
        )?;
    }
    if !namesakes.is_empty() {
        let names: Vec<&str> = namesakes.iter().map(String::as_str).collect();
        writeln!(out, "\nThe same key in a bucket of that name elsewhere: {}", escape(&names.join(", ")))?;
    }
    Ok(())
}

/// Writes about one place.
fn one(
    out: &mut dyn Write,
    width: Option<usize>,
    place: &PlaceReport,
    (whose, has_read): (&str, bool),
    now: Timestamp,
) -> io::Result<()> {
    writeln!(out, "{}", escape(&place.location))?;
    if has_read {
        writeln!(out, "  {}", escape(&what_it_is(place)))?;
    }
    writeln!(out, "  {}", escape(&sentence(place, whose)))?;
    if !place.storage_problem.is_empty() {
        writeln!(out, "  Storage could not be asked: {}", escape(&place.storage_problem))?;
    }
    let marked: Vec<Timestamp> = place.objects.iter().filter_map(|object| object.marked).collect();
    if let Some(first) = marked.iter().min() {
        let are = if marked.len() == 1 { "is" } else { "are" };
        writeln!(
            out,
            "  {} {are} marked by a purge with --quarantine, since {first}.",
            plural(marked.len() as u64, "object")
        )?;
    }
    let artifacts: Vec<Vec<String>> = place.artifacts.iter().map(artifact).collect();
    table(
        out,
        width,
        &["NAMESPACE", "WORKFLOW", "NODE", "ARTIFACT", "VERDICT", "REASON", "ARGO DELETES IT", "PURGE"],
        &["NODE"],
        &artifacts,
    )?;
    let referrers: Vec<Vec<String>> = place.referrers.iter().map(referrer).collect();
    let columns = ["REFERRED TO BY", "NAMESPACE", "NAME", "AS", "PROTECTS", "WHY"];
    table(out, width, &columns, &["WHY"], &referrers)?;
    let objects: Vec<Vec<String>> = place.objects.iter().take(ROWS).map(|one| object(one, now)).collect();
    let columns = ["OBJECT", "SIZE", "GENERATION", "AGE", "PURGE"];
    table(out, width, &columns, &["GENERATION"], &objects)?;
    let left = place.objects.len().saturating_sub(ROWS) as u64;
    if left > 0 {
        writeln!(out, "and {} more; -o json lists all", plural(left, "object"))?;
    }
    Ok(())
}

/// What the place is, what Argo does with it, and who else needs it.
fn what_it_is(place: &PlaceReport) -> String {
    let whose = |located: &Located| format!("{}/{}", located.namespace, located.workflow);
    let owner = place.artifacts.first().map(whose);
    let owns = |found: &&ReferrerReport| {
        let name = format!("{}/{}", found.namespace, found.name);
        found.role == Role::Output && owner.as_ref() == Some(&name)
    };
    let mut others = place.referrers.iter().filter(|found| found.protects && !owns(found));
    let others = match (others.next(), others.count()) {
        (None, _) => "Nothing else that was read needs it.".to_owned(),
        (Some(first), 0) => format!("{} needs it.", named(first)),
        (Some(first), more) => format!("{} and {} more need it.", named(first), more),
    };
    let Some(first) = place.artifacts.first() else {
        return format!("It is no artifact of a workflow that was read. {others}");
    };
    let artifact = &first.artifact;
    let more = match place.artifacts.len() {
        1 => String::new(),
        count => format!(" (and of {})", plural(count as u64 - 1, "other record")),
    };
    let code = artifact.reason.map(|reason| format!(" ({})", reason.code())).unwrap_or_default();
    let becomes = match artifact.verdict {
        Verdict::Uncovered => format!("nobody will delete it{code}"),
        Verdict::Failing => format!("Argo fails to delete it{code}"),
        Verdict::Endangered => format!("Argo will delete it, though something needs it{code}"),
        Verdict::Unknown => format!("whether Argo deletes it is unknown{code}"),
        Verdict::Kept => "it is kept on purpose".to_owned(),
        Verdict::Covered => format!("Argo deletes it {}", when(artifact.verdict, artifact.when)),
        Verdict::Collected => "it is recorded as deleted".to_owned(),
    };
    format!("Artifact {} of {}{more}: {becomes}. {others}", artifact.name, whose(first))
}

/// What refers to a place, in words.
fn named(found: &ReferrerReport) -> String {
    match found.namespace.as_str() {
        "" => format!("The {} {}", found.kind, found.name),
        namespace => format!("The {} {namespace}/{}", found.kind, found.name),
    }
}

/// What a purge does, in one sentence.
fn sentence(place: &PlaceReport, whose: &str) -> String {
    match &place.conclusion {
        Conclusion::Deletes { objects, bytes, kept: 0 } => {
            format!("{whose} deletes it: {} ({}).", plural(*objects, "object"), size(*bytes))
        }
        Conclusion::Deletes { objects, bytes, kept } => {
            let deleted = plural(*objects, "object");
            format!("{whose} deletes {deleted} ({}) of it, and keeps {kept}.", size(*bytes))
        }
        Conclusion::Kept { protection, detail } => {
            format!("{whose} keeps it: {}.", keeps(*protection, detail))
        }
        Conclusion::NotAskedFor { why } => format!("{whose} does not ask for it: {}.", unwanted(*why)),
        Conclusion::NotSelected { why } => {
            format!("{whose} does not select its workflow: {}.", unselected(*why))
        }
        Conclusion::Absent => format!("{whose} would delete it, but nothing is stored there."),
        Conclusion::Unknown => format!("Whether {} deletes it is unknown.", lower(whose)),
        Conclusion::NoRecord => {
            format!("{whose} leaves it alone: no workflow that was read has it as an artifact.")
        }
        Conclusion::NotInPlan => format!("{whose} says nothing about it."),
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

fn keeps(protection: Protection, detail: &str) -> String {
    let detail = detail_of(protection, detail);
    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    format!("{}, because {}{detail}", protection.code(), clause(protection))
}

fn unselected(why: Unselected) -> &'static str {
    match why {
        Unselected::Name => "its name is none of those given",
        Unselected::Namespace => "it is in another namespace",
        Unselected::Phase => "its phase is not selected (--status)",
        Unselected::Age => "it has not ended, or not in the selected time (--older, --newer)",
        Unselected::Prefix => "its name begins differently (--prefix)",
        Unselected::InstanceId => "it is another controller's (--instanceid)",
        Unselected::Labels => "its labels do not match (-l)",
        Unselected::Nothing => "nothing is selected",
    }
}

fn unwanted(why: Unwanted) -> String {
    match why {
        Unwanted::Verdict(Verdict::Collected) => "it is recorded as deleted".to_owned(),
        Unwanted::Doubtful => {
            "it is recorded as deleted, which is in doubt (--reason deleted-but-present)".to_owned()
        }
        Unwanted::Verdict(Verdict::Covered) => "Argo has yet to collect it".to_owned(),
        Unwanted::Verdict(Verdict::Kept) => {
            "it is kept on purpose, by the strategy Never (--verdict kept selects it)".to_owned()
        }
        Unwanted::Verdict(Verdict::Unknown) => {
            "its verdict is unknown, and what can't be seen is never deleted".to_owned()
        }
        Unwanted::Verdict(verdict) => format!("its verdict is {} (--verdict)", verdict.as_str()),
        Unwanted::Reason => "it has another reason (--reason)".to_owned(),
        Unwanted::Name => "it has another name (--artifact)".to_owned(),
        Unwanted::Bucket => "it is in another bucket (--bucket)".to_owned(),
        Unwanted::Class => "--only leaves it out".to_owned(),
        Unwanted::Policy => "the policy keeps it (--policy, --keep-last)".to_owned(),
    }
}

fn artifact(located: &Located) -> Vec<String> {
    let artifact = &located.artifact;
    let purge = match &located.purge {
        Choice::Candidate => "its objects decide".to_owned(),
        Choice::Kept { protection, detail } => {
            let detail = detail_of(*protection, detail);
            let colon = if detail.is_empty() { "" } else { ": " };
            format!("{}{colon}{}", protection.code(), escape(&detail))
        }
        Choice::NotAskedFor { why } => format!("not selected: {}", unwanted(*why)),
        Choice::NotSelected { why } => format!("not selected: {}", unselected(*why)),
    };
    let archived = if located.archived { " (archived)" } else { "" };
    vec![
        cell(&located.namespace),
        format!("{}{archived}", escape(&located.workflow)),
        cell(&artifact.node),
        cell(&artifact.name),
        artifact.verdict.as_str().to_owned(),
        artifact.reason.map_or("<none>", |reason| reason.code()).to_owned(),
        when(artifact.verdict, artifact.when).to_owned(),
        purge,
    ]
}

fn when(verdict: Verdict, when: Option<When>) -> &'static str {
    match (verdict, when) {
        (Verdict::Collected, _) => "has",
        (_, Some(When::Now)) => "now",
        (_, Some(When::OnCompletion)) => "when the workflow ends",
        (_, Some(When::OnDeletion)) => "when the workflow is deleted",
        (Verdict::Unknown | Verdict::Covered | Verdict::Endangered, None) => "<unknown>",
        (Verdict::Uncovered | Verdict::Failing | Verdict::Kept, None) => "never",
    }
}

fn referrer(found: &ReferrerReport) -> Vec<String> {
    let ReferrerReport { kind, namespace, name, cluster, role, protects, detail } = found;
    let role_word = match role {
        Role::Output => "output",
        Role::Input => "input",
        Role::Address => "address",
        Role::Text => "text",
    };
    let why = match (protects, role) {
        (false, _) => "the purge deletes it for this workflow too".to_owned(),
        (true, Role::Output) => "it records it as its own, and must not lose it".to_owned(),
        (true, Role::Input) => "it reads it, or may".to_owned(),
        (true, Role::Address) => "it contains its address".to_owned(),
        (true, Role::Text) => detail.clone(),
    };
    let cluster = if cluster.is_empty() { String::new() } else { format!(" (cluster {cluster})") };
    vec![
        format!("{}{}", escape(kind), escape(&cluster)),
        cell(namespace),
        cell(name),
        role_word.to_owned(),
        if *protects { "yes" } else { "no" }.to_owned(),
        escape(&why).into_owned(),
    ]
}

fn object(object: &ObjectReport, now: Timestamp) -> Vec<String> {
    let fate = match &object.fate {
        Fate::Deleted { namespace, workflow, artifact, reason, shared_with } => {
            let owner = match (namespace.as_str(), workflow.as_str()) {
                ("", "") => String::new(),
                ("", workflow) => format!(", of {workflow}"),
                (namespace, workflow) => format!(", artifact {artifact} of {namespace}/{workflow}"),
            };
            let shared = match &shared_with[..] {
                [] => String::new(),
                [other] => format!("; it is deleted for {other} too"),
                others => format!("; it is deleted for {} too", others.join(", ")),
            };
            format!("deleted: {reason}{owner}{shared}")
        }
        Fate::Kept { protection, detail } => {
            let detail = detail_of(*protection, detail);
            let colon = if detail.is_empty() { "" } else { ": " };
            format!("{}{colon}{detail}", protection.code())
        }
        Fate::Untouched { orphans: None } => "left alone".to_owned(),
        Fate::Untouched { orphans: Some(word) } => {
            let meaning = Word::parse(word).last().map(|word| word.meaning()).unwrap_or_default();
            format!("left alone; for orphans it is {word}: {meaning}")
        }
    };
    vec![
        escape(&object.location).into_owned(),
        if object.generation.is_empty() { "<none>".to_owned() } else { size(object.size) },
        cell(&object.generation),
        age(object.created, now),
        escape(&fate).into_owned(),
    ]
}
