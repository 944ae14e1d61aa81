/* What a route says of its requests, held before its handler is called: the query, the path's
 * parameters, and the body. */
#include <string.h>

#include "internal.h"

#define LIMIT_DEFAULT 25
#define LIMIT_MAX 100

caplet_text caplet_find(caplet_pairs pairs, const char *name) {
    for (size_t at = 0; at < pairs.count; at++) {
        if (caplet_internal_is(pairs.data[at].name, name)) {
            return pairs.data[at].value;
        }
    }
    return (caplet_text){NULL, 0};
}

caplet_text caplet_path(const caplet_request *request, const char *name) {
    return caplet_find(request->parameters, name);
}

caplet_text caplet_query_parameter(const caplet_request *request, const char *name) {
    return caplet_find(request->query, name);
}

caplet_text caplet_header(const caplet_request *request, const char *name) {
    return caplet_find(request->headers, name);
}

int64_t caplet_integer_of(caplet_text text) {
    int64_t value = 0;
    return caplet_internal_whole_number(text, &value) ? value : 0;
}

/* A problem whose detail names a parameter between two texts. */
static bool refuse(
    caplet_answer *answer, const char *code, const char *before, caplet_text name, const char *after) {
    caplet_text detail = caplet_internal_join(before, name, after);
    char *string = caplet_allocate(detail.length_bytes + 1);
    memcpy(string, detail.data, detail.length_bytes);
    string[detail.length_bytes] = 0;
    *answer = caplet_problem(400, code, string);
    return false;
}

static bool fits(caplet_type type, caplet_text text) {
    int64_t number;
    const char *reason;
    switch (type) {
        case CAPLET_INTEGER: return caplet_internal_whole_number(text, &number);
        case CAPLET_REAL: {
            const caplet_json *json = caplet_json_read(text, &reason);
            return json != NULL
                && (json->kind == CAPLET_JSON_REAL || json->kind == CAPLET_JSON_INTEGER);
        }
        case CAPLET_BOOL:
            return caplet_internal_is(text, "true") || caplet_internal_is(text, "false");
        default: return true;
    }
}

static size_t times(caplet_pairs pairs, const char *name) {
    size_t count = 0;
    for (size_t at = 0; at < pairs.count; at++) {
        count += caplet_internal_is(pairs.data[at].name, name);
    }
    return count;
}

static bool is_known(const caplet_route *route, caplet_text name) {
    if (route->any_query
        || (route->pages
            && (caplet_internal_is(name, "limit") || caplet_internal_is(name, "cursor")))) {
        return true;
    }
    for (const caplet_shape *shape = route->query; shape != NULL && shape->name != NULL; shape++) {
        if (caplet_internal_is(name, shape->name)) {
            return true;
        }
    }
    return false;
}

static bool read_query(
    const caplet_route *route, const caplet_request *request, caplet_answer *answer) {
    static const char before[] = "The query parameter `";
    for (const caplet_shape *shape = route->query; shape != NULL && shape->name != NULL; shape++) {
        caplet_text name = caplet_text_of(shape->name);
        size_t count = times(request->query, shape->name);
        if (count > 1 && shape->type != CAPLET_ARRAY) {
            return refuse(answer, "bad-query", before, name, "` is given more than once.");
        }
        if (count == 0 && !shape->optional) {
            return refuse(answer, "bad-query", before, name, "` is missing.");
        }
        if (count == 1 && !fits(shape->type, caplet_find(request->query, shape->name))) {
            return refuse(answer, "bad-query", before, name, "` does not fit its type.");
        }
    }
    for (size_t at = 0; at < request->query.count; at++) {
        caplet_text name = request->query.data[at].name;
        if (!is_known(route, name)) {
            return refuse(
                answer, "unknown-parameter", "There is no query parameter `", name, "` here.");
        }
    }
    return true;
}

static bool read_page(const caplet_route *route, caplet_request *request, caplet_answer *answer) {
    caplet_text limit = caplet_query_parameter(request, "limit");
    caplet_text cursor = caplet_query_parameter(request, "cursor");
    request->limit = LIMIT_DEFAULT;
    bool fits = limit.data == NULL
        || (caplet_internal_whole_number(limit, &request->limit) && request->limit >= 1
            && request->limit <= LIMIT_MAX);
    if (!fits || times(request->query, "limit") > 1 || times(request->query, "cursor") > 1) {
        *answer = caplet_problem(
            400, "bad-query", "The query parameter `limit` must be a whole number from 1 to 100.");
        return false;
    }
    if (cursor.data != NULL) {
        request->after = caplet_internal_cursor(cursor, route->order);
        if (request->after == NULL) {
            *answer = caplet_problem(400, "bad-cursor", "The cursor was not made for this list.");
            return false;
        }
    }
    return true;
}

static char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

static bool ends_with(caplet_text text, const char *end) {
    size_t length = strlen(end);
    if (text.length_bytes < length) {
        return false;
    }
    const char *at = text.data + text.length_bytes - length;
    for (size_t n = 0; n < length; n++) {
        if (lower(at[n]) != end[n]) {
            return false;
        }
    }
    return true;
}

static bool is_json(caplet_text type) {
    const char *semicolon = type.length_bytes > 0 ? memchr(type.data, ';', type.length_bytes) : NULL;
    if (semicolon != NULL) {
        type.length_bytes = (size_t)(semicolon - type.data);
    }
    while (type.length_bytes > 0 && type.data[type.length_bytes - 1] == ' ') {
        type.length_bytes--;
    }
    return ends_with(type, "+json")
        || (ends_with(type, "application/json") && type.length_bytes == strlen("application/json"));
}

static bool read_body(const caplet_route *route, caplet_request *request, caplet_answer *answer) {
    if (!is_json(caplet_header(request, "content-type"))) {
        *answer = caplet_problem(
            415, "unsupported-media-type", "The body must be sent as `application/json`.");
        return false;
    }
    const char *reason = "";
    request->json = caplet_json_read(request->body, &reason);
    if (request->json == NULL) {
        caplet_text why = caplet_text_of(reason);
        return refuse(answer, "malformed-json", "The body is not JSON: ", why, ".");
    }
    caplet_faults faults = {0};
    caplet_internal_check(route->body, request->json, (caplet_text){"", 0}, &faults);
    if (faults.count > 0) {
        *answer = caplet_internal_faults(&faults);
    }
    return faults.count == 0;
}

bool caplet_internal_read(
    const caplet_route *route, caplet_request *request, caplet_answer *answer) {
    for (const caplet_shape *shape = route->path; shape != NULL && shape->name != NULL; shape++) {
        if (!fits(shape->type, caplet_path(request, shape->name))) {
            caplet_text name = caplet_text_of(shape->name);
            return refuse(
                answer, "bad-path", "The path's parameter `", name, "` does not fit its type.");
        }
    }
    return (!route->pages || read_page(route, request, answer))
        && read_query(route, request, answer)
        && (!route->conditional || caplet_internal_read_conditions(request, answer))
        && (route->body == NULL || read_body(route, request, answer));
}
