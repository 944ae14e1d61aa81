"""Asks openapi-spec-validator whether a host's document is one of OpenAPI 3.1."""

import sys

import httpx
from openapi_spec_validator import OpenAPIV31SpecValidator

document = httpx.get(sys.argv[1]).raise_for_status().json()
errors = list(OpenAPIV31SpecValidator(document).iter_errors())
for error in errors:
    print("/".join(str(part) for part in error.absolute_path), error.message[:500])
sys.exit(1 if errors else 0)
