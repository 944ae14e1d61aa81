/** Bytes that come over the boundary. SpiderMonkey's bindings have globals of their own, and what they make
 * is a `Uint8Array` of theirs: `instanceof` does not know it. */

/** The same bytes as a `Uint8Array` of the plugin's, without a copy. */
export function own(bytes: Uint8Array): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  const { buffer, byteOffset, byteLength } = bytes as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
