"""Handlers: functions whose parameters say what they need.

A parameter is, by its type or name: the `Request`, the `Caller`, the `Page`, the `Preconditions`, the
plugin's settings, a part of the path (by the name in the pattern), the body (a dataclass, or `bytes`
named `body`), or a query parameter (`str`, `int`, `float`, `bool`, optional ones with a default,
`list[…]` for several).
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from . import identity, page, schema, settings
from .identity import Caller
from .page import Page
from .preconditions import HEADERS, Preconditions
from .problem import Problem
from .request import Request, read_json

Reader = Callable[[Request], Any]


class Handler:
    """A function, with what its parameters are read from."""

    def __init__(self, function: Callable[..., Any], pattern: str, settings: type | None) -> None:
        hints = typing.get_type_hints(function, include_extras=True)
        self.function = function
        self.answer: Any = hints.get("return")
        self.body: Any = None
        self.path: dict[str, Any] = dict.fromkeys(names_in(pattern), str)
        self.query: dict[str, tuple[Any, bool]] = {}
        self.pages = False
        self.conditional = False
        self.reads_caller = False
        self.takes_request = False
        self.headers: list[str] = []
        self._settings = settings
        self._readers: list[Reader] = []
        for parameter in inspect.signature(function).parameters.values():
            kind = hints.get(parameter.name, str)
            self._readers.append(self._reader(parameter, kind))

    def call(self, request: Request) -> Any:
        """Reads the parameters and calls the function."""
        values = [read(request) for read in self._readers]
        if request.query and not self.takes_request:
            detail = f"There is no query parameter `{request.query[0][0]}` here."
            raise Problem.bad_request(detail).with_code("unknown-parameter")
        return self.function(*values)

    def _reader(self, parameter: inspect.Parameter, kind: Any) -> Reader:
        name = parameter.name
        if kind is Request:
            self.takes_request = True
            return lambda request: request
        if kind is Caller or _optional(kind) is Caller:
            self.reads_caller = True
            return _caller if kind is Caller else lambda _: identity.current()
        if kind is Page:
            self.pages = True
            return _page
        if kind is Preconditions:
            self.conditional = True
            self.headers += HEADERS
            return Preconditions.of
        if self._settings is not None and kind is self._settings:
            return lambda _: _settings(kind)
        if name in self.path:
            self.path[name] = kind
            return lambda request: _from_path(request, name, kind)
        if dataclasses.is_dataclass(kind):
            self.body = kind
            self.headers.append("content-type")
            return lambda request: _body(request, kind)
        if kind is bytes and name == "body":
            self.body = bytes
            return lambda request: request.body
        self.query[name] = (kind, parameter.default is parameter.empty)
        return lambda request: _from_query(request, parameter, kind)


def names_in(pattern: str) -> list[str]:
    """The names of a pattern's parameters, in its order."""
    parts = pattern.split("/")
    return [part[1:-1].removeprefix("*") for part in parts if part.startswith("{")]


def _optional(kind: Any) -> Any:
    """`T` of `T | None`, or none."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return None
    rest = [one for one in typing.get_args(kind) if one is not type(None)]
    return rest[0] if len(rest) == 1 else None


def _caller(_: Request) -> Caller:
    caller = identity.current()
    if caller is None:
        raise Problem.unauthorized()
    return caller


def _page(request: Request) -> Page:
    values = _once("limit", request.take_query("limit"))
    limit = _number(values) if values is not None else page.LIMIT_DEFAULT
    if limit is None or not 1 <= limit <= page.LIMIT_MAX:
        raise _bad_query(f"`limit` must be a whole number from 1 to {page.LIMIT_MAX}")
    return Page(limit, _once("cursor", request.take_query("cursor")))


_read_settings: dict[Any, tuple[int, Any]] = {}


def _settings(kind: Any) -> Any:
    """The settings as their dataclass, read once for each version of them."""
    version = settings.version()
    kept = _read_settings.get(kind)
    if kept is None or kept[0] != version:
        errors: schema.Errors = []
        value = schema.read(kind, settings.current(), "", errors)
        if errors:
            raise ValueError(f"the settings do not fit `{kind.__name__}`: {errors}")
        kept = _read_settings[kind] = (version, value)
    return kept[1]


def _body(request: Request, kind: Any) -> Any:
    errors: schema.Errors = []
    value = schema.read(kind, read_json(request), "", errors)
    if errors:
        raise Problem.unprocessable(sorted(errors))
    return value


def _from_path(request: Request, name: str, kind: Any) -> Any:
    text = next(value for known, value in request.parameters if known == name)
    value, wrong = _from_text(text, kind)
    if wrong:
        raise Problem.bad_request(f"The path's parameter `{name}` {wrong}.").with_code("bad-path")
    return value


def _from_query(request: Request, parameter: inspect.Parameter, kind: Any) -> Any:
    name, texts = parameter.name, request.take_query(parameter.name)
    if typing.get_origin(kind) is list:
        return [_checked(name, text, typing.get_args(kind)[0]) for text in texts]
    text = _once(name, texts)
    if text is not None:
        return _checked(name, text, _optional(kind) or kind)
    if parameter.default is parameter.empty:
        raise _bad_query(f"`{name}` is missing")
    return parameter.default


def _checked(name: str, text: str, kind: Any) -> Any:
    value, wrong = _from_text(text, kind)
    if wrong:
        raise _bad_query(f"`{name}` {wrong}")
    return value


def _once(name: str, texts: list[str]) -> str | None:
    if len(texts) > 1:
        raise _bad_query(f"`{name}` is given more than once")
    return texts[0] if texts else None


def _from_text(text: str, kind: Any) -> tuple[Any, str]:
    """A value from a text, and what is wrong with it."""
    plain = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
    value: Any = text
    if plain is int:
        value = _number(text)
    elif plain is float:
        value = _real(text)
    elif plain is bool:
        value = {"true": True, "false": False}.get(text)
    if value is None:
        return None, f"is not {'a boolean' if plain is bool else 'a number'}"
    errors: schema.Errors = []
    value = schema.read(kind, value, "", errors)
    return value, errors[0][1] if errors else ""


def _number(text: str) -> int | None:
    """A whole number; Python would take signs, spaces, underscores and other digits too."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        return None
    return int(text)


def _real(text: str) -> float | None:
    try:
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _bad_query(detail: str) -> Problem:
    return Problem.bad_request(f"The query parameter {detail}.").with_code("bad-query")
