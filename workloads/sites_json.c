/*
 * The same for all who print sites, see sites_json.h.
 */
#include "sites_json.h"

#include "json_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void sites_modules_json(const struct sites *sites)
{
    fputs("  \"modules\": [", stdout);
    for (size_t i = 0; i < sites->module_count; i++) {
        const struct site_module *module = &sites->modules[i];
        const char *path = sites_path(sites, module);
        printf("%s\n    {\"address\": %" PRIu64 ", \"build_id\": \"", i ? "," : "",
               module->address);
        for (unsigned byte = 0; byte < module->id_bytes; byte++)
            printf("%02x", module->id[byte]);
        fputs("\", \"path\": ", stdout);
        json_string(path, strlen(path));
        putchar('}');
    }
    puts("\n  ],");
}

/* A table of hostile make may be deeper than any recording. */
void sites_frames_json(const struct sites *sites, uint32_t site)
{
    fputs("\"frames\": [", stdout);
    for (unsigned depth = 0; site > 0 && depth < SITES_DEPTH_MAX; depth++) {
        const struct site *frame = &sites->list[site - 1];
        printf("%s[%" PRIu32 ", %" PRIu64 "]", depth ? ", " : "", frame->module, frame->offset);
        site = frame->parent;
    }
    putchar(']');
}
