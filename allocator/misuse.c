/* Fatal messages without stdio: see misuse.h. */
#include "misuse.h"
#include "kernel.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 256 };

struct line {
    char text[LINE_MAX_BYTES];
    size_t bytes;
};

static void line_add(struct line *line, const char *text)
{
    size_t bytes = strlen(text);
    size_t room = LINE_MAX_BYTES - line->bytes;
    if (bytes > room)
        bytes = room;
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
}

static void line_add_pointer(struct line *line, const void *p)
{
    char digits[2 + 2 * sizeof p + 1];
    char *digit = digits + sizeof digits - 1;
    *digit = '\0';
    uintptr_t rest = (uintptr_t)p;
    do {
        *--digit = "0123456789abcdef"[rest % 16];
        rest /= 16;
    } while (rest);
    *--digit = 'x';
    *--digit = '0';
    line_add(line, digit);
}

static const char *const names[] = {
    [IN_MALLOC] = "malloc",
    [IN_FREE] = "free",
    [IN_REALLOC] = "realloc",
    [IN_USABLE_SIZE] = "malloc_usable_size",
};

_Noreturn void misuse_abort(enum misuse_caller caller, const void *p, const char *what)
{
    struct line line = {.bytes = 0};
    line_add(&line, "span: ");
    line_add(&line, names[caller]);
    line_add(&line, "(");
    line_add_pointer(&line, p);
    line_add(&line, "): ");
    line_add(&line, what);
    line_add(&line, "\n");
    /* If standard error is closed or full there is nobody left to tell. */
    kernel_call(SYS_write, STDERR_FILENO, (long)line.text, (long)line.bytes, 0, 0, 0);
    abort();
}
