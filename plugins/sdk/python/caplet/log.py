"""Structured log lines: `log.info("note written", id=id)`.

The host adds time, plugin, version, request and trace id, and cuts lines at 8 KiB. Lines are written
at once, also when the invocation is rolled back. Never log what is private.
"""

from typing import Any

from . import host


def trace(message: str, **fields: Any) -> None:
    """Logs what is of use only when one line after the other is followed."""
    _write("TRACE", message, fields)


def debug(message: str, **fields: Any) -> None:
    """Logs what is of use to those who look for a mistake."""
    _write("DEBUG", message, fields)


def info(message: str, **fields: Any) -> None:
    """Logs what happened."""
    _write("INFO", message, fields)


def warn(message: str, **fields: Any) -> None:
    """Logs what somebody should look at some day."""
    _write("WARN", message, fields)


def error(message: str, **fields: Any) -> None:
    """Logs what somebody must look at."""
    _write("ERROR", message, fields)


def _write(level: str, message: str, fields: dict[str, Any]) -> None:
    named = [(name, _text(value)) for name, value in fields.items()]
    host.log.write(host.log.Level[level], _text(message), named)


def _text(value: Any) -> str:
    """A value as text that has a form in UTF-8: surrogates without a partner have none."""
    return str(value).encode("utf-8", "replace").decode()
