"""httpx-sse: a stream without an end, and streams of a plugin. Argument: the host's URL.

A stream that ended is opened again, with the number of the last event where events have numbers.
"""

import sys
import threading

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
                last = event.id
                tell("feed", said=event.data, connection=connection(source.response))
                if over.is_set():
                    break


def plugin(client):
    while not over.is_set():
        with connect_sse(client, "GET", "/api/events") as source:
            events = [event.json() for event in source.iter_sse()]
            assert [event["number"] for event in events] == list(range(10)), events
            releases = {event["release"] for event in events}
            assert len(releases) == 1, events
            tell("events/stream", said=releases.pop(), connection=connection(source.response))


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
