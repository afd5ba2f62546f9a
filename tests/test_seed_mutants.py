"""Breaks each sentence of the allocator's design once, in a copy, and sees its test fail.

A row: the test of tests/test_seed.c, the file, the text that is replaced, and by what. The text
must occur in the file exactly once, so that a row cannot go stale unseen.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from places import REPO, sources_of_fast

MUTANTS = [
    (
        "memory_comes_from_mmap",
        "span.c",
        "void *start = os_map(size);",
        "void *start = aligned_alloc(4096, size);\n    if (start) memset(start, 0, size);",
    ),
    (
        "supports_the_four_functions",
        "heap.c",
        "return fresh ? block_payload(block) : memset(block_payload(block), 0, request);",
        "return block_payload(block);",
    ),
    (
        "payloads_are_16_aligned",
        "block.h",
        "BLOCK_HEADER + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1)",
        "BLOCK_HEADER + 7) & ~(size_t)7",
    ),
    ("spans_are_whole_pages", "span.c", "size_t mask = os_page_size() - 1;", "size_t mask = 255;"),
    ("spans_are_doubly_linked", "span.c", "span->next->prev = span;", "span->next->prev = NULL;"),
    (
        "requests_are_blocks_of_spans",
        "heap.c",
        "static struct block *heap_take_ordinary(struct heap *heap, size_t gross)\n{\n",
        "static struct block *heap_take_ordinary(struct heap *heap, size_t gross)\n{\n"
        "    return heap_map_dedicated(heap, gross);\n",
    ),
    (
        "each_span_has_its_free_list",
        "heap_free.c",
        "        span_rebin(span, block, size + block_size(block));\n    }\n}",
        "        span_rebin(span, block, size + block_size(block));\n    }\n"
        "    memset(&span->bins, 0, sizeof span->bins);\n}",
    ),
    (
        "served_from_the_end",
        "heap.c",
        "    block_shorten(span, block, rest);\n"
        "    block_make_used(carved, span, size - rest, rest == 0);",
        "    block_shorten(span, block, rest);\n"
        "    carved = block;\n"
        "    if (rest) {\n"
        "        span_unbin(span, block);\n"
        "        span_bin(span, block_at(block, size - rest), rest);\n"
        "    }\n"
        "    block_make_used(carved, span, size - rest, true);",
    ),
    (
        "coalesced_with_the_next",
        "heap_free.c",
        "    if (next != span_end(span) && block_is_free(next)) {\n"
        "        span_unbin(span, next);\n        size += block_size(next);\n"
        "        block_set_free_size(block, size);\n    }\n",
        "",
    ),
    (
        "coalesced_with_the_previous",
        "heap_free.c",
        "    if (prev_used) {\n        bins_put",
        "    if (true) {\n        bins_put",
    ),
    (
        "freed_payload_is_poisoned",
        "heap_free.c",
        "        memset(block_payload(block), BLOCK_POISON, block_payload_size(block));\n",
        "        ;\n",
    ),
    (
        "free_blocks_carry_a_footer",
        "block.h",
        "*(size_t *)((char *)block + gross - BLOCK_FOOTER) = gross;",
        "",
    ),
    (
        "footer_leads_to_the_previous",
        "block.h",
        "return (struct block *)((char *)block - block_size_before(block));",
        "return block;",
    ),
    (
        "headers_are_padded",
        "span.h",
        "((sizeof(struct span) + BLOCK_HEADER + ALIGNMENT - 1) & ~(ALIGNMENT - 1)) - BLOCK_HEADER",
        "sizeof(struct span) + 4",
    ),
    (
        "requests_are_padded",
        "block.h",
        "(request + BLOCK_HEADER + ALIGNMENT - 1)",
        "(request + BLOCK_HEADER + 2 * ALIGNMENT)",
    ),
    ("least_span_is_64_kib", "span.h", "SPAN_MIN = 64 * 1024 }", "SPAN_MIN = 32 * 1024 }"),
    (
        "least_block_is_64_bytes",
        "block.h",
        "return gross < BLOCK_MIN ? BLOCK_MIN : gross;",
        "return gross < 80 ? 80 : gross;",
    ),
    (
        "small_rests_are_taken",
        "span.h",
        "return room - gross < BLOCK_MIN ? 0",
        "return room - gross < 2 * BLOCK_MIN ? 0",
    ),
    (
        "one_empty_span_is_kept",
        "span_cache.c",
        "return BUILD_SPANS_CACHED > 1 || !spans->cached || spans->cached->size < span->size;",
        "return false;",
    ),
    (
        "other_empty_spans_are_returned",
        "span.c",
        "    if (os_unmap(span, size))\n        return true;\n",
        "",
    ),
    (
        "span_header_fields",
        "span.c",
        "    span->size = size;\n    span_link",
        "    span->size = size - 16;\n    span_link",
    ),
    (
        "full_span_has_an_empty_free_list",
        "bins.h",
        "    bins->first[bin] = block->next;\n",
        "    bins->first[bin] = block->next ? block->next : block;\n",
    ),
    (
        "blkcount_counts_used_blocks",
        "heap_free.c",
        "    span->blkcount--;\n",
        "    span->blkcount -= span->blkcount > 5;\n",
    ),
    (
        "tag_says_free_or_used",
        "block.h",
        "    block_set_tag(block, gross, prev_used ? BLOCK_PREV_USED : 0);",
        "    block_set_tag(block, gross, BLOCK_USED | (prev_used ? BLOCK_PREV_USED : 0));",
    ),
    (
        "tag_says_what_the_previous_is",
        "span.h",
        "        block_set_prev_used(next, used);",
        "        block_set_prev_used(next, true);",
    ),
    (
        "list_pointers_are_payload_while_used",
        "block.h",
        "(request + BLOCK_HEADER + ALIGNMENT - 1)",
        "(request + 2 * BLOCK_HEADER + ALIGNMENT - 1)",
    ),
    (
        "blocks_have_a_magic",
        "block.h",
        "    block_set_owner(block, span, BLOCK_MAGIC_FREE);",
        "    block_set_owner(block, span, BLOCK_MAGIC_USED);",
    ),
    (
        "blocks_know_their_span",
        "block.h",
        "    block_set_owner(block, span, BLOCK_MAGIC_USED);",
        "    block_set_owner(block, (struct span *)((char *)span + 4096), BLOCK_MAGIC_USED);",
    ),
]

# Sources of the allocator that test_seed has no use for: fake_os is its system, and the design is
# that of the default build.
NOT_LINKED = ("os", "mallinfo", "malloc_info", "statistics", "trim", *sources_of_fast())


def test_every_sentence_has_a_mutant():
    source = (REPO / "tests" / "test_seed.c").read_text()
    listed = {
        line.split("(")[1].rstrip("),")
        for line in source.splitlines()
        if "SEED_TEST(" in line and "define" not in line
    }
    assert listed == {name for name, *_ in MUTANTS}


def judge_by_the_body_alone(fixture):
    """Switches off the recount of the heap after each test: the sentence's own test must tell."""
    recount = "return faults ? -1 : 0;"
    text = fixture.read_text()
    assert text.count(recount) == 1
    fixture.write_text(text.replace(recount, "return 0;"))


