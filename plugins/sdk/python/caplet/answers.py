"""What a handler may return. A dataclass, `dict` or `list` is answered as JSON, a `str` as text,
`None` as 204; the classes here are for the rest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import page, sql

if TYPE_CHECKING:
    from .etag import ETag

JSON = "application/json"

T = TypeVar("T")


@dataclass(slots=True)
class Response:
    """An answer as it is sent. From status 400 on, all that the invocation wrote is rolled back."""

    status: int = 200
    headers: Mapping[str, str] | list[tuple[str, str]] = field(default_factory=dict)
    """Names in lower case. A list, where a name has several values."""
    body: bytes = b""


@dataclass(slots=True)
class Json(Generic[T]):
    """JSON that comes as it is, such as from `sql.query_json_optional`; `T` describes it."""

    body: bytes


@dataclass(slots=True)
class Created(Generic[T]):
    """201: something was made, and this is where it is."""

    location: str
    """The path of what was made, such as `/api/notes/42`."""
    body: Any


@dataclass(slots=True)
class Listing(Generic[T]):
    """A page of a list: `{"items": […], "next_cursor": …}`; `T` describes an item."""

    items: bytes
    """A JSON array."""
    next_cursor: str | None

    @classmethod
    def from_json(cls, order: str, found: sql.JsonPage) -> "Listing[T]":
        """A page of rows from `sql.query_json`. Its `:key` columns become the cursor; `order` is the
        name that `Page.after` will be asked with."""
        cursor = page.encode(order, found.last) if found.more else None
        return cls(found.items, cursor)


@dataclass(slots=True)
class Tagged(Generic[T]):
    """An answer with its entity tag, which callers send back as `If-Match` and `If-None-Match`; `T`
    describes the answer."""

    etag: "ETag"
    answer: T | None
    known: bool = False
    """Whether the caller has it already: it is answered 304. Set by `Preconditions.unless`."""


def to_response(answer: Any) -> Response:
    """The answer that a handler's result stands for."""
    match answer:
        case Response():
            return answer
        case None:
            return Response(204)
        case str():
            return Response(200, {"content-type": "text/plain; charset=utf-8"}, answer.encode())
        case bytes():
            return Response(200, {"content-type": "application/octet-stream"}, answer)
        case Json():
            return Response(200, {"content-type": JSON}, answer.body)
        case Created():
            inner = to_response(answer.body)
            headers = dict(inner.headers) | {"location": answer.location}
            return Response(201, headers, inner.body)
        case Tagged():
            inner = Response(304) if answer.known else to_response(answer.answer)
            if inner.status >= 400:
                return inner
            pairs = inner.headers if isinstance(inner.headers, list) else [*inner.headers.items()]
            headers = [*pairs, *answer.etag.headers().items()]
            return Response(inner.status, headers, inner.body)
        case Listing():
            cursor = json.dumps(answer.next_cursor).encode()
            body = b'{"items":%b,"next_cursor":%b}' % (answer.items, cursor)
            return Response(200, {"content-type": JSON}, body)
    return Response(200, {"content-type": JSON}, _dump(answer))


def _dump(value: Any) -> bytes:
    text = json.dumps(
        value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return text.encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"a value of type `{type(value).__name__}` has no form in JSON")
