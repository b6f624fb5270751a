//! The templates of the Helm chart, made from those that `manifest` fills: each placeholder becomes an expression of Helm's,
//! and what `manifest` leaves out or in by its flags stands in a condition.

use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = r#"{{ include "argo-gc.name" . }}"#;

const ARGS: &str = "{{- range (include \"argo-gc.args\" . | fromJsonArray) }}\n- {{ toJson . }}\n{{- end }}";

const STATE: &str = "{{- with include \"argo-gc.claim\" . }}\npersistentVolumeClaim:\n  claimName: {{ toJson . }}\n\
    {{- else }}\nemptyDir: {}\n{{- end }}";

const TOKEN: &str = "{{- with .Values.argoTokenSecret }}\n- name: ARGO_TOKEN\n  valueFrom: { secretKeyRef: \
    { name: {{ toJson . }}, key: token } }\n{{- end }}";

/// What a user of the chart can set beside what `manifest` has flags for: a line of a template, and what follows it.
const MORE: &[(&str, &str)] = &[
    ("  schedule: @SCHEDULE@", "  {{- if .Values.suspend }}\n  suspend: true\n  {{- end }}"),
    (
        "            app.kubernetes.io/name: argo-gc",
        "            {{- range $label, $value := .Values.podLabels }}\n            {{ toJson $label }}: {{ toJson \
         $value }}\n            {{- end }}",
    ),
    ("          serviceAccountName: @NAME@", "@imagePullSecrets@\n@nodeSelector@\n@tolerations@"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn part(name: &str) -> String {
    read(&format!("src/cli/manifest/{name}.yaml"))
}

/// Replaces the one line that is a word by a text, indented as the word was.
fn fill(template: &str, word: &str, text: &str) -> String {
    let mut found = 0;
    let lines: Vec<String> = template
        .lines()
        .map(|line| {
            if line.trim_start() != word {
                return line.to_owned();
            }
            found += 1;
            let depth = line.len() - word.len();
            let lines: Vec<String> =
                text.trim_end().lines().map(|line| format!("{:depth$}{line}", "")).collect();
            lines.join("\n")
        })
        .collect();
    assert_eq!(found, 1, "{word} in {template}");
    lines.join("\n") + "\n"
}

/// Under a condition.
fn when(condition: &str, text: &str) -> String {
    format!("{{{{- if {condition} }}}}\n{}\n{{{{- end }}}}\n", text.trim_end())
}

/// Not where `manifest --mode inspect` leaves it out.
fn of_plans(text: &str) -> String {
    when(r#"ne .Values.mode "inspect""#, text)
}

/// Whatever has a placeholder within a line.
fn named(template: &str) -> String {
    let image =
        r#"{{ required "set image: docs/in-cluster.md says how it is made" .Values.image | toJson }}"#;
    let text = template
        .replace("@NAME@", NAME)
        .replace("@NAMESPACE@", "{{ .Release.Namespace }}")
        .replace("@SCHEDULE@", "{{ .Values.schedule | toJson }}")
        .replace("@IMAGE@", image);
    assert!(!text.contains('@'), "a placeholder is left: {text}");
    text
}

/// How a role is called that belongs to a release: nobody else has a role of this name.
fn own(name: &str) -> String {
    format!(
        "  name: {name}\n  labels:\n    app.kubernetes.io/name: argo-gc\n    app.kubernetes.io/instance: @NAME@\n"
    )
}

/// One of the two roles of docs/rbac.yaml.
fn role(rights: &str) -> String {
    let all = read("docs/rbac.yaml");
    let line = format!("  name: argo-gc-{rights}\n");
    let role = all.split("\n---\n").find(|document| document.contains(&line)).expect("the role");
    let role = &role[role.find("apiVersion:").expect("an object")..];
    role.trim_end().replace(&line, &own("@NAMESPACE@:@NAME@"))
}

/// The role of docs/rbac-secrets.yaml with a binding, in each namespace whose Secrets are to be read.
fn secrets() -> String {
    let role = read("docs/rbac-secrets.yaml");
    let role = &role[role.find("apiVersion:").expect("an object")..];
    let name = "@NAMESPACE@:@NAME@-secrets";
    let meta = format!("{}  namespace: {{{{ . }}}}\n", own(name));
    let line = "  name: argo-gc-secrets\n";
    assert!(role.contains(line), "{role}");
    let binding = part("account");
    let binding = binding.split("---\n").find(|document| document.contains("kind: ClusterRoleBinding"));
    let binding = binding.expect("a binding").replace("ClusterRole", "Role");
    let binding = binding
        .replace(&own("@NAMESPACE@:@NAME@"), &meta)
        .replace("  kind: Role\n  name: @NAMESPACE@:@NAME@\n", &format!("  kind: Role\n  name: {name}\n"));
    assert_eq!(binding.matches(name).count(), 2, "{binding}");
    let both = format!("---\n{}---\n{binding}", role.replace(line, &meta));
    // A loop has a context of its own.
    let both = named(&both).replace("{{ .Release", "{{ $.Release").replace("\" . }}", "\" $ }}");
    format!("{{{{- range .Values.rbac.secretNamespaces }}}}\n{both}{{{{- end }}}}\n")
}

fn account() -> String {
    let template = part("account");
    // The chart has a value for what the manifest explains.
    let lines = template.lines().filter(|line| !line.trim_start().starts_with('#'));
    let template: String = lines.map(|line| format!("{line}\n")).collect();
    let annotations =
        "  {{- with .Values.serviceAccount.annotations }}\n  annotations: {{ toJson . }}\n  {{- end }}\n";
    let place = "  namespace: @NAMESPACE@\n";
    let template = template.replacen(place, &format!("{place}{annotations}"), 1);
    let roles = format!(
        "{{{{- if eq (include \"argo-gc.rights\" .) \"purge\" }}}}\n{}\n{{{{- else }}}}\n{}\n{{{{- end }}}}\n",
        role("purge"),
        role("inspect")
    );
    let role = when(".Values.rbac.create", &format!("---\n{roles}"));
    // The binding may be to a role that others use, too.
    let (before, binding) = template.split_once("kind: ClusterRoleBinding\n").expect("a binding");
    let binding = binding
        .replace(
            "metadata:\n  name: @NAMESPACE@:@NAME@\n",
            "metadata:\n  name: {{ include \"argo-gc.binding\" . }}\n",
        )
        .replace(
            "ClusterRole\n  name: @NAMESPACE@:@NAME@\n",
            "ClusterRole\n  name: {{ include \"argo-gc.role\" . }}\n",
        );
    assert!(!binding.contains("@NAMESPACE@:"), "{binding}");
    let template = format!("{before}kind: ClusterRoleBinding\n{binding}");
    let template = named(&template.replace("---\n@ROLE@\n", &role));
    format!("{}\n{}", template.trim_end().trim_end_matches("---").trim_end(), secrets())
}

/// A pod's security context; OpenShift gives it its user and groups.
fn pod_security() -> String {
    let security = read("src/cli/fill/pod_security.yaml");
    let ids = "  runAsUser: 65532\n  runAsGroup: 65532\n  fsGroup: 65532\n";
    assert!(security.contains(ids), "{security}");
    security.replace(ids, &format!("  {{{{- if not .Values.openshift }}}}\n{ids}  {{{{- end }}}}\n"))
}

/// The items of a list of the user's, after those of a template.
fn more(value: &str) -> String {
    format!("{{{{- range .Values.{value} }}}}\n- {{{{ toJson . }}}}\n{{{{- end }}}}")
}

fn config_map() -> String {
    let template = part("configmap").replace("@POLICY@", "{{ .Values.retentionPolicy | toJson }}");
    of_plans(named(&template).trim_end().trim_end_matches("---"))
}

fn cron_job() -> String {
    let push = part("push_variables").replace("@PUSH_SECRET@", "{{ toJson . }}");
    let push = format!("{{{{- with .Values.push.secret }}}}\n{}\n{{{{- end }}}}\n", push.trim_end());
    let webhook = part("webhook_variable").replace("@WEBHOOK_SECRET@", "{{ toJson . }}");
    let webhook = format!("{{{{- with .Values.webhook.secret }}}}\n{}\n{{{{- end }}}}\n", webhook.trim_end());
    let variables = format!("{}{push}{webhook}{TOKEN}\n{}\n", of_plans(&part("state_variable")), more("env"));
    let variables = fill("env:\n  @VARIABLES@\n", "@VARIABLES@", &variables);
    let some = r#"or (ne .Values.mode "inspect") .Values.push.secret .Values.webhook.secret .Values.argoTokenSecret .Values.env"#;
    let container = part("container");
    let (before, resources) = container.split_once("resources:\n").expect("resources");
    let after = &resources[resources.find("volumeMounts:").expect("mounts")..];
    let container = format!("{before}resources: {{{{ toJson .Values.resources }}}}\n{after}");
    let container = format!("{}\n  @MOUNTS@\n", container.trim_end());
    let container = fill(&container, "@MOUNTS@", &more("volumeMounts"));
    let container = fill(&container, "@CONTAINER_SECURITY@", &read("src/cli/fill/container_security.yaml"));
    let container = fill(&container, "@ARGS@", ARGS);
    let container = fill(&container, "@PURGE_MOUNTS@", &of_plans(&part("purge_mounts")));
    let container = fill(&container, "@ENV@", &when(some, &variables));
    let volumes = fill(&part("purge_volumes"), "@STATE@", STATE);
    let volumes = fill(&part("volumes"), "@PURGE_VOLUMES@", &of_plans(&volumes));
    let volumes = format!("{}\n{}\n", volumes.trim_end(), more("volumes"));
    let mut template = part("cronjob");
    for (line, more) in MORE {
        let line = format!("\n{line}\n");
        assert_eq!(template.matches(&line).count(), 1, "{line}");
        template = template.replace(&line, &format!("{line}{more}\n"));
    }
    for field in ["imagePullSecrets", "nodeSelector", "tolerations"] {
        let of_user = format!("{{{{- with .Values.{field} }}}}\n{field}: {{{{ toJson . }}}}\n{{{{- end }}}}");
        let place = format!("\n@{field}@\n");
        assert!(template.contains(&place), "{field}");
        template = fill(
            &template.replace(&place, &format!("\n          @{field}@\n")),
            &format!("@{field}@"),
            &of_user,
        );
    }
    let template = fill(&template, "@POD_SECURITY@", &pod_security());
    let template = fill(&template, "@VOLUMES@", &volumes);
    named(&fill(&template, "@CONTAINER@", &container))
}

/// The policies of `manifest policy`, and what breaks each of its rules, by their names.
fn admission() -> [String; 2] {
    let within = root().join("src/cli/manifest/admission");
    let mut rules: Vec<String> = fs::read_dir(within)
        .expect("a folder")
        .map(|file| {
            let file = file.expect("a file").file_name().into_string().expect("UTF-8");
            file.trim_end_matches(".yaml").to_owned()
        })
        .filter(|name| !["policy", "binding"].contains(&name.as_str()))
        .collect();
    rules.sort();
    let part = |name: &str| read(&format!("src/cli/manifest/admission/{name}.yaml"));
    let suspects = rules.iter().map(|rule| {
        format!("{{{{- define \"argo-gc.suspects.{rule}\" -}}}}\n{}\n{{{{- end }}}}\n", part(rule).trim_end())
    });
    let suspects: String = suspects.collect();
    // Both stand within a loop over the rules.
    let policy = format!("---\n{}---\n{}", part("policy"), part("binding"))
        .replace("    @SUSPECTS@", "    {{- include (printf \"argo-gc.suspects.%s\" .) $ | nindent 4 }}")
        .replace("@NAME@", r#"{{ include "argo-gc.name" $ }}"#)
        .replace("@RULE@", "{{ . }}")
        .replace("@ACTION@", "{{ title $.Values.admission.action }}")
        .replace(
            "@EXEMPT@",
            r#"{{ concat (list "kube-system") $.Values.admission.exemptNamespaces | toJson }}"#,
        );
    assert!(!policy.contains('@') && !suspects.contains('@') && !suspects.replace("{{- ", "").contains("{{"));
    let each = format!("{{{{- range .Values.admission.rules }}}}\n{policy}{{{{- end }}}}\n");
    [when(".Values.admission.enabled", &each), suspects]
}

/// The files of the chart that are made from others, by their paths.
pub fn generated() -> Vec<(PathBuf, String)> {
    let made = |text: &str| {
        format!("{{{{- /* UPDATE_DOCS=1 writes this from src/cli/manifest. */ -}}}}\n{}\n", text.trim_end())
    };
    let [admission, suspects] = admission();
    let files = [
        ("templates/account.yaml", made(&account())),
        ("templates/admission.yaml", made(&admission)),
        ("templates/_suspects.tpl", made(&suspects)),
        ("templates/configmap.yaml", made(&config_map())),
        ("templates/cronjob.yaml", made(&cron_job())),
        ("files/rules.yaml", read("docs/monitoring/rules.yaml")),
        ("files/dashboard.json", read("docs/monitoring/dashboard.json")),
    ];
    files.into_iter().map(|(path, text)| (folder().join(path), text)).collect()
}

/// The chart.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/argo-gc")
}
