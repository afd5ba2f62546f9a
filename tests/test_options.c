/* SPAN_OPTIONS: what is read of a text, of hostile ones, and of the environment. */
#include "allocator/options.h"
#include "cmocka_all.h"
#include "emulation.h"
#include "workloads/prng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 200000, LONGEST = 40, LONG_TEXT = 1 << 20 };

static void assert_read(const char *text, size_t keep_max, enum options_thp thp, bool verifies)
{
    struct options options;
    struct options_fault fault;
    assert_true(options_parse(text, &options, &fault));
    assert_int_equal(options.keep_max, keep_max);
    assert_int_equal(options.thp, thp);
    assert_int_equal(options.verifies, verifies);
}

static void assert_default(const struct options *options)
{
    assert_int_equal(options->keep_max, OPTIONS_KEEP_LEARNT);
    assert_int_equal(options->thp, OPTIONS_THP_DEFAULT);
    assert_false(options->verifies);
}

/* The text is refused for the word, with these words around it. */
static void assert_refused(const char *text, const char *before, const char *word,
                           const char *after)
{
    struct options options;
    struct options_fault fault;
    assert_false(options_parse(text, &options, &fault));
    assert_default(&options);
    assert_string_equal(fault.before, before);
    assert_int_equal(fault.bytes, strlen(word));
    assert_memory_equal(fault.word, word, fault.bytes);
    assert_true(fault.word >= text && fault.word + fault.bytes <= text + strlen(text));
    assert_memory_equal(fault.after, after, strlen(after));
}

static void options_are_read(void **state)
{
    (void)state;
    const size_t learnt = OPTIONS_KEEP_LEARNT;
    assert_read("", learnt, OPTIONS_THP_DEFAULT, false);
    assert_read(",,", learnt, OPTIONS_THP_DEFAULT, false);
    assert_read("thp:never", learnt, OPTIONS_THP_NEVER, false);
    assert_read("thp:always,keep:0", 0, OPTIONS_THP_ALWAYS, false);
    assert_read(",keep:3K,thp:never,thp:default,", 3 << 10, OPTIONS_THP_DEFAULT, false);
    assert_read("keep:5", 5, OPTIONS_THP_DEFAULT, false);
    assert_read("keep:5m", 5 << 20, OPTIONS_THP_DEFAULT, false);
    assert_read("keep:007G", (size_t)7 << 30, OPTIONS_THP_DEFAULT, false);
    assert_read("keep:16777215T", (size_t)16777215 << 40, OPTIONS_THP_DEFAULT, false);
    assert_read("keep:18446744073709551614", SIZE_MAX - 1, OPTIONS_THP_DEFAULT, false);
#if !SPAN_FAST
    assert_read("verify,keep:1", 1, OPTIONS_THP_DEFAULT, true);
#endif
}

static void mistakes_are_named(void **state)
{
    (void)state;
    const char *known = SPAN_FAST ? " (known: thp, keep)" : " (known: thp, keep, verify)";
    assert_refused("thpp:never", "no option ", "thpp", known);
    assert_refused("keep:1,THP:never", "no option ", "THP", known);
    assert_refused(" keep:1", "no option ", " keep", known);
    assert_refused(":", "no option ", "", known);
    assert_refused("thp", "", "thp", " is not thp:never");
    assert_refused("thp:", "", "thp:", " is not thp:never");
    assert_refused("keep:3,thp:sometimes,thp:never", "", "thp:sometimes", " is not thp:never");
    assert_refused("thp:never:always", "", "thp:never:always", " is not thp:never");
#if SPAN_FAST
    assert_refused("verify", "no option ", "verify", known);
#else
    assert_refused("verify:1", "", "verify:1", " is not verify alone");
    assert_refused("verify:", "", "verify:", " is not verify alone");
#endif
}

static void sizes_that_are_none_are_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "keep",     "keep:",     "keep:-1",        "keep:+1",
        "keep:1KB", "keep:0x10", "keep:K",         "keep:1.5M",
        "keep: 1",  "keep:1k ",  "keep:16777216T", "keep:18446744073709551616",
        "keep:1[",  "keep:1\v",  "keep:1K2",       "keep:99999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i], "", wrong[i], " is not keep: and a size");
}

/* From the letters of real options, so that some are nearly right. Each text has a block of its
   own, where a sanitizer sees a step beyond it. */
static void any_text_is_read_or_refused(void **state)
{
    (void)state;
    static const char letters[] = "thp:nevralwysdfuki0128KMGT,,::\x1b\xff ";
    struct prng prng = prng_of_seed(4, 4);
    for (int i = 0; i < TRIES; i++) {
        size_t length = prng_below(&prng, LONGEST);
        char *text = malloc(length + 1);
        size_t start = length > 5 && prng_below(&prng, 2) ? 5 : 0;
        memcpy(text, prng_below(&prng, 2) ? "keep:" : "thp:n", start);
        for (size_t k = start; k < length; k++)
            text[k] = letters[prng_below(&prng, sizeof letters - 1)];
        text[length] = '\0';
        struct options options;
        struct options_fault fault;
        if (!options_parse(text, &options, &fault)) {
            assert_default(&options);
            assert_true(fault.word >= text && fault.word + fault.bytes <= text + length);
        }
        free(text);
    }
}

static void a_long_text_takes_no_stack(void **state)
{
    (void)state;
    char *text = malloc(LONG_TEXT + 1);
    for (size_t i = 0; i < LONG_TEXT; i++)
        text[i] = "keep:0,"[i % 7];
    memset(text + LONG_TEXT / 7 * 7, '\0', LONG_TEXT % 7 + 1);
    assert_read(text, 0, OPTIONS_THP_DEFAULT, false);
    memset(text, '9', LONG_TEXT);
    assert_refused(text, "no option ", text, " (known");
    free(text);
}

/* This program once more, with SPAN_OPTIONS: what it prints of its options, which is the status. */
static int status_under(const char *setting)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("SPAN_OPTIONS", setting, 1);
        execl("/proc/self/exe", "test_options", "current", (char *)NULL);
        _exit(127);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The options in one byte; they are those of the start, whatever becomes of the environment. */
static int print_current(void)
{
    setenv("SPAN_OPTIONS", "keep:77,thp:never", 1);
    struct options options = options_current();
    return (int)(options.keep_max & 63) | (int)options.thp << 6;
}

static void those_of_the_environment_are_the_current_ones(void **state)
{
    (void)state;
    if (is_emulated())
        skip();
    assert_int_equal(status_under(""), 63);
    assert_int_equal(status_under("keep:0"), 0);
    assert_int_equal(status_under("keep:21,thp:never"), 21 | OPTIONS_THP_NEVER << 6);
    assert_int_equal(status_under("thp:always"), 63 | OPTIONS_THP_ALWAYS << 6);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "current") == 0)
        return print_current();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(sizes_that_are_none_are_refused),
        cmocka_unit_test(any_text_is_read_or_refused),
        cmocka_unit_test(a_long_text_takes_no_stack),
        cmocka_unit_test(those_of_the_environment_are_the_current_ones),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
