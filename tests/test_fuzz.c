/*
 * Replays the inputs that fuzzing has found worth keeping, tests/fuzz/corpus, or the one folder
 * that is named: `test_fuzz [FOLDER]`. Needs no fuzzer.
 */
#include "cmocka_all.h"
#include "fake_os.h"
#include "tests/fuzz/fuzz_heap.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Arbitrary: what a repository bears. */
enum { INPUT_MAX = 64 * 1024, INPUTS_MAX = 200, CORPUS_BYTES_MAX = 300 * 1000 };

static const char *folder = "tests/fuzz/corpus";

/* Bytes of the file, read into input[INPUT_MAX]. */
static size_t read_input(const char *name, uint8_t *input)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    size_t count = fread(input, 1, INPUT_MAX, file);
    fclose(file);
    return count;
}

static void no_input_of_the_corpus_does_harm(void **state)
{
    (void)state;
    static uint8_t input[INPUT_MAX];
    char message[FUZZ_MESSAGE_MAX];
    size_t inputs = 0;
    size_t bytes = 0;
    DIR *corpus = opendir(folder);
    if (!corpus)
        fail_msg("%s: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(corpus));) {
        if (entry->d_name[0] == '.')
            continue;
        size_t count = read_input(entry->d_name, input);
        if (!fuzz_heap(input, count, message))
            fail_msg("%s/%s: %s", folder, entry->d_name, message);
        inputs++;
        bytes += count;
    }
    closedir(corpus);
    assert_true(inputs > 0);
    assert_true(inputs <= INPUTS_MAX && bytes <= CORPUS_BYTES_MAX);
}

static void inputs_of_any_length_do(void **state)
{
    (void)state;
    const uint8_t zeros[64] = {0};
    char message[FUZZ_MESSAGE_MAX];
    for (size_t count = 0; count <= sizeof zeros; count++)
        if (!fuzz_heap(zeros, count, message))
            fail_msg("%zu zeros: %s", count, message);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        folder = argv[1];
    fake_os_reset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_input_of_the_corpus_does_harm),
        cmocka_unit_test(inputs_of_any_length_do),
    };
    return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
