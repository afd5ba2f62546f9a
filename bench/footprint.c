/*
 * What to subtract is measured, not computed: whatever was resident just before a part of the
 * replay, and was not the allocator's, is the harness's. The allocator's share at the start is
 * what lies in anonymous mappings before the harness has made any: an allocator that takes memory
 * when it is loaded is charged for it like one that takes it at the first call.
 */
#include "footprint.h"

#include "process_memory.h"

#include "workloads/pages.h"

#include <link.h>
#include <stddef.h>

/* Bytes; the smallest page there is. Larger ones are read from several times. */
enum { TEXT_STEP = 4096 };

bool footprint_open(struct footprint *footprint, const char **path)
{
    struct process_memory_share taken = process_memory_anonymous();
    *footprint = (struct footprint){.initial = taken.resident,
                                    .peak = (int64_t)taken.resident,
                                    .initial_mapped = taken.mapped,
                                    .mapped = (int64_t)taken.mapped,
                                    .peak_mapped = (int64_t)taken.mapped};
    return process_memory_open(path);
}

const char *footprint_reason(void)
{
    return process_memory_reason();
}

void footprint_close(void)
{
    process_memory_close();
}

bool footprint_reopen(const char **path)
{
    process_memory_close();
    return process_memory_open(path);
}

static int object_load_text(struct dl_phdr_info *object, size_t bytes, void *data)
{
    (void)bytes;
    (void)data;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) || !(header->p_flags & PF_R))
            continue;
        uintptr_t start = object->dlpi_addr + header->p_vaddr;
        uintptr_t end = start + header->p_memsz;
        for (uintptr_t page = start & ~(uintptr_t)(TEXT_STEP - 1); page < end; page += TEXT_STEP)
            (void)*(const volatile char *)page;
    }
    return 0;
}

void footprint_load_text(void)
{
    dl_iterate_phdr(object_load_text, NULL);
}

bool footprint_begin_part(struct footprint *footprint, int64_t net)
{
    if (!process_memory_reset_peak_mapped())
        return false;
    footprint->mapped_baseline = process_memory_mapped() - (uint64_t)footprint->mapped;
    footprint->baseline = (uint64_t)((int64_t)process_memory_rss_exact() - net);
    if (footprint->first_baseline == 0) {
        footprint->first_baseline = footprint->baseline;
        footprint->harness_bytes = pages_mapped();
    }
    return process_memory_reset_peak();
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void footprint_end_part(struct footprint *footprint)
{
    int64_t peak = (int64_t)(process_memory_peak() - footprint->baseline);
    int64_t peak_mapped = (int64_t)(process_memory_peak_mapped() - footprint->mapped_baseline);
    footprint->peak = larger(peak, footprint->peak);
    footprint->peak_mapped = larger(peak_mapped, footprint->peak_mapped);
    footprint->mapped = (int64_t)(process_memory_mapped() - footprint->mapped_baseline);
}

int64_t footprint_net(const struct footprint *footprint)
{
    return (int64_t)(process_memory_rss() - footprint->baseline);
}

int64_t footprint_net_exact(const struct footprint *footprint)
{
    return (int64_t)(process_memory_rss_exact() - footprint->baseline);
}

int64_t footprint_huge(void)
{
    return (int64_t)process_memory_huge();
}

void footprint_print(const struct footprint *footprint, struct json_text *text)
{
    json_text_number(text, "peak_rss", footprint->peak);
    json_text_number(text, "peak_mapped", footprint->peak_mapped);
    json_text_number(text, "initial_rss", (int64_t)footprint->initial);
    json_text_number(text, "initial_mapped", (int64_t)footprint->initial_mapped);
    json_text_number(text, "baseline_rss", (int64_t)footprint->first_baseline);
    json_text_number(text, "harness_bytes", (int64_t)footprint->harness_bytes);
}
