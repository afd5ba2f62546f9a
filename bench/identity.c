/*
 * Whose malloc is it? Device and inode say which file, the build-id says that the file still is
 * what was loaded: after a rebuild in mid-run the path and perhaps the inode are the same, the
 * code is not.
 */
#include "identity.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PROGRAM_HEADERS_MAX = 128, /* more than any linker writes */
    NOTES_MAX = 8192           /* bytes of one PT_NOTE segment that are looked at */
};

static size_t note_round(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

static void build_id_to_hex(const unsigned char *id, size_t bytes, char *hex)
{
    if (bytes > IDENTITY_BUILD_ID_MAX)
        bytes = IDENTITY_BUILD_ID_MAX;
    for (size_t i = 0; i < bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
}

/* Looks for NT_GNU_BUILD_ID in a PT_NOTE segment; the notes may be anybody's bytes. */
static bool notes_find_build_id(const unsigned char *notes, size_t bytes, char *hex)
{
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof(note));
        size_t name = sizeof(note);
        size_t id = name + note_round(note.n_namesz);
        size_t next = id + note_round(note.n_descsz);
        if (next > bytes)
            return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
            memcmp(notes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0) {
            build_id_to_hex(notes + id, note.n_descsz, hex);
            return true;
        }
        notes += next;
        bytes -= next;
    }
    return false;
}

static bool identity_stat(struct identity *identity)
{
    struct stat status;
    if (stat(identity->path, &status) != 0)
        return false;
    identity->device = status.st_dev;
    identity->inode = status.st_ino;
    return true;
}

/* What dl_iterate_phdr's callback looks for. */
struct loaded_query {
    uintptr_t address;
    char *build_id;
};

static bool object_holds(const struct dl_phdr_info *object, uintptr_t address)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_LOAD &&
            address - (object->dlpi_addr + header->p_vaddr) < header->p_memsz)
            return true;
    }
    return false;
}

static int loaded_visit(struct dl_phdr_info *object, size_t bytes, void *data)
{
    (void)bytes;
    struct loaded_query *query = data;
    if (!object_holds(object, query->address))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_NOTE &&
            notes_find_build_id((const unsigned char *)(object->dlpi_addr + header->p_vaddr),
                                header->p_memsz, query->build_id))
            break;
    }
    return 1;
}

/* The program itself has an empty name in the link map, and argv[0] may be anything. */
static bool path_of_object(const void *address, char path[PATH_MAX])
{
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || map == NULL)
        return false;
    if (map->l_name[0] != '\0')
        return snprintf(path, PATH_MAX, "%s", map->l_name) < PATH_MAX;
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return true;
}

bool identity_of_address(const void *address, struct identity *identity)
{
    memset(identity, 0, sizeof(*identity));
    if (!path_of_object(address, identity->path) || !identity_stat(identity))
        return false;
    struct loaded_query query = {(uintptr_t)address, identity->build_id};
    dl_iterate_phdr(loaded_visit, &query);
    return true;
}

static bool read_at(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    return pread(fd, buffer, bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool elf_is_ours(const ElfW(Ehdr) * header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
           header->e_phentsize == sizeof(ElfW(Phdr)) && header->e_phnum <= PROGRAM_HEADERS_MAX;
}

static void file_read_build_id(int fd, const ElfW(Ehdr) * header, char *build_id)
{
    for (size_t i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        unsigned char notes[NOTES_MAX];
        if (!read_at(fd, &segment, sizeof(segment), header->e_phoff + i * sizeof(segment)))
            return;
        if (segment.p_type == PT_NOTE && segment.p_filesz <= sizeof(notes) &&
            read_at(fd, notes, segment.p_filesz, segment.p_offset) &&
            notes_find_build_id(notes, segment.p_filesz, build_id))
            return;
    }
}

static bool error_set(char *error, const char *path, const char *what)
{
    snprintf(error, IDENTITY_ERROR_MAX, "%s: %s", path, what);
    return false;
}

static bool file_identify(int fd, struct identity *identity, char *error)
{
    ElfW(Ehdr) header;
    struct stat status;
    if (fstat(fd, &status) != 0)
        return error_set(error, identity->path, strerror(errno));
    if (!S_ISREG(status.st_mode) || !read_at(fd, &header, sizeof(header), 0) ||
        !elf_is_ours(&header))
        return error_set(error, identity->path, "not a shared library of this machine");
    identity->device = status.st_dev;
    identity->inode = status.st_ino;
    file_read_build_id(fd, &header, identity->build_id);
    return true;
}

bool identity_of_file(const char *path, struct identity *identity, char error[IDENTITY_ERROR_MAX])
{
    memset(identity, 0, sizeof(*identity));
    if (strlen(path) >= PATH_MAX)
        return error_set(error, path, strerror(ENAMETOOLONG));
    strcpy(identity->path, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(error, path, strerror(errno));
    bool known = file_identify(fd, identity, error);
    close(fd);
    return known;
}

bool identity_is_same(const struct identity *a, const struct identity *b)
{
    bool both = a->build_id[0] != '\0' && b->build_id[0] != '\0';
    return a->device == b->device && a->inode == b->inode &&
           (!both || strcmp(a->build_id, b->build_id) == 0);
}

bool identity_prove_function(const struct identity *wanted, const char *name, const void *function,
                             char error[IDENTITY_ERROR_MAX])
{
    struct identity found;
    if (identity_of_address(function, &found) && identity_is_same(&found, wanted))
        return true;
    if (found.path[0] == '\0')
        strcpy(found.path, "an unknown place");
    snprintf(error, IDENTITY_ERROR_MAX, "%s comes from %s, not from %s%s", name, found.path,
             wanted->path,
             found.inode == wanted->inode && found.device == wanted->device
                 ? " (the file has been replaced since it was loaded)"
                 : "");
    return false;
}

bool identity_prove(const struct identity *wanted, char error[IDENTITY_ERROR_MAX])
{
    /* Volatile, or the compiler could tell from the name what the linker decides. */
    const struct {
        const char *name;
        const void *volatile address;
    } functions[] = {
        {"malloc", (const void *)malloc},
        {"free", (const void *)free},
        {"calloc", (const void *)calloc},
        {"realloc", (const void *)realloc},
        {"aligned_alloc", (const void *)aligned_alloc},
        {"posix_memalign", (const void *)posix_memalign},
    };
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (!identity_prove_function(wanted, functions[i].name, functions[i].address, error))
            return false;
    return true;
}

void identity_print(const struct identity *identity, struct json_text *text)
{
    json_text_add(text, "{\"path\": ");
    json_text_string(text, identity->path);
    json_text_add(text, ", \"device\": %llu, \"inode\": %llu, \"build_id\": ",
                  (unsigned long long)identity->device, (unsigned long long)identity->inode);
    json_text_string(text, identity->build_id[0] ? identity->build_id : NULL);
    json_text_add(text, "}");
}
