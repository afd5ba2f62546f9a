/*
 * micro-ALLOCATOR: runs micro-benchmarks on the allocator that this program is linked with or that
 * is preloaded. This is its main: it settles whose malloc that is, and leaves the rest to Google
 * Benchmark.
 */
#include "micro.h"

#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes `--allocator PATH` out of the arguments, the rest of which is Google Benchmark's. */
static int take_option(int *argc, char **argv, const char **path)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--allocator") != 0)
            argv[kept++] = argv[i];
        else if (++i < *argc)
            *path = argv[i];
        else
            return driver_fail(EXIT_USAGE, "--allocator: a PATH is needed");
    }
    *argc = kept;
    argv[kept] = NULL;
    return EXIT_OK;
}

/* If nobody says whose malloc it should be, it may be anyone's, but then all the functions must
   come from there, and the context of the results says where that is. */
static int prove_allocator(const char *path, struct identity *allocator)
{
    static struct identity actual;
    if (path == NULL && !identity_of_address((const void *)malloc, &actual))
        return driver_fail(EXIT_FAILED, "malloc comes from an unknown place");
    return driver_prove_allocator(path ? path : actual.path, allocator);
}

static void add_number(const char *key, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    micro_add_context(key, text);
}

static void add_context(const struct identity *allocator)
{
    micro_add_context("malloc_path", allocator->path);
    add_number("malloc_device", allocator->device);
    add_number("malloc_inode", allocator->inode);
    micro_add_context("malloc_build_id", allocator->build_id);
}

int main(int argc, char **argv)
{
    static struct identity allocator;
    const char *path = NULL;
    int status = take_option(&argc, argv, &path);
    if (status == EXIT_OK)
        status = prove_allocator(path, &allocator);
    if (status != EXIT_OK)
        return status;
    add_context(&allocator);
    return micro_main(argc, argv);
}
