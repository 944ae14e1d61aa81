/* Shapes: whether a JSON value has one, and their JSON Schemas. */
#include <string.h>

#include "internal.h"

static const char *const names[] = {
    [CAPLET_ANY] = "",         [CAPLET_TEXT] = "string",    [CAPLET_INTEGER] = "integer",
    [CAPLET_REAL] = "number",  [CAPLET_BOOL] = "boolean",   [CAPLET_OBJECT] = "object",
    [CAPLET_ARRAY] = "array",
};

void caplet_internal_fault(caplet_faults *faults, caplet_text pointer, caplet_text detail) {
    if (faults->count == faults->capacity) {
        size_t capacity = faults->capacity * 2 + 8;
        struct caplet_fault *data = caplet_allocate(capacity * sizeof *data);
        if (faults->count > 0) {
            memcpy(data, faults->data, faults->count * sizeof *data);
        }
        faults->data = data;
        faults->capacity = capacity;
    }
    faults->data[faults->count++] = (struct caplet_fault){pointer, detail};
}

/* A pointer with one more part (RFC 6901). */
static caplet_text below(caplet_text pointer, caplet_text name) {
    caplet_writer writer = {0};
    caplet_put(&writer, pointer);
    caplet_put_string(&writer, "/");
    for (size_t at = 0; at < name.length_bytes; at++) {
        caplet_text byte = {name.data + at, 1};
        bool is_special = *byte.data == '~' || *byte.data == '/';
        caplet_put(&writer, is_special ? caplet_text_of(*byte.data == '~' ? "~0" : "~1") : byte);
    }
    return caplet_written(&writer);
}

static bool is_of_type(caplet_type type, const caplet_json *value) {
    switch (type) {
        case CAPLET_ANY: return true;
        case CAPLET_TEXT: return value->kind == CAPLET_JSON_TEXT;
        case CAPLET_INTEGER: return value->kind == CAPLET_JSON_INTEGER;
        case CAPLET_REAL:
            return value->kind == CAPLET_JSON_REAL || value->kind == CAPLET_JSON_INTEGER;
        case CAPLET_BOOL: return value->kind == CAPLET_JSON_BOOL;
        case CAPLET_OBJECT: return value->kind == CAPLET_JSON_OBJECT;
        case CAPLET_ARRAY: return value->kind == CAPLET_JSON_ARRAY;
    }
    return false;
}

static const caplet_shape *shape_named(const caplet_shape *shapes, caplet_text name) {
    for (; shapes != NULL && shapes->name != NULL; shapes++) {
        if (caplet_text_equal(caplet_text_of(shapes->name), name)) {
            return shapes;
        }
    }
    return NULL;
}

static void check_members(
    const caplet_shape *shape, const caplet_json *value, caplet_text pointer, caplet_faults *faults) {
    for (const caplet_json *part = value->first; part != NULL; part = part->next) {
        const caplet_shape *member = shape_named(shape->members, part->name);
        if (member == NULL) {
            caplet_internal_fault(
                faults, below(pointer, part->name), caplet_text_of("unknown field"));
        } else if (!member->optional || part->kind != CAPLET_JSON_NULL) {
            caplet_internal_check(member, part, below(pointer, part->name), faults);
        }
    }
    for (const caplet_shape *member = shape->members; member->name != NULL; member++) {
        if (!member->optional && caplet_json_member(value, member->name) == NULL) {
            caplet_text place = below(pointer, caplet_text_of(member->name));
            caplet_internal_fault(faults, place, caplet_text_of("missing field"));
        }
    }
}

static void check_items(
    const caplet_shape *shape, const caplet_json *value, caplet_text pointer, caplet_faults *faults) {
    int64_t place = 0;
    for (const caplet_json *item = value->first; item != NULL; item = item->next) {
        caplet_writer number = {0};
        caplet_put_integer(&number, place++);
        caplet_internal_check(shape->items, item, below(pointer, caplet_written(&number)), faults);
    }
}

static caplet_text with_number(const char *before, int64_t number) {
    caplet_writer writer = {0};
    caplet_put_string(&writer, before);
    caplet_put_integer(&writer, number);
    return caplet_written(&writer);
}

static void check_bounds(
    const caplet_shape *shape, const caplet_json *value, caplet_text pointer, caplet_faults *faults) {
    bool is_bound = shape->min != 0 || shape->max != 0;
    if (is_bound && value->real < (double)shape->min) {
        caplet_internal_fault(faults, pointer, with_number("lower than ", shape->min));
    }
    if (is_bound && value->real > (double)shape->max) {
        caplet_internal_fault(faults, pointer, with_number("greater than ", shape->max));
    }
}

static void check_length(
    const caplet_shape *shape, size_t length, caplet_text pointer, caplet_faults *faults) {
    if (length < shape->length_min) {
        caplet_text detail = with_number("length is lower than ", (int64_t)shape->length_min);
        caplet_internal_fault(faults, pointer, detail);
    }
    if (shape->length_max > 0 && length > shape->length_max) {
        caplet_text detail = with_number("length is greater than ", (int64_t)shape->length_max);
        caplet_internal_fault(faults, pointer, detail);
    }
}

