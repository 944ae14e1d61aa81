/**
 * Structured log lines: `log.info("note written", { id })`.
 *
 * The host adds time, plugin, version, request and trace id, and cuts lines at 8 KiB. Lines are written
 * at once, also when the invocation is rolled back. Never log what is private.
 */
import * as host from "caplet:plugin/log@0.1.0";

/** Named values of a line. */
export type Fields = Record<string, unknown>;

/** Logs what is of use only when one line after the other is followed. */
export function trace(message: string, fields: Fields = {}): void {
  write("trace", message, fields);
}

/** Logs what is of use to those who look for a mistake. */
export function debug(message: string, fields: Fields = {}): void {
  write("debug", message, fields);
}

/** Logs what happened. */
export function info(message: string, fields: Fields = {}): void {
  write("info", message, fields);
}

/** Logs what somebody should look at some day. */
export function warn(message: string, fields: Fields = {}): void {
  write("warn", message, fields);
}

/** Logs what somebody must look at. */
export function error(message: string, fields: Fields = {}): void {
  write("error", message, fields);
}

/** Logs an error that nobody caught, with the place where it was thrown. */
export function failure(thrown: unknown): void {
  const isError = thrown instanceof Error;
  error(String(thrown), isError ? { stack: thrown.stack ?? "" } : {});
}

function write(level: host.Level, message: string, fields: Fields): void {
  const named = Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)]);
  host.write(level, message, named);
}
