/**
 * Shapes: what a value has to be. A shape checks JSON, gives its TypeScript type (`Infer`), and its JSON
 * Schema.
 *
 * ```ts
 * const NewNote = shape.object({ body: shape.text({ min: 1, max: 500 }) });
 * type NewNote = Infer<typeof NewNote>; // { body: string }
 * ```
 */

/** A place as a JSON pointer, and what is wrong there. */
export interface Fault {
  pointer: string;
  detail: string;
}

/** JSON Schema. */
export type Schema = Record<string, unknown>;

/** What a value has to be. */
export interface Shape<T> {
  /** Checks a value; what is wrong is added to `faults`. */
  read(value: unknown, pointer: string, faults: Fault[]): T;
  /** Its JSON Schema. */
  readonly schema: Schema;
  /** Whether a member of this shape may be left out. */
  readonly isOptional?: boolean;
}

/** The type that a shape stands for. */
export type Infer<S> = S extends Shape<infer T> ? T : never;

type Members = Record<string, Shape<unknown>>;
type OptionalNames<M extends Members> = {
  [Name in keyof M]: M[Name] extends { isOptional: true } ? Name : never;
}[keyof M];
/** The type of an object with these members. */
export type ObjectOf<M extends Members> = { [Name in Exclude<keyof M, OptionalNames<M>>]: Infer<M[Name]> } & {
  [Name in OptionalNames<M>]?: Infer<M[Name]>;
};

interface Described {
  /** What it is, for people. */
  description?: string;
}

interface Lengths extends Described {
  /** The least characters or items. */
  min?: number;
  /** The most characters or items. */
  max?: number;
}

interface Bounds extends Described {
  /** The least. */
  min?: number | bigint;
  /** The greatest. */
  max?: number | bigint;
}

const INTEGER_MIN = -(2n ** 63n);
const INTEGER_MAX = 2n ** 63n - 1n;

/** Text. Characters are code points. */
export function text(rules: Lengths & { pattern?: RegExp } = {}): Shape<string> {
  const { min, max, pattern, description } = rules;
  return made<string>(
    { type: "string", minLength: min, maxLength: max, pattern: pattern?.source, description },
    (value, pointer, faults) => {
      if (typeof value !== "string") return misfit("a string", pointer, faults);
      length([...value].length, rules, pointer, faults);
      if (pattern && !pattern.test(value)) faults.push({ pointer, detail: "does not match pattern" });
      return value;
    },
  );
}

/** A whole number that a `number` holds exactly. For all of 64 bits, there is `long`. */
export function integer(rules: Bounds = {}): Shape<number> {
  return made<number>(numeric("integer", rules), (value, pointer, faults) => {
    if (!Number.isSafeInteger(value)) return misfit("an integer", pointer, faults);
    return bounded(value as number, rules, pointer, faults);
  });
}

/** A whole number of 64 bits. */
export function long(rules: Bounds = {}): Shape<bigint> {
  const schema = { ...numeric("integer", rules), format: "int64" };
  return made<bigint>(schema, (value, pointer, faults) => {
    const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
    if (!isWhole) return misfit("an integer", pointer, faults);
    const whole = BigInt(value as number | bigint);
    if (whole < INTEGER_MIN || whole > INTEGER_MAX) faults.push({ pointer, detail: "does not fit 64 bits" });
    return bounded(whole, rules, pointer, faults);
  });
}

/** A number. */
export function number(rules: Bounds = {}): Shape<number> {
  return made<number>(numeric("number", rules), (value, pointer, faults) => {
    const isNumber = typeof value === "number" || typeof value === "bigint";
    return isNumber ? bounded(Number(value), rules, pointer, faults) : misfit("a number", pointer, faults);
  });
}

/** `true` or `false`. */
export function bool({ description }: Described = {}): Shape<boolean> {
  return made<boolean>({ type: "boolean", description }, (value, pointer, faults) =>
    typeof value === "boolean" ? value : misfit("a boolean", pointer, faults),
  );
}

/** One of some texts. */
export function oneOf<const T extends string>(values: readonly T[]): Shape<T> {
  return made<T>({ enum: values }, (value, pointer, faults) =>
    values.includes(value as T) ? (value as T) : misfit(`one of ${values.join(", ")}`, pointer, faults),
  );
}

