//! Reads the facts about a controller from its Deployment and its ConfigMap.

use crate::argo::config::ControllerConfig;
use crate::argo::related::{ConfigMap, Container, Deployment};
use crate::argo::version::Version;
use crate::model::account::Account;
use crate::model::context::Controller;

/// common.ConfigMapName, workflow/common/common.go@v4.1.2.
const CONFIG_MAP: &str = "workflow-controller-configmap";

impl Controller {
    /// Reads a Deployment that runs a workflow controller; returns none for any other.
    pub fn from_deployment(deployment: &Deployment) -> Option<Self> {
        let container = container(deployment)?;
        let own = &deployment.metadata.namespace;
        // Without --namespaced the controller ignores --managed-namespace
        // (cmd/workflow-controller/main.go@v3.4.0, @v4.1.2).
        let managed_namespace = container
            .flag("namespaced")
            .is_some_and(|value| is_true(&value))
            .then(|| container.flag("managed-namespace").filter(|name| !name.is_empty()))
            .map(|named| named.unwrap_or_else(|| own.clone()));
        Some(Self {
            namespace: own.clone(),
            name: deployment.metadata.name.clone(),
            account: Account::new("", &deployment.spec.template.spec.service_account_name).name,
            within: None,
            version: Version::from_image(&container.image),
            instance_id: None,
            allows_overrides: container.allows_overrides(),
            gc_enabled: container.gc_enabled(),
            managed_namespace,
            config: None,
            replicas: deployment.spec.replicas,
            rights: None,
        })
    }

    /// Returns the service account that it runs as.
    pub fn account(&self) -> Account {
        Account::new(&self.namespace, &self.account)
    }

    /// Returns the name of the ConfigMap that a Deployment's controller reads.
    pub fn config_map_name(deployment: &Deployment) -> String {
        let named = container(deployment).and_then(|container| container.flag("configmap"));
        named.unwrap_or_else(|| CONFIG_MAP.to_owned())
    }

    /// Applies the settings of the ConfigMap.
    pub fn apply_config(&mut self, config: &ConfigMap) {
        let config = ControllerConfig::parse(config);
        self.instance_id.clone_from(&config.instance_id);
        // The command line overrides the ConfigMap (GetManagedNamespace,
        // workflow/controller/controller.go@v4.1.2).
        if self.managed_namespace.is_none() {
            self.managed_namespace.clone_from(&config.namespace);
        }
        self.config = Some(config);
    }

    /// Returns true if it may be the one that manages a workflow of this namespace and instance ID.
    pub(crate) fn may_manage(&self, namespace: &str, instance_id: &str) -> bool {
        self.managed_namespace.as_ref().is_none_or(|managed| managed == namespace)
            && self.within.as_ref().is_none_or(|within| within == namespace)
            && self.instance_id.as_ref().is_none_or(|own| own == instance_id)
    }

    /// Returns true if its configuration may say where a purge deletes: its account may manage the workflows of all
    /// namespaces, or of the one that the user named.
    pub fn may_widen(&self, named: Option<&str>) -> bool {
        self.within.as_ref().is_none_or(|within| named == Some(within))
    }

    /// Returns true if the controller archives workflows; none if this is unknown.
    pub(crate) fn archives(&self) -> Option<bool> {
        self.config.as_ref().and_then(|config| config.archives)
    }
}

/// Returns the container that runs the controller: by its image's name, or by its command where the image has another name,
/// as in OpenShift AI.
fn container(deployment: &Deployment) -> Option<&Container> {
    const PROGRAM: &str = "workflow-controller";
    deployment.spec.template.spec.containers.iter().find(|container| {
        let name = container.image.split('@').next().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        let runs =
            container.command.first().is_some_and(|program| program.rsplit('/').next() == Some(PROGRAM));
        runs || name.split(':').next().is_some_and(|name| name.ends_with(PROGRAM))
    })
}

impl Container {
    /// Returns the value of `--flag value`, `--flag=value` or a lone `--flag`, else of the environment variable
    /// `ARGO_FLAG`, which exists for every flag.
    fn flag(&self, name: &str) -> Option<String> {
        let mut words = self.command.iter().chain(&self.args).peekable();
        while let Some(word) = words.next() {
            let Some(rest) = word.strip_prefix("--").and_then(|word| word.strip_prefix(name)) else {
                continue;
            };
            match rest.strip_prefix('=') {
                Some(value) => return Some(value.to_owned()),
                None if rest.is_empty() => {
                    let value = words.next_if(|word| !word.starts_with('-'));
                    return Some(value.map_or_else(|| "true".to_owned(), Clone::clone));
                }
                None => {}
            }
        }
        let variable = format!("ARGO_{}", name.replace('-', "_").to_uppercase());
        let set = self.env.iter().rfind(|var| var.name == variable && !var.value.is_empty());
        set.map(|var| var.value.clone())
    }

    /// Returns true if it may have a list of fields that workflows may set (workflow/util/merge.go@v4.1.2).
    fn allows_overrides(&self) -> bool {
        self.env_from || self.env.iter().any(|var| var.name == "WORKFLOW_USER_OVERRIDE_ALLOWLIST")
    }

