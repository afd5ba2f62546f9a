/*
 * The reader of profiles. A file is at most as long as the most ranges can be; it is read whole
 * into a buffer on the stack, and every number in it is checked.
 */
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 64 << 10 };

/* Arbitrary: no program asks for more at once, or keeps blocks for longer. */
static const uint64_t value_max = (uint64_t)1 << 40;

/* Reads the file into text; its length, or -1 and errno. */
static ssize_t read_text(const char *path, char text[TEXT_MAX])
{
    size_t used = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while ((n = read(fd, text + used, TEXT_MAX - used)) > 0)
        used += (size_t)n;
    int error = n < 0 ? errno : used == TEXT_MAX ? EFBIG : 0;
    close(fd);
    errno = error;
    return error ? -1 : (ssize_t)used;
}

static bool distribution_add(struct distribution *distribution, uint64_t from, uint64_t to,
                             uint64_t count)
{
    unsigned i = distribution->count;
    if (i == PROFILE_CLASSES_MAX || from > to || to > value_max)
        return false;
    if (count == 0)
        return true;
    distribution->from[i] = from;
    distribution->to[i] = to;
    distribution->weight[i] = (double)count;
    distribution->count++;
    return true;
}

/* One line without its end; false if it is none of a profile's. */
static bool profile_add_line(struct profile *profile, char *line)
{
    unsigned long long from, to, count;
    char name[16], rest;
    line[strcspn(line, "#")] = '\0';
    if (line[strspn(line, " \t\r")] == '\0')
        return true;
    if (strchr(line, '-') != NULL ||
        sscanf(line, "%15s %llu %llu %llu %c", name, &from, &to, &count, &rest) != 4)
        return false;
    if (strcmp(name, "size") == 0)
        return distribution_add(&profile->sizes, from, to, count);
    return strcmp(name, "lifetime") == 0 && distribution_add(&profile->lifetimes, from, to, count);
}

/* Turns counts into columns of equal height, each shared by at most two ranges. */
static void distribution_finish(struct distribution *distribution)
{
    unsigned n = distribution->count;
    unsigned poor[PROFILE_CLASSES_MAX], rich[PROFILE_CLASSES_MAX];
    unsigned poor_count = 0, rich_count = 0;
    double sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += distribution->weight[i];
    for (unsigned i = 0; i < n; i++) {
        distribution->weight[i] *= n / sum;
        distribution->other[i] = i;
        if (distribution->weight[i] < 1)
            poor[poor_count++] = i;
        else
            rich[rich_count++] = i;
    }
    while (poor_count > 0 && rich_count > 0) {
        unsigned low = poor[--poor_count], high = rich[rich_count - 1];
        distribution->other[low] = high;
        distribution->weight[high] -= 1 - distribution->weight[low];
        if (distribution->weight[high] < 1) {
            rich_count--;
            poor[poor_count++] = high;
        }
    }
}

bool profile_read(struct profile *profile, const char *path, char error[PROFILE_ERROR_MAX])
{
    char text[TEXT_MAX];
    memset(profile, 0, sizeof(*profile));
    ssize_t length = read_text(path, text);
    if (length < 0) {
        snprintf(error, PROFILE_ERROR_MAX, "%s: %s", path, strerror(errno));
        return false;
    }
    text[length] = '\0'; /* read_text leaves room */
    unsigned number = 1;
    for (char *line = text; *line != '\0'; number++) {
        char *end = line + strcspn(line, "\n");
        bool is_last = *end == '\0';
        *end = '\0';
        if (!profile_add_line(profile, line)) {
            snprintf(error, PROFILE_ERROR_MAX,
                     "%s: line %u: want size or lifetime, and FROM TO COUNT", path, number);
            return false;
        }
        line = is_last ? end : end + 1;
    }
    if (profile->sizes.count == 0 || profile->lifetimes.count == 0) {
        snprintf(error, PROFILE_ERROR_MAX, "%s: has no %s", path,
                 profile->sizes.count == 0 ? "sizes" : "lifetimes");
        return false;
    }
    distribution_finish(&profile->sizes);
    distribution_finish(&profile->lifetimes);
    return true;
}

uint64_t distribution_draw(const struct distribution *distribution, struct prng *prng)
{
    unsigned i = (unsigned)prng_below(prng, distribution->count);
    if (prng_unit(prng) >= distribution->weight[i])
        i = distribution->other[i];
    uint64_t range = distribution->to[i] - distribution->from[i] + 1;
    return distribution->from[i] + (uint64_t)(prng_unit(prng) * (double)range);
}
