"""Who the invocation acts for: always what the host verified."""

from dataclasses import dataclass
from typing import Literal

from . import host


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. As a handler's parameter: 401 without one, unless it is `Caller | None`."""

    subject: str
    """The token's `sub`: stable, and unique within the tenant."""
    kind: Literal["user", "service"]
    """A person, or a program with a token of its own."""
    roles: list[str]
    """Roles within the tenant."""
    teams: list[str]
    """Teams within the tenant."""
    scopes: list[str]
    """What the token was limited to."""


def current() -> Caller | None:
    """The caller; none when the request had no token."""
    caller = host.identity.current()
    if caller is None:
        return None
    kind = "user" if caller.kind == host.identity.Kind.USER else "service"
    return Caller(caller.subject, kind, caller.roles, caller.teams, caller.scopes)


def tenant() -> str:
    """The tenant of the invocation: the token's, or `default` without one."""
    return host.identity.tenant()


def permitted(permission: str) -> bool:
    """Whether the caller holds a permission, by the operator's rules."""
    return host.identity.permitted(permission)
