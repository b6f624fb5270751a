//! The role that a GC pod's service account needs (manifests/quick-start/base/artifactgc-role.yaml@v4.1.2).

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
