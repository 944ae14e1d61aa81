"""What is kept about people: exported and erased for a person who asks."""

from typing import Any

from caplet import SubjectData, sql

subject_data = SubjectData()

notes = subject_data.holding(
    "notes",
    summary="The notes that the person wrote.",
    purpose="To show them to their readers.",
    retention="Until their author is erased.",
)

COLUMNS = """SELECT id, body, pinned AS "pinned:bool", created_ms AS "created_at:time",
    id AS "id:key" FROM notes WHERE tenant = $tenant AND author = $1"""


@notes.export
def notes_of(author: str, after: list[Any] | None, limit: int) -> sql.JsonPage:
    place = "" if after is None else " AND id > $3"
    statement = f"{COLUMNS}{place} ORDER BY id LIMIT $2"
    return sql.query_json(statement, author, limit + 1, *(after or []), limit=limit)


@notes.delete
def delete_notes_of(author: str) -> int:
    """Some of them: it is called until there are none left."""
    return sql.execute(
        """DELETE FROM notes WHERE tenant = $tenant AND id IN
           (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)""",
        author,
    )
