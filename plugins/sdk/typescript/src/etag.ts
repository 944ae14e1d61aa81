/** Entity tags (RFC 9110, section 8.8.3) and the lists of them that requests bring (section 13.1). */
import * as clock from "./clock.ts";
import { formatDate } from "./dates.ts";
import { Problem } from "./problem.ts";

/** Between the version and the variant in a tag. */
const VARIANT = ";";

/** What cannot stand in a part of a tag: controls, spaces, double quotes, semicolons, and all beyond ASCII. */
const FOREIGN = /[^\x21\x23-\x3a\x3c-\x7e]/gu;

/**
 * A strong entity tag: it changes whenever the answer's bytes may change. With it goes, where it is known,
 * the time of the last change.
 *
 * It is a version, and a variant where one version looks different to different callers. A caller may change
 * what it has seen in whatever variant, so that `If-Match` looks at the version only.
 */
export class ETag {
  private constructor(
    private readonly version: string,
    private readonly opaque: string,
    /** When it was changed last, in seconds of Unix time. */
    readonly modifiedS: number | undefined,
  ) {}

  /** A tag from a value, such as a row's version. What cannot stand in a tag is replaced by `_`. */
  static strong(version: string | number | bigint): ETag {
    const cleaned = clean(version);
    return new ETag(cleaned, cleaned, undefined);
  }

  /** The tag of one of several looks of the same version, such as what a caller sees that others do not. */
  variant(variant: string | number | bigint): ETag {
    return new ETag(this.version, this.version + VARIANT + clean(variant), this.modifiedS);
  }

  /** With the time of the last change, in Unix milliseconds. `Last-Modified` counts whole seconds: a time
   * within this second is left out, because a second change in it could not be told from the first. */
  modified(unixMs: number): ETag {
    const seconds = Math.floor(unixMs / 1000);
    const isOver = seconds >= 0 && Math.floor(clock.nowMs() / 1000) > seconds;
    return new ETag(this.version, this.opaque, isOver ? seconds : undefined);
  }

  /** The tag as it is sent. */
  toString(): string {
    return `"${this.opaque}"`;
  }

  /** The headers that tell it. */
  headers(): [string, string][] {
    const tag: [string, string] = ["etag", this.toString()];
    return this.modifiedS === undefined ? [tag] : [tag, ["last-modified", formatDate(this.modifiedS)]];
  }

  /** Whether an opaque tag stands for this very look. */
  is(tag: string): boolean {
    return tag === this.opaque;
  }

  /** Whether an opaque tag stands for this version, in whatever variant. */
  isOfVersion(tag: string): boolean {
    return tag.split(VARIANT, 1)[0] === this.version;
  }
}

function clean(value: string | number | bigint): string {
  return String(value).replace(FOREIGN, "_");
}

/** Tags that a header lists; `*` is whatever exists. */
export type Tags = "*" | { isWeak: boolean; tag: string }[];

/** A list, with the empty elements that the standard tolerates. */
const LIST = /^[ \t,]*(?:(?:W\/)?"[^"]*"[ \t]*(?:,[ \t,]*|$))*$/;
const TAG = /(W\/)?"([^"]*)"/g;

/** Reads the lines of a header; none when it is absent, 400 when it is malformed. */
export function readTags(lines: string[]): Tags | undefined {
  if (lines.length === 0) return undefined;
  if (lines.length === 1 && lines[0]!.trim() === "*") return "*";
  if (!lines.every((line) => LIST.test(line))) {
    throw Problem.badRequest('A list of entity tags is malformed: tags are written `"…"`.');
  }
  const found = lines.flatMap((line) => [...line.matchAll(TAG)]);
  return found.map(([, weak, tag]) => ({ isWeak: weak !== undefined, tag: tag! }));
}

/** The comparison of `If-Match`: a weak tag matches nothing. */
export function matchesStrongly(tags: Tags, current: ETag): boolean {
  return tags === "*" || tags.some(({ isWeak, tag }) => !isWeak && current.isOfVersion(tag));
}

/** The comparison of `If-None-Match`: weak or not does not matter. */
export function matchesWeakly(tags: Tags, current: ETag): boolean {
  return tags === "*" || tags.some(({ tag }) => current.is(tag));
}
