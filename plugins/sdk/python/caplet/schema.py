"""From types to JSON Schema, and from JSON to values of those types.

Known are `str`, `int`, `float`, `bool`, `None`, `Any`, `list[T]`, `dict[str, T]`, `Literal`, unions
with `None`, dataclasses of these, and `Annotated` with the rules of this module. Types are resolved
once, when the plugin is built.
"""

import dataclasses
import re
import types
import typing
from dataclasses import MISSING, dataclass
from typing import Any, Literal

Errors = list[tuple[str, str]]
"""Places as JSON pointers, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Length:
    """How many characters a text has, or items a list: `Annotated[str, Length(1, 500)]`."""

    min: int = 0
    max: int | None = None

    def schema(self, kind: str) -> dict[str, Any]:
        """The rule in JSON Schema."""
        noun = "Items" if kind == "array" else "Length"
        rule = {f"min{noun}": self.min} if self.min else {}
        return rule if self.max is None else rule | {f"max{noun}": self.max}

    def broken(self, value: Any) -> str | None:
        """What is wrong with a value, if anything."""
        if len(value) < self.min:
            return f"length is lower than {self.min}"
        if self.max is not None and len(value) > self.max:
            return f"length is greater than {self.max}"
        return None


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest a number may be."""

    min: float | None = None
    max: float | None = None

    def schema(self, kind: str) -> dict[str, Any]:
        """The rule in JSON Schema."""
        rule = {"minimum": self.min, "maximum": self.max}
        return {name: value for name, value in rule.items() if value is not None}

    def broken(self, value: Any) -> str | None:
        """What is wrong with a value, if anything."""
        if self.min is not None and value < self.min:
            return f"lower than {self.min}"
        if self.max is not None and value > self.max:
            return f"greater than {self.max}"
        return None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that the whole text matches."""

    pattern: str

    def schema(self, kind: str) -> dict[str, Any]:
        """The rule in JSON Schema."""
        return {"pattern": f"^(?:{self.pattern})$"}

    def broken(self, value: Any) -> str | None:
        """What is wrong with a value, if anything."""
        return None if re.fullmatch(self.pattern, value) else "does not match pattern"


_NAMES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def of(kind: Any, definitions: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The JSON Schema of a type. Dataclasses go into `definitions` and are referred to by `prefix`
    and their name."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        schema = of(arguments[0], definitions, prefix)
        for rule in arguments[1:]:
            if isinstance(rule, str):
                schema["description"] = rule
            elif isinstance(rule, (Length, Range, Pattern)):
                schema |= rule.schema(schema.get("type", ""))
        return schema
    if kind is Any:
        return {}
    if kind is None or kind is type(None):
        return {"type": "null"}
    if kind in _NAMES:
        return {"type": _NAMES[kind]} | ({"format": "int64"} if kind is int else {})
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [of(one, definitions, prefix) for one in arguments]}
    if kind is list or origin is list:
        return {"type": "array", "items": of(arguments[0] if arguments else Any, definitions, prefix)}
    if kind is dict or origin is dict:
        values = of(arguments[1] if arguments else Any, definitions, prefix)
        return {"type": "object", "additionalProperties": values}
    if dataclasses.is_dataclass(kind):
        return _reference(kind, definitions, prefix)
    raise TypeError(f"`{kind}` has no JSON Schema; see `caplet.schema` for what has one")


def settings_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of a dataclass by itself, with its defaults."""
    definitions: dict[str, Any] = {}
    of(kind, definitions, "#/$defs/")
    schema = definitions.pop(kind.__name__)
    return schema | ({"$defs": definitions} if definitions else {})


def _reference(kind: Any, definitions: dict[str, Any], prefix: str) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _object(kind, definitions, prefix)
    return {"$ref": prefix + name}


