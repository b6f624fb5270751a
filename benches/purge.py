#!/usr/bin/env python3
"""Times `purge` against a stub that is both API server and GCS, and compares its deletes with a raw load tool.

    cargo build --release && benches/purge.py [--objects 10000] [--each 100] [--latency 0 20] [--rivals] [--check]

The rate of deletes is taken from the stub: objects divided by the time between the first and the last DELETE.
`wrk` sends DELETEs over as many connections to the same stub for three seconds, after each run. Peak memory is the
plugin's. Medians are printed. `--rivals` lets `gcloud storage rm`, `gsutil rm` and `rclone delete` delete 2,000
objects each, without pins and without asking whether anybody needs them; gsutil over TLS, which it insists on. `--check` fails below 80 % of wrk's rate where requests
take 20 ms or more, or above 200 MiB.
"""
import argparse, os, shutil, statistics, subprocess, sys, tempfile
import stub
from stub import BUCKET, Run, asked, reset

RIVALS = 2000  # objects


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, default=10_000)
    arguments.add_argument("--each", type=int, default=100, help="objects of a workflow")
    arguments.add_argument("--latency", type=float, nargs="*", default=[0, 20], help="milliseconds")
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    arguments.add_argument("--plan-only", action="store_true", help="no deletes: for the memory of a large plan")
    arguments.add_argument("--rivals", action="store_true", help="also time gcloud storage rm and rclone delete")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    objects, each = options.objects, options.each
    make = lambda: stub.Stub(stub.Workflows(objects // each, each), stub.Keys(objects, each))
    with stub.serving(make) as host:
        failures = [bench(options, host, latency) for latency in options.latency]
    if options.check and any(failures):
        sys.exit("beyond the bounds: 80 % of wrk, 200 MiB")


def bench(options, host, latency):
    runs, rates, ratios = [], [], []
    for _ in range(options.runs):
        reset(host, latency)
        runs.append(purge(options, host))
        if options.plan_only:
            continue
        deletes, seconds = asked(host, "delete")
        if deletes != options.objects:
            sys.exit(f"{deletes} deletes of {options.objects}: {runs[-1].output}")
        rates.append(deletes / seconds)
        if shutil.which("wrk"):
            ratios.append(rates[-1] / wrk(host, options.connections))
    middle = lambda name: statistics.median(getattr(run, name) for run in runs)
    memory = max(run.memory for run in runs)
    print(f"{options.objects} objects of {options.objects // options.each} workflows, {latency:g} ms a request: {middle('seconds'):.1f} s in all, "
          f"{middle('processor'):.1f} s of processor, {memory:.0f} MiB at the most", flush=True)
    if options.plan_only:
        return memory > 200
    print(f"  purge   {statistics.median(rates):.0f} deletes/s", end="")
    print(f", {100 * statistics.median(ratios):.0f} % of wrk" if ratios else "", flush=True)
    for name, rival in [("gcloud", gcloud), ("gsutil", gsutil), ("rclone", rclone)]:
        if options.rivals and shutil.which(name):
            theirs = rival(options, host, latency)
            print(f"  {name}  {theirs:.0f} deletes/s; purge is {statistics.median(rates) / theirs:.1f} times as fast")
    return memory > 200 or (latency >= 20 and bool(ratios) and statistics.median(ratios) < 0.8)


def purge(options, host):
    with tempfile.TemporaryDirectory() as directory:
        command = [options.plugin, "purge", "-A", "--yes", "--repository", f"gs://{BUCKET}",
                   "--max-objects", str(options.objects), "--concurrency", str(options.connections)]
        if options.plan_only:
            command += ["--plan-out", os.path.join(directory, "plan.json")]
        return Run(command, env=stub.environment(directory, host))


def wrk(host, connections):
    """Deletes a second of a client that does nothing else."""
    url = f"{host}/storage/v1/b/{BUCKET}/o/x?ifGenerationMatch={stub.GENERATION}"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "DELETE"')
        script.flush()
        output = Run(["wrk", "-t", "1", "-c", str(connections), "-d", "3s", "-s", script.name, url]).output
    return float(next(line for line in output.splitlines() if line.startswith("Requests/sec")).split()[1])


def gcloud(options, host, latency):
    """Deletes a second of `gcloud storage rm`, by the stub's clock like ours."""
    names = "".join(f"gs://{BUCKET}/{name}\n" for name in stub.Keys(RIVALS, options.each))
    return rival(host, latency, ["gcloud", "storage", "rm", "-q", "-I"], names, {
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_PROJECT": "none",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{host}/storage/v1/"})


def gsutil(options, host, latency):
    """Deletes a second of `gsutil -m rm`."""
    names = "".join(f"gs://{BUCKET}/{name}\n" for name in stub.Keys(RIVALS, options.each))
    with tempfile.TemporaryDirectory() as directory:
        command, variables = stub.gsutil(directory, host)
        return rival(host, latency, [*command, "rm", "-I"], names, variables)


def rclone(options, host, latency):
    """Deletes a second of `rclone delete`, with as many at a time as ours."""
    names = "".join(f"{name}\n" for name in stub.Keys(RIVALS, options.each))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(names)
        file.flush()
        command = ["rclone", "delete", f":gcs:{BUCKET}", "--gcs-anonymous", "--gcs-endpoint", f"{host}/storage/v1/",
                   "--files-from", file.name, "--transfers", str(options.connections), "--checkers",
                   str(options.connections)]
        return rival(host, latency, command, "", {})


def rival(host, latency, command, names, variables):
    reset(host, latency)
    with tempfile.TemporaryDirectory() as home:
        run = subprocess.run(command, input=names, capture_output=True, text=True, timeout=600,
                             env={"PATH": os.environ["PATH"], "HOME": home, **variables})
    deletes, seconds = asked(host, "delete")
    if deletes != RIVALS:
        sys.exit(f"{command[0]} deleted {deletes} objects: {run.stderr[-2000:]}")
    return deletes / seconds


if __name__ == "__main__":
    main()
