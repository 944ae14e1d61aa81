"""The plugin's own database.

A statement is one `SELECT`, `INSERT`, `UPDATE`, `DELETE` or `WITH …`. Parameters are written `$1`,
`$2`, … and bound by number; `$tenant` is bound by the host.

    for row in sql.query("SELECT id, body FROM notes WHERE tenant = $tenant AND author = $1", name):
        print(row["id"])

Values are `None`, `int` (64 bits, signed), `float` (finite), `str` (without NUL) and `bytes`;
`True` and `False` are written as the integers 1 and 0.
"""

from dataclasses import dataclass
from typing import Any, TypeVar, overload

from . import host, schema

Value = None | bool | int | float | str | bytes
"""What a parameter can be, and what a column has (without `bool`)."""

Row = dict[str, Any]
"""A row by the names of its columns."""

T = TypeVar("T")

INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 63) - 1


class Error(Exception):
    """Why a statement failed. The text is for authors and logs; it must not be shown to callers.

    A handler that lets it pass answers 409 for `unique` and `foreign-key`, 503 for `timeout` and
    `unavailable`, 507 for `disk-full` and 500 for the rest.
    """

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind
        """`denied`, `invalid`, `unique`, `foreign-key`, `check`, `not-null`, `read-only`,
        `too-large`, `timeout`, `disk-full` or `unavailable`."""


@dataclass(frozen=True, slots=True)
class JsonPage:
    """A page of rows as JSON."""

    items: bytes
    """A JSON array of objects in UTF-8."""
    count: int
    """How many rows it has."""
    more: bool
    """Whether there were rows beyond the limit."""
    last: list[Value]
    """The `:key` columns of the last row."""


@overload
def query(statement: str, *parameters: Value) -> list[Row]: ...
@overload
def query(statement: str, *parameters: Value, into: type[T]) -> list[T]: ...
def query(statement: str, *parameters: Value, into: Any = None) -> Any:
    """Runs a statement and returns its rows, at most 1 000: each a `dict`, or a dataclass `into`
    whose fields have the columns' names."""
    try:
        rows = host.sql.query(statement, _lower_all(parameters))
    except host.Err as error:
        raise _error(error.value) from None
    columns, values = rows.columns, [_LIFT[type(v).__name__](v) for v in rows.values]
    width = len(columns)
    found = [dict(zip(columns, values[at : at + width])) for at in range(0, len(values), width)]
    return found if into is None else [schema.from_row(into, row) for row in found]


@overload
def query_optional(statement: str, *parameters: Value) -> Row | None: ...
@overload
def query_optional(statement: str, *parameters: Value, into: type[T]) -> T | None: ...
def query_optional(statement: str, *parameters: Value, into: Any = None) -> Any:
    """Runs a statement that returns at most one row; more is an `Error` of kind `invalid`."""
    rows: list[Any] = query(statement, *parameters, into=into)
    if len(rows) > 1:
        raise Error("invalid", "more than one row where at most one was expected")
    return rows[0] if rows else None


@overload
def query_one(statement: str, *parameters: Value) -> Row: ...
@overload
def query_one(statement: str, *parameters: Value, into: type[T]) -> T: ...
def query_one(statement: str, *parameters: Value, into: Any = None) -> Any:
    """Runs a statement that returns exactly one row, such as an aggregate."""
    row = query_optional(statement, *parameters, into=into)
    if row is None:
        raise Error("invalid", "no row where one was expected")
    return row


def query_json(statement: str, *parameters: Value, limit: int) -> JsonPage:
    """Runs a `SELECT` and returns the first `limit` rows as JSON, without passing single values to
    Python: the fast way to a `Listing`. Names of columns may end in `:bool`, `:time`, `:json` and
    `:key`."""
    try:
        page = host.sql.query_json(statement, _lower_all(parameters), limit)
    except host.Err as error:
        raise _error(error.value) from None
    last = [_LIFT[type(v).__name__](v) for v in page.last]
    return JsonPage(page.items, page.count, page.more, last)


def query_json_optional(statement: str, *parameters: Value) -> bytes | None:
    """Runs a `SELECT` of at most one row and returns it as a JSON object."""
    page = query_json(statement, *parameters, limit=1)
    return page.items[1:-1] if page.count == 1 else None


def execute(statement: str, *parameters: Value) -> int:
    """Runs a statement and returns how many rows it inserted, changed or deleted."""
    try:
        return host.sql.execute(statement, _lower_all(parameters))
    except host.Err as error:
        raise _error(error.value) from None


def _lower_all(parameters: tuple[Value, ...]) -> list[Any]:
    return [_lower(value) for value in parameters]


def _lower(value: Value) -> Any:
    match value:
        case None:
            return host.sql.Value_Null()
        case bool() | int():
            if not INTEGER_MIN <= value <= INTEGER_MAX:
                raise Error("invalid", "an integer does not fit 64 bits")
            return host.sql.Value_Integer(int(value))
        case float():
            return host.sql.Value_Real(value)
        case str():
            return host.sql.Value_Text(value)
        case bytes():
            return host.sql.Value_Blob(value)
    raise TypeError(f"a parameter of SQL cannot be of type `{type(value).__name__}`")


_LIFT = {
    "Value_Null": lambda _: None,
    "Value_Integer": lambda value: value.value,
    "Value_Real": lambda value: value.value,
    "Value_Text": lambda value: value.value,
    "Value_Blob": lambda value: value.value,
}

_KINDS = {
    "Error_Denied": "denied",
    "Error_Invalid": "invalid",
    "Error_Unique": "unique",
    "Error_ForeignKey": "foreign-key",
    "Error_Check": "check",
    "Error_NotNull": "not-null",
    "Error_ReadOnly": "read-only",
    "Error_TooLarge": "too-large",
    "Error_Timeout": "timeout",
    "Error_DiskFull": "disk-full",
    "Error_Unavailable": "unavailable",
}


def _error(error: Any) -> Error:
    return Error(_KINDS[type(error).__name__], getattr(error, "value", ""))
