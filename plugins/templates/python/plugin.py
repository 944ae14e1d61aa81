"""{{title}}: short texts, newest first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from caplet import (
    Caller,
    Created,
    Json,
    Length,
    Listing,
    Page,
    Plugin,
    Problem,
    Range,
    clock,
    log,
    random,
    sql,
)


@dataclass
class Settings:
    """What an operator can set, each with a default."""

    body_characters_max: Annotated[int, Range(1, 500), "The most characters of a note."] = 500


plugin = Plugin(
    "{{name}}",
    version="0.1.0",
    title="{{title}}",
    summary="Short texts, newest first.",
    settings=Settings,
)
plugin.permission("{{name}}.pin", "Pin notes of anybody.")

# Files are read when the component is built, not when it runs.
MIGRATIONS = Path(__file__).parent / "migrations"
plugin.migration(1, "create notes", (MIGRATIONS / "0001_create_notes.sql").read_text())


@dataclass
class Note:
    """A note, as callers see it: what the columns below are written as."""

    id: str
    author: str
    body: str
    pinned: bool
    created_at: str


@dataclass
class NewNote:
    """A new note."""

    body: Annotated[str, Length(1, 500), "The text."]


# The database writes the rows as JSON; `:bool`, `:time` and `:key` say how.
COLUMNS = """SELECT id, author, body, pinned AS "pinned:bool",
    created_ms AS "created_at:time", id AS "id:key" FROM notes WHERE tenant = $tenant"""


@plugin.post("/", summary="Write a note")
def write(note: NewNote, caller: Caller, settings: Settings) -> Created[Note]:
    if len(note.body) > settings.body_characters_max:
        detail = f"has more than {settings.body_characters_max} characters"
        raise Problem.unprocessable_at("/body", detail)
    id = random.id()
    sql.execute(
        """INSERT INTO notes (tenant, id, author, body, created_ms)
           VALUES ($tenant, $1, $2, $3, $4)""",
        id,
        caller.subject,
        note.body,
        clock.now_ms(),
    )
    log.info("a note was written", id=id)
    return Created(f"/api/{{name}}/{id}", load(id))


@plugin.get("/", public=True, summary="List the notes")
def list(page: Page) -> Listing[Note]:
    after = page.after("new")
    place = "" if after is None else " AND id < $2"
    statement = f"{COLUMNS}{place} ORDER BY id DESC LIMIT $1"
    found = sql.query_json(statement, page.limit + 1, *(after or []), limit=page.limit)
    return Listing.from_json("new", found)


@plugin.get("/{id}", public=True, summary="Read a note", answers={404: "There is no such note."})
def read(id: str) -> Json[Note]:
    return load(id)


@plugin.put("/{id}/pin", permission="{{name}}.pin", summary="Pin a note")
def pin(id: str) -> None:
    statement = "UPDATE notes SET pinned = 1 WHERE tenant = $tenant AND id = $1"
    if sql.execute(statement, id) == 0:
        raise Problem.not_found("There is no such note.")


def load(id: str) -> Json[Note]:
    json = sql.query_json_optional(f"{COLUMNS} AND id = $1", id)
    if json is None:
        raise Problem.not_found("There is no such note.")
    return Json(json)
