"""What the benches share: stubs of an API server, of GCS and of S3, and the timing of whole processes."""
import asyncio, bisect, collections, contextlib, json, os, re, shutil, ssl, subprocess, sys, tempfile, time
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import urlopen

BUCKET = "ml-artifacts"
BEGAN, WRITTEN, ENDED = "2026-11-01T02:00:00Z", "2026-11-01T02:30:00Z", "2026-11-01T03:00:00Z"
GENERATION = "1700000000000001"
STORED = (f'"metageneration":"1","generation":"{GENERATION}","size":"1048576","timeCreated":"{WRITTEN}",'
          f'"updated":"{WRITTEN}","storageClass":"STANDARD","crc32c":"AAAAAA=="}}')


def key(workflow, n):
    """Where the nth artifact of a workflow lies: numbers are padded, so keys stand in their order."""
    return f"train-{workflow:08}/train-{workflow:08}-1/{n:06}.tgz"


def workflow(count, engine, repository):
    """A finished workflow whose inline step left so many artifacts; NNNNNNNN is its number."""
    name = "train-NNNNNNNN"
    artifacts = [{"name": f"out-{n}", "path": "/out", engine: {"key": f"{name}/{name}-1/{n:06}.tgz"}}
                 for n in range(count)]
    pod = {"id": f"{name}-1", "name": f"{name}[0].step", "displayName": "step", "type": "Pod", "phase": "Succeeded",
           "templateScope": f"local/{name}", "boundaryID": name, "startedAt": BEGAN, "finishedAt": ENDED,
           "outputs": {"artifacts": artifacts}}
    root = {"id": name, "name": name, "displayName": name, "type": "Steps", "templateName": "main",
            "phase": "Succeeded", "startedAt": BEGAN, "finishedAt": ENDED, "children": [pod["id"]]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": {"name": name, "namespace": "ml", "uid": "uid-NNNNNNNN", "resourceVersion": "1",
                         "creationTimestamp": BEGAN, "labels": {"workflows.argoproj.io/completed": "true"}},
            "spec": {"entrypoint": "main", "templates": [{"name": "main", "steps": [[{"name": "step", "inline": {}}]]}]},
            "status": {"phase": "Succeeded", "startedAt": BEGAN, "finishedAt": ENDED,
                       "artifactGCStatus": {"notSpecified": True}, "nodes": {name: root, pod["id"]: pod},
                       "artifactRepositoryRef": {"artifactRepository": {engine: {"bucket": BUCKET, **repository}}}}}


class Workflows(collections.abc.Sequence):
    """So many workflows with as many artifacts each, written when they are asked for."""

    def __init__(self, count, artifacts, engine="gcs", **repository):
        pattern = workflow(artifacts, engine, repository)
        self.count, self.pattern = count, json.dumps(pattern, separators=(",", ":")).encode()

    def __len__(self):
        return self.count

    def __getitem__(self, at):
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(self.count))]
        return self.pattern.replace(b"NNNNNNNN", b"%08d" % at)


class Keys(collections.abc.Sequence):
    """The keys of a bucket in order: so many objects, `each` to a workflow; none is held."""

    def __init__(self, count, each):
        self.count, self.each = count, each

    def __len__(self):
        return self.count

    def __getitem__(self, at):
        if at >= self.count:
            raise IndexError  # what ends a loop over them
        return key(*divmod(at, self.each))


