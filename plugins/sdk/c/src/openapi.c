/* The plugin's OpenAPI document, from the tables of its routes. */
#include <string.h>

#include "internal.h"

static const char problem_schema[] =
    "{\"type\":\"object\",\"description\":\"What went wrong (RFC 9457).\","
    "\"required\":[\"type\",\"title\",\"status\",\"code\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\"},"
    "\"detail\":{\"type\":\"string\"},\"errors\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"required\":[\"pointer\",\"detail\"],\"properties\":{"
    "\"pointer\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}}}}}";

static const char pages[] =
    "{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\",\"minimum\":1,"
    "\"maximum\":100,\"default\":25}},"
    "{\"name\":\"cursor\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"maxLength\":1024}}";

static const char conditions[] =
    "{\"name\":\"if-match\",\"in\":\"header\",\"schema\":{\"type\":\"string\"},"
    "\"description\":\"Go on only with the version of this `ETag`.\"},"
    "{\"name\":\"if-none-match\",\"in\":\"header\",\"schema\":{\"type\":\"string\"},"
    "\"description\":\"Go on only with a version other than this.\"},"
    "{\"name\":\"if-unmodified-since\",\"in\":\"header\",\"schema\":{\"type\":\"string\"},"
    "\"description\":\"Go on only if it is as old as this.\"},"
    "{\"name\":\"if-modified-since\",\"in\":\"header\",\"schema\":{\"type\":\"string\"},"
    "\"description\":\"Read only what is newer than this.\"}";

static const char etag_header[] =
    "{\"etag\":{\"description\":\"The version; send it back as `If-Match`.\","
    "\"schema\":{\"type\":\"string\"}}}";

static void put_member(caplet_writer *writer, const char *name, const char *value) {
    caplet_json_name(writer, name);
    caplet_json_string(writer, value);
}

static void open_member(caplet_writer *writer, const char *name, char bracket) {
    caplet_json_name(writer, name);
    caplet_json_open(writer, bracket);
}

static void put_raw(caplet_writer *writer, const char *json) {
    caplet_json_raw(writer, caplet_text_of(json));
}

static void put_parameter(
    caplet_writer *writer, caplet_text name, const char *in, const caplet_shape *shape) {
    static const caplet_shape text = {.type = CAPLET_TEXT};
    caplet_json_open(writer, '{');
    caplet_json_name(writer, "name");
    caplet_json_text(writer, name);
    put_member(writer, "in", in);
    caplet_json_name(writer, "required");
    caplet_json_bool(writer, shape == NULL || !shape->optional);
    caplet_json_name(writer, "schema");
    caplet_internal_schema(writer, shape == NULL ? &text : shape);
    caplet_json_close(writer, '}');
}

static const caplet_shape *named(const caplet_shape *shapes, caplet_text name) {
    for (; shapes != NULL && shapes->name != NULL; shapes++) {
        if (caplet_text_equal(caplet_text_of(shapes->name), name)) {
            return shapes;
        }
    }
    return NULL;
}

static void put_parameters(caplet_writer *writer, const caplet_route *route) {
    open_member(writer, "parameters", '[');
    for (const char *at = route->pattern; (at = strchr(at, '{')) != NULL; at++) {
        const char *begin = at + 1 + (at[1] == '*');
        caplet_text name = {begin, (size_t)(strchr(begin, '}') - begin)};
        put_parameter(writer, name, "path", named(route->path, name));
    }
    if (route->pages) {
        put_raw(writer, pages);
    }
    if (route->conditional) {
        put_raw(writer, conditions);
    }
    for (const caplet_shape *shape = route->query; shape != NULL && shape->name != NULL; shape++) {
        put_parameter(writer, caplet_text_of(shape->name), "query", shape);
    }
    caplet_json_close(writer, ']');
}

static void put_content(caplet_writer *writer, const caplet_shape *shape) {
    open_member(writer, "content", '{');
    open_member(writer, "application/json", '{');
    caplet_json_name(writer, "schema");
    caplet_internal_schema(writer, shape);
    caplet_json_close(writer, '}');
    caplet_json_close(writer, '}');
}

static void put_problem(caplet_writer *writer, const char *status, const char *description) {
    open_member(writer, status, '{');
    put_member(writer, "description", description);
    caplet_json_name(writer, "content");
    put_raw(
        writer,
        "{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}");
    caplet_json_close(writer, '}');
}

static void put_success(caplet_writer *writer, const caplet_route *route) {
    caplet_writer status = {0};
    caplet_put_integer(&status, route->answer_status == 0 ? 200 : route->answer_status);
    caplet_json_text(writer, caplet_written(&status));
    caplet_put_string(writer, ":");
    caplet_json_open(writer, '{');
    put_member(writer, "description", route->pages ? "A page." : "Done.");
    if (route->conditional) {
        caplet_json_name(writer, "headers");
        put_raw(writer, etag_header);
    }
    if (route->answer != NULL && route->pages) {
        caplet_shape items[] = {
            {.name = "items", .type = CAPLET_ARRAY, .items = route->answer},
            {.name = "next_cursor", .type = CAPLET_ANY},
            {0},
        };
        caplet_shape listing = {.type = CAPLET_OBJECT, .members = items};
        put_content(writer, &listing);
    } else if (route->answer != NULL) {
        put_content(writer, route->answer);
    }
    caplet_json_close(writer, '}');
}

