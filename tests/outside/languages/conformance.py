"""Runs the steps of `conformance.json` against one component in a real host.

    python conformance.py CAPLET COMPONENT

Every language's conformance plugin must answer every step alike. A step is a request and what is
expected of its answer and of the host's log; nothing of it is skipped. After them come commands about
people, whose data the plugin answers for.
"""

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

CONFIG = """
[roles]
tester = ["conformance.try"]

[limits]
reuse_max = 1000

[plugin.conformance]
grants = ["sql", "identity", "settings", "log", "clock", "random"]

[plugin.conformance.settings]
greeting = "hé🎉"
well = {well}

[plugin.conformance.limits]
concurrency_max = 1
"""

# A component of Python takes a quarter of a minute to compile, and more on a machine that is busy.
START_S_MAX = 180

# A line is written before the answer is sent.
LOG_S_MAX = 10


class Host:
    """A host with one plugin, in a place of its own."""

    def __init__(self, caplet: str, component: str, place: Path, well: bool) -> None:
        self.place = place
        (self.place / "plugins").mkdir(exist_ok=True)
        (self.place / "plugins" / "conformance.wasm").write_bytes(Path(component).read_bytes())
        (self.place / "caplet.toml").write_text(CONFIG.format(well=str(well).lower()))
        self.log = self.place / "log"
        self.caplet = caplet
        command = [caplet, "serve", "--listen", "127.0.0.1:0", "--config", "caplet.toml"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=self.place, stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self.process.stdout.readline()
        self.address = line.strip().rsplit("http://", 1)[1].rstrip("/. ")

    def token(self, arguments: list[str]) -> str:
        command = [self.caplet, "token", "--config", "caplet.toml", *arguments]
        return subprocess.check_output(command, cwd=self.place, text=True).strip()

    def subject(self, arguments: list[str]) -> tuple[int, dict]:
        """What `caplet subject` says of this host: its exit code, and its document."""
        own = ["--url", f"http://{self.address}", "--config", "caplet.toml"]
        command = [self.caplet, "subject", *arguments, *own]
        said = subprocess.run(command, cwd=self.place, capture_output=True, text=True)
        if not said.stdout:
            raise AssertionError(f"{arguments} says nothing: {said.stderr}")
        return said.returncode, json.loads(said.stdout)

    def until(self, what: str, is_so, seconds: float = START_S_MAX) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"not {what} in time:\n{self.log.read_text()}")
            time.sleep(0.02)

    def ask(self, step: dict, tokens: dict) -> tuple[int, list, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.putrequest(step.get("method", "GET"), "/api/conformance" + target(step))
        headers = dict(step.get("headers", {}))
        body = body_of(step, headers)
        if "as" in step:
            headers["authorization"] = f"Bearer {tokens[step['as']]}"
        headers["content-length"] = str(len(body))
        for name, values in headers.items():
            for value in values if isinstance(values, list) else [values]:
                connection.putheader(name, value.encode())
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def target(step: dict) -> str:
    return quote(step["path"], safe="/?=&%+-_.~")


def body_of(step: dict, headers: dict) -> bytes:
    if "json" in step:
        headers.setdefault("content-type", "application/json")
        return json.dumps(step["json"], ensure_ascii=False).encode()
    if "fill_bytes" in step:
        headers.setdefault("content-type", "application/octet-stream")
        return filled(step["fill_bytes"])
    return step.get("text", "").encode()


def filled(count: int) -> bytes:
    """Bytes of every value, in an order that shows what is lost or doubled."""
    return b"".join((n * 2654435761 % 2**32).to_bytes(4, "big") for n in range(count // 4))


def differences(expected, found, place: str = "") -> list[str]:
    """Where `found` is not what is expected; `{"any": true}` takes anything."""
    if expected == {"any": True}:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted(expected.keys() | found.keys())
        missing = {"nothing": True}
        return [
            line
            for name in names
            for line in differences(
                expected.get(name, missing), found.get(name, missing), f"{place}/{name}"
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found))
        return [line for at, (e, f) in pairs for line in differences(e, f, f"{place}/{at}")]
    same = expected == found and type(expected) is type(found)
    return [] if same else [f"{place}: expected {expected!r}, found {found!r}"]


def judge(expected: dict, status: int, headers: list, body: bytes) -> list[str]:
    fits = status == expected.get("status", 200)
    if "status_min" in expected:
        fits = status >= expected["status_min"]
    wrong = [] if fits else [f"status {status}"]
    if "json" in expected:
        wrong += differences(expected["json"], json.loads(body))
    if "text" in expected and body != expected["text"].encode():
        wrong.append(f"body {body[:200]!r}")
    if "fill_bytes" in expected and body != filled(expected["fill_bytes"]):
        wrong.append(f"{len(body)} other bytes")
    for name, values in expected.get("headers", {}).items():
        found = [value for known, value in headers if known.lower() == name]
        if found != values:
            wrong.append(f"header {name}: {found}")
    if "problem" in expected:
        wrong += judge_problem(expected["problem"], headers, body)
    for secret in expected.get("never", []):
        if secret.encode() in body:
            wrong.append(f"tells {secret!r}")
    return wrong and [*wrong, f"in {body[:600]!r}"]


def judge_problem(expected: dict, headers: list, body: bytes) -> list[str]:
    types = [value for name, value in headers if name.lower() == "content-type"]
    if types != ["application/problem+json"]:
        return [f"content-type {types}"]
    found = json.loads(body)
    pointers = [error["pointer"] for error in found.get("errors", [])]
    wrong = differences(expected.get("pointers", []), pointers, "pointers")
    named = {name: value for name, value in expected.items() if name != "pointers"}
    return wrong + differences(named, {name: found.get(name) for name in named})


def run(host: Host, step: dict, tokens: dict) -> list[str]:
    expected = step.get("expect", {})
    wrong = judge(expected, *host.ask(step, tokens))
    return wrong + look_for(host, expected.get("log", []), 0 if wrong else LOG_S_MAX)


def look_for(host: Host, texts: list[str], seconds: float) -> list[str]:
    """The texts that the host does not log in time."""
    wrong = []
    for text in texts:
        written = lambda text=text: text in host.log.read_text()
        try:
            host.until("logged", written, seconds)
        except AssertionError:
            wrong.append(f"the log has no {text!r}")
    return wrong


def answer_for(host: Host, step: dict) -> list[str]:
    """A command about a person, and what the plugin's part in it was."""
    code, found = host.subject(step["command"])
    wrong = [] if code == step.get("exit", 0) else [f"exit code {code}"]
    pages = found.get("pages")
    if step["command"][0] != "holdings":
        [part] = found.get("run", found)["plugins"]
        found = {"run": {name: value for name, value in part.items() if name != "plugin"}}
    if pages is not None:
        found["pages"] = [[page["holding"], len(page["items"])] for page in pages]
    if "last_items" in step:
        wrong += differences(step["last_items"], pages[-1]["items"], "items")
    wrong += differences(step["expect"], found)
    return wrong + look_for(host, step.get("log", []), 0 if wrong else LOG_S_MAX)


def conform(caplet: str, component: str, place: Path) -> list[str]:
    script = json.loads(Path(__file__).with_name("conformance.json").read_text())
    host = Host(caplet, component, place, well=True)
    try:
        host.until("serving", lambda: host.ask({"path": "/calls"}, {})[0] == 200)
        tokens = {name: host.token(arguments) for name, arguments in script["callers"].items()}
        failures = []
        for step in script["steps"]:
            for _ in range(step.get("times", 1)):
                wrong = run(host, step, tokens)
                failures += [f"{step['name']}: {line}" for line in wrong]
        for step in script["subjects"]:
            failures += [f"{step['name']}: {line}" for line in answer_for(host, step)]
        failures += kept_instances(host)
        return failures
    finally:
        host.stop()


def kept_instances(host: Host) -> list[str]:
    """Whether an instance is kept from one call to the next: it can count."""
    seen = [json.loads(host.ask({"path": "/calls"}, {})[2])["calls"] for _ in range(5)]
    same = [later - earlier for earlier, later in zip(seen, seen[1:])]
    return [] if same == [1] * 4 else [f"an instance is not kept: {seen}"]


def unwell(caplet: str, component: str, place: Path) -> list[str]:
    """A plugin that says that it is not well is not served, and the log says why."""
    host = Host(caplet, component, place, well=False)
    try:
        host.until("refused", lambda: "set-unwell" in host.log.read_text())
        status, _, _ = host.ask({"path": "/calls"}, {})
        return [] if status in (404, 503) else [f"one that is not well answers {status}"]
    finally:
        host.stop()


def main() -> None:
    caplet, component = (str(Path(argument).resolve()) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        place = Path(folder)
        failures = conform(caplet, component, place)
        # Without the data, so that the plugin is new; with the compiled code.
        shutil.rmtree(place / "data" / "databases")
        failures += unwell(caplet, component, place)
    print("\n".join(failures) or "it conforms")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
