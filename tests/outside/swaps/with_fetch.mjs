// The fetch of Node.js, one request after another. Argument: the host's URL. Prints a line of JSON for each
// answer, until its input ends.

import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { setTimeout } from "node:timers/promises";

const url = process.argv[2];
const REST_MS = 10;

/** The port of the last request, which tells connections apart. */
let connection;
subscribe("undici:client:sendHeaders", ({ socket }) => (connection = socket.localPort));

let over = false;
process.stdin.on("end", () => (over = true)).resume();

const lanes = {
  "upgrade/version": async () => {
    const answer = await fetch(`${url}/api/upgrade/version`);
    return [answer, await answer.text()];
  },
  "upgrade/notes": async (number) => {
    const answer = await fetch(`${url}/api/upgrade/notes/fetch-${number}`, { method: "POST" });
    return [answer, (await answer.json()).version];
  },
  "upgrade/large": async () => {
    const body = "x".repeat(60_000);
    const answer = await fetch(`${url}/api/upgrade/upload`, { method: "POST", body });
    const { version, bytes } = await answer.json();
    assert.equal(bytes, body.length);
    return [answer, version];
  },
};

const tell = (lane, what) => console.log(JSON.stringify({ lane, ...what }));

async function ask(lane, number) {
  try {
    const [answer, said] = await lanes[lane](number);
    assert(answer.ok, `${answer.status} ${said}`);
    assert.equal(answer.headers.get("x-version"), said);
    tell(lane, { said, connection });
  } catch (error) {
    over = true;
    if (error.cause?.code !== "ECONNREFUSED") {
      tell(lane, { wrong: `${error}: ${error.cause}` });
      return;
    }
    for (const lane of Object.keys(lanes)) tell(lane, { refused: true });
  }
}

for (let number = 0; !over; number += 1) {
  for (const lane of Object.keys(lanes)) {
    if (over) break;
    await ask(lane, number);
    // A connection that has just answered is not free at once, and another one would be opened beside it.
    await setTimeout(REST_MS);
  }
}
process.exit(0);
