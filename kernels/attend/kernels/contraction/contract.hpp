// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host's plain contraction: one call computes any problem of problem.hpp, by oneDNN's matrix product, by that of
// panels.hpp for many rows of f32, or, where sums are kept in f64, by that of f64.hpp.
//
// Threads. Every product runs on one thread, inside tasks of one parallel loop that cut the problem by batches, rows
// and columns; oneDNN's own threads (OpenMP's) are never started. Measured on two cores, oneDNN's threads against ours:
// with the cores to themselves large products take the same time, alone (7808 x 1536 x 384: 49 ms and 49 ms) and between
// elementwise passes of TBB (53 and 53), and one of 50 us alone is quicker by OpenMP, whose threads spin for it (49 us
// and 94). With the cores shared the spinning threads wait for one another at every barrier: the same small product,
// median of 557, takes 6.6 ms by OpenMP and 0.14 ms by TBB. One pool also keeps a chain of passes from having two.
//
// Scratch. Each thread has one buffer for packed operands and staged sums, bounded by the tuning (some 15 MB at most);
// it is reused from call to call and given back with the thread, or at once if it ever grew past 64 MB.
#pragma once
#include <attend/kernels/contraction/cache.hpp>
#include <attend/kernels/contraction/f64.hpp>
#include <attend/kernels/contraction/row.hpp>
#include <attend/kernels/contraction/scratch.hpp>
#include <attend/kernels/cpu/in_parallel.hpp>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA {
namespace detail {

// A range of an index.
struct range {
  std::int64_t first = 0, count = 0;
};
inline range piece(std::int64_t all, std::int64_t each, std::int64_t i) {
  return {i * each, std::min(each, all - i * each)};
}

// How far index i of a list runs along its last axis, below an end.
inline std::int64_t run_from(axis_list const& list, std::int64_t i, std::int64_t end) {
  std::int64_t const extent = list.last().extent;
  return std::min(extent - i % extent, end - i);
}

// Copies (outer x inner) of an operand to scratch, inner indices together.
[[gnu::noinline]] inline void pack_matrix(void const* from, data_type type, axis_list const& outer, range o,
                                          axis_list const& inner, range i, stride_of s, void* to, data_type to_type) {
  if (outer.count == 1 && inner.count == 1 && inner.last().*s == 1 && outer.last().*s == i.count && i.first == 0) {
    auto const* const start = advance(from, o.first * i.count, type); // rows without gaps are one long row
    return convert_row({start, type, 1}, {to, to_type, 1}, o.count * i.count);
  }
  std::int64_t const end = i.first + i.count;
  for (std::int64_t row = 0; row < o.count; ++row) {
    auto const offset = outer.offset(o.first + row, s);
    for (std::int64_t at = i.first, run = 0; at < end; at += run) {
      run = run_from(inner, at, end);
      convert_row({advance(from, offset + inner.offset(at, s), type), type, inner.last().*s},
                  {advance(to, row * i.count + at - i.first, to_type), to_type, 1}, run);
    }
  }
}

// Runs tasks of one plan on one thread.
class worker {
  plan const& q_;
  void const* const x_;
  void const* const y_;
  void* const out_;
  void const* const bias_;
  void const* const residual_;
  product::runner& run_ = product::runner::of_this_thread();
  std::byte* x_scratch_;
  std::byte* y_scratch_;
  std::byte* staged_;
  float* biases_; // of a piece's columns
  std::byte* workspace_;
  std::int64_t packed_y_ = -1; // which piece of y is in scratch
  std::int64_t packed_x_ = -1;
  std::int64_t panels_of_y_ = -1; // which piece's are in the workspace

  static std::size_t aligned(std::size_t bytes) { return (bytes + 4095) / 4096 * 4096 + 128; }

  // The row of an operand from some column on.
  static source row_of(void const* data, data_type type, std::int64_t at, axis_list const& columns, std::int64_t column,
                       stride_of s) {
    if (!data) return {};
    return {advance(data, at + columns.offset(column, s), type), type, columns.last().*s};
  }

