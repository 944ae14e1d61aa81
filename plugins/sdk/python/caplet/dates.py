"""HTTP's way of writing dates (RFC 9110, section 5.6.7), to the second."""

import re
from datetime import UTC, datetime

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

# The last second that can be written; it stands for all that come after it.
LAST_S = 253_402_300_799

_TIME = r"(?P<time>\d\d:\d\d:\d\d)"
_FORMS = [
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})"),
]


def parse(text: str) -> int | None:
    """Reads a date in any of the three forms, in seconds of Unix time; none when it is no date, which
    a recipient ignores."""
    for form in _FORMS:
        found = form.fullmatch(text) if text.isascii() else None
        if found is not None:
            return _seconds(found)
    return None


def _seconds(found: re.Match[str]) -> int | None:
    year = int(found["year"])
    if len(found["year"]) == 2:
        # Those below 70 are years of this century.
        year += 2000 if year < 70 else 1900
    try:
        month = MONTHS.index(found["month"]) + 1
        hour, minute, second = map(int, found["time"].split(":"))
        date = datetime(year, month, int(found["day"]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    unix_s = int(date.timestamp())
    return unix_s if unix_s >= 0 else None


def format(unix_s: int) -> str:
    """Writes seconds of Unix time."""
    date = datetime.fromtimestamp(min(unix_s, LAST_S), UTC)
    day, month = DAYS[date.weekday()], MONTHS[date.month - 1]
    time = f"{date.hour:02}:{date.minute:02}:{date.second:02}"
    return f"{day}, {date.day:02} {month} {date.year:04} {time} GMT"
