// Whether the viewer that the host carries is that of the package: viewer.mjs <folder of the files>
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const [folder] = process.argv.slice(2);
for (const file of ["swagger-ui-bundle.js", "swagger-ui.css"]) {
  const carried = gunzipSync(readFileSync(`${folder}/${file}.gz`));
  assert.ok(carried.equals(readFileSync(`node_modules/swagger-ui-dist/${file}`)), file);
}
