#!/usr/bin/env bash
# curl through the gateway: methods, bodies, events, redirects, and an answer that breaks off.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
api=$CAPLET_URL/api/plain

fail() {
  echo "$1"
  exit 1
}

curl -sSf "$api/some/thing?x='1'&y=%2F" > "$folder/seen"
grep -qF "\"path\": \"/some/thing?x='1'&y=%2F\"" "$folder/seen" || fail "another path was seen"
grep -q '"x-forwarded-for": "127.0.0.1"' "$folder/seen" || fail "the caller's address is missing"

for method in PUT POST PATCH DELETE; do
  curl -sSf -X "$method" -d "body of $method" "$api/x" | grep "\"body\": \"body of $method\"" > /dev/null
done

# A body with Expect: 100-continue, and one of unknown length.
head -c 3000000 /dev/zero | tr '\0' a > "$folder/large"
curl -sSf -H 'expect: 100-continue' -T "$folder/large" "$api/x" > "$folder/back"
[ "$(wc -c < "$folder/back")" -gt 3000000 ] || fail "the upload is not whole"
curl -sSf -T - "$api/x" < "$folder/large" > "$folder/back"
[ "$(wc -c < "$folder/back")" -gt 3000000 ] || fail "the upload of unknown length is not whole"
curl -sSf "$api/large?bytes=5000000" -o "$folder/down"
[ "$(wc -c < "$folder/down")" -eq 5000000 ] || fail "the download is not whole"

curl -sS -o "$folder/redirect" -D - "$api/redirect" | grep -i '^location: /api/plain/elsewhere' > /dev/null \
  || fail "the redirect leads elsewhere"
curl -sSI "$api/large?bytes=7" | grep -i '^content-length: 7' > /dev/null || fail "HEAD has no length"

# What breaks off is an error to curl (18: a partial file).
code=0
curl -sS "$api/gone" -o "$folder/part" 2> "$folder/said" || code=$?
[ "$code" -eq 18 ] || fail "curl ended with $code: $(cat "$folder/said")"

curl -sSf --http2-prior-knowledge "$api/b" > "$folder/seen"
grep -q '"path": "/b"' "$folder/seen" || fail "another path was seen over HTTP/2"

# Events come when they are sent: each waits for the one before to have been seen.
curl -sSN "$api/events" > "$folder/events" &
reader=$!
for number in 0 1 2; do
  curl -sSf -X POST "$api/next"
  for _ in $(seq 200); do
    grep -q "data: event $number" "$folder/events" && continue 2
    sleep 0.05
  done
  fail "event $number did not come"
done
wait "$reader"

status=$(curl -sS -o "$folder/refused" -w '%{http_code}' "$CAPLET_URL/api/signed/x")
[ "$status" -eq 401 ] || fail "a stranger was answered $status"
curl -sSf -H "authorization: Bearer $CAPLET_TOKEN" "$CAPLET_URL/api/signed/x" \
  | grep '"authorization": "Bearer 1234"' > /dev/null || fail "the host did not prove who it is"
