"""Pages of lists: which part a request asks for, and the opaque cursors between them."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

LIMIT_DEFAULT = 25
LIMIT_MAX = 100
CURSOR_MAX_BYTES = 1024

# Raised when the form of a cursor changes, so that old ones are refused and not misread.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Page:
    """The query parameters `limit` (1 to 100, 25 if not given) and `cursor`."""

    limit: int
    cursor: str | None = None

    def after(self, order: str) -> list[Any] | None:
        """The keys of the last item of the page before, or none for the first page. `order` names
        the list's order: a cursor made for another one is answered 400."""
        return None if self.cursor is None else decode(order, self.cursor)


def encode(order: str, keys: list[Any]) -> str:
    """Makes a cursor from the keys of a page's last item."""
    text = json.dumps([VERSION, order, keys], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode(order: str, cursor: str) -> list[Any]:
    """Reads the keys back; a `Problem` of status 400 when it is not one of this order."""
    from .problem import Problem

    try:
        if len(cursor) > CURSOR_MAX_BYTES:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        version, made_for, keys = json.loads(base64.b64decode(padded, b"-_", validate=True))
        if version != VERSION or made_for != order or not isinstance(keys, list):
            raise ValueError
        return keys
    except (ValueError, TypeError, binascii.Error, RecursionError):
        detail = "The cursor was not made for this list."
        raise Problem.bad_request(detail).with_code("bad-cursor") from None
