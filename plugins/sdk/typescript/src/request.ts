/** A request as handlers see it, and the reading of its parts by what a route says of them. */
import { parse } from "./json.ts";
import { LIMIT_DEFAULT, LIMIT_MAX, Page } from "./page.ts";
import type { Preconditions } from "./preconditions.ts";
import { Problem } from "./problem.ts";
import type { Fault, Shape } from "./shape.ts";
import { decodeText } from "./utf8.ts";

type Pairs = [string, string][];

/** A request as the host gives it. */
export interface RawRequest {
  operation: string;
  method: string;
  path: string;
  parameters: Pairs;
  query: Pairs;
  headers: Pairs;
  body: Uint8Array;
}

/** A request that matched a route and fits what the route says. */
export interface Request<Path = Record<string, string>, Query = undefined, Body = undefined> {
  /** The parameters of the route's pattern, decoded. */
  path: Path;
  /** The query's parameters, by the route's `query`. */
  query: Query;
  /** The JSON body, by the route's `body`. */
  body: Body;
  /** The page that is asked for, when the route has `pages`. */
  page: Page;
  /** What has to be true of the current version, when the route is `conditional`. */
  preconditions: Preconditions;
  /** The first value of a header that the route asked for; `name` in lower case. */
  header(name: string): string | undefined;
  /** The request as the host gave it. */
  raw: RawRequest;
}

/** The JSON value in the body: 415 for another media type, 400 when it is not JSON, 422 where it does not
 * fit. */
export function readBody<T>(raw: RawRequest, shape: Shape<T>): T {
  const type = headerOf(raw, "content-type") ?? "";
  const essence = type.split(";")[0]!.trim().toLowerCase();
  if (essence !== "application/json" && !essence.endsWith("+json")) {
    throw new Problem(415, "unsupported-media-type", "The body must be sent as `application/json`.");
  }
  const faults: Fault[] = [];
  const value = shape.read(readJson(raw.body), "", faults);
  if (faults.length > 0) throw Problem.unprocessable(faults);
  return value;
}

function readJson(body: Uint8Array): unknown {
  let reason: string;
  try {
    const text = decodeText(body, true);
    const value = parse(text);
    // An escape can name half of a character, which is no text and fits no answer.
    if (!text.includes("\\u") || isWellFormed(value)) return value;
    reason = "an escape is half of a character";
  } catch (thrown) {
    reason = (thrown as Error).message;
  }
  throw Problem.badRequest(`The body is not JSON: ${reason}.`, "malformed-json");
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function isWellFormed(value: unknown): boolean {
  if (typeof value === "string") return !LONE_SURROGATE.test(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([name, member]) => isWellFormed(name) && isWellFormed(member));
}

/** The first value of a header; `name` in lower case. */
export function headerOf(raw: RawRequest, name: string): string | undefined {
  return raw.headers.find(([known]) => known === name)?.[1];
}

/** The page that a request asks for; 400 when there is no such one. */
export function readPage(raw: RawRequest): Page {
  const limits = valuesOf(raw, "limit");
  const cursors = valuesOf(raw, "cursor");
  const limit = limits.length === 0 ? LIMIT_DEFAULT : wholeNumber(limits[0]!);
  const fits = limits.length < 2 && cursors.length < 2 && limit !== undefined && limit >= 1;
  if (!fits || limit > LIMIT_MAX) {
    const detail = `The query parameter \`limit\` must be a whole number from 1 to ${LIMIT_MAX}.`;
    throw Problem.badRequest(detail, "bad-query");
  }
  return new Page(limit, cursors[0]);
}

/** The query by the members of an object; 400 where it does not fit. */
export function readQuery(raw: RawRequest, members: Record<string, Shape<unknown>>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(members)) {
    const values = valuesOf(raw, name);
    if (values.length > 1) throw badQuery(name, "is given more than once");
    if (values.length === 0 && !member.isOptional) throw badQuery(name, "is missing");
    const faults: Fault[] = [];
    found[name] = member.read(values.length === 0 ? undefined : fromText(values[0]!, member), "", faults);
    if (faults.length > 0) throw badQuery(name, faults[0]!.detail);
  }
  return found;
}

function badQuery(name: string, detail: string): Problem {
  return Problem.badRequest(`The query parameter \`${name}\` ${detail}.`, "bad-query");
}

/** Refuses query parameters that the route does not know. */
export function refuseUnknown(raw: RawRequest, known: Set<string>): void {
  const unknown = raw.query.find(([name]) => !known.has(name));
  if (unknown !== undefined) {
    const detail = `There is no query parameter \`${unknown[0]}\` here.`;
    throw Problem.badRequest(detail, "unknown-parameter");
  }
}

/** The parameters of the path, those with a shape by it; 400 where one does not fit. */
export function readPath(raw: RawRequest, shapes: Record<string, Shape<unknown>>): Record<string, unknown> {
  const read = ([name, text]: [string, string]): [string, unknown] => {
    const shape = shapes[name];
    if (shape === undefined) return [name, text];
    const faults: Fault[] = [];
    const value = shape.read(fromText(text, shape), "", faults);
    if (faults.length === 0) return [name, value];
    const detail = `The path's parameter \`${name}\` ${faults[0]!.detail}.`;
    throw Problem.badRequest(detail, "bad-path");
  };
  return Object.fromEntries(raw.parameters.map(read));
}

function valuesOf(raw: RawRequest, name: string): string[] {
  return raw.query.filter(([known]) => known === name).map(([, value]) => value);
}

function wholeNumber(text: string): number | undefined {
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A text of a path or query as the value that its shape wants; the text itself where it is none. */
function fromText(text: string, { schema }: Shape<unknown>): unknown {
  switch (schema["type"]) {
    case "integer":
      if (schema["format"] === "int64") return /^-?\d{1,19}$/.test(text) ? BigInt(text) : text;
      return wholeNumber(text) ?? text;
    case "number":
      return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
  }
  return text;
}
