// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of sm_90a that are wrong on purpose, as in planted.cpp: each mistake is caught whether copies and products take
// effect early or late.
#pragma once
#include "planted.hpp"
#include <attend/kernels/cuda/ptx_sm90.cuh>
#include <vector>

namespace attend::emulated {

namespace ptx = attend::kernels::cuda::ptx;

inline constexpr int threads = 384, tile_bytes = 64 * 128, shared_bytes = 4 * tile_bytes + 64;

inline std::uint32_t tile(int i) { return ptx::dynamic_shared() + tile_bytes * static_cast<std::uint32_t>(i); }
inline std::uint32_t barrier(int i) { return tile(4) + 8 * static_cast<std::uint32_t>(i); }
inline int thread() { return ptx::thread_index(); }
/// Four barriers for an arrival each.
inline void begin() {
  if (thread() == 0) {
    for (int i = 0; i < 4; ++i) ptx::mbarrier_init(barrier(i), 1);
    ptx::mbarrier_init_fence();
  }
  ptx::block_barrier();
}
/// One thread begins to load a tile that barrier(to) counts.
inline void load(CUtensorMap const& in, int to, int by = 0) {
  if (thread() != by) return;
  ptx::mbarrier_arrive_expecting(barrier(to), tile_bytes);
  ptx::load_tile(tile(to), in, barrier(to), {{0, 0, 0, 0, 0}});
}
inline float first_of(std::uint32_t address) { return ptx::unpack<bf16>(ptx::load_shared<std::uint32_t>(address)).x; }

/// What the first warpgroup multiplies, once the others have left.
struct operands {
  float d[8][4] = {};
  std::uint64_t a = ptx::product_operand(tile(0), tile_bytes), b = ptx::product_operand(tile(1), tile_bytes);
};
/// Begins their product, in a group of its own.
inline void begin_product(operands& x) {
  ptx::products_fence();
  ptx::product_warpgroup<bf16, false>(x.d, x.a, x.b, true);
  ptx::products_commit();
}
inline void load_operands(CUtensorMap const& in) {
  begin();
  load(in, 0), load(in, 1);
  ptx::mbarrier_wait(barrier(0), 0);
  ptx::mbarrier_wait(barrier(1), 0);
}

inline void fill(std::uint32_t to) {
  for (std::uint32_t i = static_cast<std::uint32_t>(thread()) * 4; i < tile_bytes; i += threads * 4) ptx::store_shared(to + i, 0u);
}
inline void store(CUtensorMap const& out, int from) {
  if (thread() != 0) return;
  ptx::store_tile(out, tile(from), {{0, 0, 0, 0, 0}});
  ptx::store_tile_commit();
}

#define KERNEL(NAME) \
  __global__ void NAME([[maybe_unused]] CUtensorMap const in, [[maybe_unused]] CUtensorMap const out, [[maybe_unused]] float* results)

using kernel = void(CUtensorMap, CUtensorMap, float*);

struct outcome {
  std::string said;
  std::vector<float> results;
};
inline outcome outcome_of(char const* name, kernel* k, std::uint64_t seed, emulator::landing order) {
  emulator::global_memory in("in", 120 * 128), out("out", 64 * 128), results("results", threads * sizeof(float));
  auto const map_of = [](emulator::global_memory const& memory) {
    CUtensorMap map;
    EXPECT_EQ(ptx::make_map<bf16>(map, {memory.data(), {64, 128, 1, 1, 1}, {128, 1 << 14, 1 << 14, 1 << 14}, {64, 64, 1, 1, 1}}), cudaSuccess);
    return map;
  };
  std::memset(in.data(), 0, in.size()), std::memset(results.data(), 0, results.size());
  emulator::settings options;
  options.seed = seed, options.order = order;
  auto* const numbers = reinterpret_cast<float*>(results.data());
  auto const launch = [&] {
    static_cast<void>(ptx::launch({name, dim3(1), threads, shared_bytes, nullptr}, k, map_of(in), map_of(out), numbers));
  };
  std::string const said = said_while(options, launch);
  return {said, std::vector<float>(numbers, numbers + threads)};
}

/// In order and in random orders, early and late.
inline void expect_caught(mistake<kernel> const& x) {
  for (auto order : {emulator::landing::late, emulator::landing::early})
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(std::to_string(seed) + (order == emulator::landing::late ? " late" : " early"));
      expect_said(outcome_of(x.name, x.what, seed, order).said, x.name, "planted_[a-z0-9]+.[ch]pp", x.sentence);
    }
}

#define PLACE "planted_[a-z0-9]+.[ch]pp:[0-9]+"
#define TILE_BEFORE_WAIT "before the wait for the tile that thread [0-9]+ began at " PLACE
#define PRODUCT_READS ", which a product of warp [0-3] reads, with no wait for it and barrier between"

} // namespace attend::emulated
