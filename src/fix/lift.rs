//! Turns inline bodies into named templates, one at a time, the innermost first.

use crate::fix::edit::{Edits, Layout, Parameter, Spot};
use crate::fix::outcome::{Barred, Fixed, Refusal, kind, means, read};
use crate::fix::scope::{Fate, Level};
use crate::fix::{LAYOUT, edit, moved, scope, vars};
use crate::syntax::source::{Document, Source};
use crate::syntax::tree::{Node, SyntaxError};
use argo_gc_core::lint::path::FieldPath;
use argo_gc_core::lint::types::ManifestKind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The longest name of a template (workflowFieldMaxLength, workflow/validate/validate.go@v4.1.2).
const LONGEST: usize = 128;

/// An inline body, named by its step or task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    document: usize,
    step: FieldPath,
}

/// Lifts the inline bodies that can be lifted without changing what they do, in all documents that are not barred.
///
/// Argo validates only the first inline body of a manifest (all have one name, the empty one, in
/// workflow/validate/validate.go@v4.1.2). A body that stays and uses variables of the template around it may become
/// the first, and be refused; then all bodies of its manifest stay.
///
/// # Errors
/// The text can't be read.
pub fn lift(text: &str, barred: &Barred) -> Result<Fixed, SyntaxError> {
    let given = read(text)?;
    // What can't be lifted anyway has that reason in a document that is barred, too.
    let mut left = match barred.is_empty() {
        true => BTreeMap::new(),
        false => Pass::over(text, &Barred::new(), BTreeMap::new())?.left,
    };
    let mut barred = barred.clone();
    loop {
        let pass = Pass::over(text, &barred, left)?;
        let Some((document, why)) = pass.torn(&given) else { return Ok(pass.finish(&given, &barred)) };
        barred.insert(document, why);
        left = pass.left;
    }
}

/// One try to lift everything.
struct Pass {
    text: String,
    /// The documents in which a body was lifted.
    lifted: BTreeSet<usize>,
    changed: usize,
    left: BTreeMap<Place, String>,
}

impl Pass {
    fn over(text: &str, barred: &Barred, left: BTreeMap<Place, String>) -> Result<Self, SyntaxError> {
        let mut pass = Self { text: text.to_owned(), lifted: BTreeSet::new(), changed: 0, left };
        let mut source = read(text)?;
        while let Some(place) = next(&source, &pass.left, barred) {
            match lift_one(&source, &place) {
                Ok(text) => {
                    source = read(&text)?;
                    pass.text = text;
                    pass.lifted.insert(place.document);
                    pass.changed += 1;
                }
                Err(why) => {
                    pass.left.insert(place, why);
                }
            }
        }
        Ok(pass)
    }

    /// The first document that was lifted in part though a body that stays uses variables of the template around it.
    fn torn(&self, given: &Source) -> Option<(usize, String)> {
        self.left.keys().filter(|place| self.lifted.contains(&place.document)).find_map(|place| {
            let document = given.documents.get(place.document)?;
            let tag = taken(document, &place.step)?;
            let name = document.at(&place.step).get("name").and_then(Node::text).unwrap_or_default();
            let why = format!(
                "the inline template of {name:?} has to stay and uses {{{{{tag}}}}}, which Argo refuses in \
                 the first inline template of a manifest; so all are moved, or none"
            );
            Some((place.document, why))
        })
    }

    fn finish(mut self, given: &Source, barred: &Barred) -> Fixed {
        for (number, why) in barred {
            let Some(document) = given.documents.get(*number) else { continue };
            for step in bodies(document) {
                self.left.entry(Place { document: *number, step }).or_insert_with(|| why.clone());
            }
        }
        // Lifting a body does not change the paths of the others.
        let refusal = |(place, why): (Place, String)| {
            let step = given.documents.get(place.document)?.at(&place.step);
            let inline = step.entry("inline").map_or(step, |(key, _)| key);
            let name = step.get("name").and_then(Node::text).unwrap_or_default();
            let (line, column) = (inline.line, inline.column);
            Some(Refusal { line, column, what: format!("the inline template of {name:?}"), why })
        };
        let mut refused: Vec<Refusal> = self.left.into_iter().filter_map(refusal).collect();
        refused.sort();
        Fixed { text: self.text, changed: self.changed, refused }
    }
}

