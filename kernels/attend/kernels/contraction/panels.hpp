// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The matrix product of many rows of f32 by the vectors that the file is compiled for. y goes into panels, a few vectors of
// columns side by side for every step of the depth; a tile of sums, six rows of a panel's width, stays in registers while
// the whole depth runs, x being read where it lies, single numbers spread over the lanes. (Goto and van de Geijn, "Anatomy
// of high-performance matrix multiplication", 2008; panels here are as deep as the product, and come from the second-level
// cache as fast as they are used.) On Zen 4, where multiply-adds of AVX-512 pass 117 GFLOP/s a core, tiles alone reach 117,
// oneDNN's product of a layer's size 111; among the other steps of a layer, with operands that other caches hold, 114 and
// 104. In bf16 both are at the peak.
#pragma once
#include <algorithm>
#include <attend/kernels/contraction/onednn.hpp>
#include <attend/kernels/contraction/product_shape.hpp>
#include <attend/kernels/cpu/simd.hpp>
#include <cstring>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// A product by panels.
class panel_product {
  static constexpr int lanes = cpu::lanes, vectors = lanes > 8 ? 4 : 2, tile_rows = 6, panel_columns = vectors * lanes;
  // Fewer rows are not worth packing y for.
  static constexpr std::int64_t least_rows = 48, least_columns = 16, least_depth = 16, most_depth = std::int64_t(1) << 14;
  // Panels that all rows' pieces share are kept up to so many numbers.
  static constexpr std::int64_t most_kept = std::int64_t(1) << 20;

  product_shape s_;

  static bool has(dnnl_cpu_isa_t all) { return (dnnl_get_effective_cpu_isa() & all) == all; }
  // oneDNN's code is made for the processor, ours for what the file was compiled for.
  static bool best_of_processor() { return lanes == 16 || (lanes == 8 && !has(dnnl_cpu_isa_avx512_core)); }
  std::int64_t panels() const { return (s_.columns + panel_columns - 1) / panel_columns; }
  std::int64_t numbers_of_panel() const { return s_.depth * panel_columns; }
  bool keeps_panels() const { return (s_.groups == 1 || s_.y.group_stride == 0) && panels() * numbers_of_panel() <= most_kept; }

  // A panel of V vectors, zeros where the columns end.
  template <int V>
  [[gnu::noinline]] static void pack(product_shape const& s, float const* y, std::int64_t columns, float* panel) {
    constexpr int width = V * lanes;
    std::int64_t const down = s.y.row_stride, across = s.y.column_stride;
    for (int v = 0; v < V; ++v, y += lanes * across, panel += lanes) {
      auto const count = std::min<std::int64_t>(lanes, columns - v * lanes);
      std::int64_t k = 0;
      if (count == lanes && down == 1)
        for (; k + lanes <= s.depth; k += lanes) {
          for (int i = 0; i < lanes; ++i) cpu::prefetch(y + i * across + k + 4 * lanes);
          cpu::vec square[lanes];
          cpu::load_transposed(y + k, across, square);
          for (int i = 0; i < lanes; ++i) cpu::store(panel + (k + i) * width, square[i]);
        }
      else if (count == lanes)
        for (; k < s.depth; ++k) cpu::store(panel + k * width, cpu::load(y + k * down));
      for (; k < s.depth; ++k)
        for (std::int64_t j = 0; j < lanes; ++j) panel[k * width + j] = j < count ? y[k * down + j * across] : 0.f;
    }
  }

