/*
 * Call sites in the recorder, see recorder_sites.h. The loader is asked which module an address is
 * in by _dl_find_object, which takes no lock and allocates nothing. What it answers about is safe
 * to read: a function of the module is being executed.
 * Of librecord.so this file is no part.
 */
#ifdef RECORD_SITES

#include "recorder_sites.h"

#include "recorder_control.h"
#include "recorder_space.h"
#include "recorder_symbols.h"
#include "recorder_sys.h"
#include "recorder_text.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>

enum {
    MODULES_KNOWN_MAX = 512, /* of one image, those that were unloaded included; arbitrary */
    FIRST_PAGE = 4096,       /* of a module is mapped, whatever else is */
    STACK_ALIGNMENT = 8,     /* of a frame */
};

/* The system keeps other mappings farther than this from the stack of the first thread. */
#define STACK_MOST (UINT64_C(64) << 20)

/* Modules that were noted in this image's file. */
static struct {
    struct {
        const void *map; /* atomic, written last; NULL: not there yet */
        struct sites_range range;
        uint64_t mark; /* see object_mark */
    } modules[MODULES_KNOWN_MAX];
    uint32_t count; /* atomic; may be larger than there is room */
} known;

void sites_forget(void)
{
    for (uint32_t i = 0; i < MODULES_KNOWN_MAX; i++)
        known.modules[i].map = NULL;
    known.count = 0;
}

/* What the loader says of the module at an address. */
struct object {
    const struct link_map *map;
    struct sites_range range;
};

static bool object_find(struct object *object, uint64_t address)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    struct dl_find_object found;
    if (_dl_find_object((void *)(uintptr_t)address, &found) != 0)
        return false;
    uint64_t start = (uintptr_t)found.dlfo_map_start;
    object->map = found.dlfo_link_map;
    object->range = (struct sites_range){start, (uintptr_t)found.dlfo_map_end - start};
    return true;
#else
    (void)object;
    (void)address;
    return false;
#endif
}

/* A part of a module that is mapped to be read. */
static bool part_is_mapped(const ElfW(Ehdr) * elf, const ElfW(Phdr) * wanted)
{
    const ElfW(Phdr) *part = (const void *)((const char *)elf + elf->e_phoff);
    for (unsigned i = 0; i < elf->e_phnum; i++)
        if (part[i].p_type == PT_LOAD && part[i].p_flags & PF_R &&
            wanted->p_vaddr >= part[i].p_vaddr &&
            wanted->p_vaddr + wanted->p_memsz <= part[i].p_vaddr + part[i].p_filesz)
            return true;
    return false;
}

/* Returns the bytes of the build-id among the notes, which *id then points to; 0: there is none. */
static uint32_t note_find(const char *at, const char *end, const uint8_t **id)
{
    while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)at;
        size_t name = (note->n_namesz + UINT64_C(3)) & ~UINT64_C(3);
        size_t bytes = (note->n_descsz + UINT64_C(3)) & ~UINT64_C(3);
        at += sizeof *note;
        if (name > (size_t)(end - at) || bytes > (size_t)(end - at) - name)
            return 0;
        *id = (const uint8_t *)at + name;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && at[0] == 'G')
            return note->n_descsz <= RAW_ID_MAX ? note->n_descsz : 0;
        at += name + bytes;
    }
    return 0;
}

static uint32_t build_id_find(const struct object *object, const uint8_t **id)
{
    const ElfW(Ehdr) *elf = (const void *)(uintptr_t)object->range.start;
    if (object->range.bytes < FIRST_PAGE || elf->e_ident[EI_MAG0] != ELFMAG0 ||
        elf->e_ident[EI_MAG1] != ELFMAG1 || elf->e_phentsize != sizeof(ElfW(Phdr)) ||
        elf->e_phoff > FIRST_PAGE || elf->e_phnum > (FIRST_PAGE - elf->e_phoff) / elf->e_phentsize)
        return 0;
    const ElfW(Phdr) *part = (const void *)((const char *)elf + elf->e_phoff);
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        if (part[i].p_type != PT_NOTE || !part_is_mapped(elf, &part[i]))
            continue;
        const char *notes = (const char *)(object->map->l_addr + part[i].p_vaddr);
        uint32_t bytes = note_find(notes, notes + part[i].p_memsz, id);
        if (bytes > 0)
            return bytes;
    }
    return 0;
}

