// The package `eventsource`, which opens a stream again by itself: a stream without an end, and streams of a
// plugin. Argument: the host's URL. Prints a line of JSON for what it got, until its input ends.

import { EventSource } from "eventsource";

const url = process.argv[2];

const tell = (lane, what) => console.log(JSON.stringify({ lane, ...what }));

/** Reads streams until nobody listens. `ended` is called with the events of each one that came to its end. */
function read(lane, path, got, ended) {
  const source = new EventSource(`${url}${path}`);
  let events = [];
  source.addEventListener("open", () => (events = []));
  source.addEventListener("message", ({ data }) => {
    events.push(JSON.parse(data));
    got(data);
  });
  source.addEventListener("error", ({ code, message }) => {
    // A stream that ends as it should has neither.
    if (code === undefined && message === undefined) {
      ended(events);
      return;
    }
    source.close();
    const refused = message?.includes("ECONNREFUSED");
    tell(lane, refused ? { refused } : { wrong: `${code} ${message} after ${events.length} events` });
  });
}

read(
  "feed",
  "/api/feed/events",
  (data) => tell("feed", { said: data }),
  () => {},
);

const whole = (events) =>
  events.length === 10 &&
  events.every(({ number, release }, at) => number === at && release === events[0].release);

read(
  "events/stream",
  "/api/events",
  () => {},
  (events) => {
    const lane = "events/stream";
    tell(lane, whole(events) ? { said: events[0].release } : { wrong: JSON.stringify(events) });
  },
);

process.stdin.on("end", () => process.exit(0)).resume();
