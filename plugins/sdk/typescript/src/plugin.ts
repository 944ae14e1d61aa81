/** `Plugin`: what a plugin is and has. Finds the handler of an operation, and keeps what the host is told. */
import { Response, toResponse } from "./answer.ts";
import * as log from "./log.ts";
import { Preconditions } from "./preconditions.ts";
import { Problem } from "./problem.ts";
import { headerOf, readBody, readPage, readPath, readQuery, refuseUnknown } from "./request.ts";
import type { RawRequest, Request } from "./request.ts";
import type { Infer, Shape } from "./shape.ts";
import { SqlError } from "./sql.ts";

type Shapes = Record<string, Shape<unknown>>;

/** The names of a pattern's parameters: `"id"` of `/{id}/pin`. */
type Names<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `*${infer Tail}` ? Tail : Name) | Names<Rest>
  : never;

type PathOf<P extends string, S extends Shapes> = {
  [Name in Names<P>]: Name extends keyof S ? Infer<S[Name]> : string;
};
type MembersOf<S extends Shapes> = { [Name in keyof S]: Infer<S[Name]> };

/** What a plugin is. */
export interface PluginOptions {
  /** The first segment of its URLs: 2 to 40 characters of `a-z`, `0-9` and `-`. */
  name: string;
  /** A semantic version. */
  version: string;
  /** A short name for people. */
  title?: string;
  /** What it does, in a sentence or a few. */
  summary?: string;
  /** The shape of its settings: an object whose members have defaults. */
  settings?: Shape<unknown>;
}

/** What a route says of itself. Unless it says otherwise, anybody with a valid token may call it, with a
 * body of up to 64 KiB. */
export interface RouteOptions<S extends Shapes, Q extends Shapes, B> {
  /** The operation's name, unique in the plugin. */
  operation: string;
  /** `public`: anybody. `signed-in`: anybody with a valid token. */
  access?: "public" | "signed-in";
  /** Who may call it: those who hold this permission. */
  permission?: string;
  /** How the store is used: by the method, if not given. */
  transaction?: "by-method" | "read" | "write" | "none";
  /** The largest body taken; more is answered 413. */
  bodyMaxBytes?: number;
  /** The request headers that the handler reads, in lower case. */
  headers?: string[];
  /** What it does, in a few words. */
  summary?: string;
  /** Shapes of the pattern's parameters that are no texts. */
  path?: S;
  /** Shapes of the query's parameters. Others are refused, unless it is `"any"`. */
  query?: Q | "any";
  /** The shape of its JSON body. */
  body?: Shape<B>;
  /** Whether it takes `limit` and `cursor`. */
  pages?: boolean;
  /** Whether it takes `If-Match`, `If-None-Match` and their siblings, and answers with an `ETag`. */
  conditional?: boolean;
  /** The shape of its answer, or of the items of a page; for OpenAPI. */
  answer?: Shape<unknown>;
  /** The status of its answer; for OpenAPI. */
  status?: number;
  /** Further answers; for OpenAPI. */
  answers?: Record<number, string>;
}

/** A route as the plugin keeps it. */
export interface Route extends RouteOptions<Shapes, Shapes, unknown> {
  method: string;
  pattern: string;
  handler: (request: never) => unknown;
}

/** One step of the schema's history. */
export interface Migration {
  number: number;
  name: string;
  phase: "expand" | "backfill" | "contract";
  sql: string;
  postgres: string | undefined;
}

/** A plugin whose URLs begin with `/api/<name>`. */
export class Plugin {
  readonly routes: Route[] = [];
  readonly migrations: Migration[] = [];
  readonly permissions: { name: string; description: string }[] = [];
  readonly assets: { path: string; mediaType: string; content: Uint8Array }[] = [];
  private healthCheck: (() => void) | undefined;

  constructor(readonly options: PluginOptions) {}

  /** Adds a route of any method in capitals, `*` for all of them. */
  route<P extends string, S extends Shapes = {}, Q extends Shapes = {}, B = undefined>(
    method: string,
    pattern: P,
    options: RouteOptions<S, Q, B>,
    handler: (request: Request<PathOf<P, S>, MembersOf<Q>, B>) => unknown,
  ): this {
    this.routes.push({ ...options, method, pattern, handler } as Route);
    return this;
  }

  /** Adds a `GET` route. */
  get<P extends string, S extends Shapes = {}, Q extends Shapes = {}, B = undefined>(
    pattern: P,
    options: RouteOptions<S, Q, B>,
    handler: (request: Request<PathOf<P, S>, MembersOf<Q>, B>) => unknown,
  ): this {
    return this.route("GET", pattern, options, handler);
  }

  /** Adds a `POST` route. */
  post<P extends string, S extends Shapes = {}, Q extends Shapes = {}, B = undefined>(
    pattern: P,
    options: RouteOptions<S, Q, B>,
    handler: (request: Request<PathOf<P, S>, MembersOf<Q>, B>) => unknown,
  ): this {
    return this.route("POST", pattern, options, handler);
  }

