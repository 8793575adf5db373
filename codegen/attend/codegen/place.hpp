// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Steps and places. The buffers of a region, deepest first, are the steps before it; buffers that are one expression
// are one step. Each lives from the step that writes it to the last that reads it, and gets its place in one workspace.
#pragma once
#include <attend/codegen/cost.hpp>
#include <string>
#include <vector>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

/// One step of a plan, as data: what explain prints and tests look at.
struct step {
  std::string kernel;           // what runs
  std::string pattern;          // the formula it was found by
  std::string result;           // dims, extents and type of what it writes
  long flops;                   // operations
  long bytes;                   // read and written
  int writes;                   // number of the buffer, -1: the result
  std::vector<int> reads;       // numbers of buffers
};

/// One buffer of a plan.
struct placement {
  long bytes;
  int first, last; // the steps that write it and read it last
  bool streamed;   // whether it has the dim along which the plan is streamed
  long offset;     // in the workspace
};

/// How a plan runs along the dim it is streamed along: block after block.
struct blocking {
  long extent, block; // of the dim

  constexpr bool whole() const { return block >= extent; }
  constexpr long blocks() const { return whole() ? 1 : (extent + block - 1) / block; }
};

namespace detail {

/// What of a streamed plan lies between its steps at a time should stay in a core's and its neighbours' cache; a plan
/// that has less than twice as much is run as one.
inline constexpr long stream_bytes = 4l << 20;

/// What buffers of so many bytes take of a workspace: its parts begin at multiples of a cache line.
constexpr long in_workspace(long bytes) { return (bytes + 63) / 64 * 64; }

/// The blocks of a plan along a dim of so many positions.
constexpr blocking blocks_of(placement const* buffers, int count, long extent) {
  long most = 0; // of the streamed buffers alive together
  for (int i = 0; i < count; ++i) {
    long alive = 0;
    for (int k = 0; k < count; ++k)
      if (buffers[k].streamed && buffers[k].first <= buffers[i].first && buffers[i].first <= buffers[k].last) alive += buffers[k].bytes;
    most = most < alive ? alive : most;
  }
  if (extent < 2 || most <= 2 * stream_bytes) return {extent, extent};
  long const row = most / extent > 0 ? most / extent : 1, block = stream_bytes / row;
  return {extent, block > 0 ? block : 1};
}
/// Buffers as they are in the first of these blocks, which is the longest.
constexpr void cut_to_block(placement* buffers, int count, blocking const& blocks) {
  for (int i = 0; i < count; ++i)
    if (buffers[i].streamed) buffers[i].bytes = buffers[i].bytes / blocks.extent * blocks.block;
}
/// What has not the dim that is streamed is computed in the first block and stays for the others.
constexpr void keep_the_rest(placement* buffers, int count) {
  for (int i = 0; i < count; ++i)
    if (!buffers[i].streamed) buffers[i].first = 0, buffers[i].last = 1 << 30;
}

/// Gives every buffer the lowest offset at which it meets none that lives at the same time; the bytes needed. Those that
/// stay come first, so that their places do not depend on the others' sizes.
constexpr long lay_out(placement* buffers, int count) {
  long end = 0;
  for (int turn = 0; turn < 2; ++turn)
    for (int i = 0; i < count; ++i) {
      auto& b = buffers[i];
      if (b.streamed != (turn == 1)) continue;
      b.offset = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (int k = 0; k < count; ++k) {
          auto const& a = buffers[k];
          if (!(a.streamed == b.streamed ? k < i : turn == 1)) continue; // has no place yet
          bool const together = a.first <= b.last && b.first <= a.last;
          long const ends = a.offset + in_workspace(a.bytes);
          if (together && a.offset < b.offset + in_workspace(b.bytes) && b.offset < ends) b.offset = ends, moved = true;
        }
      }
      end = end < b.offset + in_workspace(b.bytes) ? b.offset + in_workspace(b.bytes) : end;
    }
  return end;
}
/// The same of a plan that runs in blocks.
constexpr long lay_out(placement* buffers, int count, blocking const& blocks) {
  if (!blocks.whole()) {
    cut_to_block(buffers, count, blocks);
    keep_the_rest(buffers, count);
  }
  return lay_out(buffers, count);
}

/// Calls f for each buffer that a tree or region reads directly. What is compiled for one f serves all trees, so that
/// walks of many trees are objects of one type, not a lambda in each.
struct visiting {
  template <class F, class X>
  static void of(F const& f, X& x) {
    if constexpr (is_buffer<X>) f(x);
    else if constexpr (requires { X::is_region; }) x.operands([&](auto&... y) { (of(f, y), ...); });
    else if constexpr (!is_plain<X>) inner(f, x);
  }

private:
  template <class F, class Op, class... X>
  static void inner(F const& f, elementwise<Op, X...>& e) {
    with_values(e.x, [&](X&... x) { (of(f, x), ...); });
  }
  template <class F, class T, class I, class D>
  static void inner(F const& f, gather_node<T, I, D>& e) {
    of(f, e.table);
    of(f, e.ids);
  }
};
template <class X, class F>
void each_buffer(X& x, F const& f) {
  visiting::of(f, x);
}

/// The extents of a region's dims at run time: those of its result, and those its operands say.
template <class R, class Result>
struct run_time_extents {
  R const& region;
  Result const& result;
  template <class D>
  long of() const {
    if constexpr (has<Result, D>) return result.extents[index_in<D>(typename Result::shape::dims{})];
    else return inner<D>();
  }
  /// Of a dim summed over, which may bear the name of one of the result.
  template <class D>
  long inner() const {
    long n = unknown;
    region.operands([&](auto const&... x) { ((n = n >= 0 ? n : size_of<D>(x)), ...); });
    return n;
  }
};

