/** Who the invocation acts for: always what the host verified. */
import * as host from "caplet:plugin/identity@0.1.0";

/** A verified caller. */
export type Caller = host.Caller;

/** The caller; none when the request had no token. */
export function current(): Caller | undefined {
  return host.current() ?? undefined;
}

/** The tenant of the invocation: the token's, or `default` without one. */
export function tenant(): string {
  return host.tenant();
}

/** Whether the caller holds a permission, by the operator's rules. */
export function permitted(permission: string): boolean {
  return host.permitted(permission);
}
