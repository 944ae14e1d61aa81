/** What is kept about people: exported and erased for a person who asks. */
import { SubjectData, sql } from "caplet";

const COLUMNS = `SELECT id, body, pinned AS "pinned:bool", created_ms AS "created_at:time",
    id AS "id:key" FROM notes WHERE tenant = $tenant AND author = $1`;

export const subjectData = new SubjectData([
  {
    name: "notes",
    summary: "The notes that the person wrote.",
    purpose: "To show them to their readers.",
    retention: "Until their author is erased.",
    export: (author, after, limit) => {
      const place = after === undefined ? "" : " AND id > $3";
      const statement = `${COLUMNS}${place} ORDER BY id LIMIT $2`;
      return sql.queryJson(statement, [author, limit + 1, ...(after ?? [])], limit);
    },
    // Some of them: it is called until there are none left.
    delete: (author) =>
      sql.execute(
        `DELETE FROM notes WHERE tenant = $tenant AND id IN
         (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)`,
        [author],
      ),
  },
]);