class Stub:
    """As much of an API server, and of the GCS JSON API, as the plugin and its rivals ask for."""
    KIND = "application/json"
    DISCOVERY = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": "argoproj.io", "versions": [{"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"}],
             "preferredVersion": {"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"}}]},
        "/apis/argoproj.io/v1alpha1": {
            "kind": "APIResourceList", "groupVersion": "argoproj.io/v1alpha1",
            "resources": [{"name": "workflows", "singularName": "workflow", "shortNames": ["wf"], "namespaced": True,
                           "kind": "Workflow", "verbs": ["get", "list"]}]}}

    def __init__(self, workflows, keys=(), soft_delete=False):
        self.workflows, self.keys = workflows, keys
        self.settings = {"softDeletePolicy": {"retentionDurationSeconds": "604800"}} if soft_delete else {}
        self.secure = None
        self.watchers, self.version = set(), 1
        self.reset(0)

    def reset(self, latency):
        self.latency, self.requests, self.deleted = latency / 1000, collections.Counter(), set()
        self.first, self.last = {}, {}

    def count(self, kind):
        now = time.perf_counter()
        self.requests[kind] += 1
        self.first.setdefault(kind, now - self.latency)
        self.last[kind] = now

    def is_storage(self, target):
        return target.startswith("/storage")

    def answer(self, method, target, body):
        """Status and parts of a body, and further headers."""
        if target.startswith("/storage/v1/b/"):
            return self.storage(method, target)
        address = urlsplit(target)
        path, query = address.path, parse_qs(address.query)
        if path in ("/stats", "/reset"):
            return self.told(path, query)
        if path in self.DISCOVERY:
            return 200, [json.dumps(self.DISCOVERY[path]).encode()]
        if method == "PATCH":
            self.count("patch")
            return 200, [self.workflows[int(path[-8:])]]
        if path.endswith("accessreviews"):
            return 200, [b'{"status":{"allowed":true}}']
        if "/workflows/" in path:
            return 200, [self.workflows[int(path[-8:])]]
        if path.endswith("/workflows"):
            start, limit = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["0"])[0])
            end = min(start + (limit or len(self.workflows)), len(self.workflows))
            left = len(self.workflows) - end
            token = f'"continue":"{end}","remainingItemCount":{left},' if left else '"continue":"",'
            return 200, [b'{"apiVersion":"argoproj.io/v1alpha1","items":[', b",".join(self.workflows[start:end]),
                         f'],"kind":"WorkflowList","metadata":{{{token}"resourceVersion":"1"}}}}\n'.encode()]
        if path.count("/") > 3 and not path.startswith("/apis"):
            return 200, [b'{"metadata":{"name":"kube-system","uid":"u"}}']
        return 200, [b'{"apiVersion":"v1","items":[],"kind":"List","metadata":{"resourceVersion":"1"}}\n']

    def told(self, path, query):
        """What the bench itself asks."""
        if path == "/reset":
            self.reset(float(query["latency"][0]))
            return 200, [b"{}"]
        return 200, [json.dumps({"requests": self.requests, "deleted": len(self.deleted), "secure": self.secure,
                                 "first": self.first, "last": self.last}).encode()]

    def storage(self, method, target):
        path, _, query = target[14:].partition("?")
        name, objects, rest = path.partition("/o")
        rest = rest[1:].replace("%2F", "/")
        if method == "DELETE":
            self.count("delete")
            self.deleted.add(rest)
            return 204, []
        if rest:
            self.count("head")
            if rest in self.deleted:
                return 404, [b'{"error":{"code":404,"message":"No such object"}}']
            return 200, [self.object(unquote(rest)).encode()]
        if objects:
            self.count("list")
            return 200, [self.listing(parse_qs(query)).encode()]
        if path.endswith("testPermissions"):
            rights = ["storage.objects.list", "storage.objects.get", "storage.objects.delete"]
            return 200, [json.dumps({"permissions": rights}).encode()]
        return 200, [json.dumps({"kind": "storage#bucket", "name": name, **self.settings}).encode()]

    def object(self, name):
        return f'{{"kind":"storage#object","id":"{BUCKET}/{name}/{GENERATION}","bucket":"{BUCKET}","name":"{name}",{STORED}'

    def listing(self, query):
        """A page of at most 1,000 objects; with a delimiter, of folders."""
        if "softDeleted" in query:
            return '{"kind":"storage#objects"}'
        asked = lambda name, default="": query.get(name, [default])[0]
        prefix, slash = asked("prefix"), asked("delimiter")
        at = bisect.bisect_left(self.keys, max(prefix, asked("startOffset"), asked("pageToken")))
        names, folders, most = [], [], min(int(asked("maxResults", "1000")), 1000)
        while at < len(self.keys) and len(names) + len(folders) < most:
            name = self.keys[at]
            if not name.startswith(prefix):
                break
            cut = name.find(slash, len(prefix)) if slash else -1
            if cut < 0:
                at += 1
                if name not in self.deleted:
                    names.append(name)
            else:
                folders.append(name[:cut + 1])
                at = bisect.bisect_left(self.keys, name[:cut] + "0")  # what comes after "/"
        more = at < len(self.keys) and self.keys[at].startswith(prefix)
        token = f'"nextPageToken":"{self.keys[at]}",' if more else ""
        items = ",".join(map(self.object, names))
        return f'{{"kind":"storage#objects",{token}"prefixes":{json.dumps(folders)},"items":[{items}]}}'


