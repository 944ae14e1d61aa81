// Hostile comments in a real browser: as Markdown, as HTML of a Disqus export, as names of authors.
// Whatever a script could do calls the canary, which must stay silent; a control shows that it sings.

import { readFileSync } from "node:fs";
import { forEach, importFile, list, withPage, write } from "./api.mjs";

const vectors = JSON.parse(readFileSync(new URL("hostile.json", import.meta.url), "utf8"));
const CONTROLS = ['<img src="x:x" onerror="alert(1)">', "<svg onload=alert(1)></svg>"];

/** An export of Disqus in which each vector is a message and a name. */
function disqus() {
  const text = (value) =>
    value.replace(/[^\t\n\r\u{20}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "")
      .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const posts = vectors.map((vector, number) =>
    `<post dsq:id="${number}"><message>${text(vector)} kept</message>` +
    `<createdAt>2020-01-01T00:00:00Z</createdAt><author><name>${text(vector)}</name>` +
    `<isAnonymous>true</isAnonymous></author><thread dsq:id="t"/></post>`);
  return `<disqus xmlns:dsq="http://disqus.com/disqus-internals"><thread dsq:id="t">` +
    `<link>https://example.org/hostile</link></thread>${posts.join("")}</disqus>`;
}

/** Runs in the browser before anything else: the canary, in the place of what attacks like to call. */
function armCanary() {
  window.sung = [];
  for (const name of ["alert", "confirm", "prompt", "open"]) {
    window[name] = (...words) => window.sung.push(`${name}(${words})`);
  }
}

/** Runs in the browser: everything that a page does not need to show a comment. */
function strangers() {
  const tags = "A BLOCKQUOTE BR CODE DEL EM H1 H2 H3 H4 H5 H6 HR LI OL P PRE STRONG UL".split(" ");
  const found = [];
  for (const element of document.querySelectorAll(".comment *")) {
    if (!tags.includes(element.tagName)) found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      const isKnown = ["href", "title", "rel", "start"].includes(name);
      const isLink = name !== "href" || ["http:", "https:", "mailto:"].includes(element.protocol);
      if (!isKnown || !isLink) found.push(`${name}=${value}`);
    }
  }
  return found;
}

/** Shows pieces of HTML as a server would send them, then as a script would insert them, and clicks on
 * every link. Returns what the canary sang and what stands there and should not. */
async function show(page, pieces) {
  const sung = [];
  const html = pieces.map((piece) => `<div class="comment">${piece}</div>`).join("\n");
  const listen = async () => {
    await page.evaluate(() => {
      document.addEventListener("click", (event) => {
        const link = event.target.closest("a");
        // A link to a script runs it; one to elsewhere would end the page.
        if (link && link.protocol !== "javascript:") event.preventDefault();
      });
      document.querySelectorAll(".comment *").forEach((it) => it.click?.());
    });
    await page.waitForLoadState("networkidle");
    sung.push(...(await page.evaluate(() => window.sung)));
  };
  await page.goto("http://canary.invalid/");
  await page.setContent(`<!doctype html><meta charset="utf-8"><body>${html}</body>`);
  await listen();
  const found = await page.evaluate(strangers);
  await page.goto("http://canary.invalid/");
  await page.evaluate((html) => { document.body.innerHTML = html; }, html);
  await listen();
  found.push(...(await page.evaluate(strangers)));
  return { sung, found };
}

const answers = await forEach(vectors, (vector) => write("page:/markdown", vector));
const refused = answers.filter(({ status }) => status !== 201 && status !== 422);
if (refused.length > 0) throw new Error(JSON.stringify(refused));
const nImported = await importFile("format=disqus", disqus());
const comments = [...(await list("page:/markdown")), ...(await list("page:/hostile"))];
if (nImported < vectors.length / 2 || comments.length < vectors.length) {
  throw new Error(`only ${nImported} imported, ${comments.length} listed`);
}

await withPage(async (page) => {
  await page.addInitScript(armCanary);
  // Nothing outside of this machine is asked; the page itself is empty.
  await page.route("**/*", (route) =>
    route.request().url() === "http://canary.invalid/"
      ? route.fulfill({ contentType: "text/html", body: "<!doctype html><body></body>" })
      : route.abort());
  page.on("dialog", (dialog) => { throw new Error(`a dialog: ${dialog.message()}`); });

  for (const control of CONTROLS) {
    const { sung } = await show(page, [control]);
    if (sung.length === 0) throw new Error(`the canary does not sing at ${control}`);
  }
  const { sung, found } = await show(page, comments.map(({ html }) => html));
  if (sung.length > 0 || found.length > 0) {
    console.error(sung, found);
    process.exitCode = 1;
  }
  console.log(`${vectors.length} vectors, ${comments.length} comments shown, the canary was silent`);
});
