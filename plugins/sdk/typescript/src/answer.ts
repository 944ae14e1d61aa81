/**
 * What a handler may return. `undefined` is answered as 204, a string as text, any other value as JSON;
 * the classes here are for the rest.
 */
import type { ETag } from "./etag.ts";
import { stringify } from "./json.ts";
import { encodeCursor } from "./page.ts";
import type { JsonPage } from "./sql.ts";
import { encodeText } from "./utf8.ts";

const JSON_TYPE = "application/json";

/** An answer as it is sent. From status 400 on, all that the invocation wrote is rolled back. */
export class Response {
  readonly status: number;
  /** Names in lower case; a name with several values stands several times. */
  readonly headers: [string, string][];
  readonly body: Uint8Array;

  constructor(parts: { status?: number; headers?: [string, string][]; body?: string | Uint8Array } = {}) {
    const { status = 200, headers = [], body = "" } = parts;
    this.status = status;
    this.headers = headers;
    this.body = typeof body === "string" ? encodeText(body) : body;
  }
}

/** JSON that comes as it is, such as from `sql.queryJsonOptional`. */
export class Json {
  constructor(readonly text: string | Uint8Array) {}
}

/** Bytes of a media type. */
export class Bytes {
  constructor(
    readonly content: Uint8Array,
    readonly mediaType = "application/octet-stream",
  ) {}
}

/** 201: something was made, and this is where it is, such as `/api/notes/42`. */
export class Created {
  constructor(
    readonly location: string,
    readonly body: unknown,
  ) {}
}

/** An answer with its entity tag, which callers send back as `If-Match` and `If-None-Match`. */
export class Tagged {
  constructor(
    readonly etag: ETag,
    readonly answer: unknown,
    /** Whether the caller has it already: it is answered 304. */
    readonly isKnown = false,
  ) {}

  /** 304: the caller has it already. Made by `Preconditions.unless`. */
  static known(etag: ETag): Tagged {
    return new Tagged(etag, undefined, true);
  }
}

/** A page of a list: `{"items": […], "next_cursor": …}`. */
export class Listing {
  constructor(
    /** A JSON array. */
    readonly items: Uint8Array,
    readonly nextCursor: string | undefined,
  ) {}

  /** A page of rows from `sql.queryJson`. Its `:key` columns become the cursor; `order` is the name that
   * `Page.after` will be asked with. */
  static fromJson(order: string, page: JsonPage): Listing {
    return new Listing(page.items, page.more ? encodeCursor(order, page.last) : undefined);
  }
}

/** The answer that a handler's result stands for. */
export function toResponse(answer: unknown): Response {
  if (answer instanceof Response) return answer;
  if (answer === undefined) return new Response({ status: 204 });
  if (typeof answer === "string") return made("text/plain; charset=utf-8", answer);
  if (answer instanceof Json) return made(JSON_TYPE, answer.text);
  if (answer instanceof Bytes) return made(answer.mediaType, answer.content);
  if (answer instanceof Created) {
    const { headers, body } = toResponse(answer.body);
    return new Response({ status: 201, headers: [...headers, ["location", answer.location]], body });
  }
  if (answer instanceof Tagged) return tagged(answer);
  if (answer instanceof Listing) return made(JSON_TYPE, listing(answer));
  return made(JSON_TYPE, stringify(answer));
}

function made(mediaType: string, body: string | Uint8Array): Response {
  return new Response({ headers: [["content-type", mediaType]], body });
}

function tagged({ etag, answer, isKnown }: Tagged): Response {
  const { status, headers, body } = isKnown ? new Response({ status: 304 }) : toResponse(answer);
  const validators = status < 400 ? etag.headers() : [];
  return new Response({ status, headers: [...headers, ...validators], body });
}

function listing({ items, nextCursor }: Listing): Uint8Array {
  const before = encodeText('{"items":');
  const after = encodeText(`,"next_cursor":${nextCursor === undefined ? "null" : `"${nextCursor}"`}}`);
  const body = new Uint8Array(before.length + items.length + after.length);
  body.set(before);
  body.set(items, before.length);
  body.set(after, before.length + items.length);
  return body;
}
