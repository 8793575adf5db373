// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Contractions whose sums are kept in f64: of tensors of f64, and of constant maps that a plan makes one. oneDNN has no
// product of f64 for a processor, so this is one: a piece of the result at a time, pieces of both operands packed beside
// it as panels of f64, and of those a tile of sums in registers while the depth runs (Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", 2008).
#pragma once
#include <attend/kernels/contraction/axes.hpp>
#include <attend/kernels/contraction/row.hpp>
#include <attend/kernels/contraction/scratch.hpp>
#include <attend/kernels/cpu/in_parallel.hpp>
#include <cmath>
#include <vector>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif
/// A tile: its sums, a row of y's panel and one number of x fill the registers.
struct f64_tile {
#ifdef __AVX512F__
  static constexpr int bytes = 64, rows = 8, columns = 24;
#else
  static constexpr int bytes = 32, rows = 4, columns = 12;
#endif
  using vector __attribute__((vector_size(bytes))) = double;
  using in_memory __attribute__((vector_size(bytes), aligned(8), may_alias)) = double;
  static constexpr int vectors = columns * 8 / bytes;
};

// sums (rows x columns, `stride` apart) += x (depth x rows) y (depth x columns)
[[gnu::always_inline]] inline void multiply_tile_body(double const* x, double const* y, std::int64_t depth, double* sums, std::int64_t stride) {
  using tile = f64_tile;
  constexpr int lanes = tile::columns / tile::vectors;
  auto const place = [&](int r, int c) -> tile::in_memory& { return *reinterpret_cast<tile::in_memory*>(sums + r * stride + c * lanes); };
  tile::vector s[tile::rows][tile::vectors];
#pragma GCC unroll 8
  for (int r = 0; r < tile::rows; ++r)
#pragma GCC unroll 3
    for (int c = 0; c < tile::vectors; ++c) s[r][c] = place(r, c);
  for (std::int64_t k = 0; k < depth; ++k, x += tile::rows, y += tile::columns) {
    tile::vector row[tile::vectors];
#pragma GCC unroll 3
    for (int c = 0; c < tile::vectors; ++c) row[c] = *reinterpret_cast<tile::in_memory const*>(y + c * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < tile::rows; ++r)
#pragma GCC unroll 3
      for (int c = 0; c < tile::vectors; ++c) s[r][c] += x[r] * row[c];
  }
#pragma GCC unroll 8
  for (int r = 0; r < tile::rows; ++r)
#pragma GCC unroll 3
    for (int c = 0; c < tile::vectors; ++c) place(r, c) = s[r][c];
}
#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
#ifdef ATTEND_CONTRACTION_TWO_MACHINES
[[gnu::target("avx2,fma")]] inline void multiply_tile_avx2(double const* x, double const* y, std::int64_t depth, double* sums, std::int64_t stride) {
  multiply_tile_body(x, y, depth, sums, stride);
}
#endif
[[gnu::noinline]] inline void multiply_tile(double const* x, double const* y, std::int64_t depth, double* sums, std::int64_t stride) {
#ifdef ATTEND_CONTRACTION_TWO_MACHINES
  if (has_avx2) return multiply_tile_avx2(x, y, depth, sums, stride);
#endif
  multiply_tile_body(x, y, depth, sums, stride);
}

// One stored number.
inline double read_number(void const* data, data_type type, std::int64_t at) {
  if (type == data_type::f64) return static_cast<double const*>(data)[at];
  if (type == data_type::f32) return static_cast<double>(static_cast<float const*>(data)[at]);
  float x;
  convert_row({advance(data, at, type), type, 1}, {&x, data_type::f32, 1}, 1);
  return static_cast<double>(x);
}
inline void write_number(double x, void* data, data_type type, std::int64_t at) {
  if (type == data_type::f64) return void(static_cast<double*>(data)[at] = x);
  float const rounded = static_cast<float>(x);
  if (type == data_type::f32) return void(static_cast<float*>(data)[at] = rounded);
  convert_row({&rounded, data_type::f32, 1}, {advance(data, at, type), type, 1}, 1);
}

inline double apply(activation f, double x) {
  switch (f) {
  case activation::none: return x;
  case activation::relu: return x < 0 ? 0 : x;
  case activation::gelu: return x / 2 * std::erfc(x * -0.70710678118654752440);
  case activation::gelu_tanh: return x / (1 + std::exp(-1.59576912160573071176 * (x + 0.044715 * x * x * x)));
  case activation::silu: return x / (1 + std::exp(-x));
  case activation::sigmoid: return 1 / (1 + std::exp(-x));
  case activation::tanh: return std::tanh(x);
  case activation::exp: return std::exp(x);
  case activation::abs: return std::abs(x);
  case activation::sqrt: return std::sqrt(x);
  case activation::square: return x * x;
  }
  return x;
}

// How one problem is cut into pieces.
struct f64_plan {
  // What is packed of both sides at a time stays in the second-level cache.
  static constexpr std::int64_t largest_side = 192, largest_depth = 256;
  // Below this much work a problem is not cut further for the sake of threads.
  static constexpr double parallel_flops = 4e5;

