//! An inspection in progress: counts assessments and prints them.

use crate::cli::inspect::arguments::Looks;
use crate::error::{Error, exit};
use crate::output::printer::Printer;
use crate::output::view::View;
use crate::output::writer::FormatWriter;
use crate::progress::Stage;
use crate::scan::assess::{Assessed, Sink};
use crate::scan::check::{check, tell_logins};
use crate::scan::check_report::check_by_report;
use crate::scan::selection::Name;
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::account::Account;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::verdict::Verdict;
use std::collections::BTreeSet;
use std::io::Write;

/// Workflows looked up in storage at a time.
const TOGETHER: usize = 100;

/// An inspection in progress, with its output.
pub(crate) struct Run<'s> {
    pub printer: Printer<&'s mut dyn Write>,
    pub inspection: Inspection,
    pub fail_on: &'s [Verdict],
    pub found: bool,
    /// The number of objects that could not be read.
    pub malformed: usize,
    /// Assessments that wait until storage is looked up, if that happens after everything was read.
    pub held: Option<Vec<Assessment>>,
    /// Whether accounts are judged by the roles among the files; else the server was asked.
    pub of_files: bool,
    /// The accounts of coming collections whose permissions these roles don't settle.
    pub unsettled: BTreeSet<Account>,
    /// Names that the user gave and that no workflow had yet.
    pub missing: BTreeSet<Name>,
    /// Told of workflows whose objects were looked for.
    pub looking: Option<Stage>,
}

impl<'s> Run<'s> {
    pub fn new(
        out: &'s mut dyn Write,
        view: View,
        format: Box<dyn FormatWriter>,
        fail_on: &'s [Verdict],
    ) -> Self {
        let (inspection, printer) = (Inspection::default(), Printer::new(out, view, format));
        Self {
            printer,
            inspection,
            fail_on,
            found: false,
            malformed: 0,
            held: None,
            of_files: false,
            unsettled: BTreeSet::new(),
            missing: BTreeSet::new(),
            looking: None,
        }
    }

    pub fn take(&mut self, assessment: Assessment) -> Result<(), Error> {
        self.missing.retain(|name| !name.is(&assessment.namespace, &assessment.name));
        if let Some(held) = &mut self.held {
            held.push(assessment);
            return Ok(());
        }
        if let Some(assessment) = self.inspection.add(assessment) {
            self.print(assessment)?;
        }
        Ok(())
    }

    fn print(&mut self, assessment: Assessment) -> Result<(), Error> {
        let findings = assessment.findings.iter().map(|finding| finding.verdict);
        self.found |= assessment.verdicts().chain(findings).any(|verdict| self.fail_on.contains(&verdict));
        Ok(self.printer.assessment(assessment)?)
    }

    /// Looks up in storage what was held, and prints it.
    pub async fn look_up(&mut self, looks: &Looks) -> Result<(), Error> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        let Looks { store, inventory, identities } = looks;
        let identities = identities.as_deref();
        if let Some(inventory) = inventory {
            tell_logins(held.iter(), identities);
            self.add_gaps(check_by_report(&mut held, inventory, store).await?);
            return held.into_iter().try_for_each(|assessment| self.take(assessment));
        }
        let mut held = held.into_iter().peekable();
        while held.peek().is_some() {
            let mut some: Vec<Assessment> = held.by_ref().take(TOGETHER).collect();
            self.add_gaps(check(&mut some.iter_mut().collect::<Vec<_>>(), store, identities).await);
            some.into_iter().try_for_each(|assessment| self.take(assessment))?;
        }
        Ok(())
    }

    /// Adds gaps, each only once.
    pub fn add_gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps {
            if !self.inspection.gaps.contains(&gap) {
                self.inspection.gaps.push(gap);
            }
        }
    }

    /// Ends the output, and returns the inspection with its gaps, and the exit code.
    pub fn finish(mut self) -> Result<(Inspection, u8), Error> {
        for assessment in self.inspection.finish() {
            self.print(assessment)?;
        }
        let code = match (self.found, self.malformed) {
            (true, _) => exit::FOUND,
            (false, 0) => exit::DONE,
            (false, _) => exit::PARTIAL,
        };
        self.printer.finish(&self.inspection)?;
        Ok((self.inspection, code))
    }
}

impl Sink for Run<'_> {
    fn assessed(&mut self, assessed: Assessed, context: &Context) -> Result<(), Error> {
        let Assessed { mut assessment, .. } = assessed;
        if self.of_files {
            let standing = |account: &Account| context.related.standing(account);
            let unsettled = |account: &Account| standing(account).is_none_or(|found| found.is_unknown());
            self.unsettled.extend(assessment.awaited_accounts().into_iter().filter(unsettled));
            assessment.foresee(standing);
        }
        self.take(assessment)
    }

    fn malformed(&mut self, what: String, why: String) {
        self.malformed += 1;
        self.inspection.gaps.push(Gap { what, why, effect: "it was left out".to_owned() });
    }

    fn gaps(&mut self, gaps: Vec<Gap>) {
        self.add_gaps(gaps);
    }

    fn looked_at(&mut self, workflows: u64) {
        if let Some(looking) = &self.looking {
            looking.add(workflows);
        }
    }
}
