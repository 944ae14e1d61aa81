"""Services: Python's HTTP server, plain and encrypted, and an echo of WebSockets.

Prints their addresses, after it wrote the certificate to the file that it was told, and serves.
"""

import asyncio
import datetime
import ipaddress
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import serve

# Lets one event after another out of /events.
NEXT = threading.Semaphore(0)

# The parts that /stream received.
PARTS = []


class Plain(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def chunks(self):
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def serve(self):
        url = urlsplit(self.path)
        if url.path == "/events":
            self.events()
        elif url.path == "/stream":
            self.stream()
        elif url.path == "/next":
            self.body()
            NEXT.release()
            self.answer(204, b"")
        elif url.path == "/parts":
            self.answer(200, json.dumps(PARTS).encode())
        elif url.path == "/large":
            self.answer(200, b"x" * int(parse_qs(url.query)["bytes"][0]))
        elif url.path == "/redirect":
            self.answer(302, b"", Location="/elsewhere")
        elif url.path == "/gone":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        else:
            seen = {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": self.body().decode(),
            }
            self.answer(200, json.dumps(seen).encode(), Content_Type="application/json")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(3):
            NEXT.acquire()
            self.chunk(f"id: {number}\ndata: event {number}\n\n".encode())
        self.chunk(b"")

    def stream(self):
        """Sends back each part as it comes."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        PARTS.clear()
        for part in self.chunks():
            PARTS.append(part.decode())
            self.chunk(part.upper())
        self.chunk(b"")

    def log_message(self, *_):
        pass


def subprotocol(_, offered):
    """One of its own; none when none is offered, which the library's own choice refuses."""
    return next((name for name in ["superchat", "chat"] if name in offered), None)


async def echo(socket):
    async for message in socket:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            await socket.close(int(code), reason)
        elif message == "path":
            await socket.send(socket.request.path)
        else:
            await socket.send(message)


def certify(file):
    """Writes a certificate for this machine, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "services")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    with open(file, "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(f"{file}.key", "wb") as out:
        pem, old = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        out.write(key.private_bytes(pem, old, serialization.NoEncryption()))


def listen(certificate=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, f"{certificate}.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


async def main():
    certify(sys.argv[1])
    plain, encrypted = listen(), listen(sys.argv[1])
    options = {"select_subprotocol": subprotocol, "max_size": 32 << 20}
    async with serve(echo, "127.0.0.1", 0, **options) as sockets:
        socket = sockets.sockets[0].getsockname()[1]
        addresses = [f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{encrypted}"]
        print(*addresses, f"http://127.0.0.1:{socket}", flush=True)
        await asyncio.Future()


asyncio.run(main())
