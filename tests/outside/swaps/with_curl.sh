#!/usr/bin/env bash
# curl over HTTP/2, with a new connection for each request: some versions cannot use one twice without TLS. Argument:
# the host's URL. Prints a line of JSON for each answer, until nobody listens or its input ends.
set -uo pipefail

lane=upgrade/version
errors=$(mktemp)
trap 'rm "$errors"' EXIT

tell() {
  printf '{"lane":"%s",%s}\n' "$lane" "$1"
}

# `read` fails with 1 at the end of the input, and with more when its time is over.
while read -r -t 0.01; [ $? -gt 1 ]; do
  answer=$(curl -sS --http2-prior-knowledge --max-time 30 -w ' %header{x-version} %{http_code} %{http_version}' \
    "$1/api/$lane" 2> "$errors")
  code=$?
  read -r said header status version <<< "$answer"
  if [ "$code" -eq 7 ]; then
    tell '"refused":true'
    exit 0
  elif [ "$code" -ne 0 ]; then
    tell "\"wrong\":\"curl ended with $code: $(tr -d '\\"\n' < "$errors")\""
  elif [ "$said $status $version" != "$header 200 2" ]; then
    tell "\"wrong\":\"$answer\""
  else
    tell "\"said\":\"$said\""
  fi
done