/** Anything that JSON has. */
export function any(): Shape<unknown> {
  return made<unknown>({}, (value) => value);
}

/** A list. */
export function array<T>(items: Shape<T>, rules: Lengths = {}): Shape<T[]> {
  const { min, max, description } = rules;
  const schema = { type: "array", items: items.schema, minItems: min, maxItems: max, description };
  return made<T[]>(schema, (value, pointer, faults) => {
    if (!Array.isArray(value)) return misfit("an array", pointer, faults);
    length(value.length, rules, pointer, faults);
    return value.map((item, at) => items.read(item, `${pointer}/${at}`, faults));
  });
}

/** An object with these members and no others. */
export function object<M extends Members>(members: M, { description }: Described = {}): Shape<ObjectOf<M>> {
  const names = Object.keys(members);
  const schema = {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, members[name]!.schema])),
    required: names.filter((name) => !members[name]!.isOptional),
    additionalProperties: false,
    description,
  };
  return made<ObjectOf<M>>(schema, (value, pointer, faults) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return misfit("an object", pointer, faults);
    }
    return readMembers(members, value as Record<string, unknown>, pointer, faults) as ObjectOf<M>;
  });
}

/** A member that may be left out or null. */
export function optional<T>(inner: Shape<T>): Shape<T | undefined> & { readonly isOptional: true } {
  return {
    schema: inner.schema,
    isOptional: true,
    read: (value, pointer, faults) =>
      value === undefined || value === null ? undefined : inner.read(value, pointer, faults),
  };
}

/** A member that is this when it is left out. */
export function otherwise<T>(inner: Shape<T>, value: T): Shape<T> {
  return {
    schema: { ...inner.schema, default: value },
    isOptional: true,
    read: (given, pointer, faults) =>
      given === undefined || given === null ? value : inner.read(given, pointer, faults),
  };
}

/** A shape with a name: OpenAPI shows it once and refers to it. */
export function named<T>(name: string, inner: Shape<T>): Shape<T> {
  return { ...inner, schema: { ...inner.schema, title: name } };
}

function readMembers(
  members: Members,
  value: Record<string, unknown>,
  pointer: string,
  faults: Fault[],
): Record<string, unknown> {
  const has = (of: object, name: string): boolean => Object.prototype.hasOwnProperty.call(of, name);
  for (const name of Object.keys(value)) {
    if (!has(members, name)) faults.push({ pointer: pointer + token(name), detail: "unknown field" });
  }
  const found: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(members)) {
    const place = pointer + token(name);
    if (has(value, name) || member.isOptional) {
      found[name] = member.read(has(value, name) ? value[name] : undefined, place, faults);
    } else {
      faults.push({ pointer: place, detail: "missing field" });
    }
  }
  return found;
}

/** A part of a JSON pointer (RFC 6901), with its slash. */
function token(name: string): string {
  return `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function made<T>(schema: Schema, read: Shape<T>["read"]): Shape<T> {
  const said = Object.entries(schema).filter(([, value]) => value !== undefined);
  return { schema: Object.fromEntries(said), read };
}

function numeric(type: string, { min, max, description }: Bounds): Schema {
  return { type, minimum: min, maximum: max, description };
}

function misfit(expected: string, pointer: string, faults: Fault[]): never {
  faults.push({ pointer, detail: `invalid type: expected ${expected}` });
  // Whoever asked looks at the faults before the value.
  return undefined as never;
}

function length(count: number, { min, max }: Lengths, pointer: string, faults: Fault[]): void {
  if (min !== undefined && count < min) faults.push({ pointer, detail: `length is lower than ${min}` });
  if (max !== undefined && count > max) faults.push({ pointer, detail: `length is greater than ${max}` });
}

function bounded<N extends number | bigint>(value: N, { min, max }: Bounds, pointer: string, faults: Fault[]): N {
  if (min !== undefined && value < min) faults.push({ pointer, detail: `lower than ${min}` });
  if (max !== undefined && value > max) faults.push({ pointer, detail: `greater than ${max}` });
  return value;
}
