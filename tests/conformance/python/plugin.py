"""Everything the contract has, for the script in `tests/outside/languages`: the same plugin in each
language."""

import json
import struct
from dataclasses import dataclass
from typing import Annotated, Any

from caplet import (
    ETag,
    Length,
    Plugin,
    Preconditions,
    Problem,
    Range,
    Request,
    Response,
    Tagged,
    clock,
    identity,
    log,
    random,
    settings,
    sql,
)


@dataclass
class Options:
    """What the script sets."""

    greeting: str = "hello"
    well: bool = True
    largest: int = 9223372036854775807


plugin = Plugin("conformance", version="1.2.3", title="Conformance", settings=Options)
plugin.summary = "Does what it is told, in Python."
plugin.permission("conformance.try", "Try what needs a permission.")
plugin.migration(
    1,
    "create things",
    """
    CREATE TABLE things (
        id BIGINT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        size BIGINT CHECK (size > 0),
        parent BIGINT REFERENCES things (id),
        content BYTEA
    );
    """,
)
plugin.migration(
    2,
    "create traces",
    """
    CREATE TABLE traces (
        id BIGINT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        person TEXT NOT NULL,
        holding TEXT NOT NULL,
        word TEXT NOT NULL
    );
    """,
)
plugin.asset("hello.txt", "text/plain; charset=utf-8", "hé🎉".encode())


@dataclass
class Order:
    """A statement, and what it is given: pairs of a type and a text."""

    sql: str
    parameters: list[list[str]]
    execute: bool = False
    status: int = 200
    limit: int = 10


@dataclass
class Tag:
    """A part of what is checked."""

    weight: Annotated[int, Range(max=9)]


@dataclass
class Post:
    """What is checked."""

    title: Annotated[str, Length(1, 5)]
    tags: list[Tag]


def decode(pair: list[str]) -> sql.Value:
    kind, text = pair
    match kind:
        case "integer":
            return int(text)
        case "real":
            return struct.unpack(">d", bytes.fromhex(text))[0]
        case "text":
            return text
        case "blob":
            return bytes.fromhex(text)
    return None


def encode(value: sql.Value) -> list[str]:
    match value:
        case int():
            return ["integer", str(value)]
        case float():
            return ["real", struct.pack(">d", value).hex()]
        case str():
            return ["text", value]
        case bytes():
            return ["blob", value.hex()]
    return ["null", ""]


def answer(order: Order, body: Any) -> Response:
    headers = {"content-type": "application/json"}
    return Response(order.status, headers, json.dumps(body).encode())


def run(order: Order) -> Response:
    parameters = [decode(pair) for pair in order.parameters]
    try:
        if order.execute:
            return answer(order, {"changed": sql.execute(order.sql, *parameters)})
        rows = sql.query(order.sql, *parameters)
    except sql.Error as error:
        return answer(order, {"error": error.kind})
    columns = list(rows[0]) if rows else []
    found = [[encode(value) for value in row.values()] for row in rows]
    return answer(order, {"columns": columns, "rows": found})


@plugin.post("/write", public=True)
def write(order: Order) -> Response:
    return run(order)


@plugin.post("/read", public=True, transaction="read")
def read(order: Order) -> Response:
    return run(order)


@plugin.post("/without", public=True, transaction="none")
def without(order: Order) -> Response:
    return run(order)


@plugin.post("/page", public=True, transaction="read")
def page(order: Order) -> Response:
    parameters = [decode(pair) for pair in order.parameters]
    found = sql.query_json(order.sql, *parameters, limit=order.limit)
    items, last = json.loads(found.items), [encode(value) for value in found.last]
    return answer(order, {"items": items, "count": found.count, "more": found.more, "last": last})


@plugin.post("/uncaught", public=True)
def uncaught(order: Order) -> Response:
    sql.execute(order.sql)
    return Response(204)


@plugin.post("/echo", public=True, body_max_bytes=2097152, headers=["content-type"])
def echo(request: Request, body: bytes) -> Response:
    return Response(200, {"content-type": request.header("content-type") or ""}, body)


@plugin.put("/contents/{id}", public=True, body_max_bytes=2097152)
def keep(id: int, body: bytes) -> None:
    sql.execute("INSERT INTO things (id, name, content) VALUES ($1, $2, $3)", id, str(id), body)


