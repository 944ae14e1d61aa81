"""What the clients in Python have in common: a line of JSON for each answer, until their input ends."""

import json
import sys
import threading

import httpx

over = threading.Event()


def wait_for_the_end():
    sys.stdin.read()
    over.set()


threading.Thread(target=wait_for_the_end, daemon=True).start()


lines = threading.Lock()


def tell(lane, **what):
    with lines:
        print(json.dumps({"lane": lane, **what}), flush=True)


def note_connection(answer):
    """Keeps the port that tells the client's connections apart. Once an answer is read, it may be closed."""
    answer.extensions["port"] = answer.extensions["network_stream"].get_extra_info("client_addr")[1]


def connection(answer):
    return answer.extensions["port"]


def problem(error):
    """Nobody listens any more, or something that must not happen."""
    if isinstance(error, httpx.ConnectError):
        return {"refused": True}
    return {"wrong": f"{type(error).__name__}: {error}"}
