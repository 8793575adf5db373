// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle: the written tree of an expression, node by node in float64, each element with a bound on what rounding
// may do to a sound implementation. It takes the expression as it stands: no normal form, no plan, no kernel.
#pragma once
#include <attend/codegen/sizes.hpp>
#include <attend/kernels/reference/array.hpp>
#include <attend/language.hpp>

namespace attend {
namespace detail::inline ATTEND_DETAIL_ISA {

namespace reference = kernels::reference;

// Which arithmetic a node of type T may be computed in, and which format its result may be kept in.
template <class T>
inline constexpr auto const& computed_in = std::same_as<T, double> ? reference::in_f64
                                           : floating<T>           ? reference::in_f32
                                                                   : reference::exactly;
template <class T>
inline constexpr auto const& kept_in = std::same_as<T, bf16>  ? reference::in_bf16
                                       : std::same_as<T, f16> ? reference::in_f16
                                                              : computed_in<T>;

template <class D>
inline constexpr reference::axis_name axis_name_of{&D::name};
template <class List>
inline constexpr reference::names axis_names{};
template <class... D>
inline constexpr reference::names axis_names<types<D...>>{axis_name_of<D>...};

// The vocabulary in bounded numbers.
struct bounded_vocabulary {
  struct kept {};      // a cast to the type there already is: nobody needs to round
  struct div_whole {}; // of whole numbers
  using X = reference::bounded const*;
  using P = reference::precision const&;
  // clang-format off
  static auto of(op::add, X x, P p) { return add(x[0], x[1], p); }
  static auto of(op::sub, X x, P p) { return sub(x[0], x[1], p); }
  static auto of(op::mul, X x, P p) { return mul(x[0], x[1], p); }
  static auto of(op::div, X x, P p) { return div(x[0], x[1], p); }
  static auto of(div_whole, X x, P p) { return reference::div_whole(x[0], x[1], p); }
  static auto of(op::max, X x, P) { return max(x[0], x[1]); }
  static auto of(op::min, X x, P) { return min(x[0], x[1]); }
  static auto of(op::pow, X x, P p) { return pow(x[0], x[1], p); }
  static auto of(op::neg, X x, P) { return neg(x[0]); }
  static auto of(op::abs, X x, P) { return abs(x[0]); }
  static auto of(op::floor, X x, P) { return floor(x[0]); }
  static auto of(op::exp, X x, P p) { return exp(x[0], p); }
  static auto of(op::log, X x, P p) { return log(x[0], p); }
  static auto of(op::sqrt, X x, P p) { return sqrt(x[0], p); }
  static auto of(op::rsqrt, X x, P p) { return rsqrt(x[0], p); }
  static auto of(op::sin, X x, P p) { return sin(x[0], p); }
  static auto of(op::cos, X x, P p) { return cos(x[0], p); }
  static auto of(op::tanh, X x, P p) { return tanh(x[0], p); }
  static auto of(op::erf, X x, P p) { return erf(x[0], p); }
  static auto of(op::sigmoid, X x, P p) { return sigmoid(x[0], p); }
  static auto of(op::relu, X x, P) { return relu(x[0]); }
  static auto of(op::gelu, X x, P p) { return gelu(x[0], p); }
  static auto of(op::gelu_tanh, X x, P p) { return gelu_tanh(x[0], p); }
  static auto of(op::silu, X x, P p) { return silu(x[0], p); }
  static auto of(op::less, X x, P) { return less(x[0], x[1]); }
  static auto of(op::less_equal, X x, P) { return less_equal(x[0], x[1]); }
  static auto of(op::equal, X x, P) { return equal(x[0], x[1]); }
  static auto of(op::not_equal, X x, P) { return not_equal(x[0], x[1]); }
  static auto of(op::both, X x, P) { return both(x[0], x[1]); }
  static auto of(op::either, X x, P) { return either(x[0], x[1]); }
  static auto of(op::no, X x, P) { return no(x[0]); }
  static auto of(op::where, X x, P) { return where(x[0], x[1], x[2]); }
  static auto of(op::masked, X x, P) { return masked(x[0], x[1]); }
  static auto of(kept, X x, P p) { return correctly_rounded(x[0], p); }
  template <class T>
  static auto of(op::cast<T>, X x, P) {
    if constexpr (std::same_as<T, bool>) return as_truth(x[0]);
    else if constexpr (whole<T>) return cast_whole(x[0]);
    else return cast(x[0], kept_in<T>);
  }
  // clang-format on

  template <class Op>
  static reference::bounded at_one(X x, P p) {
    return of(Op{}, x, p);
  }
  // What Op does to elements of these types.
  template <class Op, class... T>
  static constexpr reference::operation on() {
    if constexpr ((std::same_as<Op, op::cast<T>> && ...)) return at_one<kept>;
    else if constexpr (std::same_as<Op, op::div> && (!floating<T> && ...)) return at_one<div_whole>;
    else return at_one<Op>;
  }

