/** HTTP's way of writing dates (RFC 9110, section 5.6.7), to the second. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The last second that can be written; it stands for all that come after it. */
const LAST_S = 253_402_300_799;

/** The three forms, with the places of year, month, day, hour, minute and second in each. */
const FORMS: [RegExp, number[]][] = [
  [/^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/, [3, 2, 1, 4, 5, 6]],
  [/^[A-Z][a-z]{5,8}, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/, [3, 2, 1, 4, 5, 6]],
  [/^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/, [6, 1, 2, 3, 4, 5]],
];

/** Reads a date in any of the three forms, in seconds of Unix time; none when it is no date, which a
 * recipient ignores. */
export function parseDate(text: string): number | undefined {
  for (const [form, places] of FORMS) {
    const found = form.exec(text);
    if (found === null) continue;
    const [year, month, day, hour, minute, second] = places.map((place) => found[place]!);
    return secondsOf(fullYear(year!), MONTHS.indexOf(month!), Number(day), [hour!, minute!, second!]);
  }
  return undefined;
}

/** Of two digits, those below 70 are years of this century. */
function fullYear(digits: string): number {
  const year = Number(digits);
  if (digits.length > 2) return year;
  return year < 70 ? 2000 + year : 1900 + year;
}

function secondsOf(year: number, month: number, day: number, time: string[]): number | undefined {
  const [hour, minute, second] = time.map(Number);
  const unixMs = Date.UTC(year, month, day, hour, minute, second);
  const date = new Date(unixMs);
  // A day or an hour that there is not would count as one of the next month or day.
  const exists = month >= 0 && date.getUTCDate() === day && date.getUTCHours() === hour;
  return exists && unixMs >= 0 ? unixMs / 1000 : undefined;
}

/** Writes seconds of Unix time. */
export function formatDate(unixS: number): string {
  return new Date(Math.min(unixS, LAST_S) * 1000).toUTCString();
}
