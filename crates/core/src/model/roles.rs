//! Evaluates roles and bindings as Kubernetes does, as far as they are at hand.
//!
//! Files may lack roles that the cluster has. So an account may do something if a binding at hand grants it, and may not
//! only if bindings at hand name the account, the role of each is at hand, and none grants it.

use crate::argo::rbac::{PolicyRule, Role, RoleBinding, Subject};
use crate::model::account::{Account, Action, Answer, ControllerRights, Origin, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// The roles, bindings and service accounts at hand.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// By namespace and name; the namespace of a cluster role is empty. None if its rules come from other roles.
    roles: BTreeMap<(String, String), Option<Vec<PolicyRule>>>,
    bindings: Vec<RoleBinding>,
    accounts: BTreeSet<Account>,
}

impl Roles {
    /// Adds a role. A cluster role must have no namespace.
    pub fn add_role(&mut self, role: Role) {
        let Role { metadata, rules, is_aggregated } = role;
        let rules = (!is_aggregated || !rules.is_empty()).then_some(rules);
        self.roles.insert((metadata.namespace, metadata.name), rules);
    }

    /// Adds a binding. A cluster role binding must have no namespace.
    pub fn add_binding(&mut self, binding: RoleBinding) {
        self.bindings.push(binding);
    }

    pub fn add_account(&mut self, account: Account) {
        self.accounts.insert(account);
    }