  struct side {
    std::int64_t all, piece;
    std::int64_t pieces() const { return (all + piece - 1) / piece; }
    std::int64_t across(int tile) const { return (piece + tile - 1) / tile * tile; } // of a piece, ends filled up
    void cut_to(std::int64_t count, int tile) {
      std::int64_t const even = (all + count - 1) / count;
      piece = std::min(piece, (even + tile - 1) / tile * tile);
    }
  };
  problem const& p;
  sorted_axes const axes;
  side rows, columns, depth, part; // part: of the depth, whose sums are added up behind all of them
  std::int64_t matrices;

  [[gnu::cold]] f64_plan(problem const& problem, std::int64_t threads)
      : p(problem), axes(sort_axes(problem)), rows{axes.rows.size(), largest_side}, columns{axes.columns.size(), largest_side},
        depth{axes.nothing_to_sum ? 0 : axes.depths.size(), largest_depth}, part{depth.all, std::max<std::int64_t>(depth.all, 1)}, matrices(axes.batches.size()) {
    double const flops = 2. * double(rows.all) * double(columns.all) * double(depth.all) * double(matrices);
    if (threads > 1 && flops > parallel_flops) {
      auto const missing = [&] { return (2 * threads + pieces() - 1) / pieces(); };
      if (rows.all > columns.all) rows.cut_to(rows.pieces() * missing(), f64_tile::rows);
      else columns.cut_to(columns.pieces() * missing(), f64_tile::columns);
      if (pieces() < threads && depth.all > 2 * largest_depth) part.cut_to(missing(), largest_depth);
    }
    rows.piece = std::min(rows.piece, rows.all);
    columns.piece = std::min(columns.piece, columns.all);
    depth.piece = std::min(depth.piece, std::max<std::int64_t>(depth.all, 1));
  }
  std::int64_t pieces() const { return matrices * rows.pieces() * columns.pieces(); }
  std::int64_t parts() const { return std::max<std::int64_t>(1, part.pieces()); }

  // Numbers that a piece packs of x and y, and those of its sums.
  std::int64_t x_numbers() const { return rows.across(f64_tile::rows) * depth.piece; }
  std::int64_t y_numbers() const { return columns.across(f64_tile::columns) * depth.piece; }
  std::int64_t sums() const { return rows.across(f64_tile::rows) * columns.across(f64_tile::columns); }
};

// Runs pieces of one problem on one thread.
class f64_worker {
  using tile = f64_tile;
  f64_plan const& q_;
  double *x_panels_, *y_panels_, *sums_;
  std::int64_t *across_, *along_; // offsets in a tensor: of a piece's rows or columns, and of the depth

  // A piece: a matrix's, a range of its rows and one of its columns.
  struct piece {
    std::int64_t row, rows, column, columns, stride;
    std::int64_t base[5]; // offsets of the matrix in x, y, out, bias and residual
    piece(f64_plan const& q, std::int64_t i) {
      row = i % q.rows.pieces() * q.rows.piece, i /= q.rows.pieces();
      column = i % q.columns.pieces() * q.columns.piece, i /= q.columns.pieces();
      rows = std::min(q.rows.piece, q.rows.all - row), columns = std::min(q.columns.piece, q.columns.all - column);
      stride = q.columns.across(tile::columns);
      constexpr stride_of strides[] = {&axis::x, &axis::y, &axis::out, &axis::bias, &axis::residual};
      for (int k = 0; k < 5; ++k) base[k] = q.axes.batches.offset(i, strides[k]);
    }
  };

  // Panels of `width` neighbours for each position of the depth, zeros where the side ends.
  void pack(operand const& from, std::int64_t base, axis_list const& side, stride_of s, std::int64_t first, std::int64_t count, std::int64_t k, std::int64_t depth, int width, double* to) const {
    for (std::int64_t i = 0; i < count; ++i) across_[i] = base + side.offset(first + i, s);
    for (std::int64_t i = 0; i < depth; ++i) along_[i] = q_.axes.depths.offset(k + i, s);
    for (std::int64_t begin = 0; begin < count; begin += width, to += depth * width) {
      std::int64_t const some = std::min<std::int64_t>(width, count - begin);
      if (some < width) std::fill_n(to, depth * width, 0.);
      bool together = true;
      for (std::int64_t j = 1; j < some; ++j) together = together && across_[begin + j] == across_[begin] + j;
      auto const all = [&](auto const& read) {
        for (std::int64_t i = 0; i < depth; ++i)
          if (together)
            for (std::int64_t j = 0, at = across_[begin] + along_[i]; j < some; ++j) to[i * width + j] = read(at + j);
          else
            for (std::int64_t j = 0; j < some; ++j) to[i * width + j] = read(across_[begin + j] + along_[i]);
      };
      if (from.type == data_type::f64) all([data = static_cast<double const*>(from.data)](std::int64_t at) { return data[at]; });
      else if (from.type == data_type::f32) all([data = static_cast<float const*>(from.data)](std::int64_t at) { return static_cast<double>(data[at]); });
      else all([&](std::int64_t at) { return read_number(from.data, from.type, at); });
    }
  }

