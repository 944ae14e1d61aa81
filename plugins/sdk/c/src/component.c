/* The exports: what the host calls, in terms of the plugin's tables. */
#include "internal.h"

static abi_string_t string(const char *text) {
    caplet_text counted = caplet_text_of(text);
    return (abi_string_t){(uint8_t *)counted.data, counted.length_bytes};
}

static abi_string_t string_of(caplet_text text) {
    return (abi_string_t){(uint8_t *)text.data, text.length_bytes};
}

static exports_caplet_plugin_guest_access_t access_of(const caplet_route *route) {
    exports_caplet_plugin_guest_access_t access = {
        .tag = route->access == CAPLET_PUBLIC ? EXPORTS_CAPLET_PLUGIN_GUEST_ACCESS_PUBLIC
                                              : EXPORTS_CAPLET_PLUGIN_GUEST_ACCESS_SIGNED_IN};
    if (route->permission != NULL) {
        access.tag = EXPORTS_CAPLET_PLUGIN_GUEST_ACCESS_PERMISSION;
        access.val.permission = string(route->permission);
    }
    return access;
}

static size_t count_of(const char *const *names) {
    size_t count = 0;
    while (names != NULL && names[count] != NULL) {
        count++;
    }
    return count;
}

/* The headers that a route asks for, and those that a JSON body and preconditions need. */
static abi_list_string_t headers_of(const caplet_route *route) {
    size_t count = count_of(route->headers);
    size_t n_conditions = route->conditional ? count_of(caplet_internal_conditions) : 0;
    abi_string_t *names = caplet_allocate((count + 1 + n_conditions) * sizeof *names);
    for (size_t at = 0; at < count; at++) {
        names[at] = string(route->headers[at]);
    }
    if (route->body != NULL) {
        names[count++] = string("content-type");
    }
    for (size_t at = 0; at < n_conditions; at++) {
        names[count++] = string(caplet_internal_conditions[at]);
    }
    return (abi_list_string_t){names, count};
}

static exports_caplet_plugin_guest_list_route_t routes_of(const caplet_plugin *plugin) {
    exports_caplet_plugin_guest_route_t *routes =
        caplet_allocate(plugin->n_routes * sizeof *routes);
    for (size_t at = 0; at < plugin->n_routes; at++) {
        const caplet_route *route = &plugin->routes[at];
        routes[at] = (exports_caplet_plugin_guest_route_t){
            .operation = string(route->operation),
            .method = string(route->method),
            .pattern = string(route->pattern),
            .access = access_of(route),
            .transaction = (exports_caplet_plugin_guest_transaction_t)route->transaction,
            .body_max_bytes = {route->body_max_bytes != 0, route->body_max_bytes},
            .headers = headers_of(route),
        };
    }
    return (exports_caplet_plugin_guest_list_route_t){routes, plugin->n_routes};
}

static exports_caplet_plugin_guest_list_migration_t migrations_of(const caplet_plugin *plugin) {
    exports_caplet_plugin_guest_migration_t *migrations =
        caplet_allocate(plugin->n_migrations * sizeof *migrations);
    for (size_t at = 0; at < plugin->n_migrations; at++) {
        const caplet_migration *migration = &plugin->migrations[at];
        migrations[at] = (exports_caplet_plugin_guest_migration_t){
            .number = migration->number,
            .name = string(migration->name),
            .phase = (exports_caplet_plugin_guest_phase_t)migration->phase,
            .sql = string(migration->sql),
            .postgres = {migration->postgres != NULL, string(migration->postgres)},
        };
    }
    return (exports_caplet_plugin_guest_list_migration_t){migrations, plugin->n_migrations};
}

static exports_caplet_plugin_guest_list_permission_t permissions_of(const caplet_plugin *plugin) {
    exports_caplet_plugin_guest_permission_t *permissions =
        caplet_allocate(plugin->n_permissions * sizeof *permissions);
    for (size_t at = 0; at < plugin->n_permissions; at++) {
        permissions[at].name = string(plugin->permissions[at].name);
        permissions[at].description = string(plugin->permissions[at].description);
    }
    return (exports_caplet_plugin_guest_list_permission_t){permissions, plugin->n_permissions};
}

