// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How one problem is computed: which axes a product takes and which are looped over, what is packed into scratch, how
// the work is cut into tasks, and the prepared products for whole pieces and for the pieces at the ends.
#pragma once
#include <attend/kernels/contraction/axes.hpp>
#include <attend/kernels/contraction/product.hpp>
#include <bit>
#include <limits>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// What the pieces are measured by, on the machines at hand.
struct tuning {
  static constexpr double parallel_flops = 4e5; // below this a problem is computed where it is called
  static constexpr double task_flops = 4e6;     // the least a task is cut down to (about 50 us of one core)
  static constexpr std::int64_t tasks_a_thread = 4;
  static constexpr std::int64_t smallest_side = 96; // pieces of matrices are not cut narrower
  static constexpr std::int64_t side_multiple = 24;
  static constexpr std::int64_t few_rows = 24; // an axis shorter than this is joined with the others by packing
  static constexpr std::int64_t sums = std::int64_t(1) << 17;          // elements written before a pass over them
  static constexpr std::int64_t packed = std::int64_t(1) << 20;        // elements of x, and of y, packed at a time
  static constexpr std::int64_t packed_narrow = std::int64_t(1) << 16; // the same for products of few rows or columns
  static constexpr std::int64_t least_depth = 512;                     // but sums are not cut shorter than this
  static constexpr std::int64_t least_depth_narrow = 64;               // the same for products of few rows or columns
};

// All of a problem but its pointers, and with how many threads it is computed.
struct shape_key {
  std::array<std::int64_t, 3 + 6 * max_axes> values;
  int count = 0;

  shape_key() = default;
  [[gnu::noinline]] shape_key(problem const& p, int threads, bool residual_is_out) {
    auto const& f = p.finish;
    bool const bias = f.bias.data, residual = f.residual.data;
    std::int64_t types = 0;
    for (int field : {int(p.x.type), int(p.y.type), int(p.out.type), bias ? int(f.bias.type) : 3,
                      residual ? int(f.residual.type) : 3, int(f.function), int(residual_is_out), p.axes})
      types = types * 16 + field;
    values[0] = types, values[1] = threads, values[2] = std::bit_cast<std::int64_t>(f.scale);
    count = 3;
    for (auto const* list : {&p.extents, &p.x.strides, &p.y.strides, &p.out.strides, bias ? &f.bias.strides : nullptr,
                             residual ? &f.residual.strides : nullptr})
      for (int i = 0; list && i < p.axes; ++i) values[count++] = (*list)[i];
  }
  bool operator==(shape_key const& other) const {
    return count == other.count && std::memcmp(values.data(), other.values.data(), count * sizeof values[0]) == 0;
  }
  std::uint64_t hash() const {
    std::uint64_t h = count;
    for (int i = 0; i < count; ++i)
      h = (std::rotl(h, 29) ^ static_cast<std::uint64_t>(values[i])) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
  }
};

struct plan {
  shape_key key; // the problems it is for
  // The product's axes: one group axis, and the rows, columns and depths, which are single axes unless packed.
  axis group;
  axis_list rows, columns, depths, loops;
  std::int64_t row_count = 1, column_count = 1, depth_count = 1;
  bool swapped = false, empty = false, nothing_to_sum = false;

  data_type x_type{}, y_type{}, out_type{}, bias_type{}, residual_type{};
  data_type type = data_type::f32;         // of the product's operands
  bool pack_x = false, pack_y = false;     // x and y go through scratch
  bool x_by_rows = true, y_by_rows = true; // packed x: rows of depths (or depths of rows); y: depths of columns
  bool stage = false;                      // sums go through scratch
  bool fused = false;                      // oneDNN does all of the epilogue
  bool plain = false;                      // the epilogue does nothing
  bool bias_of_columns = false;            // bias is the same in all rows, and not f32: converted once a piece
  float scale = 1;
  activation function = activation::none;

  // Pieces: the sizes of whole ones. The last one of each kind may be smaller.
  std::int64_t groups = 1, rows_a_piece = 1, columns_a_piece = 1, depth_a_piece = 1;
  std::int64_t group_pieces = 1, row_pieces = 1, column_pieces = 1, depth_pieces = 1;
  bool parallel = false;
  std::int64_t x_elements = 0, y_elements = 0, staged_elements = 0; // of scratch
  std::size_t scratch_bytes = 0;