/// The first variable of the templates around a body that the body takes, outside expressions: these are not validated.
fn taken(document: &Document, step: &FieldPath) -> Option<String> {
    let spec = kind(document)?.spec_path();
    let levels = levels(&document.value, step, &spec)?;
    let inline = step.key("inline");
    let body = inline.of(&document.value)?;
    let mut scalars = Vec::new();
    document.at(&inline).scalars(&mut scalars);
    let tags = scalars.into_iter().flat_map(|scalar| vars::tags(scalar.text().unwrap_or_default()));
    let mut outer = tags.map(|(_, tag)| tag).filter(|tag| !tag.starts_with('='));
    outer.find(|tag| scope::fate(tag, &levels, body) != Fate::Keep).map(str::to_owned)
}

/// The innermost inline body that is not refused. Bodies around a refused one are refused too.
fn next(source: &Source, left: &BTreeMap<Place, String>, barred: &Barred) -> Option<Place> {
    let open = source.documents.iter().enumerate().filter(|(number, _)| !barred.contains_key(number));
    let mut places =
        open.flat_map(|(number, document)| bodies(document).into_iter().map(move |step| (number, step)));
    places.find_map(|(document, step)| {
        let place = Place { document, step };
        (!left.contains_key(&place)).then_some(place)
    })
}

/// The steps of a manifest that have inline bodies, the innermost of each template first.
fn bodies(document: &Document) -> Vec<FieldPath> {
    let mut found = Vec::new();
    let Some(kind) = kind(document) else { return found };
    let templates = kind.spec_path().key("templates");
    let listed = templates.of(&document.value).and_then(Value::as_array).into_iter().flatten();
    listed.enumerate().for_each(|(at, template)| inner(template, &templates.index(at), &mut found));
    found
}

/// All steps below a template that have inline bodies, the innermost first.
fn inner(template: &Value, path: &FieldPath, found: &mut Vec<FieldPath>) {
    for step_path in steps(template, path) {
        // The path is relative to the document, so the template's part is skipped.
        let below = FieldPath(step_path.0[path.0.len()..].to_vec());
        let Some(step) = below.of(template) else { continue };
        if step["inline"].is_object() {
            inner(&step["inline"], &step_path.key("inline"), found);
            found.push(step_path);
        }
    }
}

fn steps(template: &Value, path: &FieldPath) -> Vec<FieldPath> {
    let mut all = Vec::new();
    let groups = path.key("steps");
    for (at, group) in template["steps"].as_array().into_iter().flatten().enumerate() {
        match group {
            Value::Array(steps) => all.extend((0..steps.len()).map(|step| groups.index(at).index(step))),
            _ => all.push(groups.index(at)),
        }
    }
    let tasks = path.key("dag").key("tasks");
    let count = template["dag"]["tasks"].as_array().map_or(0, Vec::len);
    all.extend((0..count).map(|at| tasks.index(at)));
    all
}

/// The templates around a step, the outermost first, each with its step on the path.
fn levels<'v>(value: &'v Value, step: &FieldPath, spec: &FieldPath) -> Option<Vec<Level<'v>>> {
    let mut levels = Vec::new();
    // The outermost template is spec.templates[i]; each `inline` begins another.
    let mut template = FieldPath(step.0[..spec.0.len() + 2].to_vec());
    for end in spec.0.len() + 2..step.0.len() {
        let is_inline = step.0[end] == argo_gc_core::lint::path::Part::Key("inline".to_owned());
        if is_inline {
            let holder = FieldPath(step.0[..end].to_vec());
            levels.push(Level::new(template.of(value)?, holder.of(value)?));
            template = holder.key("inline");
        }
    }
    levels.push(Level::new(template.of(value)?, step.of(value)?));
    Some(levels)
}

/// The parameters that must be handed over, and the new names of the body's variables.
struct Plan {
    parameters: Vec<Parameter>,
    renamed: BTreeMap<String, String>,
}

fn lift_one(source: &Source, place: &Place) -> Result<String, String> {
    let document = &source.documents[place.document];
    let Some(kind) = kind(document) else { return Err(LAYOUT.to_owned()) };
    check(document, &place.step)?;
    let value = &document.value;
    let step = place.step.of(value).ok_or(LAYOUT)?;
    let body = &step["inline"];
    if !step["template"].is_null() || !step["templateRef"].is_null() {
        return Err("the step names a template as well".to_owned());
    }
    let mut nested = Vec::new();
    inner(body, &FieldPath::default(), &mut nested);
    if !nested.is_empty() {
        return Err("it contains an inline template that can't be moved".to_owned());
    }
    let levels = levels(value, &place.step, &kind.spec_path()).ok_or(LAYOUT)?;
    let plan = plan(document.at(&place.step.key("inline")), body, step, &levels)?;
    let handed = hand_over(source, place, &plan)?;
    let source = read(&handed).map_err(|_| LAYOUT)?;
    let name = free_name(source.documents.get(place.document).ok_or(LAYOUT)?, kind, &place.step);
    if name.len() > LONGEST {
        return Err(format!(
            "the new template's name would have more than the {LONGEST} characters that Argo takes"
        ));
    }
    rename(&source, place, kind, &name)
}