static void put_responses(caplet_writer *writer, const caplet_route *route) {
    open_member(writer, "responses", '{');
    put_success(writer, route);
    if (route->conditional && strcmp(route->method, "GET") == 0) {
        open_member(writer, "304", '{');
        put_member(writer, "description", "The caller has it already.");
        caplet_json_close(writer, '}');
    }
    if (strchr(route->pattern, '{') != NULL || route->pages || route->query != NULL
        || route->body != NULL || route->conditional) {
        put_problem(writer, "400", "The request is malformed.");
    }
    if (route->access != CAPLET_PUBLIC || route->permission != NULL) {
        put_problem(writer, "401", "There is no valid token.");
    }
    if (route->permission != NULL) {
        put_problem(writer, "403", "The caller does not hold the permission.");
    }
    if (strchr(route->pattern, '{') != NULL) {
        put_problem(writer, "404", "There is no such thing.");
    }
    if (route->conditional) {
        put_problem(writer, "412", "It was changed since it was read.");
    }
    if (route->body != NULL) {
        put_problem(writer, "415", "The body's media type is not JSON.");
        put_problem(writer, "422", "The body does not fit its schema; `errors` says where.");
    }
    caplet_json_close(writer, '}');
}

static void put_operation(caplet_writer *writer, const caplet_route *route) {
    char method[8] = {0};
    for (size_t at = 0; at < sizeof method - 1 && route->method[at] != 0; at++) {
        method[at] = (char)(route->method[at] | 0x20);
    }
    open_member(writer, strcmp(route->method, "*") == 0 ? "get" : method, '{');
    put_member(writer, "operationId", route->operation);
    if (route->summary != NULL) {
        put_member(writer, "summary", route->summary);
    }
    put_parameters(writer, route);
    if (route->body != NULL) {
        open_member(writer, "requestBody", '{');
        caplet_json_name(writer, "required");
        caplet_json_bool(writer, true);
        put_content(writer, route->body);
        caplet_json_close(writer, '}');
    }
    put_responses(writer, route);
    caplet_json_name(writer, "security");
    bool is_public = route->access == CAPLET_PUBLIC && route->permission == NULL;
    put_raw(writer, is_public ? "[{},{\"bearer\":[]}]" : "[{\"bearer\":[]}]");
    caplet_json_close(writer, '}');
}

/* A pattern as OpenAPI writes it: a tail is a parameter like any other. */
static void open_path(caplet_writer *writer, const char *pattern) {
    caplet_writer path = {0};
    const char *star = strstr(pattern, "{*");
    size_t before = star == NULL ? strlen(pattern) : (size_t)(star + 1 - pattern);
    caplet_put(&path, (caplet_text){pattern, before});
    caplet_put_string(&path, star == NULL ? "" : star + 2);
    caplet_json_text(writer, caplet_written(&path));
    caplet_put_string(writer, ":");
    caplet_json_open(writer, '{');
}

static void put_paths(caplet_writer *writer, const caplet_plugin *plugin) {
    open_member(writer, "paths", '{');
    for (size_t at = 0; at < plugin->n_routes; at++) {
        const char *pattern = plugin->routes[at].pattern;
        bool is_first = true;
        for (size_t earlier = 0; earlier < at; earlier++) {
            is_first = is_first && strcmp(plugin->routes[earlier].pattern, pattern) != 0;
        }
        if (!is_first) {
            continue;
        }
        open_path(writer, pattern);
        for (size_t same = at; same < plugin->n_routes; same++) {
            if (strcmp(plugin->routes[same].pattern, pattern) == 0) {
                put_operation(writer, &plugin->routes[same]);
            }
        }
        caplet_json_close(writer, '}');
    }
    caplet_json_close(writer, '}');
}

caplet_text caplet_internal_openapi(const caplet_plugin *plugin) {
    caplet_writer writer = {0};
    caplet_json_open(&writer, '{');
    put_member(&writer, "openapi", "3.1.0");
    open_member(&writer, "info", '{');
    put_member(&writer, "title", plugin->title == NULL ? plugin->name : plugin->title);
    put_member(&writer, "version", plugin->version);
    caplet_json_close(&writer, '}');
    open_member(&writer, "servers", '[');
    caplet_json_open(&writer, '{');
    caplet_json_name(&writer, "url");
    caplet_json_text(&writer, caplet_internal_join("/api/", caplet_text_of(plugin->name), ""));
    caplet_json_close(&writer, '}');
    caplet_json_close(&writer, ']');
    put_paths(&writer, plugin);
    open_member(&writer, "components", '{');
    open_member(&writer, "schemas", '{');
    caplet_json_name(&writer, "Problem");
    put_raw(&writer, problem_schema);
    caplet_json_close(&writer, '}');
    caplet_json_name(&writer, "securitySchemes");
    put_raw(&writer, "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
    caplet_json_close(&writer, '}');
    caplet_json_close(&writer, '}');
    return caplet_written(&writer);
}
