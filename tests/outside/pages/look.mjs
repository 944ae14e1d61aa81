// Looks at the pages of a host as people do: look.mjs <url> <token> <pages, such as front,reference>
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [url, token, pages] = process.argv.slice(2);
const pictures = process.env.CAPLET_SCREENSHOTS;
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const views = [
  { scheme: "light", name: "desktop", viewport: { width: 1280, height: 900 } },
  { scheme: "light", name: "phone", viewport: { width: 390, height: 844 } },
  { scheme: "dark", name: "desktop", viewport: { width: 1280, height: 900 } },
  { scheme: "dark", name: "phone", viewport: { width: 390, height: 844 } },
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
try {
  for (const view of views) {
    for (const page of pages.split(",")) {
      await look(page, view);
    }
  }
} finally {
  await browser.close();
}

async function look(name, view) {
  const context = await browser.newContext({ colorScheme: view.scheme, viewport: view.viewport });
  const page = await context.newPage();
  const complaints = [];
  page.on("request", (request) => {
    const there = request.url();
    if (!there.startsWith(`${url}/`) && !there.startsWith("data:")) {
      complaints.push(`a request to ${there}`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`an error: ${error.message}`));
  page.on("console", (message) => {
    // A refused request that was tried on purpose is said here, too.
    if (message.type() === "error" && !message.text().includes("401")) {
      complaints.push(`on the console: ${message.text()}`);
    }
  });
  const judge = (state) => judgePage(page, `${name}-${state}-${view.scheme}-${view.name}`);
  await (name === "front" ? lookAtFront(page, judge) : lookAtReference(page, judge));
  assert.deepEqual(complaints, []);
  await context.close();
}

async function lookAtFront(page, judge) {
  await page.goto(`${url}/`, { waitUntil: "networkidle" });
  await judge("page");
}

async function lookAtReference(page, judge) {
  await page.goto(`${url}/docs`);
  await page.locator(".opblock").first().waitFor();
  await judge("page");
  const operation = page.locator(".opblock-post", { hasText: "/api/notes" });
  await operation.locator(".opblock-summary-control").click();
  await operation.locator(".try-out__btn").click();
  await operation.locator("textarea").fill('{"body":"Bread"}');
  await send(operation, "401");
  await judge("refused");
  await authorize(page, judge);
  await send(operation, "201");
  await judge("answered");
  await page.locator(".models-control").click();
  await judge("schemas");
  // The address names what is open, so that it can be passed on.
  assert.match(page.url(), /#\/notes\/notes\.write_note$/);
}

async function authorize(page, judge) {
  await page.locator(".auth-wrapper .authorize").first().click();
  const dialog = page.getByRole("dialog");
  await judge("dialog");
  await dialog.locator("input").fill(token);
  await dialog.locator("button[type=submit]").click();
  await dialog.getByRole("button", { name: "Logout" }).waitFor();
  await judge("authorized");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await dialog.waitFor({ state: "detached" });
}

async function send(operation, status) {
  await operation.locator(".execute").click();
  const answer = operation.locator(".live-responses-table .response-col_status", { hasText: status });
  await answer.first().waitFor();
}

async function judgePage(page, name) {
  if (pictures) {
    await page.screenshot({ path: `${pictures}/${name}.png` });
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
  );
  assert.deepEqual(found, [], name);
  const overhang = await page.evaluate(
    () => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth,
  );
  assert.ok(overhang <= 0, `${name} is ${overhang} pixels too wide`);
}