    /// Returns true if no binding is at hand.
    pub fn are_none(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Returns true if a binding at hand applies to the account in the namespace.
    pub fn evaluates(&self, account: &Account, within: &str) -> bool {
        self.bindings_of(account, within).next().is_some()
    }

    fn bindings_of(&self, account: &Account, within: &str) -> impl Iterator<Item = &RoleBinding> {
        self.bindings.iter().filter(move |binding| {
            let namespace = &binding.metadata.namespace;
            let applies = namespace.is_empty() || namespace == within;
            applies && binding.subjects.iter().any(|subject| is_of(subject, namespace, account))
        })
    }

    fn may(&self, account: &Account, action: Action, within: &str) -> Answer {
        let (mut bound, mut unseen) = (false, false);
        for binding in self.bindings_of(account, within) {
            bound = true;
            let scope = if binding.role_ref.kind == "ClusterRole" { "" } else { &binding.metadata.namespace };
            match self.roles.get(&(scope.to_owned(), binding.role_ref.name.clone())) {
                Some(Some(rules)) => match rules.iter().find(|rule| allows(rule, action)) {
                    Some(rule) if rule.resource_names.is_empty() => return Answer::Yes,
                    Some(_) => unseen = true,
                    None => {}
                },
                _ => unseen = true,
            }
        }
        if bound && !unseen { Answer::No } else { Answer::Unknown }
    }

    /// Returns what is known of a GC pod's account; none if nothing is.
    pub fn standing(&self, account: &Account) -> Option<Standing> {
        let exists = if self.accounts.contains(account) { Answer::Yes } else { Answer::Unknown };
        let answers = Action::OF_GC_POD.map(|action| self.may(account, action, &account.namespace));
        let known = exists == Answer::Yes || answers.iter().any(|answer| *answer != Answer::Unknown);
        let why = match answers.contains(&Answer::Unknown) {
            false => "",
            true if self.evaluates(account, &account.namespace) => {
                "a role that binds it is not among the files"
            }
            true => "no role binding among the files names it",
        };
        let why = why.to_owned();
        known.then(|| Standing { origin: Origin::Files, why, ..Standing::new(exists, answers) })
    }

    /// Returns what is known of the permissions of a controller's account in a namespace.
    pub fn controller_rights(&self, account: &Account, within: &str) -> ControllerRights {
        let lacks = |action: &Action| self.may(account, *action, within) == Answer::No;
        ControllerRights {
            lacks: Action::OF_CONTROLLER.into_iter().filter(lacks).collect(),
            owns: self.may(account, Action::OF_OWNER, within),
            origin: Origin::Files,
        }
    }
}

/// Returns true if a subject of a binding in this namespace stands for the account.
fn is_of(subject: &Subject, binding_namespace: &str, account: &Account) -> bool {
    let Account { namespace, name } = account;
    let own = if subject.namespace.is_empty() { binding_namespace } else { &subject.namespace };
    match subject.kind.as_str() {
        "ServiceAccount" => subject.name == *name && own == namespace,
        "User" => subject.name == format!("system:serviceaccount:{namespace}:{name}"),
        "Group" => {
            matches!(subject.name.as_str(), "system:serviceaccounts" | "system:authenticated")
                || subject.name == format!("system:serviceaccounts:{namespace}")
        }
        _ => false,
    }
}

/// Returns true if a rule allows the action, for all objects or for some (RuleAllows,
/// pkg/registry/rbac/validation of Kubernetes).
fn allows(rule: &PolicyRule, action: Action) -> bool {
    let has = |list: &[String], wanted: &str| list.iter().any(|item| item == "*" || item == wanted);
    let Action { verb, group, resource, subresource } = action;
    let resources = match subresource {
        "" => has(&rule.resources, resource),
        sub => {
            let (own, any) = (format!("{resource}/{sub}"), format!("*/{sub}"));
            rule.resources.iter().any(|item| *item == "*" || *item == own || *item == any)
        }
    };
    has(&rule.verbs, verb) && has(&rule.api_groups, group) && resources
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::{Value, json};

    fn roles(roles: Value, bindings: Value) -> Roles {
        let mut all = Roles::default();
        let parsed: Vec<Role> = serde_json::from_value(roles).unwrap();
        parsed.into_iter().for_each(|role| all.add_role(role));
        let parsed: Vec<RoleBinding> = serde_json::from_value(bindings).unwrap();
        parsed.into_iter().for_each(|binding| all.add_binding(binding));
        all
    }

    fn role(namespace: &str, name: &str, rules: Value) -> Value {
        json!({ "metadata": { "name": name, "namespace": namespace }, "rules": rules })
    }

    fn binding(namespace: &str, kind: &str, role: &str, subject: Value) -> Value {
        json!({
            "metadata": { "name": "b", "namespace": namespace },
            "roleRef": { "kind": kind, "name": role }, "subjects": [subject],
        })
    }

    fn gc() -> Value {
        json!([
            { "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["list", "watch"] },
            { "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks/status"], "verbs": ["patch"] },
        ])
    }

    fn answers(roles: &Roles) -> Option<(Answer, Answer)> {
        let standing = roles.standing(&Account::new("ml", "gc"))?;
        Some((standing.list, standing.patch_status))
    }

    const GC: &str = r#"{ "kind": "ServiceAccount", "name": "gc", "namespace": "ml" }"#;

    fn subject() -> Value {
        serde_json::from_str(GC).unwrap()
    }

    #[test]
    fn a_binding_grants_to_accounts_groups_and_users() {
        for subject in [
            subject(),
            json!({ "kind": "ServiceAccount", "name": "gc" }),
            json!({ "kind": "User", "name": "system:serviceaccount:ml:gc" }),
            json!({ "kind": "Group", "name": "system:serviceaccounts:ml" }),
            json!({ "kind": "Group", "name": "system:authenticated" }),
        ] {
            let all = roles(json!([role("ml", "r", gc())]), json!([binding("ml", "Role", "r", subject)]));
            assert_eq!(answers(&all), Some((Answer::Yes, Answer::Yes)));
        }
        for other in [
            json!({ "kind": "ServiceAccount", "name": "gc", "namespace": "other" }),
            json!({ "kind": "ServiceAccount", "name": "default", "namespace": "ml" }),
            json!({ "kind": "Group", "name": "system:serviceaccounts:other" }),
        ] {
            let all = roles(json!([role("ml", "r", gc())]), json!([binding("ml", "Role", "r", other)]));
            assert_eq!(answers(&all), None, "nothing among the files is about it");
        }
    }

    #[test]
    fn what_is_not_at_hand_proves_nothing() {
        let no = Some((Answer::No, Answer::No));
        let less =
            json!([{ "apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["*"] }]);
        let bound = json!([binding("ml", "Role", "r", subject())]);
        assert_eq!(answers(&roles(json!([role("ml", "r", less.clone())]), bound.clone())), no);
        // The role is not at hand, or is another's of that name, or another binding's is not.
        assert_eq!(answers(&roles(json!([]), bound.clone())), None);
        assert_eq!(answers(&roles(json!([role("other", "r", gc())]), bound.clone())), None);
        let two = json!([binding("ml", "Role", "r", subject()), binding("ml", "Role", "s", subject())]);
        assert_eq!(answers(&roles(json!([role("ml", "r", less)]), two)), None);
        let aggregated = json!([{ "metadata": { "name": "r" }, "aggregationRule": {} }]);
        let cluster = json!([binding("", "ClusterRole", "r", subject())]);
        assert_eq!(answers(&roles(aggregated, cluster)), None);
        // In another namespace it grants nothing, and shows nothing.
        let elsewhere = json!([binding("other", "Role", "r", subject())]);
        assert_eq!(answers(&roles(json!([role("other", "r", gc())]), elsewhere)), None);
    }

    #[test]
    fn stars_names_and_subresources_are_read_as_kubernetes_does() {
        let with = |rules: Value| {
            let bound = json!([binding("", "ClusterRole", "r", subject())]);
            answers(&roles(json!([role("", "r", rules)]), bound)).unwrap_or_default()
        };
        let rule = |group: &str, resource: &str, names: Value| json!([{ "apiGroups": [group], "resources": [resource], "verbs": ["*"], "resourceNames": names }]);
        let (yes, no, unknown) = (Answer::Yes, Answer::No, Answer::Unknown);
        assert_eq!(with(rule("*", "*", json!([]))), (yes, yes));
        assert_eq!(with(rule("argoproj.io", "workflowartifactgctasks", json!([]))), (yes, no));
        assert_eq!(with(rule("argoproj.io", "*/status", json!([]))), (no, yes));
        assert_eq!(with(rule("", "*", json!([]))), (no, no));
        assert_eq!(with(rule("argoproj.io", "workflowartifactgctasks", json!(["a"]))), (unknown, no));
    }

    #[test]
    fn a_controllers_rights_are_those_of_the_workflows_namespace() {
        let argo = json!({ "kind": "ServiceAccount", "name": "argo", "namespace": "argo" });
        let rules = json!([{ "apiGroups": ["argoproj.io"], "resources": ["workflowartifactgctasks"], "verbs": ["*"] }]);
        let all = roles(json!([role("", "r", rules)]), json!([binding("ml", "ClusterRole", "r", argo)]));
        let account = Account::new("argo", "argo");
        let rights = all.controller_rights(&account, "ml");
        let refusal = rights.refusal(&account).unwrap();
        assert_eq!(refusal.value, "may not create pods");
        assert_eq!(
            rights.owner_refusal(&account).unwrap().value,
            "may not update workflowartifactgctasks/finalizers"
        );
        assert_eq!(all.controller_rights(&account, "other").refusal(&account), None);
    }
}
