// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The instructions of kernels/attend/kernels/cuda/ptx_sm90.cuh as the emulator executes them.
#pragma once
#include <attend/kernels/cuda/ptx.cuh>
#include <cuda.h>

namespace attend::kernels::cuda::ptx {

inline constexpr bool has_warpgroups = true;
inline constexpr int warpgroup_size = 128;

inline unsigned grid_size() { return emulator::grid_size(); }
/// It has to be the same indeed.
inline int warp_uniform(int x, place where = place::current()) { return emulator::warp_uniform(x, where); }
/// What lane 0 has.
inline int of_first_lane(int x, place where = place::current()) { return emulator::of_first_lane(x, where); }

template <class T>
T anew(T x) {
  return x;
}

inline void mbarrier_init(std::uint32_t barrier, unsigned arrivals, place where = place::current()) {
  emulator::mbarrier_init(barrier, arrivals, where);
}
inline void mbarrier_init_fence() {}
inline void mbarrier_arrive(std::uint32_t barrier, place where = place::current()) { emulator::mbarrier_arrive(barrier, 0, where); }
inline void mbarrier_arrive_expecting(std::uint32_t barrier, unsigned bytes, place where = place::current()) {
  emulator::mbarrier_arrive(barrier, bytes, where);
}
inline void mbarrier_wait(std::uint32_t barrier, unsigned parity, place where = place::current()) { emulator::mbarrier_wait(barrier, parity, where); }

inline void named_barrier(int id, int threads, place where = place::current()) { emulator::named_barrier(id, threads, where); }
inline void named_barrier_arrive(int id, int threads, place where = place::current()) { emulator::named_barrier_arrive(id, threads, where); }

template <int Registers>
void lower_registers(place where = place::current()) {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  emulator::lower_registers(Registers, where);
}
template <int Registers>
void raise_registers(place where = place::current()) {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  emulator::raise_registers(Registers, where);
}

struct tile_position {
  int at[5];
};
inline void load_tile(std::uint32_t to, CUtensorMap const& map, std::uint32_t barrier, tile_position const& from, place where = place::current()) {
  emulator::load_tile(to, &map, barrier, from.at, where);
}
inline void store_tile(CUtensorMap const& map, std::uint32_t from, tile_position const& to, place where = place::current()) {
  emulator::store_tile(&map, from, to.at, where);
}
inline void store_tile_commit(place where = place::current()) { emulator::store_tile_commit(where); }
inline void store_tile_wait(place where = place::current()) { emulator::store_tile_wait(where); }
inline void prefetch_map(CUtensorMap const& map, place where = place::current()) { emulator::check_map(&map, where); }
inline void async_fence(place where = place::current()) { emulator::async_fence(where); }

inline void products_fence(place where = place::current()) { emulator::products_fence(where); }
inline void products_commit(place where = place::current()) { emulator::products_commit(where); }
template <int Pending, int N>
void products_wait(float (&d)[N][4], place where = place::current()) {
  emulator::products_wait(Pending, d[0], where);
}
inline void settle(float) {}

inline std::uint64_t product_operand(std::uint32_t address, std::uint32_t panel_bytes) {
  return std::uint64_t{1} << 62 | std::uint64_t{1024 >> 4} << 32 | std::uint64_t{panel_bytes >> 4} << 16 | (address & 0x3ffff) >> 4;
}
inline std::uint64_t further(std::uint64_t operand, std::uint32_t bytes) { return operand + (bytes >> 4); }

inline emulator::warpgroup_product with_a(emulator::warpgroup_product p, std::uint64_t a) {
  p.a = a;
  return p;
}
inline emulator::warpgroup_product with_a(emulator::warpgroup_product p, std::uint32_t const (&a)[4]) {
  p.registers = a;
  return p;
}
/// Of the widths that the hardware has, those that the kernels' header spells out.
template <class T, bool Transposed, int Blocks, class A>
void product_warpgroup(float (&d)[Blocks][4], A const& a, std::uint64_t b, bool add, place where = place::current()) {
  static_assert(Blocks == 32 || (Blocks >= 8 && Blocks <= 24 && Blocks % 2 == 0));
  auto const type = std::is_same_v<T, bf16> ? emulator::operand::bf16 : emulator::operand::f16;
  emulator::begin_product(with_a({type, Blocks, Transposed, add, d[0], nullptr, 0, b}, a), where);
}

template <class Kernel>
cudaError_t has_warpgroups_for(Kernel*, bool& has) {
  has = emulator::options.sm_90;
  return cudaSuccess;
}
inline cudaError_t multiprocessors_of_device(int& count) {
  count = emulator::options.multiprocessors;
  return cudaSuccess;
}

struct tile_tensor {
  void* data;
  std::uint64_t extent[5], stride[4];
  std::uint32_t box[5];
};
/// Refuses what the driver refuses.
template <class T>
cudaError_t make_map(CUtensorMap& map, tile_tensor const& x) {
  static_assert(sizeof(T) == 2 && sizeof(emulator::tile_map) <= sizeof(CUtensorMap));
  emulator::tile_map made{emulator::tile_map::mark, static_cast<std::byte*>(x.data), {}, {}, {}};
  bool good = x.data != nullptr && reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0 && x.box[0] * sizeof(T) <= 128;
  for (int i = 0; i < 5; ++i) {
    good = good && x.box[i] >= 1 && x.box[i] <= 256 && x.extent[i] >= 1 && x.extent[i] < std::uint64_t{1} << 32;
    made.extent[i] = static_cast<std::uint32_t>(x.extent[i]), made.box[i] = x.box[i];
  }
  for (int i = 0; i < 4; ++i) {
    good = good && x.stride[i] % 16 == 0 && x.stride[i] < std::uint64_t{1} << 40;
    made.stride[i] = x.stride[i];
  }
  if (!good) return cudaErrorInvalidValue;
  std::memset(&map, 0, sizeof map);
  std::memcpy(&map, &made, sizeof made);
  return cudaSuccess;
}

} // namespace attend::kernels::cuda::ptx
