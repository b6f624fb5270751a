//! Finds out what a variable in an inline body refers to.
//!
//! Argo replaces variables in the JSON of a whole template, the inline bodies in it included, before these have
//! inputs of their own (ProcessArgs and SubstituteParams in workflow/common/util.go, resolveReferences and
//! expandStep in workflow/controller/steps.go, @f016ad89eb). So if an enclosing template knows a name, the body gets
//! that template's value, the outermost template's first; only the other names are the body's own.

use crate::fix::vars;
use serde_json::Value;
use std::collections::BTreeSet;

/// One template around an inline body, and the step in it that contains the body.
#[derive(Debug, Clone)]
pub(crate) struct Level<'v> {
    template: &'v Value,
    step: &'v Value,
}

/// What must be done with a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The variable has the same value in a named template.
    Keep,
    /// It is the enclosing template's, and must be handed over as a parameter of this name, if the name is free.
    Pass(String),
    Refuse(&'static str),
}

impl<'v> Level<'v> {
    pub fn new(template: &'v Value, step: &'v Value) -> Self {
        Self { template, step }
    }

    fn loops(&self) -> bool {
        ["withItems", "withParam", "withSequence"].iter().any(|field| !self.step[field].is_null())
    }

    fn retries(&self) -> bool {
        !self.template["retryStrategy"].is_null()
    }

    /// Whether the step may have an argument of a task: it is none of this template's, or the step depends on it.
    fn waits_for(&self, task: &str) -> bool {
        if self.template["dag"].is_null() || !siblings(self.template).contains(task) {
            return true;
        }
        let mut ahead: Vec<&str> = self.step["name"].as_str().into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = ahead.pop() {
            let tasks = self.template["dag"]["tasks"].as_array().into_iter().flatten();
            for before in tasks.filter(|step| step["name"] == name).flat_map(dependencies) {
                if before == task {
                    return true;
                }
                if seen.insert(before) {
                    ahead.push(before);
                }
            }
        }
        false
    }

    /// The beginning of its variables: `steps` or `tasks`.
    fn prefix(&self) -> &'static str {
        if self.template["dag"].is_null() { "steps" } else { "tasks" }
    }
}

