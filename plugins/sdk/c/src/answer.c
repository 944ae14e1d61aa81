/* Answers, problems (RFC 9457) and pages of lists with their cursors. */
#include <string.h>

#include "internal.h"

#define CURSOR_MAX_BYTES 1024
/* Raised when the form of a cursor changes, so that old ones are refused and not misread. */
#define CURSOR_VERSION 1

caplet_answer caplet_answer_empty(uint16_t status) {
    return (caplet_answer){.status = status};
}

caplet_answer caplet_with_header(caplet_answer answer, const char *name, caplet_text value) {
    caplet_pair *headers = caplet_allocate((answer.headers.count + 1) * sizeof *headers);
    if (answer.headers.count > 0) {
        memcpy(headers, answer.headers.data, answer.headers.count * sizeof *headers);
    }
    headers[answer.headers.count] = (caplet_pair){caplet_text_of(name), value};
    answer.headers = (caplet_pairs){headers, answer.headers.count + 1};
    return answer;
}

caplet_answer caplet_answer_bytes(uint16_t status, const char *media_type, caplet_text body) {
    caplet_answer answer = {.status = status, .body = body};
    return caplet_with_header(answer, "content-type", caplet_text_of(media_type));
}

caplet_answer caplet_answer_text(uint16_t status, caplet_text body) {
    return caplet_answer_bytes(status, "text/plain; charset=utf-8", body);
}

caplet_answer caplet_answer_json(uint16_t status, caplet_text body) {
    return caplet_answer_bytes(status, "application/json", body);
}

static const char *words_of(uint16_t status) {
    switch (status) {
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 409: return "Conflict";
        case 412: return "Precondition Failed";
        case 413: return "Payload Too Large";
        case 415: return "Unsupported Media Type";
        case 422: return "Unprocessable Entity";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        case 507: return "Insufficient Storage";
        default: return "Problem";
    }
}

caplet_answer caplet_problem_with(
    uint16_t status, const char *code, const char *detail, caplet_text members) {
    caplet_writer writer = {0};
    caplet_json_open(&writer, '{');
    caplet_json_name(&writer, "type");
    caplet_json_string(&writer, "about:blank");
    caplet_json_name(&writer, "title");
    caplet_json_string(&writer, words_of(status));
    caplet_json_name(&writer, "status");
    caplet_json_integer(&writer, status);
    caplet_json_name(&writer, "code");
    caplet_json_string(&writer, code);
    caplet_json_name(&writer, "detail");
    caplet_json_string(&writer, detail);
    if (members.length_bytes > 0) {
        caplet_json_raw(&writer, members);
    }
    caplet_json_close(&writer, '}');
    caplet_text body = caplet_written(&writer);
    caplet_answer answer = caplet_answer_bytes(status, "application/problem+json", body);
    return status == 503 ? caplet_with_header(answer, "retry-after", caplet_text_of("1")) : answer;
}

caplet_answer caplet_problem(uint16_t status, const char *code, const char *detail) {
    return caplet_problem_with(status, code, detail, (caplet_text){NULL, 0});
}

caplet_answer caplet_not_found(const char *detail) {
    return caplet_problem(404, "not-found", detail);
}

caplet_answer caplet_unprocessable(const char *pointer, caplet_text detail) {
    caplet_faults faults = {0};
    caplet_internal_fault(&faults, caplet_text_of(pointer), detail);
    return caplet_internal_faults(&faults);
}

static const char *const error_names[] = {
    "denied", "invalid",   "unique",    "foreign-key", "check",       "not-null",
    "read-only", "too-large", "timeout", "disk-full",   "unavailable",
};

const char *caplet_error_name(const caplet_error *error) {
    return error_names[error->kind];
}

