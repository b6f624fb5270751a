#!/usr/bin/env python3
"""Times `orphans` over a large bucket against listings page by page, and shows that its memory stays flat.

    cargo build --release && benches/listing.py [--objects 1000000] [--latency 0 20] [--runs 3] [--rivals]
    benches/listing.py --objects 1000000 3000000 10000000 --latency 0 --runs 1     # memory

Seconds are those from the first listing to the last answer, by the stub's clock; memory is the plugin's. `--rivals`
lets `rclone size`, `gcloud storage ls` and `gsutil ls` list the same bucket. The cluster has 1,000 workflows that own 100,000 of
the objects; the others are of workflows that are gone.
"""
import argparse, json, os, shutil, statistics, sys, tempfile
import stub
from check import page_by_page
from stub import BUCKET, Run, asked, reset

WORKFLOWS, NAMES = 1000, 10_000


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, nargs="*", default=[1_000_000])
    arguments.add_argument("--latency", type=float, nargs="*", default=[0, 20], help="milliseconds")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    arguments.add_argument("--plan", action="store_true", help="orphans also saves a plan")
    arguments.add_argument("--rivals", action="store_true")
    options = arguments.parse_args()
    for objects in options.objects:
        # As many names, whatever the size: each is a row of the answer.
        each = max(100, objects // NAMES)
        with stub.serving(lambda: stub.Stub(stub.Workflows(WORKFLOWS, 100), stub.Keys(objects, each))) as host:
            for latency in options.latency:
                bench(options, host, objects, latency)


def bench(options, host, objects, latency):
    print(f"{objects} objects, {latency:g} ms a request")
    ways = [("orphans", orphans), ("page by page", plainly)]
    ways += [(name, way) for name, way in [("rclone", rclone), ("gcloud", gcloud), ("gsutil", gsutil)]
             if options.rivals and shutil.which(name)]
    for name, way in ways:
        requests, seconds, memory = [], [], []
        for _ in range(options.runs):
            reset(host, latency)
            memory.append(way(options, host, latency, objects))
            found = asked(host, "list")
            requests.append(found[0])
            seconds.append(found[1])
        used = f", {max(memory):.0f} MiB at the most" if memory[0] else ""
        print(f"  {name:13} {statistics.median(seconds):6.2f} s, {max(requests)} requests{used}", flush=True)


def orphans(options, host, latency, objects):
    with tempfile.TemporaryDirectory() as directory:
        command = [options.plugin, "orphans", "--repository", f"gs://{BUCKET}", "-o", "json"]
        if options.plan:
            command += ["--exclusive", "--plan-out", os.path.join(directory, "plan.json")]
        run = Run(command, env=stub.environment(directory, host))
    found = json.loads(run.output[run.output.index("{"):run.output.rindex("}") + 1])["repositories"][0]
    kinds = ["referenced", "guarded", "unrecorded", "kubeflow", "young", "unclear"]
    listed = sum(found[kind] for kind in kinds) + sum(group["objects"] for group in found["orphans"])
    if listed != objects:
        sys.exit(f"orphans listed {listed} of {objects} objects")
    return run.memory


def plainly(options, host, latency, _objects):
    page_by_page(options, host, latency)


def rclone(_options, host, _latency, objects):
    command = ["rclone", "size", "--json", f":gcs:{BUCKET}", "--fast-list", "--gcs-anonymous", "--gcs-endpoint",
               f"{host}/storage/v1/"]
    with tempfile.TemporaryDirectory() as home:
        run = Run(command, env={"PATH": os.environ["PATH"], "HOME": home})
    if f'"count":{objects}' not in run.output:
        sys.exit(f"rclone: {run.output[-2000:]}")
    return run.memory


def gcloud(_options, host, _latency, objects):
    with tempfile.TemporaryDirectory() as home:
        run = Run(["gcloud", "storage", "ls", f"gs://{BUCKET}/**"], env={
            "PATH": os.environ["PATH"], "HOME": home, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_PROJECT": "none", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{host}/storage/v1/"})
    if run.output.count(f"gs://{BUCKET}/") != objects:
        sys.exit(f"gcloud: {run.output[-2000:]}")
    return run.memory


def gsutil(_options, host, _latency, objects):
    with tempfile.TemporaryDirectory() as home:
        command, variables = stub.gsutil(home, host)
        run = Run([*command, "ls", f"gs://{BUCKET}/**"], env={"PATH": os.environ["PATH"], "HOME": home, **variables})
    if run.output.count(f"gs://{BUCKET}/") != objects:
        sys.exit(f"gsutil: {run.output[-2000:]}")
    return run.memory


if __name__ == "__main__":
    main()
