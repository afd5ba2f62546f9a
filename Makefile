# spanbench: everything is built into build/MODE (MODE=release|debug|asan|tsan).
# `make help` lists the targets.

MODE ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
# The C++ compiler that belongs to CC.
ifeq ($(origin CXX),default)
CXX := $(patsubst %cc,%c++,$(subst gcc,g++,$(subst clang,clang++,$(CC))))
endif
PREFIX ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
VERSION := $(shell sed -n 's/^VERSION = "\(.*\)"$$/\1/p' scripts/frontend/version.py)
ifeq ($(VERSION),)
$(error scripts/frontend/version.py: holds no line VERSION = "...")
endif
OBJCOPY ?= objcopy
PYTHON := /usr/bin/python3
# Of the libraries' binary interface: a higher one when programs linked with the present one would break.
SOVERSION := 0

B := build/$(MODE)
O := $(B)/obj

MODE_release := -O2 -g -DNDEBUG
MODE_debug   := -O0 -g3
MODE_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODE_tsan    := -O1 -g -fsanitize=thread
MODE_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
ifeq ($(MODE_$(MODE)),)
$(error MODE=$(MODE) is not one of release debug asan tsan fuzz)
endif

WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes
CPPFLAGS_OWN := -D_GNU_SOURCE -I. -DSPANBENCH_VERSION='"$(VERSION)"'
# The calls are what is measured: the compiler must not fold, pair or remove them.
NO_BUILTIN := $(addprefix -fno-builtin-,malloc calloc realloc free aligned_alloc memalign \
	posix_memalign valloc pvalloc malloc_usable_size reallocarray)
CXXFLAGS_OWN := -std=c++17 -Wall -Wextra -Wshadow -Wundef -fPIC $(NO_BUILTIN) $(MODE_$(MODE))
CFLAGS_OWN := -std=c11 $(WARN) -fPIC -fvisibility=hidden $(NO_BUILTIN) $(MODE_$(MODE))
# V=1 shows the commands.
ifneq ($(V),1)
.SILENT:
SAY = @echo "  $(1) $@"
endif

COMPILE = $(CC) $(CPPFLAGS_OWN) $(CFLAGS_OWN) $(INLINE) -MMD -MP $(CPPFLAGS) $(CFLAGS)
COMPILE_CXX = $(CXX) $(CPPFLAGS_OWN) $(CXXFLAGS_OWN) -MMD -MP $(CPPFLAGS) $(CXXFLAGS)
LINK = $(CC) $(MODE_$(MODE)) $(CFLAGS) $(LDFLAGS)
LINK_CXX = $(CXX) $(MODE_$(MODE)) $(CXXFLAGS) $(LDFLAGS)

# What a heap is made of, and the allocator around it; what only one build has.
HEAP := os misuse options span prefault span_cache span_fit heap_index heap_free heap heap_aligned heap_resize check_inner check
HEAP_PLAIN := verified heap_shared check_shared check_verified
HEAP_FAST := deferred heap_run check_deferred
ALLOCATOR := $(HEAP) arena statistics trim mallinfo malloc_info libspan
PLAIN := $(HEAP_PLAIN) quarantine empty verify
FAST := $(HEAP_FAST) arena_home thread_cache own_cache cached
# The formats that are imported, and exported.
IMPORTERS := memory_replay rep mtrace valgrind ltrace heaptrack wl
EXPORTERS := memory_replay rep wl heaptrack csv
TRACE_LIBS := -lzstd -lxxhash -lzip -lz
TRACE_READ := pages slots sites sites_file trace_format trace_reader
TRACE_ALL := $(TRACE_READ) trace_writer unfinished block_map builder races raw_reader callers compile input lines import import_main \
	$(IMPORTERS:%=import_%) wl_streams export export_main $(EXPORTERS:%=export_%) info site_command site_census site_moments \
	sites_json in_out trace_copy pack subset trace_text slot_pool excerpt selection cut filter merge strip count_map census json_print \
	synth synth_profile synth_json synth_sizes synth_learn synth_quota synth_calendar synth_output synth_make
RECORDER := recorder recorder_operators recorder_call recorder_real recorder_image recorder_window recorder_space recorder_file \
	recorder_helper recorder_text recorder_symbols recorder_sys recorder_control recorder_exec
RECORDER_SITES := $(RECORDER) recorder_sites
REPLAY := replay replay_options replay_print performer pauses checksum steps step_call checker latency histogram \
	cycle_counter program_model touched replayer streams pace lane lanes repeats cost driver memory_curve decay holdings limit footprint \
	own_memory process_memory \
	identity json_text
