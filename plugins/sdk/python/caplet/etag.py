"""Entity tags (RFC 9110, section 8.8.3) and the lists of them that requests bring (section 13.1)."""

import re
from dataclasses import dataclass, replace
from typing import Literal, Self

from . import clock, dates
from .problem import Problem

# Between the version and the variant in a tag.
VARIANT = ";"

# What cannot stand in a part of a tag: controls, spaces, double quotes, semicolons, and all beyond ASCII.
_FOREIGN = re.compile(r"[^\x21\x23-\x3a\x3c-\x7e]")


@dataclass(frozen=True, slots=True)
class ETag:
    """A strong entity tag: it changes whenever the answer's bytes may change. With it goes, where it
    is known, the time of the last change. Made by `strong`.

    It is a version, and a variant where one version looks different to different callers. A caller
    may change what it has seen in whatever variant, so that `If-Match` looks at the version only.
    """

    opaque: str
    """The tag without its quotes."""
    modified_s: int | None = None
    """When it was changed last, in seconds of Unix time."""

    @classmethod
    def strong(cls, version: object) -> Self:
        """A tag from a value, such as a row's version. What cannot stand in a tag becomes `_`."""
        return cls(_clean(version))

    def variant(self, variant: object) -> Self:
        """The tag of one of several looks of the same version, such as what a caller sees that others
        do not."""
        return replace(self, opaque=_version(self.opaque) + VARIANT + _clean(variant))

    def modified(self, unix_ms: int) -> Self:
        """With the time of the last change, in Unix milliseconds. `Last-Modified` counts whole
        seconds: a time within this second is left out, because a second change in it could not be
        told from the first."""
        seconds = unix_ms // 1000
        is_over = seconds >= 0 and clock.now_ms() // 1000 > seconds
        return replace(self, modified_s=seconds if is_over else None)

    def headers(self) -> dict[str, str]:
        """The headers that tell it."""
        tag = {"etag": str(self)}
        return tag if self.modified_s is None else tag | {"last-modified": dates.format(self.modified_s)}

    def __str__(self) -> str:
        """The tag as it is sent."""
        return f'"{self.opaque}"'


def _clean(value: object) -> str:
    return _FOREIGN.sub("_", str(value))


def _version(opaque: str) -> str:
    return opaque.split(VARIANT, 1)[0]


Tags = Literal["*"] | list[tuple[bool, str]]
"""Tags that a header lists, and whether each is weak; `*` is whatever exists."""

# A list, with the empty elements that the standard tolerates.
_LIST = re.compile(r'[ \t,]*(?:(?:W/)?"[^"]*"[ \t]*(?:,[ \t,]*|\Z))*')
_TAG = re.compile(r'(W/)?"([^"]*)"')


def read_tags(lines: list[str]) -> Tags | None:
    """Reads the lines of a header; none when it is absent, 400 when it is malformed."""
    if not lines:
        return None
    if len(lines) == 1 and lines[0].strip() == "*":
        return "*"
    if not all(_LIST.fullmatch(line) for line in lines):
        raise Problem.bad_request('A list of entity tags is malformed: tags are written `"…"`.')
    found = [match for line in lines for match in _TAG.finditer(line)]
    return [(match[1] is not None, match[2]) for match in found]


def matches_strongly(tags: Tags, current: ETag) -> bool:
    """The comparison of `If-Match`: a weak tag matches nothing."""
    version = _version(current.opaque)
    return tags == "*" or any(not weak and _version(tag) == version for weak, tag in tags)


def matches_weakly(tags: Tags, current: ETag) -> bool:
    """The comparison of `If-None-Match`: weak or not does not matter."""
    return tags == "*" or any(tag == current.opaque for _, tag in tags)