  static constexpr reference::row_operation over_rows(op::sum) { return reference::sum; }
  static constexpr reference::row_operation over_rows(op::mean) { return reference::mean; }
  static constexpr reference::row_operation over_rows(op::max) { return reference::largest; }
  static constexpr reference::row_operation over_rows(op::min) { return reference::smallest; }
  static constexpr reference::row_operation over_rows(op::logsumexp) { return reference::logsumexp; }
};

template <class Empty>
constexpr reference::empty_policy policy_of() {
  return std::same_as<Empty, empty_row::zeros_t>     ? reference::empty_policy::zeros
         : std::same_as<Empty, empty_row::uniform_t> ? reference::empty_policy::uniform
                                                     : reference::empty_policy::nan;
}

// Whether a position stands in an expression, so that what is around it must tell extents.
template <class X>
struct is_position : std::false_type {};
template <class D>
struct is_position<index_node<D>> : std::true_type {};
template <class D>
struct is_position<length_node<D>> : std::true_type {};
template <class E>
inline constexpr bool has_position = stands_in<is_position, E>;

/// The extents of dims where a node stands, for those that only positions have there. A scope lies inside another and
/// tells of some dims anew: their extents, `unknown` where the outer one knows, or `gone` where the name is another dim's.
struct scope {
  static constexpr long gone = -3;
  scope const* outer;
  reference::frame here;

  // -1 where nobody knows
  long find(reference::axis_name const& a) const {
    int const i = reference::find(here.axes, a);
    long const n = i >= 0 ? here.shape[i] : unknown;
    if (n >= 0) return n;
    return n == gone || !outer ? -1 : outer->find(a);
  }
  long operator[](reference::axis_name const& a) const {
    long const n = find(a);
    if (n < 0) throw std::out_of_range("nothing tells the extent of " + reference::text(a));
    return n;
  }
};

/// Evaluates a node: what it is made of, in the words of the reference machine.
struct oracle_walk {
  using array = reference::array;
  using K = scope const&;

  template <class E>
  static constexpr reference::names const& axes_of = axis_names<typename E::shape::dims>;
  template <class E>
  static constexpr reference::precision const& precision_of = computed_in<typename E::value_type>;

  // Where the operands of a node stand: it knows of its dims what its tensors tell.
  template <class E>
  static decltype(auto) inside(E const& e, K outer) {
    if constexpr (has_position<E>) {
      auto const sizes = codegen::sizes_of(e);
      return scope{&outer, {axes_of<E>, reference::extents(sizes.n, sizes.n + E::shape::rank)}};
    } else return (outer);
  }
  // Where x stands if some dims are its own affair.
  template <class Dims, class X>
  static decltype(auto) without(X const&, K outer) {
    if constexpr (has_position<X>)
      return scope{&outer, {axis_names<Dims>, reference::extents(Dims::size, scope::gone)}};
    else return (outer);
  }

  template <class T>
  static double element(void const* data, long i) {
    return static_cast<double>(static_cast<T const*>(data)[i]);
  }
  template <class T, class S, class... A>
  static array of(tensor_view<T, S, A...> const& v, K) {
    static_assert(std::same_as<S, struct host>, "the oracle reads host memory");
    reference::frame const f{axes_of<tensor_view<T, S, A...>>, reference::extents(v.extents, v.extents + v.rank)};
    return reference::read(f, reference::extents(v.strides, v.strides + v.rank), v.data, element<T>);
  }
  template <class T, class S, class... A>
  static array of(owned<T, S, A...> const& x, K k) {
    return of(x.whole, k);
  }
  template <class T>
  static array of(scalar<T> const& x, K) {
    return reference::filled({}, {static_cast<double>(x.value), 0});
  }
  template <class D>
  static array of(index_node<D> const&, K k) {
    return reference::index(axis_name_of<D>, k[axis_name_of<D>]);
  }
  template <class D>
  static array of(length_node<D> const&, K k) {
    long const n = k[axis_name_of<D>];
    return reference::filled({{axis_name_of<D>}, {n}}, {static_cast<double>(n), 0});
  }

  // A constant takes the format of what it meets.
  template <class E, class X>
  static array operand(X const& x, K k) {
    if constexpr (is_scalar<X> && floating<typename X::value_type>)
      return reference::filled({}, reference::constant(static_cast<double>(x.value), computed_in<E>));
    else return of(x, k);
  }
  template <class Op, class... X>
  static array of(elementwise<Op, X...> const& e, K outer) {
    using E = elementwise<Op, X...>;
    using meeting = as_floating<typename joined<X...>::value_type>;
    constexpr auto f = bounded_vocabulary::on<Op, typename X::value_type...>();
    auto const& k = inside(e, outer);
    return with_values(e.x, [&](X const&... x) { return reference::map(axes_of<E>, {operand<meeting>(x, k)...}, f, precision_of<E>); });
  }
  template <class M, class X>
  static array of(elementwise<op::masked, M, X> const& e, K outer) {
    using E = elementwise<op::masked, M, X>;
    auto const& k = inside(e, outer);
    return reference::map(axes_of<E>, {of(operand_of<0>(e), k), of(operand_of<1>(e), k)},
                          bounded_vocabulary::at_one<op::masked>, precision_of<E>);
  }

