/** The component's exports around a plugin. `caplet build` makes them; authors do not call this. */
import { own } from "./bytes.ts";
import { stringify } from "./json.ts";
import { document } from "./openapi.ts";
import type { Plugin, Route } from "./plugin.ts";
import { CONDITIONS } from "./preconditions.ts";
import type { RawRequest } from "./request.ts";
import type { SubjectData } from "./subject-data.ts";
import { polyfill } from "./utf8.ts";

polyfill();

/** The exports of the world `plugin-with-health`, as both engines look for them; those of `whole-plugin`,
 * when the plugin answers for the personal data it keeps. */
export function component(plugin: Plugin, subjectData?: SubjectData): Record<string, Record<string, unknown>> {
  const description = describe(plugin);
  return {
    ...(subjectData === undefined ? {} : { subjectData: answersOf(subjectData) }),
    guest: { describe: () => description },
    httpHandler: {
      handle(request: RawRequest) {
        const { status, headers, body } = plugin.call({ ...request, body: own(request.body) });
        return { status, headers, body };
      },
    },
    health: {
      check() {
        const reason = plugin.unwell();
        // A string that is thrown is the error of the result that the world asks for.
        if (reason !== undefined) throw reason;
      },
    },
  };
}

function answersOf(data: SubjectData): Record<string, unknown> {
  return {
    describe: () => data.describe(),
    export: (subject: string, cursor?: string) => data.export(subject, cursor ?? undefined),
    erase: (subject: string) => data.erase(subject),
  };
}

function describe(plugin: Plugin): Record<string, unknown> {
  const { name, version, title = name, summary = "", settings } = plugin.options;
  return {
    name,
    version,
    title,
    summary,
    routes: plugin.routes.map(routeOf),
    openapi: stringify(document(plugin)),
    migrations: plugin.migrations,
    permissions: plugin.permissions,
    settingsSchema: settings === undefined ? "" : stringify(settings.schema),
    assets: plugin.assets,
  };
}

function routeOf(route: Route): Record<string, unknown> {
  const { operation, method, pattern, permission, transaction = "by-method", bodyMaxBytes } = route;
  const access =
    permission === undefined ? { tag: route.access ?? "signed-in" } : { tag: "permission", val: permission };
  const asked = [...(route.body ? ["content-type"] : []), ...Object.keys(route.conditional ? CONDITIONS : {})];
  const headers = [...new Set([...(route.headers ?? []), ...asked])];
  return { operation, method, pattern, access, transaction, bodyMaxBytes, headers };
}