  // By which of group, row, column and depth pieces is a last one of another size, and whether it is not the first.
  std::array<std::unique_ptr<product const>, 32> products;
  static int which(bool group_end, bool row_end, bool column_end, bool depth_end, bool accumulate) {
    return group_end + 2 * row_end + 4 * column_end + 8 * depth_end + 16 * accumulate;
  }

  [[gnu::cold]] plan() {}
  std::int64_t tasks() const { return loops.size() * group_pieces * row_pieces * column_pieces; }
};

inline std::int64_t pieces(std::int64_t all, std::int64_t piece) { return (all + piece - 1) / piece; }

// Whether a matrix product can read (or write) rows x columns with these strides, and the strides to name where one of
// the two is a single one.
[[gnu::cold]] inline bool readable(std::int64_t rows, std::int64_t columns, std::int64_t& row_stride,
                                   std::int64_t& column_stride) {
  if (columns == 1) column_stride = row_stride == 1 ? rows : 1;
  if (rows == 1) row_stride = column_stride == 1 ? columns : 1;
  return (column_stride == 1 && row_stride >= columns) || (row_stride == 1 && column_stride >= rows);
}

class planner {
  problem const& p_;
  sorted_axes const axes_;
  int const threads_;
  bool const residual_is_out_;

  // One try: with these operand types, this much left to oneDNN, and everything packed or not.
  struct attempt {
    data_type type;
    bool fused, pack_all;
  };

  [[gnu::cold]] bool fusible(plan const& q) const {
    auto const& f = p_.finish;
    if (q.function != activation::none && !post_operation(q.function)) return false;
    if (f.bias.data) {
      if (f.bias.type != data_type::f32 && f.bias.type != q.type) return false;
      if (q.group.bias != 0 || q.rows.last().bias != 0 || q.columns.last().bias != 1) return false;
    }
    if (f.residual.data) {
      auto const same = [](axis const& a) { return a.extent == 1 || a.residual == a.out; };
      if (f.residual.type != q.out_type) return false;
      if (!same(q.group) || !same(q.rows.last()) || !same(q.columns.last())) return false;
    }
    return true;
  }

  // The axis that suits a product best: one that neighbours lie along, or else the longest.
  [[gnu::cold]] static int best_of(axis_list const& list, stride_of neighbours) {
    int best = 0;
    auto const merit = [&](axis const& a) { return std::pair(a.*neighbours == 1, a.extent); };
    for (int i = 1; i < list.count; ++i)
      if (merit(list.at[i]) > merit(list.at[best])) best = i;
    return best;
  }
  // Leaves that axis as the only one; the others are looped over.
  [[gnu::cold]] static void keep_one(axis_list& list, axis_list& loops, stride_of neighbours) {
    axis const kept = list.take(best_of(list, neighbours));
    for (axis const& other : list) loops.add(other);
    list.count = 0;
    list.add(kept);
  }
  // Whether keeping one would make many narrow products of a wide one.
  [[gnu::cold]] static bool scattered(axis_list const& list, stride_of neighbours) {
    auto const kept = list.at[best_of(list, neighbours)].extent;
    return kept < tuning::few_rows && list.size() >= 4 * kept;
  }

  static std::int64_t within(std::int64_t x, std::int64_t low, std::int64_t high) {
    return x < low ? low : x > high ? high : x;
  }
  // A side of the matrices and the size of its pieces.
  struct side {
    std::int64_t all, piece, cuts;
    std::int64_t pieces() const { return detail::pieces(all, piece); }
    bool narrow_enough() const { return piece < 2 * tuning::smallest_side; }
    void cut() {
      auto const even = detail::pieces(all, ++cuts);
      piece = std::min(all, detail::pieces(even, tuning::side_multiple) * tuning::side_multiple);
    }
  };

