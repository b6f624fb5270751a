#!/usr/bin/env python3
"""Counts and times the requests of `purge` to S3, beside other tools that delete there.

    cargo build --release && benches/s3.py [--objects 100000] [--each 100] [--latency 0 20] [--rivals] [--check]

`aws` is Amazon's way: the stub is reached through a proxy as s3.us-east-1.amazonaws.com, over TLS. `elsewhere` is any
other server of the S3 API. The rate of deletes is by the stub's clock, from the first delete to the last. The rivals
go through the same proxy; they don't look at what they delete, and name no ETag. `rclone delete` and `aws s3 rm`, which
delete one by one, delete 5,000 objects. `--check` fails above 0.02 requests an object on Amazon's way and above 2.1
elsewhere, and if one of the rivals is faster than Amazon's way.
"""
import argparse, os, shutil, statistics, subprocess, sys, tempfile
import stub
from stub import BUCKET, Run, asked, get, reset

HOST = "s3.us-east-1.amazonaws.com"
FEW = 5000  # objects that those delete who do so one by one
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
WAYS = {
    "aws": ({"endpoint": "s3.amazonaws.com"}, f"s3://{BUCKET}", 0.02),
    "elsewhere": ({"endpoint": "minio:9000", "insecure": True}, f"s3://{BUCKET}@minio:9000", 2.1),
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, default=100_000)
    arguments.add_argument("--each", type=int, default=100, help="objects of a workflow")
    arguments.add_argument("--latency", type=float, nargs="*", default=[0, 20], help="milliseconds")
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    arguments.add_argument("--rivals", action="store_true", help="also time s5cmd, mc, rclone and aws")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    keys = lambda: stub.S3(stub.Keys(options.objects, options.each))
    beyond = []
    with tempfile.TemporaryDirectory() as directory:
        files = certificate(directory)
        with stub.serving(keys, files) as storage:
            for latency in options.latency:
                print(f"{options.objects} objects of {options.objects // options.each} workflows, {latency:g} ms a request")
                rates = {way: ours(options, storage, latency, way, files[0], beyond) for way in WAYS}
                for name, rival in RIVALS.items():
                    if options.rivals and shutil.which(name):
                        rate = theirs(options, storage, latency, name, rival, files[0])
                        if rate > rates["aws"]:
                            beyond.append(f"{name} is faster at {latency:g} ms")
    if options.check and beyond:
        sys.exit("beyond the bounds: " + "; ".join(beyond))


def ours(options, storage, latency, way, authority, beyond):
    """Deletes a second of a whole purge."""
    endpoint, repository, most = WAYS[way]
    cluster = lambda: stub.Stub(stub.Workflows(options.objects // options.each, options.each, "s3", **endpoint))
    rates, walls = [], []
    for _ in range(options.runs):
        reset(storage, latency)
        with stub.serving(cluster) as host, tempfile.TemporaryDirectory() as directory:
            variables = {**stub.environment(directory, host), **KEYS}
            over = f"minio:9000={storage}"
            if way == "aws":
                over = f"s3.amazonaws.com=https://{HOST}"
                variables |= {"HTTPS_PROXY": storage, "NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": authority}
            run = Run([options.plugin, "purge", "-A", "--yes", "--repository", repository, "--endpoint-override", over,
                       "--max-objects", str(options.objects), "--concurrency", str(options.connections)], env=variables)
        deleted, requests = get(storage, "/stats")["deleted"], asked(storage, "delete", "list", "head", "setting")[0]
        if deleted != options.objects:
            sys.exit(f"{deleted} of {options.objects} are deleted: {run.output}")
        rates.append(deleted / max(asked(storage, "delete")[1], 0.001))
        walls.append(run)
    each = requests / options.objects
    if each > most:
        beyond.append(f"{each:.4f} requests an object {way}")
    print(f"  purge, {way:10} {statistics.median(rates):8.0f} deletes/s, {each:.4f} requests an object, "
          f"{statistics.median(run.seconds for run in walls):.1f} s in all, {max(run.memory for run in walls):.0f} MiB", flush=True)
    return statistics.median(rates)


def theirs(options, storage, latency, name, rival, authority):
    rates = []
    objects = FEW if name in ("rclone", "aws") else options.objects
    for _ in range(options.runs):
        reset(storage, latency)
        with tempfile.TemporaryDirectory() as home:
            command = rival(f"https://{HOST}", options)
            variables = {"PATH": os.environ["PATH"], "HOME": home, "MC_HOST_stub": f"https://k:secretsecret@{HOST}", **KEYS,
                         "HTTPS_PROXY": storage, "SSL_CERT_FILE": authority, "AWS_CA_BUNDLE": authority}
            if name == "rclone":
                with open(os.path.join(home, "names"), "w") as file:
                    file.writelines(f"{key}\n" for key in stub.Keys(objects, options.each))
            if name == "aws":
                command += sum((["--include", f"train-{n:08}/*"] for n in range(objects // options.each)), [])
            run = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=600, env=variables)
        deleted = get(storage, "/stats")["deleted"]
        if deleted < min(objects, options.objects):
            sys.exit(f"{name} deleted {deleted} objects: {run.stderr[-2000:]}")
        rates.append(deleted / max(asked(storage, "delete")[1], 0.001))
    print(f"  {name:17} {statistics.median(rates):8.0f} deletes/s", flush=True)
    return statistics.median(rates)


RIVALS = {
    "s5cmd": lambda storage, options: ["s5cmd", "--log", "error", "--endpoint-url", storage, "rm", f"s3://{BUCKET}/*"],
    "mc": lambda storage, options: ["mc", "rm", "--quiet", "--recursive", "--force", f"stub/{BUCKET}"],
    "rclone": lambda storage, options: [
        "rclone", "delete", f":s3:{BUCKET}", "--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", storage,
        "--files-from", "names", "--transfers", str(options.connections), "--checkers", str(options.connections)],
    "aws": lambda storage, options: ["aws", "s3", "rm", "--only-show-errors", "--recursive", "--endpoint-url", storage,
                                       f"s3://{BUCKET}/", "--exclude", "*"],
}


def certificate(directory):
    """Of a day's worth, in the name of Amazon's host; the file of the certificate and that of its key."""
    own, key = os.path.join(directory, "certificate"), os.path.join(directory, "key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", own, "-days", "1",
                    "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST},DNS:*.{HOST},DNS:*.s3.dualstack.us-east-1.amazonaws.com", "-addext",
                    "basicConstraints=critical,CA:FALSE"], check=True, capture_output=True)
    return own, key


if __name__ == "__main__":
    main()
