"""httpx, with several lanes of requests, one after another in each. Arguments: the host's URL, and a version of
HTTP: with 1 each lane has a connection of its own, with 2 all share one.
"""

import asyncio
import itertools
import sys

import httpx

from said import connection, note_connection, over, problem, tell

URL, VERSION = sys.argv[1:]

# An upload is sent in so many parts over so many seconds.
PARTS = 20
PART = b"x" * 1_000
UPLOAD_S = 0.8

REST_S = 0.01


async def parts():
    for _ in range(PARTS):
        yield PART
        await asyncio.sleep(UPLOAD_S / PARTS)


def of_one_version(answer, said):
    assert answer.headers["x-version"] == said, f"{answer.headers['x-version']}, and {said} below"
    return said


async def version(client, _):
    answer = await client.get("/api/upgrade/version")
    return answer, of_one_version(answer, answer.text)


async def slow(client, _):
    answer = await client.get("/api/upgrade/slow?ms=300")
    return answer, of_one_version(answer, answer.json()["version"])


async def notes(client, number):
    answer = await client.post(f"/api/upgrade/notes/{VERSION}-{number}")
    assert answer.status_code == 201, f"{answer.status_code}: {answer.text}"
    return answer, of_one_version(answer, answer.json()["version"])


async def upload(client, _):
    answer = await client.post("/api/upgrade/upload", content=parts())
    assert answer.json()["bytes"] == PARTS * len(PART), answer.text
    return answer, of_one_version(answer, answer.json()["version"])


async def settings(client, _):
    answer = await client.get("/api/echo/settings")
    return answer, answer.json()["settings"]["greeting"]


LANES = {
    "upgrade/version": version,
    "upgrade/slow": slow,
    "upgrade/notes": notes,
    "upgrade/upload": upload,
    "echo/settings": settings,
}


async def go(lane, client):
    for number in itertools.count():
        if over.is_set():
            return
        try:
            answer, said = await LANES[lane](client, number)
            assert answer.is_success, f"{answer.status_code}: {answer.text}"
            assert answer.http_version == {"1": "HTTP/1.1", "2": "HTTP/2"}[VERSION]
        except Exception as error:
            tell(lane, **problem(error))
            return
        tell(lane, said=said, connection=connection(answer))
        await asyncio.sleep(REST_S)


async def note(answer):
    note_connection(answer)


def client():
    protocol = {"http1": VERSION == "1", "http2": VERSION == "2"}
    return httpx.AsyncClient(base_url=URL, timeout=30, event_hooks={"response": [note]}, **protocol)


async def main():
    shared = client()
    clients = [shared if VERSION == "2" else client() for _ in LANES]
    await asyncio.gather(*map(go, LANES, clients))


asyncio.run(main())
