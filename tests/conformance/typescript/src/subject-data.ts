/** Traces of people: what is kept about them, exported and erased. */
import { SubjectData, sql, type Holding } from "caplet";

/** A page of a holding. That of one person fails, by a mistake of the author. */
function pages(holding: string): Holding["export"] {
  return (person, after, limit) => {
    const table = person === "broken" ? "nobodys_traces" : "traces";
    const statement = `SELECT word, id AS "id:key" FROM ${table} WHERE tenant = $tenant
        AND person = $1 AND holding = $2 AND id > $3 ORDER BY id LIMIT $4`;
    return sql.queryJson(statement, [person, holding, ...(after ?? [0]), limit + 1], limit);
  };
}

export const subjectData = new SubjectData([
  {
    name: "notes",
    summary: "What the person wrote.",
    purpose: "To show it.",
    retention: "Until it is deleted.",
    export: pages("notes"),
    delete: (person) =>
      sql.execute(
        `DELETE FROM traces WHERE tenant = $tenant AND id IN
         (SELECT id FROM traces WHERE tenant = $tenant AND person = $1 AND holding = 'notes' LIMIT 500)`,
        [person],
      ),
  },
  {
    name: "votes",
    summary: "What the person voted for.",
    purpose: "To count it.",
    retention: "As long as the poll.",
    export: pages("votes"),
    anonymise: (person) =>
      sql.execute(
        `UPDATE traces SET person = ''
         WHERE tenant = $tenant AND person = $1 AND holding = 'votes'`,
        [person],
      ),
  },
  {
    name: "bills",
    summary: "What the person paid.",
    purpose: "To account for it.",
    retention: "Ten years.",
    export: pages("bills"),
    keep: "The law asks for it.",
    count: (person) =>
      sql.queryOne<{ n: number }>(
        `SELECT count(*) AS n FROM traces
         WHERE tenant = $tenant AND person = $1 AND holding = 'bills'`,
        [person],
      ).n,
  },
]);