  // Cuts the work into pieces: as many as keep the threads busy, and none larger than what should stay in cache between
  // the product and the passes before and behind it.
  [[gnu::cold]] void cut(plan& q) const {
    std::int64_t const matrices = q.group.extent * q.loops.size();
    double const flops = 2.0 * double(q.row_count) * double(q.column_count) *
                         double(std::max<std::int64_t>(q.depth_count, 1)) * double(matrices);
    q.parallel = threads_ > 1 && flops > tuning::parallel_flops;
    // A product of few rows or columns is bound by reading the other operand, which wants long runs, so few cuts; and it
    // does little with what was packed for it, so less is packed at a time.
    bool const narrow = std::min(q.row_count, q.column_count) < tuning::few_rows;
    std::int64_t const most_packed = narrow ? tuning::packed_narrow : tuning::packed;
    std::int64_t const least_depth = narrow ? tuning::least_depth_narrow : tuning::least_depth;
    std::int64_t const most_wanted = narrow ? threads_ : threads_ * tuning::tasks_a_thread;
    std::int64_t const wanted =
        q.parallel ? within(static_cast<std::int64_t>(flops / tuning::task_flops), threads_, most_wanted) : 1;
    bool const passes = q.stage || !(q.fused || q.plain);

    // Groups are separated first: that costs nothing.
    side rows{q.row_count, q.row_count, 1}, columns{q.column_count, q.column_count, 1};
    q.depth_a_piece = std::max<std::int64_t>(q.depth_count, 1);
    q.groups = within(matrices / wanted, 1, q.group.extent);
    if (passes) q.groups = within(tuning::sums / (rows.piece * columns.piece), 1, q.groups);
    if (auto const packed = (q.pack_x ? rows.piece : 0) + (q.pack_y ? columns.piece : 0); packed > 0)
      q.groups = within(most_packed / (packed * q.depth_a_piece), 1, q.groups);
    if ((q.group.x < 0 && !q.pack_x) || (q.group.y < 0 && !q.pack_y) || (q.group.out < 0 && !q.stage)) q.groups = 1;
    // Between groups that lie inside one another's rows oneDNN 2.6 looks for a bias or a residual in the wrong place.
    if (q.fused && (p_.finish.bias.data || p_.finish.residual.data) &&
        q.group.out < std::max(q.rows.last().out * q.row_count, q.columns.last().out * q.column_count))
      q.groups = 1;

    // Then the longer side of the matrices, down to a side where products become slow.
    while (pieces(matrices, q.groups) * rows.pieces() * columns.pieces() < wanted ||
           (passes && rows.piece * columns.piece > tuning::sums)) {
      side& longer = rows.piece >= columns.piece ? rows : columns;
      if (longer.narrow_enough()) break;
      longer.cut();
    }
    // The depth is cut too, its sums added up piece by piece; first where that keeps what is read in long runs.
    bool const depth_first = narrow && (q.row_count < q.column_count ? q.y_by_rows : !q.x_by_rows);
    for (bool const before : {true, false}) {
      auto const across = std::max(q.pack_x ? rows.piece : 0, q.pack_y ? columns.piece : 0);
      if (across > 0 && (depth_first || !before))
        q.depth_a_piece = std::min(q.depth_a_piece, std::max(least_depth, most_packed / (across * q.groups)));
      if (!before) break;
      while (q.pack_x && rows.piece * q.depth_a_piece > most_packed && !rows.narrow_enough()) rows.cut();
      while (q.pack_y && columns.piece * q.depth_a_piece > most_packed && !columns.narrow_enough()) columns.cut();
    }

    q.rows_a_piece = rows.piece;
    q.columns_a_piece = columns.piece;
    q.group_pieces = pieces(q.group.extent, q.groups);
    q.row_pieces = rows.pieces();
    q.column_pieces = columns.pieces();
    q.depth_pieces = std::max<std::int64_t>(1, pieces(q.depth_count, q.depth_a_piece));
  }