/// Throws shape_error where the rows of a region would be of several lengths: a dim that is summed over bears the name of
/// another one, which is as long only as far as the compiler knows.
template <class R, class Result>
void check_rows(R const&, Result const&) {}
template <class L, class I, bool Each, class... S, class Result>
void check_rows(rows<L, I, Each, S...> const& region, Result const& result) {
  auto const one = [&]<class D>(std::type_identity<D>) {
    long length = unknown;
    auto const meet = [&](long n) {
      if (n >= 0 && length >= 0 && n != length) attend::detail::extents_differ({"a sum, mean, max, min or softmax over a dim of the same name"}, &D::name, length, n);
      length = length >= 0 ? length : n;
    };
    if constexpr (has<Result, D>) meet(result.extents[index_in<D>(typename Result::shape::dims{})]);
    region.operands([&](auto const&... x) { (meet(size_of<D>(x)), ...); });
  };
  [&]<class... D>(types<D...>) { (one(std::type_identity<D>{}), ...); }(I{});
}

template <class V>
std::string describe(V const& v, char const* type) {
  std::string text = "(";
  int i = 0;
  [&]<class... D>(types<D...>) { ((text += (i ? ", " : "") + D::name() + " = " + std::to_string(v.extents[i]), ++i), ...); }(typename V::shape::dims{});
  return text + ") " + type;
}

/// A dim where plans are told apart at run time, so that none is compiled for each; that of void is null.
using dim_number = void const*;
template <class D>
inline constexpr char numbered = 0;
template <class D>
inline constexpr dim_number number_of = &numbered<D>;
template <>
inline constexpr dim_number number_of<void> = nullptr;

/// Numbers buffers and finds equal ones; Describe says whether the steps are wanted as data too, as explain does.
template <bool Describe>
class placing {
public:
  placing() = default;
  /// Of a plan that is streamed along a dim; of a further block what has not that dim is there already.
  explicit placing(dim_number stream, bool further = false) : stream_(stream), further_(further) {}

  std::vector<step> steps;
  std::vector<placement> buffers;

  /// The root region, whose result is elements of T in a view.
  template <class T, class R, class Result>
  void root(R& region, Result const& result) { add<T>(region, result, -1); }

  /// The blocks that the plan runs in.
  blocking blocks(long extent) const { return blocks_of(buffers.data(), static_cast<int>(buffers.size()), extent); }
  /// Lays the buffers out in one workspace; the bytes needed. Of a plan that runs in blocks, those of the first.
  long lay_out(blocking const& blocks = {}) { return detail::lay_out(buffers.data(), static_cast<int>(buffers.size()), blocks); }
  /// The same where this plan itself is a block.
  long lay_out_block() {
    keep_the_rest(buffers.data(), static_cast<int>(buffers.size()));
    return lay_out();
  }
  /// Tells every buffer where it is.
  void settle(std::byte* workspace) {
    for (auto const& p : pointers_) *p.memory = workspace + buffers[static_cast<std::size_t>(p.number)].offset;
  }

private:
  struct known {
    void const* type;
    void const* region;
    int number;
  };
  struct pointer {
    std::byte** memory;
    int number;
  };
  template <class B>
  static constexpr char type_id = 0;
  struct reader {
    placing& places;
    std::vector<int>& reads;
    template <class B>
    void operator()(B& b) const { reads.push_back(places.place(b)); }
  };

  template <class T, class R, class Result>
  void add(R& region, Result const& result, int number) {
    std::vector<int> reads;
    each_buffer(region, reader{*this, reads});
    check_rows(region, result);
    int const at = count_++;
    for (int r : reads) buffers[static_cast<std::size_t>(r)].last = at;
    if (number >= 0) buffers[static_cast<std::size_t>(number)].first = buffers[static_cast<std::size_t>(number)].last = at;
    if constexpr (Describe) {
      run_time_extents<R, Result> const n{region, result};
      steps.push_back({R::name, R::pattern, describe(result, type_name<T>()), flops_of<R>(n), bytes_of<R, T>(n), number, std::move(reads)});
    }
  }
  template <class X, class T, class S, class... A>
  int place(buffer<X, T, S, A...>& b) {
    for (auto const& k : known_)
      if (k.type == &type_id<types<X, T, S>> && same(*static_cast<X const*>(k.region), b.x)) {
        b.computed = false;
        pointers_.push_back({&b.memory, k.number});
        return k.number;
      }
    auto const whole = b.whole();
    long bytes = static_cast<long>(sizeof(T));
    for (int i = 0; i < whole.rank; ++i) bytes *= whole.extents[i];
    int const number = static_cast<int>(buffers.size());
    bool const streamed = is_streamed(S{});
    if (further_ && !streamed) b.computed = false;
    buffers.push_back({bytes, 0, 0, streamed, 0});
    pointers_.push_back({&b.memory, number});
    add<T>(b.x, whole, number);
    known_.push_back({&type_id<types<X, T, S>>, &b.x, number});
    return number;
  }

  template <class... D>
  bool is_streamed(types<D...>) const { return ((stream_ == number_of<D>) || ...); }

  dim_number stream_ = nullptr;
  bool further_ = false;
  int count_ = 0;
  std::vector<known> known_;
  std::vector<pointer> pointers_;
};

} // namespace detail
} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
