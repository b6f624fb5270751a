#!/usr/bin/env python3
"""Times `orphans --inventory` over inventories of up to 100 million rows, and checks docs/performance.md's model of them.

    cargo build --release && benches/inventory.py [--rows 1000000 10000000 100000000] [--shape gcs s3] [--runs 1]
    benches/inventory.py --rows 1000000 --plan          # every orphan is looked at as it is now, and planned

Nothing is stored: the rows are made while they are read, from a server on loopback that stands for the bucket with the
reports. Shape `gcs` is plain CSV in shards of a million rows; `s3` is packed, with checksums: one file that
is named as often as it takes, so the same million keys come again and again. The cluster has 1,000
workflows that own 100,000 of the objects; the others are of workflows that are gone. Seconds and memory are those of the
whole process.
"""
import argparse, gzip, hashlib, http.server, itertools, json, os, sys, tempfile
import stub
from stub import BUCKET, Run, asked, reset

WORKFLOWS, OWN, NAMES, SHARD = 1000, 100, 10_000, 1_000_000
FIELDS = ["project", "bucket", "name", "size", "timeCreated", "timeDeleted", "storageClass"]
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000, 100_000_000])
    arguments.add_argument("--shape", nargs="*", default=["gcs", "s3"])
    arguments.add_argument("--latency", type=float, default=0, help="milliseconds of each answer, with --plan")
    arguments.add_argument("--runs", type=int, default=1)
    arguments.add_argument("--plan", action="store_true", help="plans the orphans; all are there as they were")
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    options = arguments.parse_args()
    if options.plan and "s3" in options.shape:
        sys.exit("--plan needs --shape gcs: the stub is GCS")
    for shape in options.shape:
        for rows in options.rows:
            bench(options, shape, rows)


def bench(options, shape, rows):
    keys = stub.Keys(rows, each(rows))
    with stub.serving(lambda: stub.Stub(stub.Workflows(WORKFLOWS, OWN), keys)) as host, serving(shape, rows) as reports:
        runs = []
        for _ in range(options.runs):
            reset(host, options.latency)
            runs.append(orphans(options, host, reports, shape, rows))
            looked = asked(host, "list", "head")[0]
    seconds, memory = min(run.seconds for run in runs), max(run.memory for run in runs)
    processor = min(run.processor for run in runs)
    print(f"{shape} {rows:>11} rows: {seconds:7.1f} s, {seconds / rows * 1e6:5.2f} s a million, processor "
          f"{processor / rows * 1e6:5.2f} s a million, {memory:.0f} MiB, {looked} requests for objects", flush=True)


def orphans(options, host, reports, shape, rows):
    with tempfile.TemporaryDirectory() as directory:
        command = [options.plugin, "orphans", "--repository", f"s3://{BUCKET}@files" if shape == "s3" else f"gs://{BUCKET}", "-o", "json",
                   "--inventory", "s3://reports@files/manifest.json", "--endpoint-override", f"files={reports}"]
        if options.plan:
            command += ["--exclusive", "--plan-out", os.path.join(directory, "plan.json")]
        environment = {**stub.environment(directory, host), "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
                       "AWS_REGION": "us-east-1"}
        run = Run(command, env=environment)
    found = json.loads(run.output[run.output.index("{"):run.output.rindex("}") + 1])["repositories"][0]
    told = sum(found[kind] for kind in ["referenced", "guarded", "young", "unclear", "unrecorded"])
    told += sum(group["objects"] for group in found["orphans"]) + found["foreign"]["objects"]
    if told != rows:
        sys.exit(f"orphans tells of {told} of {rows} objects")
    return run


def each(rows):
    """Objects of a workflow: as many names, whatever the size, for each is a row of the answer."""
    return max(OWN, rows // NAMES)


def block(shape, rows):
    """The rows of one workflow; its number stands as NNNNNNNN."""
    names = [stub.key(0, n).replace("00000000", "NNNNNNNN") for n in range(each(rows))]
    if shape == "gcs":
        rows = [f"1,{BUCKET},{name},1048576,{stub.WRITTEN},,STANDARD\n" for name in names]
    else:
        rows = [f'"{BUCKET}","{name}","v","true","false","1048576","{stub.WRITTEN}","e","STANDARD"\n' for name in names]
    return "".join(rows).encode()


class Reports:
    """The files of an inventory."""

    def __init__(self, shape, rows):
        self.shape, self.pattern = shape, block(shape, rows)
        self.parts = [min(SHARD, rows - at) // each(rows) for at in range(0, rows, SHARD)]
        self.packed = {}
        if shape == "s3":
            for blocks in set(self.parts):
                self.packed[blocks] = gzip.compress(b"".join(self.rows(0, blocks)), 1)
        self.manifest = json.dumps(self.told(rows)).encode()

    def rows(self, first, blocks):
        for workflow in range(first, first + blocks):
            yield self.pattern.replace(b"NNNNNNNN", b"%08d" % workflow)

    def told(self, rows):
        if self.shape == "gcs":
            return {"report_config": {
                        "csv_options": {"record_separator": "\n", "delimiter": ",", "header_required": False},
                        "object_metadata_report_options": {"metadata_fields": FIELDS, "storage_filters": {"bucket": BUCKET}}},
                    "records_processed": rows, "snapshot_time": "2026-11-20T00:00:00Z", "shard_count": len(self.parts),
                    "report_shards_file_names": [f"part_{at}.csv" for at in range(len(self.parts))]}
        file = lambda at, blocks: {"key": f"part_{at}.csv.gz", "size": len(self.packed[blocks]),
                                   "MD5checksum": hashlib.md5(self.packed[blocks]).hexdigest()}
        return {"sourceBucket": BUCKET, "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30",
                "creationTimestamp": "1795132800000", "fileFormat": "CSV", "fileSchema": SCHEMA,
                "files": [file(at, blocks) for at, blocks in enumerate(self.parts)]}

    def body(self, name):
        """The length and the pieces of a file."""
        if name == "manifest.json":
            return len(self.manifest), [self.manifest]
        if name == "manifest.checksum":
            text = hashlib.md5(self.manifest).hexdigest().encode()
            return len(text), [text]
        at = int(name.split("_")[1].split(".")[0])
        if self.shape == "s3":
            data = self.packed[self.parts[at]]
            return len(data), [data]
        first = sum(self.parts[:at])
        return len(self.pattern) * self.parts[at], self.rows(first, self.parts[at])


def serving(shape, rows):
    """Serves the files from a process of its own, so that it does not share a lock with the stub."""
    def serve(tell):
        reports = Reports(shape, rows)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length, pieces = reports.body(self.path.rsplit("/", 1)[1].split("?")[0])
                self.send_response(200)
                self.send_header("Content-Length", str(length))
                self.send_header("ETag", '"1"')
                self.end_headers()
                pieces = iter(pieces)
                while part := b"".join(itertools.islice(pieces, 64)):
                    self.wfile.write(part)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tell(server.server_address[1])
        server.serve_forever()

    return stub.forked(serve)


if __name__ == "__main__":
    main()
