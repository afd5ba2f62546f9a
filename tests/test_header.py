"""The public header: its version, the languages in which it compiles, and what compilers learn from
it."""

import shutil
import subprocess

import pytest
from places import BUILD, REPO

from frontend import version

PRELUDE = '#include "allocator/libspan.h"\n'
# What is wrong with each, and the compilers that say so.
MISTAKES = {
    "unused-result": ("gcc clang", "void f(void) { span_malloc(1); }"),
    "unused-result ": ("gcc clang", "void f(void **p) { span_posix_memalign(p, 64, 1); }"),
    "mismatched-dealloc": (
        "gcc",
        "extern void free(void *); void f(void) { free(span_malloc(1)); }",
    ),
    "mismatched-dealloc ": (
        "gcc",
        "extern void *malloc(__SIZE_TYPE__); void f(void) { span_free(malloc(1)); }",
    ),
    "use-after-free": (
        "gcc",
        "int f(void) { int *p = span_calloc(9, 9); span_free(p); return *p; }",
    ),
    "alloc-size-larger-than=": ("gcc", "void *f(void) { return span_calloc((size_t)-1 / 2, 9); }"),
}
# True only if compilers know sizes, alignments and that a result is new.
LEARNT = """
int main(void)
{
    char *p = span_aligned_alloc(64, 100), *q = span_realloc(NULL, 50), *r = span_calloc(7, 3);
    int is_told = __builtin_object_size(p, 0) == 100 && __builtin_object_size(q, 0) == 50 &&
                  __builtin_object_size(r, 0) == 21;
    span_free(p), span_free(q), span_free(r);
    return !is_told;
}
"""


def compiled(compiler, text, *flags):
    """The compiler's status and messages."""
    command = [compiler, *flags, f"-I{REPO}", "-c", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    return done.returncode, done.stderr


def needs(compiler):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler}: not installed")


def test_macros_tell_the_version():
    text = PRELUDE + "LIBSPAN_VERSION_MAJOR.LIBSPAN_VERSION_MINOR.LIBSPAN_VERSION_PATCH\n"
    command = ["gcc", f"-I{REPO}", "-E", "-P", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-2].replace(" ", "") == version.VERSION


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("standard", ["c99", "c17", "gnu2x", "c++98", "c++11", "c++20"])
def test_it_compiles_without_a_warning(compiler, standard):
    needs(compiler)
    language = "c++" if "++" in standard else "c"
    flags = [f"-std={standard}", "-x", language, "-Wall", "-Wextra", "-Wundef", "-Werror"]
    flags += ["-pedantic", "-Wno-variadic-macros"] if standard != "c++98" else []
    assert compiled(compiler, PRELUDE + "int nothing;\n", *flags) == (0, "")


def test_the_macros_of_a_program_do_not_get_in():
    text = "".join(f"#define {word} !\n" for word in "malloc nothrow alloc_size visibility".split())
    assert compiled("gcc", text + PRELUDE, "-x", "c") == (0, "")


@pytest.mark.parametrize("warning", MISTAKES)
def test_compilers_warn_of_mistakes(warning):
    compilers, text = MISTAKES[warning]
    for compiler in compilers.split():
        needs(compiler)
        flags = ["-x", "c", "-O2", "-Wall"]
        status, messages = compiled(compiler, PRELUDE + text, *flags)
        assert status == 0 and f"[-W{warning.strip()}]" in messages, messages
        assert compiled(compiler, PRELUDE + text, *flags, "-DLIBSPAN_UNTOLD") == (0, "")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compilers_know_how_much_there_is(compiler, tmp_path):
    needs(compiler)
    (tmp_path / "learnt.c").write_text(PRELUDE + LEARNT)
    command = [compiler, "-O1", f"-I{REPO}", "learnt.c", BUILD / "libspan.a", "-pthread", "-o", "a"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "a"]).returncode == 0