    /// Returns the value of `ARGO_ARTIFACT_GC_ENABLED`; none if it comes or may come from another object.
    fn gc_enabled(&self) -> Option<bool> {
        match self.env.iter().rfind(|var| var.name == "ARGO_ARTIFACT_GC_ENABLED") {
            Some(var) if var.value_from => None,
            Some(var) => Some(!is_false(&var.value)),
            None if self.env_from => None,
            None => Some(true),
        }
    }
}

/// Returns true for the values that Go's ParseBool reads as false.
fn is_false(value: &str) -> bool {
    matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False")
}

fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::related::{ConfigMap, Deployment};
    use crate::model::context::Controller;
    use serde_json::{Value, json};

    fn deployment(container: &Value) -> Deployment {
        let mut container = container.clone();
        container["image"] = json!("quay.io/argoproj/workflow-controller:v3.7.18@sha256:0");
        serde_json::from_value(json!({
            "metadata": { "name": "workflow-controller", "namespace": "argo" },
            "spec": { "template": { "spec": { "containers": [{ "name": "proxy", "image": "envoy:1" }, container] } } },
        }))
        .unwrap()
    }

    #[test]
    fn a_managed_namespace_counts_in_namespaced_mode_only() {
        let managed = |container: Value| {
            Controller::from_deployment(&deployment(&container)).unwrap().managed_namespace
        };
        assert_eq!(managed(json!({})), None);
        assert_eq!(managed(json!({ "args": ["--managed-namespace", "ml"] })), None);
        assert_eq!(managed(json!({ "args": ["--namespaced"] })).unwrap(), "argo");
        assert_eq!(managed(json!({ "args": ["--namespaced", "--managed-namespace", "ml"] })).unwrap(), "ml");
        assert_eq!(
            managed(json!({ "command": ["x", "--namespaced=true", "--managed-namespace=ml"] })).unwrap(),
            "ml"
        );
        assert_eq!(managed(json!({ "args": ["--namespaced=false", "--managed-namespace=ml"] })), None);
        let env = json!([
            { "name": "ARGO_NAMESPACED", "value": "true" }, { "name": "ARGO_MANAGED_NAMESPACE", "value": "ml" },
        ]);
        assert_eq!(managed(json!({ "env": env })).unwrap(), "ml");
    }

    #[test]
    fn a_controller_is_known_by_its_image_or_its_command() {
        let is_one = |image: &str, command: Value| {
            let container = json!({ "name": "c", "image": image, "command": command });
            let spec = json!({ "template": { "spec": { "containers": [container] } } });
            let deployment = json!({ "metadata": { "name": "c", "namespace": "argo" }, "spec": spec });
            Controller::from_deployment(&serde_json::from_value(deployment).unwrap()).is_some()
        };
        assert!(is_one("registry.example:5000/argoproj/workflow-controller:v3.7.0@sha256:0", json!([])));
        assert!(is_one(
            "quay.io/x/ds-pipelines-argo-workflowcontroller@sha256:0",
            json!(["workflow-controller"])
        ));
        assert!(is_one("mirror/argo:v4", json!(["/bin/workflow-controller", "--namespaced"])));
        assert!(!is_one("quay.io/argoproj/argocli:v3.7.0", json!(["argo", "server"])));
        assert!(!is_one("busybox", json!(["sh", "-c", "workflow-controller"])));
    }

    #[test]
    fn the_configmap_is_named_by_flag_or_environment() {
        let named = |container: Value| Controller::config_map_name(&deployment(&container));
        assert_eq!(named(json!({})), CONFIG_MAP);
        assert_eq!(named(json!({ "args": ["--configmap", "own"] })), "own");
        assert_eq!(named(json!({ "env": [{ "name": "ARGO_CONFIGMAP", "value": "own" }] })), "own");
    }

    #[test]
    fn a_switch_that_may_come_from_elsewhere_is_not_known() {
        let enabled =
            |container: Value| Controller::from_deployment(&deployment(&container)).unwrap().gc_enabled;
        let switch =
            |value: Value| json!({ "env": [{ "name": "ARGO_ARTIFACT_GC_ENABLED", "value": value }] });
        assert_eq!(enabled(json!({})), Some(true));
        assert_eq!(enabled(switch(json!("false"))), Some(false));
        // A value that ParseBool does not know means the default.
        assert_eq!(enabled(switch(json!("off"))), Some(true));
        assert_eq!(enabled(switch(Value::Null)), Some(true));
        let from = json!([{ "name": "ARGO_ARTIFACT_GC_ENABLED", "valueFrom": { "configMapKeyRef": { "name": "c" } } }]);
        assert_eq!(enabled(json!({ "env": from })), None);
        assert_eq!(enabled(json!({ "envFrom": [{ "configMapRef": { "name": "c" } }] })), None);
    }

    #[test]
    fn the_configmaps_namespace_comes_after_the_command_lines() {
        let config = |container: Value| {
            let mut controller = Controller::from_deployment(&deployment(&container)).unwrap();
            let data = [("namespace".to_owned(), "ml".to_owned())].into();
            controller.apply_config(&ConfigMap { data, ..ConfigMap::default() });
            controller.managed_namespace
        };
        assert_eq!(config(json!({})).unwrap(), "ml");
        assert_eq!(config(json!({ "args": ["--namespaced"] })).unwrap(), "argo");
    }
}
