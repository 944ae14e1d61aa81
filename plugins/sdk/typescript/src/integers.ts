/**
 * Integers of 64 bits, exact with both engines. SpiderMonkey passes them as `bigint`. The QuickJS
 * toolchain passes a `number`, which is exact up to 2^53; beyond that, integers go to the database and come
 * from it as texts.
 */
import * as clock from "caplet:plugin/clock@0.1.0";
import * as host from "caplet:plugin/sql@0.1.0";
import { own } from "./bytes.ts";
import { parse } from "./json.ts";
import { SqlError, real, type Parameter, type Value } from "./sql.ts";
import { decodeText } from "./utf8.ts";

const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;

let passesBigInts: boolean | undefined;

/** Whether the engine passes 64-bit integers as `bigint`. */
function isExact(): boolean {
  return (passesBigInts ??= typeof clock.elapsedMs() === "bigint");
}

/** A statement and its parameters as the engine can pass them. */
export function bind(statement: string, parameters: readonly Parameter[]): [string, Value[]] {
  const values = parameters.map(lower);
  if (!values.some(({ tag }) => tag === "integer") || isExact()) return [statement, values];
  const wide = new Set<number>();
  const passed = values.map((value, at): Value => {
    if (value.tag !== "integer") return value;
    const number = Number(value.val);
    if (Number.isSafeInteger(number)) return { tag: "integer", val: number as unknown as bigint };
    wide.add(at + 1);
    return { tag: "text", val: String(value.val) };
  });
  return [wide.size === 0 ? statement : cast(statement, wide), passed];
}

/** What in a statement can have a `$` that is no parameter, and the parameters. */
const PARTS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[^]*?\*\/|\$(\d+)/g;

/** The statement with those parameters as integers that are passed as texts. */
function cast(statement: string, wide: Set<number>): string {
  return statement.replace(PARTS, (part: string, place?: string) =>
    place !== undefined && wide.has(Number(place)) ? `CAST(${part} AS BIGINT)` : part,
  );
}

/** Rows whose integers are all exact: where one may not be, the same rows are read as JSON, which has all
 * digits. */
export function exactRows(rows: host.Rows, statement: string, parameters: Value[]): host.Rows {
  const isWide = (value: Value): boolean => value.tag === "integer" && !isSafe(value.val);
  if (isExact() || !rows.values.some(isWide)) return rows;
  if (!/^\s*(select|with)\b/i.test(statement) || new Set(rows.columns).size < rows.columns.length) {
    throw new SqlError("invalid", "an integer beyond 2^53 comes from a statement that is read only once");
  }
  const count = rows.values.length / rows.columns.length;
  const page = host.queryJson(statement, parameters, count);
  const items = parse(decodeText(page.items)) as Record<string, unknown>[];
  const values = rows.values.map((value, at): Value => {
    if (!isWide(value)) return value;
    const item = items[Math.floor(at / rows.columns.length)]!;
    return { tag: "integer", val: BigInt(item[rows.columns[at % rows.columns.length]!] as bigint) };
  });
  return { ...rows, values };
}

function isSafe(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value);
}

export function lower(value: Parameter): Value {
  switch (typeof value) {
    case "boolean":
      return { tag: "integer", val: value ? 1n : 0n };
    case "string":
      return { tag: "text", val: value };
    case "bigint":
      return integer(value);
    case "number":
      return Number.isSafeInteger(value) ? integer(BigInt(value)) : real(value);
  }
  if (value === null || value === undefined) return { tag: "null" };
  return ArrayBuffer.isView(value) ? { tag: "blob", val: own(value) } : value;
}

function integer(value: bigint): Value {
  if (value < INTEGER_MIN || value > INTEGER_MAX) {
    throw new SqlError("invalid", "an integer does not fit 64 bits");
  }
  return { tag: "integer", val: value };
}

