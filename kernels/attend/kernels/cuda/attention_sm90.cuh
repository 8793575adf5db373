// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fused attention of sm_90a: FlashAttention-3 (Shah et al., 2024). One warp has tiles of keys and values copied ahead;
// warpgroups of 64 query rows each multiply them, and take the softmax of one tile while the tensor cores multiply the
// weights of the tile before and the scores of another warpgroup.
#pragma once
#include <attend/kernels/cuda/attention_call.cuh>
#include <attend/kernels/cuda/attention_maps.cuh>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

// ---- what a block is given ----------------------------------------------------------------------------------------------

/// An attention_call whose operands and output have maps, and how its rows are dealt out.
template <class Call>
struct warpgroups_call : Call {
  matrix_map<Call::axes> query{}, key{}, value{}, out{};
  row_packing packing{};
  int items = 0;   ///< tiles of rows of all positions of the batch
  int section = 1; ///< positions whose items follow one another

  struct item {
    int first_row; ///< packed
    long batch[Call::axes];
  };
  /// Within a section the last rows come first: under a causal mask they keep the most.
  template <int Rows>
  __device__ item item_at(int i) const {
    unsigned const row_tiles = static_cast<unsigned>(this->row_tiles), of_section = static_cast<unsigned>(section) * row_tiles;
    unsigned const before = static_cast<unsigned>(i) / of_section * static_cast<unsigned>(section), rest = static_cast<unsigned>(i) % of_section;
    unsigned const left = static_cast<unsigned>(items) / row_tiles - before;
    unsigned const positions = left < static_cast<unsigned>(section) ? left : static_cast<unsigned>(section);
    item found{static_cast<int>(row_tiles - 1 - rest / positions) * Rows, {}};
    this->batch_at(before + rest % positions, found.batch);
    return found;
  }
};

/// The rows and keys that a thread holds: as thread_share, of packed rows.
template <int B>
struct packed_share {
  position rows_of[2], first_key;
  int rows, keys;
  long batches[2][B > 0 ? B : 1];

  __device__ packed_share(row_packing packing, long const* batch, int first_row, int rows, int keys) : first_key{}, rows(rows), keys(keys) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int const packed = first_row + 8 * half;
      rows_of[half] = position::of(packed / packing.count);
#pragma unroll
      for (int axis = 0; axis < B; ++axis) batches[half][axis] = axis == packing.axis ? packed % packing.count : batch[axis];
    }
  }
  __device__ position row(int, int half) const { return rows_of[half]; }
  __device__ position key(int j, int e) const { return first_key.further(8 * j + e); }
  __device__ long const* batch_of(int, int half) const { return batches[half]; }
};

// ---- shared memory --------------------------------------------------------------------------------------------------------

/// Which buffer of several is next, and the parity of the phase in which it is filled.
template <int Stages>
struct ring {
  static_assert((Stages & (Stages - 1)) == 0);
  unsigned filled = 0; ///< buffers so far
  __device__ int stage() const { return static_cast<int>(filled % Stages); }
  __device__ unsigned parity() const { return filled / Stages & 1; }
  __device__ void advance() { ++filled; }
};

/// A tile of keys, as the warp that has it copied tells those that multiply it.
struct kept_keys {
  int first, masked; ///< first: none where no keys are left
  static constexpr int none = -1;
};

/// A block's shared memory: tiles in panels of 64 columns, and barriers. Results leave through the query's place.
template <class Tiles>
struct block_memory {
  static constexpr int row_bytes = 128;
  static constexpr int depth_panels = (Tiles::depth + panel_columns - 1) / panel_columns, width_panels = (Tiles::width + panel_columns - 1) / panel_columns;
  static constexpr int query_panel = Tiles::rows * row_bytes, key_panel = Tiles::keys * row_bytes;
  static constexpr int query_bytes = depth_panels * query_panel, key_bytes = depth_panels * key_panel, value_bytes = width_panels * key_panel;
  static constexpr int bytes = query_bytes + Tiles::stages * (key_bytes + value_bytes) + 8 * (2 + 5 * Tiles::stages);
  static_assert(Tiles::width <= Tiles::depth);

