"""`Plugin`: what a plugin is and has. Finds the handler of an operation, and keeps what the host is
told when it asks for the description."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from . import log, schema, sql
from .answers import Response, to_response
from .handler import Handler
from .problem import Problem
from .request import Request

Function = TypeVar("Function", bound=Callable[..., Any])
Transaction = Literal["by-method", "read", "write", "none"]


@dataclass(slots=True)
class Route:
    """One route, as `Plugin.route` was told of it."""

    operation: str
    method: str
    pattern: str
    handler: Handler
    public: bool
    permission: str | None
    transaction: Transaction
    body_max_bytes: int | None
    headers: list[str]
    summary: str
    answers: dict[int, str]


@dataclass(slots=True)
class Migration:
    """One step of the schema's history."""

    number: int
    name: str
    phase: Literal["expand", "backfill", "contract"]
    sql: str
    postgres: str | None


@dataclass(slots=True)
class Plugin:
    """A plugin whose URLs begin with `/api/<name>`. Handlers are added by the decorators `get`,
    `post`, `put`, `patch` and `delete`."""

    name: str
    version: str
    title: str = ""
    summary: str = ""
    settings: type | None = None
    """A dataclass whose fields have defaults; a handler's parameter of this type gets them."""
    routes: list[Route] = field(default_factory=list, init=False)
    migrations: list[Migration] = field(default_factory=list, init=False)
    permissions: list[tuple[str, str]] = field(default_factory=list, init=False)
    assets: list[tuple[str, str, bytes]] = field(default_factory=list, init=False)
    health_check: Callable[[], None] | None = field(default=None, init=False)

    def route(
        self,
        method: str,
        pattern: str,
        *,
        operation: str | None = None,
        public: bool = False,
        permission: str | None = None,
        transaction: Transaction = "by-method",
        body_max_bytes: int | None = None,
        headers: list[str] | None = None,
        summary: str = "",
        answers: dict[int, str] | None = None,
    ) -> Callable[[Function], Function]:
        """Makes a function the handler of a route. Unless it says otherwise, anybody with a valid
        token may call it, with a body of up to 64 KiB; the operation is named like the function."""

        def add(function: Function) -> Function:
            handler = Handler(function, pattern, self.settings)
            asked = sorted({*(headers or []), *handler.headers})
            name = operation or function.__name__
            notes = answers or {}
            self.routes.append(
                Route(
                    name, method, pattern, handler, public, permission, transaction,
                    body_max_bytes, asked, summary, notes,
                )
            )  # fmt: skip
            return function

        return add

    def get(self, pattern: str, **options: Any) -> Callable[[Function], Function]:
        """A `GET` route; see `route` for the options."""
        return self.route("GET", pattern, **options)

    def post(self, pattern: str, **options: Any) -> Callable[[Function], Function]:
        """A `POST` route; see `route` for the options."""
        return self.route("POST", pattern, **options)

    def put(self, pattern: str, **options: Any) -> Callable[[Function], Function]:
        """A `PUT` route; see `route` for the options."""
        return self.route("PUT", pattern, **options)

    def patch(self, pattern: str, **options: Any) -> Callable[[Function], Function]:
        """A `PATCH` route; see `route` for the options."""
        return self.route("PATCH", pattern, **options)

    def delete(self, pattern: str, **options: Any) -> Callable[[Function], Function]:
        """A `DELETE` route; see `route` for the options."""
        return self.route("DELETE", pattern, **options)

    def health(self, function: Callable[[], None]) -> Callable[[], None]:
        """Makes a function the check of a new version before it takes requests: what it raises is
        the reason why it never does. It may read the store; there is no caller."""
        self.health_check = function
        return function

    def permission(self, name: str, description: str) -> None:
        """Adds a permission, `<plugin>.<verb or noun>`, and what it allows, in one sentence."""
        self.permissions.append((name, description))

    def migration(self, number: int, name: str, sql: str, postgres: str | None = None) -> None:
        """Adds the next step of the schema's history, which the version before can live with. One
        that was released must never change."""
        self.migrations.append(Migration(number, name, "expand", sql, postgres))

    def backfill(self, number: int, name: str, sql: str, postgres: str | None = None) -> None:
        """Adds a step that fills what an earlier one made: one statement with a `LIMIT`, which the
        host runs until it changes no row."""
        self.migrations.append(Migration(number, name, "backfill", sql, postgres))

    def contract(self, number: int, name: str, sql: str, postgres: str | None = None) -> None:
        """Adds a step that the version before cannot live with: it runs when that one is gone."""
        self.migrations.append(Migration(number, name, "contract", sql, postgres))

    def asset(self, path: str, media_type: str, content: bytes) -> None:
        """Adds a file that the host serves at `/api/<name>/-/<path>` without calling the plugin."""
        self.assets.append((path, media_type, content))

    def settings_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the settings."""
        return None if self.settings is None else schema.settings_of(self.settings)

    def call(self, request: Request) -> Response:
        """Answers a request. What goes wrong inside goes to the log and never to the caller."""
        try:
            for route in self.routes:
                if route.operation == request.operation:
                    return to_response(route.handler.call(request))
            log.error("the host asked for an operation that the plugin does not have")
        except Problem as problem:
            return problem.response()
        except sql.Error as error:
            return of_statement(error).response()
        except Exception as error:
            log_failure(error)
        return Problem.internal().response()

    def check_health(self) -> str | None:
        """Why the plugin is not well; none if it is. The log has more."""
        try:
            if self.health_check is not None:
                self.health_check()
            return None
        except Problem as problem:
            return f"{problem.code} ({problem.status})"
        except Exception as error:
            log_failure(error)
            return "the check of the plugin's health failed; the reason is in the log"


def of_statement(error: sql.Error) -> Problem:
    """What a failed statement means for the caller. The store's texts go to the log, never out."""
    match error.kind:
        case "unique":
            return Problem.conflict("There is such a thing already.")
        case "foreign-key":
            return Problem.conflict("It refers to something that does not exist.")
        case "timeout" | "unavailable":
            log.warn("the store did not answer", error=error)
            return Problem.unavailable("The store is busy. Try again.", 1)
        case "disk-full":
            log.error("the store is full")
            return Problem(507, "disk-full", "There is no room left.")
    log.error("a statement failed", error=error, traceback=_trace_of(error))
    return Problem.internal()


def log_failure(error: Exception) -> None:
    """Tells the author of an exception that nobody caught."""
    log.error(f"{type(error).__name__}: {error}", traceback=_trace_of(error))


def _trace_of(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
