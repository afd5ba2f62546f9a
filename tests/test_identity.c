/*
 * Which object an address lies in, which file a path names, and when the two are the same. The
 * JSON text that identities are printed to is tested here as well.
 */
#include "bench/identity.h"
#include "cmocka_all.h"

#include <string.h>
#include <unistd.h>

static void test_function_of_the_program(void **state)
{
    (void)state;
    struct identity by_address;
    struct identity by_path;
    char error[IDENTITY_ERROR_MAX];
    char path[PATH_MAX] = "";
    assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
    assert_true(identity_of_address((const void *)test_function_of_the_program, &by_address));
    assert_string_equal(by_address.path, path);
    assert_true(identity_of_file(path, &by_path, error));
    assert_true(identity_is_same(&by_address, &by_path));
    assert_string_equal(by_address.build_id, by_path.build_id);
}

static void test_function_of_a_library(void **state)
{
    (void)state;
    struct identity by_address;
    struct identity by_path;
    char error[IDENTITY_ERROR_MAX];
    const void *volatile function = (const void *)getppid;
    assert_true(identity_of_address(function, &by_address));
    assert_non_null(strstr(by_address.path, "libc.so"));
    assert_true(identity_of_file(by_address.path, &by_path, error));
    assert_true(identity_is_same(&by_address, &by_path));
    assert_true(strlen(by_path.build_id) > 0);
    assert_string_equal(by_address.build_id, by_path.build_id);
}

static void test_address_of_no_object(void **state)
{
    (void)state;
    struct identity identity;
    int on_the_stack = 0;
    assert_false(identity_of_address(&on_the_stack, &identity));
}

static void test_same_means_file_and_build_id(void **state)
{
    (void)state;
    struct identity a = {.device = 1, .inode = 2, .path = "/a", .build_id = "abcd"};
    struct identity b = a;
    strcpy(b.path, "/b");
    assert_true(identity_is_same(&a, &b));
    strcpy(b.build_id, "abce");
    assert_false(identity_is_same(&a, &b));
    b.build_id[0] = '\0';
    assert_true(identity_is_same(&a, &b));
    b.inode = 3;
    assert_false(identity_is_same(&a, &b));
    b = a;
    b.device = 2;
    assert_false(identity_is_same(&a, &b));
}

static void test_replaced_file_is_told(void **state)
{
    (void)state;
    struct identity wanted;
    char error[IDENTITY_ERROR_MAX];
    const void *volatile function = (const void *)getppid;
    assert_true(identity_of_address(function, &wanted));
    assert_true(identity_prove_function(&wanted, "getppid", function, error));
    wanted.build_id[0] ^= 1;
    assert_false(identity_prove_function(&wanted, "getppid", function, error));
    assert_non_null(strstr(error, "getppid comes from "));
    assert_non_null(strstr(error, "(the file has been replaced since it was loaded)"));
}

static void assert_printed(const char *string, const char *wanted)
{
    char buffer[100];
    struct json_text text = json_text_open(buffer, sizeof(buffer));
    json_text_string(&text, string);
    assert_string_equal(buffer, wanted);
    assert_false(text.overflowed);
}

static void test_strings_are_quoted(void **state)
{
    (void)state;
    assert_printed("plain", "\"plain\"");
    assert_printed("a\"b\\c", "\"a\\\"b\\\\c\"");
    assert_printed("line\n\x01\x7f", "\"line\\u000a\\u0001\\u007f\"");
    assert_printed("\xc3\xa9", "\"\xc3\xa9\"");
    assert_printed(NULL, "null");
}

static void test_text_that_is_too_long_is_not_written(void **state)
{
    (void)state;
    char buffer[16] = "";
    struct json_text text = json_text_open(buffer, 8);
    json_text_string(&text, "more than eight");
    assert_true(text.overflowed);
    assert_true(strlen(buffer) < 8);
    assert_false(json_text_write(&text, STDOUT_FILENO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function_of_the_program),
        cmocka_unit_test(test_function_of_a_library),
        cmocka_unit_test(test_address_of_no_object),
        cmocka_unit_test(test_same_means_file_and_build_id),
        cmocka_unit_test(test_replaced_file_is_told),
        cmocka_unit_test(test_strings_are_quoted),
        cmocka_unit_test(test_text_that_is_too_long_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
