"""Makes an issuer's keys in a folder (PEM files and a set of JWKs) and publishes the set over HTTP on a
free port, which is printed. Runs until it is ended."""

import http.server
import json
import pathlib
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

folder = pathlib.Path(sys.argv[1])
private_keys = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
kinds = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
jwks = []
for name, key in private_keys.items():
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / f"{name}.private.pem").write_bytes(private)
    (folder / f"{name}.public.pem").write_bytes(public)
    jwk = kinds[name].import_key(public).as_dict(private=False)
    jwks.append({**jwk, "kid": name, "alg": name, "use": "sig"})
document = json.dumps({"keys": jwks}).encode()
(folder / "jwks.json").write_bytes(document)


class Publisher(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/jwk-set+json")
        self.send_header("Cache-Control", "public, max-age=300")
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
print(server.server_address[1], flush=True)
server.serve_forever()
