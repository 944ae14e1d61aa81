"""The plugin's settings, as the operator set them, with the schema's defaults filled in."""

import json
from typing import Any

from . import host

_parsed: tuple[int, Any] | None = None


def current() -> dict[str, Any]:
    """The settings as a JSON object. Parsed once for each version of them."""
    global _parsed
    version = host.settings.version()
    if _parsed is None or _parsed[0] != version:
        _parsed = (version, json.loads(host.settings.json()))
    return _parsed[1]


def version() -> int:
    """A number that differs whenever the settings differ."""
    return host.settings.version()
