/** Conditional requests (RFC 9110, section 13): who has the current version need not read it again, and who
 * has an old one cannot overwrite it. */
import { Tagged } from "./answer.ts";
import { parseDate } from "./dates.ts";
import { matchesStrongly, matchesWeakly, readTags, type ETag, type Tags } from "./etag.ts";
import { Problem } from "./problem.ts";
import type { RawRequest } from "./request.ts";

/** The headers that are read, and what each of them asks for. */
export const CONDITIONS: Record<string, string> = {
  "if-match": "Go on only with the version of this `ETag`.",
  "if-none-match": "Go on only with a version other than this.",
  "if-unmodified-since": "Go on only if it is as old as this.",
  "if-modified-since": "Read only what is newer than this.",
};

/**
 * The headers `If-Match`, `If-Unmodified-Since`, `If-None-Match` and `If-Modified-Since`, when the route is
 * `conditional`.
 *
 * Weigh them last, when nothing but them stands between the request and its success: a request that would
 * fail anyway is answered as if it had no conditions.
 *
 * ```ts
 * const current = ETag.strong(note.version);
 * return preconditions.unless(current, () => note);
 * ```
 */
export class Preconditions {
  private readonly ifMatch: Tags | undefined;
  private readonly ifNoneMatch: Tags | undefined;
  private readonly ifUnmodifiedSinceS: number | undefined;
  private readonly ifModifiedSinceS: number | undefined;

  /** Reads them; a list of tags that is malformed is answered 400. */
  constructor({ headers }: RawRequest) {
    const lines = (name: string): string[] =>
      headers.filter(([known]) => known === name).map(([, value]) => value);
    const date = (name: string): number | undefined => lines(name).slice(0, 1).map(parseDate)[0];
    this.ifMatch = readTags(lines("if-match"));
    this.ifNoneMatch = readTags(lines("if-none-match"));
    this.ifUnmodifiedSinceS = date("if-unmodified-since");
    this.ifModifiedSinceS = date("if-modified-since");
  }

  /** For what is read: answers 304 when the caller has the current version, and otherwise what `answer`
   * makes; both with the tag. Throws 412 when the caller asks for another version than the current one. */
  unless(current: ETag, answer: () => unknown): Tagged {
    this.checkMatch(current);
    return this.has(current) ? Tagged.known(current) : new Tagged(current, answer());
  }

  /** For what is changed: throws 412 when it was changed since it was read, or when it is what it must not
   * be. */
  check(current: ETag): void {
    this.checkMatch(current);
    if (this.ifNoneMatch !== undefined && matchesWeakly(this.ifNoneMatch, current)) {
      throw Problem.preconditionFailed("This exists in the version it must not have.");
    }
  }

  /** Like `check`, for what must not be changed blindly: throws 428 when the request has no `If-Match`. */
  require(current: ETag): void {
    if (this.ifMatch === undefined) {
      throw new Problem(428, "precondition-required", "Send `If-Match` with the current `ETag`.");
    }
    this.check(current);
  }

  private checkMatch(current: ETag): void {
    const { ifMatch, ifUnmodifiedSinceS: sinceS } = this;
    const isOld = sinceS === undefined || current.modifiedS === undefined || current.modifiedS <= sinceS;
    // A tag is more exact than a date.
    const isSame = ifMatch === undefined ? isOld : matchesStrongly(ifMatch, current);
    if (!isSame) throw Problem.preconditionFailed("This was changed since it was read.");
  }

  private has(current: ETag): boolean {
    const { ifNoneMatch, ifModifiedSinceS: sinceS } = this;
    if (ifNoneMatch !== undefined) return matchesWeakly(ifNoneMatch, current);
    return sinceS !== undefined && current.modifiedS !== undefined && current.modifiedS <= sinceS;
  }
}