def copy_sources(origin, folder):
    for part in ("allocator", "tests"):
        shutil.copytree(origin / part, folder / part, ignore=shutil.ignore_patterns("*.py", "fuzz"))


def sources_of(folder):
    """What test_seed is made of."""
    found = [p for p in (folder / "allocator").glob("*.c") if p.stem not in NOT_LINKED]
    return found + [
        folder / "tests" / f"{name}.c" for name in ("test_seed", "fake_os", "heap_fixture")
    ]


def compile_in(folder, sources):
    """Compiles sources of a copy without assertions: the test must tell. What each includes is
    noted beside its object."""
    flags = ["-std=c11", "-w", "-D_GNU_SOURCE", '-DSPANBENCH_VERSION="0"', "-DNDEBUG", "-I."]
    flags += ["-include", "stdlib.h", "-include", "string.h", "-MMD"]
    names = [source.relative_to(folder) for source in sources]
    subprocess.run(["gcc", "-c", *flags, *names], cwd=folder, check=True)


def link(folder, objects):
    subprocess.run(["gcc", *objects, "-lcmocka", "-o", "seed"], cwd=folder, check=True)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A copy of the sources and the program made of them; afterwards the objects to link with a
    broken one, which judge by the body alone."""
    folder = tmp_path_factory.mktemp("sound")
    copy_sources(REPO, folder)
    compile_in(folder, sources_of(folder))
    link(folder, sorted(folder.glob("*.o")))
    fixture = folder / "tests" / "heap_fixture.c"
    judge_by_the_body_alone(fixture)
    compile_in(folder, [fixture])
    return folder


def is_made_of(source, built, name):
    """Whether a source is, or includes, the file of that name."""
    words = (built / f"{source.stem}.d").read_text().split()
    return name in [Path(word).name for word in words]


def build_mutant(folder, sound, name):
    """Builds test_seed from the copy in folder, in which that file of the allocator was changed;
    what does not include it was compiled before."""
    sources = sources_of(folder)
    changed = [source for source in sources if is_made_of(source, sound, name)]
    compile_in(folder, changed)
    link(
        folder,
        [(folder if source in changed else sound) / f"{source.stem}.o" for source in sources],
    )


def run_alone(name, folder):
    """Exit status of one test of the suite."""
    run = subprocess.run(["./seed", name], cwd=folder, capture_output=True, text=True, timeout=30)
    assert f"RUN      ] {name}" in run.stdout + run.stderr
    return run.returncode


def test_each_test_passes_alone(sound):
    for name, *_ in MUTANTS:
        assert run_alone(name, sound) == 0


@pytest.mark.parametrize("name,file,old,new", MUTANTS, ids=[row[0] for row in MUTANTS])
def test_breaking_the_sentence_fails_its_test(name, file, old, new, sound, tmp_path):
    copy_sources(sound, tmp_path)
    path = tmp_path / "allocator" / file
    text = path.read_text()
    assert text.count(old) == 1, f"{file}: the text to break occurs {text.count(old)} times"
    path.write_text(text.replace(old, new))
    build_mutant(tmp_path, sound, file)
    assert run_alone(name, tmp_path) != 0
