/*
 * Reading SPAN_OPTIONS: see options.h. malloc may be called before any constructor, and inside of
 * libraries that hold locks: the environment is walked by hand, since a program may have a getenv
 * of its own (bash has), and nothing is called but what asks the kernel.
 */
#include "options.h"
#include "kernel.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WORD_SHOWN = 40 }; /* bytes of a wrong word that are shown; arbitrary */

struct word {
    const char *text;
    size_t bytes;
};

static bool word_is(struct word word, const char *text)
{
    return strlen(text) == word.bytes && memcmp(word.text, text, word.bytes) == 0;
}

/* Cuts off what is in front of the first `end` in a word, or all of it; the rest begins there. */
static struct word word_before(struct word *rest, char end)
{
    const char *found = memchr(rest->text, end, rest->bytes);
    struct word before = {rest->text, found ? (size_t)(found - rest->text) : rest->bytes};
    rest->text += before.bytes;
    rest->bytes -= before.bytes;
    return before;
}

static bool thp_set(struct options *options, struct word value)
{
    static const char *const names[] = {
        [OPTIONS_THP_DEFAULT] = ":default",
        [OPTIONS_THP_NEVER] = ":never",
        [OPTIONS_THP_ALWAYS] = ":always",
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (word_is(value, names[i])) {
            options->thp = (enum options_thp)i;
            return true;
        }
    return false;
}

/* The power of two that a suffix stands for. */
static bool size_shift(struct word suffix, unsigned *shift)
{
    static const char suffixes[] = "KMGT";
    *shift = 0;
    if (suffix.bytes == 0)
        return true;
    for (unsigned i = 0; i < sizeof suffixes - 1; i++)
        if (suffix.bytes == 1 && (*suffix.text & ~0x20) == suffixes[i])
            *shift = 10 * (i + 1);
    return *shift != 0;
}

static bool keep_set(struct options *options, struct word value)
{
    size_t size = 0;
    size_t at = 1; /* behind the colon */
    for (; at < value.bytes && value.text[at] >= '0' && value.text[at] <= '9'; at++)
        if (__builtin_mul_overflow(size, (size_t)10, &size) ||
            __builtin_add_overflow(size, (size_t)(value.text[at] - '0'), &size))
            return false;
    unsigned shift;
    if (at < 2 || !size_shift((struct word){value.text + at, value.bytes - at}, &shift) ||
        size > SIZE_MAX >> shift)
        return false;
    options->keep_max = size << shift;
    return true;
}

static bool verify_set(struct options *options, struct word value)
{
    options->verifies = true;
    return value.bytes == 0;
}

static const struct kind {
    const char *name;
    bool (*set)(struct options *, struct word value); /* the colon included; empty: none */
    const char *wrong;
} kinds[] = {
    {"thp", thp_set, " is not thp:never, thp:always or thp:default"},
    {"keep", keep_set, " is not keep: and a size, as in keep:0, keep:512K or keep:2M"},
    {"verify", verify_set, " is not verify alone"}, /* the last one: libspan-fast has it not */
};

enum { KINDS = sizeof kinds / sizeof kinds[0] - SPAN_FAST };

static const char known[] = " (known: thp, keep, verify)";
static const char known_fast[] = " (known: thp, keep)";

static bool item_read(struct word item, struct options *options, struct options_fault *fault)
{
    struct word value = item;
    struct word name = word_before(&value, ':');
    for (unsigned i = 0; i < KINDS; i++) {
        if (!word_is(name, kinds[i].name))
            continue;
        *fault = (struct options_fault){"", item.text, item.bytes, kinds[i].wrong};
        return kinds[i].set(options, value);
    }
    *fault =
        (struct options_fault){"no option ", name.text, name.bytes, SPAN_FAST ? known_fast : known};
    return false;
}

/* Items may be empty: scripts put theirs before or behind what is there. */
bool options_parse(const char *text, struct options *options, struct options_fault *fault)
{
    struct word rest = {text, strlen(text)};
    *options = OPTIONS_DEFAULT;
    while (rest.bytes > 0) {
        struct word item = word_before(&rest, ',');
        if (item.bytes > 0 && !item_read(item, options, fault)) {
            *options = OPTIONS_DEFAULT;
            return false;
        }
        if (rest.bytes > 0) {
            rest.text++;
            rest.bytes--;
        }
    }
    return true;
}

static struct iovec piece(const char *text, size_t bytes)
{
    return (struct iovec){(char *)(uintptr_t)text, bytes};
}

static struct iovec piece_of(const char *text)
{
    return piece(text, strlen(text));
}

/* One line in one call, without what a terminal would obey. */
static void fault_tell(const struct options_fault *fault)
{
    char shown[WORD_SHOWN];
    size_t bytes = fault->bytes < WORD_SHOWN ? fault->bytes : WORD_SHOWN;
    for (size_t i = 0; i < bytes; i++)
        shown[i] = fault->word[i] >= ' ' && fault->word[i] <= '~' ? fault->word[i] : '?';
    struct iovec pieces[] = {
        piece_of("span: SPAN_OPTIONS: "),
        piece_of(fault->before),
        piece_of("\""),
        piece(shown, bytes),
        piece_of(bytes < fault->bytes ? "...\"" : "\""),
        piece_of(fault->after),
        piece_of("; all of it is ignored\n"),
    };
    kernel_call(SYS_writev, STDERR_FILENO, (long)pieces, sizeof pieces / sizeof pieces[0], 0, 0, 0);
}

/* What the kernel told the program when it started (Linux 6.4); fewer bytes than wanted are fine.
 */
enum { ASK_AUXV = 0x41555856 /* PR_GET_AUXV */, AUXV_END = 0, AUXV_SECURE = 23, AUXV_WORDS = 128 };

/*
 * Whether the program runs with more rights than its caller. getauxval may be another library's, as
 * any function of libc. An older kernel says it indirectly: it keeps such a program's memory from
 * being dumped, unless it was told not to, and then there are the numbers of users and groups.
 */
static bool has_more_rights(void)
{
    unsigned long auxv[AUXV_WORDS] = {0};
    long bytes = kernel_call(SYS_prctl, ASK_AUXV, (long)auxv, sizeof auxv, 0, 0, 0);
    for (int i = 0; !kernel_failed(bytes) && i + 1 < AUXV_WORDS && auxv[i] != AUXV_END; i += 2)
        if (auxv[i] == AUXV_SECURE)
            return auxv[i + 1] != 0;
    return kernel_call(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0, 0) != 1 ||
           kernel_call(SYS_getuid, 0, 0, 0, 0, 0, 0) !=
               kernel_call(SYS_geteuid, 0, 0, 0, 0, 0, 0) ||
           kernel_call(SYS_getgid, 0, 0, 0, 0, 0, 0) != kernel_call(SYS_getegid, 0, 0, 0, 0, 0, 0);
}

/* NULL: there is no such variable, or it is not to be trusted. */
static const char *variable(void)
{
    static const char name[] = "SPAN_OPTIONS=";
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, name, sizeof name - 1) == 0)
            return has_more_rights() ? NULL : *entry + sizeof name - 1;
    return NULL;
}

enum state { UNREAD, BEING_READ, READ };

static _Atomic int state;
static struct options current; /* in state READ */

/* Threads of other libraries' constructors may get here at the same time: all of them read, the
   first one keeps what it read and tells what is wrong. */
static struct options options_read(void)
{
    struct options found = OPTIONS_DEFAULT;
    struct options_fault fault;
    const char *text = variable();
    bool is_right = !text || options_parse(text, &found, &fault);
    int unread = UNREAD;
    if (!atomic_compare_exchange_strong(&state, &unread, BEING_READ))
        return found;
    current = found;
    atomic_store_explicit(&state, READ, memory_order_release);
    if (!is_right)
        fault_tell(&fault);
    return found;
}

struct options options_current(void)
{
    if (atomic_load_explicit(&state, memory_order_acquire) == READ)
        return current;
    return environ ? options_read() : OPTIONS_DEFAULT;
}

/* Before main can change the environment. */
__attribute__((constructor)) static void options_at_start(void)
{
    options_current();
}
