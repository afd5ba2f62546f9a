/*
 * Call sites: who made the calls of a trace. A site is a place in a module (the program or a
 * library) together with the site that called it, as far as the recording went up the stack: so a
 * number says a whole stack, and sites that were called from the same place share it.
 *
 *   site    parent  module  offset
 *      1         0       1  0x11d3     main, called from nowhere that is known
 *      2         1       1  0x1169     make, called from main: a call of site 2 came this way
 *      3         0       2  0x29d8f    in libc
 *
 * The table says nothing of names: those are in the modules' files, if they are still there.
 */
#ifndef WORKLOADS_SITES_H
#define WORKLOADS_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bounds are arbitrary, but that of the depth: what the recorder has room for. */
enum {
    SITES_MAX = 1 << 20,
    SITES_MODULES_MAX = 1 << 16,
    SITES_DEPTH_MAX = 8,
    SITES_ID_MAX = 64,       /* bytes of a build-id */
    SITES_PATH_MAX = 4096,   /* bytes of a path, its NUL included */
    SITES_TEXT_MAX = 1 << 22 /* bytes of all paths */
};

struct site {
    uint32_t parent; /* the site that called this place; smaller than its own number; 0: unknown */
    uint32_t module; /* from 1; 0: no module was known there, and offset is the address */
    uint64_t offset; /* the return address as the module's file counts: less its load address */
};

struct site_module {
    uint64_t address; /* what was added to the file's own addresses */
    uint32_t path;    /* where it begins in the text */
    uint8_t id_bytes; /* 0: none */
    uint8_t id[SITES_ID_MAX];
};

/* All zero is an empty table. Numbers begin at 1: that of list[0] and modules[0]. */
struct sites {
    struct site *list;
    size_t count, capacity;
    struct site_module *modules;
    size_t module_count, module_capacity;
    char *text; /* the modules' paths, each ended by a NUL */
    size_t text_bytes, text_capacity;
    uint32_t *index; /* of sites by what they are; 0: empty. Only where sites are added */
    size_t index_size;
};

/* Returns the number of a new module; 0 and errno when there is no room. `id` may be NULL. */
uint32_t sites_add_module(struct sites *sites, uint64_t address, const char *path,
                          const uint8_t *id, size_t id_bytes);
/* Returns the number of this site, the same for the same one; 0 and errno when there is no room. */
uint32_t sites_add(struct sites *sites, struct site site);
/* The same without a look for an equal one. */
uint32_t sites_append(struct sites *sites, struct site site);
/* Appends all of another table; its sites' numbers are then larger by *base. false and errno: there
   is no room. */
bool sites_join(struct sites *sites, const struct sites *other, uint32_t *base);
void sites_close(struct sites *sites);
size_t sites_mapped(const struct sites *sites); /* bytes */

static inline const char *sites_path(const struct sites *sites, const struct site_module *module)
{
    return sites->text + module->path;
}

#endif