  std::uint32_t base;
  __device__ std::uint32_t query() const { return base; }
  __device__ std::uint32_t key(int stage) const { return base + query_bytes + stage * key_bytes; }
  __device__ std::uint32_t value(int stage) const { return key(Tiles::stages) + stage * value_bytes; }
  __device__ std::uint32_t query_full() const { return value(Tiles::stages); }
  __device__ std::uint32_t query_empty() const { return query_full() + 8; }
  __device__ std::uint32_t key_full(int stage) const { return query_full() + 8 * (2 + stage); }
  __device__ std::uint32_t key_empty(int stage) const { return key_full(Tiles::stages + stage); }
  __device__ std::uint32_t value_full(int stage) const { return key_full(2 * Tiles::stages + stage); }
  __device__ std::uint32_t value_empty(int stage) const { return key_full(3 * Tiles::stages + stage); }
  __device__ std::uint32_t kept(int stage) const { return key_full(4 * Tiles::stages + stage); }

  __device__ void begin() const {
    constexpr unsigned consumer_warps = 4 * Tiles::consumers;
    ptx::mbarrier_init(query_full(), 1);
    ptx::mbarrier_init(query_empty(), Tiles::consumers);
#pragma unroll 1
    for (int s = 0; s < Tiles::stages; ++s) {
      ptx::mbarrier_init(key_full(s), 1);
      ptx::mbarrier_init(key_empty(s), consumer_warps);
      ptx::mbarrier_init(value_full(s), 1);
      ptx::mbarrier_init(value_empty(s), consumer_warps);
    }
    ptx::mbarrier_init_fence();
  }
};

// ---- the warp that has tiles copied ------------------------------------------------------------------------------------

/// All its lanes look for kept tiles, the first begins the copies.
template <class Tiles, class Call>
__device__ void produce(Call const& call, block_memory<Tiles> shared) {
  using memory = block_memory<Tiles>;
  bool const first_lane = ptx::thread_index() % ptx::warp_size == 0;
  int const rows = static_cast<int>(call.problem.rows), keys = static_cast<int>(call.problem.keys);
  packed_axis const packed{call.packing.axis, call.packing.count - 1};
  ring<Tiles::stages> keys_at, values_at;
  unsigned query_phase = 0;
  auto const load = [](CUtensorMap const& map, std::uint32_t to, int panel_bytes, int panels, std::uint32_t full, int row, ptx::tile_position from) {
    from.at[2] = row;
#pragma unroll 1
    for (; from.at[0] < panels * panel_columns; from.at[0] += panel_columns, to += panel_bytes) ptx::load_tile(to, map, full, from);
  };

  for (int i = static_cast<int>(ptx::block_index().x); i < call.items; i += static_cast<int>(ptx::grid_size())) {
    auto const item = call.template item_at<Tiles::rows>(i);
    int const first_row = item.first_row / call.packing.count, last_row = (item.first_row + Tiles::rows - 1) / call.packing.count;
    kept_tiles<Tiles::keys, decltype(call.score), Call::B> tiles(call.score, item.batch, first_row, last_row < rows ? last_row : rows - 1, keys, packed);
    typename decltype(tiles)::kept tile, next;
    bool more = tiles.next(tile);
    ptx::tile_position const query = call.query.at(item.batch), key = call.key.at(item.batch), value = call.value.at(item.batch);
    auto const post = [&](bool there, typename decltype(tiles)::kept const& x) {
      if (first_lane) {
        ptx::mbarrier_wait(shared.key_empty(keys_at.stage()), keys_at.parity() ^ 1);
        ptx::store_shared(shared.kept(keys_at.stage()), kept_keys{there ? x.first_key : kept_keys::none, there && x.masked});
        std::uint32_t const full = shared.key_full(keys_at.stage());
        if (there) {
          ptx::mbarrier_arrive_expecting(full, memory::key_bytes);
          load(call.key.map, shared.key(keys_at.stage()), memory::key_panel, memory::depth_panels, full, x.first_key, key);
        } else ptx::mbarrier_arrive(full);
      }
      keys_at.advance();
    };

    if (first_lane) {
      ptx::mbarrier_wait(shared.query_empty(), query_phase ^ 1);
      ptx::mbarrier_arrive_expecting(shared.query_full(), memory::query_bytes);
      load(call.query.map, shared.query(), memory::query_panel, memory::depth_panels, shared.query_full(), first_row, query);
    }
    query_phase ^= 1;
    post(more, tile);
    while (more) {
      more = tiles.next(next);
      post(more, next);
      if (first_lane) {
        std::uint32_t const full = shared.value_full(values_at.stage());
        ptx::mbarrier_wait(shared.value_empty(values_at.stage()), values_at.parity() ^ 1);
        ptx::mbarrier_arrive_expecting(full, memory::value_bytes);
        load(call.value.map, shared.value(values_at.stage()), memory::key_panel, memory::width_panels, full, tile.first_key, value);
      }
      values_at.advance();
      tile = next;
    }
  }
}

