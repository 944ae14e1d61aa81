// The HTTP/2 of Node.js, with several lanes of requests on one connection, one after another in each. Argument: the
// host's URL. Prints a line of JSON for each answer, until its input ends.
//
// A connection whose server says goodbye is given up for what is asked from then on; what was asked is answered. What
// went out before the goodbye was heard is refused, which says that nobody has seen it, and is sent again (RFC 9113,
// section 8.7).

import assert from "node:assert/strict";
import http2 from "node:http2";
import { setTimeout } from "node:timers/promises";

const url = process.argv[2];
const REST_MS = 10;

let over = false;
process.stdin.on("end", () => (over = true)).resume();

/** The connection that the next request is sent on, when there is one. */
let current;

function connection() {
  if (!current) {
    const session = http2.connect(url);
    const opened = new Promise((resolve, reject) => {
      session.once("connect", () => resolve(session));
      session.on("error", reject);
    });
    const giveUp = () => {
      if (current === opened) current = undefined;
    };
    session.on("goaway", giveUp).on("close", giveUp);
    current = opened;
  }
  return current;
}

/** Sends a request, and returns the headers and the body of its answer. */
async function ask(method, path, parts = []) {
  const opened = await connection();
  const stream = opened.request({ ":method": method, ":path": path });
  const answered = new Promise((resolve, reject) => {
    let body = "";
    let head;
    stream.on("response", (headers) => (head = headers));
    stream.setEncoding("utf8").on("data", (part) => (body += part));
    stream.on("error", reject);
    stream.on("close", () => {
      if (head && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR) resolve([head, body]);
      else reject(new Error(`closed with ${stream.rstCode} after ${JSON.stringify(head)}`));
    });
  });
  for (const part of parts) {
    stream.write(part);
    await setTimeout(40);
  }
  stream.end();
  return [opened.socket.localPort, ...(await answered)];
}

const lanes = {
  "upgrade/version": () => ask("GET", "/api/upgrade/version"),
  "upgrade/slow": () => ask("GET", "/api/upgrade/slow?ms=300"),
  "upgrade/notes": (number) => ask("POST", `/api/upgrade/notes/http2-${number}`),
  "upgrade/upload": () => ask("POST", "/api/upgrade/upload", Array(20).fill("x".repeat(1_000))),
};

/** An answer, on another connection where the first one was going to end. */
async function answer(ask) {
  const used = current;
  try {
    return await ask();
  } catch (error) {
    if (!error.message.includes("NGHTTP2_REFUSED_STREAM")) throw error;
    if (current === used) current = undefined;
    return ask();
  }
}

const tell = (lane, what) => console.log(JSON.stringify({ lane, ...what }));

async function go(lane) {
  for (let number = 0; !over; number += 1) {
    try {
      const [port, head, body] = await answer(() => lanes[lane](number));
      const said = body.startsWith("{") ? JSON.parse(body).version : body;
      assert([200, 201].includes(head[":status"]), `${head[":status"]} ${body}`);
      assert.equal(head["x-version"], said);
      tell(lane, { said, connection: port });
    } catch (error) {
      tell(lane, error.code === "ECONNREFUSED" ? { refused: true } : { wrong: `${error}` });
      return;
    }
    await setTimeout(REST_MS);
  }
}

await Promise.all(Object.keys(lanes).map(go));
process.exit(0);
