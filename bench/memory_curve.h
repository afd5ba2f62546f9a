/*
 * Resident and live bytes by operation number: the samples of a memory pass, what is computed
 * from them, and the CSV file. It takes no readings itself.
 */
#ifndef BENCH_MEMORY_CURVE_H
#define BENCH_MEMORY_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_sample {
    uint64_t op;  /* steps executed so far */
    int64_t rss;  /* net bytes */
    int64_t live; /* requested bytes not yet freed */
};

struct memory_curve {
    struct memory_sample *samples;
    size_t capacity;
    size_t count;
};

/* Room for `capacity` samples, faulted in; false and errno on failure. */
bool memory_curve_open(struct memory_curve *curve, size_t capacity);
void memory_curve_close(struct memory_curve *curve);
/* Appends a sample; one too many is dropped. */
void memory_curve_add(struct memory_curve *curve, struct memory_sample sample);
/* Integral over operations of rss - live, divided by that of live (trapezoids); 0 if nothing was
   ever live. */
double memory_curve_waste(const struct memory_curve *curve);
/* The sample with the most resident bytes beyond the live ones, the first of several; all zero
   without samples. */
struct memory_sample memory_curve_most_waste(const struct memory_curve *curve);
/* Writes "op,rss,live" lines, a header first; false and errno on failure. */
bool memory_curve_write(const struct memory_curve *curve, int fd);

#endif
