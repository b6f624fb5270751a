#!/usr/bin/env python3
"""Shows the peak memory of `orphans` and of `inspect --check` over ten million objects, whoever owns them.

    cargo build --release && benches/memory.py [--objects 10000000] [--cases few owned gone] [--check]

`few`: 1,000 workflows own 100,000 of the objects, the others are of 10,000 workflows that are gone. `owned`: every ten
objects are of a workflow that is there, a million in all. `gone`: they are of a million workflows that are gone. Memory is the
kernel's peak of the process. `--check` fails above 150 MiB.
"""
import argparse, sys, tempfile
import stub
from stub import BUCKET, Run, reset

MOST = 150  # MiB
KINDS = ["objects", "referenced", "guarded", "unrecorded", "kubeflow", "young", "unclear"]


def cases(objects):
    """Workflows, objects of each of them in the cluster, objects of each name in the bucket."""
    return {"few": (1000, 100, max(100, objects // 10_000)), "owned": (objects // 10, 10, 10), "gone": (1000, 0, 10)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, default=10_000_000)
    arguments.add_argument("--cases", nargs="*", default=["few", "owned", "gone"])
    arguments.add_argument("--ways", nargs="*", default=["orphans", "orphans-json", "check", "check-json"])
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    beyond = []
    for case in options.cases:
        workflows, own, each = cases(options.objects)[case]
        cluster = lambda: stub.Stub(stub.Workflows(workflows, own), stub.Keys(options.objects, each))
        with stub.serving(cluster) as host:
            for way in options.ways:
                reset(host, 0)
                run = timed(options, host, way)
                print(f"{case:6} {way:13} {run.seconds:6.1f} s, processor {run.processor:6.1f} s, {run.memory:4.0f} MiB", flush=True)
                if run.memory > MOST:
                    beyond.append(f"{case} {way}")
    if options.check and beyond:
        sys.exit(f"more than {MOST} MiB: " + ", ".join(beyond))


def timed(options, host, way):
    verb, _, form = way.partition("-")
    command = {"orphans": ["orphans", "--repository", f"gs://{BUCKET}"], "check": ["inspect", "-A", "--check"]}[verb]
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as out:
        run = Run([options.plugin, *command, "-o", form or "table"], env=stub.environment(directory, host), out=out)
        if way == "orphans-json":
            out.seek(0)
            counted(out, options.objects)
    return run


def counted(document, objects):
    """Line by line: what this process holds would count as memory of the next one that it starts."""
    told = 0
    for line in document:
        name, _, number = line.strip().rstrip(b",").partition(b": ")
        if name.strip(b'"').decode() in KINDS:
            told += int(number)
    if told != objects:
        sys.exit(f"orphans tells of {told} of {objects} objects")


if __name__ == "__main__":
    main()