static exports_caplet_plugin_guest_list_asset_t assets_of(const caplet_plugin *plugin) {
    exports_caplet_plugin_guest_asset_t *assets =
        caplet_allocate(plugin->n_assets * sizeof *assets);
    for (size_t at = 0; at < plugin->n_assets; at++) {
        caplet_text content = plugin->assets[at].content;
        assets[at].path = string(plugin->assets[at].path);
        assets[at].media_type = string(plugin->assets[at].media_type);
        assets[at].content = (abi_list_u8_t){(uint8_t *)content.data, content.length_bytes};
    }
    return (exports_caplet_plugin_guest_list_asset_t){assets, plugin->n_assets};
}

static caplet_text settings_schema(const caplet_plugin *plugin) {
    caplet_writer writer = {0};
    if (plugin->settings != NULL) {
        caplet_shape object = {.type = CAPLET_OBJECT, .members = plugin->settings};
        caplet_internal_schema(&writer, &object);
    }
    return caplet_written(&writer);
}

void exports_caplet_plugin_guest_describe(exports_caplet_plugin_guest_description_t *description) {
    const caplet_plugin *plugin = &caplet_this_plugin;
    *description = (exports_caplet_plugin_guest_description_t){
        .name = string(plugin->name),
        .version = string(plugin->version),
        .title = string(plugin->title == NULL ? plugin->name : plugin->title),
        .summary = string(plugin->summary),
        .routes = routes_of(plugin),
        .openapi = string_of(caplet_internal_openapi(plugin)),
        .migrations = migrations_of(plugin),
        .permissions = permissions_of(plugin),
        .settings_schema = string_of(settings_schema(plugin)),
        .assets = assets_of(plugin),
    };
}

static caplet_pairs pairs(abi_list_tuple2_string_string_t list) {
    return (caplet_pairs){(const caplet_pair *)list.ptr, list.len};
}

static caplet_answer call(caplet_request *request) {
    for (size_t at = 0; at < caplet_this_plugin.n_routes; at++) {
        const caplet_route *route = &caplet_this_plugin.routes[at];
        if (caplet_internal_is(request->operation, route->operation)) {
            caplet_answer problem;
            bool fits = caplet_internal_read(route, request, &problem);
            return fits ? route->handler(request) : problem;
        }
    }
    caplet_fail("the host asked for an operation that the plugin does not have");
}

void exports_caplet_plugin_http_handler_handle(
    exports_caplet_plugin_http_handler_request_t *from,
    exports_caplet_plugin_http_handler_response_t *response) {
    caplet_request request = {
        .operation = {(const char *)from->operation.ptr, from->operation.len},
        .method = {(const char *)from->method.ptr, from->method.len},
        .path = {(const char *)from->path.ptr, from->path.len},
        .parameters = pairs(from->parameters),
        .query = pairs(from->query),
        .headers = pairs(from->headers),
        .body = {(const char *)from->body.ptr, from->body.len},
    };
    caplet_answer answer = call(&request);
    response->status = answer.status;
    response->headers = (abi_list_tuple2_string_string_t){
        (abi_tuple2_string_string_t *)answer.headers.data, answer.headers.count};
    response->body = (abi_list_u8_t){(uint8_t *)answer.body.data, answer.body.length_bytes};
}

bool exports_caplet_plugin_health_check(abi_string_t *reason) {
    const char *unwell =
        caplet_this_plugin.health == NULL ? NULL : caplet_this_plugin.health();
    *reason = string(unwell);
    return unwell == NULL;
}

/* What the host calls when it has taken a result, instead of the weak functions of the generated
 * bindings, which free one by one. */
__attribute__((__export_name__("cabi_post_caplet:plugin/http-handler@0.1.0#handle"))) void
__wasm_export_exports_caplet_plugin_http_handler_handle_post_return(uint8_t *result) {
    (void)result;
    caplet_internal_release();
}

__attribute__((__export_name__("cabi_post_caplet:plugin/guest@0.1.0#describe"))) void
__wasm_export_exports_caplet_plugin_guest_describe_post_return(uint8_t *result) {
    (void)result;
    caplet_internal_release();
}

__attribute__((__export_name__("cabi_post_caplet:plugin/health@0.1.0#check"))) void
__wasm_export_exports_caplet_plugin_health_check_post_return(uint8_t *result) {
    (void)result;
    caplet_internal_release();
}

/* The bindings want an object file with the component's type; `caplet build` embeds it instead. */
void __component_type_object_force_link_abi(void) {
}
