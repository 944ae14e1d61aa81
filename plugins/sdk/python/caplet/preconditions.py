"""Conditional requests (RFC 9110, section 13): who has the current version need not read it again, and
who has an old one cannot overwrite it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from . import dates
from .answers import Tagged
from .etag import ETag, Tags, matches_strongly, matches_weakly, read_tags
from .problem import Problem
from .request import Request

T = TypeVar("T")

HEADERS = {
    "if-match": "Go on only with the version of this `ETag`.",
    "if-none-match": "Go on only with a version other than this.",
    "if-unmodified-since": "Go on only if it is as old as this.",
    "if-modified-since": "Read only what is newer than this.",
}
"""The headers that are read, and what each of them asks for."""


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The headers `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`, as a
    handler's parameter.

    Weigh them last, when nothing but them stands between the request and its success: a request that
    would fail anyway is answered as if it had no conditions.

        @plugin.get("/{id}")
        def read(id: str, preconditions: Preconditions) -> Tagged[Note]:
            note = load(id)
            return preconditions.unless(ETag.strong(note.version), lambda: note)
    """

    if_match: Tags | None
    if_none_match: Tags | None
    if_unmodified_since_s: int | None
    if_modified_since_s: int | None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Those of a request; a list of tags that is malformed is answered 400."""
        lines = request.header_values
        dated = [
            dates.parse(request.header(name) or "")
            for name in ("if-unmodified-since", "if-modified-since")
        ]
        return cls(read_tags(lines("if-match")), read_tags(lines("if-none-match")), *dated)

    def unless(self, current: ETag, answer: Callable[[], T]) -> Tagged[T]:
        """For what is read: answers 304 when the caller has the current version, and otherwise what
        `answer` makes; both with the tag. Raises 412 when the caller asks for another version than the
        current one."""
        self._check_match(current)
        return Tagged(current, None, known=True) if self._has(current) else Tagged(current, answer())

    def check(self, current: ETag) -> None:
        """For what is changed: raises 412 when it was changed since it was read, or when it is what it
        must not be."""
        self._check_match(current)
        if self.if_none_match is not None and matches_weakly(self.if_none_match, current):
            raise Problem.precondition_failed("This exists in the version it must not have.")

    def require(self, current: ETag) -> None:
        """Like `check`, for what must not be changed blindly: raises 428 when the request has no
        `If-Match`."""
        if self.if_match is None:
            detail = "Send `If-Match` with the current `ETag`."
            raise Problem(428, "precondition-required", detail)
        self.check(current)

    def _check_match(self, current: ETag) -> None:
        since, modified = self.if_unmodified_since_s, current.modified_s
        is_same = since is None or modified is None or modified <= since
        if self.if_match is not None:
            # A tag is more exact than a date.
            is_same = matches_strongly(self.if_match, current)
        if not is_same:
            raise Problem.precondition_failed("This was changed since it was read.")

    def _has(self, current: ETag) -> bool:
        if self.if_none_match is not None:
            return matches_weakly(self.if_none_match, current)
        since, modified = self.if_modified_since_s, current.modified_s
        return since is not None and modified is not None and modified <= since