// ---- a warpgroup that multiplies ---------------------------------------------------------------------------------------

/// scores (64, Keys) = query (64, depth) key^T, begun.
template <class Tiles, class T>
__device__ void begin_scores(float (&scores)[Tiles::keys / 8][4], std::uint32_t query, std::uint32_t key) {
  using memory = block_memory<Tiles>;
  auto const q = ptx::product_operand(ptx::anew(query), 16), k = ptx::product_operand(key, 16);
  ptx::products_fence();
#pragma unroll
  for (int step = 0; step < Tiles::depth / 16; ++step)
    ptx::product_warpgroup<T, false>(scores, ptx::further(q, step / 4 * memory::query_panel + step % 4 * 32),
                                     ptx::further(k, step / 4 * memory::key_panel + step % 4 * 32), step > 0);
  ptx::products_commit();
}
/// output (64, width) += weights (64, Keys) value, begun.
template <class Tiles, class T>
__device__ void begin_output(float (&output)[Tiles::width / 8][4], std::uint32_t const (&weights)[Tiles::keys / 16][4], std::uint32_t value) {
  auto const v = ptx::product_operand(value, block_memory<Tiles>::key_panel);
  ptx::products_fence();
#pragma unroll
  for (int step = 0; step < Tiles::keys / 16; ++step)
    ptx::product_warpgroup<T, true>(output, weights[step], ptx::further(v, step * 16 * block_memory<Tiles>::row_bytes), true);
  ptx::products_commit();
}

/// Two neighbouring blocks of weights are an operand as they stand.
template <class T, int Blocks>
__device__ void round_weights(float const (&weights)[Blocks][4], std::uint32_t (&rounded)[Blocks / 2][4]) {
#pragma unroll
  for (int j = 0; j < Blocks; ++j)
#pragma unroll
    for (int half = 0; half < 2; ++half) rounded[j / 2][2 * (j % 2) + half] = ptx::pack<T>(weights[j][2 * half], weights[j][2 * half + 1]);
}

