"""A server of HTTP in the way of componentize-py with WASI 0.2: an event loop over its polling."""

import asyncio

from componentize_py_types import Ok
from poll_loop import PollLoop, Sink, Stream
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve(request, response_out))


async def serve(request: IncomingRequest, response_out: ResponseOutparam) -> None:
    path, _, query = (request.path_with_query() or "/").partition("?")
    headers = request.headers()
    match request.method(), path:
        case Method_Get(), "/":
            sink = answer(response_out, 200, [("content-type", b"text/plain")])
            await sink.send(b"Hello from python!\n")
        case Method_Post(), "/echo":
            kinds = [("content-type", it) for it in headers.get("content-type")]
            sink, stream = answer(response_out, 200, kinds), Stream(request.consume())
            while (chunk := await stream.next()) is not None:
                await sink.send(chunk)
        case Method_Get(), "/words":
            word = b"".join(headers.get("x-word"))
            sink = answer(response_out, 200, [("x-word", word)])
            await sink.send(word + b" " + query.encode())
        case _:
            sink = answer(response_out, 404, [])
    sink.close()


def answer(response_out: ResponseOutparam, status: int, headers: list[tuple[str, bytes]]) -> Sink:
    """Begins the answer; what the sink is sent is its body."""
    response = OutgoingResponse(Fields.from_list(headers))
    response.set_status_code(status)
    body: OutgoingBody = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    return Sink(body)
