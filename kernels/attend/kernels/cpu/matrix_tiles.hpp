// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of bf16 by the tile registers of Intel's AMX, where the file is compiled for them and the system lets a
// process have them. ("Intel Architecture Instruction Set Extensions Programming Reference", chapter 3.)
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <attend/kernels/cpu/lines_ahead.hpp>
#include <atomic>
#include <cstdint>

#ifdef ATTEND_DETAIL_MATRIX_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Rows of bf16, side by side in a row; products sum along them.
struct bf16_rows {
  bf16 const* data;
  long row;
};

/// A tile has so many rows of 64 bytes: 16 floats, or 32 bf16.
inline constexpr long tile_rows = 16, tile_depth = 32;

#ifdef ATTEND_DETAIL_MATRIX_TILES

/// Whether this process may use tiles; asks the system once.
inline bool has_matrix_tiles() {
  constexpr long ask_for_permission = 0x1023, tile_data = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static bool const granted = syscall(SYS_arch_prctl, ask_for_permission, tile_data) == 0;
  return granted;
}

/// What ldtilecfg reads: eight tiles of 16 rows of 64 bytes. A constant, as compilers do not know that all of it is read, and
/// would leave out what fills a variable.
struct alignas(64) tile_shapes {
  std::uint8_t palette = 1, rest[15] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
inline constexpr tile_shapes whole_tiles;
static_assert(sizeof whole_tiles == 64);

/// While it lives, this thread's eight tile registers are whole tiles.
class tile_session {
public:
  tile_session() {
    if (!has_matrix_tiles()) return;
    _tile_loadconfig(&whole_tiles);
  }
  ~tile_session() {
    if (has_matrix_tiles()) _tile_release(); // a thread without tiles in use is cheaper to switch
  }
  tile_session(tile_session const&) = delete;
  tile_session& operator=(tile_session const&) = delete;
};

/// Two tiles of columns, and one or two of rows, of tile_products.
template <bool Two>
[[gnu::always_inline]] inline void tile_group(std::uint32_t const* panel, long depth, bf16_rows x, float* out, bool add) {
  constexpr long to_line = panel_rows * 4, below = tile_rows * panel_rows;
  long const row = x.row * 2;
  if (add) {
    _tile_loadd(0, out, to_line);
    _tile_loadd(1, out + tile_rows, to_line);
    if constexpr (Two) {
      _tile_loadd(2, out + below, to_line);
      _tile_loadd(3, out + below + tile_rows, to_line);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (Two) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }
  for (long d = 0; d < depth; d += tile_depth, panel += tile_depth / 2 * panel_rows) {
    _tile_loadd(6, panel, to_line);
    _tile_loadd(4, x.data + d, row);
    _tile_loadd(7, panel + tile_rows, to_line);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (Two) {
      _tile_loadd(5, x.data + tile_rows * x.row + d, row);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, out, to_line);
  _tile_stored(1, out + tile_rows, to_line);
  if constexpr (Two) {
    _tile_stored(2, out + below, to_line);
    _tile_stored(3, out + below + tile_rows, to_line);
  }
}

/// out (rows, panel_rows) = x (rows, depth) times panel (depth / 2, panel_rows), whose words are pairs along depth; if `add`,
/// it comes to what is there. Rows are a multiple of 16, depth one of 32. done(row, rows) is called behind every one or two
/// tiles of rows.
template <class Done>
[[gnu::always_inline]] inline void tile_products(std::uint32_t const* panel, long depth, bf16_rows x, long rows, float* out, bool add, Done const& done) {
  static_assert(panel_rows % (2 * tile_rows) == 0);
  // The compiler does not know that tile instructions read and write memory.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  for (long i = 0; i < rows; i += 2 * tile_rows) {
    bool const two = rows - i > tile_rows;
    bf16_rows const here{x.data + i * x.row, x.row};
    for (long c = 0; c < panel_rows; c += 2 * tile_rows)
      if (two) tile_group<true>(panel + c, depth, here, out + i * panel_rows + c, add);
      else tile_group<false>(panel + c, depth, here, out + i * panel_rows + c, add);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    done(i, two ? 2 * tile_rows : tile_rows);
  }
}

#else

constexpr bool has_matrix_tiles() { return false; }
struct tile_session {};

#endif

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