/// Anchors, aliases, tags and merges make a text depend on other places.
fn check(document: &Document, step: &FieldPath) -> Result<(), String> {
    const TIED: &str = "anchors, aliases or tags tie it to other places of the file";
    let mut path = FieldPath::default();
    for part in &step.0 {
        if document.at(&path).entangled {
            return Err(TIED.to_owned());
        }
        path.0.push(part.clone());
    }
    if document.at(step).is_entangled() {
        return Err(TIED.to_owned());
    }
    match document.at(step).entry("inline") {
        Some(_) => Ok(()),
        None => Err(LAYOUT.to_owned()),
    }
}

fn plan(node: &Node, body: &Value, step: &Value, levels: &[Level<'_>]) -> Result<Plan, String> {
    let names = |list: &Value| -> BTreeSet<String> {
        let listed = list.as_array().into_iter().flatten();
        listed.filter_map(|item| Some(item["name"].as_str()?.to_owned())).collect()
    };
    let mut taken = names(&body["inputs"]["parameters"]);
    taken.extend(names(&step["arguments"]["parameters"]));
    let mut plan = Plan { parameters: Vec::new(), renamed: BTreeMap::new() };
    // A template's inputs are not resolved before they are used, so their values must be handed over as arguments.
    let own_inputs = node.get("inputs").map_or(0..0, |inputs| inputs.span.clone());
    let mut scalars = Vec::new();
    node.scalars(&mut scalars);
    for scalar in scalars {
        for (_, tag) in vars::tags(scalar.text().unwrap_or_default()) {
            let in_inputs = own_inputs.contains(&scalar.span.start);
            if in_inputs && scope::fate(tag, levels, body) != Fate::Keep {
                return Err(format!(
                    "{{{{{tag}}}}}: an input of the body takes it; hand it over in the arguments"
                ));
            }
            if plan.renamed.contains_key(tag) {
                continue;
            }
            match scope::fate(tag, levels, body) {
                Fate::Keep => {}
                Fate::Refuse(why) => return Err(format!("{{{{{tag}}}}}: {why}")),
                Fate::Pass(wanted) => {
                    let name = unique(&wanted, |name| taken.contains(name));
                    taken.insert(name.clone());
                    plan.parameters.push((name.clone(), Some(format!("{{{{{tag}}}}}"))));
                    plan.renamed.insert(tag.to_owned(), vars::parameter(&name));
                }
            }
        }
    }
    Ok(plan)
}

/// The name, or the name with the first number that is free.
fn unique(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while taken(&name) {
        name = format!("{wanted}-{number}");
        number += 1;
    }
    name
}

/// Adds the arguments to the step and the inputs to the body, and renames the body's variables.
fn hand_over(source: &Source, place: &Place, plan: &Plan) -> Result<String, String> {
    if plan.parameters.is_empty() {
        return Ok(source.text.clone());
    }
    let document = &source.documents[place.document];
    let step = document.at(&place.step);
    let layout = Layout::near(&source.text, step.span.start);
    let (_, body) = step.entry("inline").ok_or(LAYOUT)?;
    let mut edits = Edits::default();
    let with = |tag: &str| plan.renamed.get(tag).cloned();
    let mut scalars = Vec::new();
    body.scalars(&mut scalars);
    for scalar in scalars {
        let text = scalar.text().unwrap_or_default();
        let raw = source.text.get(scalar.span.clone()).ok_or(LAYOUT)?;
        let changed: Vec<_> = vars::tags(raw).into_iter().filter(|(_, tag)| with(tag).is_some()).collect();
        let meant = vars::tags(text).into_iter().filter(|(_, tag)| with(tag).is_some()).count();
        if changed.len() != meant {
            return Err("a variable is written with escapes or over several lines".to_owned());
        }
        for (range, tag) in changed {
            let new = with(tag).unwrap_or_default();
            if raw[range.clone()] != new {
                let start = scalar.span.start;
                edits.replace(start + range.start..start + range.end, new);
            }
        }
    }
    let inputs: Vec<Parameter> = plan.parameters.iter().map(|(name, _)| (name.clone(), None)).collect();
    edit::add_parameters(&mut edits, &layout, body, "inputs", &inputs, Spot::First).ok_or(LAYOUT)?;
    let spot = Spot::After(body);
    edit::add_parameters(&mut edits, &layout, step, "arguments", &plan.parameters, spot).ok_or(LAYOUT)?;
    let text = edits.apply(&source.text).ok_or(LAYOUT)?;

    let mut expected = document.value.clone();
    let holder = place.step.of_mut(&mut expected).ok_or(LAYOUT)?;
    vars::replace_in(&mut holder["inline"], &with);
    push(&mut holder["inline"]["inputs"]["parameters"], &inputs);
    push(&mut holder["arguments"]["parameters"], &plan.parameters);
    if means(&text, source, place.document, &expected) { Ok(text) } else { Err(LAYOUT.to_owned()) }
}

fn push(list: &mut Value, parameters: &[Parameter]) {
    if list.is_null() {
        *list = json!([]);
    }
    for (name, value) in parameters {
        let item = match value {
            Some(value) => json!({ "name": name, "value": value }),
            None => json!({ "name": name }),
        };
        if let Value::Array(items) = list {
            items.push(item);
        }
    }
}

/// A name for the new template: the step's, else the enclosing template's and the step's, else one with a number.
fn free_name(document: &Document, kind: ManifestKind, step: &FieldPath) -> String {
    let spec = kind.spec_path();
    let templates = spec.key("templates");
    let mut taken = BTreeSet::new();
    let listed = templates.of(&document.value).and_then(Value::as_array).into_iter().flatten();
    taken.extend(listed.filter_map(|template| template["name"].as_str().map(str::to_owned)));
    // A name that is referred to may be that of a template in another file.
    referred(&document.value, &mut taken);
    let text =
        |path: FieldPath| path.of(&document.value).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ordinary = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let own: String = text(step.key("name")).chars().map(ordinary).collect();
    let own = if own.is_empty() { "lifted".to_owned() } else { own };
    if !taken.contains(&own) {
        return own;
    }
    let outer = text(FieldPath(step.0[..spec.0.len() + 2].to_vec()).key("name"));
    let longer = if outer.is_empty() { own } else { format!("{outer}-{own}") };
    unique(&longer, |name| taken.contains(name))
}

fn referred(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let ("template" | "entrypoint" | "onExit", Some(name)) = (key.as_str(), value.as_str()) {
                    into.insert(name.to_owned());
                }
                referred(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, into)),
        _ => {}
    }
}

