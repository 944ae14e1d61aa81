/* The reading of JSON (RFC 8259): strict, and bounded in depth. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DEPTH_MAX 100

typedef struct reader {
    const unsigned char *at, *end;
    const char *reason;
    int depth;
} reader;

static bool read_value(reader *reader, caplet_json *value);

static bool wrong(reader *reader, const char *reason) {
    reader->reason = reason;
    return false;
}

static void skip_space(reader *reader) {
    while (reader->at < reader->end && *reader->at != 0 && strchr(" \t\r\n", *reader->at) != NULL) {
        reader->at++;
    }
}

static bool take(reader *reader, char byte) {
    skip_space(reader);
    if (reader->at < reader->end && *reader->at == (unsigned char)byte) {
        reader->at++;
        return true;
    }
    return false;
}

static bool read_word(reader *reader, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) {
        return wrong(reader, "a value is expected");
    }
    reader->at += length;
    return true;
}

static bool read_hexadecimal(reader *reader, uint32_t *unit) {
    *unit = 0;
    for (int n = 0; n < 4; n++) {
        unsigned char digit = reader->at < reader->end ? *reader->at++ : 0;
        unsigned char letter = digit | 0x20;
        if (digit >= '0' && digit <= '9') {
            *unit = *unit << 4 | (uint32_t)(digit - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            *unit = *unit << 4 | (uint32_t)(letter - 'a' + 10);
        } else {
            return wrong(reader, "an escape has four hexadecimal digits");
        }
    }
    return true;
}

static char *put_character(char *to, uint32_t character) {
    if (character < 0x80) {
        *to++ = (char)character;
    } else if (character < 0x800) {
        *to++ = (char)(0xc0 | character >> 6);
        *to++ = (char)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        *to++ = (char)(0xe0 | character >> 12);
        *to++ = (char)(0x80 | (character >> 6 & 0x3f));
        *to++ = (char)(0x80 | (character & 0x3f));
    } else {
        *to++ = (char)(0xf0 | character >> 18);
        *to++ = (char)(0x80 | (character >> 12 & 0x3f));
        *to++ = (char)(0x80 | (character >> 6 & 0x3f));
        *to++ = (char)(0x80 | (character & 0x3f));
    }
    return to;
}

static bool read_unicode(reader *reader, char **to) {
    uint32_t unit, low;
    if (!read_hexadecimal(reader, &unit)) {
        return false;
    }
    if (unit >= 0xd800 && unit < 0xe000) {
        bool has_low = unit < 0xdc00 && reader->end - reader->at >= 6 && reader->at[0] == '\\'
            && reader->at[1] == 'u';
        reader->at += has_low ? 2 : 0;
        if (!has_low || !read_hexadecimal(reader, &low) || low < 0xdc00 || low >= 0xe000) {
            return wrong(reader, "an escape is half of a character");
        }
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_character(*to, unit);
    return true;
}

static bool read_escape(reader *reader, char **to) {
    static const char known[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    unsigned char escape = reader->at < reader->end ? *reader->at++ : 0;
    if (escape == 'u') {
        return read_unicode(reader, to);
    }
    const char *place = escape == 0 ? NULL : strchr(known, escape);
    if (place == NULL) {
        return wrong(reader, "there is no such escape");
    }
    *(*to)++ = meant[place - known];
    return true;
}

/* Text without escapes stays where it is; with them it is copied, which makes it shorter. */
static bool read_text(reader *reader, caplet_text *text) {
    const unsigned char *begin = reader->at;
    while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\'
           && *reader->at >= 0x20) {
        reader->at++;
    }
    if (reader->at < reader->end && *reader->at == '"') {
        *text = (caplet_text){(const char *)begin, (size_t)(reader->at++ - begin)};
        return true;
    }
    char *copy = caplet_allocate((size_t)(reader->end - begin)), *to = copy;
    memcpy(copy, begin, (size_t)(reader->at - begin));
    to += reader->at - begin;
    while (reader->at < reader->end && *reader->at >= 0x20) {
        unsigned char byte = *reader->at++;
        if (byte == '"') {
            *text = (caplet_text){copy, (size_t)(to - copy)};
            return true;
        }
        if (byte != '\\') {
            *to++ = (char)byte;
        } else if (!read_escape(reader, &to)) {
            return false;
        }
    }
    return wrong(reader, "a text does not end");
}

static void skip_digits(reader *reader, size_t *count) {
    for (*count = 0; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; ++*count) {
        reader->at++;
    }
}

