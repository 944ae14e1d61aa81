/** Everything the contract has, for the script in `tests/outside/languages`: the same plugin in each
 * language. */
import {
  Bytes,
  ETag,
  Plugin,
  Problem,
  Response,
  Tagged,
  clock,
  encodeText,
  decodeText,
  identity,
  log,
  random,
  settings,
  shape,
  sql,
  type Infer,
} from "caplet";
import { stringify } from "../vendor/caplet-sdk/src/json.ts";

const Order = shape.object({
  sql: shape.text(),
  parameters: shape.array(shape.array(shape.text())),
  execute: shape.optional(shape.bool()),
  status: shape.optional(shape.integer()),
  limit: shape.optional(shape.integer()),
});
type Order = Infer<typeof Order>;

const Tag = shape.object({ weight: shape.integer({ max: 9 }) });
const Post = shape.named(
  "Post",
  shape.object({ title: shape.text({ min: 1, max: 5 }), tags: shape.array(Tag) }),
);

const Options = shape.object({
  greeting: shape.otherwise(shape.text(), "hello"),
  well: shape.otherwise(shape.bool(), true),
  largest: shape.otherwise(shape.long(), 9223372036854775807n),
});

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function decode([kind, text]: string[]): sql.Parameter {
  switch (kind) {
    case "integer":
      return BigInt(text!);
    case "real":
      return sql.real(new DataView(bytesOf(text!).buffer).getFloat64(0));
    case "text":
      return text;
    case "blob":
      return bytesOf(text!);
  }
  return null;
}

function encode(value: sql.Value): [string, string] {
  switch (value.tag) {
    case "integer":
      return ["integer", String(value.val)];
    case "real": {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value.val);
      return ["real", hexadecimal(new Uint8Array(view.buffer))];
    }
    case "text":
      return ["text", value.val];
    case "blob":
      return ["blob", hexadecimal(value.val)];
  }
  return ["null", ""];
}

function answer(order: Order, body: unknown): Response {
  const headers: [string, string][] = [["content-type", "application/json"]];
  return new Response({ status: order.status ?? 200, headers, body: stringify(body) });
}

function run({ body: order }: { body: Order }): Response {
  const parameters = order.parameters.map(decode);
  try {
    if (order.execute) return answer(order, { changed: sql.execute(order.sql, parameters) });
    const { columns, rows } = sql.queryValues(order.sql, parameters);
    return answer(order, { columns, rows: rows.map((row) => row.map(encode)) });
  } catch (thrown) {
    if (thrown instanceof sql.SqlError) return answer(order, { error: thrown.kind });
    throw thrown;
  }
}

/** How a version looks, and when it was made. */
const Look = { variant: shape.optional(shape.text()), modified_ms: shape.optional(shape.long()) };

function tagOf(version: string, look: { variant?: string; modified_ms?: bigint }): ETag {
  const etag = ETag.strong(version);
  const varied = look.variant === undefined ? etag : etag.variant(look.variant);
  return look.modified_ms === undefined ? varied : varied.modified(Number(look.modified_ms));
}

let calls = 0;

