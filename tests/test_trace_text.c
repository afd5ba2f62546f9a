/*
 * The "key=value" lines of a trace: lines are found, counts add up, what identifies the maker goes.
 */
#include "cmocka_all.h"
#include "workloads/trace_text.h"

#include <string.h>

static struct trace_text text;

static int text_clear(void **state)
{
    (void)state;
    text.length = 0;
    text.bytes[0] = '\0';
    return 0;
}

static void assert_stripped(const char *given, const char *want)
{
    text_clear(NULL);
    trace_text_strip(&text, given);
    assert_string_equal(text.bytes, want);
}

static void test_lines_are_taken(void **state)
{
    (void)state;
    const char *rest = "a=1\n\nb=x=y\nempty=\nword\nlast=9";
    static const char *const want[][2] = {
        {"a", "1"}, {"b", "x=y"}, {"empty", ""}, {"word", ""}, {"last", "9"}};
    struct text_line line;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(text_line_take(&rest, &line));
        assert_true(text_line_is(&line, want[i][0]));
        assert_int_equal(line.value_length, strlen(want[i][1]));
        assert_memory_equal(line.value, want[i][1], line.value_length);
    }
    assert_false(text_line_take(&rest, &line));
}

static void test_counts_are_numbers(void **state)
{
    (void)state;
    static const char *const none[] = {"a=", "a=1x", "a=-1", "a= 1", "a=12345678901234567890", "a"};
    const char *rest = "a=17\n";
    struct text_line line;
    uint64_t count = 0;
    assert_true(text_line_take(&rest, &line) && text_line_count(&line, &count));
    assert_int_equal(count, 17);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        rest = none[i];
        assert_true(text_line_take(&rest, &line));
        assert_false(text_line_count(&line, &count));
    }
}

static void test_counts_add_up(void **state)
{
    (void)state;
    trace_text_add_all(&text, "lost_ops=5\nlost_why=no\nspace\n");
    trace_text_count(&text, "lost_ops", 7);
    trace_text_count(&text, "unknown_frees", 0);
    trace_text_count(&text, "repaired_inversions", 1);
    assert_string_equal(text.bytes, "lost_why=no\nspace=\nlost_ops=12\nrepaired_inversions=1\n");
}

static void test_values_grow(void **state)
{
    (void)state;
    trace_text_extend(&text, "excerpt", "cut");
    trace_text_add(&text, "tool", "two\nlines");
    trace_text_extend(&text, "excerpt", "filter");
    assert_string_equal(text.bytes, "tool=two lines\nexcerpt=cut; filter\n");
}

static void test_what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    static char value[TRACE_TEXT_MAX];
    memset(value, 'x', sizeof value - 1);
    trace_text_add(&text, "a", "1");
    trace_text_add(&text, "b", value);
    trace_text_add(&text, "c", "2");
    assert_string_equal(text.bytes, "a=1\nc=2\n");
}

static void test_what_identifies_goes(void **state)
{
    (void)state;
    assert_stripped("source=recorded\nprogram=/home/me/bin/tool\ncommand=tool --token x\npid=7\n"
                    "image=0\nhost=here\nuser=me\ninput=/home/me/x\nlibc=glibc 2.36\n",
                    "source=recorded\nprogram=tool\nimage=0\nlibc=glibc 2.36\n");
    assert_stripped("kernel=6.1/home/me\ncpu=made up\nPATH=/bin\nenvironment=A\n", "cpu=made up\n");
    assert_stripped("lost_ops=3\nlost_why=No space left on device\nunknown_frees=0\n",
                    "lost_ops=3\nlost_why=No space left on device\nunknown_frees=0\n");
    assert_stripped("lost_why=/tmp/x: full\nuid=1000\npid_namespace=402653\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines_are_taken, text_clear),
        cmocka_unit_test_setup(test_counts_are_numbers, text_clear),
        cmocka_unit_test_setup(test_counts_add_up, text_clear),
        cmocka_unit_test_setup(test_values_grow, text_clear),
        cmocka_unit_test_setup(test_what_does_not_fit_is_left_out, text_clear),
        cmocka_unit_test_setup(test_what_identifies_goes, text_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
