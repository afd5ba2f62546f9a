/* Seals, canaries and poison: see verified.h. */
#include "verified.h"

#include <string.h>

enum {
    ADDRESS_BITS = 47, /* of what a program can have */
    WORDS_AT_ONCE = 8,
    ALIGNMENT_BITS = 6, /* for the exponent of an alignment, and 1 more: 0 is none */
};

static const uint64_t POISON_WORD = UINT64_C(0x0101010101010101) * BLOCK_POISON;

/* That of the golden ratio, whose bits are as good as any, and its inverse modulo 2^64. */
static const uint64_t FACTOR = UINT64_C(0x9e3779b97f4a7c15);
static const uint64_t INVERSE = UINT64_C(0xf1de83e19937733d);

/* What is mixed into a seal, so that one is right at its own place only. */
static uint64_t seal_key(const struct block *block)
{
    return (uint64_t)(uintptr_t)block * FACTOR;
}

static uint64_t *seal_of(const struct block *block)
{
    return (uint64_t *)((uintptr_t)block + block_size(block) - VERIFIED_SEAL);
}

/* A product hands a change of any bit on to all above: with its bytes turned round, a change of
   one byte of the seal becomes one of the highest bits of what was asked for, which are zero. */
static uint64_t seal_for(const struct block *block, struct verified asked)
{
    uint64_t log2 = asked.alignment ? (uint64_t)__builtin_ctzl(asked.alignment) + 1 : 0;
    uint64_t words = (uint64_t)asked.request << ALIGNMENT_BITS | log2;
    return __builtin_bswap64(words * FACTOR) ^ seal_key(block);
}

void verified_seal(struct block *block, struct verified asked)
{
    char *end = (char *)block_payload(block) + asked.request;
    memset(end, VERIFIED_CANARY, (size_t)((char *)seal_of(block) - end));
    *seal_of(block) = seal_for(block, asked);
    block_mark(block, BLOCK_MAGIC_VERIFIED);
}

struct verified verified_asked(const struct block *block)
{
    uint64_t words = __builtin_bswap64(*seal_of(block) ^ seal_key(block)) * INVERSE;
    unsigned log2 = words % (1 << ALIGNMENT_BITS);
    return (struct verified){
        .request = words >> ALIGNMENT_BITS,
        .alignment = log2 ? (size_t)1 << (log2 - 1) : 0,
    };
}

const char *verified_fault(const struct block *block)
{
    size_t request = verified_asked(block).request;
    if (request > block_payload_size(block) - VERIFIED_SLACK)
        return "written to far behind its end, or its header was overwritten";
    const unsigned char *end = (const unsigned char *)block + BLOCK_HEADER + request;
    for (; end < (const unsigned char *)seal_of(block); end++)
        if (*end != VERIFIED_CANARY)
            return "written to behind its end";
    return NULL;
}

void verified_quarantine(struct block *block)
{
    memset(block_payload(block), BLOCK_POISON, block_payload_size(block));
    block_mark(block, BLOCK_MAGIC_QUARANTINED);
}

/* How many of some words are poison from the first on. Most are: several at once are quicker. */
static size_t poisoned(const uint64_t *word, size_t words)
{
    size_t n = 0;
    if (words == 0 || *word != POISON_WORD)
        return 0;
    for (uint64_t others = 0; n + WORDS_AT_ONCE <= words; n += WORDS_AT_ONCE) {
        for (size_t i = 0; i < WORDS_AT_ONCE; i++)
            others |= word[n + i] ^ POISON_WORD;
        if (others)
            break;
    }
    while (n < words && word[n] == POISON_WORD)
        n++;
    return n;
}

const void *verified_unpoisoned(const void *payload, size_t bytes)
{
    const uint64_t *word = payload;
    size_t words = bytes / sizeof *word;
    size_t n = poisoned(word, words);
    return n < words ? &word[n] : NULL;
}

static bool is_owner_of_some_block(uint64_t word)
{
    enum block_magic magic = (enum block_magic)(word >> BLOCK_OWNER_BITS);
    return block_magic_is_used(magic) || block_magic_is_freed(magic);
}

const void *verified_scribble(const void *free, size_t bytes)
{
    const uint64_t *word = free;
    const uint64_t *end = word + bytes / sizeof *word;
    while ((word += poisoned(word, (size_t)(end - word))) < end) {
        if (*word >> ADDRESS_BITS && !is_owner_of_some_block(*word))
            return word;
        word++;
    }
    return NULL;
}
