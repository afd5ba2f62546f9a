/* What both kinds of headers (block_plain.h, block_packed.h) have in common. */
#ifndef ALLOCATOR_BLOCK_FLAGS_H
#define ALLOCATOR_BLOCK_FLAGS_H

enum { ALIGNMENT = 16 }; /* of sizes and payloads */

enum block_flag { BLOCK_USED = 1, BLOCK_PREV_USED = 2, BLOCK_FLAGS = ALIGNMENT - 1 };

struct span; /* its first field is its size in bytes */

#endif
