/** {{title}}: short texts, newest first. */
import { Created, Json, Listing, Plugin, Problem } from "caplet";
import { clock, identity, log, random, settings, shape, sql, type Infer } from "caplet";

import createNotes from "../migrations/0001_create_notes.sql";

/** A note, as callers see it: what the columns below are written as. */
const Note = shape.named(
  "Note",
  shape.object({
    id: shape.text(),
    author: shape.text(),
    body: shape.text(),
    pinned: shape.bool(),
    created_at: shape.text(),
  }),
);

const NewNote = shape.named(
  "NewNote",
  shape.object({ body: shape.text({ min: 1, max: 500, description: "The text." }) }),
);

/** What an operator can set, each with a default. */
const Settings = shape.object({
  body_characters_max: shape.otherwise(
    shape.integer({ min: 1, max: 500, description: "The most characters of a note." }),
    500,
  ),
});

/** The database writes the rows as JSON; `:bool`, `:time` and `:key` say how. */
const COLUMNS = `SELECT id, author, body, pinned AS "pinned:bool",
    created_ms AS "created_at:time", id AS "id:key" FROM notes WHERE tenant = $tenant`;

function load(id: string): Json {
  const json = sql.queryJsonOptional(`${COLUMNS} AND id = $1`, [id]);
  if (json === undefined) throw noSuchNote();
  return new Json(json);
}

function noSuchNote(): Problem {
  return Problem.notFound("There is no such note.");
}

export const plugin = new Plugin({
  name: "{{name}}",
  version: "0.1.0",
  title: "{{title}}",
  summary: "Short texts, newest first.",
  settings: Settings,
})
  .permission("{{name}}.pin", "Pin notes of anybody.")
  .migration(1, "create notes", createNotes)
  .post(
    "/",
    { operation: "write", summary: "Write a note", body: NewNote, answer: Note, status: 201 },
    ({ body: { body } }) => {
      const caller = identity.current();
      if (caller === undefined) throw Problem.unauthorized();
      const { body_characters_max: max } = settings.current<Infer<typeof Settings>>();
      if ([...body].length > max) {
        throw Problem.unprocessableAt("/body", `has more than ${max} characters`);
      }
      const id = random.id();
      sql.execute(
        `INSERT INTO notes (tenant, id, author, body, created_ms)
         VALUES ($tenant, $1, $2, $3, $4)`,
        [id, caller.subject, body, clock.nowMs()],
      );
      log.info("a note was written", { id });
      return new Created(`/api/{{name}}/${id}`, load(id));
    },
  )
  .get(
    "/",
    { operation: "list", summary: "List the notes", access: "public", pages: true, answer: Note },
    ({ page }) => {
      const after = page.after("new");
      const place = after === undefined ? "" : " AND id < $2";
      const statement = `${COLUMNS}${place} ORDER BY id DESC LIMIT $1`;
      const found = sql.queryJson(statement, [page.limit + 1, ...(after ?? [])], page.limit);
      return Listing.fromJson("new", found);
    },
  )
  .get(
    "/{id}",
    {
      operation: "read",
      summary: "Read a note",
      access: "public",
      answer: Note,
      answers: { 404: "There is no such note." },
    },
    ({ path }) => load(path.id),
  )
  .put(
    "/{id}/pin",
    { operation: "pin", summary: "Pin a note", permission: "{{name}}.pin", status: 204 },
    ({ path }) => {
      const statement = "UPDATE notes SET pinned = 1 WHERE tenant = $tenant AND id = $1";
      if (sql.execute(statement, [path.id]) === 0) throw noSuchNote();
    },
  );