@plugin.get("/contents/{id}", public=True)
def content(id: int) -> bytes:
    row = sql.query_optional("SELECT content FROM things WHERE id = $1", id)
    if row is None:
        raise Problem.not_found("There is no such content.")
    return row["content"]


@plugin.get("/words/{word}/{*rest}", public=True, headers=["x-word"])
def words(request: Request, word: str, rest: str) -> Response:
    seen = {
        "method": request.method,
        "path": request.path,
        "parameters": request.parameters,
        "query": request.query,
        "headers": request.headers,
    }
    headers = [("content-type", "application/json"), ("x-many", "one"), ("x-many", "two")]
    return Response(200, headers, json.dumps(seen, ensure_ascii=False).encode())


@plugin.post("/checked", public=True)
def checked(post: Post) -> Post:
    return post


@plugin.get("/number", public=True)
def number(count: int, exact: bool = False) -> dict[str, Any]:
    return {"count": count, "exact": exact}


def tag_of(version: str, variant: str | None, modified_ms: int | None) -> ETag:
    etag = ETag.strong(version)
    if variant is not None:
        etag = etag.variant(variant)
    return etag if modified_ms is None else etag.modified(modified_ms)


@plugin.get("/versions/{version}", public=True)
def read_version(
    version: str,
    preconditions: Preconditions,
    variant: str | None = None,
    modified_ms: int | None = None,
) -> Tagged[str]:
    return preconditions.unless(tag_of(version, variant, modified_ms), lambda: "read")


@plugin.put("/versions/{version}", public=True)
def change_version(
    version: str,
    preconditions: Preconditions,
    variant: str | None = None,
    modified_ms: int | None = None,
) -> Tagged[str]:
    current = tag_of(version, variant, modified_ms)
    preconditions.check(current)
    return Tagged(current, "changed")


@plugin.delete("/versions/{version}", public=True)
def remove_version(version: str, preconditions: Preconditions) -> None:
    preconditions.require(ETag.strong(version))


@plugin.get("/identity", public=True)
def who() -> dict[str, Any]:
    caller = identity.current()
    seen = {
        "tenant": identity.tenant(),
        "permitted": identity.permitted("conformance.try"),
        "caller": None,
    }
    if caller is not None:
        seen["caller"] = {
            "subject": caller.subject,
            "kind": caller.kind,
            "roles": caller.roles,
            "teams": caller.teams,
            "scopes": caller.scopes,
        }
    return seen


@plugin.get("/signed-in")
def signed_in() -> None:
    return None


@plugin.get("/permitted", permission="conformance.try")
def permitted() -> None:
    return None


@plugin.get("/settings", public=True)
def set_values(options: Options) -> dict[str, Any]:
    return {"greeting": options.greeting, "largest": str(options.largest), "well": options.well}


@plugin.post("/log/{level}", public=True)
def log_line(level: str, body: bytes) -> None:
    getattr(log, level)(body.decode(), language="any", word="é🎉")


@plugin.get("/fail", public=True)
def fail() -> None:
    raise RuntimeError("it broke: secret-of-the-author")


@plugin.get("/problem", public=True)
def problem() -> None:
    raise Problem.conflict("It is taken.").with_code("taken").with_member("by", "é🎉")


@plugin.get("/clock", public=True)
def times() -> dict[str, int]:
    return {
        "now_ms": clock.now_ms(),
        "elapsed_ms": clock.elapsed_ms(),
        "remaining_ms": clock.remaining_ms(),
    }


@plugin.get("/random", public=True)
def chance() -> dict[str, Any]:
    return {
        "bytes": random.bytes(16).hex(),
        "none": random.bytes(0).hex(),
        "number": str(random.number()),
        "id": random.id(),
    }


calls = 0


@plugin.get("/calls", public=True)
def count_calls() -> dict[str, int]:
    global calls
    calls += 1
    return {"calls": calls}


@plugin.health
def check() -> None:
    if not settings.current()["well"]:
        raise Problem.conflict("The script says so.").with_code("set-unwell")
    sql.query_one("SELECT count(*) AS n FROM things")
