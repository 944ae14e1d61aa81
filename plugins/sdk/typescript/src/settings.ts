/** The plugin's settings, as the operator set them, with the schema's defaults filled in. */
import * as host from "caplet:plugin/settings@0.1.0";
import { parse } from "./json.ts";

let parsed: { version: string; value: unknown } | undefined;

/** The settings. Parsed once for each version of them; what they are is what `Plugin.settings` says. */
export function current<T = Record<string, unknown>>(): T {
  const version = String(host.version());
  if (parsed?.version !== version) parsed = { version, value: parse(host.json()) };
  return parsed.value as T;
}
