"""Traces of people: what is kept about them, exported and erased."""

from typing import Any

from caplet import SubjectData, sql

subject_data = SubjectData()


def page(holding: str, person: str, after: list[Any] | None, limit: int) -> sql.JsonPage:
    """A page of a holding. That of one person fails, by a mistake of the author."""
    table = "nobodys_traces" if person == "broken" else "traces"
    statement = f"""SELECT word, id AS "id:key" FROM {table} WHERE tenant = $tenant
        AND person = $1 AND holding = $2 AND id > $3 ORDER BY id LIMIT $4"""
    return sql.query_json(statement, person, holding, *(after or [0]), limit + 1, limit=limit)


notes = subject_data.holding(
    "notes",
    summary="What the person wrote.",
    purpose="To show it.",
    retention="Until it is deleted.",
)


@notes.export
def notes_of(person: str, after: list[Any] | None, limit: int) -> sql.JsonPage:
    return page("notes", person, after, limit)


@notes.delete
def delete_notes_of(person: str) -> int:
    return sql.execute(
        """DELETE FROM traces WHERE tenant = $tenant AND id IN
           (SELECT id FROM traces WHERE tenant = $tenant AND person = $1
            AND holding = 'notes' LIMIT 500)""",
        person,
    )


votes = subject_data.holding(
    "votes",
    summary="What the person voted for.",
    purpose="To count it.",
    retention="As long as the poll.",
)


@votes.export
def votes_of(person: str, after: list[Any] | None, limit: int) -> sql.JsonPage:
    return page("votes", person, after, limit)


@votes.anonymise
def forget_voter(person: str) -> int:
    return sql.execute(
        """UPDATE traces SET person = ''
           WHERE tenant = $tenant AND person = $1 AND holding = 'votes'""",
        person,
    )


bills = subject_data.holding(
    "bills",
    summary="What the person paid.",
    purpose="To account for it.",
    retention="Ten years.",
)


@bills.export
def bills_of(person: str, after: list[Any] | None, limit: int) -> sql.JsonPage:
    return page("bills", person, after, limit)


@bills.keep("The law asks for it.")
def count_bills_of(person: str) -> int:
    row = sql.query_one(
        """SELECT count(*) AS n FROM traces
           WHERE tenant = $tenant AND person = $1 AND holding = 'bills'""",
        person,
    )
    return row["n"]
