/*
 * libprobe.so: preloaded before an allocator into a program, it writes one line of JSON about
 * whose malloc the program calls. It runs in a warm-up only and changes nothing: it exports no
 * name, prints nothing, and leaves the program alone where it cannot tell.
 */
#include "identity.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 16 };

static const char file_variable[] = "SPANBENCH_PROBE_FILE";

/* The functions that must come from one object; malloc is first. */
static const char *const functions[] = {"malloc", "free", "calloc", "realloc", "aligned_alloc"};

/*
 * The functions that an allocator may leave to others: to the C library, whose own call malloc or
 * are called by few, and to the C++ library, whose operators call malloc. But they must not come
 * from another allocator.
 */
static const char *const optional_functions[] = {
    "_Znwm",
    "_Znam",
    "_ZnwmRKSt9nothrow_t",
    "_ZnamRKSt9nothrow_t",
    "_ZnwmSt11align_val_t",
    "_ZnamSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv",
    "_ZdaPv",
    "_ZdlPvm",
    "_ZdaPvm",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdaPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t",
    "_ZdaPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    "posix_memalign",
    "memalign",
    "valloc",
    "pvalloc",
    "reallocarray",
    "malloc_usable_size",
    "free_sized",
    "free_aligned_sized",
};

static struct link_map *object_of(const void *address)
{
    Dl_info info;
    struct link_map *map = NULL;
    return dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
}

/*
 * A program that is not position-independent may have a stub of a function's name, which its symbol
 * table calls undefined; it leads to the preloaded function.
 */
static bool is_stub(const void *address)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    return !dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) || symbol == NULL ||
           symbol->st_shndx == SHN_UNDEF;
}

/* Whether the program itself has a malloc, which then goes before any preloaded one. */
static bool program_defines_malloc(void)
{
    const void *address = dlsym(RTLD_DEFAULT, "malloc");
    const struct link_map *object = address ? object_of(address) : NULL;
    return object != NULL && object->l_name[0] == '\0' && !is_stub(address);
}

/* Whether the object that `address` lies in defines the function `name` as well. */
static bool object_defines(const void *address, const char *name)
{
    struct link_map *object = object_of(address);
    void *handle = object ? dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    if (handle == NULL)
        return false;
    const void *found = dlsym(handle, name);
    dlclose(handle);
    return found != NULL && object_of(found) == object && !is_stub(found);
}

/* Whether `address` is in an allocator that is neither that of `own` nor the C library. */
static bool is_of_another_allocator(const void *address, const void *own)
{
    return object_of(address) != object_of(own) && object_defines(address, "malloc") &&
           !object_defines(address, "__libc_start_main");
}

/* The relocations of an object, by the tags of their table and its bytes, and what they name. */
struct imports {
    const ElfW(Rela) * entries[2];
    size_t bytes[2];
    const ElfW(Sym) * symbols;
    const char *names;
};

/* Some loaders leave addresses as they are in the file. */
static const void *place_of(const struct link_map *object, const ElfW(Dyn) * entry)
{
    ElfW(Addr) address = entry->d_un.d_ptr;
    return (const void *)(address < object->l_addr ? address + object->l_addr : address);
}

static struct imports imports_of(const struct link_map *object)
{
    struct imports imports = {.symbols = NULL};
    for (const ElfW(Dyn) *entry = object->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RELA)
            imports.entries[0] = place_of(object, entry);
        else if (entry->d_tag == DT_RELASZ)
            imports.bytes[0] = entry->d_un.d_val;
        else if (entry->d_tag == DT_JMPREL)
            imports.entries[1] = place_of(object, entry);
        else if (entry->d_tag == DT_PLTRELSZ)
            imports.bytes[1] = entry->d_un.d_val;
        else if (entry->d_tag == DT_SYMTAB)
            imports.symbols = place_of(object, entry);
        else if (entry->d_tag == DT_STRTAB)
            imports.names = place_of(object, entry);
    }
    return imports;
}

