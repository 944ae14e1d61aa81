/** The imports of the component, as both engines offer them. Their meaning is in `wit/`. */

declare module "caplet:plugin/sql@0.1.0" {
  export type Value =
    | { tag: "null" }
    | { tag: "integer"; val: bigint }
    | { tag: "real"; val: number }
    | { tag: "text"; val: string }
    | { tag: "blob"; val: Uint8Array };
  export interface Rows {
    columns: string[];
    values: Value[];
  }
  export interface JsonPage {
    items: Uint8Array;
    count: number;
    more: boolean;
    last: Value[];
  }
  export function query(statement: string, parameters: Value[]): Rows;
  export function queryJson(statement: string, parameters: Value[], limit: number): JsonPage;
  export function execute(statement: string, parameters: Value[]): bigint;
}

declare module "caplet:plugin/identity@0.1.0" {
  export interface Caller {
    subject: string;
    kind: "user" | "service";
    roles: string[];
    teams: string[];
    scopes: string[];
  }
  export function current(): Caller | undefined;
  export function tenant(): string;
  export function permitted(permission: string): boolean;
}

declare module "caplet:plugin/settings@0.1.0" {
  export function version(): bigint;
  export function json(): string;
}

declare module "caplet:plugin/log@0.1.0" {
  export type Level = "trace" | "debug" | "info" | "warn" | "error";
  export function write(level: Level, message: string, fields: [string, string][]): void;
}

declare module "caplet:plugin/clock@0.1.0" {
  export function nowMs(): bigint;
  export function elapsedMs(): bigint;
  export function remainingMs(): bigint;
}

declare module "caplet:plugin/random@0.1.0" {
  export function bytes(count: number): Uint8Array;
  export function number(): bigint;
}
