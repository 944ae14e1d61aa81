"""A service whose events are numbered and never end. Its streams do, after some seconds; one that is opened
with `Last-Event-ID` goes on behind that event, others with what comes next. Prints its address, and serves.
"""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Between two events, and how long a stream takes.
PAUSE_S = 0.05
STREAM_S = 4

BEGUN = time.monotonic()


class Events(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            self.events()
        except BrokenPipeError:
            # Whoever read hung up.
            self.close_connection = True

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        now = (time.monotonic() - BEGUN) // PAUSE_S
        number = int(self.headers.get("Last-Event-ID", now))
        end = time.monotonic() + STREAM_S
        while time.monotonic() < end:
            number += 1
            time.sleep(max(0, BEGUN + number * PAUSE_S - time.monotonic()))
            self.chunk(f"retry: 100\nid: {number}\ndata: {number}\n\n".encode())
        self.chunk(b"")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Events)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
