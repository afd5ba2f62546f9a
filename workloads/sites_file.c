/*
 * Packs the table of call sites into its part of a trace file and takes it out again, trusting
 * nothing in there.
 */
#define ZSTD_STATIC_LINKING_ONLY

#include "sites_file.h"

#include "pages.h"
#include "trace_format.h"
#include "varint.h"

#include <errno.h>
#include <xxhash.h>
#include <zstd.h>

#define SITES_FILE_TAG UINT32_C(0x45544953) /* "SITE" */

enum {
    SITES_LEVEL = 9, /* as the blocks of a trace */
    MODULE_MAX = VARINT_MAX + 2 + SITES_ID_MAX + 2,
    SITE_MAX = 2 * 5 + VARINT_MAX,
    SITE_LEAST = 3, /* bytes of the shortest site, or module */
};

/* The part's header in the machine's own form. */
struct sites_header {
    uint32_t modules, sites;
    uint32_t raw;    /* bytes of the table */
    uint32_t stored; /* in so many bytes of the file; as many as raw: not compressed */
};

static unsigned char *module_put(unsigned char *at, const struct site_module *module,
                                 const char *path)
{
    size_t bytes = strlen(path);
    at = varint_put(at, module->address);
    at = varint_put(at, module->id_bytes);
    memcpy(at, module->id, module->id_bytes);
    at = varint_put(at + module->id_bytes, bytes);
    memcpy(at, path, bytes);
    return at + bytes;
}

static size_t table_put(const struct sites *sites, unsigned char *start)
{
    unsigned char *at = start;
    for (size_t i = 0; i < sites->module_count; i++)
        at = module_put(at, &sites->modules[i], sites_path(sites, &sites->modules[i]));
    for (size_t i = 0; i < sites->count; i++) {
        at = varint_put(at, sites->list[i].parent);
        at = varint_put(at, sites->list[i].module);
        at = varint_put(at, sites->list[i].offset);
    }
    return (size_t)(at - start);
}

static void header_put(unsigned char *part, const struct sites_header *header)
{
    u32_put(part, SITES_FILE_TAG);
    u32_put(part + 4, header->modules);
    u32_put(part + 8, header->sites);
    u32_put(part + 12, header->raw);
    u32_put(part + 16, header->stored);
}

/* Packs the table that stands at `raw`; returns the part's length, 0 on failure. */
static size_t part_put(unsigned char *part, size_t room, const unsigned char *raw,
                       struct sites_header *header)
{
    ZSTD_customMem memory = {pages_lend, pages_return, NULL};
    ZSTD_CCtx *zstd = ZSTD_createCCtx_advanced(memory);
    unsigned char *payload = part + SITES_FILE_HEADER;
    if (zstd == NULL)
        return 0;
    size_t stored = ZSTD_compressCCtx(zstd, payload, room, raw, header->raw, SITES_LEVEL);
    ZSTD_freeCCtx(zstd);
    if (ZSTD_isError(stored) || stored >= header->raw) {
        memcpy(payload, raw, header->raw);
        stored = header->raw;
    }
    header->stored = (uint32_t)stored;
    header_put(part, header);
    size_t bytes = SITES_FILE_HEADER + stored;
    u64_put(part + bytes, XXH64(part, bytes, 0));
    return bytes + FORMAT_CHECKSUM_BYTES;
}

unsigned char *sites_file_build(const struct sites *sites, size_t *bytes, size_t *mapped)
{
    size_t most = sites->module_count * MODULE_MAX + sites->text_bytes + sites->count * SITE_MAX;
    size_t room = ZSTD_compressBound(most);
    *mapped = SITES_FILE_HEADER + room + FORMAT_CHECKSUM_BYTES;
    *bytes = 0;
    unsigned char *raw = pages_map(most + 1);
    unsigned char *part = pages_map(*mapped);
    if (raw != NULL && part != NULL) {
        struct sites_header header = {
            .modules = (uint32_t)sites->module_count,
            .sites = (uint32_t)sites->count,
            .raw = (uint32_t)table_put(sites, raw),
        };
        *bytes = part_put(part, room, raw, &header);
    }
    pages_unmap(raw, most + 1);
    if (*bytes > 0)
        return part;
    pages_unmap(part, *mapped);
    errno = ENOMEM;
    return NULL;
}

