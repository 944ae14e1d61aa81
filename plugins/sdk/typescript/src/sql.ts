/**
 * The plugin's own database.
 *
 * A statement is one `SELECT`, `INSERT`, `UPDATE`, `DELETE` or `WITH …`. Parameters are written `$1`,
 * `$2`, … and bound by number; `$tenant` is bound by the host.
 *
 * ```ts
 * const rows = sql.query<{ id: string }>("SELECT id FROM notes WHERE author = $1", [name]);
 * ```
 *
 * Parameters are `null`, booleans (written as 1 and 0), whole numbers and `bigint`s (64-bit integers),
 * other numbers (floats), strings and `Uint8Array`s. In rows, an integer is a `number` where that is
 * exact and a `bigint` where it is not. `queryValues` and `real` keep the types of the database apart.
 */
import * as host from "caplet:plugin/sql@0.1.0";
import { own } from "./bytes.ts";
import { bind, exactRows } from "./integers.ts";
import { decodeText } from "./utf8.ts";

/** A value with its type in the database. An `integer` is always a `bigint`. */
export type Value = host.Value;

/** What a parameter can be. */
export type Parameter = null | undefined | boolean | number | bigint | string | Uint8Array | Value;

/** What a column can be. */
export type Column = null | number | bigint | string | Uint8Array;

/** Why a statement failed, in one word. */
export type ErrorKind =
  | "denied"
  | "invalid"
  | "unique"
  | "foreign-key"
  | "check"
  | "not-null"
  | "read-only"
  | "too-large"
  | "timeout"
  | "disk-full"
  | "unavailable";

/**
 * Why a statement failed. The text is for authors and logs; it must not be shown to callers. A handler
 * that lets it pass answers 409 for `unique` and `foreign-key`, 503 for `timeout` and `unavailable`, 507
 * for `disk-full` and 500 for the rest.
 */
export class SqlError extends Error {
  constructor(
    readonly kind: ErrorKind,
    text = "",
  ) {
    super(text === "" ? kind : `${kind}: ${text}`);
  }
}

/** A page of rows as JSON. */
export interface JsonPage {
  /** A JSON array of objects in UTF-8. */
  items: Uint8Array;
  /** How many rows it has. */
  count: number;
  /** Whether there were rows beyond the limit. */
  more: boolean;
  /** The `:key` columns of the last row. */
  last: Value[];
}

/** A number as a float, also when it is whole. */
export function real(value: number): Value {
  return { tag: "real", val: value };
}

/** Runs a statement and returns its rows, at most 1 000, by the names of their columns. */
export function query<Row = Record<string, Column>>(
  statement: string,
  parameters: readonly Parameter[] = [],
): Row[] {
  const { columns, rows } = queryValues(statement, parameters);
  return rows.map((row) => {
    const members: Record<string, Column> = {};
    columns.forEach((name, at) => (members[name] = plain(row[at]!)));
    return members as Row;
  });
}

/** Runs a statement that returns at most one row; more is an error of kind `invalid`. */
export function queryOptional<Row = Record<string, Column>>(
  statement: string,
  parameters: readonly Parameter[] = [],
): Row | undefined {
  const rows = query<Row>(statement, parameters);
  if (rows.length > 1) throw new SqlError("invalid", "more than one row where at most one was expected");
  return rows[0];
}

/** Runs a statement that returns exactly one row, such as an aggregate. */
export function queryOne<Row = Record<string, Column>>(
  statement: string,
  parameters: readonly Parameter[] = [],
): Row {
  const row = queryOptional<Row>(statement, parameters);
  if (row === undefined) throw new SqlError("invalid", "no row where one was expected");
  return row;
}

/** Runs a statement and returns its rows with the types that the values have in the database. */
export function queryValues(
  statement: string,
  parameters: readonly Parameter[] = [],
): { columns: string[]; rows: Value[][] } {
  const { columns, values } = ask(statement, parameters);
  const rows: Value[][] = [];
  for (let at = 0; at < values.length; at += columns.length) {
    rows.push(values.slice(at, at + columns.length).map(exact));
  }
  return { columns, rows };
}

/**
 * Runs a `SELECT` and returns the first `limit` rows as JSON, without passing single values to
 * JavaScript: the fast way to a `Listing`. Names of columns may end in `:bool`, `:time`, `:json` and
 * `:key`.
 */
export function queryJson(
  statement: string,
  parameters: readonly Parameter[],
  limit: number,
): JsonPage {
  const [text, values] = bind(statement, parameters);
  const page = attempt(() => host.queryJson(text, values, limit));
  return { ...page, items: own(page.items), last: page.last.map(exact) };
}

/** Runs a `SELECT` of at most one row and returns it as a JSON object. */
export function queryJsonOptional(
  statement: string,
  parameters: readonly Parameter[] = [],
): string | undefined {
  const page = queryJson(statement, parameters, 1);
  return page.count === 1 ? decodeText(page.items.subarray(1, page.items.length - 1)) : undefined;
}

/** Runs a statement and returns how many rows it inserted, changed or deleted. */
export function execute(statement: string, parameters: readonly Parameter[] = []): number {
  const [text, values] = bind(statement, parameters);
  return Number(attempt(() => host.execute(text, values)));
}

/** A value of a row as JavaScript has it. */
export function plain(value: Value): Column {
  if (value.tag === "null") return null;
  if (value.tag === "blob") return own(value.val);
  if (value.tag !== "integer") return value.val;
  const number = Number(value.val);
  return Number.isSafeInteger(number) ? number : value.val;
}

function exact(value: Value): Value {
  if (value.tag === "blob") return { tag: "blob", val: own(value.val) };
  return value.tag === "integer" ? { tag: "integer", val: BigInt(value.val) } : value;
}

function ask(statement: string, parameters: readonly Parameter[]): host.Rows {
  const [text, values] = bind(statement, parameters);
  const rows = attempt(() => host.query(text, values));
  return exactRows(rows, text, values);
}

/** The host's errors come as an `Error` around them or as they are, by engine. */
function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    const error = (thrown as { payload?: unknown }).payload ?? thrown;
    const { tag, val } = error as { tag?: ErrorKind; val?: string };
    throw tag === undefined ? thrown : new SqlError(tag, val);
  }
}
