/*
 * Readings from /proc/self. The files stay open, so that a reading is one pread(2), and they are
 * parsed in place in a buffer on the stack.
 */
#include "process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MAX = 8192, LINE_MAX_BYTES = 4096 + 256, KIB = 1024 };
/* Of the peak that a reset must forget: far above the pages that a kernel's counters may be off by.
 */
enum { TRIAL_BYTES = 4 << 20 };

static int status_fd = -1;
static int rollup_fd = -1; /* -1 where the system has none */
static int clear_fd = -1;

/* Address space that nobody uses. */
static void *reserved;
static size_t reserved_bytes;

static const char status_path[] = "/proc/self/status";
static const char smaps_path[] = "/proc/self/smaps";
static const char clear_path[] = "/proc/self/clear_refs";

static bool open_needed(int *fd, const char *file, int flags, const char **path)
{
    *path = file;
    *fd = open(file, flags | O_CLOEXEC);
    return *fd >= 0;
}

static void close_kept(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void release_reserved(void)
{
    if (reserved_bytes > 0)
        munmap(reserved, reserved_bytes);
    reserved_bytes = 0;
}

void process_memory_close(void)
{
    release_reserved();
    close_kept(&status_fd);
    close_kept(&rollup_fd);
    close_kept(&clear_fd);
}

/* Reads a whole small file from its start; "" on failure. */
static void read_text(int fd, char text[TEXT_MAX])
{
    ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);
    text[n > 0 ? n : 0] = '\0';
}

/* The bytes of a line such as "VmRSS:      1234 kB"; 0 if the text has no such line. */
static size_t field_bytes(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    return line ? strtoul(line + strlen(name), NULL, 10) * KIB : 0;
}

static size_t status_bytes(const char *name)
{
    char text[TEXT_MAX];
    read_text(status_fd, text);
    return field_bytes(text, name);
}

size_t process_memory_rss(void)
{
    return status_bytes("\nVmRSS:");
}

size_t process_memory_rss_exact(void)
{
    char text[TEXT_MAX];
    read_text(rollup_fd, text);
    size_t bytes = field_bytes(text, "\nRss:");
    return bytes ? bytes : process_memory_rss();
}

size_t process_memory_huge(void)
{
    char text[TEXT_MAX];
    read_text(rollup_fd, text);
    return field_bytes(text, "\nAnonHugePages:");
}

size_t process_memory_mapped(void)
{
    return status_bytes("\nVmSize:");
}

size_t process_memory_peak(void)
{
    return status_bytes("\nVmHWM:");
}

bool process_memory_reset_peak(void)
{
    return write(clear_fd, "5", 1) == 1;
}

size_t process_memory_peak_mapped(void)
{
    return status_bytes("\nVmPeak:");
}

bool process_memory_reset_peak_mapped(void)
{
    release_reserved();
    size_t bytes = process_memory_peak_mapped() - process_memory_mapped();
    if (bytes == 0)
        return true;
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    reserved = p;
    reserved_bytes = bytes;
    return true;
}

/* No process is without any of these. */
static bool status_makes_sense(void)
{
    errno = 0;
    return process_memory_rss() > 0 && process_memory_peak() > 0 && process_memory_mapped() > 0 &&
           process_memory_peak_mapped() > 0;
}

static bool smaps_makes_sense(void)
{
    char text[TEXT_MAX];
    int fd = open(smaps_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t bytes = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    errno = 0;
    return strstr(text, "\nRss:") != NULL;
}

/*
 * A peak that was much higher than what is resident now must be gone after a reset: memory is
 * touched and given back to make one. Once in a process and its copies is enough.
 */
static bool reset_takes(void)
{
    static bool proved;
    if (proved)
        return true;
    void *p = mmap(NULL, TRIAL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    memset(p, 1, TRIAL_BYTES);
    munmap(p, TRIAL_BYTES);
    size_t before = process_memory_peak();
    if (!process_memory_reset_peak())
        return false;
    errno = 0;
    proved = process_memory_peak() + TRIAL_BYTES / 2 < before;
    return proved;
}

bool process_memory_open(const char **path)
{
    rollup_fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (!open_needed(&status_fd, status_path, O_RDONLY, path) ||
        !open_needed(&clear_fd, clear_path, O_WRONLY, path))
        return false;
    *path = status_path;
    if (!status_makes_sense())
        return false;
    *path = smaps_path;
    if (!smaps_makes_sense())
        return false;
    *path = clear_path;
    return reset_takes();
}

const char *process_memory_reason(void)
{
    return errno != 0 ? strerror(errno)
                      : "has no effect or makes no sense (masked, in a container?)";
}

/* A file read line by line, whatever its length. */
struct lines {
    int fd;
    size_t used;
    char buffer[LINE_MAX_BYTES];
};

static bool lines_fill(struct lines *lines)
{
    ssize_t n = read(lines->fd, lines->buffer + lines->used, sizeof(lines->buffer) - lines->used);
    if (n > 0)
        lines->used += (size_t)n;
    return n > 0;
}

/* Copies the next line, cut at `bytes`; false at the end. */
static bool lines_next(struct lines *lines, char *line, size_t bytes)
{
    char *newline;
    while ((newline = memchr(lines->buffer, '\n', lines->used)) == NULL)
        if (!lines_fill(lines))
            return false;
    size_t length = (size_t)(newline - lines->buffer);
    size_t kept = length < bytes - 1 ? length : bytes - 1;
    memcpy(line, lines->buffer, kept);
    line[kept] = '\0';
    lines->used -= length + 1;
    memmove(lines->buffer, newline + 1, lines->used);
    return true;
}

/* Where a walk through smaps is: the mapping whose fields come next. */
struct mapping_walk {
    uint64_t file_end; /* end of the last mapping of a file: what begins there is its bss */
    bool anonymous;    /* the present mapping counts */
    struct process_memory_share total;
};

/* "start-end perms offset device inode   name" */
static bool mapping_begins(struct mapping_walk *walk, const char *line)
{
    char *at;
    uint64_t start = strtoull(line, &at, 16);
    if (at == line || *at != '-')
        return false;
    uint64_t end = strtoull(at + 1, &at, 16);
    for (int field = 0; field < 3; field++) /* perms, offset, device */
        at = strchr(at + 1, ' ') ? strchr(at + 1, ' ') : at + strlen(at) - 1;
    bool file = strtoull(at, &at, 10) != 0;
    const char *name = at + strspn(at, " ");
    bool special = name[0] == '[' && strcmp(name, "[heap]") != 0 && strncmp(name, "[anon", 5) != 0;
    walk->anonymous = !file && !special && start != walk->file_end;
    if (file)
        walk->file_end = end;
    return true;
}

/* "Size:  1234 kB" and the like. */
static void mapping_add_field(struct mapping_walk *walk, const char *line)
{
    if (strncmp(line, "Rss:", 4) == 0)
        walk->total.resident += strtoul(line + 4, NULL, 10) * KIB;
    else if (strncmp(line, "Size:", 5) == 0)
        walk->total.mapped += strtoul(line + 5, NULL, 10) * KIB;
}

struct process_memory_share process_memory_anonymous(void)
{
    struct lines lines = {.fd = open(smaps_path, O_RDONLY | O_CLOEXEC)};
    struct mapping_walk walk = {0};
    char line[LINE_MAX_BYTES];
    if (lines.fd < 0)
        return walk.total;
    while (lines_next(&lines, line, sizeof(line)))
        if (!mapping_begins(&walk, line) && walk.anonymous)
            mapping_add_field(&walk, line);
    close(lines.fd);
    return walk.total;
}
