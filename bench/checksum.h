/*
 * What work a replay is: a checksum of kind, slot, size and operand of every step in the trace's
 * order, whoever executes them and however they are laid out. Results of other versions hold the
 * same checksums, so the form that is hashed never changes.
 */
#ifndef BENCH_CHECKSUM_H
#define BENCH_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

struct step;

enum {
    CHECKSUM_STATE_BYTES = 576, /* of an XXH3 state, which must not come from malloc */
    CHECKSUM_TEXT_BYTES = 17
};

struct checksum {
    _Alignas(64) unsigned char state[CHECKSUM_STATE_BYTES];
};

void checksum_open(struct checksum *checksum);
/* Adds n steps. */
void checksum_add(struct checksum *checksum, const struct step *steps, size_t n);
/* Sixteen hexadecimal digits. */
void checksum_write(const struct checksum *checksum, char text[CHECKSUM_TEXT_BYTES]);

#endif
