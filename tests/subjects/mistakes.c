/*
 * Programs with one mistake each in how they use memory: `mistakes` lists them, `mistakes NAME
 * SIZE` makes that one with blocks of SIZE bytes. It ends with status 0 if nobody noticed.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEIGHBOURS = 4, LATER = 40, FILLING = 0x41 };

/* Not in the headers of this C library. */
__attribute__((weak)) void free_sized(void *p, size_t size);
__attribute__((weak)) void free_aligned_sized(void *p, size_t alignment, size_t size);

static size_t size;
static char *volatile kept[NEIGHBOURS];
static char in_static[64];

/* So that compilers do not see what is wrong. */
static char *volatile p;
static volatile size_t zero;

static void fill(char *start, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((volatile char *)start)[i + zero] = FILLING;
}

static void free_one(void)
{
    free(p);
}

/* What a program does next: others of the size come and go. */
static void go_on(void)
{
    for (int i = 0; i < LATER; i++) {
        char *volatile other = malloc(size);
        fill(other, size);
        free(other);
    }
}

static void overflow(size_t from, size_t bytes)
{
    fill(p + from, bytes);
    free_one();
}

static void overflow_by_1(void)
{
    overflow(size, 1);
}

static void overflow_by_1_zero(void)
{
    ((volatile char *)p)[size] = 0;
    free_one();
}

static void overflow_by_8(void)
{
    overflow(size, 8);
}

static void overflow_by_100(void)
{
    overflow(size, 100);
}

static void overflow_never_freed(void)
{
    fill(p + size, 1);
}

static void overflow_then_realloc(void)
{
    fill(p + size, 1);
    p = realloc(p, size * 2);
    free_one();
}

static void terminator_of_string(void)
{
    char *text = malloc(size + 1);
    fill(text, size);
    text[size] = '\0';
    strcpy(p, text);
    free(text);
    free_one();
}

static void loop_one_too_far(void)
{
    int *numbers = (int *)(void *)p;
    for (size_t i = 0; i <= size / sizeof *numbers; i++)
        ((volatile int *)numbers)[i] = (int)i;
    free_one();
}

static void memset_too_long(void)
{
    memset(p, 0, size + 4 + zero);
    free_one();
}

static void memcpy_too_long(void)
{
    char *other = calloc(1, size + 16);
    memcpy(p, other, size + 16 + zero);
    free(other);
    free_one();
}

static void calloc_overrun(void)
{
    free_one();
    p = calloc(size, 1);
    overflow(size, 2);
}

static void aligned_overrun(void)
{
    free_one();
    p = aligned_alloc(64, size);
    overflow(size, 1);
}

static void realloc_overrun(void)
{
    p = realloc(p, size + 1);
    overflow(size + 1, 1);
}

static void usable_size_of_another(void)
{
    char *other = malloc(size + 100);
    memset(p, FILLING, malloc_usable_size(other) + zero);
    free(other);
    free_one();
}

static void underflow_by_1(void)
{
    fill(p - 1, 1);
    free_one();
}

static void underflow_by_8(void)
{
    fill(p - 8, 8);
    free_one();
}

static void underflow_by_16(void)
{
    fill(p - 16, 16);
    free_one();
}

/* What lies there depends on addresses, and a byte that is given its own value is not changed. */
static void underflow_by_17(void)
{
    ((volatile char *)p)[zero - 17] ^= FILLING;
    for (int i = 0; i < NEIGHBOURS; i++)
        free(kept[i]);
    free_one();
}

static void underflow_never_freed(void)
{
    fill(p - 1, 1);
}

static void write_after_free(size_t at)
{
    free_one();
    fill(p + at, 1);
    go_on();
}

static void written_after_free_first(void)
{
    write_after_free(0);
}

static void written_after_free_middle(void)
{
    write_after_free(size / 2);
}

static void written_after_free_last(void)
{
    write_after_free(size - 1);
}

static void written_after_free_and_exit(void)
{
    free_one();
    fill(p + size / 2, 1);
}

static void zeroed_after_free(void)
{
    free_one();
    memset(p, 0, size + zero);
    go_on();
}

static void written_after_free_much_later(void)
{
    free_one();
    for (int i = 0; i < 10; i++)
        go_on();
    fill(p + size / 2, 3);
    for (int i = 0; i < 10; i++)
        go_on();
}

static void written_after_realloc(void)
{
    char *stale = p;
    p = realloc(p, size * 3);
    char *volatile between = stale;
    if (between == p) /* nothing is wrong then; the next one moves */
        return;
    fill(between + size / 2, 1);
    go_on();
    free_one();
}

static void written_after_shrinking(void)
{
    char *volatile stale = p;
    p = realloc(p, size / 4 + 1);
    fill(stale + size - 1, 1);
    go_on();
    free_one();
}

static void double_free_now(void)
{
    free_one();
    free_one();
}

static void double_free_later(void)
{
    free_one();
    for (int i = 1; i < NEIGHBOURS; i++)
        free(kept[i]);
    free_one();
}