template <class Tiles, class Call>
__device__ void consume(Call const& call, block_memory<Tiles> shared, int consumer) {
  using T = typename Call::T;
  using memory = block_memory<Tiles>;
  constexpr int key_blocks = Tiles::keys / 8, column_blocks = Tiles::width / 8, both = 2 * ptx::warpgroup_size;
  auto const& p = call.problem;
  // Computed again where they are used, rather than kept in registers: this thread's first row of the block's and column.
  auto const thread = [] { return ptx::thread_index() % ptx::warpgroup_size; };
  auto const row = [&] { return 64 * consumer + thread() / ptx::warp_size * 16 + thread() % ptx::warp_size / 4; };
  auto const first_column = [&] { return 2 * (thread() % 4); };
  std::uint32_t const query = shared.query() + 64 * consumer * memory::row_bytes;
  auto const release = [&](std::uint32_t empty) {
    if (thread() % ptx::warp_size == 0) ptx::mbarrier_arrive(empty);
  };
  // Warpgroups take turns: one's products run under the others' exponentials.
  int const turn = 1 + consumer, next_turn = 1 + (consumer + 1) % Tiles::consumers, alone = 1 + Tiles::consumers + consumer;
  if (consumer == Tiles::consumers - 1) ptx::named_barrier_arrive(next_turn, both);

  ring<Tiles::stages> keys_at, values_at;
  unsigned query_phase = 0;
  auto const next_keys = [&] {
    ptx::mbarrier_wait(shared.key_full(keys_at.stage()), keys_at.parity());
    kept_keys found{}; // read by the lane that gives the buffer back: nothing orders the others' reads before that
    if (thread() % ptx::warp_size == 0) found = ptx::load_shared<kept_keys>(shared.kept(keys_at.stage()));
    return kept_keys{ptx::of_first_lane(found.first), ptx::of_first_lane(found.masked)};
  };
  auto const release_keys = [&] {
    release(shared.key_empty(keys_at.stage()));
    keys_at.advance();
  };
  auto const release_values = [&] {
    release(shared.value_empty(values_at.stage()));
    values_at.advance();
  };

  // What does not depend on the loop over keys is computed again, too.
  auto const finish = [&](int i, float(&output)[1][column_blocks][4], softmax_state<1>& state) {
    auto const item = call.template item_at<Tiles::rows>(i);
    packed_share<Call::B> mine(call.packing, item.batch, item.first_row + row(), static_cast<int>(p.rows), static_cast<int>(p.keys));
    mine.first_key = position::of(first_column());
#pragma unroll
    for (int half = 0; half < 2; ++half) state.sum[0][half] = sum_of_row(state.sum[0][half]);
    if constexpr (Call::weighs_zero || Call::weighs_nan) weigh_alike(call, mine, state, output);

    // Out through the place of the warpgroup's own query rows, in the same exchanged chunks.
    ptx::named_barrier(alone, ptx::warpgroup_size);
    int const swizzle = row() & 7;
    std::uint32_t const to = shared.query() + row() * memory::row_bytes + 2 * first_column();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float const factor = mine.row(0, half).at < mine.rows ? finish_row(call, mine, state, 0, half) : 0;
#pragma unroll
      for (int j = 0; j < column_blocks; ++j)
        ptx::store_shared(to + j / 8 * memory::query_panel + half * 8 * memory::row_bytes + ((j % 8 ^ swizzle) << 4),
                          ptx::pack<typename Call::Out>(output[0][j][2 * half] * factor, output[0][j][2 * half + 1] * factor));
    }
    ptx::async_fence();
    ptx::named_barrier(alone, ptx::warpgroup_size);
    if (thread() == 0) {
      auto place = call.out.at(item.batch);
      place.at[2] = (item.first_row + 64 * consumer) / call.packing.count;
#pragma unroll 1
      for (int panel = 0; panel < memory::width_panels; ++panel, place.at[0] += panel_columns)
        ptx::store_tile(call.out.map, query + panel * memory::query_panel, place);
      ptx::store_tile_commit();
      ptx::store_tile_wait();
      ptx::mbarrier_arrive(shared.query_empty());
    }
  };

  for (int i = static_cast<int>(ptx::block_index().x); i < call.items; i += static_cast<int>(ptx::grid_size())) {
    auto const item = call.template item_at<Tiles::rows>(i);
    packed_share<Call::B> mine(call.packing, item.batch, item.first_row + row(), static_cast<int>(p.rows), static_cast<int>(p.keys));
    float output[1][column_blocks][4] = {}; // (64, width) of the warpgroup
    float scores[1][key_blocks][4];         // (64, keys)
    std::uint32_t weights[key_blocks / 2][4];
    softmax_state<1> state;
    auto const weigh = [&](kept_keys const& block, bool masked) {
      mine.first_key = position::of(block.first + first_column());
      apply_score(call.score, masked, call.before, mine, scores);
      rescaling<1> const to(call.factor, scores, state);
      exponentials(call.factor, to, scores, state);
      apply_weighing(call.weighing, mine, scores);
      return to;
    };

    ptx::mbarrier_wait(shared.query_full(), query_phase);
    query_phase ^= 1;
    kept_keys block = next_keys();
    if (block.first != kept_keys::none) {
      begin_scores<Tiles, T>(scores[0], query, shared.key(keys_at.stage()));
      ptx::products_wait<0>(scores[0]);
      release_keys();
      static_cast<void>(weigh(block, block.masked != 0));
      round_weights<T>(scores[0], weights);

      auto const step = [&](auto masked) {
        ptx::named_barrier(turn, both);
        begin_scores<Tiles, T>(scores[0], query, shared.key(keys_at.stage()));
        ptx::mbarrier_wait(shared.value_full(values_at.stage()), values_at.parity());
        begin_output<Tiles, T>(output[0], weights, shared.value(values_at.stage()));
        ptx::named_barrier_arrive(next_turn, both);
        ptx::products_wait<1>(scores[0]);
        release_keys();
        auto const to = weigh(block, masked);
        ptx::settle(state.sum[0][0] + state.sum[0][1]);
        ptx::products_wait<0>(output[0]);
        release_values();
        round_weights<T>(scores[0], weights); // not earlier: products still read them
        rescale(to, output);
      };
      for (block = next_keys(); block.first != kept_keys::none; block = next_keys())
        if (block.masked != 0) step(std::true_type{});
        else step(std::false_type{});

      ptx::mbarrier_wait(shared.value_full(values_at.stage()), values_at.parity());
      begin_output<Tiles, T>(output[0], weights, shared.value(values_at.stage()));
      ptx::products_wait<0>(output[0]);
      release_values();
    }
    release_keys(); // the end
    finish(ptx::anew(i), output, state);
  }
  if (consumer == 0) ptx::named_barrier(turn, both); // the turn that nobody takes
}

