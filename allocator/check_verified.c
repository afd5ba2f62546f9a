/*
 * What is in blocks: see check.h. Nobody but the program writes to what was asked for, while other
 * threads run, and the rest is nobody's. Free blocks are looked at only where verification was
 * asked for: there may be pages in them that nobody touched.
 */
#include "check_inner.h"
#include "options.h"
#include "verified.h"

static const char *contents_fault(const struct block *block)
{
    const char *p = (const char *)block + BLOCK_HEADER;
    size_t bytes = block_payload_size(block);
    if (block_is_free(block))
        return options_current().verifies && verified_scribble(p, bytes)
                   ? "free block was written to"
                   : NULL;
    if (block_magic(block) == BLOCK_MAGIC_VERIFIED)
        return verified_fault(block);
    if (block_magic(block) == BLOCK_MAGIC_QUARANTINED && verified_unpoisoned(p, bytes))
        return "written to after it was freed";
    return NULL;
}

void check_contents(struct check *check, const struct block *block)
{
    const char *what = contents_fault(block);
    expect(check, !what, (const char *)block + BLOCK_HEADER, what);
}
