/** The plugin's OpenAPI document, from the shapes of its routes. */
import { CURSOR_MAX_BYTES, LIMIT_DEFAULT, LIMIT_MAX } from "./page.ts";
import type { Plugin, Route } from "./plugin.ts";
import { CONDITIONS } from "./preconditions.ts";
import type { Schema } from "./shape.ts";

const TEXT = { type: "string" };

const PROBLEM: Schema = {
  type: "object",
  description: "What went wrong (RFC 9457).",
  required: ["type", "title", "status", "code"],
  properties: {
    type: TEXT,
    title: TEXT,
    status: { type: "integer" },
    code: { ...TEXT, description: "What went wrong, for programs: stable." },
    detail: TEXT,
    errors: {
      type: "array",
      items: { type: "object", required: ["pointer", "detail"], properties: { pointer: TEXT, detail: TEXT } },
    },
  },
};

/** The whole document; its paths are relative to `/api/<name>`. */
export function document(plugin: Plugin): Schema {
  const { name, version, title = name, summary } = plugin.options;
  const schemas: Record<string, Schema> = { Problem: PROBLEM };
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of plugin.routes) {
    const methods = (paths[route.pattern.replace("{*", "{")] ??= {});
    methods[route.method === "*" ? "get" : route.method.toLowerCase()] = operation(route, schemas);
  }
  return {
    openapi: "3.1.0",
    info: { title, version, ...(summary ? { description: summary } : {}) },
    servers: [{ url: `/api/${name}` }],
    paths,
    components: { schemas, securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  };
}

/** A schema, or a reference to it when it has a name. */
function reference(schema: Schema, schemas: Record<string, Schema>): Schema {
  const name = schema["title"];
  if (typeof name !== "string") return schema;
  schemas[name] = schema;
  return { $ref: `#/components/schemas/${name}` };
}

function operation(route: Route, schemas: Record<string, Schema>): Schema {
  const parameters = parametersOf(route);
  const isPublic = route.access === "public" && route.permission === undefined;
  return {
    operationId: route.operation,
    ...(route.summary ? { summary: route.summary } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: { required: true, content: json(route.body.schema, schemas) } } : {}),
    responses: responses(route, schemas),
    security: isPublic ? [{}, { bearer: [] }] : [{ bearer: [] }],
  };
}

function parametersOf(route: Route): Schema[] {
  const names = [...route.pattern.matchAll(/\{\*?([^}]*)\}/g)].map((found) => found[1]!);
  const query = route.query === "any" || route.query === undefined ? {} : route.query;
  const limit = { type: "integer", minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT };
  const pages = [
    { name: "limit", in: "query", schema: limit },
    { name: "cursor", in: "query", schema: { ...TEXT, maxLength: CURSOR_MAX_BYTES } },
  ];
  return [
    ...names.map((name) => {
      const schema = route.path?.[name]?.schema ?? TEXT;
      return { name, in: "path", required: true, schema };
    }),
    ...(route.pages ? pages : []),
    ...Object.entries(route.conditional ? CONDITIONS : {}).map(([name, description]) => {
      return { name, in: "header", description, schema: TEXT };
    }),
    ...Object.entries(query).map(([name, { schema, isOptional = false }]) => {
      return { name, in: "query", required: !isOptional, schema };
    }),
  ];
}

function json(schema: Schema, schemas: Record<string, Schema>): Schema {
  return { "application/json": { schema: reference(schema, schemas) } };
}

function responses(route: Route, schemas: Record<string, Schema>): Schema {
  const problems: Record<number, string> = {};
  if (route.pattern.includes("{") || route.pages || route.query || route.body) {
    problems[400] = "The request is malformed.";
  }
  if (route.access !== "public") problems[401] = "There is no valid token.";
  if (route.permission) problems[403] = `The caller does not hold \`${route.permission}\`.`;
  if (route.conditional) {
    problems[400] = "The request is malformed.";
    problems[412] = "It was changed since it was read.";
  }
  if (route.body) {
    problems[415] = "The body's media type is not JSON.";
    problems[422] = "The body does not fit its schema; `errors` says where.";
  }
  const found: Record<string, Schema> = { [route.status ?? 200]: success(route, schemas) };
  const content = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  if (route.conditional && reads(route)) found[304] = { description: "The caller has it already." };
  for (const [status, description] of Object.entries({ ...problems, ...route.answers })) {
    found[status] = Number(status) < 400 ? { description } : { description, content };
  }
  return found;
}

function reads({ method }: Route): boolean {
  return ["GET", "HEAD", "*"].includes(method);
}

function success(route: Route, schemas: Record<string, Schema>): Schema {
  const answer = withoutHeaders(route, schemas);
  if (!route.conditional) return answer;
  const etag = { description: "The version; send it back as `If-Match`.", schema: TEXT };
  return { ...answer, headers: { etag } };
}

function withoutHeaders(route: Route, schemas: Record<string, Schema>): Schema {
  if (route.answer === undefined) return { description: "Done." };
  if (!route.pages) return { description: "Done.", content: json(route.answer.schema, schemas) };
  const items = { type: "array", items: reference(route.answer.schema, schemas) };
  const listing = {
    type: "object",
    properties: { items, next_cursor: { type: ["string", "null"] } },
    required: ["items", "next_cursor"],
  };
  return { description: "A page.", content: { "application/json": { schema: listing } } };
}