/* The program itself has no name in the loader's list. */
static size_t path_find(const struct object *object, char path[PATH_MAX])
{
    struct text text = text_open(path, PATH_MAX);
    if (object->map->l_name != NULL && object->map->l_name[0] != '\0') {
        text_put(&text, object->map->l_name);
        return text.length;
    }
    long bytes = sys_readlink("/proc/self/exe", path, PATH_MAX - 1);
    return bytes > 0 ? (size_t)bytes : 0;
}

/* A place for a note of so many bytes; NULL: there is none. */
static struct raw_module *note_place(struct raw_header *header, uint64_t bytes)
{
    uint64_t at = __atomic_fetch_add(&header->module_bytes, bytes, __ATOMIC_RELAXED);
    uint64_t end = RAW_MODULES_AT + at + bytes;
    if (end > RAW_UNIT)
        return NULL;
    if ((end - 1) / RAW_STEP != (RAW_MODULES_AT + at) / RAW_STEP && !control_claim(RAW_STEP))
        return NULL;
    if (space_reserve(header, RAW_MODULES_AT + at, end) != 0)
        return NULL;
    return (struct raw_module *)((char *)header + RAW_MODULES_AT + at);
}

static bool module_note(const struct object *object)
{
    char path[PATH_MAX];
    const uint8_t *id = NULL;
    struct raw_header *header;
    uint32_t path_bytes = (uint32_t)path_find(object, path);
    uint32_t id_bytes = build_id_find(object, &id);
    if (image_header(&header) != 0)
        return false;
    uint64_t bytes = (sizeof(struct raw_module) + id_bytes + path_bytes + 7) & ~UINT64_C(7);
    struct raw_module *module = note_place(header, bytes);
    if (module == NULL)
        return false;
    uint8_t *at = (uint8_t *)(module + 1);
    for (uint32_t i = 0; i < id_bytes; i++)
        *at++ = id[i];
    for (uint32_t i = 0; i < path_bytes; i++)
        *at++ = (uint8_t)path[i];
    module->start = object->range.start;
    module->bytes = object->range.bytes;
    module->address = object->map->l_addr;
    module->id_bytes = id_bytes;
    module->path_bytes = path_bytes;
    __atomic_store_n(&module->stamp, raw_stamp(), __ATOMIC_RELEASE);
    return true;
}

