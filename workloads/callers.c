/*
 * Return addresses into call sites, see callers.h.
 */
#include "callers.h"

#include "pages.h"

#include <string.h>

/* The same module may have been noted twice, by two threads or at two places. */
static uint32_t module_number(struct callers *callers, const struct raw_place *place)
{
    struct sites *sites = &callers->sites;
    for (size_t i = 0; i < sites->module_count; i++) {
        const struct site_module *module = &sites->modules[i];
        if (module->address == place->address && module->id_bytes == place->id_bytes &&
            memcmp(module->id, place->id, place->id_bytes) == 0 &&
            strcmp(sites_path(sites, module), place->path) == 0)
            return (uint32_t)(i + 1);
    }
    return sites_add_module(sites, place->address, place->path, place->id, place->id_bytes);
}

bool callers_open(struct callers *callers, const struct raw_reader *reader)
{
    static struct raw_place place;
    size_t at = 0;
    *callers = (struct callers){0};
    while (raw_reader_module(reader, &at, &place)) {
        void *modules = callers->modules;
        uint32_t number = module_number(callers, &place);
        if (number == 0 || !pages_reserve(&modules, &callers->capacity, sizeof *callers->modules,
                                          callers->count + 1))
            return false;
        callers->modules = modules;
        callers->modules[callers->count++] =
            (struct callers_module){place.stamp, place.start, place.bytes, number};
    }
    return true;
}

static bool module_has(const struct callers_module *module, uint64_t address, uint64_t stamp)
{
    return module->stamp <= stamp && address - module->start < module->bytes;
}

/* The last module that was noted there before the call. */
static const struct callers_module *module_find(struct callers *callers, uint64_t address,
                                                uint64_t stamp)
{
    for (size_t i = callers->count; i-- > 0;) {
        if (module_has(&callers->modules[i], address, stamp))
            return &callers->modules[i];
    }
    return NULL;
}

static struct site site_of(struct callers *callers, uint64_t address, uint64_t stamp)
{
    const struct callers_module *module = module_find(callers, address, stamp);
    if (module == NULL)
        return (struct site){.offset = address};
    uint64_t base = callers->sites.modules[module->number - 1].address;
    return (struct site){.module = module->number, .offset = address - base};
}

uint32_t callers_site(struct callers *callers, const struct raw_call *raw)
{
    uint32_t number = 0;
    for (unsigned i = raw->depth; i-- > 0;) {
        struct site site = site_of(callers, raw->frames[i], raw->stamp);
        site.parent = number;
        number = sites_add(&callers->sites, site);
        if (number == 0) {
            callers->left_out++;
            return 0;
        }
    }
    return number;
}

void callers_close(struct callers *callers)
{
    sites_close(&callers->sites);
    pages_unmap(callers->modules, callers->capacity * sizeof *callers->modules);
    *callers = (struct callers){0};
}
