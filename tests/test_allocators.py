"""Which allocators there are and what -a means."""

import os
import subprocess
from random import Random

import pytest

from frontend.allocators import elf, own_malloc, preload, registry
from frontend.failure import Failure


def names(*lists):
    return [allocator.name for allocator in registry.resolve(list(lists))]


def test_lists_and_repeated_options_add_up(made_up_build):
    assert names("span,glibc", "null") == ["span", "glibc", "null"]


def test_default_is_what_is_found(made_up_build):
    (made_up_build / "libspan.so").unlink()
    assert "span" not in names() and "glibc" in names()


@pytest.fixture
def loader_knows(monkeypatch, shared_objects):
    """A function that tells the registry which sonames the loader knows."""
    file = shared_objects / "liballocator.so"

    def know(folder, *sonames):
        paths = {soname: folder / soname for soname in sonames}
        for path in paths.values():
            path.write_bytes(file.read_bytes())
        cache = {soname: [path] for soname, path in paths.items()}
        monkeypatch.setattr(registry, "loader_cache", lambda: cache)

    return know


@pytest.mark.parametrize(
    "name, sonames, expected",
    [
        ("mimalloc", ["libmimalloc.so.3"], "libmimalloc.so.3"),
        ("mimalloc", ["libmimalloc.so.2.1", "libmimalloc.so", "libmimalloc.so.10"], "so.10"),
        ("mimalloc", ["libmimalloc.so"], "libmimalloc.so"),
        ("mimalloc", ["libmimalloc-secure.so.2", "libmimalloc-debug.so.3"], None),
        ("tcmalloc", ["libtcmalloc.so.5", "libtcmalloc_minimal.so.4"], "libtcmalloc_minimal.so.4"),
        ("tcmalloc", ["libtcmalloc.so.4", "libtcmalloc_minimal_debug.so.4"], "libtcmalloc.so.4"),
        ("tbb", ["libtbbmalloc_proxy.so.3", "libtbbmalloc.so.2"], "libtbbmalloc_proxy.so.3"),
        ("jemalloc", ["libjemalloc.so.3"], "libjemalloc.so.3"),
    ],
)
def test_any_version_of_a_library_is_found(loader_knows, tmp_path, name, sonames, expected):
    loader_knows(tmp_path, *sonames)
    found = registry.find(name)
    assert (found and str(found.path).endswith(expected)) if expected else found is None


def test_settings_make_one_allocator_and_keep_their_commas(made_up_build):
    text = "g2=glibc;GLIBC_TUNABLES=a=1,b=2:c=3;OTHER=x"
    (allocator,) = registry.resolve([text])
    assert (allocator.name, allocator.base) == ("g2", "glibc")
    assert allocator.settings == {"GLIBC_TUNABLES": "a=1,b=2:c=3", "OTHER": "x"}


def test_a_file_becomes_an_allocator(made_up_build, shared_objects):
    path = shared_objects / "liballocator.so"
    (allocator,) = registry.resolve([f"mine={path};KEY=1,2"])
    assert (allocator.name, allocator.base, allocator.path) == ("mine", "", path)
    assert allocator.settings == {"KEY": "1,2"}


def test_twins_have_their_settings(made_up_build):
    (twin,) = registry.resolve(["glibc-perturb"])
    assert "perturb=174" in twin.settings["GLIBC_TUNABLES"]
    assert twin.path == registry.libc_path()


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("nonsense", "nonsense: no such allocator"),
        ("x=nonsense", "nonsense: no such allocator"),
        ("span,span", "span is named twice"),
        (",", "names no allocator"),
        ("span;JUNK", "JUNK: a setting is KEY=VALUE"),
        ("a/b=span", "a/b: a name is made of"),
        ("/x/libj.so", "give it a name: NAME=/x/libj.so"),
        ("je=/x/libj.so", "/x/libj.so: No such file"),
        ("je=/etc/passwd", "/etc/passwd: no 64-bit ELF shared object"),
    ],
)
def test_what_makes_no_sense_is_refused(made_up_build, text, complaint):
    with pytest.raises(Failure, match=complaint) as failure:
        registry.resolve([text])
    assert failure.value.status == 2


def test_a_library_without_malloc_is_refused(made_up_build, shared_objects):
    with pytest.raises(Failure, match="libharmless.so: defines no malloc"):
        registry.resolve([f"x={shared_objects / 'libharmless.so'}"])


