/* HTTP's way of writing dates (RFC 9110, section 5.6.7), to the second. */
#include <string.h>

#include "internal.h"

#define DAY_S 86400
/* The last second that can be written; it stands for all that come after it. */
#define LAST_S 253402300799

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

typedef struct date {
    int64_t year, month, day; /* the month counts from 1 */
} date;

/* Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March, so that the day that
 * some have more is their last one. */
static int64_t days_of(date date) {
    int64_t year = date.year - (date.month <= 2);
    int64_t month = (date.month + 9) % 12;
    return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + date.day - 1
        - 719468;
}

static date date_of(int64_t days) {
    int64_t year = (days + 719468) / 366;
    while (days_of((date){year + 1, 3, 1}) <= days) {
        year++;
    }
    int64_t left = days - days_of((date){year, 3, 1}), month = (left * 5 + 2) / 153;
    int64_t day = left - (month * 153 + 2) / 5 + 1;
    return (date){year + (month >= 10), (month + 2) % 12 + 1, day};
}

static void put_digits(caplet_writer *writer, int64_t number, int width) {
    for (int64_t power = width == 4 ? 1000 : 10; power > 0; power /= 10) {
        char digit = (char)('0' + number / power % 10);
        caplet_put(writer, (caplet_text){&digit, 1});
    }
}

caplet_text caplet_internal_date(int64_t unix_s) {
    static const char days[] = "ThuFriSatSunMonTueWed";
    caplet_writer writer = {0};
    unix_s = unix_s > LAST_S ? LAST_S : unix_s;
    date date = date_of(unix_s / DAY_S);
    caplet_put(&writer, (caplet_text){&days[unix_s / DAY_S % 7 * 3], 3});
    caplet_put_string(&writer, ", ");
    put_digits(&writer, date.day, 2);
    caplet_put_string(&writer, " ");
    caplet_put(&writer, (caplet_text){&months[(date.month - 1) * 3], 3});
    caplet_put_string(&writer, " ");
    put_digits(&writer, date.year, 4);
    caplet_put_string(&writer, " ");
    put_digits(&writer, unix_s % DAY_S / 3600, 2);
    caplet_put_string(&writer, ":");
    put_digits(&writer, unix_s % 3600 / 60, 2);
    caplet_put_string(&writer, ":");
    put_digits(&writer, unix_s % 60, 2);
    caplet_put_string(&writer, " GMT");
    return caplet_written(&writer);
}

/* What stands in the places of a form: `d` day, `m` month, `y` year, `h` hour, `n` minute, `s` second,
 * `a` any letter. All else stands for itself. */
typedef struct fields {
    int64_t day, month, year, hour, minute, second;
} fields;

static bool read_month(const char *at, int64_t *month) {
    for (*month = 1; *month <= 12; ++*month) {
        if (memcmp(at, &months[(*month - 1) * 3], 3) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t *field_of(fields *fields, char place) {
    switch (place) {
        case 'd': return &fields->day;
        case 'y': return &fields->year;
        case 'h': return &fields->hour;
        case 'n': return &fields->minute;
        case 's': return &fields->second;
        default: return NULL;
    }
}

static bool read_form(caplet_text text, const char *form, fields *found) {
    *found = (fields){0};
    if (text.length_bytes != strlen(form)) {
        return false;
    }
    for (size_t at = 0; form[at] != 0; at++) {
        char byte = text.data[at], letter = (char)(byte | 0x20);
        int64_t *field = field_of(found, form[at]);
        if (form[at] == 'm') {
            if (!read_month(text.data + at, &found->month)) {
                return false;
            }
            at += 2;
        } else if (form[at] == 'a') {
            if (letter < 'a' || letter > 'z') {
                return false;
            }
        } else if (field != NULL) {
            /* The third form has a space before a day of one digit. */
            bool is_space = byte == ' ' && form[at] == 'd' && *field == 0;
            if (!is_space && (byte < '0' || byte > '9')) {
                return false;
            }
            *field = *field * 10 + (is_space ? 0 : byte - '0');
        } else if (byte != form[at]) {
            return false;
        }
    }
    return true;
}

/* The form with two digits for the year has a day's whole name before it. */
static bool read_long_form(caplet_text text, fields *found) {
    const char *comma = text.length_bytes == 0 ? NULL : memchr(text.data, ',', text.length_bytes);
    if (comma == NULL || comma - text.data < 6 || comma - text.data > 9) {
        return false;
    }
    caplet_text rest = {comma, text.length_bytes - (size_t)(comma - text.data)};
    if (!read_form(rest, ", dd-mmm-yy hh:nn:ss GMT", found)) {
        return false;
    }
    /* Those below 70 are years of this century. */
    found->year += found->year < 70 ? 2000 : 1900;
    return true;
}

int64_t caplet_internal_read_date(caplet_text text) {
    fields found;
    bool fits = read_form(text, "aaa, dd mmm yyyy hh:nn:ss GMT", &found)
        || read_long_form(text, &found) || read_form(text, "aaa mmm dd hh:nn:ss yyyy", &found);
    if (!fits || found.hour > 23 || found.minute > 59 || found.second > 59) {
        return 0;
    }
    date date = {found.year, found.month, found.day};
    struct date same = date_of(days_of(date));
    /* A day that there is not would count as one of the next month. */
    bool exists = found.year >= 1970 && same.day == found.day && same.month == found.month;
    return exists ? days_of(date) * DAY_S + found.hour * 3600 + found.minute * 60 + found.second : 0;
}
