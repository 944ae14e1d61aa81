/**
 * Random numbers from the operating system's cryptographic generator, and the ids made of them.
 *
 * `Math.random` is seeded when the component is built: never use it for what has to be secret or unique.
 */
import * as clock from "caplet:plugin/clock@0.1.0";
import * as host from "caplet:plugin/random@0.1.0";
import { own } from "./bytes.ts";

/** `count` random bytes, at most 65 536; more ends the invocation. */
export function bytes(count: number): Uint8Array {
  return own(host.bytes(count));
}

/** A random number of 64 bits, every value as likely. */
export function number(): bigint {
  return new DataView(host.bytes(8).slice().buffer).getBigUint64(0);
}

/** A new UUID of version 7 (RFC 9562): 36 characters that sort by the millisecond in which they were
 * made, and that cannot be guessed. */
export function id(): string {
  const random = host.bytes(10);
  random[0] = 0x70 | (random[0]! & 0x0f);
  random[2] = 0x80 | (random[2]! & 0x3f);
  const time = Number(clock.nowMs()).toString(16).padStart(12, "0");
  const rest = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [time.slice(0, 8), time.slice(8), rest.slice(0, 4), rest.slice(4, 8), rest.slice(8)].join("-");
}
