/** Time, in whole milliseconds. The host coarsens it on purpose. */
import * as host from "caplet:plugin/clock@0.1.0";

/** Unix time in milliseconds. May jump when the machine's clock is set. */
export function nowMs(): number {
  return Number(host.nowMs());
}

/** Milliseconds since the invocation began. Never runs backwards. */
export function elapsedMs(): number {
  return Number(host.elapsedMs());
}

/** Milliseconds left until the host ends the invocation. */
export function remainingMs(): number {
  return Number(host.remainingMs());
}
