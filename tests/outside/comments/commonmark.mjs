// Every example of the CommonMark specification as a comment: its HTML must be that of the
// specification, as far as comments may have it. The examples that differ must be those of
// `commonmark-differences.json`, each under its reason.

import { readFileSync } from "node:fs";
import { tests } from "commonmark-spec";
import { forEach, withPage, write } from "./api.mjs";

const known = JSON.parse(
  readFileSync(new URL("commonmark-differences.json", import.meta.url), "utf8"),
);

/** Runs in the browser: HTML as text in which only what comments may have is left. */
function canonical(html) {
  const allowed = new Set(
    "A BLOCKQUOTE BR CODE DEL EM H1 H2 H3 H4 H5 H6 HR LI OL P PRE STRONG UL".split(" "),
  );
  const attributes = { A: ["href", "title"], OL: ["start"] };
  const isLink = (href) => /^(https?|mailto):/i.test(href);
  const walk = (node, inPre) => {
    const inLink = node.parentElement?.closest("a") != null;
    if (node.nodeType === Node.TEXT_NODE) {
      return JSON.stringify(inPre ? node.data : node.data.replace(/\s+/g, " "));
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return `[${node.nodeName}]`;
    if (node.tagName === "IMG") {
      // Comments link to images; links do not nest.
      if (inLink) return JSON.stringify(node.getAttribute("alt") ?? "");
      const link = document.createElement("a");
      link.setAttribute("href", node.getAttribute("src"));
      link.append(node.getAttribute("alt") ?? "");
      return walk(link, inPre);
    }
    const inside = [...node.childNodes]
      .filter((it) => it.nodeType !== Node.TEXT_NODE || inPre || it.data.trim() !== "" || it.data === " ")
      .map((it) => walk(it, inPre || node.tagName === "PRE"))
      .join("");
    if (!allowed.has(node.tagName)) return `[${node.tagName}${inside}]`;
    const kept = (attributes[node.tagName] ?? [])
      .filter((name) => node.hasAttribute(name))
      .filter((name) => name !== "href" || isLink(node.getAttribute(name)))
      .map((name) => ` ${name}=${JSON.stringify(node.getAttribute(name))}`);
    return `<${node.tagName}${kept.join("")}>${inside}</>`;
  };
  const body = new DOMParser().parseFromString(html, "text/html").body;
  body.normalize();
  return [...body.childNodes]
    .filter((it) => it.nodeType !== Node.TEXT_NODE || it.data.trim() !== "")
    .map((it) => walk(it, false))
    .join("");
}

const examples = tests.map(({ markdown, html, number }) => {
  const withTabs = (text) => text.replaceAll("→", "\t");
  return { number, markdown: withTabs(markdown), html: withTabs(html) };
});
const answers = await forEach(examples, (it) => write("spec:commonmark", it.markdown));

await withPage(async (page) => {
  const pairs = examples.map((example, place) => {
    const { status, body } = answers[place];
    return [example.html, status === 201 ? body.html : `refused: ${status}`];
  });
  await page.evaluate(`window.canonical = ${canonical}`);
  const looks = await page.evaluate(
    (all) => all.map((pair) => pair.map((html) => window.canonical(html))),
    pairs,
  );
  const differing = examples.filter((_, place) => looks[place][0] !== looks[place][1]);
  const found = differing.map(({ number }) => number);
  const expected = Object.values(known).flat().sort((a, b) => a - b);
  const unexpected = found.filter((number) => !expected.includes(number));
  for (const number of unexpected) {
    const place = number - 1;
    console.error(`${number}: ${JSON.stringify(examples[place].markdown)}`);
    console.error(`  the specification: ${looks[place][0]}\n  the plugin:        ${looks[place][1]}`);
  }
  const gone = expected.filter((number) => !found.includes(number));
  if (unexpected.length > 0 || gone.length > 0) {
    console.error(`differ and are not known: ${unexpected}\nknown and do not differ: ${gone}`);
    process.exitCode = 1;
  }
  console.log(`${examples.length} examples, ${examples.length - found.length} alike`);
});
