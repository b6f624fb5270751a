//! Service accounts, the permissions that artifact GC needs of them, and what is known of these.

use crate::model::assessment::Evidence;
use serde::Serialize;

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    pub namespace: String,
    pub name: String,
}

impl Account {
    /// An empty name stands for the namespace's `default`.
    pub fn new(namespace: &str, name: &str) -> Self {
        let name = if name.is_empty() { "default" } else { name };
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An answer to a question about an account, which may be unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No,
    #[default]
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl Answer {
    /// Returns the word that users read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// What is done to which resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    pub verb: &'static str,
    pub group: &'static str,
    pub resource: &'static str,
    pub subresource: &'static str,
}

impl Action {
    const fn on_tasks(verb: &'static str, subresource: &'static str) -> Self {
        Self { verb, group: "argoproj.io", resource: "workflowartifactgctasks", subresource }
    }

    /// What a GC pod does to its tasks (`docs/argo-gc.md#gc-pod`).
    pub const OF_GC_POD: [Self; 3] =
        [Self::on_tasks("list", ""), Self::on_tasks("watch", ""), Self::on_tasks("patch", "status")];

    /// What a controller does for each collection: it makes the task and the pod, watches the task, and deletes it.
    pub const OF_CONTROLLER: [Self; 5] = [
        Self::on_tasks("create", ""),
        Self::on_tasks("list", ""),
        Self::on_tasks("watch", ""),
        Self::on_tasks("delete", ""),
        Self { verb: "create", group: "", resource: "pods", subresource: "" },
    ];

    /// What the admission plugin OwnerReferencesPermissionEnforcement asks of a controller whose GC pod names its task as
    /// an owner that must not be deleted before it.
    pub const OF_OWNER: Self = Self::on_tasks("update", "finalizers");
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        write!(f, "{} {}{slash}{}", self.verb, self.resource, self.subresource)
    }
}

/// The origin of what is known of an account's permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// The API server was asked.
    #[default]
    Review,
    /// Roles and bindings among files, which may lack others.
    Files,
}

impl Origin {
    /// Returns evidence of this origin about an account.
    fn evidence(self, account: &Account, says: impl Into<String>) -> Evidence {
        let source = match self {
            Self::Review => "access review of",
            Self::Files => "roles among the files, of",
        };
        Evidence::new(format!("{source} service account {account}"), says)
    }

    /// Returns the evidence that an account may not do these things.
    fn refusal(self, account: &Account, lacks: &[Action]) -> Evidence {
        let lacks: Vec<String> = lacks.iter().map(Action::to_string).collect();
        self.evidence(account, format!("may not {}", lacks.join(", ")))
    }
}

/// The facts about a GC pod's service account: whether it exists, and has the permissions that a GC pod needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub exists: Answer,
    /// Permission to `list` workflowartifactgctasks.
    pub list: Answer,
    /// Permission to `watch` workflowartifactgctasks.
    pub watch: Answer,
    /// Permission to `patch` workflowartifactgctasks/status.
    pub patch_status: Answer,
    #[serde(skip)]
    pub origin: Origin,
    /// The reason why an answer is unknown; empty if none is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Standing {
    /// With the answers for [`Action::OF_GC_POD`], in its order.
    pub fn new(exists: Answer, [list, watch, patch_status]: [Answer; 3]) -> Self {
        Self { exists, list, watch, patch_status, ..Self::default() }
    }

    /// Returns the permissions that the account certainly lacks.
    pub fn lacks(&self) -> Vec<Action> {
        let answers = [self.list, self.watch, self.patch_status];
        let rights = answers.into_iter().zip(Action::OF_GC_POD);
        rights.filter(|(answer, _)| *answer == Answer::No).map(|(_, right)| right).collect()
    }

    /// Returns the evidence that the account lacks a permission; none if it is not known to.
    pub fn refusal(&self, account: &Account) -> Option<Evidence> {
        let lacks = self.lacks();
        (!lacks.is_empty()).then(|| self.origin.refusal(account, &lacks))
    }

    /// Returns the evidence that the account has all permissions; none if it is not known to.
    pub fn permission(&self, account: &Account) -> Option<Evidence> {
        let answers = [self.list, self.watch, self.patch_status];
        let says = match self.origin {
            Origin::Review => "allowed now",
            Origin::Files => "they allow it",
        };
        answers.iter().all(|answer| *answer == Answer::Yes).then(|| self.origin.evidence(account, says))
    }

    /// Returns the evidence that some of the permissions are unknown; none if all are known.
    pub fn doubt(&self, account: &Account) -> Option<Evidence> {
        let says = || format!("not checked: {}", self.why);
        self.is_unknown().then(|| self.origin.evidence(account, says()))
    }

    /// Returns the evidence that the account does not exist; none if it is not known to be missing.
    pub fn absence(&self, account: &Account) -> Option<Evidence> {
        let Account { namespace, name } = account;
        let field = || format!("ServiceAccount/{name} in {namespace}");
        (self.exists == Answer::No).then(|| Evidence::new(field(), "does not exist"))
    }

    pub fn is_unknown(&self) -> bool {
        [self.list, self.watch, self.patch_status].contains(&Answer::Unknown)
    }
}

/// What is known of the permissions that a controller's account needs for artifact GC, in the namespace of the
/// workflows or in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControllerRights {
    /// What it certainly may not do of [`Action::OF_CONTROLLER`].
    pub lacks: Vec<Action>,
    /// Whether it may do [`Action::OF_OWNER`].
    pub owns: Answer,
    pub origin: Origin,
}

impl ControllerRights {
    /// Returns the evidence that the account lacks a permission; none if it is not known to.
    pub fn refusal(&self, account: &Account) -> Option<Evidence> {
        (!self.lacks.is_empty()).then(|| self.origin.refusal(account, &self.lacks))
    }

    /// Returns the evidence that GC pods are refused where owner references are checked.
    pub fn owner_refusal(&self, account: &Account) -> Option<Evidence> {
        (self.owns == Answer::No).then(|| self.origin.refusal(account, &[Action::OF_OWNER]))
    }
}
