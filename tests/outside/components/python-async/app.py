"""A service of HTTP in the way of componentize-py with WASI 0.3: coroutines, and streams that are handed on."""

import componentize_py_async_support
import wit_world
from componentize_py_async_support.streams import ByteStreamReader, ByteStreamWriter
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.wasi_http_types import (
    Fields,
    Method_Get,
    Method_Post,
    Request,
    Response,
)


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        path, _, query = (request.get_path_with_query() or "/").partition("?")
        headers = request.get_headers()
        match request.get_method(), path:
            case Method_Get(), "/":
                greeting = text(b"Hello from python-async!\n")
                return answer(200, [("content-type", b"text/plain")], greeting)
            case Method_Post(), "/echo":
                kinds = [("content-type", it) for it in headers.get("content-type")]
                body, _ = Request.consume_body(request, no_error())
                return answer(200, kinds, body)
            case Method_Get(), "/words":
                word = b"".join(headers.get("x-word"))
                return answer(200, [("x-word", word)], text(word + b" " + query.encode()))
            case _:
                return answer(404, [], None)


def answer(
    status: int, headers: list[tuple[str, bytes]], body: ByteStreamReader | None
) -> Response:
    response, _ = Response.new(Fields.from_list(headers), body, no_trailers())
    response.set_status_code(status)
    return response


def text(content: bytes) -> ByteStreamReader:
    """A stream that is written while the answer is under way."""
    writer, reader = wit_world.byte_stream()
    componentize_py_async_support.spawn(write(writer, content))
    return reader


async def write(writer: ByteStreamWriter, content: bytes) -> None:
    with writer:
        await writer.write_all(content)


def no_trailers():
    future = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
    return future(lambda: Ok(None))[1]


def no_error():
    return wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))[1]
