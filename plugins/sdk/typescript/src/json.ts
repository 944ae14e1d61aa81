/** JSON whose whole numbers stay exact: those that a `number` cannot hold become a `bigint`. */

const LONG_NUMBER = /-?\d{16,}/;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Stands before a number that was put into a text; no JSON text begins with it by itself. */
const MARK = "\u0000integer:";

/** Parses JSON. Throws a `SyntaxError` where it is none. */
export function parse(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  // What is no JSON must be refused as it is, before anything in it is changed.
  JSON.parse(text);
  const marked = text.replace(TOKENS, (token) => (isLong(token) ? JSON.stringify(MARK + token) : token));
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

function isLong(token: string): boolean {
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
}

/** Writes JSON. A `bigint` becomes a number with all its digits. */
export function stringify(value: unknown): string {
  let hasLong = false;
  const text = JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== "bigint") return member;
    hasLong = true;
    return MARK + member;
  });
  if (text === undefined) throw new TypeError(`a value of type ${typeof value} has no form in JSON`);
  return hasLong ? text.replace(/"\\u0000integer:(-?\d+)"/g, "$1") : text;
}
