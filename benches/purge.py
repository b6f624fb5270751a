#!/usr/bin/env python3
"""Times `purge` against a stub that is both API server and GCS, and compares its deletes with a raw load tool.

    cargo build --release && benches/purge.py [--objects 10000] [--latency 0 20] [--check]

The rate of deletes is taken from the stub: objects divided by the time between the first and the last DELETE.
`wrk` sends DELETEs over as many connections to the same stub for three seconds. Peak memory is the plugin's.
`--check` fails below 80 % of wrk's rate, or above 150 MiB.
"""
import argparse, asyncio, json, os, shutil, subprocess, sys, tempfile, time
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET = "ml-artifacts"
EACH = 100  # objects of a workflow
BEGAN, WRITTEN, ENDED = "2026-11-01T02:00:00Z", "2026-11-01T02:30:00Z", "2026-11-01T03:00:00Z"


def workflow(at, count):
    name = f"train-{at:06}"
    artifacts = [{"name": f"out-{n}", "path": "/out", "gcs": {"key": f"{name}/{name}-1/{n}.tgz"}} for n in range(count)]
    pod = {"id": f"{name}-1", "name": f"{name}[0].step", "displayName": "step", "type": "Pod", "phase": "Succeeded",
           "templateScope": f"local/{name}", "boundaryID": name, "startedAt": BEGAN, "finishedAt": ENDED,
           "outputs": {"artifacts": artifacts}}
    root = {"id": name, "name": name, "displayName": name, "type": "Steps", "templateName": "main",
            "phase": "Succeeded", "startedAt": BEGAN, "finishedAt": ENDED, "children": [pod["id"]]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": {"name": name, "namespace": "ml", "uid": f"uid-{at}", "resourceVersion": "1",
                         "creationTimestamp": BEGAN, "labels": {"workflows.argoproj.io/completed": "true"}},
            "spec": {"entrypoint": "main", "templates": [{"name": "main", "steps": [[{"name": "step", "inline": {}}]]}]},
            "status": {"phase": "Succeeded", "startedAt": BEGAN, "finishedAt": ENDED,
                       "artifactGCStatus": {"notSpecified": True}, "nodes": {name: root, pod["id"]: pod},
                       "artifactRepositoryRef": {"artifactRepository": {"gcs": {"bucket": BUCKET}}}}}


class Stub(asyncio.Protocol):
    """Answers one request after the other on a connection, each `latency` seconds late."""
    objects, latency = 0, 0.0
    deleted, first, last = set(), None, None

    def connection_made(self, transport):
        self.transport, self.buffer, self.queue = transport, b"", asyncio.Queue()
        self.task = asyncio.ensure_future(self.work())

    def connection_lost(self, _):
        self.task.cancel()

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode()
            length = 0
            for line in head.split("\r\n")[1:]:
                if line[:15].lower() == "content-length:":
                    length = int(line[15:])
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length:]
            method, path, _ = head.split(" ", 2)
            self.queue.put_nowait((method, path))

    async def work(self):
        while True:
            method, path = await self.queue.get()
            if Stub.latency and path.startswith("/storage"):
                await asyncio.sleep(Stub.latency)
            status, body = self.answer(method, path)
            reason = {200: "OK", 204: "No Content"}.get(status, "Not Found")
            length = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
            self.transport.write(f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n{length}\r\n".encode() + body)

    def answer(self, method, target):
        if target.startswith("/storage/v1/b/"):
            return self.storage(method, target)
        if target == "/stats":
            rate = {"deleted": len(Stub.deleted), "seconds": (Stub.last or 0) - (Stub.first or 0)}
            return 200, json.dumps(rate).encode()
        if target.startswith("/reset/"):
            Stub.deleted, Stub.first, Stub.last, Stub.latency = set(), None, None, float(target[7:]) / 1000
            return 200, b"{}"
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path.endswith("accessreviews"):
            return 200, b'{"status":{"allowed":true}}'
        if "/workflows/" in path:
            return 200, json.dumps(workflow(int(path.rsplit("-", 1)[1]), EACH)).encode()
        if path.endswith("/workflows"):
            start, limit = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["500"])[0])
            count = Stub.objects // EACH
            items = [workflow(at, EACH) for at in range(start, min(start + limit, count))]
            token = str(start + limit) if start + limit < count else ""
            return 200, json.dumps({"kind": "WorkflowList", "items": items, "metadata": {"continue": token}}).encode()
        if path.count("/") > 3 and not path.startswith("/apis"):
            return 200, b'{"metadata":{"name":"kube-system","uid":"u"}}'
        return 200, b'{"items":[],"metadata":{}}'

    def storage(self, method, target):
        path = target[14:].split("?")[0]
        bucket, _, rest = path.partition("/o/")
        if not rest and path.endswith("/o"):
            # Verification lists the folder of what it deleted.
            return 200, b'{"kind":"storage#objects"}'
        if not rest:
            if path.endswith("testPermissions"):
                rights = ["storage.objects.list", "storage.objects.get", "storage.objects.delete"]
                return 200, json.dumps({"permissions": rights}).encode()
            return 200, json.dumps({"name": bucket}).encode()
        if method == "DELETE":
            Stub.last = time.perf_counter()
            Stub.first = Stub.first or Stub.last
            Stub.deleted.add(rest)
            return 204, b""
        if rest in Stub.deleted:
            return 404, b'{"error":{"code":404,"message":"No such object"}}'
        meta = {"kind": "storage#object", "bucket": bucket, "name": unquote(rest), "metageneration": "1", "generation": "1700000000000001", "size": "1048576", "timeCreated": WRITTEN,
                "storageClass": "STANDARD", "crc32c": "AAAAAA=="}
        return 200, json.dumps(meta).encode()