void caplet_internal_check(
    const caplet_shape *shape, const caplet_json *value, caplet_text pointer, caplet_faults *faults) {
    if (!is_of_type(shape->type, value)) {
        caplet_text detail =
            caplet_internal_join("invalid type: expected ", caplet_text_of(names[shape->type]), "");
        caplet_internal_fault(faults, pointer, detail);
    } else if (shape->type == CAPLET_OBJECT && shape->members != NULL) {
        check_members(shape, value, pointer, faults);
    } else if (shape->type == CAPLET_ARRAY) {
        check_length(shape, value->count, pointer, faults);
        if (shape->items != NULL) {
            check_items(shape, value, pointer, faults);
        }
    } else if (shape->type == CAPLET_TEXT) {
        check_length(shape, caplet_text_characters(value->text), pointer, faults);
    } else if (shape->type == CAPLET_INTEGER || shape->type == CAPLET_REAL) {
        check_bounds(shape, value, pointer, faults);
    }
}

static bool is_before(caplet_text one, caplet_text other) {
    size_t shorter =
        one.length_bytes < other.length_bytes ? one.length_bytes : other.length_bytes;
    int order = shorter == 0 ? 0 : memcmp(one.data, other.data, shorter);
    return order < 0 || (order == 0 && one.length_bytes < other.length_bytes);
}

/* By their places, so that an answer does not depend on the order of the checks. */
static void sort(caplet_faults *faults) {
    for (size_t at = 1; at < faults->count; at++) {
        struct caplet_fault fault = faults->data[at];
        size_t to = at;
        for (; to > 0 && is_before(fault.pointer, faults->data[to - 1].pointer); to--) {
            faults->data[to] = faults->data[to - 1];
        }
        faults->data[to] = fault;
    }
}

caplet_answer caplet_internal_faults(caplet_faults *faults) {
    caplet_writer errors = {0};
    sort(faults);
    caplet_put_string(&errors, "\"errors\":");
    caplet_json_open(&errors, '[');
    for (size_t at = 0; at < faults->count; at++) {
        caplet_json_open(&errors, '{');
        caplet_json_name(&errors, "pointer");
        caplet_json_text(&errors, faults->data[at].pointer);
        caplet_json_name(&errors, "detail");
        caplet_json_text(&errors, faults->data[at].detail);
        caplet_json_close(&errors, '}');
    }
    caplet_json_close(&errors, ']');
    return caplet_problem_with(
        422, "unprocessable", "The body does not fit; see `errors`.", caplet_written(&errors));
}

static void put_number(caplet_writer *writer, const char *name, int64_t value) {
    caplet_json_name(writer, name);
    caplet_json_integer(writer, value);
}

void caplet_internal_members(caplet_writer *writer, const caplet_shape *members) {
    caplet_json_name(writer, "properties");
    caplet_json_open(writer, '{');
    for (const caplet_shape *member = members; member->name != NULL; member++) {
        caplet_json_name(writer, member->name);
        caplet_internal_schema(writer, member);
    }
    caplet_json_close(writer, '}');
    caplet_json_name(writer, "required");
    caplet_json_open(writer, '[');
    for (const caplet_shape *member = members; member->name != NULL; member++) {
        if (!member->optional) {
            caplet_json_string(writer, member->name);
        }
    }
    caplet_json_close(writer, ']');
    caplet_json_name(writer, "additionalProperties");
    caplet_json_bool(writer, false);
}

static void put_bounds(caplet_writer *writer, const caplet_shape *shape) {
    const char *noun = shape->type == CAPLET_ARRAY ? "Items" : "Length";
    if (shape->length_min > 0) {
        caplet_text name = caplet_internal_join("min", caplet_text_of(noun), "");
        caplet_json_text(writer, name);
        caplet_put_string(writer, ":");
        caplet_json_integer(writer, (int64_t)shape->length_min);
    }
    if (shape->length_max > 0) {
        caplet_text name = caplet_internal_join("max", caplet_text_of(noun), "");
        caplet_json_text(writer, name);
        caplet_put_string(writer, ":");
        caplet_json_integer(writer, (int64_t)shape->length_max);
    }
    if (shape->min != 0 || shape->max != 0) {
        put_number(writer, "minimum", shape->min);
        put_number(writer, "maximum", shape->max);
    }
}

void caplet_internal_schema(caplet_writer *writer, const caplet_shape *shape) {
    caplet_json_open(writer, '{');
    if (shape->type != CAPLET_ANY) {
        caplet_json_name(writer, "type");
        caplet_json_string(writer, names[shape->type]);
    }
    if (shape->description != NULL) {
        caplet_json_name(writer, "description");
        caplet_json_string(writer, shape->description);
    }
    if (shape->otherwise != NULL) {
        caplet_json_name(writer, "default");
        caplet_json_raw(writer, caplet_text_of(shape->otherwise));
    }
    put_bounds(writer, shape);
    if (shape->items != NULL) {
        caplet_json_name(writer, "items");
        caplet_internal_schema(writer, shape->items);
    }
    if (shape->members != NULL) {
        caplet_internal_members(writer, shape->members);
    }
    caplet_json_close(writer, '}');
}