def test_what_is_not_built_is_told(made_up_build):
    (made_up_build / "libnull.so").unlink()
    with pytest.raises(Failure, match="libnull.so: not built; run make"):
        registry.resolve(["null"])


def test_elf_tells_build_id_and_functions(shared_objects):
    found = elf.read(shared_objects / "liballocator.so")
    assert {"malloc", "free"} <= found.functions
    assert len(found.build_id) == 40
    assert "malloc" in elf.read(registry.libc_path()).functions


def test_a_cut_library_is_refused_and_does_not_crash(shared_objects, tmp_path):
    image = (shared_objects / "liballocator.so").read_bytes()
    for length in range(0, len(image), 97):
        cut = tmp_path / "cut.so"
        cut.write_bytes(image[:length])
        with pytest.raises(Failure):
            elf.read(cut)


def test_a_damaged_library_does_not_crash(shared_objects, tmp_path):
    image, random = (shared_objects / "liballocator.so").read_bytes(), Random(1)
    refused = 0
    for _ in range(300):
        damaged, headers = bytearray(image), [*range(64), *range(len(image) - 1500, len(image))]
        for place in random.sample(headers, 4):
            damaged[place] = random.choice([0, 255, random.randrange(256)])
        (tmp_path / "damaged.so").write_bytes(damaged)
        try:
            elf.read(tmp_path / "damaged.so")
        except Failure as failure:
            assert "damaged.so: no 64-bit ELF shared object, or a damaged one" in str(failure)
            refused += 1
    assert 0 < refused < 300


def test_a_name_that_is_the_end_of_another_is_found(tmp_path):
    """The linker keeps one text for both."""
    (tmp_path / "two.c").write_text("void malloc(void) {} void je_malloc(void) {}")
    command = ["cc", "-shared", "-fPIC", "-nostdlib", "-fno-builtin", "two.c", "-o", "two.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert elf.names_defined(tmp_path / "two.so", rb"malloc") == {"malloc"}


def test_verb_lists_what_is_found(made_up_build, spanbench):
    status, out, _ = spanbench("allocators")
    assert status == 0
    assert "9.8.7" in out and "glibc-perturb" in out and "libc.so.6" in out


def test_preload_names_have_no_spaces_and_one_length(tmp_path):
    files = [tmp_path / "a lib:1.so", tmp_path / "b.so"]
    for file in files:
        file.write_text("")
    with preload.Links() as links:
        made = [links.link(file) for file in files]
        assert not any(preload.SPLITS.search(name) for name in made)
        assert len(set(map(len, made))) == 1
        assert [os.path.realpath(name) for name in made] == [str(file) for file in files]
    assert not os.path.exists(os.path.dirname(made[0]))


def test_a_temporary_folder_with_a_space_is_not_used(tmp_path, monkeypatch):
    folder = tmp_path / "with space"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    assert " " not in preload.plain_folder()


def test_only_asked_for_settings_reach_what_is_measured(monkeypatch):
    keys = "LD_PRELOAD MALLOC_CONF GLIBC_TUNABLES MALLOC_ARENA_MAX SCUDO_OPTIONS SPAN_OPTIONS"
    for key in keys.split():
        monkeypatch.setenv(key, "theirs")
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    environment = preload.measured_environment({"MALLOC_CONF": "ours"}, ["/a.so", "/b.so"])
    assert environment["MALLOC_CONF"] == "ours"
    assert environment["LD_PRELOAD"] == "/a.so /b.so"
    assert environment["PYTHONMALLOC"] == "malloc"
    assert "theirs" not in environment.values()


def test_who_is_linked_with_an_allocator_is_found(tmp_path):
    source, library = tmp_path / "a.c", tmp_path / "libjemalloc.so.2"
    source.write_text("int other(void) { return 0; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", library], check=True)
    source.write_text("int other(void); int main(void) { return other(); }\n")
    for name, libraries in (("linked", [library]), ("plain", [])):
        words = ["cc", "-w", source, "-o", tmp_path / name, *libraries]
        subprocess.run([*words, "-Wl,--unresolved-symbols=ignore-all"], check=True)
    assert own_malloc.library_of(tmp_path / "linked") == "libjemalloc.so.2"
    assert own_malloc.library_of(tmp_path / "plain") is None
    assert own_malloc.library_of(source) is None