// ---- kernel -----------------------------------------------------------------------------------------------------------

/// Tiles of rows, one after another: first warpgroup 0's first warp, which copies, then those that multiply.
template <class Tiles, class Call>
__global__ void __launch_bounds__(Tiles::threads, 1) attention_sm90_kernel(__grid_constant__ Call const call) {
  if constexpr (ptx::has_warpgroups) {
    block_memory<Tiles> const shared{ptx::dynamic_shared()};
    if (ptx::thread_index() == 0) {
      for (auto const* matrix : {&call.query, &call.key, &call.value, &call.out}) ptx::prefetch_map(matrix->map);
      shared.begin();
    }
    ptx::block_barrier();
    int const warpgroup = ptx::warp_uniform(ptx::thread_index() / ptx::warpgroup_size);
    if (warpgroup == 0) {
      ptx::lower_registers<Tiles::producer_registers>();
      if (ptx::warp_uniform(ptx::thread_index() / ptx::warp_size) == 0) produce<Tiles>(call, shared);
    } else {
      ptx::raise_registers<Tiles::consumer_registers>();
      consume<Tiles>(call, shared, warpgroup - 1);
    }
  }
}

// ---- launch -----------------------------------------------------------------------------------------------------------

/// How a call's rows fill tiles of so many best: packed along an axis whose positions share keys and values, where that
/// leaves fewer tiles and the query and the result can be copied so.
template <class Call>
row_packing packing_of(Call const& call, int tile_rows) {
  auto const& p = call.problem;
  for (int axis = Call::B - 1; axis >= 0; --axis) {
    long const n = p.batch[axis];
    bool const in_a_warpgroup = n > 1 && n <= 64 && (n & (n - 1)) == 0;
    auto const tiles_of = [&](long rows) { return (rows + tile_rows - 1) / tile_rows; };
    if (!in_a_warpgroup || p.key.batch[axis] != 0 || p.value.batch[axis] != 0 || tiles_of(p.rows * n) >= n * tiles_of(p.rows)) continue;
    row_packing const packing{axis, static_cast<int>(n)};
    if (layout_of(p.query, p.batch, p.rows, p.depth, packing).copied && layout_of(p.out, p.batch, p.rows, p.width, packing).copied) return packing;
  }
  return {};
}

