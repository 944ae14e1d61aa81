"""Problems: the answers for what went wrong, as RFC 9457 documents.

A problem is for the caller: it never holds a statement, a traceback or anything else from inside.
"""

import json
from http import HTTPStatus
from typing import Any, Self

from .answers import Response


class Problem(Exception):
    """An answer that says what went wrong. `raise Problem.not_found("There is no such note.")`."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        """`code` is stable and in kebab case, for programs; `detail` is a sentence for people."""
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors: list[tuple[str, str]] = []
        self.members: dict[str, Any] = {}
        self.headers: dict[str, str] = {}

    @classmethod
    def bad_request(cls, detail: str) -> Self:
        """400: the request cannot be read."""
        return cls(400, "bad-request", detail)

    @classmethod
    def unauthorized(cls, detail: str = "This needs a bearer token.") -> Self:
        """401: there is no token."""
        return cls(401, "token-missing", detail).with_header("www-authenticate", "Bearer")

    @classmethod
    def forbidden(cls, detail: str) -> Self:
        """403: the caller is known and may not do this."""
        return cls(403, "forbidden", detail)

    @classmethod
    def not_found(cls, detail: str) -> Self:
        """404: there is no such thing, or it is not visible to the caller."""
        return cls(404, "not-found", detail)

    @classmethod
    def conflict(cls, detail: str) -> Self:
        """409: the state of things does not allow it."""
        return cls(409, "conflict", detail)

    @classmethod
    def precondition_failed(cls, detail: str) -> Self:
        """412: it is not what the caller believes it to be."""
        return cls(412, "precondition-failed", detail)

    @classmethod
    def unsupported_media_type(cls, detail: str) -> Self:
        """415: the body's media type is not one this route reads."""
        return cls(415, "unsupported-media-type", detail)

    @classmethod
    def unprocessable(cls, errors: list[tuple[str, str]]) -> Self:
        """422: the body does not fit, at these places: JSON pointers, and what is wrong there."""
        problem = cls(422, "unprocessable", "The body does not fit; see `errors`.")
        problem.errors = errors
        return problem

    @classmethod
    def unprocessable_at(cls, pointer: str, detail: str) -> Self:
        """422 at one place of the body: a JSON pointer such as `/parent`."""
        return cls.unprocessable([(pointer, detail)])

    @classmethod
    def unavailable(cls, detail: str, retry_after_s: int) -> Self:
        """503: not now; `retry_after_s` is the number of seconds to wait."""
        return cls(503, "unavailable", detail).with_header("retry-after", str(retry_after_s))

    @classmethod
    def internal(cls) -> Self:
        """500: a bug. Says nothing to the caller; log the reason before."""
        return cls(500, "internal", "The plugin failed. The reason is in the host's log.")

    def with_code(self, code: str) -> Self:
        """Tells this problem apart from others of its status, for programs."""
        self.code = code
        return self

    def with_member(self, name: str, value: Any) -> Self:
        """Adds a member to the document."""
        self.members[name] = value
        return self

    def with_header(self, name: str, value: str) -> Self:
        """Adds a header; `name` in lower case."""
        self.headers[name] = value
        return self

    def response(self) -> Response:
        """The answer."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": _words(self.status),
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.errors:
            document["errors"] = [{"pointer": p, "detail": d} for p, d in self.errors]
        body = json.dumps(document | self.members, ensure_ascii=False, separators=(",", ":"))
        headers = {"content-type": "application/problem+json"} | self.headers
        return Response(self.status, headers, body.encode("utf-8", "replace"))


def _words(status: int) -> str:
    if status == 422:
        return "Unprocessable Entity"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
