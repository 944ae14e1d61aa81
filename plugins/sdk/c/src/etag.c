/* Entity tags, and the conditions that requests put on them (RFC 9110, sections 8.8 and 13). */
#include <string.h>

#include "internal.h"

/* Between the version and the variant in a tag. */
#define VARIANT ';'

const char *const caplet_internal_conditions[] = {
    "if-match", "if-none-match", "if-unmodified-since", "if-modified-since", NULL,
};

/* A value as part of a tag. A character of several bytes becomes one `_`. */
static void put_cleaned(caplet_writer *writer, caplet_text value) {
    for (size_t at = 0; at < value.length_bytes; at++) {
        unsigned char byte = (unsigned char)value.data[at];
        bool is_part = byte > ' ' && byte < 0x7f && byte != '"' && byte != VARIANT;
        if (is_part) {
            caplet_put(writer, (caplet_text){value.data + at, 1});
        } else if ((byte & 0xc0) != 0x80) {
            caplet_put_string(writer, "_");
        }
    }
}

static caplet_text version_of(caplet_text opaque) {
    const char *end =
        opaque.length_bytes == 0 ? NULL : memchr(opaque.data, VARIANT, opaque.length_bytes);
    return end == NULL ? opaque : (caplet_text){opaque.data, (size_t)(end - opaque.data)};
}

caplet_etag caplet_etag_of(caplet_text version) {
    caplet_writer opaque = {0};
    put_cleaned(&opaque, version);
    return (caplet_etag){.opaque = caplet_written(&opaque)};
}

caplet_etag caplet_etag_of_integer(int64_t version) {
    caplet_writer opaque = {0};
    caplet_put_integer(&opaque, version);
    return (caplet_etag){.opaque = caplet_written(&opaque)};
}

caplet_etag caplet_etag_variant(caplet_etag etag, caplet_text variant) {
    caplet_writer opaque = {0};
    caplet_put(&opaque, version_of(etag.opaque));
    caplet_put_string(&opaque, (const char[]){VARIANT, 0});
    put_cleaned(&opaque, variant);
    etag.opaque = caplet_written(&opaque);
    return etag;
}

caplet_etag caplet_etag_modified(caplet_etag etag, int64_t modified_ms) {
    bool is_over = modified_ms > 0 && caplet_now_ms() / 1000 > modified_ms / 1000;
    etag.modified_s = is_over ? modified_ms / 1000 : 0;
    return etag;
}

caplet_answer caplet_with_etag(caplet_answer answer, caplet_etag etag) {
    if (answer.status >= 400) {
        return answer;
    }
    answer = caplet_with_header(answer, "etag", caplet_internal_join("\"", etag.opaque, "\""));
    if (etag.modified_s > 0) {
        caplet_text date = caplet_internal_date(etag.modified_s);
        answer = caplet_with_header(answer, "last-modified", date);
    }
    return answer;
}

/* One tag of a list. */
typedef struct listed_tag {
    bool is_weak;
    caplet_text opaque;
} listed_tag;

static bool is_one_of(char byte, const char *bytes) {
    return byte != 0 && strchr(bytes, byte) != NULL;
}

static void skip(caplet_text *rest, const char *bytes) {
    while (rest->length_bytes > 0 && is_one_of(*rest->data, bytes)) {
        rest->data++;
        rest->length_bytes--;
    }
}

static bool take(caplet_text *rest, const char *prefix) {
    size_t length = strlen(prefix);
    if (rest->length_bytes < length || memcmp(rest->data, prefix, length) != 0) {
        return false;
    }
    rest->data += length;
    rest->length_bytes -= length;
    return true;
}

/* Takes the next tag from `"a", W/"b"`, which may have empty elements. False at the end, where `rest`
 * is empty, and where the list is malformed, where it is not. */
static bool next_tag(caplet_text *rest, listed_tag *tag) {
    skip(rest, " \t,");
    caplet_text line = *rest;
    tag->is_weak = take(&line, "W/");
    if (!take(&line, "\"")) {
        return false;
    }
    const char *end = line.length_bytes == 0 ? NULL : memchr(line.data, '"', line.length_bytes);
    if (end == NULL) {
        return false;
    }
    tag->opaque = (caplet_text){line.data, (size_t)(end - line.data)};
    line = (caplet_text){end + 1, line.length_bytes - tag->opaque.length_bytes - 1};
    skip(&line, " \t");
    if (line.length_bytes > 0 && *line.data != ',') {
        return false;
    }
    *rest = line;
    return true;
}