def serve(pipe, objects):
    async def run():
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=1024)
        os.write(pipe, str(server.sockets[0].getsockname()[1]).encode())
        await server.serve_forever()
    Stub.objects = objects
    asyncio.run(run())


def get(host, path):
    return json.loads(subprocess.run(["curl", "-sf", f"{host}{path}"], capture_output=True, check=True).stdout or b"{}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, default=10_000)
    arguments.add_argument("--latency", type=float, nargs="*", default=[0, 20], help="milliseconds")
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--plugin", default="target/release/kubectl-argo_gc")
    arguments.add_argument("--plan-only", action="store_true", help="no deletes: for the memory of a large plan")
    arguments.add_argument("--rivals", action="store_true", help="also time gcloud storage rm")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        serve(write, options.objects)
        os._exit(0)
    try:
        host = f"http://127.0.0.1:{os.read(read, 16).decode()}"
        failures = [bench(options, host, latency) for latency in options.latency]
    finally:
        os.kill(child, 15)
        os.waitpid(child, 0)
    if options.check and any(failures):
        sys.exit("beyond the bounds: 80 % of wrk, 150 MiB")


def bench(options, host, latency):
    get(host, f"/reset/{latency}")
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "config")
        with open(config, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [],
                       "clusters": [{"name": "c", "cluster": {"server": host}}],
                       "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]}, file)
        environment = {"PATH": os.environ["PATH"], "KUBECONFIG": config, "HOME": directory,
                       "STORAGE_EMULATOR_HOST": host}
        command = [options.plugin, "purge", "-A", "--yes", "--no-record", "--repository", f"gs://{BUCKET}",
                   "--max-objects", str(options.objects), "--concurrency", str(options.connections)]
        if options.plan_only:
            command += ["--plan-out", os.path.join(directory, "plan.json")]
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        seconds, memory = time.perf_counter() - began, usage.ru_maxrss / 1024
        if status:
            sys.exit(f"purge failed: {status}\n{errors}")
        stats = get(host, "/stats")
    print(f"{options.objects} objects, {latency:g} ms a request: {seconds:.1f} s in all, {memory:.0f} MiB")
    if options.plan_only:
        return memory > 150
    rate = stats["deleted"] / stats["seconds"]
    print(f"  purge   {rate:.0f} deletes/s")
    if not shutil.which("wrk"):
        return memory > 150
    url = f"{host}/storage/v1/b/{BUCKET}/o/x?ifGenerationMatch=1700000000000001"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "DELETE"')
        script.flush()
        raw = subprocess.run(["wrk", "-t", "1", "-c", str(options.connections), "-d", "3s", "-s", script.name, url],
                             capture_output=True, text=True, check=True).stdout
    theirs = float(next(line for line in raw.splitlines() if line.startswith("Requests/sec")).split()[1])
    print(f"  wrk     {theirs:.0f} deletes/s; purge reaches {100 * rate / theirs:.0f} %")
    slow = rate < 0.8 * theirs
    if options.rivals and shutil.which("gcloud"):
        theirs = gcloud(host, latency)
        print(f"  gcloud  {theirs:.0f} deletes/s (storage rm -I); purge is {rate / theirs:.0f} times as fast")
        slow |= rate < 2 * theirs
    return memory > 150 or slow


def gcloud(host, latency):
    """Deletes a second of `gcloud storage rm`, by the stub's clock like ours, of 2,000 objects."""
    get(host, f"/reset/{latency}")
    objects = "".join(f"gs://{BUCKET}/train-000000/train-000000-1/{n}.tgz\n" for n in range(2000))
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
                       "CLOUDSDK_CORE_PROJECT": "none", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
                       "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{host}/storage/v1/"}
        run = subprocess.run(["gcloud", "storage", "rm", "-q", "-I"], input=objects, capture_output=True, text=True,
                             env=environment, timeout=300)
    stats = get(host, "/stats")
    if stats["deleted"] != 2000:
        sys.exit(f"gcloud deleted {stats['deleted']} objects: {run.stderr[-2000:]}")
    return stats["deleted"] / stats["seconds"]


if __name__ == "__main__":
    main()
