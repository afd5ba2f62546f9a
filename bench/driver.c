/*
 * Messages go out in one write(2) from a static buffer: stdio would call the malloc that is being
 * measured.
 */
#include "driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Texts hold two paths with each byte escaped, or the list of all workloads. */
enum { MESSAGE_MAX = IDENTITY_ERROR_MAX, TEXT_MAX = 1 << 16 };

int driver_fail(int status, const char *format, ...)
{
    static char line[MESSAGE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, MESSAGE_MAX, format, arguments);
    va_end(arguments);
    if (length > MESSAGE_MAX - 1)
        length = MESSAGE_MAX - 1;
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return status;
    return status;
}

void driver_print_and_exit(const char *text)
{
    ssize_t n = write(STDOUT_FILENO, text, strlen(text));
    _exit(n < 0 ? EXIT_FAILED : EXIT_OK);
}

int driver_parse_count(const char *option, const char *text, uint64_t least, uint64_t most,
                       uint64_t *count)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || n < least || n > most)
        return driver_fail(EXIT_USAGE, "%s %s: a number from %llu to %llu is needed", option, text,
                           (unsigned long long)least, (unsigned long long)most);
    *count = n;
    return EXIT_OK;
}

int driver_prove_allocator(const char *path, struct identity *identity)
{
    static char error[IDENTITY_ERROR_MAX];
    if (!identity_of_file(path, identity, error))
        return driver_fail(EXIT_USAGE, "%s", error);
    if (!identity_prove(identity, error))
        return driver_fail(EXIT_FAILED, "%s", error);
    return EXIT_OK;
}

struct json_text driver_text_open(void)
{
    static char buffer[TEXT_MAX];
    return json_text_open(buffer, sizeof(buffer));
}

int driver_print(const struct json_text *text)
{
    if (!json_text_write(text, STDOUT_FILENO))
        return driver_fail(EXIT_FAILED, "standard output: %s", strerror(errno));
    return EXIT_OK;
}

int driver_print_result(struct json_text *text, const struct identity *identity)
{
    json_text_add(text, ", \"malloc\": ");
    identity_print(identity, text);
    json_text_add(text, "}\n");
    return driver_print(text);
}