static bool imports_hold(const struct imports *imports, const char *name)
{
    for (int table = 0; table < 2; table++) {
        const ElfW(Rela) *entry = imports->entries[table];
        for (size_t left = entry ? imports->bytes[table] / sizeof *entry : 0; left > 0; left--) {
            const ElfW(Sym) *symbol = &imports->symbols[ELF64_R_SYM((entry++)->r_info)];
            if (symbol->st_shndx == SHN_UNDEF &&
                strcmp(imports->names + symbol->st_name, name) == 0)
                return true;
        }
    }
    return false;
}

/* Whether any object that the process starts with asks for a function that another one has. */
static bool is_imported(const char *name)
{
    for (const struct link_map *object = _r_debug.r_map; object; object = object->l_next) {
        struct imports imports = imports_of(object);
        if (imports_hold(&imports, name))
            return true;
    }
    return false;
}

/* The first optional function that is called and that another allocator would serve; NULL if there
   is none. */
static const char *function_foreign(const void *own, struct identity *of_other)
{
    for (size_t i = 0; i < sizeof(optional_functions) / sizeof(optional_functions[0]); i++) {
        const void *address = dlsym(RTLD_NEXT, optional_functions[i]);
        if (address != NULL && is_of_another_allocator(address, own) &&
            is_imported(optional_functions[i]) && identity_of_address(address, of_other))
            return optional_functions[i];
    }
    return NULL;
}

/*
 * Whether operator new is the program's own, or that of a library which is neither the C++ library
 * nor an allocator: nobody can tell from outside whether it comes to malloc.
 */
static bool operators_are_replaced(const void *own, struct identity *of_operators)
{
    const void *address = dlsym(RTLD_DEFAULT, "_Znwm");
    if (address == NULL || object_of(address) == object_of(own) || is_stub(address))
        return false;
    return !object_defines(address, "malloc") && !object_defines(address, "__cxa_throw") &&
           identity_of_address(address, of_operators);
}

/* The first function that comes from another object than malloc does; NULL if there is none. */
static const char *function_elsewhere(const struct identity *of_malloc)
{
    for (size_t i = 1; i < sizeof(functions) / sizeof(functions[0]); i++) {
        struct identity identity;
        const void *address = dlsym(RTLD_NEXT, functions[i]);
        if (address == NULL || !identity_of_address(address, &identity) ||
            !identity_is_same(&identity, of_malloc))
            return functions[i];
    }
    return NULL;
}

/* {"function", "object"} of what another allocator serves, and who has replaced operator new. */
static void print_others(struct json_text *text, const void *of_malloc)
{
    static struct identity other;
    const char *function = function_foreign(of_malloc, &other);
    json_text_add(text, ", \"foreign\": ");
    if (function != NULL) {
        json_text_add(text, "{\"function\": \"%s\", \"object\": ", function);
        identity_print(&other, text);
        json_text_add(text, "}");
    } else {
        json_text_string(text, NULL);
    }
    bool replaced = operators_are_replaced(of_malloc, &other);
    json_text_pair(text, "operator_new_of", replaced ? other.path : NULL);
}

static void print_line(struct json_text *text, const char *program, const void *address,
                       const struct identity *of_malloc)
{
    json_text_add(text, "{\"pid\": %ld, \"program\": ", (long)getpid());
    json_text_string(text, program);
    json_text_add(text, ", \"malloc\": ");
    identity_print(of_malloc, text);
    json_text_add(text, ", \"program_defines_malloc\": %s, \"elsewhere\": ",
                  program_defines_malloc() ? "true" : "false");
    json_text_string(text, function_elsewhere(of_malloc));
    print_others(text, address);
    json_text_add(text, "}\n");
}

static void probe_write(int fd)
{
    static char buffer[LINE_MAX_BYTES];
    static char program[PATH_MAX];
    static struct identity of_malloc;
    struct json_text text = json_text_open(buffer, sizeof(buffer));
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
    /* The search begins behind this library, so it finds what is called in its absence. */
    const void *address = dlsym(RTLD_NEXT, functions[0]);
    if (address == NULL || !identity_of_address(address, &of_malloc))
        return;
    print_line(&text, program, address, &of_malloc);
    json_text_write(&text, fd);
}

__attribute__((constructor)) static void probe(void)
{
    int before = errno;
    const char *path = getenv(file_variable);
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        probe_write(fd);
        close(fd);
    }
    errno = before;
}