/// Keys and values of a section's positions stay in the second cache while all its rows are computed.
inline constexpr long section_bytes = 32 << 20;

/// Launches the kernel of one head dim, which depth and width do not exceed, of a problem that is not left to sm_80, unless
/// the device is not for it: then `taken` is false.
template <class Tiles, class Call>
cudaError_t launch_attention_sm90(cudaStream_t stream, Call const& of_any, long batches, bool& taken) {
  using call_type = warpgroups_call<Call>;
  static_assert(block_memory<Tiles>::bytes <= sm_90::shared_bytes);
  constexpr bool uniform = !has_mask<decltype(of_any.score)>; // all items cost the same
  auto const kernel = attention_sm90_kernel<Tiles, call_type>;
  if (cudaError_t const status = ptx::has_warpgroups_for(kernel, taken); status != cudaSuccess || !taken) return status;
  call_type call{of_any};
  auto& p = call.problem;
  call.packing = packing_of(call, Tiles::rows);
  cudaError_t status = map_of(call.query, p.query, p.batch, p.rows, p.depth, Tiles::rows, call.packing);
  if (status == cudaSuccess) status = map_of(call.key, p.key, p.batch, p.keys, p.depth, Tiles::keys);
  if (status == cudaSuccess) status = map_of(call.value, p.value, p.batch, p.keys, p.width, Tiles::keys);
  if (status == cudaSuccess) status = map_of(call.out, p.out, p.batch, p.rows, p.width, 64, call.packing);
  int multiprocessors = 0;
  if (status == cudaSuccess) status = ptx::multiprocessors_of_device(multiprocessors);
  if (status != cudaSuccess) return status;

  if (call.packing.axis >= 0) {
    p.batch[call.packing.axis] = 1;
    batches /= call.packing.count;
  }
  long const row_tiles = (p.rows * call.packing.count + Tiles::rows - 1) / Tiles::rows, items = row_tiles * batches;
  if (items > std::numeric_limits<int>::max()) return cudaErrorInvalidValue;
  call.row_tiles = static_cast<int>(row_tiles);
  call.items = static_cast<int>(items);
  long sharing = 1; // positions that have the same keys and values follow one another
  for (int axis = Call::B - 1; axis >= 0 && p.key.batch[axis] == 0 && p.value.batch[axis] == 0; --axis) sharing *= p.batch[axis];
  long const fit = section_bytes / (p.keys * (p.depth + p.width) * 2) * sharing;
  call.section = uniform ? 1 : static_cast<int>(fit < 1 ? 1 : fit < batches ? fit : batches);
  // Where items differ each has a block: those beyond what runs at once wait for one to end, and as the longest come
  // first, short ones even them out.
  long const blocks = uniform && items > multiprocessors ? multiprocessors : items;
  return ptx::launch({"attention", dim3(static_cast<unsigned>(blocks)), Tiles::threads, block_memory<Tiles>::bytes, stream}, kernel, call);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
