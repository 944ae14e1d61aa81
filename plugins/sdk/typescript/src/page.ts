/** Pages of lists: which part a request asks for, and the opaque cursors between them. */
import { parse, stringify } from "./json.ts";
import { Problem } from "./problem.ts";
import { plain, type Column, type Value } from "./sql.ts";
import { decodeText, encodeText } from "./utf8.ts";

/** How many items a page has when the request does not say. */
export const LIMIT_DEFAULT = 25;
/** The most items a page can have. */
export const LIMIT_MAX = 100;
/** The longest cursor that is read, in bytes. */
export const CURSOR_MAX_BYTES = 1024;

/** Raised when the form of a cursor changes, so that old ones are refused and not misread. */
const VERSION = 1;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The query parameters `limit` and `cursor`. */
export class Page {
  constructor(
    /** How many items to answer at most, 1 to 100. */
    readonly limit: number,
    private readonly cursor: string | undefined,
  ) {}

  /** The keys of the last item of the page before; none for the first page. `order` names the list's
   * order: a cursor made for another one is answered 400. */
  after(order: string): Column[] | undefined {
    if (this.cursor === undefined) return undefined;
    const keys = decodeCursor(order, this.cursor);
    if (keys === undefined) {
      throw Problem.badRequest("The cursor was not made for this list.", "bad-cursor");
    }
    return keys;
  }
}

/** Makes a cursor from the keys of a page's last item. */
export function encodeCursor(order: string, keys: Value[]): string {
  const bytes = encodeText(stringify([VERSION, order, keys.map(plain)]));
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const count = Math.min(bytes.length - at, 3) + 1;
    for (let part = 0; part < count; part++) text += ALPHABET[(bits >> (18 - part * 6)) & 63];
  }
  return text;
}

/** Reads the keys back; none when it is not one of this order. */
export function decodeCursor(order: string, cursor: string): Column[] | undefined {
  if (cursor.length > CURSOR_MAX_BYTES) return undefined;
  const bytes: number[] = [];
  let bits = 0;
  let count = 0;
  for (const digit of cursor) {
    const value = ALPHABET.indexOf(digit);
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count >= 8) bytes.push((bits >> (count -= 8)) & 255);
  }
  try {
    const [version, madeFor, keys] = parse(decodeText(Uint8Array.from(bytes), true)) as [unknown, unknown, unknown];
    const isOurs = version === VERSION && madeFor === order && Array.isArray(keys);
    return isOurs ? (keys as Column[]) : undefined;
  } catch {
    return undefined;
  }
}