/// The names of the tasks that a task names in `dependencies` or `depends`, as `a`, `a.Succeeded && !b`.
fn dependencies(task: &Value) -> Vec<&str> {
    let listed = task["dependencies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let depends = task["depends"].as_str().unwrap_or_default();
    let words = depends.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    listed.chain(words.filter_map(|word| word.split('.').next()).filter(|word| !word.is_empty())).collect()
}

/// The names that a template's inputs or outputs declare.
fn declares(template: &Value, side: &str, what: &str, name: &str) -> bool {
    let listed = template[side][what].as_array();
    listed.into_iter().flatten().any(|item| item["name"] == name)
}

/// The names of a template's own steps or tasks.
pub(crate) fn siblings(template: &Value) -> BTreeSet<&str> {
    let steps = template["steps"].as_array().into_iter().flatten();
    let steps = steps.flat_map(|group| match group {
        Value::Array(steps) => steps.iter().collect::<Vec<_>>(),
        step => vec![step],
    });
    let tasks = template["dag"]["tasks"].as_array().into_iter().flatten();
    steps.chain(tasks).filter_map(|step| step["name"].as_str()).collect()
}

/// The fate of a tag in a body. The outermost of `levels` is first.
pub(crate) fn fate(tag: &str, levels: &[Level<'_>], body: &Value) -> Fate {
    if tag.starts_with(['.', '`', '$', '-']) {
        return Fate::Refuse("it is a chart's and not Argo's; render the chart first");
    }
    // Argo resolves the innermost variable of such a text, and leaves the braces around it (simpleReplace in
    // util/template/simple_template.go@v4.1.2).
    if tag.contains("{{") {
        return Fate::Refuse("a variable stands inside other braces");
    }
    if let Some(expression) = tag.strip_prefix('=') {
        return of_expression(expression, levels, body);
    }
    let parts: Vec<&str> = tag.split('.').collect();
    match parts.as_slice() {
        ["inputs", "parameters"] => {
            Fate::Refuse("{{inputs.parameters}} is the list of the enclosing template's parameters")
        }
        ["inputs", "parameters", ..] => {
            let name = tag.trim_start_matches("inputs.parameters.");
            if !levels.iter().any(|level| declares(level.template, "inputs", "parameters", name)) {
                return Fate::Keep;
            }
            if declares(body, "inputs", "parameters", name) {
                return Fate::Refuse("an input of the body has the name of one of the enclosing template's");
            }
            Fate::Pass(name.to_owned())
        }
        [side @ ("inputs" | "outputs"), what @ ("artifacts" | "parameters"), name, "path"] => {
            match levels.iter().any(|level| declares(level.template, side, what, name)) {
                true => {
                    Fate::Refuse("it may take the path of an artifact or output of the enclosing template")
                }
                false => Fate::Keep,
            }
        }
        ["item", ..] => match levels.iter().filter(|level| level.loops()).count() {
            0 => Fate::Keep,
            1 => Fate::Pass(sanitized(tag)),
            _ => Fate::Refuse("{{item}} may be that of more than one loop"),
        },
        ["steps" | "tasks", "name"] | ["node", "name"] => {
            Fate::Refuse("the variable may name the enclosing node rather than its own")
        }
        [prefix @ ("steps" | "tasks"), name, rest @ ..] => {
            let outer = levels
                .iter()
                .any(|level| level.prefix() == *prefix && siblings(level.template).contains(name));
            match outer {
                false => Fate::Keep,
                true if siblings(body).contains(name) => {
                    Fate::Refuse("a step of the body has the name of one of the enclosing template's")
                }
                true if rest.contains(&"artifacts") => {
                    Fate::Refuse("an artifact of the enclosing template can't be handed over as a parameter")
                }
                true if *prefix == "tasks" && !levels.iter().all(|level| level.waits_for(name)) => {
                    Fate::Refuse(
                        "the task does not depend on that one, and Argo refuses such an argument; add the dependency",
                    )
                }
                true => Fate::Pass(sanitized(tag)),
            }
        }
        ["retries"] | ["lastRetry", ..] if levels.iter().any(Level::retries) => {
            Fate::Refuse("it may count the retries of the enclosing template")
        }
        _ => Fate::Keep,
    }
}

/// Expressions are not rewritten. One that uses more of the enclosing templates than a parameter is refused.
fn of_expression(expression: &str, levels: &[Level<'_>], body: &Value) -> Fate {
    let words = vars::words(expression);
    let has = |word: &str| words.contains(&word);
    if has("item") && levels.iter().any(Level::loops) {
        return Fate::Refuse(
            "an expression uses {{item}} of the enclosing step; hand it over in the step's arguments, and use the body's own input",
        );
    }
    let refers = has("steps") || has("tasks");
    let outer = || levels.iter().flat_map(|level| siblings(level.template));
    if refers && (siblings(body).is_empty() || outer().any(|name| expression.contains(name))) {
        return Fate::Refuse(
            "an expression uses steps or tasks of the enclosing template; hand the value over in the step's arguments, and use \
             the body's own input",
        );
    }
    if has("node") || (has("retries") || has("lastRetry")) && levels.iter().any(Level::retries) {
        return Fate::Refuse("an expression may use values of the enclosing node");
    }
    if has("inputs")
        && levels.iter().any(|level| {
            !level.template["inputs"].is_null() && level.template["inputs"] != serde_json::json!({})
        })
    {
        return Fate::Refuse("an expression uses inputs, which may be the enclosing template's");
    }
    Fate::Keep
}

/// The name of a parameter, made from a variable's name.
fn sanitized(tag: &str) -> String {
    let ordinary = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    tag.chars().map(ordinary).collect()
}
