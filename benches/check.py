#!/usr/bin/env python3
"""Shows when `inspect --check` asks storage for less than a listing of the whole bucket would.

    cargo build --release && benches/check.py [--objects 200000] [--artifacts 10] [--latency 0 20]

A bucket of so many objects, of which the workflows of the cluster own a growing share, the others being of workflows
that are gone. `--check` looks for each workflow's artifacts; a listing reads the bucket once, whatever the share:
`orphans` by several at a time, and a plain client page by page. Requests and seconds are the stub's, from the first
request to storage to the last answer; medians of several runs.
"""
import argparse, http.client, os, statistics, tempfile
from urllib.parse import urlencode, urlsplit
import stub
from stub import BUCKET, Run, asked, reset

SHARES = [0.5, 1, 2, 5, 10, 20, 50, 100]  # per cent


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, default=200_000, help="in the bucket")
    arguments.add_argument("--artifacts", type=int, nargs="*", default=[10], help="of a workflow")
    arguments.add_argument("--shares", type=float, nargs="*", default=SHARES, help="per cent of the objects")
    arguments.add_argument("--latency", type=float, nargs="*", default=[0, 20], help="milliseconds")
    arguments.add_argument("--soft-delete", action="store_true", help="the bucket keeps what was deleted, as new ones do")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    options = arguments.parse_args()
    for artifacts in options.artifacts:
        for latency in options.latency:
            table(options, artifacts, latency)


def table(options, artifacts, latency):
    print(f"\n{options.objects} objects, {artifacts} to a workflow, {latency:g} ms a request")
    print("share   workflows   --check: requests   seconds   orphans: requests   seconds   page by page: requests   seconds")
    keys = stub.Keys(options.objects, artifacts)
    for share in options.shares:
        workflows = max(1, round(options.objects * share / 100 / artifacts))
        with stub.serving(lambda: stub.Stub(stub.Workflows(workflows, artifacts), keys, options.soft_delete)) as host:
            ways = [checked, orphans, page_by_page]
            found = [[way(options, host, latency) for _ in range(options.runs)] for way in ways]
        cells = [(runs[0][0], statistics.median(seconds for _, seconds in runs)) for runs in found]
        (a, b), (c, d), (e, f) = cells
        print(f"{share:4g} %   {workflows:9}   {a:17}   {b:7.2f}   {c:17}   {d:7.2f}   {e:22}   {f:7.2f}", flush=True)


def checked(options, host, latency):
    return plugin(options, host, latency, ["inspect", "-A", "--check", "-o", "json"])


def orphans(options, host, latency):
    return plugin(options, host, latency, ["orphans", "--repository", f"gs://{BUCKET}", "-o", "json"])


def plugin(options, host, latency, arguments):
    reset(host, latency)
    with tempfile.TemporaryDirectory() as directory:
        Run([options.plugin, *arguments], env=stub.environment(directory, host))
    return asked(host, "head", "list")


def page_by_page(_options, host, latency):
    reset(host, latency)
    connection = http.client.HTTPConnection(urlsplit(host).netloc)
    token = None
    while token != "":
        query = urlencode({"maxResults": 1000, **({"pageToken": token} if token else {})})
        connection.request("GET", f"/storage/v1/b/{BUCKET}/o?{query}")
        head = connection.getresponse().read()[:500].decode().partition('"nextPageToken":"')
        token = head[2].partition('"')[0]
    return asked(host, "list")


if __name__ == "__main__":
    main()
