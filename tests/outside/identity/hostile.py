"""Prints hostile tokens as JSON, by name: each breaks one rule, all else about it is right. They are made
byte by byte, because libraries refuse to make most of them."""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils

folder, issuers = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
secret, jku = sys.argv[3].encode(), sys.argv[4]
issuer = issuers["everywhere"]["url"]
now = int(time.time())
private = {
    name: serialization.load_pem_private_key((folder / f"{name}.private.pem").read_bytes(), None)
    for name in ["RS256", "ES256", "EdDSA"]
}
public_pem = {name: (folder / f"{name}.public.pem").read_bytes() for name in private}
attacker = ed25519.Ed25519PrivateKey.generate()
attacker_x = attacker.public_key().public_bytes(
    serialization.Encoding.Raw, serialization.PublicFormat.Raw
)
hostile = {}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def with_rsa(message, algorithm=hashes.SHA256(), scheme=None):
    return private["RS256"].sign(message, scheme or padding.PKCS1v15(), algorithm)


def with_ec(message):
    r, s = utils.decode_dss_signature(private["ES256"].sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def with_hmac(key):
    return lambda message: hmac.new(key, message, hashlib.sha256).digest()


SIGN = {"RS256": with_rsa, "ES256": with_ec, "EdDSA": private["EdDSA"].sign}


def token(header, payload, sign):
    signed = f"{b64(text(header))}.{b64(text(payload))}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def claims(**changes):
    all_claims = {"iss": issuer, "aud": "caplet", "sub": "mallory", "exp": now + 600, **changes}
    return {name: value for name, value in all_claims.items() if value is not ...}


def header(algorithm="EdDSA", **more):
    return {"alg": algorithm, "kid": algorithm, **more}


def add(name, value):
    assert name not in hostile, name
    hostile[name] = value


def add_claims(name, **changes):
    add(name, token(header(), claims(**changes), SIGN["EdDSA"]))


def add_payload(name, payload):
    add(name, token(header(), payload, SIGN["EdDSA"]))


def add_header(name, head, sign=SIGN["EdDSA"]):
    add(name, token(head, claims(), sign))


good = token(header(), claims(), SIGN["EdDSA"])
signed = good.rpartition(".")[0]
nothing = lambda message: b""

# No signature.
for name in ["none", "None", "NONE", "nOnE"]:
    add_header(f"alg {name}", {"alg": name, "typ": "JWT"}, nothing)
add("alg none with the signature of another", token({"alg": "none"}, claims(), SIGN["EdDSA"]))
add("alg none in two parts", f"{b64(text({'alg': 'none'}))}.{b64(text(claims()))}")
add("empty signature", f"{signed}.")
add("empty signature of HS256", token({"alg": "HS256"}, claims(iss=..., aud=...), nothing))
add("signature left out", signed)
add("signature cut short", good[:-8])
add("signature of another token", f"{signed}.{token(header(), claims(sub='x'), SIGN['EdDSA']).rpartition('.')[2]}")
add("alg empty", token({"alg": ""}, claims(), nothing))
add("alg missing", token({"typ": "JWT"}, claims(), nothing))
add("alg a list", token({"alg": ["EdDSA"]}, claims(), SIGN["EdDSA"]))

# One algorithm's key used for another.
for name, pem in public_pem.items():
    add(f"HS256 with the PEM of {name}", token({"alg": "HS256", "kid": name}, claims(), with_hmac(pem)))
    bare = claims(iss=..., aud=...)
    add(f"HS256 with the PEM of {name}, no issuer", token({"alg": "HS256"}, bare, with_hmac(pem.strip())))
jwks = (folder / "jwks.json").read_bytes()
add("HS256 with the set of keys", token({"alg": "HS256"}, claims(), with_hmac(jwks)))
add("HS256 by the host's secret for an issuer", token({"alg": "HS256"}, claims(), with_hmac(secret)))
add("RS256 that is HMAC", token(header("RS256"), claims(), with_hmac(public_pem["RS256"])))
add("ES256 with the key id of RS256", token({"alg": "ES256", "kid": "RS256"}, claims(), with_ec))
add("ES256 that is EdDSA", token(header("ES256"), claims(), SIGN["EdDSA"]))
add("RS384", token({"alg": "RS384", "kid": "RS256"}, claims(), lambda m: with_rsa(m, hashes.SHA384())))
add("RS512", token({"alg": "RS512", "kid": "RS256"}, claims(), lambda m: with_rsa(m, hashes.SHA512())))
pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
add("PS256", token({"alg": "PS256", "kid": "RS256"}, claims(), lambda m: with_rsa(m, scheme=pss)))
add("RS256 that is PS256", token(header("RS256"), claims(), lambda m: with_rsa(m, scheme=pss)))
add("ES256 of zeros", token(header("ES256"), claims(), lambda m: bytes(64)))
order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
add("ES256 of the group's order", token(header("ES256"), claims(), lambda m: order.to_bytes(32, "big") * 2))
add("ES256 in DER", token(header("ES256"), claims(), lambda m: private["ES256"].sign(m, ec.ECDSA(hashes.SHA256()))))
add("EdDSA of zeros", token(header(), claims(), lambda m: bytes(64)))
add("EdDSA with a point of small order", token(header(), claims(), lambda m: bytes([1]) + bytes(63)))

# A key of the attacker's choice.
jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(attacker_x), "kid": "EdDSA"}
for member, value in {"jwk": jwk, "jku": jku, "x5u": jku, "x5c": [base64.b64encode(attacker_x).decode()]}.items():
    add_header(f"{member} of the attacker", header(**{member: value}), attacker.sign)
    add_header(f"{member} in a token that is signed well", header(**{member: value}))
add_header("signed by the attacker", header(), attacker.sign)
for name, kid in {
    "a path": "../../../../../../dev/null", "a command": "EdDSA; sleep 5", "an address": jku,
    "SQL": "' UNION SELECT 'secret' -- ", "nobody's": "nobody", "empty": "",
}.items():
    add_header(f"kid that is {name}", {"alg": "EdDSA", "kid": kid}, attacker.sign)
    add(f"kid that is {name}, empty secret", token({"alg": "HS256", "kid": kid}, claims(), with_hmac(b"")))
for name, kid in {"a number": 7, "a list": ["EdDSA"], "null": None, "too long": "k" * 300, "with NUL": "EdDSA\0"}.items():
    add_header(f"kid that is {name}", {"alg": "EdDSA", "kid": kid})

# What must be understood, and what means two things.
add_header("crit", header(crit=["exp"], exp=now + 600))
add_header("crit of an unknown extension", header(crit=["x"], x=1))
add_header("crit empty", header(crit=[]))
add_header("b64 false", header(crit=["b64"], b64=False))
add_header("alg twice", b'{"alg":"none","kid":"EdDSA","alg":"EdDSA"}')
add_header("kid twice", b'{"alg":"EdDSA","kid":"x","kid":"EdDSA"}')
plain = json.dumps(claims())[:-1].encode()
for name, more in {
    "sub twice": b',"sub":"admin"}', "exp twice": b',"exp":9999999999}',
    "iss twice": b',"iss":"x"}', "aud twice": b',"aud":"x"}',
    "sub twice, once escaped": b',"s\\u0075b":"admin"}', "a name twice deep inside": b',"a":[{"b":1,"b":2}]}',
}.items():
    add_payload(name, plain + more)

# Times.
for name, changes in {
    "exp a text": {"exp": str(now + 600)}, "exp missing": {"exp": ...}, "exp over": {"exp": now - 600},
    "exp null": {"exp": None}, "exp a list": {"exp": [now + 600]}, "exp true": {"exp": True},
    "exp negative": {"exp": -1}, "nbf ahead": {"nbf": now + 600}, "nbf a text": {"nbf": str(now)},
    "iat ahead": {"iat": now + 600}, "iat a text": {"iat": "now"},
}.items():
    add_claims(name, **changes)
add_payload("exp infinite", json.dumps(claims(exp=float("inf"))).encode())
add_payload("exp too large", plain.replace(str(now + 600).encode(), b"1e999") + b"}")

# For whom, by whom, about whom.
for name, changes in {
    "aud missing": {"aud": ...}, "aud of another": {"aud": "other"}, "aud empty": {"aud": []},
    "aud with a number": {"aud": ["caplet", 1]}, "aud an object": {"aud": {"caplet": 1}},
    "aud with more behind": {"aud": "caplet.evil"}, "aud in capitals": {"aud": "CAPLET"},
    "iss missing": {"iss": ...}, "iss of nobody": {"iss": "https://evil.example"},
    "iss a list": {"iss": [issuer]}, "iss with a slash": {"iss": issuer + "/"},
    "iss of another key": {"iss": issuers["pem"]["RS256"]},
    "sub missing": {"sub": ...}, "sub empty": {"sub": ""}, "sub a number": {"sub": 7},
    "sub too long": {"sub": "s" * 300}, "sub with a line break": {"sub": "a\nb"},
    "tenant a path": {"tenant": "../acme"}, "tenant a list": {"tenant": ["acme"]},
    "roles an object": {"roles": {"admin": True}}, "roles of numbers": {"roles": [1]},
    "too many roles": {"roles": ["r"] * 101},
}.items():
    add_claims(name, **changes)
for name in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "JWE", ""]:
    add_header(f"typ {name}", header(typ=name))
add_header("typ a list", header(typ=["JWT"]))

# Not the form of a token.
add("a fourth part", f"{good}.AAAA")
add("five parts, as if encrypted", ".".join([b64(text({"alg": "dir", "enc": "A128GCM"})), "", "AAAA", "AAAA", "AAAA"]))
add("padding", good + "==")
add("letters of another alphabet", good[:-2] + "+/")
add("bits left over", signed + "." + good.rpartition(".")[2][:-1] + "_")
add("a space inside", good.replace(".", ". ", 1))
add("JSON form", json.dumps({"protected": signed.split(".")[0], "payload": signed.split(".")[1], "signature": good.rpartition(".")[2]}))
add_payload("claims that are a list", [claims()])
add_payload("claims that are no JSON", b"sub=admin")
add_payload("claims with more behind", text(claims()) + b"x")
add_payload("claims with a byte order mark", b"\xef\xbb\xbf" + text(claims()))
add_payload("claims that are no UTF-8", text(claims()).replace(b"mallory", b"mal\xff"))
add_payload("a token in a token", good.encode())
add_payload("claims too deep", b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}")
add_claims("too long", padding="x" * 8000)
add_claims("much too long", padding="x" * 40000)
add("dots", "...")
add("only dots", "..")
add("one word", "null")
print(json.dumps(hostile))