caplet_answer caplet_failed(const caplet_error *error) {
    caplet_pair fields[] = {
        {caplet_text_of("kind"), caplet_text_of(caplet_error_name(error))},
        {caplet_text_of("error"), error->text},
    };
    switch (error->kind) {
        case CAPLET_ERROR_UNIQUE:
            return caplet_problem(409, "conflict", "There is such a thing already.");
        case CAPLET_ERROR_FOREIGN_KEY:
            return caplet_problem(409, "conflict", "It refers to something that does not exist.");
        case CAPLET_ERROR_TIMEOUT:
        case CAPLET_ERROR_UNAVAILABLE:
            caplet_log(
                CAPLET_WARN, caplet_text_of("the store did not answer"), (caplet_pairs){fields, 2});
            return caplet_problem(503, "unavailable", "The store is busy. Try again.");
        case CAPLET_ERROR_DISK_FULL:
            caplet_log(CAPLET_ERROR, caplet_text_of("the store is full"), (caplet_pairs){fields, 2});
            return caplet_problem(507, "disk-full", "There is no room left.");
        default:
            caplet_log(CAPLET_ERROR, caplet_text_of("a statement failed"), (caplet_pairs){fields, 2});
            return caplet_problem(
                500, "internal", "The plugin failed. The reason is in the host's log.");
    }
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Base64url without padding (RFC 4648, section 5). */
static caplet_text encode(caplet_text text) {
    caplet_writer writer = {0};
    uint32_t bits = 0;
    int count = 0;
    for (size_t at = 0; at < text.length_bytes; at++) {
        bits = bits << 8 | (unsigned char)text.data[at];
        for (count += 8; count >= 6; count -= 6) {
            caplet_put(&writer, (caplet_text){&alphabet[bits >> (count - 6) & 63], 1});
        }
    }
    if (count > 0) {
        caplet_put(&writer, (caplet_text){&alphabet[bits << (6 - count) & 63], 1});
    }
    return caplet_written(&writer);
}

static bool decode(caplet_text text, caplet_text *decoded) {
    caplet_writer writer = {0};
    uint32_t bits = 0;
    int count = 0;
    for (size_t at = 0; at < text.length_bytes; at++) {
        const char *place = memchr(alphabet, text.data[at], 64);
        if (place == NULL) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(place - alphabet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            char byte = (char)(bits >> count);
            caplet_put(&writer, (caplet_text){&byte, 1});
        }
    }
    *decoded = caplet_written(&writer);
    return true;
}

caplet_text caplet_internal_cursor_of(caplet_values keys, const char *order) {
    caplet_writer writer = {0};
    caplet_json_open(&writer, '[');
    caplet_json_integer(&writer, CURSOR_VERSION);
    caplet_json_string(&writer, order);
    caplet_json_open(&writer, '[');
    for (size_t at = 0; at < keys.count; at++) {
        const caplet_value *key = &keys.data[at];
        if (key->kind == CAPLET_VALUE_INTEGER) {
            caplet_json_integer(&writer, key->as.integer);
        } else if (key->kind == CAPLET_VALUE_TEXT) {
            caplet_json_text(&writer, key->as.text);
        } else {
            caplet_fail("the key of a list is neither an integer nor a text");
        }
    }
    caplet_json_close(&writer, ']');
    caplet_json_close(&writer, ']');
    return encode(caplet_written(&writer));
}

const caplet_json *caplet_internal_cursor(caplet_text cursor, const char *order) {
    caplet_text text;
    const char *reason;
    if (cursor.length_bytes > CURSOR_MAX_BYTES || !decode(cursor, &text)) {
        return NULL;
    }
    const caplet_json *json = caplet_json_read(text, &reason);
    if (json == NULL || json->kind != CAPLET_JSON_ARRAY || json->count != 3) {
        return NULL;
    }
    const caplet_json *version = json->first, *name = version->next, *keys = name->next;
    bool is_ours = version->kind == CAPLET_JSON_INTEGER && version->integer == CURSOR_VERSION
        && name->kind == CAPLET_JSON_TEXT && caplet_internal_is(name->text, order)
        && keys->kind == CAPLET_JSON_ARRAY && keys->count > 0;
    return is_ours ? keys->first : NULL;
}

caplet_answer caplet_answer_page(const caplet_json_page *page, const char *order) {
    caplet_writer writer = {0};
    caplet_json_open(&writer, '{');
    caplet_json_name(&writer, "items");
    caplet_json_raw(&writer, page->items);
    caplet_json_name(&writer, "next_cursor");
    if (page->more) {
        caplet_json_text(&writer, caplet_internal_cursor_of(page->last, order));
    } else {
        caplet_json_null(&writer);
    }
    caplet_json_close(&writer, '}');
    return caplet_answer_json(200, caplet_written(&writer));
}

caplet_text caplet_only_item(const caplet_json_page *page) {
    if (page->count != 1) {
        return (caplet_text){NULL, 0};
    }
    return (caplet_text){page->items.data + 1, page->items.length_bytes - 2};
}