  [[gnu::cold]] bool prepare(plan& q, bool reference_will_do) const {
    auto const size = [](bool end, std::int64_t all, std::int64_t piece) { return end ? all % piece : piece; };
    for (int i = 0; i < 32; ++i) {
      bool const ends[] = {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0}, later = (i & 16) != 0;
      std::int64_t const all[] = {q.group.extent, q.row_count, q.column_count, q.depth_count};
      std::int64_t const piece[] = {q.groups, q.rows_a_piece, q.columns_a_piece, q.depth_a_piece};
      std::int64_t part[4];
      bool occurs = true;
      for (int j = 0; j < 4; ++j) {
        part[j] = size(ends[j], all[j], piece[j]);
        occurs = occurs && part[j] > 0 && (ends[j] || all[j] >= piece[j]);
      }
      // The first piece of the depth is a whole one (there is none smaller than a whole one), the later ones add to it.
      if (!occurs ||
          (later ? q.depth_pieces == 1 || (!ends[3] && q.depth_pieces == 2 && all[3] % piece[3] != 0) : ends[3]))
        continue;
      product_shape s;
      s.groups = part[0], s.rows = part[1], s.columns = part[2], s.depth = part[3];
      s.x = {q.type, q.group.x, q.rows.last().x, q.depths.last().x};
      s.y = {q.type, q.group.y, q.depths.last().y, q.columns.last().y};
      s.out = {q.stage ? data_type::f32 : q.out_type, q.group.out, q.rows.last().out, q.columns.last().out};
      if (q.pack_x)
        s.x = {q.type, q.group.x ? part[1] * part[3] : 0, q.x_by_rows ? part[3] : 1, q.x_by_rows ? 1 : part[1]};
      if (q.pack_y)
        s.y = {q.type, q.group.y ? part[2] * part[3] : 0, q.y_by_rows ? part[2] : 1, q.y_by_rows ? 1 : part[3]};
      if (q.stage) s.out = {data_type::f32, part[1] * part[2], part[2], 1};
      readable(part[1], part[3], s.x.row_stride, s.x.column_stride);
      readable(part[3], part[2], s.y.row_stride, s.y.column_stride);
      readable(part[1], part[2], s.out.row_stride, s.out.column_stride);
      s.accumulate = later;
      s.reference_will_do = reference_will_do;
      if (q.fused) {
        s.scale = q.scale;
        s.function = q.function;
        if (p_.finish.bias.data) s.bias = p_.finish.bias.type;
        if (p_.finish.residual.data) {
          s.residual = s.out;
          s.residual->type = p_.finish.residual.type;
        }
      }
      q.products[i] = product::make(s);
      if (!q.products[i]) return false;
      q.scratch_bytes = std::max(q.scratch_bytes, q.products[i]->scratch_bytes());
    }
    return true;
  }