bool caplet_internal_whole_number(caplet_text text, int64_t *value) {
    bool negative = text.length_bytes > 0 && text.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, sum = 0;
    if (text.length_bytes <= negative) {
        return false;
    }
    for (size_t at = negative; at < text.length_bytes; at++) {
        unsigned digit = (unsigned char)text.data[at] - (unsigned)'0';
        if (digit > 9 || sum > (limit - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

static bool read_number(reader *reader, caplet_json *value) {
    const unsigned char *begin = reader->at;
    size_t digits, more = 1;
    reader->at += *reader->at == '-';
    const unsigned char *whole = reader->at;
    skip_digits(reader, &digits);
    bool is_whole = true;
    if (reader->at < reader->end && *reader->at == '.') {
        is_whole = false;
        reader->at++;
        skip_digits(reader, &more);
    }
    if (more > 0 && reader->at < reader->end && (*reader->at | 0x20) == 'e') {
        is_whole = false;
        reader->at++;
        reader->at += reader->at < reader->end && (*reader->at == '+' || *reader->at == '-');
        skip_digits(reader, &more);
    }
    if (digits == 0 || more == 0 || (digits > 1 && *whole == '0')) {
        return wrong(reader, "a value is expected");
    }
    caplet_text text = {(const char *)begin, (size_t)(reader->at - begin)};
    char *copy = caplet_allocate(text.length_bytes + 1);
    memcpy(copy, text.data, text.length_bytes);
    copy[text.length_bytes] = 0;
    value->real = strtod(copy, NULL);
    is_whole = is_whole && caplet_internal_whole_number(text, &value->integer);
    value->kind = is_whole ? CAPLET_JSON_INTEGER : CAPLET_JSON_REAL;
    return true;
}

/* The items of an array or the members of an object, up to the closing bracket. */
static bool read_parts(reader *reader, caplet_json *value, char close) {
    const caplet_json **link = &value->first;
    if (++reader->depth > DEPTH_MAX) {
        return wrong(reader, "it is too deep");
    }
    if (take(reader, close)) {
        reader->depth--;
        return true;
    }
    do {
        caplet_json *part = caplet_allocate(sizeof *part);
        caplet_text name = {0};
        skip_space(reader);
        if (close == '}'
            && (!take(reader, '"') || !read_text(reader, &name) || !take(reader, ':'))) {
            return wrong(reader, "a member is a name, a colon and a value");
        }
        if (!read_value(reader, part)) {
            return false;
        }
        part->name = name;
        *link = part;
        link = &part->next;
        value->count++;
    } while (take(reader, ','));
    reader->depth--;
    return take(reader, close) || wrong(reader, "a comma or a closing bracket is expected");
}

static bool read_value(reader *reader, caplet_json *value) {
    memset(value, 0, sizeof *value);
    skip_space(reader);
    if (reader->at >= reader->end) {
        return wrong(reader, "it ends too early");
    }
    switch (*reader->at) {
        case 'n': return read_word(reader, "null");
        case 't':
        case 'f':
            value->kind = CAPLET_JSON_BOOL;
            value->boolean = *reader->at == 't';
            return read_word(reader, value->boolean ? "true" : "false");
        case '"':
            reader->at++;
            value->kind = CAPLET_JSON_TEXT;
            return read_text(reader, &value->text);
        case '[':
        case '{':
            value->kind = *reader->at == '[' ? CAPLET_JSON_ARRAY : CAPLET_JSON_OBJECT;
            return read_parts(reader, value, *reader->at++ == '[' ? ']' : '}');
        default: return read_number(reader, value);
    }
}

/* Whether bytes are UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf_8(caplet_text text) {
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.length_bytes;
    while (at < end) {
        unsigned char byte = *at++;
        if (byte < 0x80) {
            continue;
        }
        int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
        if (byte < 0xc2 || byte > 0xf4 || end - at < more) {
            return false;
        }
        if ((byte == 0xe0 && *at < 0xa0) || (byte == 0xed && *at > 0x9f)
            || (byte == 0xf0 && *at < 0x90) || (byte == 0xf4 && *at > 0x8f)) {
            return false;
        }
        for (; more > 0; more--) {
            if ((*at++ & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

const caplet_json *caplet_json_read(caplet_text text, const char **reason) {
    const unsigned char *begin = (const unsigned char *)text.data;
    reader reader = {begin, begin + text.length_bytes, "there is more behind it", 0};
    caplet_json *value = caplet_allocate(sizeof *value);
    if (!is_utf_8(text)) {
        *reason = "it is not UTF-8";
        return NULL;
    }
    bool is_read = read_value(&reader, value);
    skip_space(&reader);
    if (is_read && reader.at == reader.end) {
        return value;
    }
    *reason = reader.reason;
    return NULL;
}

const caplet_json *caplet_json_member(const caplet_json *json, const char *name) {
    if (json == NULL || json->kind != CAPLET_JSON_OBJECT) {
        return NULL;
    }
    const caplet_json *part = json->first;
    while (part != NULL && !caplet_internal_is(part->name, name)) {
        part = part->next;
    }
    return part;
}

caplet_text caplet_member_text(const caplet_json *json, const char *name, caplet_text otherwise) {
    const caplet_json *member = caplet_json_member(json, name);
    return member != NULL && member->kind == CAPLET_JSON_TEXT ? member->text : otherwise;
}

int64_t caplet_member_integer(const caplet_json *json, const char *name, int64_t otherwise) {
    const caplet_json *member = caplet_json_member(json, name);
    return member != NULL && member->kind == CAPLET_JSON_INTEGER ? member->integer : otherwise;
}

bool caplet_member_bool(const caplet_json *json, const char *name, bool otherwise) {
    const caplet_json *member = caplet_json_member(json, name);
    return member != NULL && member->kind == CAPLET_JSON_BOOL ? member->boolean : otherwise;
}