  // What becomes of the sums of a panel.
  struct target {
    float* out;
    std::int64_t row;
    float scale;
    float const* bias; // or null, as is
    float const* plus; // what is added, row by row
    std::int64_t plus_row;
    std::int64_t columns;
  };
  // All rows of x times a panel of V vectors.
  template <int V>
  [[gnu::noinline]] static void multiply(product_shape const& s, float const* x, float const* panel, target const& to) {
    constexpr int rows = tile_rows;
    int const last = static_cast<int>(to.columns - (V - 1) * lanes); // numbers of the last vector
    auto const read = [&](float const* p, int v) { return v < V - 1 || last == lanes ? cpu::load(p + v * lanes) : cpu::load(p + v * lanes, last); };
    for (std::int64_t i = 0; i < s.rows; i += rows) {
      int const count = static_cast<int>(std::min<std::int64_t>(rows, s.rows - i));
      float const* row[rows];
      cpu::vec sum[rows][V];
#pragma GCC unroll 6
      for (int r = 0; r < rows; ++r) {
        row[r] = x + (i + (r < count ? r : count - 1)) * s.x.row_stride; // rows past the end repeat the last, and are not kept
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[r][v] = cpu::vec(0.f);
      }
      auto const step = [&](std::int64_t k) __attribute__((always_inline)) {
        cpu::vec y[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) y[v] = cpu::load(panel + k * V * lanes + v * lanes);
#pragma GCC unroll 6
        for (int r = 0; r < rows; ++r) {
          cpu::vec const one(row[r][k]);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) sum[r][v] = cpu::fma(y[v], one, sum[r][v]);
        }
      };
      // Beside the steps that use up a line of each row of x, those of the next tile are asked for, and one of this one's result.
      constexpr int line = 16, lines_of_row = (V * lanes + line - 1) / line;
      std::int64_t k = 0;
      for (; k + line <= s.depth; k += line) {
#pragma GCC unroll 6
        for (int r = 0; r < rows; ++r) cpu::prefetch(row[r] + rows * s.x.row_stride + k);
        if (auto const n = k / line; n < rows * lines_of_row) __builtin_prefetch(to.out + (i + n / lines_of_row) * to.row + n % lines_of_row * line, 1, 3);
#pragma GCC unroll 4
        for (int j = 0; j < line; ++j) step(k + j);
      }
      for (; k < s.depth; ++k) step(k);
#pragma GCC unroll 6
      for (int r = 0; r < rows; ++r) {
        if (r == count) break;
        float* const out = to.out + (i + r) * to.row;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          cpu::vec z = sum[r][v] * to.scale;
          if (to.bias) z = z + read(to.bias, v);
          if (to.plus) z = z + read(to.plus + (i + r) * to.plus_row, v);
          if (v < V - 1 || last == lanes) cpu::store(out + v * lanes, z);
          else cpu::store(out + v * lanes, z, last);
        }
      }
    }
  }

  // f of as many vectors as so many columns take, as a constant.
  template <class F>
  static void with_vectors(std::int64_t columns, F const& f) {
    auto const needed = (columns + lanes - 1) / lanes;
    if constexpr (vectors == 4) {
      if (needed == 3) return f(std::integral_constant<int, 3>{});
      if (needed == 2) return f(std::integral_constant<int, 2>{});
    }
    if (needed == 1) return f(std::integral_constant<int, 1>{});
    f(std::integral_constant<int, vectors>{});
  }

public:
  explicit panel_product(product_shape const& s) : s_(s) {}

  // Whether it can compute a shape, and is expected to do it sooner than oneDNN.
  [[gnu::cold]] static bool takes(product_shape const& s) {
    constexpr auto f32 = data_type::f32;
    if (s.x.type != f32 || s.y.type != f32 || s.out.type != f32 || s.function != activation::none || !best_of_processor()) return false;
    if (s.rows < least_rows || s.columns < least_columns || s.depth < least_depth || s.depth > most_depth) return false;
    if (s.x.column_stride != 1 || s.out.column_stride != 1 || (s.y.row_stride != 1 && s.y.column_stride != 1)) return false;
    if (s.bias && *s.bias != f32) return false;
    return !s.residual || (!s.accumulate && s.residual->type == f32 && s.residual->column_stride == 1);
  }
  std::size_t scratch_bytes() const { return static_cast<std::size_t>((keeps_panels() ? panels() : 1) * numbers_of_panel()) * sizeof(float); }

  // `again`: y is what it was when this memory was last given to a product of these columns and depth.
  void operator()(float const* x, float const* y, float* out, float const* bias, float const* residual, float* memory, bool again) const {
    bool const kept = keeps_panels();
    std::int64_t const plus_row = s_.accumulate ? s_.out.row_stride : residual ? s_.residual->row_stride : 0;
    for (std::int64_t p = 0; p < panels(); ++p) {
      std::int64_t const first = p * panel_columns, columns = std::min<std::int64_t>(panel_columns, s_.columns - first);
      float* const panel = memory + (kept ? p * numbers_of_panel() : 0);
      with_vectors(columns, [&]<int V>(std::integral_constant<int, V>) {
        for (std::int64_t g = 0; g < s_.groups; ++g) {
          if (!(kept && again) && (g == 0 || s_.y.group_stride != 0)) pack<V>(s_, y + g * s_.y.group_stride + first * s_.y.column_stride, columns, panel);
          float* const to = out + g * s_.out.group_stride + first;
          float const* const plus = s_.accumulate ? to : residual ? residual + g * s_.residual->group_stride + first : nullptr;
          multiply<V>(s_, x + g * s_.x.group_stride, panel, {to, s_.out.row_stride, s_.scale, bias ? bias + first : nullptr, plus, plus_row, columns});
        }
      });
    }
  }
};

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
