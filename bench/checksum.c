/*
 * Steps are hashed in the form that they had when the first results were written.
 */
#include "checksum.h"

#include "step.h"

#include <assert.h>
#include <stdio.h>

/* For an XXH3 state that is not from malloc. */
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

static_assert(sizeof(XXH3_state_t) <= CHECKSUM_STATE_BYTES, "room for the state");

enum { BUFFER_WORDS = 512, HASHED_SIZE_LONG = (1 << 28) - 1, HASHED_SIZE_SHIFT = 36 };

/* What the kinds are called in checksums. */
static const uint8_t hashed_kind[TRACE_KINDS] = {
    [TRACE_MALLOC] = 0,         [TRACE_FREE] = 1,          [TRACE_REALLOC] = 2,
    [TRACE_CALLOC] = 3,         [TRACE_ALIGNED_ALLOC] = 4, [TRACE_MEMALIGN] = 5,
    [TRACE_POSIX_MEMALIGN] = 6, [TRACE_VALLOC] = 7,        [TRACE_PVALLOC] = 8,
};

static XXH3_state_t *state_of(struct checksum *checksum)
{
    return (XXH3_state_t *)(void *)checksum->state;
}

void checksum_open(struct checksum *checksum)
{
    XXH3_64bits_reset(state_of(checksum));
}

static size_t step_hashed(uint64_t *at, const struct step *step)
{
    size_t n = 1;
    bool is_long = step->size >= HASHED_SIZE_LONG;
    uint64_t size = is_long ? HASHED_SIZE_LONG : step->size;
    at[0] = step->slot | (uint64_t)hashed_kind[step->kind] << STEP_KIND_SHIFT |
            size << HASHED_SIZE_SHIFT;
    if (step_has_operand(step->kind))
        at[n++] = step->operand;
    if (is_long)
        at[n++] = step->size;
    return n;
}

void checksum_add(struct checksum *checksum, const struct step *steps, size_t n)
{
    uint64_t words[BUFFER_WORDS];
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        used += step_hashed(words + used, &steps[i]);
        if (used > BUFFER_WORDS - STEP_WORDS_MAX || i + 1 == n) {
            XXH3_64bits_update(state_of(checksum), words, used * sizeof(*words));
            used = 0;
        }
    }
}

void checksum_write(const struct checksum *checksum, char text[CHECKSUM_TEXT_BYTES])
{
    const XXH3_state_t *state = (const XXH3_state_t *)(const void *)checksum->state;
    snprintf(text, CHECKSUM_TEXT_BYTES, "%016llx", (unsigned long long)XXH3_64bits_digest(state));
}
