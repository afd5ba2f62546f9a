/*
 * The recorder's access to files, see recorder_file.h.
 */
#include "recorder_file.h"
#include "raw.h"
#include "recorder_sys.h"
#include "recorder_text.h"

#include <errno.h>
#include <limits.h>

enum {
    FILE_NAME_BYTES = 48, /* of "PID-N.raw" */
    FILE_IMAGES_MAX = 1 << 20,
    FILE_BLOCK = 512, /* the unit of st_blocks */
};

/* Four thousand million calls. A file that is left behind counts as this large for whoever copies
   it without an eye for holes. */
#define FILE_BYTES_MOST (UINT64_C(64) << 30)
/* What a file has at least, and at most where its blocks are all allocated at once: 250,000
   calls. */
#define FILE_BYTES_SOLID (UINT64_C(4) << 20)

static struct {
    char directory[PATH_MAX];
    char name[FILE_NAME_BYTES]; /* of the raw file in the directory */
} file;

bool file_choose_directory(const char *directory)
{
    size_t bytes = text_length(directory) + 1;
    if (directory[0] != '/' || bytes + FILE_NAME_BYTES > sizeof file.directory)
        return false;
    for (size_t i = 0; i < bytes; i++)
        file.directory[i] = directory[i];
    return true;
}

/* A path as long as this may be: the directory was checked. */
static void path_put(char path[PATH_MAX], const char *name)
{
    struct text text = text_open(path, PATH_MAX);
    text_put(&text, file.directory);
    text_put(&text, "/");
    text_put(&text, name);
}

static int open_in_directory(const char *name, int flags)
{
    char path[PATH_MAX];
    path_put(path, name);
    return sys_openat(AT_FDCWD, path, flags, 0600);
}

/* The line that the root process writes. */
static struct text root_line(char line[16], uint32_t pid)
{
    struct text text = text_open(line, 16);
    text_put_number(&text, pid);
    line[text.length++] = '\n';
    return text;
}

static bool root_is(uint32_t pid)
{
    char found[16];
    char line[16];
    struct text wanted = root_line(line, pid);
    int fd = open_in_directory("root", O_RDONLY);
    if (fd < 0)
        return false;
    long bytes = sys_read(fd, found, sizeof found);
    sys_close(fd);
    bool same = bytes == (long)wanted.length;
    for (size_t i = 0; same && i < wanted.length; i++)
        same = found[i] == line[i];
    return same;
}

bool file_claim_root(uint32_t pid)
{
    char line[16];
    struct text text = root_line(line, pid);
    if (sys_limit(RLIMIT_FSIZE) < text.length) /* to write it would raise SIGXFSZ */
        return false;
    int fd = open_in_directory("root", O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return root_is(pid);
    bool written = sys_write(fd, line, text.length) == (long)text.length;
    sys_close(fd);
    return written;
}

static void name_image(uint32_t pid, uint32_t image)
{
    struct text text = text_open(file.name, sizeof file.name);
    text_put_number(&text, pid);
    text_put(&text, "-");
    text_put_number(&text, image);
    text_put(&text, ".raw");
}

int file_create(uint32_t pid, uint32_t *image)
{
    int fd = -EEXIST;
    for (*image = 0; *image < FILE_IMAGES_MAX && fd == -EEXIST; ++*image) {
        name_image(pid, *image);
        fd = open_in_directory(file.name, O_RDWR | O_CREAT | O_EXCL);
    }
    --*image;
    return fd;
}

/* Whether the file, which has `bytes` that nobody has written, takes no place for them. */
static bool file_has_holes(int fd, uint64_t bytes)
{
    struct stat status;
    return sys_fstat(fd, &status) == 0 && (uint64_t)status.st_blocks * FILE_BLOCK < bytes;
}

/* Beyond the limit, ftruncate raises SIGXFSZ, which ends the program. */
static uint64_t bytes_allowed(void)
{
    uint64_t limit = sys_limit(RLIMIT_FSIZE);
    uint64_t most = limit < FILE_BYTES_MOST ? limit : FILE_BYTES_MOST;
    return most / RAW_UNIT * RAW_UNIT;
}

int file_size(int fd, uint64_t *bytes)
{
    uint64_t most = bytes_allowed();
    *bytes = most < FILE_BYTES_SOLID ? most : FILE_BYTES_SOLID;
    int error = *bytes < 2 * RAW_UNIT ? -EFBIG : sys_ftruncate(fd, *bytes);
    if (error != 0 || !file_has_holes(fd, *bytes))
        return error;
    /* Each file system has a largest file; EFBIG is its answer beyond. */
    for (; most > *bytes; most = most / 2 / RAW_UNIT * RAW_UNIT)
        if (sys_ftruncate(fd, most) == 0)
            *bytes = most;
    return 0;
}

void file_remove(void)
{
    char path[PATH_MAX];
    path_put(path, file.name);
    sys_unlink(path);
}
