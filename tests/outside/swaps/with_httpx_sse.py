"""httpx-sse: a stream without an end, and streams of a plugin. Argument: the host's URL.

A stream that ended is opened again after the time that its events say, with the number of the last event where
events have numbers. A host that was replaced closes the connection of a stream with the stream, and no head can say
so any more: whoever asks on it at once may be too late.
"""

import sys
import threading
import time

import httpx
from httpx_sse import connect_sse

from said import connection, note_connection, over, problem, tell

URL = sys.argv[1]


def feed(client):
    last = None
    while not over.is_set():
        headers = {"last-event-id": last} if last else {}
        with connect_sse(client, "GET", "/api/feed/events", headers=headers) as source:
            for event in source.iter_sse():
                last, pause_ms = event.id, event.retry
                tell("feed", said=event.data, connection=connection(source.response))
                if over.is_set():
                    break
        time.sleep(pause_ms / 1_000)


def plugin(client):
    while not over.is_set():
        with connect_sse(client, "GET", "/api/events") as source:
            stream = list(source.iter_sse())
            events = [event.json() for event in stream]
            assert [event["number"] for event in events] == list(range(10)), events
            releases = {event["release"] for event in events}
            assert len(releases) == 1, events
            tell("events/stream", said=releases.pop(), connection=connection(source.response))
        time.sleep(stream[-1].retry / 1_000)


def go(lane, streams):
    try:
        hooks = {"response": [note_connection]}
        with httpx.Client(base_url=URL, timeout=30, event_hooks=hooks) as client:
            streams(client)
    except Exception as error:
        tell(lane, **problem(error))


lanes = {"feed": feed, "events/stream": plugin}
threads = [threading.Thread(target=go, args=lane) for lane in lanes.items()]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
