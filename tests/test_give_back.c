/*
 * What stays of a program's memory when all of it was freed, whatever its sizes and the order: no
 * more than libspan.h promises. Each case is a child of its own.
 */
#include "allocator/libspan.h"
#include "cmocka_all.h"
#include "emulation.h"
#include "workloads/prng.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROMISED = 40 << 20, /* libspan.h */
    FILLED = 56 << 20,   /* so much more that it shows if nothing goes back */
    SIZE_MAX_TESTED = 32 << 10,
    SIZES_MAX = 3,
    BLOCKS_MAX = FILLED / 16,
    CASES_A_CHILD_LIMIT_S = 60,
};

enum order { FORWARDS, BACKWARDS, AT_RANDOM };

/* Blocks of a few sizes, which of them is next at random, freed in an order. */
struct mixture {
    size_t sizes[SIZES_MAX];
    unsigned count;
    enum order order;
    unsigned rounds; /* how often memory is filled and freed */
};

/* An emulator's own memory is in what is resident, and grows: what is mapped, there. */
static size_t resident(void)
{
    if (is_emulated()) {
        struct span_mallinfo2 info = span_mallinfo2();
        return info.arena + info.hblkhd;
    }
    char text[100] = "";
    int file = open("/proc/self/statm", O_RDONLY);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    unsigned long pages = 0;
    if (length <= 0 || sscanf(text, "%*u %lu", &pages) != 1)
        abort();
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t fill(char **blocks, const struct mixture *mixture, struct prng *prng)
{
    size_t count = 0;
    for (size_t bytes = 0; bytes < FILLED; count++) {
        size_t size = mixture->sizes[prng_below(prng, mixture->count)];
        blocks[count] = span_malloc(size);
        memset(blocks[count], 1, size);
        bytes += size < 16 ? 16 : size;
    }
    return count;
}

static void free_all(char **blocks, size_t count, enum order order, struct prng *prng)
{
    while (count > 0) {
        size_t last = count - 1;
        size_t at = order == AT_RANDOM ? prng_below(prng, count) : last;
        char *p = blocks[at];
        blocks[at] = blocks[last];
        count--;
        span_free(p);
    }
}

static void reverse(char **blocks, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        char *p = blocks[i];
        blocks[i] = blocks[count - 1 - i];
        blocks[count - 1 - i] = p;
    }
}

/* Bytes that stay, in a process that does nothing else. */
static size_t kept_after(const struct mixture *mixture)
{
    struct prng prng = prng_of_seed(mixture->sizes[0], mixture->count);
    size_t table = BLOCKS_MAX * sizeof(char *);
    char **blocks = mmap(NULL, table, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (blocks == MAP_FAILED)
        abort();
    size_t before = resident();
    for (unsigned i = 0; i < mixture->rounds; i++) {
        size_t count = fill(blocks, mixture, &prng);
        if (mixture->order == FORWARDS)
            reverse(blocks, count);
        free_all(blocks, count, mixture->order, &prng);
    }
    size_t after = resident();
    return after > before ? after - before : 0;
}

static void assert_given_back(const struct mixture *mixture)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(CASES_A_CHILD_LIMIT_S);
        _exit(kept_after(mixture) <= PROMISED ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status == 0)
        return;
    const char *trouble = !WIFSIGNALED(status)          ? "too much stays"
                          : WTERMSIG(status) == SIGALRM ? "not done in time"
                                                        : "killed";
    fail_msg("sizes %zu %zu %zu (%u), order %d, %u rounds: %s (status %x)", mixture->sizes[0],
             mixture->sizes[1], mixture->sizes[2], mixture->count, mixture->order, mixture->rounds,
             trouble, (unsigned)status);
}

static void in_any_order(struct mixture mixture)
{
    for (int order = FORWARDS; order <= AT_RANDOM; order++) {
        mixture.order = (enum order)order;
        assert_given_back(&mixture);
    }
}

/* Every size class has a multiple of 16 and what is a little more and less. Both steps are odd,
   so that all remainders occur. */
static void one_size(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 1040; size += 61)
        assert_given_back(&(struct mixture){{size}, 1, FORWARDS, 1});
    for (size_t size = 1041; size <= SIZE_MAX_TESTED; size += 4093)
        assert_given_back(&(struct mixture){{size}, 1, FORWARDS, 1});
}

static void sizes_that_leave_a_rest(void **state)
{
    (void)state;
    const size_t sizes[] = {24, 40, 56, 72, 120, 500, 1016, 8184, 8185, SIZE_MAX_TESTED};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        in_any_order((struct mixture){{sizes[i]}, 1, FORWARDS, 1});
}

static void mixtures(void **state)
{
    (void)state;
    in_any_order((struct mixture){{56, 301}, 2, FORWARDS, 1});
    in_any_order((struct mixture){{24, 88, 136}, 3, FORWARDS, 1});
    struct prng prng = prng_of_seed(1, 1);
    for (int i = 0; i < 5; i++) {
        struct mixture mixture = {.count = SIZES_MAX, .rounds = 1};
        for (int k = 0; k < SIZES_MAX; k++)
            mixture.sizes[k] = prng_log_uniform(&prng, 3, 14);
        in_any_order(mixture);
    }
}

static void again_and_again(void **state)
{
    (void)state;
    in_any_order((struct mixture){{56}, 1, FORWARDS, 3});
    in_any_order((struct mixture){{24, 88, 5000}, 3, FORWARDS, 3});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_size),
        cmocka_unit_test(sizes_that_leave_a_rest),
        cmocka_unit_test(mixtures),
        cmocka_unit_test(again_and_again),
    };
    return cmocka_run_group_tests_name("give back", tests, NULL, NULL);
}
