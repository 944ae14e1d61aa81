"""The imports of the component. Outside of one, in tests of plain functions, there is no host and
every call says so."""

from typing import Any

try:
    from componentize_py_types import Err
    from wit_world.imports import clock, identity, log, random, settings, sql
except ImportError:

    class _Nobody:
        """Stands for the host where there is none."""

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"`{name}` needs the host: it works in a component only")

    class Err(Exception):  # type: ignore[no-redef]
        """An error of the host; never raised here."""

        value: Any = None

    clock = identity = log = random = settings = sql = _Nobody()

__all__ = ["Err", "clock", "identity", "log", "random", "settings", "sql"]
