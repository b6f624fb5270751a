//! Assesses the workflows of files. A first pass reads the related objects, and a second pass assesses the workflows.
//! What can't be read is handed on as such.

use crate::error::Error;
use crate::files;
use crate::files::{Input, InputError, Object};
use crate::scan::assess::{Assessed, Sink, without_contents};
use crate::scan::files::FileContext;
use crate::scan::request::FilesRequest;
use crate::scan::selection::Seen;
use argo_gc_core::argo::list::Malformed;
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::model::context::{Context, Controllers, Related};
use argo_gc_core::model::gap::Gap;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::Read;

/// What files held.
pub(crate) struct FilesRead {
    pub context: Context,
    /// How many objects of other kinds were left out.
    pub others: BTreeMap<String, usize>,
    /// How many workflows came a second time.
    pub repeated: u64,
}

/// Reads all inputs.
///
/// # Errors
/// The only input can't be read, or the output not be written.
pub(crate) fn read(
    request: &FilesRequest,
    stdin: &mut dyn Read,
    now: Timestamp,
    sink: &mut dyn Sink,
) -> Result<FilesRead, Error> {
    let context = Context { now, controllers: Controllers::default(), related: Related::default() };
    let read = FilesRead { context, others: BTreeMap::new(), repeated: 0 };
    let mut reader = FileReader {
        request,
        read,
        related: FileContext::default(),
        seen: Seen::default(),
        held: Vec::new(),
        assessed: 0,
        sink,
    };
    for input in request.inputs.iter().filter(|input| !input.is_read_once()) {
        reader.related_objects(input);
    }
    let (pipes, rest): (Vec<&Input>, Vec<&Input>) =
        request.inputs.iter().partition(|input| request.holds_pipes && input.is_read_once());
    for input in pipes {
        reader.input(input, stdin)?;
    }
    reader.settle();
    for workflow in std::mem::take(&mut reader.held) {
        reader.workflow(Box::new(workflow))?;
    }
    for input in rest {
        reader.input(input, stdin)?;
    }
    reader.settle();
    Ok(reader.read)
}

/// A reading in progress.
struct FileReader<'a> {
    request: &'a FilesRequest,
    read: FilesRead,
    /// Related objects that are not in the context yet.
    related: FileContext,
    seen: Seen,
    /// Workflows of pipes that wait for the objects that come after them.
    held: Vec<Workflow>,
    /// How many workflows were assessed.
    assessed: u64,
    sink: &'a mut dyn Sink,
}

impl FileReader<'_> {
    /// Reads the related objects of an input. What can't be read is reported when the workflows are read.
    fn related_objects(&mut self, input: &Input) {
        let _ = files::read(input, &mut std::io::empty(), &mut |object, _| {
            self.related(object);
            true
        });
    }

    fn related(&mut self, object: Object) {
        if let Object::ConfigMap(config) = &object {
            self.sink.config_map(config);
        }
        self.related.add(object);
    }

    /// Moves the related objects into the context.
    fn settle(&mut self) {
        let FilesRequest { argo_version, controller_namespace, .. } = self.request;
        self.related.settle(&mut self.read.context, *argo_version, controller_namespace.as_deref());
    }

    /// Reads an input to its end.
    fn input(&mut self, input: &Input, stdin: &mut dyn Read) -> Result<(), Error> {
        let piped = input.is_read_once();
        let holds = piped && self.request.holds_pipes;
        let mut late = 0;
        let mut failure = None;
        let end = files::read(input, stdin, &mut |object, _| {
            match object {
                Object::Workflow(workflow) if has_not_run(&workflow) => {
                    self.left_out("Workflow that has not run".to_owned());
                }
                Object::Workflow(workflow) if self.is_repeated(&workflow.metadata) => {}
                Object::Workflow(workflow) if holds => self.held.push(*workflow),
                Object::Workflow(workflow) => {
                    self.settle();
                    failure = self.workflow(workflow).err();
                }
                Object::Malformed(Malformed { name, error }) => {
                    self.sink.malformed(format!("{name} in {input}"), error);
                }
                Object::Other(kind) => self.left_out(kind),
                object if piped => {
                    late += usize::from(self.assessed > 0);
                    self.related(object);
                }
                // The first pass has read it.
                _ => {}
            }
            failure.is_none()
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        if late > 0 {
            self.sink.gaps(vec![Gap {
                what: format!("{late} objects that came after workflows on {input}"),
                why: format!("{input} is read once"),
                effect: "put them first, or use a file".to_owned(),
            }]);
        }
        match end {
            Err(InputError::Io(name, cause)) if self.request.inputs.len() > 1 => {
                self.sink.malformed(name, cause.to_string());
            }
            Err(error @ InputError::Syntax { .. }) => {
                self.sink.malformed("the rest of the input".to_owned(), error.to_string());
            }
            other => other?,
        }
        Ok(())
    }

    fn workflow(&mut self, mut workflow: Box<Workflow>) -> Result<(), Error> {
        if !self.request.selection.takes(&workflow) {
            return Ok(());
        }
        let context = &self.read.context;
        let mut assessment = assess(&mut workflow, context);
        if let Some(endangered) = &self.request.endangered {
            endangered.mark(&mut assessment);
        }
        self.assessed += 1;
        let workflow = Some(without_contents(workflow));
        self.sink.assessed(Assessed { assessment, workflow }, context)
    }

    fn left_out(&mut self, kind: String) {
        *self.read.others.entry(kind).or_default() += 1;
    }

    /// The very same object, as of a file that is also in a directory; an older state of it is another.
    fn is_repeated(&mut self, Meta { uid, resource_version, .. }: &Meta) -> bool {
        let new = uid.is_empty() || self.seen.is_new(&format!("{uid} {resource_version}"));
        self.read.repeated += u64::from(!new);
        !new
    }
}

/// A manifest rather than a captured object: verdicts need what the controller recorded.
fn has_not_run(workflow: &Workflow) -> bool {
    let status = &workflow.status;
    status.phase.is_empty() && status.nodes.is_empty() && workflow.metadata.uid.is_empty()
}