def _object(kind: Any, definitions: dict[str, Any], prefix: str) -> dict[str, Any]:
    properties, required = {}, []
    for field, hint in _fields(kind):
        schema = of(hint, definitions, prefix)
        if _required(field):
            required.append(field.name)
        elif field.default is not MISSING:
            schema["default"] = field.default
        properties[field.name] = schema
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("):
        schema["description"] = " ".join(kind.__doc__.split())
    return schema | ({"required": required} if required else {})


_known_fields: dict[Any, list[tuple[Any, Any]]] = {}


def _fields(kind: Any) -> list[tuple[Any, Any]]:
    """The fields of a dataclass with their types. Types are looked up once: that is slow."""
    if kind not in _known_fields:
        hints = typing.get_type_hints(kind, include_extras=True)
        _known_fields[kind] = [(f, hints[f.name]) for f in dataclasses.fields(kind)]
    return _known_fields[kind]


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def read(kind: Any, value: Any, pointer: str, errors: Errors) -> Any:
    """A value of a type from what JSON gave; what does not fit is added to `errors`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _read_bound(arguments, value, pointer, errors)
    if kind is Any:
        return value
    if origin is Literal:
        if value not in arguments:
            errors.append((pointer, "is none of " + ", ".join(map(repr, arguments))))
        return value
    if origin in (typing.Union, types.UnionType):
        return _read_union(arguments, value, pointer, errors)
    if origin is list and isinstance(value, list):
        items = enumerate(value)
        return [read(arguments[0], item, f"{pointer}/{at}", errors) for at, item in items]
    if origin is dict and isinstance(value, dict):
        members = value.items()
        return {n: read(arguments[1], v, pointer + token(n), errors) for n, v in members}
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _read_object(kind, value, pointer, errors)
    if kind is float and type(value) is int:
        return float(value) if abs(value) < 1 << 1023 else value
    expected = origin or kind
    if expected in (None, type(None)) and value is None:
        return None
    if expected in (str, int, float, bool, list, dict) and type(value) is expected:
        if expected is int and not -(1 << 63) <= value < 1 << 63:
            errors.append((pointer, "does not fit 64 bits"))
        return value
    errors.append((pointer, f"invalid type: expected {_word(expected)}"))
    return None


def _read_bound(arguments: Any, value: Any, pointer: str, errors: Errors) -> Any:
    before = len(errors)
    value = read(arguments[0], value, pointer, errors)
    if len(errors) == before and value is not None:
        for rule in arguments[1:]:
            broken = None if isinstance(rule, str) else rule.broken(value)
            if broken:
                errors.append((pointer, broken))
    return value


def _read_union(arguments: Any, value: Any, pointer: str, errors: Errors) -> Any:
    attempts = []
    for one in arguments:
        attempt: Errors = []
        result = read(one, value, pointer, attempt)
        if not attempt:
            return result
        attempts.append(attempt)
    # The alternative that went furthest is most likely the one that was meant.
    errors.extend(max(attempts, key=lambda attempt: len(attempt[0][0])))
    return None


def _read_object(kind: Any, value: dict[str, Any], pointer: str, errors: Errors) -> Any:
    before, members = len(errors), {}
    fields = _fields(kind)
    names = {field.name for field, _ in fields}
    for name in value:
        if name not in names:
            errors.append((pointer + token(name), "unknown field"))
    for field, hint in fields:
        place = pointer + token(field.name)
        if field.name in value:
            members[field.name] = read(hint, value[field.name], place, errors)
        elif _required(field):
            errors.append((place, "missing field"))
    return None if len(errors) > before else kind(**members)


def from_row(kind: Any, row: dict[str, Any]) -> Any:
    """A dataclass from a row of the database: integers become booleans where a field is one."""
    members = {}
    for field, hint in _fields(kind):
        value = row[field.name]
        members[field.name] = bool(value) if hint is bool and value is not None else value
    return kind(**members)


def token(name: str) -> str:
    """A part of a JSON pointer (RFC 6901), with its slash."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _word(kind: Any) -> str:
    if dataclasses.is_dataclass(kind):
        return "an object"
    words = {str: "a string", int: "an integer", float: "a number", bool: "a boolean"}
    return words.get(kind, {list: "an array", dict: "an object"}.get(kind, "null"))
