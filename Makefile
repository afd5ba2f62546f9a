# spanbench: everything is built into build/MODE (MODE=release|debug|asan|tsan).
# `make help` lists the targets.

MODE ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
VERSION := 0.1.0
PYTHON := /usr/bin/python3

B := build/$(MODE)
O := $(B)/obj

MODE_release := -O2 -g -DNDEBUG
MODE_debug   := -O0 -g3
MODE_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODE_tsan    := -O1 -g -fsanitize=thread
ifeq ($(MODE_$(MODE)),)
$(error MODE=$(MODE) is not one of release debug asan tsan)
endif

WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes
CPPFLAGS_OWN := -D_GNU_SOURCE -I. -DSPANBENCH_VERSION='"$(VERSION)"'
# The calls are what is measured: the compiler must not fold, pair or remove them.
NO_BUILTIN := $(addprefix -fno-builtin-,malloc calloc realloc free aligned_alloc memalign \
	posix_memalign valloc pvalloc malloc_usable_size reallocarray)
CFLAGS_OWN := -std=c11 $(WARN) -fPIC -fvisibility=hidden $(NO_BUILTIN) $(MODE_$(MODE))
# V=1 shows the commands.
ifneq ($(V),1)
.SILENT:
SAY = @echo "  $(1) $@"
endif

COMPILE = $(CC) $(CPPFLAGS_OWN) $(CFLAGS_OWN) -MMD -MP $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(MODE_$(MODE)) $(CFLAGS) $(LDFLAGS)

ALLOCATOR := os span heap check misuse libspan
TRACE_READ := trace pages slots trace_format trace_reader
TRACE_ALL := $(TRACE_READ) trace_writer builder raw_reader compile import import_memory_replay info
RECORDER := recorder recorder_access recorder_image recorder_window recorder_file recorder_text
REPLAY := replay steps replayer memory_curve footprint own_memory process_memory identity json_text
objects = $(patsubst %,$(O)/$(1)/%.o,$(2))

ALLOCATOR_O := $(call objects,allocator,$(ALLOCATOR))
PRELOAD_O := $(call objects,allocator,preload)
TRACE_READ_O := $(call objects,workloads,$(TRACE_READ))
TRACE_ALL_O := $(call objects,workloads,$(TRACE_ALL))
RECORDER_O := $(call objects,workloads,$(RECORDER))
REPLAY_O := $(call objects,bench,$(REPLAY))

LIBRARIES := $(B)/libspan.a $(B)/libspan.so $(B)/librecord.so $(B)/libnull.so $(B)/libprobe.so
PROGRAMS := $(B)/trace $(B)/launch $(B)/replay-span $(B)/replay-glibc $(B)/replay-jemalloc

TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test_*.c))
MISUSES := $(patsubst tests/misuse/%.c,$(B)/tests/misuse/%,$(wildcard tests/misuse/*.c))
SUBJECTS := $(patsubst tests/subjects/%.c,$(B)/tests/subjects/%,$(wildcard tests/subjects/*.c))

## all: the libraries and programs, into build/MODE (this is the default)
.PHONY: all
all: $(LIBRARIES) $(PROGRAMS)
	@:

# A change of compiler or flags rebuilds everything.
FLAGS_NOW := $(COMPILE) $(LDFLAGS)
$(shell mkdir -p $(B); echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $(B)/flags \
	|| echo '$(subst ','\'',$(FLAGS_NOW))' > $(B)/flags)

$(O)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC  )
	$(COMPILE) -c $< -o $@

$(B)/libspan.a: $(ALLOCATOR_O)
	@rm -f $@
	$(call SAY,AR  )
	$(AR) rcs $@ $^

$(B)/libspan.so: $(ALLOCATOR_O) $(PRELOAD_O)
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,libspan.so -Wl,-z,defs -Wl,--build-id -pthread $^ -o $@

$(B)/librecord.so: $(RECORDER_O)
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,librecord.so -Wl,--build-id -pthread $^ -o $@

$(B)/libnull.so: $(O)/bench/null.o
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,libnull.so -Wl,--build-id $^ -o $@

$(B)/libprobe.so: $(call objects,bench,probe identity json_text)
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,libprobe.so -Wl,--build-id $^ -o $@

$(B)/trace: $(O)/workloads/trace_main.o $(TRACE_ALL_O)
	$(call SAY,LINK)
	$(LINK) -pie $^ -lzstd -lxxhash -lzip -o $@

$(B)/launch: $(call objects,bench,launch json_text)
	$(call SAY,LINK)
	$(LINK) -pie $^ -o $@

# The replayers: the same objects, each linked against its allocator's shared library, so that
# every allocator pays the same call through the PLT.
$(B)/replay-%: LINK_REPLAY = $(LINK) -pie $(REPLAY_O) $(TRACE_READ_O) -lzstd -lxxhash
$(B)/replay-span: $(REPLAY_O) $(TRACE_READ_O) $(B)/libspan.so
	$(call SAY,LINK)
	$(LINK_REPLAY) -Wl,-rpath,'$$ORIGIN' $(B)/libspan.so -o $@
$(B)/replay-glibc: $(REPLAY_O) $(TRACE_READ_O)
	$(call SAY,LINK)
	$(LINK_REPLAY) -o $@
$(B)/replay-jemalloc: $(REPLAY_O) $(TRACE_READ_O)
	$(call SAY,LINK)
	$(LINK_REPLAY) -Wl,-rpath,'$$ORIGIN' -l:libjemalloc.so.2 -o $@

# The tests bring an os.o of their own, which can be told to fail.
TEST_PARTS_O := $(filter-out $(O)/allocator/os.o,$(ALLOCATOR_O)) $(TRACE_ALL_O) \
	$(filter-out $(O)/bench/replay.o,$(REPLAY_O)) $(call objects,tests,fake_os heap_fixture shadow)

$(B)/tests/test_%: $(O)/tests/test_%.o $(TEST_PARTS_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -pie $^ -lcmocka -lzstd -lxxhash -lzip -pthread -o $@

$(B)/tests/misuse/%: $(O)/tests/misuse/%.o
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -pie $^ -pthread -o $@

# Small programs that the tests record or run under an allocator.
$(B)/tests/subjects/%: $(O)/tests/subjects/%.o
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -pie $^ -pthread -o $@

.PHONY: test-programs
test-programs: all $(TESTS) $(MISUSES) $(SUBJECTS)

## test: every test (installs the packages that the tests need, if it may)
.PHONY: test
test: deps-test
	$(MAKE) --no-print-directory test-c test-python

# Each program of tests prints one line, and all it has to say if it fails.
.PHONY: test-c
test-c: $(TESTS)
	for test in $(TESTS); do \
		$$test > $$test.log 2>&1 || { cat $$test.log; echo "$$test failed"; exit 1; }; \
		echo "$$test $$(grep -h PASSED $$test.log)"; \
	done

.PHONY: test-python
test-python: test-programs
	PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -q -rs -p no:cacheprovider --durations=5 tests

## bench: the standard comparison; results, charts and a page in results/latest
.PHONY: bench
bench: deps-bench
	$(MAKE) --no-print-directory all
	scripts/spanbench bench

## lint: formatting, includes, Python
C_FILES = $(wildcard allocator/*.[ch] bench/*.[ch] workloads/*.[ch] tests/*.[ch] tests/*/*.[ch])
PY_FILES = scripts workloads tests
.PHONY: lint
lint: deps-lint
	clang-format --dry-run -Werror $(C_FILES)
	$(PYTHON) tests/lint_house.py
	black --check -l 100 $(PY_FILES) $(PY_SCRIPTS)
	flake8 $(PY_FILES) $(PY_SCRIPTS)

PY_SCRIPTS = $(wildcard scripts/spanbench scripts/update_readme workloads/record_corpus)

## deps: installs the Debian packages that are missing, if it may; else says how
.PHONY: deps deps-bench deps-test deps-lint
deps:
	scripts/deps bench test lint
deps-bench:
	scripts/deps bench
deps-test:
	scripts/deps bench test
deps-lint:
	scripts/deps lint

## install: libspan, its header and pkg-config file, under DESTDIR and PREFIX
.PHONY: install
install: $(B)/libspan.a $(B)/libspan.so
	install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)'
	install -m 644 $(B)/libspan.a '$(DESTDIR)$(LIBDIR)/'
	install -m 755 $(B)/libspan.so '$(DESTDIR)$(LIBDIR)/'
	install -m 644 allocator/libspan.h '$(DESTDIR)$(INCLUDEDIR)/'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' allocator/libspan.pc.in \
		> '$(DESTDIR)$(LIBDIR)/pkgconfig/libspan.pc'

## clean: removes build/
.PHONY: clean
clean:
	rm -rf build

## help: this list
.PHONY: help
help:
	sed -n 's/^## //p' Makefile

-include $(shell find $(O) -name '*.d' 2>/dev/null)
.SECONDARY:
