/*
 * The recorder's access to files, see recorder_file.h. System calls are made through syscall()
 * where the function of libc is a point at which a thread may be cancelled, which malloc is not.
 */
#include "recorder_file.h"
#include "raw.h"
#include "recorder_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    FILE_NAME_BYTES = 48,  /* of "PID-N.raw" */
    FILE_KEPT_LEAST = 512, /* kept descriptors are above those that programs count through */
    FILE_IMAGES_MAX = 1 << 20,
    FILE_ZEROS_BYTES = 16 << 10, /* with the next line: the largest window in one system call */
    FILE_PARTS_MAX = RAW_WINDOW_LAST / FILE_ZEROS_BYTES,
};

/* A descriptor that we may have left open. The program may have closed it and reused the number. */
struct kept {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

static struct {
    char directory[PATH_MAX];
    char name[FILE_NAME_BYTES]; /* of the raw file in the directory; empty: not created */
    dev_t device;
    ino_t inode;
    struct kept raw;
    struct kept folder;
} file = {.raw.fd = -1, .folder.fd = -1};

static int sys_openat(int directory, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, directory, path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

static void sys_close(int fd)
{
    syscall(SYS_close, fd);
}

static bool kept_is_valid(const struct kept *kept)
{
    struct stat now;
    return kept->fd >= 0 && fstat(kept->fd, &now) == 0 && now.st_dev == kept->device &&
           now.st_ino == kept->inode;
}

/* Takes over `fd`: moves it out of the way. */
static void kept_hold(struct kept *kept, int fd)
{
    struct stat now;
    if (fd < 0)
        return;
    kept->fd = fcntl(fd, F_DUPFD_CLOEXEC, FILE_KEPT_LEAST);
    if (kept->fd < 0) /* the program's limit is lower */
        kept->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    sys_close(fd);
    if (kept->fd >= 0 && fstat(kept->fd, &now) == 0) {
        kept->device = now.st_dev;
        kept->inode = now.st_ino;
    }
}

static void kept_close(struct kept *kept)
{
    if (kept_is_valid(kept))
        sys_close(kept->fd);
    kept->fd = -1;
}

bool file_choose_directory(const char *directory)
{
    size_t bytes = strlen(directory) + 1;
    if (directory[0] != '/' || bytes + FILE_NAME_BYTES > sizeof file.directory) {
        errno = EINVAL;
        return false;
    }
    memcpy(file.directory, directory, bytes);
    return true;
}

/* A path as long as this may be: the directory was checked. */
static int open_by_path(const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct text text = text_open(path, sizeof path);
    text_put(&text, file.directory);
    text_put(&text, "/");
    text_put(&text, name);
    return sys_openat(AT_FDCWD, path, flags, mode);
}

static int open_in_directory(const char *name, int flags, mode_t mode)
{
    int fd = open_by_path(name, flags, mode);
    if (fd < 0 && errno != EEXIST && kept_is_valid(&file.folder))
        fd = sys_openat(file.folder.fd, name, flags, mode);
    return fd;
}

static bool root_is(uint32_t pid)
{
    char found[16] = "";
    char wanted[16];
    struct text text = text_open(wanted, sizeof wanted);
    text_put_number(&text, pid);
    int fd = open_in_directory("root", O_RDONLY, 0);
    if (fd < 0)
        return false;
    long bytes = syscall(SYS_read, fd, found, sizeof found - 1);
    sys_close(fd);
    return bytes == (long)text.length + 1 && found[text.length] == '\n' &&
           memcmp(found, wanted, text.length) == 0;
}

bool file_claim_root(uint32_t pid)
{
    char line[16];
    struct text text = text_open(line, sizeof line);
    text_put_number(&text, pid);
    line[text.length++] = '\n';
    int fd = open_in_directory("root", O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return root_is(pid);
    bool written = syscall(SYS_write, fd, line, text.length) == (long)text.length;
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

static int create_next(uint32_t pid, uint32_t *image)
{
    for (*image = 0; *image < FILE_IMAGES_MAX; ++*image) {
        name_image(pid, *image);
        int fd = open_in_directory(file.name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

int file_create(uint32_t pid, uint32_t *image)
{
    struct stat now;
    int fd = create_next(pid, image);
    if (fd < 0 || fstat(fd, &now) != 0) {
        file.name[0] = '\0';
        return -1;
    }
    file.device = now.st_dev;
    file.inode = now.st_ino;
    /* It was made through the kept directory: its path will not be found later either. */
    if (kept_is_valid(&file.folder))
        kept_hold(&file.raw, fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    return fd;
}

void file_remove(void)
{
    char path[PATH_MAX];
    struct text text = text_open(path, sizeof path);
    text_put(&text, file.directory);
    text_put(&text, "/");
    text_put(&text, file.name);
    if (unlink(path) != 0 && kept_is_valid(&file.folder))
        unlinkat(file.folder.fd, file.name, 0);
    file_forget();
}

/* By its path alone; another file of that name (after chroot, say) is refused. */
static int open_same(void)
{
    struct stat now;
    if (file.name[0] == '\0') {
        errno = ENOENT;
        return -1;
    }
    int fd = open_by_path(file.name, O_RDWR, 0);
    if (fd < 0)
        return -1;
    if (fstat(fd, &now) == 0 && now.st_dev == file.device && now.st_ino == file.inode)
        return fd;
    sys_close(fd);
    errno = ESTALE;
    return -1;
}

int file_open(void)
{
    int fd = open_same();
    if (fd < 0 && kept_is_valid(&file.raw))
        fd = file.raw.fd;
    return fd;
}

void file_close(int fd)
{
    if (fd != file.raw.fd)
        sys_close(fd);
}

/* SIGXFSZ would end the program. */
static bool file_limit_allows(uint64_t end)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return false;
    if (limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur)
        return true;
    errno = EFBIG;
    return false;
}

/* Fills `parts` with up to `bytes` of zeros; returns their number. */
static int parts_fill(struct iovec parts[FILE_PARTS_MAX], uint64_t bytes)
{
    static const char zeros[FILE_ZEROS_BYTES];
    int count = 0;
    for (; bytes > 0 && count < FILE_PARTS_MAX; count++) {
        size_t part = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        parts[count] = (struct iovec){(void *)(uintptr_t)zeros, part};
        bytes -= part;
    }
    return count;
}

/*
 * Written zeros reserve their place on the disk as fallocate does, but unlike fallocate's they are
 * in memory already, in large pages where the file system has them: to fill such a window through
 * its mapping costs 0.9 us a page instead of 3.5 us (ext4, Linux 6.18).
 */
bool file_extend(int fd, uint64_t offset, uint64_t bytes)
{
    struct iovec parts[FILE_PARTS_MAX];
    uint64_t end = offset + bytes;
    if (!file_limit_allows(end))
        return false;
    while (offset < end) {
        int count = parts_fill(parts, end - offset);
        long written = syscall(SYS_pwritev, fd, parts, count, offset, 0);
        if (written > 0)
            offset += (uint64_t)written;
        else if (written == 0 || errno != EINTR)
            return false;
    }
    return true;
}

void file_keep(void)
{
    if (!kept_is_valid(&file.raw))
        kept_hold(&file.raw, open_same());
    if (!kept_is_valid(&file.folder))
        kept_hold(&file.folder, sys_openat(AT_FDCWD, file.directory, O_PATH | O_DIRECTORY, 0));
}

void file_drop_kept(void)
{
    int fd = open_same();
    if (fd < 0)
        return;
    sys_close(fd);
    kept_close(&file.raw);
    kept_close(&file.folder);
}

void file_forget(void)
{
    kept_close(&file.raw);
    file.name[0] = '\0';
}
