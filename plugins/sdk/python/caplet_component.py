"""The component's exports around an author's `plugin` module. `caplet build` makes a component of this
module; nothing else imports it."""

import json
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import guest, http_handler

from caplet import openapi
from caplet.plugin import Plugin, Route
from caplet.request import Request
from plugin import plugin as _plugin

_PLUGIN: Plugin = _plugin
_TRANSACTIONS = {
    "by-method": guest.Transaction.BY_METHOD,
    "read": guest.Transaction.READ,
    "write": guest.Transaction.WRITE,
    "none": guest.Transaction.NONE,
}
_PHASES = {
    "expand": guest.Phase.EXPAND,
    "backfill": guest.Phase.BACKFILL,
    "contract": guest.Phase.CONTRACT,
}

# Made when the component is built, so that asking for it costs nothing.
_OPENAPI = json.dumps(openapi.document(_PLUGIN), ensure_ascii=False)
_SETTINGS = _PLUGIN.settings_schema()


class Guest(exports.Guest):
    """Describes the plugin."""

    def describe(self) -> guest.Description:
        return guest.Description(
            name=_PLUGIN.name,
            version=_PLUGIN.version,
            title=_PLUGIN.title or _PLUGIN.name,
            summary=_PLUGIN.summary,
            routes=[_route(route) for route in _PLUGIN.routes],
            openapi=_OPENAPI,
            migrations=[
                guest.Migration(m.number, m.name, _PHASES[m.phase], m.sql, m.postgres)
                for m in _PLUGIN.migrations
            ],
            permissions=[guest.Permission(*permission) for permission in _PLUGIN.permissions],
            settings_schema="" if _SETTINGS is None else json.dumps(_SETTINGS),
            assets=[guest.Asset(*asset) for asset in _PLUGIN.assets],
        )


def _route(route: Route) -> guest.Route:
    access: Any = guest.Access_SignedIn()
    if route.public:
        access = guest.Access_Public()
    elif route.permission is not None:
        access = guest.Access_Permission(route.permission)
    return guest.Route(
        operation=route.operation,
        method=route.method,
        pattern=route.pattern,
        access=access,
        transaction=_TRANSACTIONS[route.transaction],
        body_max_bytes=route.body_max_bytes,
        headers=route.headers,
    )


class HttpHandler(exports.HttpHandler):
    """Serves the routes."""

    def handle(self, request: http_handler.Request) -> http_handler.Response:
        answer = _PLUGIN.call(
            Request(
                request.operation, request.method, request.path, request.parameters,
                request.query, request.headers, request.body,
            )  # fmt: skip
        )
        headers = answer.headers if isinstance(answer.headers, list) else [*answer.headers.items()]
        return http_handler.Response(answer.status, headers, answer.body)


class Health(exports.Health):
    """Tells whether the plugin is well."""

    def check(self) -> None:
        reason = _PLUGIN.check_health()
        if reason is not None:
            raise Err(reason)


# `caplet build` takes a world that has it when the plugin has a module `subject_data`.
if hasattr(exports, "SubjectData"):
    from caplet_subject_data import SubjectData  # noqa: F401
