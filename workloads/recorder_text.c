/*
 * Text for the recorder, see recorder_text.h. Dates are computed here, since gmtime_r may read
 * time zones and keep memory of the program's malloc.
 */
#include "recorder_text.h"
#include "recorder_sys.h"

#include <features.h>
#include <limits.h>
#include <stdbool.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

/* Bytes kept for the lines after the command, which is the only long one. */
enum { TEXT_AFTER_COMMAND = 512 };

struct text text_open(char *start, size_t capacity)
{
    start[0] = '\0';
    return (struct text){.start = start, .capacity = capacity};
}

/* A control character would end the line or spoil a terminal. */
static void text_put_byte(struct text *text, char byte)
{
    if (text->length + 1 >= text->capacity)
        return;
    bool control = (unsigned char)byte < ' ' || byte == 0x7f;
    text->start[text->length++] = control ? ' ' : byte;
    text->start[text->length] = '\0';
}

size_t text_length(const char *string)
{
    size_t length = 0;
    while (string[length] != '\0')
        length++;
    return length;
}

bool text_begins_with(const char *string, const char *beginning)
{
    while (*beginning != '\0' && *string == *beginning) {
        string++;
        beginning++;
    }
    return *beginning == '\0';
}

void text_put(struct text *text, const char *string)
{
    for (; *string != '\0'; string++)
        text_put_byte(text, *string);
}

void text_put_number(struct text *text, uint64_t number)
{
    char digits[21];
    char *at = digits + sizeof digits;
    *--at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    text_put(text, at);
}

static void text_end_line(struct text *text)
{
    if (text->length + 1 >= text->capacity)
        return;
    text->start[text->length++] = '\n';
    text->start[text->length] = '\0';
}

void text_put_lines(struct text *text, const char *lines)
{
    for (; *lines != '\0'; lines++)
        if (*lines == '\n')
            text_end_line(text);
        else
            text_put_byte(text, *lines);
}

static void text_put_line(struct text *text, const char *key, const char *value)
{
    text_put(text, key);
    text_put(text, value);
    text_end_line(text);
}

static void text_put_number_line(struct text *text, const char *key, uint64_t value)
{
    text_put(text, key);
    text_put_number(text, value);
    text_end_line(text);
}

/* `number` in two digits, after `before`. */
static void text_put_two(struct text *text, const char *before, unsigned number)
{
    text_put(text, before);
    text_put_byte(text, (char)('0' + number / 10 % 10));
    text_put_byte(text, (char)('0' + number % 10));
}

/* false: it is not known. */
static bool program_path(char path[PATH_MAX])
{
    long bytes = sys_readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0;
}

static void text_put_program(struct text *text)
{
    char path[PATH_MAX];
    if (!program_path(path))
        return;
    const char *name = path;
    for (const char *at = path; *at != '\0'; at++)
        if (*at == '/')
            name = at + 1;
    text_put_line(text, "program=", name);
}

/* For who compiles the recording on this machine: the dot keeps the line out of the trace. */
static void text_put_executable(struct text *text)
{
    char path[PATH_MAX];
    if (program_path(path))
        text_put_line(text, ".executable=", path);
}

/* Arguments stand in /proc with a NUL after each. */
static void text_put_arguments(struct text *text, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_put_byte(text, bytes[i]);
}

static void text_put_command(struct text *text)
{
    char bytes[2048]; /* longer commands are cut; arbitrary */
    int fd = sys_openat(AT_FDCWD, "/proc/self/cmdline", O_RDONLY, 0);
    if (fd < 0)
        return;
    long count = sys_read(fd, bytes, sizeof bytes);
    sys_close(fd);
    if (count <= 0)
        return;
    struct text part = *text;
    if (part.capacity > part.length + TEXT_AFTER_COMMAND)
        part.capacity -= TEXT_AFTER_COMMAND;
    text_put(&part, "command=");
    text_put_arguments(&part, bytes, (size_t)count - (bytes[count - 1] == '\0'));
    text->length = part.length;
    text_end_line(text);
}

struct date {
    unsigned year, month, day;
};

/* Howard Hinnant's civil_from_days, for days since 1970-01-01 that are not negative. */
static struct date date_from_days(uint64_t days)
{
    days += 719468; /* from 0000-03-01 to 1970-01-01 */
    uint64_t era = days / 146097;
    unsigned of_era = (unsigned)(days % 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * of_year + 2) / 153; /* months since March */
    unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
    return (struct date){
        .year = (unsigned)(year_of_era + era * 400) + (month <= 2),
        .month = month,
        .day = of_year - (153 * shifted + 2) / 5 + 1,
    };
}

static void text_put_date(struct text *text)
{
    struct timespec now = sys_clock(CLOCK_REALTIME);
    if (now.tv_sec <= 0)
        return;
    struct date date = date_from_days((uint64_t)now.tv_sec / 86400);
    unsigned second = (unsigned)(now.tv_sec % 86400);
    text_put(text, "date=");
    text_put_number(text, date.year);
    text_put_two(text, "-", date.month);
    text_put_two(text, "-", date.day);
    text_put_two(text, "T", second / 3600);
    text_put_two(text, ":", second / 60 % 60);
    text_put_two(text, ":", second % 60);
    text_put(text, "Z");
    text_end_line(text);
}

void text_describe_image(struct text *text, uint32_t pid, uint32_t image)
{
    struct utsname system;
    text_put_program(text);
    text_put_command(text);
    text_put_number_line(text, "pid=", pid);
    text_put_number_line(text, "image=", image);
    text_put_date(text);
    if (sys_uname(&system) == 0)
        text_put_line(text, "kernel=", system.release);
    text_put_executable(text); /* last, since it may be long */
}

void text_describe_libc(struct text *text)
{
#ifdef __GLIBC__
    text_put_line(text, "libc=glibc ", gnu_get_libc_version());
#else
    text_put_line(text, "libc=", "other");
#endif
}