export const plugin = new Plugin({
  name: "conformance",
  version: "1.2.3",
  title: "Conformance",
  summary: "Does what it is told, in TypeScript.",
  settings: Options,
})
  .permission("conformance.try", "Try what needs a permission.")
  .migration(
    1,
    "create things",
    `CREATE TABLE things (
        id BIGINT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        size BIGINT CHECK (size > 0),
        parent BIGINT REFERENCES things (id),
        content BYTEA
    );`,
  )
  .migration(
    2,
    "create traces",
    `CREATE TABLE traces (
        id BIGINT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        person TEXT NOT NULL,
        holding TEXT NOT NULL,
        word TEXT NOT NULL
    );`,
  )
  .asset("hello.txt", "text/plain; charset=utf-8", encodeText("hé🎉"))
  .post("/write", { operation: "write", access: "public", body: Order }, run)
  .post("/read", { operation: "read", access: "public", transaction: "read", body: Order }, run)
  .post("/without", { operation: "without", access: "public", transaction: "none", body: Order }, run)
  .post("/page", { operation: "page", access: "public", transaction: "read", body: Order }, ({ body }) => {
    const page = sql.queryJson(body.sql, body.parameters.map(decode), body.limit ?? 10);
    const items: unknown = JSON.parse(decodeText(page.items));
    return answer(body, { items, count: page.count, more: page.more, last: page.last.map(encode) });
  })
  .post("/uncaught", { operation: "uncaught", access: "public", body: Order }, ({ body }) => {
    sql.execute(body.sql);
  })
  .post(
    "/echo",
    { operation: "echo", access: "public", bodyMaxBytes: 2097152, headers: ["content-type"] },
    ({ raw, header }) => new Bytes(raw.body, header("content-type")),
  )
  .put(
    "/contents/{id}",
    { operation: "keep", access: "public", bodyMaxBytes: 2097152, path: { id: shape.integer() } },
    ({ path, raw }) => {
      const statement = "INSERT INTO things (id, name, content) VALUES ($1, $2, $3)";
      sql.execute(statement, [path.id, String(path.id), raw.body]);
    },
  )
  .get(
    "/contents/{id}",
    { operation: "content", access: "public", path: { id: shape.integer() } },
    ({ path }) => {
      const statement = "SELECT content FROM things WHERE id = $1";
      const row = sql.queryOptional<{ content: Uint8Array }>(statement, [path.id]);
      if (row === undefined) throw Problem.notFound("There is no such content.");
      return new Bytes(row.content);
    },
  )
  .get(
    "/words/{word}/{*rest}",
    { operation: "words", access: "public", headers: ["x-word"], query: "any" },
    ({ raw: { method, path, parameters, query, headers } }) => {
      const many: [string, string][] = [
        ["content-type", "application/json"],
        ["x-many", "one"],
        ["x-many", "two"],
      ];
      return new Response({ headers: many, body: stringify({ method, path, parameters, query, headers }) });
    },
  )
  .post("/checked", { operation: "checked", access: "public", body: Post, answer: Post }, ({ body }) => body)
  .get(
    "/number",
    {
      operation: "number",
      access: "public",
      query: { count: shape.integer(), exact: shape.otherwise(shape.bool(), false) },
    },
    ({ query }) => query,
  )
  .get(
    "/versions/{version}",
    { operation: "read-version", access: "public", conditional: true, query: Look },
    ({ path, query, preconditions }) => preconditions.unless(tagOf(path.version, query), () => "read"),
  )
  .put(
    "/versions/{version}",
    { operation: "change-version", access: "public", conditional: true, query: Look },
    ({ path, query, preconditions }) => {
      const current = tagOf(path.version, query);
      preconditions.check(current);
      return new Tagged(current, "changed");
    },
  )
  .delete(
    "/versions/{version}",
    { operation: "remove-version", access: "public", conditional: true, status: 204 },
    ({ path, preconditions }) => preconditions.require(ETag.strong(path.version)),
  )
  .get("/identity", { operation: "who", access: "public" }, () => ({
    tenant: identity.tenant(),
    permitted: identity.permitted("conformance.try"),
    caller: identity.current() ?? null,
  }))
  .get("/signed-in", { operation: "signed-in", status: 204 }, () => undefined)
  .get("/permitted", { operation: "permitted", permission: "conformance.try", status: 204 }, () => undefined)
  .get("/settings", { operation: "set-values", access: "public" }, () => {
    const { greeting, largest, well } = settings.current<Infer<typeof Options>>();
    return { greeting, largest: String(largest), well };
  })
  .post("/log/{level}", { operation: "log-line", access: "public", status: 204 }, ({ path, raw }) => {
    const level = path.level as "trace" | "debug" | "info" | "warn" | "error";
    log[level](decodeText(raw.body), { language: "TypeScript", word: "é🎉" });
  })
  .get("/fail", { operation: "fail", access: "public" }, () => {
    throw new RangeError("it broke: secret-of-the-author");
  })
  .get("/problem", { operation: "problem", access: "public" }, () => {
    throw Problem.conflict("It is taken.", "taken").withMember("by", "é🎉");
  })
  .get("/clock", { operation: "times", access: "public" }, () => ({
    now_ms: clock.nowMs(),
    elapsed_ms: clock.elapsedMs(),
    remaining_ms: clock.remainingMs(),
  }))
  .get("/random", { operation: "chance", access: "public" }, () => ({
    bytes: hexadecimal(random.bytes(16)),
    none: hexadecimal(random.bytes(0)),
    number: String(random.number()),
    id: random.id(),
  }))
  .get("/calls", { operation: "calls", access: "public" }, () => ({ calls: ++calls }))
  .health(() => {
    if (!settings.current<{ well: boolean }>().well) {
      throw Problem.conflict("The script says so.", "set-unwell");
    }
    sql.queryOne("SELECT count(*) AS n FROM things");
  });
