"""What a plugin keeps about people: said for those who answer for the data, exported and erased for a
person who asks.

A plugin answers when it has a module `subject_data` whose `SubjectData` is named `subject_data`. Paging,
cursors and steps are done here. The full contract is `wit/subject-data.wit`.

    from caplet import SubjectData, sql

    subject_data = SubjectData()
    notes = subject_data.holding(
        "notes",
        summary="The notes that the person wrote.",
        purpose="To show them to their author.",
        retention="Until the author deletes them.",
    )

    @notes.export
    def notes_of(person: str, after: list | None, limit: int) -> sql.JsonPage:
        return sql.query_json(
            '''SELECT id, body, id AS "id:key" FROM notes
               WHERE tenant = $tenant AND author = $1 AND id > $2 ORDER BY id LIMIT $3''',
            person, *(after or [""]), limit + 1, limit=limit,
        )

    @notes.delete
    def delete_notes_of(person: str) -> int:
        return sql.execute(
            '''DELETE FROM notes WHERE tenant = $tenant AND id IN
               (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)''',
            person,
        )
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from . import log, page, sql
from .plugin import log_failure, of_statement
from .problem import Problem

PAGE_RECORDS_MAX = 500
PAGE_BYTES_MAX = 1 << 20

Export = Callable[[str, list[Any] | None, int], sql.JsonPage]
Work = Callable[[str], int]


@dataclass(slots=True)
class Holding:
    """One kind of personal data, and how it is exported and erased: by functions that are given to it
    with `export` and one of `delete`, `anonymise` and `keep`, of which it needs one."""

    name: str
    summary: str
    purpose: str
    retention: str
    erasing: Literal["delete", "anonymise", "keep"] = field(default="delete", init=False)
    reason: str = field(default="", init=False)
    exported: Export | None = field(default=None, init=False)
    work: Work | None = field(default=None, init=False)

    def export(self, function: Export) -> Export:
        """Makes a function the one that gives a page of a subject's records: of at most so many, which
        come after those `:key` columns. As for a list, its statement asks for one row more."""
        self.exported = function
        return function

    def delete(self, function: Work) -> Work:
        """Erasing deletes it. The function deletes some records of a subject, as many as fit an
        invocation, and returns how many; it is called until it returns 0."""
        self.erasing, self.work = "delete", function
        return function

    def anonymise(self, function: Work) -> Work:
        """Erasing takes away whatever tells whose it was. The function does so with some records of a
        subject, as many as fit an invocation, and returns how many; it is called until it returns 0."""
        self.erasing, self.work = "anonymise", function
        return function

    def keep(self, reason: str) -> Callable[[Work], Work]:
        """Erasing leaves it, for a reason such as the law that asks for it. The function says how many
        records of a subject stay."""

        def counts(function: Work) -> Work:
            self.erasing, self.reason, self.work = "keep", reason, function
            return function

        return counts

    def page(self, subject: str, after: list[Any] | None) -> sql.JsonPage:
        """Reads fewer rows where they would be larger than a page together. One row is read whatever
        its size."""
        limit = PAGE_RECORDS_MAX
        while self.exported is not None:
            try:
                found = self.exported(subject, after, limit)
                if len(found.items) <= PAGE_BYTES_MAX or limit == 1:
                    return found
            except sql.Error as error:
                if error.kind != "too-large" or limit == 1:
                    raise
            limit //= 2
        return sql.JsonPage(b"[]", 0, False, [])

    def worked(self, subject: str) -> int:
        """How many records the function says."""
        if self.work is None:
            raise TypeError(f"the holding `{self.name}` has no function that erases or counts")
        return self.work(subject)


@dataclass(slots=True)
class Erased:
    """What was done to the records of a holding."""

    holding: str
    deleted: int = 0
    anonymised: int = 0
    kept: int = 0


class BadCursor(Exception):
    """The host has to begin again."""


class Failed(Exception):
    """It cannot be done now; the text is for operators and names nobody."""


class SubjectData:
    """All that a plugin keeps about people. Without holdings, it says that it keeps nothing."""

    def __init__(self) -> None:
        self.holdings: list[Holding] = []

    def holding(self, name: str, *, summary: str, purpose: str, retention: str) -> Holding:
        """Adds a holding: its name (1 to 80 characters of `a-z`, `0-9` and `-`), what is kept, what it
        is kept for, and how long. Holdings are exported and erased in the order they are added."""
        self.holdings.append(Holding(name, summary, purpose, retention))
        return self.holdings[-1]

    def export(self, subject: str, cursor: str | None) -> tuple[str, bytes, str | None]:
        """A page of what is kept about a subject: the holding, its records, and the next cursor.
        Raises `BadCursor` and `Failed`."""
        place, after = self._place(cursor)
        holding = self.holdings[place]
        found = _attempt(lambda: holding.page(subject, after))
        following = None
        if found.more:
            following = f"{holding.name}/{page.encode(holding.name, found.last)}"
        elif place + 1 < len(self.holdings):
            following = f"{self.holdings[place + 1].name}/"
        return holding.name, found.items, following

    def erase(self, subject: str) -> tuple[list[Erased], bool]:
        """Erases a part of what is kept about a subject, of the first holding that has something left,
        and says whether there is more to do. Raises `Failed`."""
        return _attempt(lambda: self._erase(subject))

    def _erase(self, subject: str) -> tuple[list[Erased], bool]:
        for holding in self.holdings:
            count = 0 if holding.erasing == "keep" else holding.worked(subject)
            if count > 0 and holding.erasing == "delete":
                return [Erased(holding.name, deleted=count)], True
            if count > 0:
                return [Erased(holding.name, anonymised=count)], True
        kept = [
            Erased(it.name, kept=it.worked(subject) if it.erasing == "keep" else 0)
            for it in self.holdings
        ]
        return kept, False

    def _place(self, cursor: str | None) -> tuple[int, list[Any] | None]:
        """The holding that a cursor leads to, and the keys that it has."""
        if cursor is None:
            return 0, None
        name, slash, inner = cursor.partition("/")
        places = [at for at, holding in enumerate(self.holdings) if holding.name == name]
        if not slash or not places:
            raise BadCursor
        try:
            return places[0], page.decode(name, inner) if inner else None
        except Problem:
            raise BadCursor from None


def _attempt(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Problem as error:
        problem = error
    except sql.Error as error:
        problem = of_statement(error)
    except Exception as error:
        log_failure(error)
        problem = Problem.internal()
    log.warn("the work for a data subject failed", code=problem.code)
    raise Failed(f"{problem.code} ({problem.status})")
