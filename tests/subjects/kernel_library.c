/*
 * Another kernel beneath the recorder: linked with it so that its one system-call function is
 * wrapped. RECORDER_KERNEL says which:
 *
 *   pages16, pages64  pages of 16 or 64 KiB: whatever is mapped begins at multiples of them, in
 *                     memory and in the file, and is rounded up to them
 *   old               without MADV_POPULATE_WRITE and MADV_WIPEONFORK (before Linux 5.14 and 4.14)
 *   bare              without huge pages and advice about reading ahead
 *   solid             a file system without holes
 *   small             a file system whose largest file has 1 GiB
 *   emulated          mremap duplicates nothing
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

long __real_sys_call(long number, long a, long b, long c, long d, long e, long f);
long __wrap_sys_call(long number, long a, long b, long c, long d, long e, long f);

enum { POPULATE_WRITE = 23, WIPE_ON_FORK = 18 };

/* Whether the kernel is the one of that name. No function of libc: all of this is inside malloc. */
static bool kernel_is(const char *name)
{
    static const char variable[] = "RECORDER_KERNEL=";
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *at = *entry;
        const char *want = variable;
        while (*want != '\0' && *at == *want)
            at++, want++;
        if (*want != '\0')
            continue;
        while (*name != '\0' && *at == *name)
            at++, name++;
        return *at == *name;
    }
    return false;
}

static long page_bytes(void)
{
    return kernel_is("pages64") ? 64 << 10 : kernel_is("pages16") ? 16 << 10 : 4 << 10;
}

static long round_up(long bytes, long page)
{
    return (bytes + page - 1) & -page;
}

/* An address where `bytes` may be mapped; something is, to keep the place. */
static long place(long bytes, long page)
{
    long start =
        __real_sys_call(SYS_mmap, 0, bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long at = round_up(start, page);
    if (at > start)
        __real_sys_call(SYS_munmap, start, at - start, 0, 0, 0, 0);
    if (at < start + page)
        __real_sys_call(SYS_munmap, at + bytes, start + page - at, 0, 0, 0, 0);
    return at;
}

static long map(long bytes, long protection, long flags, long fd, long offset)
{
    long page = page_bytes();
    if (offset % page != 0)
        return -EINVAL;
    bytes = round_up(bytes, page);
    return __real_sys_call(SYS_mmap, place(bytes, page), bytes, protection, flags | MAP_FIXED, fd,
                           offset);
}

static long remap(long p, long old, long bytes, long flags)
{
    long page = page_bytes();
    if (kernel_is("emulated") && old == 0)
        return -ENOMEM;
    if (p % page != 0)
        return -EINVAL;
    bytes = round_up(bytes, page);
    return __real_sys_call(SYS_mremap, p, old, bytes, flags | MREMAP_FIXED, place(bytes, page), 0);
}

/* A huge page has 32 or 512 MiB where pages are larger: to ask for one ends the program. */
static long advise(long p, long bytes, long advice)
{
    long page = page_bytes();
    if (p % page != 0 || (kernel_is("old") && (advice == POPULATE_WRITE || advice == WIPE_ON_FORK)))
        return -EINVAL;
    if (page > 4 << 10 && advice == MADV_HUGEPAGE)
        __builtin_trap();
    if (kernel_is("bare") && (advice == MADV_HUGEPAGE || advice == MADV_RANDOM))
        return -EINVAL;
    return __real_sys_call(SYS_madvise, p, round_up(bytes, page), advice, 0, 0, 0);
}

static long status(long fd, long to)
{
    struct stat *found = (struct stat *)to;
    long error = __real_sys_call(SYS_fstat, fd, to, 0, 0, 0, 0);
    if (kernel_is("solid"))
        found->st_blocks = found->st_size / 512;
    return error;
}

long __wrap_sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
    case SYS_mmap:
        return map(b, c, d, e, f);
    case SYS_mremap:
        return remap(a, b, c, d);
    case SYS_munmap:
        return a % page_bytes() != 0
                   ? -EINVAL
                   : __real_sys_call(SYS_munmap, a, round_up(b, page_bytes()), 0, 0, 0, 0);
    case SYS_madvise:
        return advise(a, b, c);
    case SYS_fstat:
        return status(a, b);
    case SYS_ftruncate:
        if (kernel_is("small") && b > 1 << 30)
            return -EFBIG;
        break;
    default:
        break;
    }
    return __real_sys_call(number, a, b, c, d, e, f);
}
