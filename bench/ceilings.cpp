// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the machine can do at most: fused multiply-adds from registers or tiles, bytes copied and read from memory.
#include "cases.hpp"
#include <array>
#include <attend/kernels/cpu/matrix_tiles.hpp>
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstring>
#include <memory>
#include <oneapi/tbb/parallel_for.h>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace bench {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t vector_bytes = 64;
constexpr int chains = 16; // of 32 registers; g++ unrolls no more
#elif defined(__AVX__)
constexpr std::size_t vector_bytes = 32;
constexpr int chains = 12; // of 16 registers: more than two units times their latency
#else
constexpr std::size_t vector_bytes = 16;
constexpr int chains = 12;
#endif
constexpr int lanes = vector_bytes / sizeof(float);
using vector [[gnu::vector_size(vector_bytes)]] = float;

// A call is so many chunks for the workers to share, a few tens of microseconds each.
constexpr int chunks = 256, steps = 8192;
constexpr double multiply_adds = double(chunks) * steps * chains * lanes;

// Out of line: where it is part of another function, compilers may keep sums in memory.
[[gnu::noinline]] void multiply_add_chunk() {
  std::array<vector, chains> sum{};
  vector x = vector{} + 0.5f, y = vector{} + 0.25f;
  benchmark::DoNotOptimize(x);
  benchmark::DoNotOptimize(y);
  for (int i = 0; i < steps; ++i)
    for (auto& a : sum) a = a * x + y;
  benchmark::DoNotOptimize(sum);
}

call multiply_add() {
  return [] { tbb::parallel_for(0, chunks, [](int) { multiply_add_chunk(); }); };
}

#ifdef __AVX512BF16__
[[gnu::noinline]] void dot_product_chunk() {
  __m512 sum[chains] = {};
  auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f003f00)), y = x; // pairs of 0.5
  benchmark::DoNotOptimize(x);
  benchmark::DoNotOptimize(y);
  for (int i = 0; i < steps; ++i)
    for (auto& a : sum) a = _mm512_dpbf16_ps(a, x, y);
  benchmark::DoNotOptimize(sum);
}

call dot_product() {
  return [] { tbb::parallel_for(0, chunks, [](int) { dot_product_chunk(); }); };
}
#endif

#ifdef ATTEND_DETAIL_MATRIX_TILES
constexpr int tile_steps = 4096;
constexpr double tile_multiply_adds = double(chunks) * tile_steps * 4 * 16 * 16 * 32;

call tile_product() {
  return [] {
    tbb::parallel_for(0, chunks, [](int) {
      attend::kernels::cpu::detail::tile_session const session;
      for (int i = 0; i < tile_steps; ++i) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
      }
    });
  };
}
#endif

// Far more than any cache holds.
constexpr std::size_t block = std::size_t{1} << 20, blocks = 256;
constexpr double memory_bytes = double(block) * blocks;

std::shared_ptr<std::byte[]> touched_memory() {
  std::shared_ptr<std::byte[]> memory(static_cast<std::byte*>(::operator new(block * blocks, std::align_val_t{64})),
                                      [](std::byte* p) { ::operator delete(p, std::align_val_t{64}); });
  std::memset(memory.get(), 1, block * blocks);
  return memory;
}

call copy() {
  return [from = touched_memory(), to = touched_memory()] {
    tbb::parallel_for(std::size_t{0}, blocks,
                      [&](std::size_t i) { std::memcpy(to.get() + i * block, from.get() + i * block, block); });
    benchmark::ClobberMemory();
  };
}

void read_block(vector const* x) {
  std::array<vector, 8> sum{};
  for (std::size_t i = 0; i < block / vector_bytes; i += sum.size())
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += x[i + k];
  benchmark::DoNotOptimize(sum);
}

call read() {
  return [memory = touched_memory()] {
    tbb::parallel_for(std::size_t{0}, blocks,
                      [&](std::size_t i) { read_block(reinterpret_cast<vector const*>(memory.get() + i * block)); });
  };
}

} // namespace

void add_ceilings() {
  add_ceiling("multiply-add/f32", 2 * multiply_adds, 0, multiply_add);
#ifdef ATTEND_DETAIL_MATRIX_TILES
  if (attend::kernels::cpu::detail::has_matrix_tiles()) add_ceiling("multiply-add/bf16", 2 * tile_multiply_adds, 0, tile_product);
  else
#endif
#ifdef __AVX512BF16__
    add_ceiling("multiply-add/bf16", 4 * multiply_adds, 0, dot_product);
#endif
  add_ceiling("copy", 0, 2 * memory_bytes, copy); // each byte is read once and written once
  add_ceiling("read", 0, memory_bytes, read);
}

} // namespace bench
