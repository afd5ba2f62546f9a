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
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 16 };

static const char file_variable[] = "SPANBENCH_PROBE_FILE";

/* The functions that must come from one object; malloc is first. */
static const char *const functions[] = {"malloc", "free", "calloc", "realloc", "aligned_alloc"};

/*
 * Whether the program itself has a malloc, which then goes before any preloaded one. A program
 * that is not position-independent may have a stub of that name, which its symbol table
 * calls undefined; it leads to the preloaded function.
 */
static bool program_defines_malloc(void)
{
    Dl_info info;
    struct link_map *map = NULL;
    const ElfW(Sym) *symbol = NULL;
    void *address = dlsym(RTLD_DEFAULT, "malloc");
    return address != NULL && dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) &&
           map != NULL && map->l_name[0] == '\0' &&
           dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol != NULL &&
           symbol->st_shndx != SHN_UNDEF;
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

static void print_line(struct json_text *text, const char *program,
                       const struct identity *of_malloc)
{
    json_text_add(text, "{\"pid\": %ld, \"program\": ", (long)getpid());
    json_text_string(text, program);
    json_text_add(text, ", \"malloc\": ");
    identity_print(of_malloc, text);
    json_text_add(text, ", \"program_defines_malloc\": %s, \"elsewhere\": ",
                  program_defines_malloc() ? "true" : "false");
    json_text_string(text, function_elsewhere(of_malloc));
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
    print_line(&text, program, &of_malloc);
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
