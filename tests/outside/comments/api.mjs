// What the scripts of this folder share: asking the plugin, and a browser.
// Arguments of each script: the host's URL, and a token.

import { chromium } from "playwright-core";

export const [url, token] = process.argv.slice(2);

const AT_ONCE = 8;

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${token}`, ...options.headers };
  const answer = await fetch(`${url}/api/comments${path}`, { ...options, headers });
  return { status: answer.status, body: await answer.json() };
}

/** Writes a comment and returns the answer. */
export function write(target, body) {
  const headers = { "content-type": "application/json" };
  return ask("", { method: "POST", headers, body: JSON.stringify({ target, body }) });
}

/** Imports all parts of a file. */
export async function importFile(query, file) {
  let from = 0;
  let imported = 0;
  while (from !== null) {
    const answer = await ask(`/import?${query}&from=${from}`, { method: "POST", body: file });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer));
    imported += answer.body.n_imported;
    from = answer.body.next;
  }
  return imported;
}

/** All comments of a target. */
export async function list(target) {
  const all = [];
  let cursor = "";
  while (cursor !== null) {
    const answer = await ask(`?target=${target}&sort=old&limit=100${cursor}`);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer));
    all.push(...answer.body.items);
    const next = answer.body.next_cursor;
    cursor = next === null ? null : `&cursor=${next}`;
  }
  return all;
}

/** Calls `work` for each item, a few at a time, and returns the results in the items' order. */
export async function forEach(items, work) {
  const results = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const place = next++;
      results[place] = await work(items[place], place);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Opens a page of Debian's Chromium for `use`, and closes it. */
export async function withPage(use) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox"],
  });
  try {
    await use(await browser.newPage());
  } finally {
    await browser.close();
  }
}