class S3(Stub):
    """As much of Amazon S3 as the plugin and its rivals ask for; it heeds ETags."""
    KIND = "application/xml\r\nx-amz-request-id: 1"
    TAG = "d41d8cd98f00b204e9800998ecf8427e"
    OBJECT = re.compile(rb"<Object>(.*?)</Object>", re.S)
    KEY, ASKED_TAG = re.compile(rb"<Key>([^<]*)</Key>"), re.compile(rb"<ETag>([^<]*)</ETag>")

    def __init__(self, keys):
        super().__init__((), keys)

    def is_storage(self, target):
        return not target.startswith(("/stats", "/reset"))

    def answer(self, method, target, body):
        address = urlsplit(target)
        path, query = address.path, parse_qs(address.query, keep_blank_values=True)
        if not self.is_storage(target):
            return self.told(path, query)
        name = unquote(path.removeprefix(f"/{BUCKET}").lstrip("/"))
        if method == "POST" and "delete" in query:
            self.count("delete")
            return 200, [b"<DeleteResult>", *self.delete(body), b"</DeleteResult>"]
        if method == "DELETE":
            self.count("delete")
            self.deleted.add(name)
            return 204, []
        if method == "HEAD" and name:
            self.count("head")
            if name in self.deleted:
                return 404, []
            return 200, [], f'ETag: "{self.TAG}"\r\nLast-Modified: Sun, 01 Nov 2026 02:30:00 GMT\r\nContent-Length: 1048576\r\n'
        if method == "GET" and not query.keys() & {"versioning", "object-lock", "location", "versions"}:
            self.count("list")
            return 200, [self.listing(query).encode()]
        self.count("setting")
        if "versioning" in query:
            return 200, [b"<VersioningConfiguration></VersioningConfiguration>"]
        if "location" in query:
            return 200, [b"<LocationConstraint></LocationConstraint>"]
        if "object-lock" in query:
            return 404, [b"<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"]
        return (200, []) if method == "HEAD" else (501, [b"<Error><Code>NotImplemented</Code></Error>"])

    def delete(self, body):
        """What is answered of each key."""
        is_quiet = b"<Quiet>true" in body
        for found in self.OBJECT.findall(body):
            name = self.KEY.search(found)[1]
            tag = self.ASKED_TAG.search(found)
            if tag and self.TAG.encode() not in tag[1]:
                yield b"<Error><Key>%s</Key><Code>PreconditionFailed</Code></Error>" % name
            else:
                self.deleted.add(name.decode())
                if not is_quiet:
                    yield b"<Deleted><Key>%s</Key></Deleted>" % name

    def listing(self, query):
        asked = lambda name, default="": query.get(name, [default])[0]
        prefix, slash, most = asked("prefix"), asked("delimiter"), min(int(asked("max-keys", "1000")), 1000)
        after = max(asked("start-after"), asked("continuation-token"), asked("marker"))
        # What comes after a folder that was the last of a page.
        start = bisect.bisect_left(self.keys, after[:-1] + "0") if slash and after.endswith("/") else bisect.bisect_right(self.keys, after)
        at = max(bisect.bisect_left(self.keys, prefix), start)
        names, folders, last = [], [], ""
        while at < len(self.keys) and len(names) + len(folders) < most:
            last = name = self.keys[at]
            if not name.startswith(prefix):
                break
            cut = name.find(slash, len(prefix)) if slash else -1
            if cut < 0:
                at += 1
                if name not in self.deleted:
                    names.append(name)
            else:
                last = name[:cut + 1]
                folders.append(last)
                at = bisect.bisect_left(self.keys, name[:cut] + "0")  # what comes after "/"
        more = at < len(self.keys) and self.keys[at].startswith(prefix)
        token = f"<NextContinuationToken>{last}</NextContinuationToken><NextMarker>{last}</NextMarker>" if more else ""
        rest = (f"</Key><LastModified>2026-11-01T02:30:00.000Z</LastModified><ETag>&quot;{self.TAG}&quot;</ETag>"
                "<Size>1048576</Size><StorageClass>STANDARD</StorageClass></Contents>")
        contents = "".join(f"<Contents><Key>{name}{rest}" for name in names)
        contents += "".join(f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>" for folder in folders)
        return (f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(names) + len(folders)}</KeyCount>"
                f"<MaxKeys>{most}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>")