  [[gnu::cold]] std::shared_ptr<plan> attempt_one(attempt const& a) const {
    auto made = std::make_shared<plan>();
    auto* const q = made.get();
    q->swapped = axes_.swapped;
    q->empty = axes_.empty;
    q->nothing_to_sum = axes_.nothing_to_sum;
    auto const& x = axes_.swapped ? p_.y : p_.x;
    auto const& y = axes_.swapped ? p_.x : p_.y;
    q->x_type = x.type;
    q->y_type = y.type;
    q->out_type = p_.out.type;
    q->bias_type = p_.finish.bias.type;
    q->residual_type = p_.finish.residual.type;
    q->type = a.type;
    q->scale = static_cast<float>(p_.finish.scale);
    q->function = p_.finish.function;
    q->plain = q->scale == 1 && q->function == activation::none && !p_.finish.bias.data && !p_.finish.residual.data;
    if (q->empty) return made;

    q->rows = axes_.rows;
    q->columns = axes_.columns;
    q->depths = axes_.depths;
    q->loops = axes_.batches;
    q->depth_count = q->nothing_to_sum ? 0 : q->depths.size();
    // A missing side is one row (column, summand).
    for (axis_list* list : {&q->rows, &q->columns, &q->depths})
      if (list->count == 0) list->add(axis{});

    q->pack_x = a.pack_all || x.type != a.type || !q->depths.is_one(&axis::x);
    q->pack_y = a.pack_all || y.type != a.type || !q->depths.is_one(&axis::y);
    q->stage = a.pack_all || q->nothing_to_sum || residual_is_out_ ||
               (p_.out.type != data_type::f32 && !(a.fused && p_.out.type == a.type));
    // oneDNN 2.6 multiplies bf16 by tiles only into rows without gaps; a piece's rows have gaps, its sums needn't.
    if (a.type == data_type::bf16 && !q->plain) {
      if (a.fused) return nullptr;
      q->stage = true;
    }
    if (scattered(q->rows, &axis::x)) q->pack_x = q->stage = true;
    if (scattered(q->columns, &axis::out)) q->pack_y = q->stage = true;
    if (q->stage && a.fused) return nullptr;

    // Several row axes stay together where both x and the sums go through scratch.
    if (!(q->pack_x && q->stage)) keep_one(q->rows, q->loops, &axis::x);
    if (!(q->pack_y && q->stage)) keep_one(q->columns, q->loops, &axis::out);
    auto& m = q->rows.at[q->rows.count - 1];
    auto& n = q->columns.at[q->columns.count - 1];
    auto& k = q->depths.at[q->depths.count - 1];
    q->row_count = q->rows.size();
    q->column_count = q->columns.size();
    if (q->rows.count == 1) {
      auto row = m.x, depth = k.x;
      if (!q->pack_x && !readable(m.extent, q->depth_count, row, depth)) q->pack_x = true;
    }
    if (q->columns.count == 1) {
      auto depth = k.y, column = n.y;
      if (!q->pack_y && !readable(q->depth_count, n.extent, depth, column)) q->pack_y = true;
      auto row = m.out, out_column = n.out;
      if (!q->stage && !(readable(m.extent, n.extent, row, out_column) && out_column == 1)) {
        if (a.fused) return nullptr;
        q->stage = true;
      }
    }
    // The longest loop becomes the groups of one call.
    if (q->loops.count > 0) {
      int longest = 0;
      for (int i = 1; i < q->loops.count; ++i)
        if (q->loops.at[i].extent > q->loops.at[longest].extent) longest = i;
      q->group = q->loops.take(longest);
    }
    // Packed operands keep together what lies together.
    auto const nearest = [](axis_list& list, stride_of s) {
      std::int64_t least = std::numeric_limits<std::int64_t>::max();
      for (auto const& l : list)
        if (l.extent > 1 && l.*s != 0) least = std::min(least, std::abs(l.*s));
      return least;
    };
    q->x_by_rows = nearest(q->depths, &axis::x) <= nearest(q->rows, &axis::x);
    q->y_by_rows = nearest(q->columns, &axis::y) <= nearest(q->depths, &axis::y);
    if (q->rows.count > 1 && !q->x_by_rows) q->rows.sort(&axis::x);
    if (a.fused && !fusible(*q)) return nullptr;
    q->fused = a.fused;
    cut(*q);
    if (q->fused && q->depth_pieces > 1) return nullptr;
    if (q->pack_x) q->x_elements = (q->group.x ? q->groups : 1) * q->rows_a_piece * q->depth_a_piece;
    if (q->pack_y) q->y_elements = (q->group.y ? q->groups : 1) * q->columns_a_piece * q->depth_a_piece;
    if (q->stage) q->staged_elements = q->groups * q->rows_a_piece * q->columns_a_piece;
    q->bias_of_columns = p_.finish.bias.data && q->bias_type != data_type::f32 && q->group.bias == 0 &&
                         std::all_of(q->rows.begin(), q->rows.end(), [](axis const& a) { return a.bias == 0; });
    if (!q->nothing_to_sum && !prepare(*q, a.pack_all)) return nullptr;
    return made;
  }

public:
  [[gnu::cold]] planner(problem const& p, int threads, bool residual_is_out)
      : p_(p), axes_(sort_axes(p)), threads_(threads), residual_is_out_(residual_is_out) {}

  // The first way that oneDNN has an implementation for: bf16 as it is where the machine multiplies bf16, otherwise in
  // f32; the epilogue inside the product where it can be, otherwise behind it.
  [[gnu::cold]] std::shared_ptr<plan> make() const {
    bool const native = p_.x.type == data_type::bf16 && p_.y.type == data_type::bf16 &&
                        (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
    for (data_type type : {data_type::bf16, data_type::f32}) {
      if (type == data_type::bf16 && !native) continue;
      for (bool fused : {true, false})
        if (auto made = attempt_one({type, fused, false})) return made;
    }
    if (auto made = attempt_one({data_type::f32, false, true})) return made;
    throw std::runtime_error(
        message().add("contract: oneDNN's matmul has no implementation (unimplemented) for ").add(p_).text());
  }
};

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