WORK := work crew cost driver footprint own_memory process_memory identity json_text
WORKLOADS := registry worker profile pages $(patsubst workloads/%.c,%,$(wildcard workloads/synthetic/*.c))
# The main of a program of micro-benchmarks, and the benchmarks, in the order in which they run: what
# needs much memory comes last, for allocators go on returning it for a while.
MICRO_MAIN := micro benchmark_shim driver identity json_text
MICRO := $(MICRO_MAIN) own_memory $(addprefix micro_,pairs realloc threads first tiers batches)
objects = $(patsubst %,$(O)/$(1)/%.o,$(2))

ALLOCATOR_O := $(call objects,allocator,$(ALLOCATOR) $(PLAIN))
STANDARD_NAMES := allocator/standard_names.ld
# The tuned build: the same sources with SPAN_FAST defined.
FAST_O := $(call objects,fast/allocator,$(ALLOCATOR) $(FAST))
TRACE_READ_O := $(call objects,workloads,$(TRACE_READ))
TRACE_ALL_O := $(call objects,workloads,$(TRACE_ALL))
RECORDER_O := $(call objects,workloads,$(RECORDER))
# The recorder with call sites: the same sources with RECORD_SITES defined.
RECORDER_SITES_O := $(call objects,sites/workloads,$(RECORDER_SITES))
REPLAY_O := $(call objects,bench,$(REPLAY))
WORK_O := $(call objects,bench,$(WORK)) $(call objects,workloads,$(WORKLOADS))
MICRO_MAIN_O := $(call objects,bench,$(MICRO_MAIN))
MICRO_O := $(call objects,bench,$(MICRO)) $(call objects,workloads,pages)

LIBRARIES := $(B)/libspan.a $(B)/libspan.so $(B)/libspan-fast.a $(B)/libspan-fast.so \
	$(B)/librecord.so $(B)/librecord-sites.so $(B)/libnull.so $(B)/libprobe.so
PROGRAMS := $(B)/trace $(B)/launch $(addprefix $(B)/replay-,span span-fast glibc jemalloc) \
	$(addprefix $(B)/workload-,span span-fast glibc jemalloc) \
	$(addprefix $(B)/micro-,span span-fast glibc jemalloc)

# Tests of the allocator that hold for both builds run against both.
WHOLE_LIBRARY := os threads forks give_back statistics
BOTH_BUILDS := api bins blocks check fuzz heap model options prefault refusals span $(WHOLE_LIBRARY)
FAST_ONLY := deferred thread_cache cached
TESTS := $(filter-out $(FAST_ONLY:%=$(B)/tests/test_%), \
	$(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test_*.c))) \
	$(patsubst %,$(B)/tests/fast/test_%,$(BOTH_BUILDS) $(FAST_ONLY))
MISUSES := $(patsubst tests/misuse/%.c,$(B)/tests/misuse/%,$(wildcard tests/misuse/*.c))
SUBJECTS := $(patsubst tests/subjects/%.c,$(B)/tests/subjects/%, \
	$(filter-out %_library.c,$(wildcard tests/subjects/*.c))) \
	$(patsubst tests/subjects/%.c,$(B)/tests/subjects/%.so, \
	$(filter-out %/kernel_library.c,$(wildcard tests/subjects/*_library.c))) \
	$(B)/tests/subjects/operators

## all: the libraries and programs, into build/MODE (this is the default)
.PHONY: all
all: $(LIBRARIES) $(PROGRAMS)
	@:

# The allocator's functions are small and call each other: with -O3 gcc inlines enough of them that
# a malloc and free of libspan take a quarter fewer instructions.
INLINE_release := -O3
$(O)/allocator/%.o $(O)/fast/allocator/%.o: INLINE = $(INLINE_$(MODE))

# Tests ask for what compilers warn of.
$(O)/tests/%.o $(O)/fast/tests/%.o: CPPFLAGS_OWN += -DLIBSPAN_UNTOLD

# A change of compiler or flags rebuilds everything.
FLAGS_NOW := $(COMPILE) $(LDFLAGS) $(CXX) $(CXXFLAGS)
$(shell mkdir -p $(B); echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $(B)/flags \
	|| echo '$(subst ','\'',$(FLAGS_NOW))' > $(B)/flags)

$(O)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC  )
	$(COMPILE) -c $< -o $@

$(O)/%.o: %.cc $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CXX )
	$(COMPILE_CXX) -c $< -o $@

$(O)/fast/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC  )
	$(COMPILE) -DSPAN_FAST=1 -c $< -o $@

$(O)/sites/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC  )
	$(COMPILE) -DRECORD_SITES=1 -c $< -o $@

# One object, of which a program sees the functions of libspan.h alone: what it calls heap_free itself
# is none of ours. LTO ends here, or there would be no names to hide. Sanitizers bring their libraries
# when a program is linked.
LINK_ONE = $(CC) $(filter-out -fsanitize%,$(MODE_$(MODE)) $(CFLAGS)) $(filter -fuse-ld=%,$(LDFLAGS)) \
	-r -nostdlib \
	$(if $(findstring -flto,$(CFLAGS)),$(if $(findstring clang,$(CC)),,-flinker-output=nolto-rel))
$(B)/libspan.a: $(ALLOCATOR_O)
$(B)/libspan-fast.a: $(FAST_O)
$(B)/libspan.a $(B)/libspan-fast.a:
	@rm -f $@
	$(call SAY,AR  )
	$(LINK_ONE) $^ -o $(O)/$(@F:.a=.o)
	$(OBJCOPY) --localize-hidden $(O)/$(@F:.a=.o)
	$(AR) rcs $@ $(O)/$(@F:.a=.o)

# Calls from one of our functions to another do not go through the PLT. Blocks and threads outlive a
# dlclose, so the library stays.
$(B)/libspan.so: $(ALLOCATOR_O) $(STANDARD_NAMES)
$(B)/libspan-fast.so: $(FAST_O) $(STANDARD_NAMES)
LINK_SPAN = $(LINK) -shared -Wl,-soname,$(@F).$(SOVERSION) -Wl,-z,defs -Wl,-z,nodelete -Wl,--build-id \
	-Wl,-Bsymbolic-functions -pthread
$(B)/libspan.so $(B)/libspan-fast.so:
	$(call SAY,LINK)
	$(LINK_SPAN) $^ -o $@
	ln -sf $(@F) $@.$(SOVERSION) # by this name the drivers look for it

# Libraries that are slower or fatter by a known amount, which the folder tells: loops-N or share-N.
HANDICAP_NAMES := $(STANDARD_NAMES) tests/handicap_names.ld
$(B)/loops-%/handicap.o: HANDICAP = -DHANDICAP_LOOPS=$*
$(B)/share-%/handicap.o: HANDICAP = -DHANDICAP_SHARE=$*
$(B)/loops-%/handicap.o $(B)/share-%/handicap.o: tests/handicap.c allocator/libspan.h $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC  )
	$(COMPILE) $(HANDICAP) -c $< -o $@
$(B)/loops-%/libspan.so: $(B)/loops-%/handicap.o $(ALLOCATOR_O) $(HANDICAP_NAMES)
	$(LINK_HANDICAP)
$(B)/share-%/libspan.so: $(B)/share-%/handicap.o $(ALLOCATOR_O) $(HANDICAP_NAMES)
	$(LINK_HANDICAP)
$(B)/loops-%/libspan-fast.so: $(B)/loops-%/handicap.o $(FAST_O) $(HANDICAP_NAMES)
	$(LINK_HANDICAP)
$(B)/share-%/libspan-fast.so: $(B)/share-%/handicap.o $(FAST_O) $(HANDICAP_NAMES)
	$(LINK_HANDICAP)
define LINK_HANDICAP
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_SPAN) $^ -o $@
endef

# An exception of operator new goes through frames of ours.
$(O)/workloads/recorder_operators.o $(O)/sites/workloads/recorder_operators.o: CFLAGS_OWN += -fexceptions

$(B)/librecord.so: $(RECORDER_O)
$(B)/librecord-sites.so: $(RECORDER_SITES_O)
$(B)/librecord.so $(B)/librecord-sites.so:
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,$(@F) -Wl,--build-id -pthread $^ -o $@

$(B)/libnull.so: $(O)/bench/null.o
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,libnull.so -Wl,--build-id $^ -o $@

$(B)/libprobe.so: $(call objects,bench,probe identity json_text)
	$(call SAY,LINK)
	$(LINK) -shared -Wl,-soname,libprobe.so -Wl,--build-id $^ -o $@

$(B)/trace: $(O)/workloads/trace_main.o $(TRACE_ALL_O)
	$(call SAY,LINK)
	$(LINK) -pie $^ $(TRACE_LIBS) -o $@

$(B)/launch: $(call objects,bench,launch process_tree json_text)
	$(call SAY,LINK)
	$(LINK) -pie $^ -o $@

# The replayers: the same objects, each linked against its allocator's shared library, so that
# every allocator pays the same call through the PLT.
$(B)/replay-%: LINK_REPLAY = $(LINK) -pie $(REPLAY_O) $(TRACE_READ_O) -lzstd -lxxhash
$(B)/replay-span $(B)/replay-span-fast: $(B)/replay-%: $(REPLAY_O) $(TRACE_READ_O) $(B)/lib%.so
	$(call SAY,LINK)
	$(LINK_REPLAY) -Wl,-rpath,'$$ORIGIN' $(B)/lib$*.so -o $@
$(B)/replay-glibc: $(REPLAY_O) $(TRACE_READ_O)
	$(call SAY,LINK)
	$(LINK_REPLAY) -o $@
$(B)/replay-jemalloc: $(REPLAY_O) $(TRACE_READ_O)
	$(call SAY,LINK)
	$(LINK_REPLAY) -Wl,-rpath,'$$ORIGIN' -l:libjemalloc.so.2 -o $@

# The micro-benchmarks, linked in the same way.
LINK_MICRO = $(LINK_CXX) -pie $(MICRO_O) -lbenchmark -pthread
# Those of span have the pieces of a heap as well.
$(B)/micro-span: $(O)/bench/micro_internals.o $(call objects,allocator,$(HEAP) $(HEAP_PLAIN))
$(B)/micro-span-fast: $(O)/fast/bench/micro_internals.o $(call objects,fast/allocator,$(HEAP) $(HEAP_FAST))
$(B)/micro-span $(B)/micro-span-fast: $(B)/micro-%: $(MICRO_O) $(B)/lib%.so
	$(call SAY,LINK)
	$(LINK_MICRO) $(filter-out $(MICRO_O),$^) -Wl,-rpath,'$$ORIGIN' -o $@
$(B)/micro-glibc: $(MICRO_O)
	$(call SAY,LINK)
	$(LINK_MICRO) -o $@
$(B)/micro-jemalloc: $(MICRO_O)
	$(call SAY,LINK)
	$(LINK_MICRO) -Wl,-rpath,'$$ORIGIN' -l:libjemalloc.so.2 -o $@

# The synthetic workloads, linked in the same way.
$(B)/workload-%: LINK_WORK = $(LINK) -pie $(WORK_O) -pthread
$(B)/workload-span $(B)/workload-span-fast: $(B)/workload-%: $(WORK_O) $(B)/lib%.so
	$(call SAY,LINK)
	$(LINK_WORK) -Wl,-rpath,'$$ORIGIN' $(B)/lib$*.so -o $@
$(B)/workload-glibc: $(WORK_O)
	$(call SAY,LINK)
	$(LINK_WORK) -o $@
$(B)/workload-jemalloc: $(WORK_O)
	$(call SAY,LINK)
	$(LINK_WORK) -Wl,-rpath,'$$ORIGIN' -l:libjemalloc.so.2 -o $@

# The tests bring an os.o of their own, which can be told to fail.
TEST_PARTS := fake_os heap_fixture trace_fixture random_ops model model_trace fuzz/fuzz_heap
TEST_PARTS_O := $(filter-out %/os.o,$(ALLOCATOR_O)) $(TRACE_ALL_O) \
	$(filter-out $(O)/bench/replay.o,$(REPLAY_O)) $(call objects,tests,$(TEST_PARTS))
FAST_TEST_PARTS_O := $(filter-out %/os.o,$(FAST_O)) $(TRACE_ALL_O) \
	$(call objects,fast/tests,$(TEST_PARTS))
LINK_TEST = $(LINK) -pie $^ -lcmocka $(TRACE_LIBS) -pthread -o $@

$(B)/tests/test_%: $(O)/tests/test_%.o $(TEST_PARTS_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_TEST)

$(B)/tests/fast/test_%: $(O)/fast/tests/test_%.o $(FAST_TEST_PARTS_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_TEST)

# A part of the recorder, which is linked with nothing else of ours.
$(B)/tests/test_recorder_space: $(call objects,tests,test_recorder_space) \
		$(call objects,workloads,recorder_space recorder_sys)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_TEST)

# These bring nothing of their own: the system, threads and forks meet the whole library.
$(WHOLE_LIBRARY:%=$(B)/tests/test_%): $(B)/tests/%: $(O)/tests/%.o \
		$(O)/tests/api_fixture.o $(ALLOCATOR_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_TEST)

$(WHOLE_LIBRARY:%=$(B)/tests/fast/test_%): $(B)/tests/fast/%: $(O)/fast/tests/%.o \
		$(O)/fast/tests/api_fixture.o $(FAST_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_TEST)

# The fuzz targets (MODE=fuzz CC=clang): of the allocator, one program per build, and of the reader.
FUZZERS := $(B)/fuzz-span $(B)/fuzz-span-fast
FUZZ_PARTS := fake_os heap_fixture model fuzz/fuzz_heap
$(B)/fuzz-span: $(filter-out %/os.o,$(ALLOCATOR_O)) $(call objects,tests,$(FUZZ_PARTS))
$(B)/fuzz-span-fast: $(filter-out %/os.o,$(FAST_O)) $(call objects,fast/tests,$(FUZZ_PARTS))
$(B)/fuzz-trace: $(O)/tests/fuzz/fuzz_trace.o $(TRACE_READ_O)
# One for each importer, from the same source.
FUZZ_IMPORTERS := $(IMPORTERS:%=$(B)/fuzz-import-%)
FUZZ_IMPORT_O := $(filter-out $(O)/workloads/import_main.o,$(TRACE_ALL_O))
$(IMPORTERS:%=$(O)/tests/fuzz/fuzz_import_%.o): $(O)/tests/fuzz/fuzz_import_%.o: \
		tests/fuzz/fuzz_import.c $(B)/flags
	@mkdir -p $(@D)
	$(call SAY,CC  )
	$(COMPILE) -DFUZZ_FORMAT=import_$* -c $< -o $@
$(FUZZ_IMPORTERS): $(B)/fuzz-import-%: $(O)/tests/fuzz/fuzz_import_%.o $(FUZZ_IMPORT_O)
$(FUZZ_IMPORTERS): LIBS := $(TRACE_LIBS)
$(FUZZERS) $(FUZZ_IMPORTERS) $(B)/fuzz-trace:
	$(call SAY,LINK)
	$(LINK) -fsanitize=fuzzer $^ -pthread $(LIBS) -o $@
$(B)/fuzz-trace: LIBS := -lzstd -lxxhash

$(B)/tests/misuse/%: $(O)/tests/misuse/%.o
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -pie $^ -pthread -o $@

# Small programs that the tests record or run under an allocator.
$(B)/tests/subjects/%: $(O)/tests/subjects/%.o
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -pie $^ -pthread -o $@

$(B)/tests/subjects/%.so: $(O)/tests/subjects/%.o
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -shared $^ -pthread -o $@

# The operators of C++; as any program's, they are those of the C++ library.
$(O)/tests/subjects/operators.o: CXXFLAGS_OWN += -fsized-deallocation # Clang's default only from 19 on
$(B)/tests/subjects/operators: $(O)/tests/subjects/operators.o
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_CXX) -pie $^ -ldl -o $@

# The recorder on other kernels, which stand behind its one system-call function.
SUBJECTS += $(B)/tests/subjects/librecord-kernels.so
$(B)/tests/subjects/librecord-kernels.so: $(O)/tests/subjects/kernel_library.o $(RECORDER_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK) -shared -Wl,--wrap=sys_call -pthread $^ -o $@

# Benchmarks of the tests, on the shim of the micro-benchmarks.
$(B)/tests/subjects/shimmed: $(O)/tests/subjects/shimmed.o $(MICRO_MAIN_O)
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(LINK_CXX) -pie $^ -lbenchmark -pthread -o $@

.PHONY: test-programs
test-programs: all $(TESTS) $(MISUSES) $(SUBJECTS)

## test: every test (installs the packages that the tests need, if it may)
.PHONY: test
test: deps-test
	$(MAKE) --no-print-directory -j"$$(nproc)" test-programs
	$(MAKE) --no-print-directory test-c test-python

# How many tests run at a time: two, since tests that measure bear no crowd.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 1); [ $$n -lt 2 ] && echo $$n || echo 2)

# Each program of tests prints one line, and all it has to say if it fails; the others go on. Those
# that take longest begin, so that none runs alone at the end. RUN is a command before it.
LONG_TESTS = $(filter %/test_model %/test_forks %/test_threads,$(TESTS))
.PHONY: test-c
test-c: export RUN := $(RUN)
test-c: $(TESTS)
	printf '%s\n' $(LONG_TESTS) $(filter-out $(LONG_TESTS),$(TESTS)) | xargs -P $(JOBS) -n 1 sh -c ' \
		if $$RUN $$0 > $$0.log 2>&1; then \
			echo "$$0 $$(grep -h PASSED $$0.log)"; \
		else \
			printf "%s\n" "$$(cat $$0.log)" "$$0 failed"; exit 1; \
		fi'

.PHONY: test-python
test-python: PYTEST = $(PYTHON) -m pytest -q -rs -p no:cacheprovider --durations=5
test-python: test-programs
	workers=''; \
	if [ $(JOBS) = 1 ]; then \
		echo "test-python: one test at a time (JOBS=1)"; \
	elif $(PYTHON) -c 'import xdist' 2>/dev/null; then \
		workers='-n $(JOBS) --dist loadfile'; \
	else \
		echo "test-python: one test at a time: python3-pytest-xdist is not installed"; \
	fi; \
	PYTHONDONTWRITEBYTECODE=1 $(PYTEST) $$workers tests

## test-aarch64: the C tests compiled for AArch64 and run by QEMU; skipped where these are missing
AARCH64 := build/aarch64
AARCH64_ROOT = $(abspath $(AARCH64))/root
AARCH64_RUN = qemu-aarch64 -E TESTS_EMULATED=1 -L $(AARCH64_ROOT)
# QEMU's own memory is in what footprints read, and it does not survive a fork among threads.
AARCH64_TESTS = $(patsubst $(B)/%,$(AARCH64)/%, \
	$(filter-out %/test_footprint %/test_forks,$(TESTS)))
AARCH64_MAKE = $(MAKE) --no-print-directory B=$(AARCH64) AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy \
	CFLAGS=-Werror CC='aarch64-linux-gnu-gcc --sysroot=$(AARCH64_ROOT)' RUN='$(AARCH64_RUN)'
.PHONY: test-aarch64 test-aarch64-run
test-aarch64:
	scripts/deps aarch64 || true # what stays missing is named
	if scripts/aarch64_root $(AARCH64); then \
		$(MAKE) --no-print-directory test-aarch64-run; \
	else \
		echo "test-aarch64: skipped"; \
	fi

test-aarch64-run:
	$(AARCH64_MAKE) $(patsubst $(B)/%,$(AARCH64)/%,$(LIBRARIES)) \
		$(addprefix $(AARCH64)/,trace launch tests/subjects/carried)
	$(AARCH64_MAKE) test-c TESTS='$(AARCH64_TESTS)'
	for library in libspan.so libspan-fast.so; do \
		$(AARCH64_RUN) -E LD_PRELOAD=$(abspath $(AARCH64))/$$library \
			$(AARCH64)/tests/subjects/carried 0 || exit 1; \
	done
	$(AARCH64_RUN) $(AARCH64)/trace info workloads/traces/sqlite3.trace > $(AARCH64)/info.json
	SPANBENCH_BUILD=$(abspath $(AARCH64)) $(PYTHON) -m pytest -q -p no:cacheprovider \
		tests/test_thread_locals.py

## test-cgroup2: limits of memory under cgroups of version 2, in a virtual machine; skipped where there can be none
.PHONY: test-cgroup2
test-cgroup2: deps-test
	scripts/deps cgroup2 || true # what stays missing is named
	$(MAKE) --no-print-directory all
	scripts/cgroup2_machine build/cgroup2; \
	case $$? in \
	0) scripts/cgroup2_machine build/cgroup2 $(PYTHON) -m pytest -v -p no:cacheprovider \
		tests/guest_limits.py tests/test_limits.py ;; \
	77) echo "test-cgroup2: skipped" ;; \
	*) exit 1 ;; \
	esac

## programs: real programs on both builds of the allocator do the same as without it
.PHONY: programs
programs: deps-bench
	scripts/deps programs || true # what stays missing is named, and skipped
	$(MAKE) --no-print-directory all
	SPANBENCH_BUILD=$(abspath $(B)) $(PYTHON) tests/battery.py

## whole-programs: a dozen of them timed under each allocator (ALLOCATORS=a,b,... REPEATS=n)
.PHONY: whole-programs
whole-programs: deps-bench
	scripts/deps programs || true
	$(MAKE) --no-print-directory all
	mkdir -p results/latest
	SPANBENCH_BUILD=$(abspath $(B)) scripts/spanbench whole-programs $(ALLOCATORS:%=-a %) $(REPEATS:%=-n %) \
		-o results/latest/whole-programs.json

## fuzz: random inputs for the allocator in each build, the reader of traces and importers, MINUTES=10 each
FUZZ_CORPUS := tests/fuzz/corpus
FUZZ_OPTIONS := -len_control=0 -max_len=2048 -print_final_stats=1
.PHONY: fuzz fuzz-run fuzz-merge fuzz-merge-run
fuzz: deps-fuzz
	$(MAKE) --no-print-directory MODE=fuzz CC=clang fuzz-run

FUZZ_TIME = -max_total_time=$$(($(or $(MINUTES),10) * 60))
fuzz-run: $(FUZZERS) $(FUZZ_IMPORTERS) $(B)/fuzz-trace
	mkdir -p $(B)/found $(B)/found-trace $(IMPORTERS:%=$(B)/found-import-%)
	for fuzzer in $(FUZZERS); do \
		$$fuzzer $(FUZZ_OPTIONS) $(FUZZ_TIME) -artifact_prefix=$$fuzzer- $(B)/found \
			$(FUZZ_CORPUS) || exit 1; \
	done
	$(B)/fuzz-trace $(FUZZ_OPTIONS) $(FUZZ_TIME) -artifact_prefix=$(B)/fuzz-trace- $(B)/found-trace
	for format in $(IMPORTERS); do \
		$(B)/fuzz-import-$$format $(FUZZ_OPTIONS) $(FUZZ_TIME) \
			-artifact_prefix=$(B)/fuzz-import-$$format- $(B)/found-import-$$format \
			tests/fuzz/import/$$format || exit 1; \
	done

## fuzz-merge: makes the fuzzing corpus anew from itself and what was found, as small as it can be
fuzz-merge: deps-fuzz
	$(MAKE) --no-print-directory MODE=fuzz CC=clang fuzz-merge-run

# All that the tuned build tells apart, and what else the other one runs through at all.
fuzz-merge-run: $(FUZZERS)
	rm -rf $(B)/merged
	mkdir -p $(B)/merged $(B)/found
	$(B)/fuzz-span-fast -set_cover_merge=1 $(B)/merged $(FUZZ_CORPUS) $(B)/found
	$(B)/fuzz-span -set_cover_merge=1 -use_counters=0 $(B)/merged $(FUZZ_CORPUS) $(B)/found
	rm -rf $(FUZZ_CORPUS)
	cp -r $(B)/merged $(FUZZ_CORPUS)

## bench: the standard comparison in BUDGET=240 seconds; results, charts and a page in results/latest
# The time counts from the start of make: installing, compiling and drawing are in it.
BUDGET ?= 240
.PHONY: bench
bench: BEGAN := $(shell date +%s)
bench: deps-bench
	$(MAKE) --no-print-directory -j"$$(nproc)" all
	scripts/spanbench bench --budget '$(BUDGET)' --since $(BEGAN)

## sweep: the allocator with other values of its tuning constants; docs/constants.md (80 minutes)
.PHONY: sweep
sweep: deps-bench
	$(MAKE) --no-print-directory all
	SPANBENCH_BUILD='$(abspath $(B))' scripts/studies/sweep_constants $(ROUNDS:%=-n %)

## stress: all calls at random, with threads and too little memory (MINUTES=5 for all allocators)
STRESS := span,span-fast,glibc,jemalloc
.PHONY: stress
stress: deps-bench
	$(MAKE) --no-print-directory all
	seed=$$(date +%s); echo "seed $$seed"; SPANBENCH_BUILD='$(B)' scripts/spanbench run stress \
		-a $(STRESS) -n 1 --seed $$seed --seconds $$(($(or $(MINUTES),5) * 60 / 8)) \
		--address-space 96 --timeout $$(($(or $(MINUTES),5) * 60))

## recording-cost: what the recorder costs, and others; docs/recording.md (two minutes, quiet)
.PHONY: recording-cost
recording-cost: deps-bench
	scripts/deps test
	$(MAKE) --no-print-directory all $(B)/tests/subjects/tight_loop $(B)/tests/subjects/mtrace_library.so
	SPANBENCH_BUILD='$(abspath $(B))' scripts/studies/measure_recording $(ROUNDS:%=-n %)

## stress-threads: threaded traces, and an imported one of over 100 threads, 50 times each (half an hour; RUNS=50)
.PHONY: stress-threads
stress-threads: export SPANBENCH_BUILD = $(abspath $(B))
stress-threads: deps-bench
	scripts/deps rivals stress
	$(MAKE) --no-print-directory all $(B)/stress/imported.trace
	scripts/studies/stress_threads $(RUNS:%=-n %) workloads/traces/*.trace $(B)/stress/imported.trace

# A film that a thread for each picture encodes, as Android's tools would have written its calls down.
$(B)/stress/imported.trace: $(B)/trace $(B)/librecord.so
	mkdir -p $(@D)
	scripts/spanbench record -o $(@D)/recorded.trace -- ffmpeg -v error -f lavfi \
		-i testsrc2=size=320x180:rate=25 -t 12 -c:v libx264 -preset ultrafast -threads 120 -f null -
	scripts/spanbench export --to memory_replay $(@D)/recorded.trace -o $(@D)/imported.txt
	scripts/spanbench import $(@D)/imported.txt -o $@

## gate: is the working tree slower or fatter than BASE=main (ARGS=... for the gate's options)
.PHONY: gate
gate: deps-gate
	$(MAKE) --no-print-directory all
	SPANBENCH_BUILD='$(abspath $(B))' scripts/spanbench gate --base '$(or $(BASE),main)' $(ARGS)

## baseline: results/baseline.json anew, the figures that CI compares with; its diff shows what changed
.PHONY: baseline
baseline: deps-gate
	$(MAKE) --no-print-directory all
	SPANBENCH_BUILD='$(abspath $(B))' scripts/spanbench gate --save results/baseline.json

## reference: the whole corpus and the timed programs, for README.md and docs/method.md (80 minutes, quiet)
# Those of README's table: all that there are would take half an hour on the large held-out traces.
TABLE := span-fast,glibc,jemalloc,mimalloc,tcmalloc
REFERENCE := $(B)/reference
.PHONY: reference
reference: export SPANBENCH_BUILD = $(abspath $(B))
reference: deps-bench
	scripts/deps programs rivals
	$(MAKE) --no-print-directory all
	rm -rf $(REFERENCE)
	scripts/spanbench bench --full -n $(or $(ROUNDS),6) -o $(REFERENCE)
	scripts/spanbench replay workloads/traces/held-out/*.trace -a $(TABLE) --no-null -n 6 \
		-o $(REFERENCE)/held-out.json
	mkdir -p results/reference
	rm -rf $(addprefix results/reference/,results.json curves *held-out* exec.json fidelity)
	cp -r $(addprefix $(REFERENCE)/,results.json curves held-out.json held-out.curves) results/reference
	$(MAKE) --no-print-directory fidelity

## prove-gate: what the gate's verdicts are worth on this machine; docs/method.md (two hours)
.PHONY: prove-gate
prove-gate: deps-gate
	$(MAKE) --no-print-directory all
	SPANBENCH_BUILD='$(abspath $(B))' scripts/studies/prove_gate $(STEPS)

## fidelity: the timed programs, and what replays predict of them; docs/method.md, README.md (50 minutes)
.PHONY: fidelity
fidelity: deps-bench
	scripts/deps programs rivals
	$(MAKE) --no-print-directory all
	SPANBENCH_BUILD='$(abspath $(B))' scripts/studies/measure_fidelity $(ROUNDS:%=-n %)
	scripts/update_readme --from results/reference

## lint: formatting, includes, Python
C_FILES = $(wildcard allocator/*.[ch] bench/*.[ch] bench/*.cc workloads/*.[ch] workloads/*/*.[ch] \
	tests/*.[ch] tests/*/*.[ch] tests/*/*.cc)
PY_FILES = scripts workloads tests
.PHONY: lint
lint: deps-lint
	clang-format --dry-run -Werror $(C_FILES)
	$(PYTHON) tests/lint_house.py
	black --check -l 100 $(PY_FILES) $(PY_SCRIPTS)
	flake8 $(PY_FILES) $(PY_SCRIPTS)

PY_SCRIPTS = $(wildcard $(addprefix scripts/,spanbench install_tree write_manual write_completion \
	update_readme) \
	$(addprefix scripts/studies/,compare_synthetic measure_fidelity measure_recording prove_gate \
	stress_threads sweep_constants) \
	workloads/record_corpus workloads/prepare_programs)

## deps: installs the Debian packages that are missing, if it may; else says how
.PHONY: deps deps-bench deps-gate deps-test deps-lint deps-fuzz
deps:
	scripts/deps bench gate test lint
deps-bench:
	scripts/deps bench
deps-gate:
	scripts/deps bench gate
deps-test:
	scripts/deps bench gate test
deps-lint:
	scripts/deps lint
deps-fuzz:
	scripts/deps fuzz

## man: the manual page, build/MODE/spanbench.1, from the parsers that -h prints
.PHONY: man completion
man: $(B)/spanbench.1
## completion: bash's completion of the command, build/MODE/spanbench.bash, from the same parsers
completion: $(B)/spanbench.bash
$(B)/spanbench.1: WRITER := scripts/write_manual
$(B)/spanbench.bash: WRITER := scripts/write_completion
$(B)/spanbench.1 $(B)/spanbench.bash: scripts/write_manual scripts/write_completion \
		$(shell find scripts/frontend -name '*.py')
	@mkdir -p $(@D)
	$(call SAY,TEXT)
	$(PYTHON) -B $(WRITER) > $@.new
	mv $@.new $@

## install: the command with all that it needs, both libraries, header, manual; DESTDIR, PREFIX, LIBDIR
INSTALL_TREE = $(PYTHON) -B scripts/install_tree --destdir '$(DESTDIR)' --prefix '$(PREFIX)' \
	--libdir '$(LIBDIR)' --includedir '$(INCLUDEDIR)' --build '$(B)' --version '$(VERSION)' \
	--soversion $(SOVERSION) $(INSTALL_FLAGS)
.PHONY: install install-library uninstall
install: all man completion
	$(INSTALL_TREE) all

## install-library: both libraries, their header and pkg-config files alone
install-library: $(B)/libspan.a $(B)/libspan.so $(B)/libspan-fast.a $(B)/libspan-fast.so
	$(INSTALL_TREE) library

## uninstall: removes what an install under the same DESTDIR and LIBDIR has installed, and nothing else
uninstall:
	$(INSTALL_TREE) none

## deb: the Debian packages spanbench, libspan0 and libspan-dev, in build/deb; lintian checks them
.PHONY: deb
deb:
	scripts/deps bench deb
	scripts/build_deb build/deb

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