class Connection(asyncio.Protocol):
    """Answers one request after the other, those to storage late by the stub's latency."""
    stub = None
    # What a proxy would lead to any host comes here, over TLS.
    certificate = None
    REASONS = {200: "OK", 204: "No Content", 404: "Not Found", 501: "Not Implemented"}

    def connection_made(self, transport):
        self.transport, self.buffer, self.is_shaking_hands = transport, b"", False

    def data_received(self, data):
        self.buffer += data
        self.heed()

    def heed(self):
        while not self.is_shaking_hands and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode()
            length = head.lower().find("content-length:")
            length = int(head[length + 15:].split("\r", 1)[0]) if length >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4:end + 4 + length]
            self.buffer = self.buffer[end + 4 + length:]
            method, target, _ = head.split(" ", 2)
            if method == "CONNECT":
                self.is_shaking_hands = True
                self.transport.pause_reading()
                self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
                self.task = asyncio.ensure_future(self.secure())
            elif self.stub.latency and self.stub.is_storage(target):
                asyncio.get_running_loop().call_later(self.stub.latency, self.answer, method, target, body)
            else:
                self.answer(method, target, body)

    async def secure(self):
        """Goes on over TLS, as the host that was asked for. What comes with the handshake's end waits for it."""
        loop = asyncio.get_running_loop()
        self.transport = await loop.start_tls(self.transport, self, self.certificate, server_side=True)
        self.is_shaking_hands = False
        self.heed()

    def answer(self, method, target, body):
        if self.transport.is_closing():
            return
        if "watch=1" in target:
            return self.watch(target)
        status, parts, *headers = self.stub.answer(method, target, body)
        parts, more = list(parts), "".join(headers)
        if method == "PATCH":
            self.changed(parts[0])
        length = "" if status == 204 or headers else f"Content-Length: {sum(map(len, parts))}\r\n"
        head = f"HTTP/1.1 {status} {self.REASONS[status]}\r\nContent-Type: {self.stub.KIND}\r\n{length}{more}\r\n"
        self.transport.writelines([head.encode(), *parts])

    def watch(self, target):
        """A stream that ends when it is asked to. That of workflows hears of each that is patched."""
        address = urlsplit(target)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        watched = self.stub.watchers if address.path.endswith("/workflows") else set()
        watched.add(self.transport)

        def end():
            watched.discard(self.transport)
            if not self.transport.is_closing():
                self.transport.write(b"0\r\n\r\n")
        seconds = float(parse_qs(address.query).get("timeoutSeconds", ["10"])[0])
        asyncio.get_running_loop().call_later(seconds, end)

    def changed(self, workflow):
        self.stub.version += 1
        version = f'"resourceVersion":"{self.stub.version}"'.encode()
        workflow = workflow.replace(b'"resourceVersion":"1"', version, 1)
        event = b'{"type":"MODIFIED","object":%s}\n' % workflow
        for transport in [open_one for open_one in self.stub.watchers if not open_one.is_closing()]:
            transport.write(b"%x\r\n%s\r\n" % (len(event), event))


