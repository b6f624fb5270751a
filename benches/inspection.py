#!/usr/bin/env python3
"""Serves generated workflows over loopback HTTP in pages, and times `inspect` against curl and kubectl | jq.

    cargo build --release && benches/inspection.py [--workflows 10000] [--runs 5]

Prints medians and ratios of whole processes: wall seconds, and peak memory of the plugin. curl downloads the very
pages that the plugin asks for, over one connection, to /dev/null. The jq program asks the same question in its
crudest form: Pod nodes without a template name that hold artifacts. It needs curl, and for the comparison kubectl
and jq. `--check` fails when a ratio is beyond the project's bounds.
"""
import argparse, json, os, shutil, statistics, sys, tempfile
import stub
from stub import BUCKET, Run


def workflow(name, uid, leaks, steps=14):
    """One finished workflow of about 30 KB: a DAG of containers; if it leaks, every fourth one is inline."""
    templates, tasks, nodes = [], [], {}
    environment = [{"name": f"SETTING_{n}", "value": "x" * 24} for n in range(12)]
    root = {"id": name, "name": name, "displayName": name, "type": "DAG", "templateName": "main",
            "templateScope": f"local/{name}", "phase": "Succeeded", "startedAt": "2026-11-01T02:00:00Z",
            "finishedAt": "2026-11-01T03:00:00Z", "progress": f"{steps}/{steps}", "children": [],
            "resourcesDuration": {"cpu": 1200, "memory": 2400}}
    for n in range(steps):
        body = {"inputs": {"parameters": [{"name": "day"}, {"name": "shard", "value": str(n)}]},
                "outputs": {"artifacts": [{"name": "table", "path": "/out/table"}]}, "metadata": {},
                "container": {"name": "", "image": "registry.example/team/step:2026.11", "env": environment,
                              "command": ["python", "-m", "step"], "args": ["--day", "{{inputs.parameters.day}}"],
                              "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}}
        inline = leaks and n % 4 == 3
        task = {"name": f"step-{n}", "arguments": {"parameters": [{"name": "day", "value": "2026-11-01"}]}}
        if inline:
            task["inline"] = body
        else:
            task["template"] = f"step-{n}"
            templates.append({"name": f"step-{n}", **body})
        tasks.append(task)
        node_id = f"{name}-{1000000000 + n}"
        root["children"].append(node_id)
        key = f"{name}/{node_id}"
        node = {"id": node_id, "name": f"{name}.step-{n}", "displayName": f"step-{n}", "type": "Pod",
                "templateScope": f"local/{name}", "phase": "Succeeded", "boundaryID": name,
                "startedAt": "2026-11-01T02:00:00Z", "finishedAt": "2026-11-01T02:10:00Z", "progress": "1/1",
                "resourcesDuration": {"cpu": 60, "memory": 120}, "hostNodeName": "gke-pool-1-abcdef",
                "inputs": {"parameters": [{"name": "day", "value": "2026-11-01"}, {"name": "shard", "value": str(n)}],
                           "artifacts": [{"name": "in", "path": "/in", "gcs": {"key": f"{key}/in.tgz"}}]},
                "outputs": {"exitCode": "0", "artifacts": [
                    {"name": "table", "path": "/out/table", "gcs": {"key": f"{key}/table.tgz"}},
                    {"name": "main-logs", "gcs": {"key": f"{key}/main.log"}}]}}
        if not inline:
            node["templateName"] = f"step-{n}"
        nodes[node_id] = node
    templates.append({"name": "main", "inputs": {}, "outputs": {}, "metadata": {}, "dag": {"tasks": tasks}})
    nodes[name] = root
    managed = [{"manager": "workflow-controller", "operation": "Update", "apiVersion": "argoproj.io/v1alpha1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {f"f:field{n}": {} for n in range(40)}}}]
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": {"name": name, "namespace": "ml", "uid": uid, "resourceVersion": "1", "generation": 9,
                         "creationTimestamp": "2026-11-01T02:00:00Z", "managedFields": managed,
                         "finalizers": ["workflows.argoproj.io/artifact-gc"],
                         "labels": {"workflows.argoproj.io/completed": "true",
                                    "workflows.argoproj.io/phase": "Succeeded"}},
            "spec": {"entrypoint": "main", "arguments": {}, "templates": templates,
                     "artifactGC": {"strategy": "OnWorkflowDeletion"}},
            "status": {"phase": "Succeeded", "startedAt": "2026-11-01T02:00:00Z",
                       "finishedAt": "2026-11-01T03:00:00Z", "progress": f"{steps}/{steps}", "nodes": nodes,
                       "conditions": [{"type": "Completed", "status": "True"}], "artifactGCStatus": {},
                       "artifactRepositoryRef": {"default": True, "artifactRepository": {
                           "archiveLogs": True, "gcs": {"bucket": BUCKET}}}}}


def items(count, every):
    """So many workflows, of which every so-manyth leaks."""
    patterns = [json.dumps(workflow("train-NNNNNNNN", "00000000-0000-4000-8000-0000NNNNNNNN", leaks),
                           separators=(",", ":")) for leaks in (False, True)]
    return [patterns[n % every == 0].replace("NNNNNNNN", f"{n:08}").encode() for n in range(count)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--workflows", type=int, default=10_000)
    arguments.add_argument("--leak-every", type=int, default=20, help="one workflow in so many leaks")
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    arguments.add_argument("--no-rival", action="store_true", help="leave kubectl | jq out: it takes minutes")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    with stub.serving(lambda: stub.Stub(items(options.workflows, options.leak_every))) as host:
        compare(options, host)


def compare(options, host):
    base = f"{host}/apis/argoproj.io/v1alpha1/workflows?limit=100"
    urls = [f"{base}&continue={at}" if at else base for at in range(0, options.workflows, 100)]
    with tempfile.TemporaryDirectory() as directory:
        environment = stub.environment(directory, host)
        sizes = os.path.join(directory, "sizes")
        with open(sizes, "w") as file:
            file.writelines(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls)
        curl = ["curl", "-sf", "-w", "%{size_download}\n", "-K", sizes]
        plugin = [options.plugin, "inspect", "-A"]
        size = sum(map(int, Run(curl, env=environment).output.split()))
        print(f"{options.workflows} workflows, {size / 1e6:.0f} MB, {size / options.workflows / 1e3:.1f} kB each")
        Run(plugin, env=environment)
        pairs = [(Run(curl, env=environment), Run(plugin, env=environment)) for _ in range(options.runs)]
        ratio = statistics.median(ours.seconds / theirs.seconds for theirs, ours in pairs)
        seconds = statistics.median(ours.seconds for _, ours in pairs)
        memory = max(ours.memory for _, ours in pairs)
        print(f"curl            {statistics.median(theirs.seconds for theirs, _ in pairs):.2f} s")
        print(f"inspect -A      {seconds:.2f} s, {statistics.median(ours.processor for _, ours in pairs):.2f} s of "
              f"processor, {ratio:.2f} x curl, {memory:.0f} MiB at the most", flush=True)
        faster = None
        if not options.no_rival and shutil.which("kubectl") and shutil.which("jq"):
            question = ('[.items[] | select(any(.status.nodes[]?; .type=="Pod" and (.templateName|not) '
                        'and (.outputs.artifacts|length>0))) | .metadata.name] | length')
            script = f"kubectl get workflows.argoproj.io -A -o json | jq '{question}'"
            rival = Run(["sh", "-c", script], env=environment)
            faster = rival.seconds / seconds
            print(f"kubectl | jq    {rival.seconds:.2f} s, {faster:.0f} x inspect, {rival.memory:.0f} MiB at the most")
        if options.check and (ratio > 1.5 or memory > 150 or (faster is not None and faster < 5)):
            sys.exit("beyond the bounds: 1.5 x curl, 150 MiB, 5 x faster than kubectl | jq")


if __name__ == "__main__":
    main()