  /** Adds a `PUT` route. */
  put<P extends string, S extends Shapes = {}, Q extends Shapes = {}, B = undefined>(
    pattern: P,
    options: RouteOptions<S, Q, B>,
    handler: (request: Request<PathOf<P, S>, MembersOf<Q>, B>) => unknown,
  ): this {
    return this.route("PUT", pattern, options, handler);
  }

  /** Adds a `PATCH` route. */
  patch<P extends string, S extends Shapes = {}, Q extends Shapes = {}, B = undefined>(
    pattern: P,
    options: RouteOptions<S, Q, B>,
    handler: (request: Request<PathOf<P, S>, MembersOf<Q>, B>) => unknown,
  ): this {
    return this.route("PATCH", pattern, options, handler);
  }

  /** Adds a `DELETE` route. */
  delete<P extends string, S extends Shapes = {}, Q extends Shapes = {}, B = undefined>(
    pattern: P,
    options: RouteOptions<S, Q, B>,
    handler: (request: Request<PathOf<P, S>, MembersOf<Q>, B>) => unknown,
  ): this {
    return this.route("DELETE", pattern, options, handler);
  }

  /** Adds a permission, `<plugin>.<verb or noun>`, and what it allows, in one sentence. */
  permission(name: string, description: string): this {
    this.permissions.push({ name, description });
    return this;
  }

  /** Adds the next step of the schema's history, which the version before can live with. One that was
   * released must never change. */
  migration(number: number, name: string, sql: string, postgres?: string): this {
    this.migrations.push({ number, name, phase: "expand", sql, postgres });
    return this;
  }

  /** Adds a step that fills what an earlier one made: one statement with a `LIMIT`, which the host runs
   * until it changes no row. */
  backfill(number: number, name: string, sql: string, postgres?: string): this {
    this.migrations.push({ number, name, phase: "backfill", sql, postgres });
    return this;
  }

  /** Adds a step that the version before cannot live with: it runs when that one is gone. */
  contract(number: number, name: string, sql: string, postgres?: string): this {
    this.migrations.push({ number, name, phase: "contract", sql, postgres });
    return this;
  }

  /** Adds a file that the host serves at `/api/<name>/-/<path>` without calling the plugin. */
  asset(path: string, mediaType: string, content: Uint8Array): this {
    this.assets.push({ path, mediaType, content });
    return this;
  }

  /** Says how it is found out whether the plugin is well, before a new version takes requests: what
   * `check` throws is the reason why it never does. It may read the store; there is no caller. */
  health(check: () => void): this {
    this.healthCheck = check;
    return this;
  }

  /** Answers a request. What goes wrong inside goes to the log and never to the caller. */
  call(raw: RawRequest): Response {
    try {
      const route = this.routes.find(({ operation }) => operation === raw.operation);
      if (route !== undefined) return answer(route, raw);
      log.error("the host asked for an operation that the plugin does not have");
    } catch (thrown) {
      if (thrown instanceof Problem) return thrown.response();
      if (thrown instanceof SqlError) return ofStatement(thrown).response();
      log.failure(thrown);
    }
    return Problem.internal().response();
  }

  /** Why the plugin is not well; none if it is. The log has more. */
  unwell(): string | undefined {
    try {
      this.healthCheck?.();
      return undefined;
    } catch (thrown) {
      if (thrown instanceof Problem) return `${thrown.code} (${thrown.status})`;
      log.failure(thrown);
      return "the check of the plugin's health failed; the reason is in the log";
    }
  }
}

function answer(route: Route, raw: RawRequest): Response {
  const query = route.query === "any" || route.query === undefined ? {} : route.query;
  const request = {
    path: readPath(raw, route.path ?? {}),
    page: route.pages ? readPage(raw) : undefined,
    preconditions: route.conditional ? new Preconditions(raw) : undefined,
    query: readQuery(raw, query),
    body: route.body && readBody(raw, route.body),
    header: (name: string) => headerOf(raw, name),
    raw,
  };
  if (route.query !== "any") {
    const pages = route.pages ? ["limit", "cursor"] : [];
    refuseUnknown(raw, new Set([...Object.keys(query), ...pages]));
  }
  return toResponse(route.handler(request as never));
}

/** What a failed statement means for the caller. The store's texts go to the log, never out. */
export function ofStatement(error: SqlError): Problem {
  switch (error.kind) {
    case "unique":
      return Problem.conflict("There is such a thing already.");
    case "foreign-key":
      return Problem.conflict("It refers to something that does not exist.");
    case "timeout":
    case "unavailable":
      log.warn("the store did not answer", { error: error.message });
      return Problem.unavailable("The store is busy. Try again.", 1);
    case "disk-full":
      log.error("the store is full");
      return new Problem(507, "disk-full", "There is no room left.");
  }
  log.error("a statement failed", { error: error.message, stack: error.stack });
  return Problem.internal();
}
