/**
 * Problems: the answers for what went wrong, as RFC 9457 documents. A problem is for the caller: it never
 * holds a statement, a stack or anything else from inside.
 */
import { Response } from "./answer.ts";
import { stringify } from "./json.ts";
import type { Fault } from "./shape.ts";

const WORDS: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Payload Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Entity",
  428: "Precondition Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

/** An answer that says what went wrong: `throw Problem.notFound("There is no such note.")`. */
export class Problem extends Error {
  private faults: Fault[] = [];
  private members: Record<string, unknown> = {};
  private headers: [string, string][] = [];

  /** `code` is stable and in kebab case, for programs; `detail` is a sentence for people. */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(`${status} ${code}: ${detail}`);
  }

  /** 400: the request cannot be read. */
  static badRequest(detail: string, code = "bad-request"): Problem {
    return new Problem(400, code, detail);
  }

  /** 401: there is no token. */
  static unauthorized(detail = "This needs a bearer token."): Problem {
    return new Problem(401, "token-missing", detail).withHeader("www-authenticate", "Bearer");
  }

  /** 403: the caller is known and may not do this. */
  static forbidden(detail: string, code = "forbidden"): Problem {
    return new Problem(403, code, detail);
  }

  /** 404: there is no such thing, or it is not visible to the caller. */
  static notFound(detail: string, code = "not-found"): Problem {
    return new Problem(404, code, detail);
  }

  /** 409: the state of things does not allow it. */
  static conflict(detail: string, code = "conflict"): Problem {
    return new Problem(409, code, detail);
  }

  /** 412: it is not what the caller believes it to be. */
  static preconditionFailed(detail: string): Problem {
    return new Problem(412, "precondition-failed", detail);
  }

  /** 422: the body does not fit, at these places. */
  static unprocessable(faults: Fault[]): Problem {
    const problem = new Problem(422, "unprocessable", "The body does not fit; see `errors`.");
    problem.faults = [...faults].sort((one, other) => (one.pointer < other.pointer ? -1 : 1));
    return problem;
  }

  /** 422 at one place of the body: a JSON pointer such as `/parent`. */
  static unprocessableAt(pointer: string, detail: string): Problem {
    return Problem.unprocessable([{ pointer, detail }]);
  }

  /** 503: not now; `retryAfterS` is the number of seconds to wait. */
  static unavailable(detail: string, retryAfterS: number): Problem {
    return new Problem(503, "unavailable", detail).withHeader("retry-after", String(retryAfterS));
  }

  /** 500: a bug. Says nothing to the caller; log the reason before. */
  static internal(): Problem {
    return new Problem(500, "internal", "The plugin failed. The reason is in the host's log.");
  }

  /** Adds a member to the document. */
  withMember(name: string, value: unknown): this {
    this.members[name] = value;
    return this;
  }

  /** Adds a header; `name` in lower case. */
  withHeader(name: string, value: string): this {
    this.headers.push([name, value]);
    return this;
  }

  /** The answer. */
  response(): Response {
    const document = {
      type: "about:blank",
      title: WORDS[this.status] ?? "Problem",
      status: this.status,
      code: this.code,
      detail: this.detail,
      ...(this.faults.length > 0 ? { errors: this.faults } : {}),
      ...this.members,
    };
    const headers: [string, string][] = [["content-type", "application/problem+json"], ...this.headers];
    return new Response({ status: this.status, headers, body: stringify(document) });
  }
}