/* By which another module at the same place is told from this one. */
static uint64_t object_mark(const struct object *object)
{
    uint64_t mark = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bits */
    const uint8_t *id = NULL;
    uint32_t id_bytes = build_id_find(object, &id);
    for (uint32_t i = 0; i < id_bytes; i++)
        mark = (mark ^ id[i]) * UINT64_C(0x100000001b3);
    for (const char *at = object->map->l_name; at != NULL && *at != '\0'; at++)
        mark = (mark ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    return mark;
}

static bool ranges_meet(const struct sites_range *a, const struct sites_range *b)
{
    return a->start < b->start + b->bytes && b->start < a->start + a->bytes;
}

/* The last one noted at its place counts: others may have been there before. */
static bool module_is_known(const struct object *object, uint64_t mark)
{
    uint32_t count = __atomic_load_n(&known.count, __ATOMIC_ACQUIRE);
    for (uint32_t i = count < MODULES_KNOWN_MAX ? count : MODULES_KNOWN_MAX; i-- > 0;) {
        const void *map = __atomic_load_n(&known.modules[i].map, __ATOMIC_ACQUIRE);
        if (map != NULL && ranges_meet(&known.modules[i].range, &object->range))
            return map == object->map && known.modules[i].mark == mark;
    }
    return false;
}

/* Two threads may note the same module: whoever reads the file takes the later one. */
static bool module_learn(const struct object *object)
{
    uint64_t mark = object_mark(object);
    if (module_is_known(object, mark))
        return true;
    if (__atomic_load_n(&known.count, __ATOMIC_RELAXED) >= MODULES_KNOWN_MAX)
        return false;
    uint64_t signals = sys_signals_block();
    bool noted = module_note(object);
    image_stamps_end(); /* the next stamp is a later one */
    uint32_t i = noted ? __atomic_fetch_add(&known.count, 1, __ATOMIC_RELAXED) : MODULES_KNOWN_MAX;
    if (i < MODULES_KNOWN_MAX) {
        known.modules[i].range = object->range;
        known.modules[i].mark = mark;
        __atomic_store_n(&known.modules[i].map, object->map, __ATOMIC_RELEASE);
    }
    sys_signals_restore(signals);
    return noted;
}

/* Puts a range before the `count` ranges that stand first in the cache. */
static void cache_lead(struct sites_cache *cache, struct sites_range range, int count)
{
    for (int i = count; i > 0; i--)
        cache->modules[i] = cache->modules[i - 1];
    cache->modules[0] = range;
}

bool sites_meet(struct sites_cache *cache, uint64_t address)
{
    struct object object;
    for (int i = 0; i < SITES_RANGES; i++) {
        if (sites_range_has(&cache->modules[i], address)) {
            cache_lead(cache, cache->modules[i], i);
            return true;
        }
    }
    int error = errno;
    bool found = object_find(&object, address) && module_learn(&object);
    if (found)
        cache_lead(cache, object.range, SITES_RANGES - 1);
    errno = error;
    return found;
}

void sites_refresh(struct sites_cache *cache)
{
    for (int i = 0; i < SITES_RANGES; i++)
        cache->modules[i].bytes = 0;
}

/* The first thread's stack grows towards a limit; where it begins, the loader knows. */
static struct sites_range stack_of_first(void)
{
    extern void *__libc_stack_end __attribute__((weak));
    uint64_t most = sys_limit(RLIMIT_STACK);
    uint64_t end = &__libc_stack_end != NULL ? (uintptr_t)__libc_stack_end : 0;
    most = most < STACK_MOST ? most : STACK_MOST;
    return (struct sites_range){end - most, end != 0 ? most : 0};
}

/*
 * libc allocates and frees something meanwhile, which is not recorded. It is asked itself, since
 * another library may stand before it, and hold a lock.
 */
static struct sites_range stack_of_another(void)
{
    struct sites_range stack = {0};
    pthread_attr_t attributes;
    void *start;
    size_t bytes;
    pthread_t (*self)(void);
    int (*describe)(pthread_t, pthread_attr_t *);
    int (*stack_of)(const pthread_attr_t *, void **, size_t *);
    int (*end)(pthread_attr_t *);
    *(void **)&self = symbol_of_libc("pthread_self");
    *(void **)&describe = symbol_of_libc("pthread_getattr_np");
    *(void **)&stack_of = symbol_of_libc("pthread_attr_getstack");
    *(void **)&end = symbol_of_libc("pthread_attr_destroy");
    if (!self || !describe || !stack_of || !end || describe(self(), &attributes) != 0)
        return stack;
    if (stack_of(&attributes, &start, &bytes) == 0)
        stack = (struct sites_range){(uintptr_t)start, bytes};
    end(&attributes);
    return stack;
}

static void stack_find(struct sites_cache *cache)
{
    uint64_t signals = sys_signals_block();
    int error = errno;
    cache->stack_is_known = true;
    cache->stack = sys_gettid() == sys_getpid() ? stack_of_first() : stack_of_another();
    errno = error;
    sys_signals_restore(signals);
}

/*
 * Up to where frames can be read: to the end of the thread's stack if this is it. It may be another
 * one, of a signal handler or a coroutine: there is no more known of it than that the page with our
 * own frame is there.
 */
static uint64_t stack_end(struct sites_cache *cache, uint64_t frame)
{
    if (!cache->stack_is_known)
        stack_find(cache);
    if (frame - cache->stack.start < cache->stack.bytes)
        return cache->stack.start + cache->stack.bytes;
    return (frame | (FIRST_PAGE - 1)) + 1;
}

/*
 * Follows frame pointers. A program that does not keep them has anything there: so each one must
 * lie above the one before, within the stack, and beside it a return address into some module.
 */
unsigned sites_unwind(struct sites_cache *cache, struct caller caller,
                      uint64_t frames[RAW_DEPTH_MAX])
{
    unsigned depth = 1;
#if defined(__x86_64__) || defined(__aarch64__)
    const uint64_t *frame = caller.frame;
    uint64_t end = stack_end(cache, (uintptr_t)frame);
    while (depth < image_site_depth) {
        uint64_t next = frame[0];
        if (next <= (uintptr_t)frame || next % STACK_ALIGNMENT != 0 || next > end ||
            end - next < 2 * sizeof next)
            break;
        frame = (const uint64_t *)(uintptr_t)next;
        if (!sites_meet(cache, frame[1]))
            break;
        frames[depth++] = frame[1];
    }
#else
    (void)cache, (void)caller, (void)frames;
#endif
    return depth;
}

#endif
