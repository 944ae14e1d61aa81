/**
 * Write Caplet plugins in TypeScript and JavaScript.
 *
 * A plugin is a module that exports one `Plugin` as `plugin`. Routes say the shapes of what they take
 * and give; handlers get what fits, with its type.
 *
 * ```ts
 * import { Plugin } from "caplet";
 *
 * export const plugin = new Plugin({ name: "hello", version: "1.0.0" }).get(
 *   "/{name}",
 *   { operation: "greet", access: "public" },
 *   ({ path }) => `Hello ${path.name}!`,
 * );
 * ```
 *
 * One source builds with both JavaScript engines: QuickJS, which is small, and SpiderMonkey, which has
 * the web's interfaces.
 */
export * as clock from "./clock.ts";
export * as identity from "./identity.ts";
export * as log from "./log.ts";
export * as random from "./random.ts";
export * as settings from "./settings.ts";
export * as shape from "./shape.ts";
export * as sql from "./sql.ts";
export { Bytes, Created, Json, Listing, Response, Tagged } from "./answer.ts";
export { ETag } from "./etag.ts";
export type { Caller } from "./identity.ts";
export { Page } from "./page.ts";
export { Plugin } from "./plugin.ts";
export type { PluginOptions, RouteOptions } from "./plugin.ts";
export { Preconditions } from "./preconditions.ts";
export { Problem } from "./problem.ts";
export type { Request } from "./request.ts";
export type { Infer } from "./shape.ts";
export { SubjectData } from "./subject-data.ts";
export type { Holding } from "./subject-data.ts";
export { decodeText, encodeText } from "./utf8.ts";
