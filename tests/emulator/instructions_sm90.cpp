// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles, products of warpgroups, and a ring of buffers between a producer and consumers: right kernels, with right
// numbers whatever the order and whenever copies and products take effect.
#include <attend/kernels/cuda/ptx_sm90.cuh>
#include <gtest/gtest.h>
#include <functional>
#include <vector>

namespace {

namespace ptx = attend::kernels::cuda::ptx;
namespace emulator = attend::emulator;
using attend::bf16, attend::f16;

template <class T>
T rounded(float x) {
  if constexpr (std::is_same_v<T, bf16>) return __float2bfloat16_rn(x);
  else return __float2half_rn(x);
}
float number(bf16 x) { return __bfloat162float(x); }
float number(f16 x) { return __half2float(x); }

/// Elements in global memory of exactly their size, numbers of few bits: products and sums of them are exact.
template <class T>
struct array {
  emulator::global_memory memory;
  int count;

  array(char const* name, int count) : memory(name, static_cast<std::size_t>(count) * sizeof(T)), count(count) {}
  T* data() const { return reinterpret_cast<T*>(memory.data()); }
  T& operator[](int i) const { return data()[i]; }
  void fill(int seed) const {
    for (int i = 0; i < count; ++i) data()[i] = rounded<T>(static_cast<float>((i * 37 + i / 64 * 11 + seed) % 29 - 14) * 0.25f);
  }
};

/// Runs in order and in random orders, with whatever is asynchronous early and late.
void whatever_the_order(std::function<void()> const& run) {
  for (auto order : {emulator::landing::late, emulator::landing::early})
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed) + (order == emulator::landing::late ? ", late" : ", early"));
      emulator::options.seed = seed, emulator::options.order = order;
      run();
      if (testing::Test::HasFatalFailure()) break;
    }
  emulator::options = {};
}

/// A map of a matrix that lies row by row, in boxes of 64 columns.
template <class T>
CUtensorMap map_of(T* data, int rows, int columns, int box_rows) {
  auto const row = static_cast<std::uint64_t>(columns) * 2, all = row * static_cast<std::uint64_t>(rows);
  CUtensorMap map;
  EXPECT_EQ(ptx::make_map<T>(map, {data,
                                   {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows), 1, 1, 1},
                                   {row, all, all, all},
                                   {64, static_cast<std::uint32_t>(box_rows), 1, 1, 1}}),
            cudaSuccess);
  return map;
}

// ---- products -----------------------------------------------------------------------------------------------------------

constexpr int depth = 128; // two panels of a

template <class T>
std::uint32_t two_of(T const* x) {
  std::uint32_t bits;
  std::memcpy(&bits, x, sizeof bits);
  return bits;
}

