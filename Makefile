# Jangada's build. `make help` lists the targets.

LUA       ?= lua5.4
BUILD     ?= build
PREFIX    ?= /usr/local
CFLAGS    ?= -O2 -g
INPUT     ?= $(firstword $(wildcard $(patsubst -I%,%/lmdb.h,$(shell pkg-config --cflags-only-I lmdb 2>/dev/null)) /usr/include/lmdb.h /usr/local/include/lmdb.h))
SEED      ?= 1

WARNINGS  := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ALL_CFLAGS = $(WARNINGS) -D_GNU_SOURCE -fPIC -fvisibility=hidden -MMD -MP $(CFLAGS) \
             $(shell pkg-config --cflags lua5.4 lmdb)
ALL_LIBS   = $(shell pkg-config --libs lmdb) -pthread
SOURCES   := $(wildcard csrc/*.c)
OBJECTS   := $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(SOURCES))
MODULE    := $(BUILD)/jangada/store.so
SPEC_TOOLS := $(addprefix $(BUILD)/spec/,process.so faults.so recorder.so)
RUN_SPECS  = LUA='$(LUA)' BUILD='$(BUILD)' tools/specs
RUN        = LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='$(BUILD)/?.so;;' $(LUA)

.PHONY: help deps all module spec-tools demo test test-all test-slow test-durabilities lint asan gc-torture fuzz bench bench-store bench-lab bench-check mutants rock install clean
.DEFAULT_GOAL := all

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

deps: ## install what is missing (Debian packages, through apt)
	@sh tools/deps

all: deps ## build the C module
	@$(MAKE) --no-print-directory -j$$(nproc) module

module: $(MODULE)
	@:

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	@echo "  link $@"
	@$(CC) -shared $(LDFLAGS) -o $@ $(OBJECTS) $(ALL_LIBS)

$(BUILD)/obj/%.o: csrc/%.c Makefile
	@mkdir -p $(@D)
	@echo "  $(CC) $<"
	@$(CC) $(ALL_CFLAGS) -fno-plt -c -o $@ $<

spec-tools: $(SPEC_TOOLS) ## build what the specs need beside the module
	@:

$(SPEC_TOOLS): $(BUILD)/spec/%.so: spec/support/%.c Makefile | deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -shared $(LDFLAGS) -Wl,-z,nodelete -o $@ $(filter %.c,$^) -pthread -ldl

$(BUILD)/spec/recorder.so: spec/support/recorder_calls.c spec/support/recorder.h

demo: all ## replicate INPUT through a five-node cluster, a crash and a partition (SEED=1)
	@$(RUN) bin/jangada demo --seed='$(SEED)' --directory '$(BUILD)/demo' '$(subst ','\'',$(INPUT))'

test: all spec-tools ## run the specs (SPECS=files or directories, JOBS=processes, here and below)
	@$(RUN_SPECS) $(SPECS)

test-all: all spec-tools ## run the specs, the slow ones too
	@$(RUN_SPECS) --run=all $(SPECS)

test-slow: all spec-tools ## run only the slow specs
	@$(RUN_SPECS) --run=all --tags=slow $(SPECS)

DURABILITIES ?= commit journal
test-durabilities: all spec-tools ## run the specs of the store and of what stands on it in the other durabilities
	@for durability in $(DURABILITIES); do \
	  echo "durability $$durability"; \
	  DURABILITY=$$durability $(RUN_SPECS) --run=durabilities $(SPECS) || exit 1; \
	done

lint: deps ## luacheck, and luarocks on the rockspec
	luacheck --no-cache -q lua spec bin/jangada bench examples types *.rockspec
	luarocks --lua-version=5.4 lint jangada-scm-1.rockspec

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
asan: BUILD = build/asan
asan: deps ## run the specs with AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD='$(BUILD)' CFLAGS="-O1 -g $(SANITIZE)" \
	  LDFLAGS="$(SANITIZE)" module spec-tools
	@PRELOAD="$$($(CC) -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
	  $(RUN_SPECS) --run=asan $(SPECS)

gc-torture: all spec-tools ## run the specs with the collector always on
	@$(RUN_SPECS) --run=torture $(SPECS)
	@$(RUN) -e 'collectgarbage("incremental", 1, 1000, 1)' spec/support/fuzz.lua --seconds 5 \
	  --seed $$(date +%s)

SECONDS ?= 3600
fuzz: all ## random operations, and kill -9, against a model (SECONDS=3600 SEED=1)
	@LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='$(BUILD)/?.so;;' sh tools/fuzz '$(SECONDS)' '$(SEED)'

MUTANTS ?=
mutants: all ## plant mistakes into the Raft and let the lab find them (MUTANTS="--campaigns 5 --time 60 NAME...")
	@$(RUN) spec/support/mutants.lua $(MUTANTS)

DURABILITY ?= commit
CRASHES    := crash-orders crash-faults crash-kills
crash-orders: ## crash the store in every order in which a disk may write (SECONDS=3600 SEED=1 DURABILITY=commit)
crash-faults: ## let each call on the disk fail
crash-kills: ## kill -9
.PHONY: $(CRASHES)
$(CRASHES): crash-%: all spec-tools
	@LD_PRELOAD='$(abspath $(BUILD))/spec/recorder.so' $(RUN) spec/support/crash/$*.lua \
	  --seconds '$(SECONDS)' --seed '$(SEED)' --durability '$(DURABILITY)'

bench: bench-store bench-log bench-lab bench-check ## all benchmarks but the one of the peers

bench-store: all $(BUILD)/bench/lmdb_loop ## the store against C on liblmdb, and py-lmdb if it is there
	@BUILD=$(BUILD) $(RUN) bench/store.lua
	@$(RUN) bench/store_costs.lua

$(BUILD)/bench/lmdb_loop: bench/peers/lmdb_loop.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -O2 -o $@ $< $(ALL_LIBS)

DIR        ?= $(BUILD)/bench/data
RUN_BENCH   = BUILD=$(BUILD) LUA_PATH='lua/?.lua;lua/?/init.lua;;' \
              LUA_CPATH='$(BUILD)/?.so;$(BUILD)/bench/?.so;;' $(LUA)
BENCH_TOOLS = $(BUILD)/bench/raw_append $(BUILD)/bench/clock.so

.PHONY: bench-log bench-peers bench-raft peers-deps
bench-log bench-peers: DURABILITY = journal
bench-log: all $(BENCH_TOOLS) ## the log against the disk (DIR=, DURABILITY=)
	@$(RUN_BENCH) bench/log.lua '$(DURABILITY)' '$(DIR)'

bench-peers: all $(BENCH_TOOLS) $(BUILD)/bench/peers ## the log against etcd's WAL, raft-boltdb and others
	@$(RUN_BENCH) bench/peers.lua '$(DURABILITY)' '$(DIR)'

peers-deps: # which `deps` leaves out: they are large
	@sh tools/deps peers

$(BUILD)/bench/raw_append: bench/peers/raw_append.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -O2 -o $@ $<

$(BUILD)/bench/clock.so: bench/clock.c | deps
	@mkdir -p $(@D)
	$(CC) $(WARNINGS) -D_GNU_SOURCE -fPIC -O2 $(shell pkg-config --cflags lua5.4) -shared -o $@ $<

$(BUILD)/bench/peers: bench/peers/peers.go | peers-deps
	@mkdir -p $(@D)
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE='$(abspath $(BUILD))/go' go build -o $@ $<

$(BUILD)/bench/etcd_raft: bench/peers/etcd_raft.go | peers-deps
	@mkdir -p $(@D)
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE='$(abspath $(BUILD))/go' go build -o $@ $<

bench-raft: all $(BENCH_TOOLS) $(BUILD)/bench/etcd_raft ## our Raft against etcd's, in memory
	@mkdir -p '$(DIR)'
	@$(RUN_BENCH) bench/raft.lua '$(DIR)'

bench-lab: all ## events a second of the lab, and seeds a second of a campaign
	@$(RUN) bench/lab.lua
	@$(RUN) bin/jangada lab campaign examples/raft_swarm.lua --seeds 1-200 --jobs 2
	@$(RUN) bin/jangada lab campaign examples/raft_swarm.lua --seeds 1-200 --jobs 2 --duration 20000

bench-check: ## histories a second of the checker
	@$(RUN) bench/check.lua

rock: deps ## install as a rock into $(BUILD)/tree, and load it from there
	@sh tools/rock $(BUILD)/tree

install: all ## install under PREFIX
	@sh tools/install '$(PREFIX)' '$(MODULE)'

clean: ## remove what was built
	rm -rf build jangada

-include $(OBJECTS:.o=.d) $(SPEC_TOOLS:.so=.d)

# The fuzzer needs clang and libclang-rt-14-dev (Debian's names). RUNS=0 runs until interrupted.
RUNS        ?= 10000000
FUZZ_SOURCES = spec/support/fuzz_check.c csrc/check.c $(filter-out csrc/check_lua.c,$(wildcard csrc/check_*.c)) \
               csrc/grow.c csrc/pages.c csrc/record.c
.PHONY: fuzz-check
fuzz-check: ## fuzz the check of damaged files (RUNS=10000000)
	@mkdir -p $(BUILD)/fuzz/corpus
	clang $(WARNINGS) -O2 -g -D_GNU_SOURCE -Icsrc $(shell pkg-config --cflags lua5.4 lmdb) $(SANITIZE) \
	  -fsanitize=fuzzer -o $(BUILD)/fuzz/check $(FUZZ_SOURCES)
	cd $(BUILD)/fuzz && ./check -max_len=32768 -runs=$(if $(filter 0,$(RUNS)),-1,$(RUNS)) \
	  -print_final_stats=1 corpus '$(CURDIR)/spec/corpus/check'
