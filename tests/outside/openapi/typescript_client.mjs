// Makes types from a host's document with openapi-typescript, compiles a client that is written
// against them (client.ts) with the strictest checks, and runs it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [url, token] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const modules = realpathSync(join(here, "../node_modules"));
const folder = mkdtempSync(join(tmpdir(), "caplet-client-"));
symlinkSync(modules, join(folder, "node_modules"));
copyFileSync(join(here, "client.ts"), join(folder, "client.ts"));

const tool = (name, ...options) =>
  execFileSync(process.execPath, [join(modules, name), ...options], { cwd: folder, stdio: "inherit" });
tool("openapi-typescript/bin/cli.js", `${url}/openapi.json`, "--output", "document.ts");
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      target: "es2022",
      module: "nodenext",
      lib: ["es2022", "dom", "dom.iterable"],
      types: [],
    },
    files: ["client.ts"],
  }),
);
writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
tool("typescript/bin/tsc", "--project", "tsconfig.json");
const { use } = await import(pathToFileURL(join(folder, "client.js")).href);
assert.equal(await use(url, token), "done");
