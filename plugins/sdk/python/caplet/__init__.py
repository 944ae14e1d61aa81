"""Write Caplet plugins in Python.

A plugin is a module with one `Plugin`. Handlers are functions: their parameters say what they need of
a request, their result is the answer.

    from caplet import Plugin

    plugin = Plugin("hello", version="1.0.0")

    @plugin.get("/{name}", public=True)
    def greet(name: str) -> str:
        return f"Hello {name}!"

What the host gives is in the modules `sql`, `log`, `settings`, `clock`, `random` and `identity`.
"""

from . import clock, identity, log, random, settings, sql
from .answers import Created, Json, Listing, Response
from .identity import Caller
from .page import Page
from .plugin import Plugin
from .problem import Problem
from .request import Request
from .schema import Length, Pattern, Range

__all__ = [
    "Caller",
    "Created",
    "Json",
    "Length",
    "Listing",
    "Page",
    "Pattern",
    "Plugin",
    "Problem",
    "Range",
    "Request",
    "Response",
    "clock",
    "identity",
    "log",
    "random",
    "settings",
    "sql",
]