static void double_free_after_reuse(void)
{
    char *volatile first = p;
    free_one();
    p = malloc(size);
    fill(p, size);
    free(first);
    fill(p, size);
    free_one();
}

static void double_free_after_realloc(void)
{
    char *volatile first = p;
    p = realloc(p, size * 3);
    free(first);
    free_one();
}

static void free_of_interior(void)
{
    free(p + (size > 16 ? 16 : 4));
}

static void free_of_end(void)
{
    free(p + size);
}

static void free_of_misaligned(void)
{
    free(p + 1);
}

static void free_of_stack(void)
{
    char on_stack[64] = {0};
    p = on_stack + 16;
    free_one();
    p = NULL;
}

static void free_of_static(void)
{
    p = in_static + 16;
    free_one();
}

static void free_of_number(void)
{
    p = (char *)(uintptr_t)(size * 16);
    free_one();
}

static void realloc_of_freed(void)
{
    free_one();
    p = realloc(p, size * 2);
}

static void realloc_of_interior(void)
{
    p = realloc(p + (size > 16 ? 16 : 4), size * 2);
}

static void usable_size_of_freed(void)
{
    free_one();
    zero = malloc_usable_size(p) * 0;
}

static void sized_free_mismatch(void)
{
    if (free_sized)
        free_sized(p, size + 1);
}

static void sized_free_of_aligned(void)
{
    free_one();
    p = aligned_alloc(64, size);
    if (free_sized)
        free_sized(p, size);
}

static void aligned_free_mismatch(void)
{
    free_one();
    p = aligned_alloc(64, size);
    if (free_aligned_sized)
        free_aligned_sized(p, 128, size);
}

static void write_to_nothing(void)
{
    free_one();
    p = malloc(zero);
    fill(p, 1);
    free_one();
}

static void double_free_of_nothing(void)
{
    free_one();
    p = malloc(zero);
    free_one();
    free_one();
}

/* Releases of clang-format break these braces differently. */
/* clang-format off */
#define MISTAKE(name) {#name, name}
/* clang-format on */

static const struct mistake {
    const char *name;
    void (*make)(void);
} mistakes[] = {
    MISTAKE(overflow_by_1),
    MISTAKE(overflow_by_1_zero),
    MISTAKE(overflow_by_8),
    MISTAKE(overflow_by_100),
    MISTAKE(overflow_never_freed),
    MISTAKE(overflow_then_realloc),
    MISTAKE(terminator_of_string),
    MISTAKE(loop_one_too_far),
    MISTAKE(memset_too_long),
    MISTAKE(memcpy_too_long),
    MISTAKE(calloc_overrun),
    MISTAKE(aligned_overrun),
    MISTAKE(realloc_overrun),
    MISTAKE(usable_size_of_another),
    MISTAKE(underflow_by_1),
    MISTAKE(underflow_by_8),
    MISTAKE(underflow_by_16),
    MISTAKE(underflow_by_17),
    MISTAKE(underflow_never_freed),
    MISTAKE(written_after_free_first),
    MISTAKE(written_after_free_middle),
    MISTAKE(written_after_free_last),
    MISTAKE(written_after_free_and_exit),
    MISTAKE(zeroed_after_free),
    MISTAKE(written_after_free_much_later),
    MISTAKE(written_after_realloc),
    MISTAKE(written_after_shrinking),
    MISTAKE(double_free_now),
    MISTAKE(double_free_later),
    MISTAKE(double_free_after_reuse),
    MISTAKE(double_free_after_realloc),
    MISTAKE(free_of_interior),
    MISTAKE(free_of_end),
    MISTAKE(free_of_misaligned),
    MISTAKE(free_of_stack),
    MISTAKE(free_of_static),
    MISTAKE(free_of_number),
    MISTAKE(realloc_of_freed),
    MISTAKE(realloc_of_interior),
    MISTAKE(usable_size_of_freed),
    MISTAKE(sized_free_mismatch),
    MISTAKE(sized_free_of_aligned),
    MISTAKE(aligned_free_mismatch),
    MISTAKE(write_to_nothing),
    MISTAKE(double_free_of_nothing),
};

enum { MISTAKES = sizeof mistakes / sizeof mistakes[0] };

/* What surrounds the block that is misused: others of its size, one of them between the two. */
static void set_up(void)
{
    for (int i = 0; i < NEIGHBOURS; i++) {
        kept[i] = malloc(size);
        fill(kept[i], size);
        if (i == NEIGHBOURS / 2) {
            p = malloc(size);
            fill(p, size);
        }
    }
}

static int usage(void)
{
    for (int i = 0; i < MISTAKES; i++)
        puts(mistakes[i].name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return usage();
    size = strtoul(argv[2], NULL, 10);
    for (int i = 0; i < MISTAKES; i++)
        if (strcmp(mistakes[i].name, argv[1]) == 0) {
            set_up();
            mistakes[i].make();
            return 0;
        }
    return 2;
}