static const char *header_take(struct sites_header *header, const unsigned char *part, size_t bytes)
{
    if (bytes < SITES_FILE_LEAST || bytes > SITES_FILE_MOST)
        return "impossible length";
    if (XXH64(part, bytes - FORMAT_CHECKSUM_BYTES, 0) !=
        u64_take(part + bytes - FORMAT_CHECKSUM_BYTES))
        return "damaged (checksum)";
    *header = (struct sites_header){u32_take(part + 4), u32_take(part + 8), u32_take(part + 12),
                                    u32_take(part + 16)};
    uint64_t least = ((uint64_t)header->modules + header->sites) * SITE_LEAST;
    if (u32_take(part) != SITES_FILE_TAG || header->modules > SITES_MODULES_MAX ||
        header->sites > SITES_MAX || header->raw > SITES_FILE_RAW_MAX || header->raw < least ||
        header->stored > header->raw || header->stored + SITES_FILE_LEAST != bytes)
        return "its parts do not fit its length";
    return NULL;
}

static const char *module_take(struct sites *sites, struct column *column)
{
    char path[SITES_PATH_MAX];
    uint64_t address, id_bytes, bytes;
    if (!varint_take(column, &address) || !varint_take(column, &id_bytes) ||
        id_bytes > SITES_ID_MAX || id_bytes > (size_t)(column->end - column->at))
        return "impossible module";
    const uint8_t *id = column->at;
    column->at += id_bytes;
    if (!varint_take(column, &bytes) || bytes >= SITES_PATH_MAX ||
        bytes > (size_t)(column->end - column->at))
        return "impossible path of a module";
    memcpy(path, column->at, bytes);
    path[bytes] = '\0';
    column->at += bytes;
    if (strlen(path) != bytes)
        return "a module's path holds a zero byte";
    return sites_add_module(sites, address, path, id, id_bytes) ? NULL : "too many modules";
}

static const char *site_take(struct sites *sites, struct column *column)
{
    uint64_t parent, module, offset;
    if (!varint_take(column, &parent) || !varint_take(column, &module) ||
        !varint_take(column, &offset))
        return "impossible site";
    if (parent > sites->count || module > sites->module_count)
        return "a site of a site or module that is not there";
    struct site site = {(uint32_t)parent, (uint32_t)module, offset};
    return sites_append(sites, site) ? NULL : "too many sites";
}

static const char *table_take(struct sites *sites, struct column column,
                              const struct sites_header *header)
{
    const char *fault = NULL;
    for (uint32_t i = 0; fault == NULL && i < header->modules; i++)
        fault = module_take(sites, &column);
    for (uint32_t i = 0; fault == NULL && i < header->sites; i++)
        fault = site_take(sites, &column);
    return fault == NULL && column.at != column.end ? "its table is too long" : fault;
}

/* Unpacks the table into `raw`. */
static bool table_unpack(unsigned char *raw, const unsigned char *payload,
                         const struct sites_header *header)
{
    ZSTD_customMem memory = {pages_lend, pages_return, NULL};
    ZSTD_DCtx *zstd = ZSTD_createDCtx_advanced(memory);
    if (zstd == NULL)
        return false;
    size_t n = ZSTD_decompressDCtx(zstd, raw, header->raw, payload, header->stored);
    ZSTD_freeDCtx(zstd);
    return !ZSTD_isError(n) && n == header->raw;
}

const char *sites_file_take(struct sites *sites, const unsigned char *part, size_t bytes)
{
    struct sites_header header;
    const char *fault = header_take(&header, part, bytes);
    if (fault != NULL)
        return fault;
    const unsigned char *table = part + SITES_FILE_HEADER;
    if (header.stored == header.raw)
        return table_take(sites, (struct column){table, table + header.raw}, &header);
    unsigned char *raw = pages_map(header.raw);
    if (raw == NULL)
        return "out of memory";
    if (table_unpack(raw, table, &header))
        fault = table_take(sites, (struct column){raw, raw + header.raw}, &header);
    else
        fault = "its table cannot be decompressed";
    pages_unmap(raw, header.raw);
    return fault;
}
