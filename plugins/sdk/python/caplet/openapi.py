"""The plugin's OpenAPI document, from the signatures of its handlers."""

import dataclasses
import typing
from typing import Any

from . import page, schema
from .answers import Created, Json, Listing, Response, Tagged
from .handler import Handler
from .plugin import Plugin, Route
from .preconditions import HEADERS

PREFIX = "#/components/schemas/"

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "What went wrong, for programs: stable."},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def document(plugin: Plugin) -> dict[str, Any]:
    """The whole document; its paths are relative to `/api/<name>`."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    for route in plugin.routes:
        methods = paths.setdefault(route.pattern.replace("{*", "{"), {})
        methods[route.method.lower()] = _operation(route, schemas)
    info = {"title": plugin.title or plugin.name, "version": plugin.version}
    if plugin.summary:
        info["description"] = plugin.summary
    bearer = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": f"/api/{plugin.name}"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": bearer},
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    handler = route.handler
    operation: dict[str, Any] = {"operationId": route.operation}
    if route.summary:
        operation["summary"] = route.summary
    documentation = route.handler.function.__doc__
    if documentation:
        operation["description"] = " ".join(documentation.split())
    parameters = _parameters(handler, schemas)
    if parameters:
        operation["parameters"] = parameters
    if handler.body is not None:
        operation["requestBody"] = _request_body(handler.body, schemas)
    operation["responses"] = _responses(route, schemas)
    operation["security"] = _security(route)
    return operation


def _parameters(handler: Handler, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = []
    for name, kind in handler.path.items():
        own = {"schema": schema.of(kind, schemas, PREFIX), "required": True}
        parameters.append({"name": name, "in": "path"} | own)
    if handler.pages:
        limit = {"minimum": 1, "maximum": page.LIMIT_MAX, "default": page.LIMIT_DEFAULT}
        text = {"type": "string", "maxLength": page.CURSOR_MAX_BYTES}
        parameters.append({"name": "limit", "in": "query", "schema": {"type": "integer"} | limit})
        parameters.append({"name": "cursor", "in": "query", "schema": text})
    for name, description in HEADERS.items() if handler.conditional else ():
        own = {"description": description, "schema": {"type": "string"}}
        parameters.append({"name": name, "in": "header"} | own)
    for name, (kind, required) in handler.query.items():
        own = {"schema": schema.of(kind, schemas, PREFIX)} | ({"required": True} if required else {})
        parameters.append({"name": name, "in": "query"} | own)
    return parameters


def _request_body(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind is bytes:
        return {"content": {"*/*": {}}}
    return {"required": True, "content": _content(kind, schemas)}


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema.of(kind, schemas, PREFIX)}}


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    handler, problems = route.handler, dict[int, str]()
    if handler.path or handler.pages or handler.query or handler.body is not None:
        problems[400] = "The request is malformed."
    if handler.conditional:
        problems |= {400: "The request is malformed.", 412: "It was changed since it was read."}
    if not route.public:
        problems[401] = "There is no valid token."
    if route.permission is not None:
        problems[403] = f"The caller does not hold `{route.permission}`."
    if dataclasses.is_dataclass(handler.body):
        problems[415] = "The body's media type is not JSON."
        problems[422] = "The body does not fit its schema; `errors` says where."
    problems |= {status: text for status, text in route.answers.items() if status >= 400}
    reference = {"schema": {"$ref": PREFIX + "Problem"}}
    responses = _success(handler.answer, schemas)
    if handler.conditional and route.method in ("GET", "HEAD", "*"):
        responses["304"] = {"description": "The caller has it already."}
    for status, text in route.answers.items():
        if status < 400:
            responses.setdefault(str(status), {})["description"] = text
    for status, text in sorted(problems.items()):
        content = {"application/problem+json": reference}
        responses[str(status)] = {"description": text, "content": content}
    return responses


def _success(answer: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    origin = typing.get_origin(answer) or answer
    inner = next(iter(typing.get_args(answer)), Any)
    if answer is None or answer is type(None):
        return {"204": {"description": "Done."}}
    if origin is Response:
        return {"default": {"description": "An answer."}}
    if answer is str:
        return {"200": {"description": "Text.", "content": {"text/plain": {}}}}
    if answer is bytes:
        return {"200": {"description": "Bytes.", "content": {"application/octet-stream": {}}}}
    if origin is Created:
        header = {"location": {"schema": {"type": "string"}}}
        made = {"description": "Created.", "headers": header, "content": _content(inner, schemas)}
        return {"201": made}
    if origin is Tagged:
        header = {"description": "The version; send it back as `If-Match`."}
        etag = {"etag": header | {"schema": {"type": "string"}}}
        found = _success(inner, schemas)
        return {
            status: one | {"headers": one.get("headers", {}) | etag} for status, one in found.items()
        }
    if origin is Listing:
        listing = {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": schema.of(inner, schemas, PREFIX)},
                "next_cursor": {"type": ["string", "null"]},
            },
            "required": ["items", "next_cursor"],
        }
        content = {"application/json": {"schema": listing}}
        return {"200": {"description": "A page.", "content": content}}
    kind = inner if origin is Json else answer
    return {"200": {"description": "Done.", "content": _content(kind, schemas)}}


def _security(route: Route) -> list[dict[str, Any]]:
    if not route.public:
        return [{"bearer": []}]
    return [{}, {"bearer": []}] if route.handler.reads_caller else []