  // function(scale * sums + bias) + residual
  void finish(piece const& at) const {
    auto const& p = q_.p;
    auto const& axes = q_.axes;
    auto const& f = p.finish;
    // One tensor after another, each by rows: what is done to a number is in the same order.
    auto const each = [&](void const* data, int k, stride_of s, auto const& one) {
      if (!data) return;
      for (std::int64_t j = 0; j < at.columns; ++j) across_[j] = axes.columns.offset(at.column + j, s);
      for (std::int64_t i = 0; i < at.rows; ++i) {
        std::int64_t const row = at.base[k] + axes.rows.offset(at.row + i, s);
        for (std::int64_t j = 0; j < at.columns; ++j) one(sums_[i * at.stride + j], row + across_[j]);
      }
    };
    if (f.scale != 1)
      for (std::int64_t i = 0; i < at.rows * at.stride; ++i) sums_[i] *= f.scale;
    each(f.bias.data, 3, &axis::bias, [&](double& x, std::int64_t place) { x += read_number(f.bias.data, f.bias.type, place); });
    if (f.function != activation::none)
      for (std::int64_t i = 0; i < at.rows * at.stride; ++i) sums_[i] = apply(f.function, sums_[i]);
    each(f.residual.data, 4, &axis::residual, [&](double& x, std::int64_t place) { x += read_number(f.residual.data, f.residual.type, place); });
    each(p.out.data, 2, &axis::out, [&](double x, std::int64_t place) { write_number(x, p.out.data, p.out.type, place); });
  }

public:
  explicit f64_worker(f64_plan const& q) : q_(q) {
    std::int64_t const x = q.x_numbers(), y = q.y_numbers(), sums = q.sums(), sides = std::max(q.rows.piece, q.columns.piece);
    static_assert(sizeof(double) == sizeof(std::int64_t));
    x_panels_ = reinterpret_cast<double*>(scratch::of_this_thread().take(static_cast<std::size_t>(x + y + sums + sides + q.depth.piece) * sizeof(double)));
    y_panels_ = x_panels_ + x;
    sums_ = y_panels_ + y;
    across_ = reinterpret_cast<std::int64_t*>(sums_ + sums);
    along_ = across_ + sides;
  }
  ~f64_worker() { scratch::of_this_thread().done(); }
  f64_worker(f64_worker const&) = delete;
  f64_worker& operator=(f64_worker const&) = delete;

  // The sums of a piece over a part of the depth; finished here, or left where `kept` says.
  void operator()(std::int64_t number, std::int64_t part, double* kept) {
    piece const at(q_, number);
    auto const& axes = q_.axes;
    auto const &x = axes.swapped ? q_.p.y : q_.p.x, &y = axes.swapped ? q_.p.x : q_.p.y;
    double* const staged = sums_;
    if (kept) sums_ = kept;
    std::fill_n(sums_, q_.sums(), 0.);
    std::int64_t const end = std::min(q_.depth.all, (part + 1) * q_.part.piece);
    for (std::int64_t k = part * q_.part.piece; k < end; k += q_.depth.piece) {
      std::int64_t const depth = std::min(q_.depth.piece, end - k);
      pack(y, at.base[1], axes.columns, &axis::y, at.column, at.columns, k, depth, tile::columns, y_panels_);
      pack(x, at.base[0], axes.rows, &axis::x, at.row, at.rows, k, depth, tile::rows, x_panels_);
      for (std::int64_t j = 0; j < at.columns; j += tile::columns)
        for (std::int64_t i = 0; i < at.rows; i += tile::rows) multiply_tile(x_panels_ + i * depth, y_panels_ + j * depth, depth, sums_ + i * at.stride + j, at.stride);
    }
    if (!kept) finish(at);
    sums_ = staged;
  }
  // Finishes a piece whose parts were kept one after another.
  void add_up(std::int64_t number, double const* kept) {
    std::copy_n(kept, q_.sums(), sums_);
    for (std::int64_t part = 1; part < q_.parts(); ++part)
      for (std::int64_t i = 0; i < q_.sums(); ++i) sums_[i] += kept[part * q_.sums() + i];
    finish(piece(q_, number));
  }
};

[[gnu::cold]] inline void contract_f64(problem const& p) {
  f64_plan const q(p, cpu::threads());
  if (q.axes.empty) return;
  std::int64_t const pieces = q.pieces(), parts = q.parts();
  if (parts == 1)
    return cpu::in_parallel(pieces, [&](long i) {
      f64_worker worker(q);
      worker(i, 0, nullptr);
    });
  std::vector<double> kept(static_cast<std::size_t>(pieces * parts * q.sums()));
  cpu::in_parallel(pieces * parts, [&](long i) {
    f64_worker worker(q);
    worker(i / parts, i % parts, kept.data() + i * q.sums());
  });
  cpu::in_parallel(pieces, [&](long i) {
    f64_worker worker(q);
    worker.add_up(i, kept.data() + i * parts * q.sums());
  });
}

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