/// Moves the body to the end of the templates and lets the step refer to it by name.
fn rename(source: &Source, place: &Place, kind: ManifestKind, name: &str) -> Result<String, String> {
    let document = source.documents.get(place.document).ok_or(LAYOUT)?;
    let templates_path = kind.spec_path().key("templates");
    let templates = document.at(&templates_path);
    let (key, body) = document.at(&place.step).entry("inline").ok_or(LAYOUT)?;
    let layout = Layout::near(&source.text, key.span.start);
    let mut edits = Edits::default();
    let last = templates.items().last().ok_or(LAYOUT)?;
    let beside = Layout::near(&source.text, last.span.start);
    let flow_body = edit::is_flow(body);
    let quoted = source.text[key.span.clone()].starts_with('"');
    let pointer =
        format!("{}: {}", if quoted { "\"template\"" } else { "template" }, edit::scalar(name, quoted));
    let moved = if flow_body {
        edits.replace(key.span.start..body.span.end, pointer);
        moved::flow(&beside, templates, last, key, body, name)?
    } else {
        let colon = source.text[key.span.end..].find(':').ok_or(LAYOUT)? + key.span.end + 1;
        let rest_end = layout.line_end(colon);
        let rest = &source.text[colon..rest_end];
        let first = rest_end;
        let end = layout.block_end(body, body.column - 1);
        // A comment after the key is left with the step.
        let tail = if rest.trim().is_empty() { layout.newline } else { rest };
        let tail =
            if end == source.text.len() && !source.text.ends_with('\n') { tail.trim_end() } else { tail };
        edits.replace(key.span.start..end, format!("{pointer}{tail}"));
        moved::block(&beside, last, templates, source.text.get(first..end).ok_or(LAYOUT)?, body, name)
    };
    if edit::is_flow(templates) {
        edits.insert(last.span.end, moved);
    } else {
        let at = beside.block_end(last, templates.column);
        edits.insert(at, beside.lines(at, &moved));
    }
    let text = edits.apply(&source.text).ok_or(LAYOUT)?;

    let mut expected = document.value.clone();
    let step = place.step.of_mut(&mut expected).and_then(Value::as_object_mut).ok_or(LAYOUT)?;
    let mut body = step.remove("inline").ok_or(LAYOUT)?;
    step.insert("template".to_owned(), name.into());
    body["name"] = name.into();
    templates_path.of_mut(&mut expected).and_then(Value::as_array_mut).ok_or(LAYOUT)?.push(body);
    if means(&text, source, place.document, &expected) { Ok(text) } else { Err(LAYOUT.to_owned()) }
}
