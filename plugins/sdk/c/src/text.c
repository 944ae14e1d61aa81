/* Texts, and the writing of texts and JSON. */
#include <string.h>

#include "internal.h"

caplet_text caplet_text_of(const char *string) {
    return (caplet_text){string, string == NULL ? 0 : strlen(string)};
}

bool caplet_text_equal(caplet_text one, caplet_text other) {
    return one.length_bytes == other.length_bytes
        && (one.length_bytes == 0 || memcmp(one.data, other.data, one.length_bytes) == 0);
}

/* Most names differ in their first character: nothing is counted before that is known. */
bool caplet_internal_is(caplet_text text, const char *name) {
    if (name == NULL) {
        return text.length_bytes == 0;
    }
    size_t at = 0;
    while (at < text.length_bytes && name[at] != 0 && text.data[at] == name[at]) {
        at++;
    }
    return at == text.length_bytes && name[at] == 0;
}

size_t caplet_text_characters(caplet_text text) {
    size_t count = 0;
    for (size_t at = 0; at < text.length_bytes; at++) {
        count += ((unsigned char)text.data[at] & 0xc0) != 0x80;
    }
    return count;
}

caplet_text caplet_written(const caplet_writer *writer) {
    return (caplet_text){writer->data, writer->length_bytes};
}

static char *room(caplet_writer *writer, size_t bytes) {
    size_t needed = writer->length_bytes + bytes;
    if (needed > writer->capacity_bytes) {
        size_t capacity = writer->capacity_bytes * 2 > needed ? writer->capacity_bytes * 2 : needed + 64;
        char *data = caplet_allocate(capacity);
        if (writer->length_bytes > 0) {
            memcpy(data, writer->data, writer->length_bytes);
        }
        writer->data = data;
        writer->capacity_bytes = capacity;
    }
    char *at = writer->data + writer->length_bytes;
    writer->length_bytes = needed;
    return at;
}

void caplet_put(caplet_writer *writer, caplet_text text) {
    if (text.length_bytes > 0) {
        memcpy(room(writer, text.length_bytes), text.data, text.length_bytes);
    }
}

void caplet_put_string(caplet_writer *writer, const char *string) {
    caplet_put(writer, caplet_text_of(string));
}

static void put_byte(caplet_writer *writer, char byte) {
    *room(writer, 1) = byte;
}

void caplet_put_integer(caplet_writer *writer, int64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    /* The smallest integer has no positive counterpart. */
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        put_byte(writer, '-');
    }
    caplet_put(writer, (caplet_text){digits + at, sizeof digits - at});
}

/* A comma, where a value follows another one. A text ends in a quote, so that no last byte of a value
 * looks like one after which none is needed. */
static void separate(caplet_writer *writer) {
    if (writer->length_bytes > 0
        && memchr("{[:,", writer->data[writer->length_bytes - 1], 4) == NULL) {
        put_byte(writer, ',');
    }
}

void caplet_json_open(caplet_writer *writer, char bracket) {
    separate(writer);
    put_byte(writer, bracket);
}

void caplet_json_close(caplet_writer *writer, char bracket) {
    put_byte(writer, bracket);
}

static void put_escaped(caplet_writer *writer, unsigned char byte) {
    static const char hexadecimal[] = "0123456789abcdef";
    if (byte == '"' || byte == '\\') {
        put_byte(writer, '\\');
        put_byte(writer, (char)byte);
    } else if (byte == '\n') {
        caplet_put_string(writer, "\\n");
    } else {
        caplet_put_string(writer, "\\u00");
        put_byte(writer, hexadecimal[byte >> 4]);
        put_byte(writer, hexadecimal[byte & 15]);
    }
}

void caplet_json_text(caplet_writer *writer, caplet_text value) {
    separate(writer);
    put_byte(writer, '"');
    size_t begin = 0;
    for (size_t at = 0; at < value.length_bytes; at++) {
        unsigned char byte = (unsigned char)value.data[at];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            caplet_put(writer, (caplet_text){value.data + begin, at - begin});
            put_escaped(writer, byte);
            begin = at + 1;
        }
    }
    caplet_put(writer, (caplet_text){value.data + begin, value.length_bytes - begin});
    put_byte(writer, '"');
}

void caplet_json_string(caplet_writer *writer, const char *value) {
    caplet_json_text(writer, caplet_text_of(value));
}

void caplet_json_name(caplet_writer *writer, const char *name) {
    caplet_json_string(writer, name);
    put_byte(writer, ':');
}

void caplet_json_integer(caplet_writer *writer, int64_t value) {
    separate(writer);
    caplet_put_integer(writer, value);
}

void caplet_json_bool(caplet_writer *writer, bool value) {
    separate(writer);
    caplet_put_string(writer, value ? "true" : "false");
}

void caplet_json_null(caplet_writer *writer) {
    separate(writer);
    caplet_put_string(writer, "null");
}

void caplet_json_raw(caplet_writer *writer, caplet_text value) {
    separate(writer);
    caplet_put(writer, value);
}

caplet_text caplet_internal_join(const char *before, caplet_text middle, const char *after) {
    caplet_writer writer = {0};
    caplet_put_string(&writer, before);
    caplet_put(&writer, middle);
    caplet_put_string(&writer, after);
    return caplet_written(&writer);
}