  // What must lie in memory before it is read is kept in its type: attention weights that a matrix kernel reads, in bf16.
  template <class X>
  static array factor(X const& x, K k) {
    if constexpr (half_precision<typename X::value_type>)
      return reference::stored(of(x, k), kept_in<typename X::value_type>);
    else return of(x, k);
  }
  template <class X, class Y, class D, class O>
  static array of(contraction<X, Y, D, O> const& e, K outer) {
    using E = contraction<X, Y, D, O>;
    auto const& others = without<D>(e, outer);
    auto const& known_to_y = inside(e.y, others);
    auto const& k = inside(e.x, known_to_y);
    return reference::contract(axes_of<E>, factor(e.x, k), factor(e.y, k), axis_names<D>, precision_of<E>);
  }
  template <class Op, class X, class D>
  static array of(reduction<Op, X, D> const& e, K outer) {
    return reference::reduce(of(e.x, without<D>(e.x, outer)), axis_names<D>, bounded_vocabulary::over_rows(Op{}),
                             precision_of<reduction<Op, X, D>>);
  }
  template <class X, class D, class Empty, class O>
  static array of(softmax_node<X, D, Empty, O> const& e, K outer) {
    return reference::softmax(of(e.x, outer), axis_names<D>, policy_of<Empty>(),
                              precision_of<softmax_node<X, D, Empty, O>>);
  }
  template <class T, class I, class D>
  static array of(gather_node<T, I, D> const& e, K outer) {
    auto const& k = inside(e, outer);
    array const table = factor(e.table, without<types<D>>(e.table, k));
    return reference::gather(axes_of<gather_node<T, I, D>>, table, axis_name_of<D>, of(e.ids, k));
  }
  template <class X>
  static array of(dropout_node<X> const& e, K outer) {
    return reference::dropout(of(e.x, outer), e.p, static_cast<std::uint64_t>(e.seed), precision_of<dropout_node<X>>);
  }

  template <class X>
  static array of(transposed<X> const& e, K outer) {
    return of(e.x, outer);
  }
  template <class X, class R, class C>
  static array of(oriented_node<X, R, C> const& e, K outer) {
    return of(e.x, outer);
  }
  template <class X>
  static array of(as_written_node<X> const& e, K outer) {
    return of(e.x, outer);
  }
  template <class X, class F, class T>
  static array of(renamed<X, F, T> const& e, K outer) {
    constexpr auto const &from = axis_name_of<F>, &to = axis_name_of<T>;
    long const n = outer.find(to);
    return reference::rename(of(e.x, scope{&outer, {{from, to}, {n < 0 ? scope::gone : n, scope::gone}}}), from, to);
  }
  template <class X, class C, class... P>
  static array of(split_node<X, C, P...> const& e, K outer) {
    using parts = types<typename P::dim...>;
    scope k{&outer, {{axis_name_of<C>}, {unknown}}};
    if constexpr (has_position<X>) { // where only positions have C, it is what its parts make
      long n = 1;
      for (auto const& part : axis_names<parts>) n *= std::max(outer.find(part), 0l);
      long const whole = codegen::sizes_of(e.x).template of<C>();
      k.here = {reference::then({axis_name_of<C>}, axis_names<parts>),
                reference::extents(1 + parts::size, scope::gone)};
      k.here.shape[0] = whole >= 0 ? whole : n;
    }
    array const x = of(e.x, k);
    auto const sizes = codegen::detail::sizing::parts_of(e, reference::extent(x, axis_name_of<C>));
    reference::frame const to{axis_names<parts>, reference::extents(sizes.n, sizes.n + parts::size)};
    return reference::split(x, axis_name_of<C>, to);
  }
  template <class X, class D, class C>
  static array of(merged<X, D, C> const& e, K outer) {
    return reference::merge(axes_of<merged<X, D, C>>, factor(e.x, without<types<C>>(e.x, outer)), axis_names<D>,
                            axis_name_of<C>);
  }
  template <class X, class D, long N>
  static array of(sliced<X, D, N> const& e, K outer) {
    scope const k{&outer, {{axis_name_of<D>}, {e.end}}}; // for positions: all that is seen of them
    return reference::slice(factor(e.x, k), axis_name_of<D>, e.begin, e.end - e.begin);
  }
  template <class X, class D>
  static array of(at_node<X, D> const& e, K outer) {
    scope const k{&outer, {{axis_name_of<D>}, {e.i + 1}}};
    return reference::at(factor(e.x, k), axis_name_of<D>, e.i);
  }
};

} // namespace detail::inline ATTEND_DETAIL_ISA

inline namespace ATTEND_DETAIL_ISA {

/// The expression in float64 with error bounds, its result as an implementation would store it; axes in the order of
/// the expression's dims. Throws std::invalid_argument where extents disagree.
template <expression E>
kernels::reference::array oracle(E const& e) {
  if constexpr (detail::broken<E>) return {};
  else
    return kernels::reference::stored(detail::oracle_walk::of(detail::as_node(e), {}),
                                      detail::kept_in<typename E::value_type>);
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend
