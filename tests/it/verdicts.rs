//! Every fixture gives exactly the verdicts it says (see `tests/fixtures`), whatever the verdict.

use argo_gc::files;
use argo_gc::files::Object;
use argo_gc_core::argo::version::Version;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::endangered::EndangeredBuilder;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::account::{Answer, Standing};
use argo_gc_core::model::assessment::{Assessment, Note};
use argo_gc_core::model::context::{Context, Controller, Controllers, Related, RelatedKind};
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Finalizer;
use std::collections::{BTreeSet, HashMap};

use crate::support::fixture::{Fixture, normal};

impl Fixture {
    /// What the assessment says, in the words of the fixtures.
    fn actual(&self) -> BTreeSet<String> {
        let denied = self.lines("denied");
        let mut workflows: Vec<Workflow> = Vec::new();
        let mut related = Related::default();
        let mut deployments = Vec::new();
        let mut configs = HashMap::new();
        files::read_from("fixture", &mut self.text.as_bytes(), &mut |object, _| {
            match object {
                Object::Workflow(workflow) => workflows.push(*workflow),
                Object::GcTask(_) if denied.contains(&"workflowartifactgctasks") => {}
                Object::GcTask(task) => related.add_task(*task),
                Object::Pod(_) if denied.contains(&"pods") => {}
                Object::Pod(pod) => related.add_pod(*pod),
                Object::Event(event) => related.add_event(*event),
                Object::TaskResult(result) => related.add_result(*result),
                Object::Template(template) => related.add_template(&template),
                Object::Deployment(deployment) => deployments.push(deployment),
                Object::ConfigMap(config) => {
                    configs.insert(config.metadata.name.clone(), config);
                }
                Object::ClusterRole(role) => related.roles.add_role(*role),
                Object::ClusterRoleBinding(binding) => related.roles.add_binding(*binding),
                other => panic!("{}: {other:?}", self.path.display()),
            }
            true
        })
        .unwrap();
        for (kind, name) in [(RelatedKind::GcPods, "pods"), (RelatedKind::GcTasks, "workflowartifactgctasks")]
        {
            if !denied.contains(&name) {
                related.mark_read(kind, None);
            }
        }
        let standing = self.standing();
        for account in related.failed_accounts() {
            related.add_standing(account, standing.clone());
        }
        let seen: Vec<Controller> = deployments
            .iter()
            .filter_map(|deployment| {
                let mut controller = Controller::from_deployment(deployment)?;
                match configs.get(&Controller::config_map_name(deployment)) {
                    Some(config) => controller.apply_config(config),
                    None => controller.instance_id = Some(String::new()),
                }
                Some(controller)
            })
            .collect();
        let version = self.lines("argo-version").first().and_then(|text| Version::parse(text));
        let controllers = Controllers { seen, complete: true, version, ..Controllers::default() };
        let now = self.lines("now")[0].parse().unwrap();
        let context = Context { now, controllers, related };
        let mut inspection = Inspection::default();
        let mut rows = BTreeSet::new();
        // Workflows come from the API server by name.
        workflows.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        let mut done: Vec<Assessment> = Vec::new();
        let mut assessments: Vec<Assessment> =
            workflows.iter_mut().map(|workflow| assess(workflow, &context)).collect();
        assessments.iter_mut().for_each(|assessment| {
            assessment.foresee(|_| Some(standing.clone()));
        });
        // Whatever else the files hold, what one workflow keeps another's collection may take.
        let mut endangered = EndangeredBuilder::default();
        assessments.iter().for_each(|assessment| endangered.assessed(assessment));
        let endangered = endangered.finish();
        assessments.iter_mut().for_each(|assessment| endangered.mark(assessment));
        for assessment in assessments {
            done.extend(inspection.add(assessment));
        }
        done.extend(inspection.finish());
        for assessment in &done {
            self.rows(assessment, &mut rows);
        }
        rows
    }

    /// What is known of the accounts of all GC pods.
    fn standing(&self) -> Standing {
        let exists = Answer::from(self.lines("account") != ["missing"]);
        let rights = match self.lines("access-review").first() {
            None => Answer::Unknown,
            Some(answer) => Answer::from(*answer == "allowed"),
        };
        Standing::new(exists, [rights; 3])
    }

    fn rows(&self, assessment: &Assessment, rows: &mut BTreeSet<String>) {
        let name = &assessment.name;
        for artifact in &assessment.artifacts {
            let reason = artifact.reason.map_or("-", Reason::code);
            let verdict = artifact.verdict.as_str();
            // A fixture may name the node by its display name or its ID.
            let id = &artifact.node_id;
            let expects_id = self.lines("expect").iter().any(|line| line.split(' ').nth(1) == Some(id));
            let node = if expects_id { id } else { &artifact.node };
            let notes = notes(&artifact.notes);
            rows.insert(normal(&format!("{name} {node} {} {verdict} {reason} {notes}", artifact.name)));
        }
        if !self.lines("finalizer").is_empty() {
            rows.insert(normal(&format!("finalizer {}", finalizer(assessment.finalizer))));
        }
        for finding in &assessment.findings {
            let (verdict, reason) = (finding.verdict.as_str(), finding.reason.code());
            rows.insert(normal(&format!("workflow {name} {verdict} {reason} {}", notes(&assessment.notes))));
        }
        if assessment.findings.is_empty() && !assessment.notes.is_empty() {
            rows.insert(normal(&format!("workflow {name} - - {}", notes(&assessment.notes))));
        }
    }
}

fn finalizer(finalizer: Finalizer) -> &'static str {
    match finalizer {
        Finalizer::Absent => "absent",
        Finalizer::Present => "present",
        Finalizer::Stuck => "stuck",
    }
}

fn notes(notes: &[Note]) -> String {
    let mut codes: Vec<&str> = notes.iter().map(|note| note.reason.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    format!("[{}]", codes.join(","))
}

#[test]
fn every_fixture_gives_the_verdicts_it_says() {
    let mut wrong = Vec::new();
    for fixture in Fixture::all() {
        let (expected, actual) = (fixture.expected(), fixture.actual());
        assert!(!fixture.is_hit() || !expected.is_empty(), "{} expects nothing", fixture.path.display());
        if expected != actual {
            let missing: Vec<_> = expected.difference(&actual).take(5).collect();
            let extra: Vec<_> = actual.difference(&expected).take(5).collect();
            wrong.push(format!("{}\n  expected {missing:#?}\n  got {extra:#?}", fixture.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} fixtures:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_reason_told_from_objects_has_a_hit_and_a_miss() {
    let mut wrong = Vec::new();
    let hits = Fixture::all().into_iter().filter(Fixture::is_hit);
    let hit_reasons: BTreeSet<String> = hits
        .filter(|hit| hit.expected().iter().any(|row| row.split(' ').any(|word| word == hit.code())))
        .map(|hit| hit.code().to_owned())
        .collect();
    for fixture in Fixture::all() {
        assert!(Reason::from_code(fixture.code()).is_some(), "{} is no reason", fixture.code());
        // A miss may still carry the code as a suspicion beside another verdict, if the hit has it as reason.
        let only_a_note = !hit_reasons.contains(fixture.code());
        let mentioned = fixture.actual().iter().any(|row| {
            let (reason, notes) = row.split_once('[').unwrap();
            let noted = notes.trim_end_matches(']').split(',').any(|note| note == fixture.code());
            reason.split(' ').any(|word| word == fixture.code()) || noted && (only_a_note || fixture.is_hit())
        });
        if mentioned != fixture.is_hit() {
            wrong.push(fixture.path);
        }
    }
    assert!(wrong.is_empty(), "hits without their code, misses with it: {wrong:#?}");
}