// c (64, 8 Blocks) = a (64, depth) b, twice; b lies as (depth, 8 Blocks) or, not Transposed, as its transpose.
template <class T, bool Transposed, bool InRegisters, int Blocks>
__global__ void product(__grid_constant__ CUtensorMap const a_map, __grid_constant__ CUtensorMap const b_map, T const* a, float* c) {
  constexpr int columns = 8 * Blocks;
  constexpr int b_lines = Transposed ? depth : columns, b_panels = ((Transposed ? columns : depth) + 63) / 64;
  int const thread = ptx::thread_index(), warp = ptx::warp_uniform(thread / 32), lane = thread % 32;
  std::uint32_t const left = ptx::dynamic_shared(), right = left + depth / 64 * 64 * 128;
  std::uint32_t const barrier = right + b_panels * b_lines * 128;
  if (thread == 0) {
    ptx::prefetch_map(a_map);
    ptx::mbarrier_init(barrier, 1);
    ptx::mbarrier_init_fence();
  }
  ptx::block_barrier();
  if (thread == 0) {
    ptx::mbarrier_arrive_expecting(barrier, depth * 128 + b_panels * b_lines * 128);
    for (int p = 0; p < depth / 64; ++p) ptx::load_tile(left + static_cast<std::uint32_t>(p) * 8192, a_map, barrier, {{64 * p, 0, 0, 0, 0}});
    for (int p = 0; p < b_panels; ++p) ptx::load_tile(right + static_cast<std::uint32_t>(p * b_lines * 128), b_map, barrier, {{64 * p, 0, 0, 0, 0}});
  }
  ptx::mbarrier_wait(barrier, 0);
  std::uint64_t const a_operand = ptx::product_operand(left, 8192), b_operand = ptx::product_operand(right, b_lines * 128);
  float d[Blocks][4];
  for (auto& block : d)
    for (float& x : block) x = 1000; // what the first product does not add to
  [[maybe_unused]] std::uint32_t registers[2 * depth / 16][4]; // of products under way
  ptx::products_fence();
  for (int k = 0; k < 2 * depth; k += 16) {
    auto const in_panel = static_cast<std::uint32_t>(k % 64 * 2), panel = static_cast<std::uint32_t>(k % depth / 64);
    auto const b = ptx::further(b_operand, Transposed ? static_cast<std::uint32_t>(k % depth) * 128 : panel * b_lines * 128 + in_panel);
    if constexpr (InRegisters) {
      T const* const at = a + (16 * warp + lane / 4) * depth + k % depth + 2 * (lane % 4);
      auto& x = registers[k / 16];
      for (int i = 0; i < 4; ++i) x[i] = two_of(at + i % 2 * 8 * depth + i / 2 * 8);
      ptx::product_warpgroup<T, Transposed>(d, x, b, k > 0);
    } else
      ptx::product_warpgroup<T, Transposed>(d, ptx::further(a_operand, panel * 8192 + in_panel), b, k > 0);
    if (k == 48) ptx::products_commit(), ptx::products_fence();
  }
  ptx::products_commit();
  ptx::products_wait<1>(d);
  ptx::products_wait<0>(d);
  for (int n = 0; n < Blocks; ++n)
    for (int i = 0; i < 4; ++i) c[(16 * warp + lane / 4 + 8 * (i / 2)) * columns + 8 * n + 2 * (lane % 4) + i % 2] = d[n][i];
}

template <class T, bool Transposed, bool InRegisters, int Blocks>
void check_product() {
  constexpr int columns = 8 * Blocks;
  array<T> a("a", 64 * depth), b("b", depth * columns);
  a.fill(3), b.fill(8);
  auto const a_map = map_of(a.data(), 64, depth, 64);
  auto const b_map = Transposed ? map_of(b.data(), depth, columns, depth) : map_of(b.data(), columns, depth, columns);
  whatever_the_order([&] {
    array<float> c("c", 64 * columns);
    std::size_t const bytes = depth * 128 + (columns + 63) / 64 * 64 * depth * 2 + 64;
    ASSERT_EQ(ptx::launch({"product", dim3(1), 128, bytes, nullptr}, product<T, Transposed, InRegisters, Blocks>, a_map, b_map, a.data(), c.data()),
              cudaSuccess);
    for (int i = 0; i < 64; ++i)
      for (int j = 0; j < columns; ++j) {
        double sum = 0;
        for (int k = 0; k < depth; ++k) sum += double{number(a[i * depth + k])} * number(Transposed ? b[k * columns + j] : b[j * depth + k]);
        ASSERT_EQ(c[i * columns + j], static_cast<float>(2 * sum)) << i << ' ' << j;
      }
  });
}
template <class T>
class products : public testing::Test {};
using types = testing::Types<bf16, f16>;
TYPED_TEST_SUITE(products, types);
TYPED_TEST(products, of_rows_and_columns) { check_product<TypeParam, false, false, 8>(), check_product<TypeParam, false, false, 32>(); }
TYPED_TEST(products, of_rows_and_rows) { check_product<TypeParam, true, false, 16>(), check_product<TypeParam, true, false, 24>(); }
TYPED_TEST(products, of_registers_and_columns) { check_product<TypeParam, false, true, 22>(), check_product<TypeParam, false, true, 10>(); }
TYPED_TEST(products, of_registers_and_rows) { check_product<TypeParam, true, true, 10>(), check_product<TypeParam, true, true, 32>(); }

// ---- tiles --------------------------------------------------------------------------------------------------------------