static size_t lines_of(const caplet_request *request, const char *name) {
    size_t count = 0;
    for (size_t at = 0; at < request->headers.count; at++) {
        count += caplet_internal_is(request->headers.data[at].name, name);
    }
    return count;
}

/* Whether a header is `*`, which stands for whatever exists. */
static bool is_any(const caplet_request *request, const char *name) {
    caplet_text line = caplet_header(request, name);
    skip(&line, " \t");
    bool has_star = take(&line, "*");
    skip(&line, " \t");
    return has_star && line.length_bytes == 0 && lines_of(request, name) == 1;
}

typedef bool (*comparison)(const listed_tag *tag, const caplet_etag *current);

/* The comparison of `If-Match`: a weak tag matches nothing, and a version in any variant does. */
static bool strongly(const listed_tag *tag, const caplet_etag *current) {
    return !tag->is_weak
        && caplet_text_equal(version_of(tag->opaque), version_of(current->opaque));
}

/* The comparison of `If-None-Match`: weak or not does not matter. */
static bool weakly(const listed_tag *tag, const caplet_etag *current) {
    return caplet_text_equal(tag->opaque, current->opaque);
}

/* Whether one of the tags in the lines of a header is the current one. */
static bool matches(
    const caplet_request *request, const char *name, comparison same, const caplet_etag *current) {
    listed_tag tag;
    if (is_any(request, name)) {
        return true;
    }
    for (size_t at = 0; at < request->headers.count; at++) {
        if (!caplet_internal_is(request->headers.data[at].name, name)) {
            continue;
        }
        caplet_text rest = request->headers.data[at].value;
        while (next_tag(&rest, &tag)) {
            if (same(&tag, current)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_well_formed(const caplet_request *request, const char *name) {
    listed_tag tag;
    if (is_any(request, name)) {
        return true;
    }
    for (size_t at = 0; at < request->headers.count; at++) {
        caplet_text rest = request->headers.data[at].value;
        if (!caplet_internal_is(request->headers.data[at].name, name)) {
            continue;
        }
        while (next_tag(&rest, &tag)) {
        }
        if (rest.length_bytes > 0) {
            return false;
        }
    }
    return true;
}

bool caplet_internal_read_conditions(const caplet_request *request, caplet_answer *answer) {
    bool fits = is_well_formed(request, "if-match") && is_well_formed(request, "if-none-match");
    if (!fits) {
        *answer = caplet_problem(
            400, "bad-request", "A list of entity tags is malformed: tags are written `\"…\"`.");
    }
    return fits;
}

static bool refuse(caplet_answer *answer, const char *detail) {
    *answer = caplet_problem(412, "precondition-failed", detail);
    return false;
}

/* Whether what a date says of the last change is so; `otherwise` where one of the two is not known. */
static bool is_unchanged_since(
    const caplet_request *request, const char *name, const caplet_etag *current, bool otherwise) {
    int64_t since = caplet_internal_read_date(caplet_header(request, name));
    return since == 0 || current->modified_s == 0 ? otherwise : current->modified_s <= since;
}

static bool check_match(
    const caplet_request *request, const caplet_etag *current, caplet_answer *answer) {
    /* A tag is more exact than a date. */
    bool is_same = lines_of(request, "if-match") > 0
        ? matches(request, "if-match", strongly, current)
        : is_unchanged_since(request, "if-unmodified-since", current, true);
    return is_same || refuse(answer, "This was changed since it was read.");
}

bool caplet_may_read(const caplet_request *request, caplet_etag current, caplet_answer *answer) {
    if (!check_match(request, &current, answer)) {
        return false;
    }
    bool is_known = lines_of(request, "if-none-match") > 0
        ? matches(request, "if-none-match", weakly, &current)
        : is_unchanged_since(request, "if-modified-since", &current, false);
    if (is_known) {
        *answer = caplet_with_etag(caplet_answer_empty(304), current);
    }
    return !is_known;
}

bool caplet_may_change(const caplet_request *request, caplet_etag current, caplet_answer *answer) {
    if (!check_match(request, &current, answer)) {
        return false;
    }
    return !matches(request, "if-none-match", weakly, &current)
        || refuse(answer, "This exists in the version it must not have.");
}

bool caplet_may_change_knowingly(
    const caplet_request *request, caplet_etag current, caplet_answer *answer) {
    if (lines_of(request, "if-match") == 0) {
        *answer = caplet_problem(
            428, "precondition-required", "Send `If-Match` with the current `ETag`.");
        return false;
    }
    return caplet_may_change(request, current, answer);
}