  [[gnu::noinline]] void finish(std::int64_t const* base, range g, range m, range n) {
    detail::finish const f{q_.scale, q_.function};
    std::int64_t const end = n.first + n.count;
    if (q_.bias_of_columns)
      for (std::int64_t i = n.first, run = 0; i < end; i += run) {
        run = run_from(q_.columns, i, end);
        convert_row(row_of(bias_, q_.bias_type, base[3], q_.columns, i, &axis::bias), {biases_ + i - n.first, data_type::f32, 1}, run);
      }
    for (std::int64_t row = 0; row < g.count * m.count; ++row) {
      auto const group = row / m.count, in_group = m.first + row % m.count;
      auto const out = base[2] + group * q_.group.out + q_.rows.offset(in_group, &axis::out);
      auto const bias = base[3] + group * q_.group.bias + q_.rows.offset(in_group, &axis::bias);
      auto const residual = base[4] + group * q_.group.residual + q_.rows.offset(in_group, &axis::residual);
      auto const* const sums = reinterpret_cast<float const*>(staged_) + row * n.count;
      for (std::int64_t i = n.first, run = 0; i < end; i += run) {
        run = run_from(q_.columns, i, end);
        void* const to = advance(out_, out + q_.columns.offset(i, &axis::out), q_.out_type);
        row_operands operands;
        operands.sums = q_.stage ? sums + i - n.first : static_cast<float const*>(to);
        operands.bias = q_.bias_of_columns ? source{biases_ + i - n.first, data_type::f32, 1} : row_of(bias_, q_.bias_type, bias, q_.columns, i, &axis::bias);
        operands.residual = row_of(residual_, q_.residual_type, residual, q_.columns, i, &axis::residual);
        operands.to = {to, q_.out_type, q_.columns.last().out};
        finish_row(f, operands, run);
      }
    }
  }

  // Brings a piece of an operand into scratch.
  [[gnu::cold]] void pack(void const* from, data_type type, std::int64_t base, bool outer_depths, axis_list const& side,
                          range s, range k, range g, stride_of stride, std::byte* to) {
    std::int64_t const groups = q_.group.*stride ? g.count : 1;
    for (std::int64_t group = 0; group < groups; ++group) {
      auto const* const at = advance(from, base + group * (q_.group.*stride), type);
      void* const there = advance(static_cast<void*>(to), group * s.count * k.count, q_.type);
      axis_list const &outer = outer_depths ? q_.depths : side, &inner = outer_depths ? side : q_.depths;
      pack_matrix(at, type, outer, outer_depths ? k : s, inner, outer_depths ? s : k, stride, there, q_.type);
    }
  }

public:
  [[gnu::cold]] worker(plan const& q, problem const& p)
      : q_(q), x_(q.swapped ? p.y.data : p.x.data), y_(q.swapped ? p.x.data : p.y.data), out_(p.out.data),
        bias_(p.finish.bias.data), residual_(p.finish.residual.data) {
    std::size_t const x = aligned(q.x_elements * size_of(q.type)), y = aligned(q.y_elements * size_of(q.type));
    std::size_t const sums = aligned(q.staged_elements * sizeof(float));
    std::size_t const biases = q.bias_of_columns ? aligned(static_cast<std::size_t>(q.columns_a_piece) * sizeof(float)) : 0;
    std::size_t const total = x + y + sums + biases + aligned(q.scratch_bytes);
    x_scratch_ = scratch::of_this_thread().take(total);
    y_scratch_ = x_scratch_ + x;
    staged_ = y_scratch_ + y;
    biases_ = reinterpret_cast<float*>(staged_ + sums);
    workspace_ = staged_ + sums + biases;
  }
  ~worker() { scratch::of_this_thread().done(); }
  worker(worker const&) = delete;
  worker& operator=(worker const&) = delete;

