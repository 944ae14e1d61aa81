"""Prints tokens of PyJWT and joserfc as JSON: for each way of signing, and each place of the keys."""

import json
import pathlib
import sys
import time

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

folder, issuers = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
secret = sys.argv[3]
now = int(time.time())
kinds = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
tokens = []


def claims(issuer, subject):
    return {
        "iss": issuer, "aud": ["other", "caplet"], "sub": subject, "tenant": "acme",
        "roles": ["editor"], "scope": "a b", "iat": now, "nbf": now, "exp": now + 600,
    }


def add(name, token):
    tokens.append({"name": name, "subject": name, "token": token})


for algorithm, kind in kinds.items():
    private = (folder / f"{algorithm}.private.pem").read_bytes()
    for place, issuer in [*issuers["everywhere"].items(), ("pem", issuers["pem"][algorithm])]:
        name = f"PyJWT {algorithm} {place}"
        add(name, jwt.encode(claims(issuer, name), private, algorithm, headers={"kid": algorithm}))
        name = f"PyJWT {algorithm} {place} without kid"
        add(name, jwt.encode(claims(issuer, name), private, algorithm))
        name = f"joserfc {algorithm} {place}"
        header = {"alg": algorithm, "kid": algorithm, "typ": "at+jwt"}
        key = kind.import_key(private)
        add(name, joserfc_jwt.encode(header, claims(issuer, name), key, algorithms=[algorithm]))

own = {"sub": "PyJWT HS256", "tenant": "acme", "roles": ["editor"], "exp": now + 600}
tokens.append({"name": "PyJWT HS256", "subject": "PyJWT HS256", "token": jwt.encode(own, secret)})
print(json.dumps(tokens))
