/*
 * Which functions stand behind the recorder, see recorder_symbols.h.
 *
 * The loader's list has the libraries that a program starts with in the order in which they are
 * searched. Libraries that are opened later come after them, so the way to malloc never meets one
 * that is just being closed.
 */
#include "recorder_symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __GLIBC__

enum { VERSION_HIDDEN = 0x8000 }; /* of a symbol that is kept for old programs */

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden"))); /* of this library */

/* The tables of one library by which its symbols are found. */
struct object {
    const struct link_map *map;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Half) * versions; /* NULL: none */
    const uint32_t *gnu_hash;    /* one of these two is NULL */
    const uint32_t *hash;
    const char *name; /* DT_SONAME; NULL: none */
};

/* Some loaders leave addresses as they are in the file. */
static const void *object_address(const struct link_map *map, const ElfW(Dyn) * entry)
{
    ElfW(Addr) address = entry->d_un.d_ptr;
    return (const void *)(address < map->l_addr ? address + map->l_addr : address);
}

static struct object object_open(const struct link_map *map)
{
    struct object object = {.map = map};
    const ElfW(Dyn) *soname = NULL;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        const void *address = object_address(map, entry);
        if (entry->d_tag == DT_SYMTAB)
            object.symbols = address;
        else if (entry->d_tag == DT_STRTAB)
            object.strings = address;
        else if (entry->d_tag == DT_VERSYM)
            object.versions = address;
        else if (entry->d_tag == DT_GNU_HASH)
            object.gnu_hash = address;
        else if (entry->d_tag == DT_HASH)
            object.hash = address;
        else if (entry->d_tag == DT_SONAME)
            soname = entry;
    }
    if (soname != NULL && object.strings != NULL)
        object.name = object.strings + soname->d_un.d_val;
    return object;
}

static bool names_are_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Whether symbol `index` is a definition of `name` that a new program would be given. */
static bool symbol_is(const struct object *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    bool hidden = object->versions != NULL && (object->versions[index] & VERSION_HIDDEN) != 0;
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0 && !hidden &&
           ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
           names_are_equal(object->strings + symbol->st_name, name);
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name != '\0'; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

/* The table: buckets, index of its first symbol, words of a Bloom filter, its shift; then the
   filter, the buckets, and a hash for each symbol whose last bit ends a bucket. */
static const ElfW(Sym) * find_by_gnu_hash(const struct object *object, const char *name)
{
    const uint32_t *table = object->gnu_hash;
    uint32_t bucket_count = table[0];
    uint32_t first = table[1];
    const uint32_t *buckets = table + 4 + table[2] * (sizeof(ElfW(Addr)) / sizeof *table);
    const uint32_t *hashes = buckets + bucket_count;
    uint32_t hash = gnu_hash_of(name);
    uint32_t index = bucket_count > 0 ? buckets[hash % bucket_count] : 0;
    if (index < first)
        return NULL;
    for (;; index++) {
        uint32_t found = hashes[index - first];
        if ((found | 1) == (hash | 1) && symbol_is(object, index, name))
            return &object->symbols[index];
        if (found & 1)
            return NULL;
    }
}

/* The old table has the number of symbols in its second word, and rarely is the only one. */
static const ElfW(Sym) * find_one_by_one(const struct object *object, const char *name)
{
    for (uint32_t index = 1; index < object->hash[1]; index++)
        if (symbol_is(object, index, name))
            return &object->symbols[index];
    return NULL;
}

/* *chosen_at_run_time: the definition is one whose address a function of that library tells. */
static void *object_find(const struct object *object, const char *name, bool *chosen_at_run_time)
{
    const ElfW(Sym) *symbol = NULL;
    if (object->symbols == NULL || object->strings == NULL)
        return NULL;
    if (object->gnu_hash != NULL)
        symbol = find_by_gnu_hash(object, name);
    else if (object->hash != NULL)
        symbol = find_one_by_one(object, name);
    if (symbol == NULL)
        return NULL;
    *chosen_at_run_time = ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC;
    return (void *)(object->map->l_addr + symbol->st_value);
}

static const struct link_map *map_own(void)
{
    const struct link_map *map = _r_debug.r_map;
    while (map != NULL && map->l_ld != _DYNAMIC)
        map = map->l_next;
    return map;
}

void *symbol_next(const char *name)
{
    const struct link_map *map = map_own();
    if (map == NULL)
        return dlsym(RTLD_NEXT, name);
    for (map = map->l_next; map != NULL; map = map->l_next) {
        bool chosen_at_run_time = false;
        struct object object = object_open(map);
        void *found = object_find(&object, name, &chosen_at_run_time);
        if (found != NULL)
            return chosen_at_run_time ? dlsym(RTLD_NEXT, name) : found;
    }
    return NULL;
}

void *symbol_of_libc(const char *name)
{
    for (const struct link_map *map = _r_debug.r_map; map != NULL; map = map->l_next) {
        bool chosen_at_run_time = false;
        struct object object = object_open(map);
        if (object.name == NULL || !names_are_equal(object.name, "libc.so.6"))
            continue;
        void *found = object_find(&object, name, &chosen_at_run_time);
        return chosen_at_run_time ? NULL : found;
    }
    return NULL;
}

#else /* other loaders show no such list */

void *symbol_next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *symbol_of_libc(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#endif
