"""A request, as handlers see it that take one, and the reading of its JSON body."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from .problem import Problem


@dataclass(slots=True)
class Request:
    """A request that matched a route and passed its access rule and its limits."""

    operation: str
    method: str
    path: str
    """The path below `/api/<plugin>`, as it was sent."""
    parameters: list[tuple[str, str]]
    """The parameters of the route's pattern, decoded."""
    query: list[tuple[str, str]]
    """The query's parameters in the order sent, decoded. What is left here when the handler is
    called was asked for by none of its parameters."""
    headers: list[tuple[str, str]]
    """The headers that the route asked for; names in lower case."""
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header; `name` in lower case."""
        return next((value for known, value in self.headers if known == name), None)

    def header_values(self, name: str) -> list[str]:
        """All values of a header, in the order sent; `name` in lower case."""
        return [value for known, value in self.headers if known == name]

    def take_query(self, name: str) -> list[str]:
        """Takes all values of a query parameter out of the query."""
        values = [value for known, value in self.query if known == name]
        if values:
            self.query = [pair for pair in self.query if pair[0] != name]
        return values


def read_json(request: Request) -> Any:
    """The JSON value in the body: 415 for another media type, 400 when it is not JSON."""
    essence = (request.header("content-type") or "").split(";")[0].strip().lower()
    if essence != "application/json" and not essence.endswith("+json"):
        raise Problem.unsupported_media_type("The body must be sent as `application/json`.")
    try:
        text = request.body.decode()
        value = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:
            # An escape can name half of a character, which is no text and fits no answer.
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError:
        reason = "it is too deep"
    except UnicodeError:
        reason = "it has characters that UTF-8 does not have"
    except ValueError as error:
        reason = str(error)
    raise Problem.bad_request(f"The body is not JSON: {reason}.").with_code("malformed-json")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is no number of JSON")
