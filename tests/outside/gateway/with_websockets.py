"""websockets through the gateway: messages of every kind and size, subprotocols, and both closes."""

import asyncio
import os

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

API = os.environ["CAPLET_URL"].replace("http://", "ws://") + "/api"
OPTIONS = {"max_size": 32 << 20, "open_timeout": 20, "close_timeout": 20, "proxy": None}


async def messages():
    async with connect(f"{API}/sockets/room/7?x=1", **OPTIONS) as socket:
        for message in ["text", "größer ✓", "", b"", b"\x00\xff" * 50, "t" * (1 << 20), os.urandom(16 << 20)]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "three ", "frames"])
        assert await socket.recv() == "in three frames"
        await socket.send("path")
        assert await socket.recv() == "/room/7?x=1"
        for _ in range(3):
            await asyncio.wait_for(await socket.ping(), 20)


async def subprotocols():
    async with connect(f"{API}/sockets", subprotocols=["other", "superchat"], **OPTIONS) as socket:
        assert socket.subprotocol == "superchat", socket.subprotocol
    async with connect(f"{API}/sockets", **OPTIONS) as socket:
        assert socket.subprotocol is None
        assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]


async def closes():
    """The code and reason of either side reach the other."""
    for code, reason in [(1000, "done"), (1011, "failed"), (4000, "our own")]:
        async with connect(f"{API}/sockets", **OPTIONS) as socket:
            await socket.send(f"close {code} {reason}")
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (code, reason), closed
            else:
                raise AssertionError("it stayed open")
    socket = await connect(f"{API}/sockets", **OPTIONS)
    await socket.close(4001, "from here")
    assert (socket.close_code, socket.close_reason) == (4001, "from here")


async def many():
    """Two hundred sockets at once do not mix up their messages."""

    async def talk(number):
        async with connect(f"{API}/sockets", **OPTIONS) as socket:
            for turn in range(20):
                await socket.send(f"{number}-{turn}")
                assert await socket.recv() == f"{number}-{turn}"

    await asyncio.gather(*(talk(number) for number in range(200)))


async def refused():
    for path, status in [("signed", 401), ("nobody", 404)]:
        try:
            async with connect(f"{API}/{path}/x", **OPTIONS):
                raise AssertionError(f"{path} let a stranger in")
        except InvalidStatus as answer:
            assert answer.response.status_code == status, answer


async def main():
    for check in [messages, subprotocols, closes, many, refused]:
        await asyncio.wait_for(check(), 120)


asyncio.run(main())
