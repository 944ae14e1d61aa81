// A page in Debian's Chromium that calls the host from other origins, as the browser lets it.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [host, token, allowed] = process.argv.slice(2);
const stranger = "http://localhost:4322";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"],
});
const context = await browser.newContext();

// What a page of `origin` gets when it calls the host.
const from = async (origin, path, options) => {
  const page = await context.newPage();
  await page.route(`${origin}/**`, (route) =>
    route.fulfill({ contentType: "text/html", body: "<title>A page</title>" }),
  );
  await page.goto(`${origin}/`);
  const result = await page.evaluate(
    async ([url, options]) => {
      try {
        const answer = await fetch(url, options);
        return { status: answer.status, id: answer.headers.get("x-request-id") };
      } catch (error) {
        return { blocked: error.name };
      }
    },
    [`${host}${path}`, options],
  );
  await page.close();
  return result;
};

try {
  const signed = { headers: { authorization: `Bearer ${token}` } };
  const written = {
    method: "PATCH",
    headers: { ...signed.headers, "content-type": "application/json", "idempotency-key": "one" },
    body: "{}",
  };
  const read = await from(allowed, "/api/echo/signed-in", signed);
  assert.equal(read.status, 200);
  assert.ok(read.id, "the page may read the request's id");
  assert.equal((await from(allowed, "/api/echo/x", written)).status, 200);
  assert.equal((await from(allowed, "/api/echo/signed-in", {})).status, 401);
  assert.equal((await from(stranger, "/api/echo/signed-in", signed)).blocked, "TypeError");
  assert.equal((await from(stranger, "/api/echo/x", written)).blocked, "TypeError");
  assert.equal((await from(stranger, "/api/echo/x", {})).blocked, "TypeError");
  assert.equal((await from(allowed, "/admin/api/plugins", signed)).blocked, "TypeError");
} finally {
  await browser.close();
}
