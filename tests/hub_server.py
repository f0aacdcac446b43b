"""A server of the parts of the Hub's documented API that models and files of data sets use."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the server keeps, and what it was asked."""

    url: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    token: str | None = None


def below_of(files: dict[str, bytes], folder: str, *, everything: bool) -> dict[str, bytes | None]:
    """Return the files and folders below a folder, or only those in it; folders are None."""
    found: dict[str, bytes | None] = {}
    for path, content in files.items():
        parts = path.removeprefix(folder).split("/")
        if path.startswith(folder):
            for depth in range(1, len(parts)):
                found[folder + "/".join(parts[:depth])] = None
            found[path] = content
    return {
        path: content
        for path, content in found.items()
        if everything or "/" not in path.removeprefix(folder)
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def tell(self, value: object, status: int = 200, **headers: str) -> None:
        self.answer(json.dumps(value).encode(), status, Content_Type="application/json", **headers)

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def refused(self) -> bool:
        given = self.headers.get("Authorization", "")
        if self.hub.token is None or given == f"Bearer {self.hub.token}":
            return False
        self.tell({"error": "Invalid credentials"}, 401)
        return True

    def do_PUT(self) -> None:
        content = self.body()
        self.hub.stored[hashlib.sha256(content).hexdigest()] = content
        self.answer(b"")

    def do_POST(self) -> None:
        path, content = unquote(self.path.partition("?")[0]), self.body()
        self.hub.asked.append(f"POST {path}")
        if self.refused():
            return
        if path == "/api/validate-yaml":
            self.tell({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self.create(json.loads(content))
        elif found := re.fullmatch(r"/api/\w+/(.+)/preupload/\w+", path):
            self.preupload(json.loads(content))
        elif found := re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", path):
            self.batch(json.loads(content))
        elif found := re.fullmatch(r"/api/\w+/(.+)/commit/\w+", path):
            self.commit(found[1], content)
        elif found := re.fullmatch(r"/api/\w+/(.+)/paths-info/\w+", path):
            self.paths(found[1], content)
        else:
            self.tell({"error": "not found"}, 404)

    def create(self, wanted: dict[str, object]) -> None:
        name = "/".join(str(wanted[k]) for k in ("organization", "name") if wanted.get(k))
        if name in self.hub.private:
            self.tell({"error": "exists", "url": f"{self.hub.url}/{name}"}, 409)
            return
        self.hub.private[name] = wanted.get("visibility") == "private"
        self.hub.files[name] = {}
        self.tell({"url": f"{self.hub.url}/{name}", "id": name})

    def preupload(self, wanted: dict[str, list[dict[str, str]]]) -> None:
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for one in wanted["files"]
        ]
        self.tell({"files": files})

    def batch(self, wanted: dict[str, list[dict[str, str]]]) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}}
            for one in wanted["objects"]
        ]
        self.tell({"transfer": "basic", "objects": objects})

    def commit(self, name: str, content: bytes) -> None:
        for line in map(json.loads, content.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[name][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.files[name][value["path"]] = self.hub.stored[value["oid"]]
        self.tell({"commitUrl": f"{self.hub.url}/{name}/commit/{COMMIT}", "commitOid": COMMIT})

    def paths(self, name: str, content: bytes) -> None:
        text = content.decode()
        try:
            wanted = json.loads(text)["paths"]
        except ValueError:
            wanted = [unquote(one) for one in re.findall(r"paths=([^&]+)", text)]
        files = self.hub.files.get(name, {})
        known = below_of(files, "", everything=True)
        found = [self.entry(path, known[path]) for path in wanted if path in known]
        self.tell(found)

    @staticmethod
    def entry(path: str, content: bytes | None) -> dict[str, object]:
        if content is None:
            return {
                "type": "directory",
                "oid": hashlib.sha1(path.encode()).hexdigest(),
                "path": path,
            }
        oid = hashlib.sha1(content).hexdigest()
        return {"type": "file", "oid": oid, "size": len(content), "path": path}

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.hub.asked.append(f"{self.command} {path}")
        if self.refused():
            return
        if found := re.fullmatch(r"/api/\w+/([^/]+/[^/]+)/tree/\w+/?(.*)", path):
            files = self.hub.files.get(found[1])
            below = f"{found[2]}/" if found[2] else ""
            listed = below_of(files or {}, below, everything="recursive=true" in self.path.lower())
            self.tell([self.entry(*one) for one in listed.items()], 200 if files else 404)
        elif found := re.fullmatch(r"/api/\w+/([^/]+/[^/]+)(/revision/\w+)?", path):
            known = found[1] in self.hub.files
            error = {"X_Error_Code": "RepoNotFound"}
            self.tell({"id": found[1], "sha": COMMIT, "siblings": []}) if known else self.tell(
                {"error": "Repository not found"}, 404, **error
            )
        elif found := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/\w+/(.+)", path):
            self.file(self.hub.files.get(found[1], {}).get(found[2]))
        else:
            self.tell({"error": "not found"}, 404, X_Error_Code="EntryNotFound")

    do_HEAD = do_GET  # noqa: N815 - the name that the server calls

    def file(self, content: bytes | None) -> None:
        if content is None:
            self.tell({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
            return
        facts = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X_Repo_Commit": COMMIT}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            self.answer(content, **facts)
            return
        first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
        place = f"bytes {first}-{last}/{len(content)}"
        self.answer(content[first : last + 1], 206, Content_Range=place, **facts)


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Run the server on the loopback interface during the block."""
    hub = Hub()
    handler = type("Bound", (Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()
