// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Regions: what one step computes, once a pattern has taken its part of the tree. Operands are leaves - tensors, or
// buffers that hold the regions of earlier steps. Every region names its kernel, its dims and what it costs.
//
// A region is also data for the compiler: `operand_types` are the trees that `operands` hands out, factors left out.
#pragma once
#include <attend/codegen/canonical.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

/// A value the kernel brings: the score, or the result of an earlier stage.
template <int I, class T>
struct placeholder : node<placeholder<I, T>> {
  using value_type = T;
  using space = anywhere;
  using shape = attend::shape<>;
  using orientation = no_orientation;
};

/// A factor of a region that is a number.
using factor = scalar<double>;
/// Where a region has no such operand.
struct nothing : node<nothing> {
  using value_type = float;
  using space = anywhere;
  using shape = attend::shape<>;
  using orientation = no_orientation;
};

/// The dims of an attention. Row and Width are void where the query has one row, or the value one column, without a dim
/// for it.
template <class Batch, class Row, class Column, class Depth, class Width>
struct attention_roles {
  using batch = Batch;
  using row = Row;
  using column = Column;
  using depth = Depth;
  using width = Width;
};

/// Attention: out(batch..., s, e) = output_scale * gain * sum over t of weighing(w) v, the weights w being
/// softmax_t(score(scale * sum over d of q k)), or the scores themselves where Empty is void. `weighing` is linear in the
/// weight; `gain` is of the rows and may use their log-sum-exp. The weights, as they meet v, and the log-sum-exps can be
/// written as well.
template <class Query, class Key, class Value, class Score, class Weighing, class Gain, class Empty, class Roles, class Weights = no_view, class Sums = no_view>
struct attention {
  static constexpr bool is_region = true;
  static constexpr char const* pattern =
      std::is_void_v<Empty> ? "contract(f(contract(q, k, d)), v, t)" : "contract(w(softmax(f(contract(q, k, d)), t)), v, t)";
  static constexpr char const* name = "fused attention";
  using value_type = typename Value::value_type;
  using space = typename Value::space;
  using batch = typename Roles::batch;
  using row = typename Roles::row;
  using column = typename Roles::column;
  using depth = typename Roles::depth;
  using width = typename Roles::width;
  using score_type = Score;
  using empty = Empty;
  using operand_types = attend::detail::types<Query, Key, Value, Score, Weighing, Gain>;
  Query query;       // (batch..., s, d)
  Key key;           // (batch..., t, d)
  Value value;       // (batch..., t, e)
  Score score;       // f, its product replaced by placeholder<0>
  Weighing weighing; // w, its softmax replaced by placeholder<0>
  Gain gain;         // (batch..., s), the row's log-sum-exp replaced by placeholder<0>
  factor scale, output_scale;
  bool guard; // false: operands that share a type are different tensors, and this is no softmax
  recorded_views<Weights, Sums> also;

  template <class F>
  decltype(auto) operands(F&& f) { return f(query, key, value, score, weighing, gain, scale, output_scale); }
  template <class F>
  decltype(auto) operands(F&& f) const { return f(query, key, value, score, weighing, gain, scale, output_scale); }
};

/// Product: out = residual + activation(scale * sum over dims of x y + bias), everything by name.
template <class X, class Y, class Dims, class Activation, class Bias, class Residual>
struct product {
  static constexpr bool is_region = true;
  static constexpr char const* pattern = "contract(x, y, dims) with epilogue";
  static constexpr char const* name = "matrix product";
  using value_type = typename attend::detail::joined_type<X, Y>::type;
  using space = typename attend::detail::joined_space<typename X::space, typename Y::space>::type;
  using dims = Dims;
  using activation = Activation;
  using operand_types = attend::detail::types<X, Y, Bias, Residual>;
  X x;
  Y y;
  Bias bias;
  Residual residual;
  factor scale;

  template <class F>
  decltype(auto) operands(F&& f) { return f(x, y, bias, residual, scale); }
  template <class F>
  decltype(auto) operands(F&& f) const { return f(x, y, bias, residual, scale); }
};

/// One reduction of a row: Op of x over the inner dims; x may use the results of the stages before it.
template <class Op, class X>
struct stage {
  using op = Op;
  using space = typename X::space;
  X x;
};

/// Reduce, then map: the stages over the inner dims in order, then `last` of their results, for every element of the
/// row (it has the inner dims: a normalisation) or once a row (a reduction).
template <class Last, class Inner, bool EachElement, class... Stages>
struct rows {
  static constexpr bool is_region = true;
  static constexpr char const* pattern = EachElement ? "reduce, then map, along a row" : "reduction of an elementwise expression";
  static constexpr char const* name = EachElement ? "row normalisation" : "reduction";
  using value_type = typename Last::value_type;
  using space = typename attend::detail::joined_space<typename Last::space, typename Stages::space...>::type;
  using inner = Inner;
  using operand_types = attend::detail::types<Last, decltype(Stages::x)...>;
  static constexpr bool each_element = EachElement;
  static constexpr int stage_count = sizeof...(Stages);
  attend::detail::pack<Stages...> stages;
  Last last;

  template <class F>
  decltype(auto) operands(F&& f) {
    return with_values(stages, [&](Stages&... s) -> decltype(auto) { return f(last, s.x...); });
  }
  template <class F>
  decltype(auto) operands(F&& f) const {
    return with_values(stages, [&](Stages const&... s) -> decltype(auto) { return f(last, s.x...); });
  }
};

/// One pass over the elements of the result.
template <class X>
struct pass {
  static constexpr bool is_region = true;
  static constexpr char const* pattern = "elementwise";
  static constexpr char const* name = "elementwise pass";
  using value_type = typename X::value_type;
  using space = typename X::space;
  using operand_types = attend::detail::types<X>;
  X x;

  template <class F>
  decltype(auto) operands(F&& f) { return f(x); }
  template <class F>
  decltype(auto) operands(F&& f) const { return f(x); }
};

namespace detail {
template <class R>
concept region_type = requires { R::is_region; };

/// Whether a tree or region looks ids up.
template <class X>
struct is_lookup : std::false_type {};
template <class T, class I, class D>
struct is_lookup<gather_node<T, I, D>> : std::true_type {};
template <class X>
inline constexpr bool looks_up = attend::detail::stands_in<is_lookup, X>;
template <class L, class I, bool Each, class... S>
inline constexpr bool looks_up<rows<L, I, Each, S...>> = (looks_up<L> || ... || looks_up<S>);
} // namespace detail

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
