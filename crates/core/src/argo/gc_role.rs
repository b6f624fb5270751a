//! The roles that artifact GC needs: a GC pod's service account (manifests/quick-start/base/artifactgc-role.yaml@v4.1.2), and
//! the controller's.

/// The YAML of the role and its binding, as a literal: for an account in a namespace, with the binding's name.
macro_rules! gc_role {
    ($namespace:literal, $binding:literal, $account:literal) => {
        concat!(
            "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: artifact-gc
  namespace: ",
            $namespace,
            "
rules:
  - apiGroups: [argoproj.io]
    resources: [workflowartifactgctasks]
    verbs: [list, watch]
  - apiGroups: [argoproj.io]
    resources: [workflowartifactgctasks/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: ",
            $binding,
            "
  namespace: ",
            $namespace,
            "
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: artifact-gc
subjects:
  - kind: ServiceAccount
    name: ",
            $account,
            "
    namespace: ",
            $namespace,
            "
"
        )
    };
}
pub(crate) use gc_role;

/// The YAML of what a controller's account needs for artifact GC, bound to it for all namespaces.
macro_rules! controller_role {
    ($name:literal, $namespace:literal, $account:literal) => {
        concat!(
            "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: ",
            $name,
            "
rules:
  - apiGroups: [argoproj.io]
    resources: [workflowartifactgctasks]
    verbs: [create, get, list, watch, delete]
  # Asked for where OwnerReferencesPermissionEnforcement is on, as on OpenShift.
  - apiGroups: [argoproj.io]
    resources: [workflowartifactgctasks/finalizers]
    verbs: [update]
  - apiGroups: [\"\"]
    resources: [pods]
    verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: ",
            $name,
            "
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: ",
            $name,
            "
subjects:
  - kind: ServiceAccount
    name: ",
            $account,
            "
    namespace: ",
            $namespace,
            "
"
        )
    };
}
pub(crate) use controller_role;

/// The same for a manual.
pub(crate) const CONTROLLER_ROLE: &str = controller_role!("artifact-gc-controller", "argo", "argo");