// A box from one place to another, once as it is loaded and once through registers.
__global__ void copy_box(__grid_constant__ CUtensorMap const from, __grid_constant__ CUtensorMap const to, ptx::tile_position at,
                         ptx::tile_position there, bool through_registers) {
  std::uint32_t const tile = ptx::dynamic_shared(), bytes = 128 * 3 * 2 * 2 * 1, barrier = tile + bytes;
  int const thread = ptx::thread_index();
  if (thread == 0) {
    ptx::mbarrier_init(barrier, 1);
    ptx::mbarrier_init_fence();
    ptx::mbarrier_arrive_expecting(barrier, bytes);
    ptx::load_tile(tile, from, barrier, at);
  }
  ptx::block_barrier();
  ptx::mbarrier_wait(barrier, 0);
  if (through_registers) {
    for (std::uint32_t i = static_cast<std::uint32_t>(thread) * 4; i < bytes; i += 64 * 4)
      ptx::store_shared(tile + i, ptx::load_shared<std::uint32_t>(tile + i) ^ 0x8000'8000u);
    ptx::async_fence();
  }
  ptx::named_barrier(1, 64);
  if (thread == 0) {
    ptx::store_tile(to, tile, there);
    ptx::store_tile_commit();
    ptx::store_tile_wait();
  }
}
TEST(tiles, are_clipped_and_filled_with_zeros) {
  constexpr int extent[5] = {72, 5, 4, 3, 2}, box[5] = {64, 3, 2, 2, 1};
  constexpr int row = 80; // further apart than they are long
  constexpr int step[5] = {1, row, row * 5, row * 5 * 4, row * 5 * 4 * 3};
  array<bf16> from("from", step[4] * 2 - 8);
  from.fill(1);
  auto const map = [&](bf16* data) {
    ptx::tile_tensor t{data, {}, {}, {}};
    for (int i = 0; i < 5; ++i) t.extent[i] = static_cast<std::uint64_t>(extent[i]), t.box[i] = static_cast<std::uint32_t>(box[i]);
    for (int i = 0; i < 4; ++i) t.stride[i] = static_cast<std::uint64_t>(step[i + 1]) * 2;
    CUtensorMap made;
    EXPECT_EQ(ptx::make_map<bf16>(made, t), cudaSuccess);
    return made;
  };
  struct way {
    ptx::tile_position from, to;
  };
  way const ways[] = {{{{0, 0, 0, 0, 0}}, {{0, 0, 0, 0, 0}}},   {{{8, 1, 1, 1, 1}}, {{0, 2, 2, 1, 1}}}, {{{-16, -1, 3, -1, 1}}, {{32, 4, -1, 2, 0}}},
                      {{{64, 4, 0, 2, 0}}, {{-40, -2, 1, 0, 1}}}, {{{0, 0, 0, 0, 2}}, {{8, 0, 0, 0, 0}}}, {{{0, 0, 0, 0, 0}}, {{72, 0, 0, 0, 1}}}};
  for (auto const& [at, there] : ways)
    for (bool through_registers : {false, true})
      whatever_the_order([&] {
        array<bf16> to("to", from.count);
        to.fill(2);
        std::vector<float> expected;
        for (int i = 0; i < to.count; ++i) expected.push_back(number(to[i]));
        for (int i = 0; i < 64 * 3 * 2 * 2; ++i) {
          int const x[5] = {i % 64, i / 64 % 3, i / 192 % 2, i / 384, 0};
          int source = 0, target = 0;
          bool is_there = true, lands = true;
          for (int axis = 0; axis < 5; ++axis) {
            int const a = x[axis] + at.at[axis], b = x[axis] + there.at[axis];
            is_there = is_there && a >= 0 && a < extent[axis], lands = lands && b >= 0 && b < extent[axis];
            source += a * step[axis], target += b * step[axis];
          }
          if (lands) expected[static_cast<std::size_t>(target)] = (is_there ? number(from[source]) : 0.0f) * (through_registers ? -1.0f : 1.0f);
        }
        auto const status = ptx::launch({"copy", dim3(1), 64, 2048, nullptr}, copy_box, map(from.data()), map(to.data()), at, there, through_registers);
        ASSERT_EQ(status, cudaSuccess);
        for (int i = 0; i < to.count; ++i) ASSERT_EQ(number(to[i]), expected[static_cast<std::size_t>(i)]) << i;
      });
}

TEST(tiles, maps_are_refused_where_the_driver_refuses_them) {
  alignas(16) static bf16 data[64];
  ptx::tile_tensor const good{data, {64, 5, 4, 3, 2}, {128, 640, 2560, 7680}, {64, 256, 1, 1, 1}};
  auto const status = [&](auto change) {
    auto t = good;
    change(t);
    CUtensorMap map;
    return ptx::make_map<bf16>(map, t);
  };
  EXPECT_EQ(status([](auto&) {}), cudaSuccess);
  EXPECT_EQ(status([](auto& t) { t.stride[2] = 2568; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.stride[0] = std::uint64_t{1} << 40; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.data = data + 1; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.extent[4] = 0; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.extent[1] = std::uint64_t{1} << 32; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.box[1] = 257; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.box[3] = 0; }), cudaErrorInvalidValue);
  EXPECT_EQ(status([](auto& t) { t.box[0] = 72; }), cudaErrorInvalidValue);
}

// ---- a ring of buffers --------------------------------------------------------------------------------------------------

constexpr int stages = 2, tile_rows = 64, tile_bytes = tile_rows * 128, consumers = 2;

// Each tile is of 128 rows: out (128, 64) = x (128, 64) times the sum over `steps` of y (64, 64), transposed. Blocks take
// tiles in turn. One thread loads, two warpgroups multiply and store what they have by tiles through x's buffer.
__global__ void ring(__grid_constant__ CUtensorMap const x_map, __grid_constant__ CUtensorMap const y_map,
                     __grid_constant__ CUtensorMap const out_map, int tiles, int steps) {
  std::uint32_t const x = ptx::dynamic_shared(), y = x + consumers * tile_bytes, barriers = y + stages * tile_bytes;
  std::uint32_t const x_full = barriers, x_empty = barriers + 8;
  auto const y_full = [&](int stage) { return barriers + 16 + 16 * static_cast<std::uint32_t>(stage); };
  auto const y_empty = [&](int stage) { return y_full(stage) + 8; };
  int const thread = ptx::thread_index(), group = ptx::warp_uniform(thread / 128), lane = thread % 32;
  if (thread == 0) {
    ptx::mbarrier_init(x_full, 1);
    ptx::mbarrier_init(x_empty, consumers);
    for (int s = 0; s < stages; ++s) {
      ptx::mbarrier_init(y_full(s), 1);
      ptx::mbarrier_init(y_empty(s), consumers * 4);
    }
    ptx::mbarrier_init_fence();
  }
  ptx::block_barrier();
  int const first = static_cast<int>(ptx::block_index().x), step = static_cast<int>(ptx::grid_size());
  if (group == 0) {
    ptx::lower_registers<40>();
    if (thread != 0) return;
    int n = 0, count = 0;
    for (int tile = first; tile < tiles; tile += step, ++count) {
      ptx::mbarrier_wait(x_empty, static_cast<unsigned>(count % 2) ^ 1);
      ptx::mbarrier_arrive_expecting(x_full, consumers * tile_bytes);
      for (int c = 0; c < consumers; ++c)
        ptx::load_tile(x + static_cast<std::uint32_t>(c * tile_bytes), x_map, x_full, {{0, tile * 128 + c * 64, 0, 0, 0}});
      for (int i = 0; i < steps; ++i, ++n) {
        int const stage = n % stages;
        ptx::mbarrier_wait(y_empty(stage), static_cast<unsigned>(n / stages % 2) ^ 1);
        ptx::mbarrier_arrive_expecting(y_full(stage), tile_bytes);
        ptx::load_tile(y + static_cast<std::uint32_t>(stage * tile_bytes), y_map, y_full(stage), {{0, i * 64, 0, 0, 0}});
      }
    }
    return;
  }
  ptx::raise_registers<232>();
  std::uint32_t const mine = x + static_cast<std::uint32_t>((group - 1) * tile_bytes);
  int const warp = thread / 32 % 4;
  int n = 0, count = 0;
  for (int tile = first; tile < tiles; tile += step, ++count) {
    ptx::mbarrier_wait(x_full, static_cast<unsigned>(count % 2));
    float d[8][4] = {};
    for (int i = 0; i < steps; ++i, ++n) {
      int const stage = n % stages;
      ptx::mbarrier_wait(y_full(stage), static_cast<unsigned>(n / stages % 2));
      ptx::products_fence();
      auto const a = ptx::product_operand(mine, tile_bytes), b = ptx::product_operand(y + static_cast<std::uint32_t>(stage * tile_bytes), tile_bytes);
      for (std::uint32_t k = 0; k < 4; ++k) ptx::product_warpgroup<bf16, false>(d, ptx::further(a, 32 * k), ptx::further(b, 32 * k), true);
      ptx::products_commit();
      ptx::products_wait<0>(d);
      if (lane == 0) ptx::mbarrier_arrive(y_empty(stage));
    }
    ptx::named_barrier(group, 128); // the products of all four warps have read the rows
    for (int j = 0; j < 8; ++j)
      for (int half = 0; half < 2; ++half) {
        int const row = 16 * warp + lane / 4 + 8 * half;
        auto const address = mine + static_cast<std::uint32_t>(row * 128 + (j ^ row % 8) * 16 + lane % 4 * 4);
        ptx::store_shared(address, ptx::pack<bf16>(d[j][2 * half], d[j][2 * half + 1]));
      }
    ptx::async_fence();
    ptx::named_barrier(group, 128);
    if (thread % 128 == 0) {
      ptx::store_tile(out_map, mine, {{0, tile * 128 + (group - 1) * 64, 0, 0, 0}});
      ptx::store_tile_commit();
      ptx::store_tile_wait();
      ptx::mbarrier_arrive(x_empty);
    }
  }
}
constexpr int rows = 600; // not the whole of the last tile

void run_ring(array<bf16> const& x, array<bf16> const& y, array<bf16> const& out, int steps) {
  auto const x_map = map_of(x.data(), rows, 64, 64), y_map = map_of(y.data(), steps * 64, 64, 64), out_map = map_of(out.data(), rows, 64, 64);
  ptx::launch_shape const shape{"ring", dim3(2), 128 * (1 + consumers), (consumers + stages) * tile_bytes + 64, nullptr};
  ASSERT_EQ(ptx::launch(shape, ring, x_map, y_map, out_map, (rows + 127) / 128, steps), cudaSuccess);
}
TEST(ring, of_two_buffers) {
  for (int steps : {1, 2, 5}) {
    array<bf16> x("x", rows * 64), y("y", steps * 64 * 64);
    for (int i = 0; i < x.count; ++i) x[i] = rounded<bf16>(i % 65 == 0 ? 1.0f : 0.0f); // one in each row
    y.fill(5);
    whatever_the_order([&] {
      array<bf16> out("out", rows * 64);
      emulator::counts = {};
      run_ring(x, y, out, steps);
      EXPECT_EQ(emulator::counts.tiles, 5 * (4 + steps));
      EXPECT_EQ(emulator::counts.warpgroup_products, 5 * 2 * 4 * steps);
      for (int i = 0; i < rows; ++i)
        for (int j = 0; j < 64; ++j) {
          float sum = 0;
          for (int s = 0; s < steps; ++s)
            for (int k = 0; k < 64; ++k) sum += number(x[i * 64 + k]) * number(y[(s * 64 + j) * 64 + k]);
          ASSERT_EQ(number(out[i * 64 + j]), number(rounded<bf16>(sum))) << i << ' ' << j;
        }
    });
  }
}

// Without any one of its waits and fences, the ring is wrong, and the emulator says so.
TEST(ring, waits_are_all_needed) {
  array<bf16> x("x", rows * 64), y("y", 5 * 64 * 64), out("out", rows * 64);
  x.fill(1), y.fill(5);
  emulator::counts = {};
  run_ring(x, y, out, 5);
  auto const waits = emulator::counts.waits;
  EXPECT_EQ(waits.size(), 11u);
  for (std::string const& wait : waits)
    whatever_the_order([&] {
      emulator::options.skip = wait;
      EXPECT_THROW(run_ring(x, y, out, 5), emulator::error) << wait;
    });
}

TEST(device, is_what_the_options_say) {
  bool has = true;
  int count = 0;
  EXPECT_EQ(ptx::has_warpgroups_for(&ring, has), cudaSuccess);
  EXPECT_FALSE(has);
  emulator::options.sm_90 = true, emulator::options.multiprocessors = 7;
  EXPECT_EQ(ptx::has_warpgroups_for(&ring, has), cudaSuccess);
  EXPECT_TRUE(has);
  EXPECT_EQ(ptx::multiprocessors_of_device(count), cudaSuccess);
  EXPECT_EQ(count, 7);
  emulator::options = {};
}

} // namespace