@contextlib.contextmanager
def forked(serve):
    """Runs `serve` in a process of its own, and gives its address. It is handed a function that it tells its port.

    Its interpreter must not share a lock with the timing, nor its objects count as memory of the processes started here.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        serve(lambda port: os.write(write, str(port).encode()))
        os._exit(0)
    os.close(write)
    try:
        yield f"http://127.0.0.1:{os.read(read, 16).decode()}"
    finally:
        os.kill(child, 15)
        os.waitpid(child, 0)


def serving(make, files=None):
    """Serves the stub that `make` makes; gives its address. With `files`, a certificate and its key, it is also a proxy
    that leads to itself, over TLS.
    """
    async def run(tell):
        Connection.stub = make()
        if files:
            Connection.certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            Connection.certificate.load_cert_chain(*files)
        loop = asyncio.get_running_loop()
        if shutil.which("openssl"):
            # gsutil speaks TLS only.
            secure = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024, ssl=certificate())
            Connection.stub.secure = secure.sockets[0].getsockname()[1]
        server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
        tell(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    return forked(lambda tell: asyncio.run(run(tell)))


def certificate():
    """Of a day's worth, for TLS that nobody checks."""
    with tempfile.TemporaryDirectory() as directory:
        key, own = os.path.join(directory, "key"), os.path.join(directory, "certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", own,
                        "-days", "1", "-subj", "/CN=localhost"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own, key)
        return context


def gsutil(directory, host):
    """The command and variables by which gsutil talks to the stub."""
    boto = os.path.join(directory, "boto")
    with open(boto, "w") as file:
        file.write(f"[Credentials]\ngs_json_host = 127.0.0.1\ngs_json_port = {get(host, '/stats')['secure']}\n"
                   "[Boto]\nhttps_validate_certificates = False\n"
                   "[GSUtil]\nprefer_api = json\nsoftware_update_check_period = 0\n")
    return ["gsutil", "-m"], {"BOTO_CONFIG": boto, "CLOUDSDK_CORE_PASS_CREDENTIALS_TO_GSUTIL": "false",
                              "CLOUDSDK_STORAGE_USE_GCLOUD_STORAGE": "false"}


def get(host, path):
    with urlopen(host + path) as answer:
        return json.load(answer)


def reset(host, latency):
    """Forgets what was asked and deleted; storage answers so many milliseconds late from now on."""
    get(host, f"/reset?latency={latency}")


def asked(host, *kinds):
    """How many requests of these kinds storage got, and the seconds from the first one to the last answer."""
    stats = get(host, "/stats")
    kinds = [kind for kind in kinds if kind in stats["requests"]]
    if not kinds:
        return 0, 0.0
    seconds = max(stats["last"][kind] for kind in kinds) - min(stats["first"][kind] for kind in kinds)
    return sum(stats["requests"][kind] for kind in kinds), seconds


def environment(directory, host):
    """Variables that lead kubectl, the plugin and rclone to the stub, and to nobody's own settings."""
    config = os.path.join(directory, "config")
    with open(config, "w") as file:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [],
                   "clusters": [{"name": "c", "cluster": {"server": host}}],
                   "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]}, file)
    return {"PATH": os.environ["PATH"], "KUBECONFIG": config, "HOME": directory, "STORAGE_EMULATOR_HOST": host}


class Run:
    """One whole process: wall and processor seconds, peak memory in MiB, what it printed. What it shows goes to the file
    `out` instead, if there is one.
    """

    def __init__(self, command, out=None, **kwargs):
        began = time.perf_counter()
        streams = {"stdout": out, "stderr": subprocess.PIPE} if out else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, **streams, **kwargs)
        self.output = (process.stderr if out else process.stdout).read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - began
        self.processor, self.memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        process.returncode = status
        if status:
            sys.exit(f"{command[0]} failed: {status}\n{self.output[-2000:]}")
