# The short way to everything; `make` alone says what there is. CMake does the work (presets in
# CMakePresets.json); every target starts from a fresh clone and installs what it needs by apt.

.DEFAULT_GOAL := help
BUILD    := build
PROGRAMS := weir weir-shepherd
CAMPAIGN := examples/first-day
ARGS     ?=

.PHONY: help setup run build release test bench asan tsan tidy format clean

help:  ## show this list
	@echo 'weir: one pool from many machines. What make can do:'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo 'Start with `make run`: http://127.0.0.1:8421 serves until Ctrl-C;'
	@echo '`make run ARGS=--once` ends after the example campaign.'

setup:  ## install everything that building, running and testing need (Debian packages)
	@tools/setup build run test

# One build folder with one configuration serves run, build, test and bench: going from one to
# another compiles only what is new. CMake runs again by itself when its files change.
$(BUILD)/build.ninja:
	@tools/setup build
	@cmake --preset dev -B $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

run: $(BUILD)/build.ninja  ## build weir, start a hub here and run the campaign of examples/first-day
	@tools/setup build
	@# What the example's jobs call is installed while the compiler works.
	@tools/setup run & packages=$$!; cmake --build $(BUILD) --target $(PROGRAMS); built=$$?; \
		wait $$packages && exit $$built
	@$(BUILD)/bin/weir up --campaign $(CAMPAIGN) $(ARGS)

build: $(BUILD)/build.ninja  ## build the programs and benchmarks into build/bin
	@tools/setup build
	@cmake --build $(BUILD) --target programs

test:  ## build and run every test
	@echo 'weir: installs what is missing, builds everything, runs every test (ctest)'
	@tools/setup build run test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD)
	@ctest --test-dir $(BUILD) --output-on-failure

release:  ## build the programs that a site installs, optimised as a whole, into build-release/bin
	@tools/setup build
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target programs

bench: release  ## measure what the README promises, and print target against measured
	@tools/setup run
	@bench/run $(ARGS)

asan:  ## every test under the address and undefined-behaviour sanitizers
	@tools/setup build run test
	@cmake --preset asan >/dev/null
	@cmake --build --preset asan
	@ctest --preset asan

tsan:  ## every test under the thread sanitizer
	@tools/setup build run test
	@cmake --preset tsan >/dev/null
	@cmake --build --preset tsan
	@ctest --preset tsan

tidy: $(BUILD)/build.ninja  ## the house rules, then clang-tidy over all sources (slow)
	@tools/setup build test tidy
	@tools/tidy
	@tools/tidy --clang-tidy $(BUILD)

format:  ## format all C++ sources in place
	@tools/setup test
	@git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp' | xargs -0 clang-format-14 -i

clean:  ## remove what was built (not .weir, which holds your jobs)
	rm -rf build build-asan build-tsan build-release build-fuzz
