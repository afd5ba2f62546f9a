/*
 * The table of call sites in memory, see sites.h.
 */
#include "sites.h"

#include "pages.h"

#include <errno.h>
#include <string.h>

static uint32_t sites_refuse(void)
{
    errno = ENOSPC;
    return 0;
}

uint32_t sites_add_module(struct sites *sites, uint64_t address, const char *path,
                          const uint8_t *id, size_t id_bytes)
{
    size_t bytes = strlen(path) + 1;
    void *modules = sites->modules, *text = sites->text;
    if (sites->module_count == SITES_MODULES_MAX || bytes > SITES_PATH_MAX ||
        id_bytes > SITES_ID_MAX || sites->text_bytes + bytes > SITES_TEXT_MAX)
        return sites_refuse();
    bool ok = pages_reserve(&modules, &sites->module_capacity, sizeof *sites->modules,
                            sites->module_count + 1);
    sites->modules = modules;
    ok = ok && pages_reserve(&text, &sites->text_capacity, 1, sites->text_bytes + bytes);
    sites->text = text;
    if (!ok)
        return 0;
    struct site_module *module = &sites->modules[sites->module_count++];
    *module = (struct site_module){
        .address = address,
        .path = (uint32_t)sites->text_bytes,
        .id_bytes = (uint8_t)id_bytes,
    };
    if (id_bytes > 0)
        memcpy(module->id, id, id_bytes);
    memcpy(sites->text + sites->text_bytes, path, bytes);
    sites->text_bytes += bytes;
    return (uint32_t)sites->module_count;
}

uint32_t sites_append(struct sites *sites, struct site site)
{
    void *list = sites->list;
    if (sites->count == SITES_MAX)
        return sites_refuse();
    if (!pages_reserve(&list, &sites->capacity, sizeof *sites->list, sites->count + 1))
        return 0;
    sites->list = list;
    sites->list[sites->count++] = site;
    return (uint32_t)sites->count;
}

/* Where the site is in the index, or where it would go. */
static uint32_t *index_seek(const struct sites *sites, const struct site *site)
{
    uint64_t key = site->offset ^ (uint64_t)site->module << 48 ^ (uint64_t)site->parent << 24;
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    for (;; i++) {
        uint32_t *entry = &sites->index[i & (sites->index_size - 1)];
        if (*entry == 0)
            return entry;
        const struct site *other = &sites->list[*entry - 1];
        if (other->offset == site->offset && other->module == site->module &&
            other->parent == site->parent)
            return entry;
    }
}

/* Doubles the index; half of it stays empty. */
static bool index_grow(struct sites *sites)
{
    struct sites grown = *sites;
    grown.index_size = sites->index_size ? 2 * sites->index_size : 1024;
    grown.index = pages_map(grown.index_size * sizeof *grown.index);
    if (grown.index == NULL)
        return false;
    for (size_t i = 0; i < sites->count; i++)
        *index_seek(&grown, &sites->list[i]) = (uint32_t)(i + 1);
    pages_unmap(sites->index, sites->index_size * sizeof *sites->index);
    *sites = grown;
    return true;
}

uint32_t sites_add(struct sites *sites, struct site site)
{
    if ((sites->count + 1) * 2 > sites->index_size && !index_grow(sites))
        return 0;
    uint32_t *entry = index_seek(sites, &site);
    if (*entry == 0)
        *entry = sites_append(sites, site);
    return *entry;
}

bool sites_join(struct sites *sites, const struct sites *other, uint32_t *base)
{
    uint32_t modules = (uint32_t)sites->module_count;
    *base = (uint32_t)sites->count;
    for (size_t i = 0; i < other->module_count; i++) {
        const struct site_module *module = &other->modules[i];
        if (!sites_add_module(sites, module->address, sites_path(other, module), module->id,
                              module->id_bytes))
            return false;
    }
    for (size_t i = 0; i < other->count; i++) {
        struct site site = other->list[i];
        site.parent += site.parent > 0 ? *base : 0;
        site.module += site.module > 0 ? modules : 0;
        if (!sites_append(sites, site))
            return false;
    }
    return true;
}

void sites_close(struct sites *sites)
{
    pages_unmap(sites->list, sites->capacity * sizeof *sites->list);
    pages_unmap(sites->modules, sites->module_capacity * sizeof *sites->modules);
    pages_unmap(sites->text, sites->text_capacity);
    pages_unmap(sites->index, sites->index_size * sizeof *sites->index);
    *sites = (struct sites){0};
}

size_t sites_mapped(const struct sites *sites)
{
    return sites->capacity * sizeof *sites->list + sites->module_capacity * sizeof *sites->modules +
           sites->text_capacity + sites->index_size * sizeof *sites->index;
}
