/*
 * The curve of a memory pass. The samples are harness memory, so that the pass disturbs neither
 * the allocator nor its own readings.
 */
#include "memory_curve.h"

#include "own_memory.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 80, BUFFER_BYTES = 8192 };

bool memory_curve_open(struct memory_curve *curve, size_t capacity)
{
    *curve = (struct memory_curve){.capacity = capacity};
    curve->samples = own_memory_map(capacity * sizeof(*curve->samples));
    return curve->samples != NULL;
}

void memory_curve_close(struct memory_curve *curve)
{
    own_memory_unmap(curve->samples, curve->capacity * sizeof(*curve->samples));
    *curve = (struct memory_curve){0};
}

void memory_curve_add(struct memory_curve *curve, struct memory_sample sample)
{
    if (curve->count < curve->capacity)
        curve->samples[curve->count++] = sample;
}

double memory_curve_waste(const struct memory_curve *curve)
{
    double waste = 0;
    double live = 0;
    for (size_t i = 1; i < curve->count; i++) {
        const struct memory_sample *a = &curve->samples[i - 1];
        const struct memory_sample *b = &curve->samples[i];
        double ops = (double)(b->op - a->op) / 2;
        waste += ops * (double)(a->rss - a->live + b->rss - b->live);
        live += ops * (double)(a->live + b->live);
    }
    return live > 0 ? waste / live : 0;
}

struct memory_sample memory_curve_most_waste(const struct memory_curve *curve)
{
    struct memory_sample most = {0};
    for (size_t i = 0; i < curve->count; i++) {
        struct memory_sample sample = curve->samples[i];
        if (i == 0 || sample.rss - sample.live > most.rss - most.live)
            most = sample;
    }
    return most;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
    return true;
}

bool memory_curve_write(const struct memory_curve *curve, int fd)
{
    char buffer[BUFFER_BYTES];
    int used = snprintf(buffer, sizeof(buffer), "op,rss,live\n");
    for (size_t i = 0; i < curve->count; i++) {
        const struct memory_sample *sample = &curve->samples[i];
        used += snprintf(buffer + used, LINE_MAX_BYTES, "%llu,%lld,%lld\n",
                         (unsigned long long)sample->op, (long long)sample->rss,
                         (long long)sample->live);
        if (used > BUFFER_BYTES - LINE_MAX_BYTES) {
            if (!write_all(fd, buffer, (size_t)used))
                return false;
            used = 0;
        }
    }
    return write_all(fd, buffer, (size_t)used);
}
