// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the fused attention multiplies: floats on every machine, pairs of bf16 where there are instructions for them.
#pragma once
#include <attend/kernels/cpu/attention_bf16.hpp>
#include <attend/kernels/cpu/attention_score.hpp>
#include <attend/kernels/cpu/attention_tiles.hpp>
#include <cmath>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Whether one block holds all of so many keys.
template <class Arithmetic>
constexpr bool in_one_block(long keys) {
  return keys <= Arithmetic::key_block;
}

/// Elements become floats, if they are not; the scale is in the queries.
class in_floats {
public:
  static constexpr long key_step = tuning.group; // a block of keys is divided by multiples of it
  static constexpr long key_block = tuning.key_block;
  static constexpr int panels_of_16_bits = tuning.panels_16;
  static constexpr bool rounds_weights = false;
  static constexpr bool leaves_factor = false; // that scores have to be multiplied by
  static constexpr int slack = 0; // of the online softmax's maximum
  struct session {};

  explicit in_floats(double scale) : scale_(static_cast<float>(scale)) {}

  static scratch_sizes sizes(long depth, long width) {
    return {depth * panel_rows, width * panel_rows, key_block * panel_rows, key_block * depth, key_block * width};
  }
  template <class T>
  void load_queries(matrix_slice<T const> const& query, long first, long count, long depth, float* panel) const {
    load_panel(query, first, count, depth, scale_, panel);
  }
  template <class T>
  static tile_view load_keys(matrix_slice<T const> const& key, long first, long rows, long depth, float* buffer) {
    return load_tile(key, first, rows, depth, buffer);
  }
  template <class T>
  static tile_view load_values(matrix_slice<T const> const& value, long first, long rows, long width, float* buffer) {
    return load_tile(value, first, rows, width, buffer);
  }
  static tile_view keys_from(tile_view key, long i) { return key.from(i); }
  static tile_view values_from(tile_view value, long i) { return value.from(i); }
  static void score_products(float const* query, long depth, tile_view key, long keys, vector_range vectors, float* scores, vec (&largest)[tuning.vectors], lines_ahead& ahead) {
    detail::score_products(query, depth, key, keys, vectors, scores, largest, ahead);
  }
  static void output_products(attention_scratch const& s, kept_keys const& keys, tile_view value, long width, vec const (&rescale)[tuning.vectors], panel_state const& panel, lines_ahead& ahead) {
    detail::output_products(s.scores, keys, value, width, rescale, panel.output, panel.fresh, ahead);
  }

private:
  float scale_;
};

#ifdef ATTEND_DETAIL_BF16_PAIRS
/// Elements stay bf16 and weights become so; the scale comes behind the products.
class in_bf16 {
public:
  static constexpr long key_step = tuning_bf16.key_step, key_block = tuning_bf16.key_block;
  static constexpr int panels_of_16_bits = tuning_bf16.panels;
  static constexpr bool rounds_weights = true;
  static constexpr bool leaves_factor = true;
#ifdef ATTEND_DETAIL_MATRIX_TILES
  static constexpr int slack = 5; // rescaling is a pass of its own; else the largest weight is 1, which needs no rounding
#else
  static constexpr int slack = 0;
#endif
  using session = tile_session;

  explicit in_bf16(double scale) {
    auto const x = static_cast<float>(scale), size = std::abs(x);
    bool const usual = size > 0 && size < __builtin_inff(); // else -inf times it would not be -inf
    sign_ = usual ? std::copysign(1.0f, x) : x, factor_ = usual ? size : 1;
  }
  float factor() const { return factor_; }

  static scratch_sizes sizes(long depth, long width) {
    long const deep = up_to(tile_depth, depth), wide = up_to(tile_rows, width);
    return {deep / 2 * panel_rows, wide * panel_rows, key_block * panel_rows, key_block * deep / 2, wide * key_block / 2, key_block / 2 * panel_rows};
  }
  void load_queries(matrix_slice<bf16 const> const& query, long first, long count, long depth, float* panel) const {
    detail::load_queries(query, first, count, depth, sign_, words(panel));
  }
  static bf16_rows load_keys(matrix_slice<bf16 const> const& key, long first, long rows, long depth, float* buffer) {
    return detail::load_keys(key, first, rows, depth, reinterpret_cast<bf16*>(buffer));
  }
  static bf16_rows load_values(matrix_slice<bf16 const> const& value, long first, long rows, long width, float* buffer) {
    return detail::load_values(value, first, rows, width, reinterpret_cast<bf16*>(buffer));
  }
  static bf16_rows keys_from(bf16_rows key, long i) { return {key.data + i * key.row, key.row}; }
  static bf16_rows values_from(bf16_rows value, long i) { return detail::values_from(value, i); }
  static void score_products(float const* query, long depth, bf16_rows key, long keys, vector_range vectors, float* scores, vec (&largest)[tuning.vectors], lines_ahead& ahead) {
    detail::score_products(words(query), depth, key, keys, vectors, scores, largest, ahead);
  }
  /// Weights exp(factor * score - m) for the products; `total`: their sums.
  static void rounded_exponentials(attention_scratch const& s, float factor, kept_keys const& keys, vec const (&m)[tuning.vectors], vec (&total)[tuning.vectors]) {
    detail::rounded_exponentials(s.scores, vec(factor), keys, m, total, words(s.weights));
  }
  /// Weights that are in s.scores for the products.
  static void round_weights(attention_scratch const& s, long keys) { detail::round_weights(s.scores, keys, words(s.weights)); }
  static void output_products(attention_scratch const& s, kept_keys const& keys, bf16_rows value, long width, vec const (&rescale)[tuning.vectors], panel_state const& panel, lines_ahead& ahead) {
    detail::output_products(words(s.weights), keys, value, width, rescale, panel.output, panel.fresh, ahead);
  }

private:
  static std::uint32_t* words(float* memory) { return reinterpret_cast<std::uint32_t*>(memory); }
  static std::uint32_t const* words(float const* memory) { return reinterpret_cast<std::uint32_t const*>(memory); }

  float sign_, factor_;
};

/// Results in 32 bits do not take weights that were rounded to 16.
template <class T, class Out>
using arithmetic_of = std::conditional_t<std::is_same_v<T, bf16> && half_precision<Out>, in_bf16, in_floats>;
#else
template <class T, class Out>
using arithmetic_of = in_floats;
#endif

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
