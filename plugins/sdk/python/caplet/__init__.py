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
from .answers import Created, Json, Listing, Response, Tagged
from .etag import ETag
from .identity import Caller
from .page import Page
from .plugin import Plugin
from .preconditions import Preconditions
from .problem import Problem
from .request import Request
from .schema import Length, Pattern, Range
from .subject_data import SubjectData

__all__ = [
    "Caller",
    "Created",
    "ETag",
    "Json",
    "Length",
    "Listing",
    "Page",
    "Pattern",
    "Plugin",
    "Preconditions",
    "Problem",
    "Range",
    "Request",
    "Response",
    "SubjectData",
    "Tagged",
    "clock",
    "identity",
    "log",
    "random",
    "settings",
    "sql",
]
