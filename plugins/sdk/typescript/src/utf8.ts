/** UTF-8, for engines without `TextEncoder` and `TextDecoder`; `caplet/component` offers them there. */

const REPLACEMENT = 0xfffd;

/** Text as UTF-8. Half of a surrogate pair becomes U+FFFD. */
export function encodeText(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let to = 0;
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code >= 0x80) {
      code = text.codePointAt(at)!;
      if (code >= 0x10000) at++;
      else if (code >= 0xd800 && code < 0xe000) code = REPLACEMENT;
    }
    if (code < 0x80) {
      bytes[to++] = code;
    } else if (code < 0x800) {
      bytes[to++] = 0xc0 | (code >> 6);
      bytes[to++] = 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      bytes[to++] = 0xe0 | (code >> 12);
      bytes[to++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[to++] = 0x80 | (code & 0x3f);
    } else {
      bytes[to++] = 0xf0 | (code >> 18);
      bytes[to++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[to++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[to++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes.slice(0, to);
}

/** How many bytes follow a first one, and the least code point they may make. */
function form(first: number): [number, number] | undefined {
  if (first >= 0xc2 && first < 0xe0) return [1, 0x80];
  if (first >= 0xe0 && first < 0xf0) return [2, 0x800];
  if (first >= 0xf0 && first < 0xf5) return [3, 0x10000];
  return undefined;
}

/** The code point that begins at a place, and its length; none when the bytes are not UTF-8. */
function sequence(bytes: Uint8Array, at: number): [number, number] | undefined {
  const found = form(bytes[at]!);
  if (found === undefined || at + found[0] >= bytes.length) return undefined;
  let code = bytes[at]! & (0x3f >> found[0]);
  for (let next = at + 1; next <= at + found[0]; next++) {
    if ((bytes[next]! & 0xc0) !== 0x80) return undefined;
    code = (code << 6) | (bytes[next]! & 0x3f);
  }
  const fits = code >= found[1] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return fits ? [code, found[0] + 1] : undefined;
}

/** UTF-8 as text. With `fatal`, what is not UTF-8 throws a `TypeError`; else it becomes U+FFFD. */
export function decodeText(bytes: Uint8Array, fatal = false): string {
  const parts: string[] = [];
  let codes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!;
    const found: [number, number] | undefined = first < 0x80 ? [first, 1] : sequence(bytes, at);
    if (found === undefined && fatal) throw new TypeError("it is not UTF-8");
    const [code, length] = found ?? [REPLACEMENT, 1];
    codes.push(code);
    at += length;
    // Functions take a bounded number of arguments.
    if (codes.length === 4096) {
      parts.push(String.fromCodePoint(...codes));
      codes = [];
    }
  }
  parts.push(String.fromCodePoint(...codes));
  return parts.join("");
}

/** Offers `TextEncoder` and `TextDecoder` for UTF-8 where the engine has none. */
export function polyfill(): void {
  const globals = globalThis as Record<string, unknown>;
  globals["TextEncoder"] ??= class {
    readonly encoding = "utf-8";
    encode(text = ""): Uint8Array {
      return encodeText(String(text));
    }
  };
  globals["TextDecoder"] ??= class {
    readonly encoding = "utf-8";
    readonly fatal: boolean;
    constructor(_label = "utf-8", options: { fatal?: boolean } = {}) {
      this.fatal = options.fatal ?? false;
    }
    decode(bytes: Uint8Array = new Uint8Array()): string {
      return decodeText(bytes, this.fatal);
    }
  };
}