  // Tasks that follow one another share the columns' piece of y, so that it is packed once for them.
  [[gnu::cold]] void operator()(std::int64_t task) {
    auto const row_piece = task % q_.row_pieces, rest = task / q_.row_pieces;
    auto const column_piece = rest % q_.column_pieces, outer = rest / q_.column_pieces;
    auto const group_piece = outer % q_.group_pieces, loop = outer / q_.group_pieces;
    range const g = piece(q_.group.extent, q_.groups, group_piece), m = piece(q_.row_count, q_.rows_a_piece, row_piece),
                n = piece(q_.column_count, q_.columns_a_piece, column_piece);
    std::int64_t base[5];
    constexpr stride_of strides[] = {&axis::x, &axis::y, &axis::out, &axis::bias, &axis::residual};
    for (int i = 0; i < 5; ++i) base[i] = q_.loops.offset(loop, strides[i]) + g.first * (q_.group.*strides[i]);

    if (q_.nothing_to_sum) std::fill_n(reinterpret_cast<float*>(staged_), g.count * m.count * n.count, 0.f);
    else {
      bool const ends[] = {g.count != q_.groups, m.count != q_.rows_a_piece, n.count != q_.columns_a_piece};
      for (std::int64_t i = 0; i < q_.depth_pieces; ++i) {
        range const k = piece(q_.depth_count, q_.depth_a_piece, i);
        auto const x_at =
            q_.pack_x ? 0 : base[0] + q_.rows.offset(m.first, &axis::x) + q_.depths.offset(k.first, &axis::x);
        auto const y_at =
            q_.pack_y ? 0 : base[1] + q_.columns.offset(n.first, &axis::y) + q_.depths.offset(k.first, &axis::y);
        bool const in_one_piece = q_.depth_pieces == 1;
        if (q_.pack_x && !(in_one_piece && packed_x_ == outer * q_.row_pieces + row_piece)) {
          pack(x_, q_.x_type, base[0], !q_.x_by_rows, q_.rows, m, k, g, &axis::x, x_scratch_);
          packed_x_ = outer * q_.row_pieces + row_piece;
        }
        if (q_.pack_y && !(in_one_piece && packed_y_ == rest)) {
          pack(y_, q_.y_type, base[1], q_.y_by_rows, q_.columns, n, k, g, &axis::y, y_scratch_);
          packed_y_ = rest;
        }
        auto const out_at = base[2] + q_.rows.offset(m.first, &axis::out) + q_.columns.offset(n.first, &axis::out);
        auto const bias_at = base[3] + q_.columns.offset(n.first, &axis::bias);
        auto const residual_at =
            base[4] + q_.rows.offset(m.first, &axis::residual) + q_.columns.offset(n.first, &axis::residual);
        bool const bias = q_.fused && bias_, residual = q_.fused && residual_;
        product const& now = *q_.products[plan::which(ends[0], ends[1], ends[2], k.count != q_.depth_a_piece, i > 0)];
        std::int64_t const piece_of_y = rest * q_.depth_pieces + i;
        run_(now, q_.pack_x ? x_scratch_ : advance(x_, x_at, q_.x_type),
             q_.pack_y ? y_scratch_ : advance(y_, y_at, q_.y_type),
             q_.stage ? staged_ : advance(out_, out_at, q_.out_type),
             bias ? advance(bias_, bias_at, q_.bias_type) : nullptr,
             residual ? advance(residual_, residual_at, q_.residual_type) : nullptr, workspace_, panels_of_y_ == piece_of_y);
        panels_of_y_ = now.by_panels() ? piece_of_y : -1;
      }
    }
    if (q_.stage || !(q_.fused || q_.plain)) finish(base, g, m, n);
  }
};

// The bytes a tensor of the problem reaches.
struct reach {
  std::intptr_t first, last;
  [[gnu::noinline]] reach(problem const& p, void const* data, data_type type, axis_strides const& strides) {
    first = last = reinterpret_cast<std::intptr_t>(data);
    auto const size = static_cast<std::int64_t>(size_of(type));
    for (int i = 0; i < p.axes; ++i) {
      auto const along = (p.extents[i] - 1) * strides[i] * size;
      (along < 0 ? first : last) += along;
    }
    last += size;
  }
};
// Whether a tensor of the problem and out share memory.
inline bool meet(problem const& p, operand const& other) {
  if (!other.data) return false;
  reach const a(p, p.out.data, p.out.type, p.out.strides), b(p, other.data, other.type, other.strides);
  return a.first < b.last && b.first < a.last;
}

[[gnu::cold]] inline void run_tasks(plan const& q, problem const& p, std::int64_t first, std::int64_t last) {
  one_thread const alone;
  worker worker(q, p);
  for (auto task = first; task < last; ++task) worker(task);
}

} // namespace detail

/// Computes a problem on the host with all threads of the calling thread's TBB arena, and returns when it is done. Sums
/// are rounded once. May be called from several threads at once. Throws std::invalid_argument for a
/// problem that is not one, std::runtime_error with shapes and status where oneDNN fails.
inline void contract(problem const& p) {
  detail::check(p);
  if (p.sums == data_type::f64) return detail::contract_f64(p);
  int const threads = tbb::this_task_arena::max_concurrency();
  auto const plan = detail::plan_cache::instance().find(p, threads, detail::meet(p, p.finish.residual));
  if (plan->empty) return;
  auto const tasks = plan->tasks();
  auto const each =
      plan->parallel ? std::max<std::int64_t>(1, tasks / (threads * detail::tuning::tasks_a_thread)) : tasks;
  cpu::in_parallel((tasks + each - 1) / each,
                      [&](long i) { detail::run_tasks(*plan, p, i * each, std::min(tasks, (i + 1) * each)); });
}

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA
