/**
 * What a plugin keeps about people: said for those who answer for the data, exported and erased for a person
 * who asks.
 *
 * A plugin answers when it has a module `src/subject-data.ts` that exports a `SubjectData` as `subjectData`.
 * Paging, cursors and steps are done here. The full contract is `wit/subject-data.wit`.
 *
 * ```ts
 * export const subjectData = new SubjectData([
 *   {
 *     name: "notes",
 *     summary: "The notes that the person wrote.",
 *     purpose: "To show them to their author.",
 *     retention: "Until the author deletes them.",
 *     export: (person, after, limit) =>
 *       sql.queryJson(
 *         `SELECT id, body, id AS "id:key" FROM notes
 *          WHERE tenant = $tenant AND author = $1 AND id > $2 ORDER BY id LIMIT $3`,
 *         [person, ...(after ?? [""]), limit + 1],
 *         limit,
 *       ),
 *     delete: (person) =>
 *       sql.execute(
 *         `DELETE FROM notes WHERE tenant = $tenant AND id IN
 *          (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)`,
 *         [person],
 *       ),
 *   },
 * ]);
 * ```
 */
import * as log from "./log.ts";
import { decodeCursor, encodeCursor } from "./page.ts";
import { ofStatement } from "./plugin.ts";
import { Problem } from "./problem.ts";
import { SqlError, type Column, type JsonPage } from "./sql.ts";
import { encodeText } from "./utf8.ts";

/** Records of one page. */
const PAGE_RECORDS_MAX = 500;

/** Bytes of one page. */
const PAGE_BYTES_MAX = 1 << 20;

/** Does its work for a subject, as much as fits an invocation, and returns the number of records. */
type Work = (subject: string) => number;

interface Kept {
  /** 1 to 80 characters of `a-z`, `0-9` and `-`; unique in the plugin. */
  name: string;
  /** What is kept. */
  summary: string;
  /** What it is kept for. */
  purpose: string;
  /** How long it is kept. */
  retention: string;
  /** A page of a subject's records, at most `limit`, which come after those `:key` columns; as for a list,
   * the statement asks for one row more than the limit. */
  export?: (subject: string, after: Column[] | undefined, limit: number) => JsonPage;
}

/** What erasing does: exactly one of these. */
type Erasing =
  | {
      /** Deletes some records; called until it returns 0. */
      delete: Work;
    }
  | {
      /** Takes away whatever tells whose some records were; called until it returns 0. */
      anonymise: Work;
    }
  | {
      /** Why the records stay, such as the law that asks for it. */
      keep: string;
      /** How many they are. */
      count: Work;
    };

/** One kind of personal data, and how it is exported and erased. */
export type Holding = Kept & Erasing;

interface Page {
  holding: string;
  items: Uint8Array;
  next: string | undefined;
}

interface Erased {
  holding: string;
  deleted: number;
  anonymised: number;
  kept: number;
}

/** All that a plugin keeps about people. Without holdings, it says that it keeps nothing. */
export class SubjectData {
  /** Holdings are exported and erased in this order. */
  constructor(readonly holdings: readonly Holding[]) {}

  /** What the host is told of it. */
  describe(): Record<string, unknown>[] {
    return this.holdings.map((holding) => {
      const { name, summary, purpose, retention } = holding;
      return { name, summary, purpose, retention, erasure: erasureOf(holding) };
    });
  }

  /** A page of what is kept about a subject. */
  export(subject: string, cursor: string | undefined): Page {
    return attempt(() => {
      const [place, inner] = this.place(cursor);
      const holding = this.holdings[place];
      if (holding === undefined) throw Problem.notFound("The plugin describes no holding.");
      const { name } = holding;
      const page = boundedPage(holding, subject, inner);
      const following = this.holdings[place + 1];
      const after = page.more ? `${name}/${encodeCursor(name, page.last)}` : undefined;
      return { holding: name, items: page.items, next: after ?? (following && `${following.name}/`) };
    });
  }

  /** Erases a part of what is kept about a subject: of the first holding that has something left. */
  erase(subject: string): { holdings: Erased[]; more: boolean } {
    return attempt(() => {
      for (const holding of this.holdings) {
        const erased = erase(holding, subject);
        if (erased.deleted > 0 || erased.anonymised > 0) return { holdings: [erased], more: true };
      }
      return { holdings: this.holdings.map((holding) => countKept(holding, subject)), more: false };
    });
  }

  /** The holding that a cursor leads to, and the rest of the cursor, which is the holding's own. */
  private place(cursor: string | undefined): [number, Column[] | undefined] {
    if (cursor === undefined) return [0, undefined];
    const at = cursor.indexOf("/");
    const name = cursor.slice(0, Math.max(at, 0));
    const inner = cursor.slice(at + 1);
    const place = this.holdings.findIndex((holding) => holding.name === name);
    const keys = inner === "" ? undefined : decodeCursor(name, inner);
    if (at < 0 || place < 0 || (inner !== "" && keys === undefined)) throw badCursor();
    return [place, keys];
  }
}

function badCursor(): Problem {
  return Problem.badRequest("The cursor was not made for this list.", "bad-cursor");
}

function erasureOf(holding: Holding): Record<string, unknown> {
  if ("delete" in holding) return { tag: "delete" };
  return "anonymise" in holding ? { tag: "anonymise" } : { tag: "keep", val: holding.keep };
}

/** Reads fewer rows where they would be larger than a page together. One row is read whatever its size. */
function boundedPage(holding: Holding, subject: string, after: Column[] | undefined): JsonPage {
  const none = { items: encodeText("[]"), count: 0, more: false, last: [] };
  for (let limit = PAGE_RECORDS_MAX; holding.export !== undefined; limit = Math.floor(limit / 2)) {
    try {
      const page = holding.export(subject, after, limit);
      if (page.items.length <= PAGE_BYTES_MAX || limit === 1) return page;
    } catch (thrown) {
      const isTooLarge = thrown instanceof SqlError && thrown.kind === "too-large";
      if (!isTooLarge || limit === 1) throw thrown;
    }
  }
  return none;
}

function erase(holding: Holding, subject: string): Erased {
  const nothing = { holding: holding.name, deleted: 0, anonymised: 0, kept: 0 };
  if ("delete" in holding) return { ...nothing, deleted: holding.delete(subject) };
  return "anonymise" in holding ? { ...nothing, anonymised: holding.anonymise(subject) } : nothing;
}

function countKept(holding: Holding, subject: string): Erased {
  const kept = "count" in holding ? holding.count(subject) : 0;
  return { holding: holding.name, deleted: 0, anonymised: 0, kept };
}

/** What is thrown is the error of the result that the contract asks for. The log has more of it. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    const problem = problemOf(thrown);
    if (problem.code === "bad-cursor") throw { tag: "cursor" };
    log.warn("the work for a data subject failed", { code: problem.code });
    throw { tag: "failed", val: `${problem.code} (${problem.status})` };
  }
}

function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof SqlError) return ofStatement(thrown);
  log.failure(thrown);
  return Problem.internal();
}
