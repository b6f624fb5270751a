//! Examines workflows for `doctor`.

use crate::error::Error;
use crate::scan::assess::{Assessed, Sink};
use argo_gc_core::argo::related::ConfigMap;
use argo_gc_core::doctor::Doctor;
use argo_gc_core::doctor::facts::{RepositoryFacts, repositories_of};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::context::Context;
use argo_gc_core::model::gap::Gap;
use std::collections::BTreeMap;

/// The name by which a ConfigMap of repositories is known.
const REPOSITORIES: &str = "artifact-repositories";

/// A diagnosis in progress.
#[derive(Default)]
pub(crate) struct Examination {
    pub doctor: Doctor,
    pub inspection: Inspection,
    /// Whether a record could not be read.
    pub malformed: bool,
    /// The repositories of files' ConfigMaps.
    pub repositories: Vec<RepositoryFacts>,
    /// These ConfigMaps, by namespace.
    pub maps: BTreeMap<String, ConfigMap>,
}

impl Examination {
    /// Whether nothing was found, neither workflows nor records that can't be read.
    pub fn is_empty(&self) -> bool {
        self.inspection.summary.workflows == 0 && !self.malformed
    }

    /// Examines the workflows that waited for others.
    pub fn settle(&mut self, context: &Context) {
        for assessment in self.inspection.finish() {
            self.doctor.examine(&assessment, context);
        }
    }
}

impl Sink for Examination {
    fn assessed(&mut self, assessed: Assessed, context: &Context) -> Result<(), Error> {
        let Assessed { assessment, workflow } = assessed;
        if let Some(workflow) = &workflow {
            self.doctor.notice(workflow, context);
        }
        if let Some(assessment) = self.inspection.add(assessment) {
            self.doctor.examine(&assessment, context);
        }
        Ok(())
    }

    fn malformed(&mut self, what: String, why: String) {
        self.malformed = true;
        self.inspection.gaps.push(Gap { what, why, effect: "it was left out".to_owned() });
    }

    fn gaps(&mut self, gaps: Vec<Gap>) {
        self.inspection.gaps.extend(gaps);
    }

    fn config_map(&mut self, config: &ConfigMap) {
        if config.metadata.name == REPOSITORIES {
            repositories_of(config, &mut self.repositories, &mut self.inspection.gaps);
            self.maps.insert(config.metadata.namespace.clone(), config.clone());
        }
    }
}
