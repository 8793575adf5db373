// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle: the written tree of an expression, node by node in float64, each element with a bound on what rounding
// may do to a sound implementation. It takes the expression as it stands: no normal form, no plan, no kernel.
#pragma once
#include <attend/kernels/reference/compare.hpp>
#include <attend/language.hpp>
#include <map>

namespace attend {
namespace detail {

namespace reference = kernels::reference;

// Which arithmetic a node of type T may be computed in, and which format its result may be kept in.
template <class T>
constexpr reference::precision computed_in() {
  if constexpr (std::same_as<T, double>) return reference::in_f64;
  else if constexpr (floating<T>) return reference::in_f32;
  else return reference::exactly;
}
template <class T>
constexpr reference::precision kept_in() {
  if constexpr (std::same_as<T, bf16>) return reference::in_bf16;
  else if constexpr (std::same_as<T, f16>) return reference::in_f16;
  else return computed_in<T>();
}

template <class D>
struct axis_name_of {
  static reference::axis_name get() { return {D::name(), 0}; }
};
template <class D>
struct axis_name_of<primed<D>> {
  static reference::axis_name get() {
    auto name = axis_name_of<D>::get();
    ++name.primes;
    return name;
  }
};
template <class... D>
reference::names axis_names(types<D...>) {
  return {axis_name_of<D>::get()...};
}

// The vocabulary in bounded numbers.
struct bounded_vocabulary {
  using B = reference::bounded const&;
  using P = reference::precision const&;
  // clang-format off
  static auto of(op::add, P p, B x, B y) { return add(x, y, p); }
  static auto of(op::sub, P p, B x, B y) { return sub(x, y, p); }
  static auto of(op::mul, P p, B x, B y) { return mul(x, y, p); }
  static auto of(op::div, P p, B x, B y) { return div(x, y, p); }
  static auto of_whole(op::div, P p, B x, B y) { return div_whole(x, y, p); }
  static auto of(op::max, P, B x, B y) { return reference::max(x, y); }
  static auto of(op::min, P, B x, B y) { return reference::min(x, y); }
  static auto of(op::pow, P p, B x, B y) { return pow(x, y, p); }
  static auto of(op::neg, P, B x) { return neg(x); }
  static auto of(op::abs, P, B x) { return abs(x); }
  static auto of(op::floor, P, B x) { return floor(x); }
  static auto of(op::exp, P p, B x) { return exp(x, p); }
  static auto of(op::log, P p, B x) { return log(x, p); }
  static auto of(op::sqrt, P p, B x) { return sqrt(x, p); }
  static auto of(op::rsqrt, P p, B x) { return rsqrt(x, p); }
  static auto of(op::sin, P p, B x) { return sin(x, p); }
  static auto of(op::cos, P p, B x) { return cos(x, p); }
  static auto of(op::tanh, P p, B x) { return tanh(x, p); }
  static auto of(op::erf, P p, B x) { return erf(x, p); }
  static auto of(op::sigmoid, P p, B x) { return sigmoid(x, p); }
  static auto of(op::relu, P, B x) { return relu(x); }
  static auto of(op::gelu, P p, B x) { return gelu(x, p); }
  static auto of(op::gelu_tanh, P p, B x) { return gelu_tanh(x, p); }
  static auto of(op::silu, P p, B x) { return silu(x, p); }
  static auto of(op::less, P, B x, B y) { return less(x, y); }
  static auto of(op::less_equal, P, B x, B y) { return less_equal(x, y); }
  static auto of(op::equal, P, B x, B y) { return equal(x, y); }
  static auto of(op::not_equal, P, B x, B y) { return not_equal(x, y); }
  static auto of(op::both, P, B x, B y) { return both(x, y); }
  static auto of(op::either, P, B x, B y) { return either(x, y); }
  static auto of(op::no, P, B x) { return no(x); }
  static auto of(op::where, P, B c, B x, B y) { return where(c, x, y); }
  template <class T>
  static reference::bounded of(op::cast<T>, P, B x) {
    if constexpr (std::same_as<T, bool>) return as_truth(x);
    else if constexpr (whole<T>) return cast_whole(x);
    else return cast(x, kept_in<T>());
  }
  // clang-format on
};

template <class Empty>
constexpr reference::empty_policy policy_of() {
  return std::same_as<Empty, empty_row::zeros_t>     ? reference::empty_policy::zeros
         : std::same_as<Empty, empty_row::uniform_t> ? reference::empty_policy::uniform
                                                     : reference::empty_policy::nan;
}

// The extents known of some dims.
using known_extents = std::map<reference::axis_name, long>;

template <class... D>
known_extents without(known_extents k, [[maybe_unused]] types<D...> gone) {
  (k.erase(axis_name_of<D>::get()), ...);
  return k;
}
inline known_extents with(known_extents a, known_extents const& b) {
  a.insert(b.begin(), b.end());
  return a;
}
template <class From, class To>
known_extents with_name(known_extents k) {
  auto const found = k.find(axis_name_of<From>::get());
  if (found == k.end()) return k;
  long const n = found->second;
  k.erase(found);
  k[axis_name_of<To>::get()] = n;
  return k;
}

/// What a node knows of its dims' extents by itself: positions know nothing.
struct extents_known {
  template <class T, class S, class... A>
  static known_extents of(tensor_view<T, S, A...> const& v) {
    known_extents k;
    int i = 0;
    ((k[axis_name_of<typename A::dim>::get()] = v.extents[i++]), ...);
    return k;
  }
  template <class T, class S, class... A>
  static known_extents of(owned<T, S, A...> const& x) { return of(x.whole); }
  template <class T>
  static known_extents of(scalar<T> const&) { return {}; }
  template <class D>
  static known_extents of(index_node<D> const&) { return {}; }
  template <class D>
  static known_extents of(length_node<D> const&) { return {}; }
  template <class Op, class... X>
  static known_extents of(elementwise<Op, X...> const& e) {
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      known_extents k;
      ((k = with(k, of(operand_of<I>(e)))), ...);
      return k;
    }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class X, class Y, class D, class O>
  static known_extents of(contraction<X, Y, D, O> const& e) { return without(with(of(e.x), of(e.y)), D{}); }
  template <class Op, class X, class D>
  static known_extents of(reduction<Op, X, D> const& e) { return without(of(e.x), D{}); }
  template <class X, class D, class P, class O>
  static known_extents of(softmax_node<X, D, P, O> const& e) { return of(e.x); }
  template <class T, class I, class D>
  static known_extents of(gather_node<T, I, D> const& e) { return with(of(e.ids), without(of(e.table), types<D>{})); }
  template <class X>
  static known_extents of(dropout_node<X> const& e) { return of(e.x); }
  template <class X>
  static known_extents of(transposed<X> const& e) { return of(e.x); }
  template <class X, class R, class C>
  static known_extents of(oriented_node<X, R, C> const& e) { return of(e.x); }
  template <class X, class F, class T>
  static known_extents of(renamed<X, F, T> const& e) { return with_name<F, T>(of(e.x)); }
  template <class X, class C, class... P>
  static known_extents of(split_node<X, C, P...> const& e) {
    known_extents k = of(e.x);
    auto const whole = k.find(axis_name_of<C>::get());
    if (whole == k.end()) return k;
    auto const parts = part_extents(e, whole->second);
    k.erase(whole);
    int i = 0;
    ((k[axis_name_of<typename P::dim>::get()] = parts[static_cast<std::size_t>(i++)]), ...);
    return k;
  }
  template <class X, class... D, class C>
  static known_extents of(merged<X, types<D...>, C> const& e) {
    known_extents k = of(e.x);
    long n = 1;
    bool all = true;
    for (auto const& name : axis_names(types<D...>{})) {
      all = all && k.contains(name);
      n *= k.contains(name) ? k[name] : 0;
    }
    k = without(k, types<D...>{});
    if (all) k[axis_name_of<C>::get()] = n;
    return k;
  }
  template <class X, class D, long N>
  static known_extents of(sliced<X, D, N> const& e) {
    known_extents k = of(e.x);
    k[axis_name_of<D>::get()] = e.end - e.begin;
    return k;
  }
  template <class X, class D>
  static known_extents of(at_node<X, D> const& e) { return without(of(e.x), types<D>{}); }

  // The part left out, if any, is what the others leave.
  template <class X, class C, class... P>
  static reference::extents part_extents(split_node<X, C, P...> const& e, long whole) {
    reference::extents parts;
    long others = 1;
    for (std::size_t i = 0; i < sizeof...(P); ++i) {
      long const fixed[] = {P::extent...};
      parts.push_back(e.extents[i] < 0 && fixed[i] >= 0 ? fixed[i] : e.extents[i]);
      if (parts.back() >= 0) others *= parts.back();
    }
    for (long& p : parts)
      if (p < 0) p = others == 0 ? 0 : whole / others;
    return parts;
  }
};

/// Evaluates a node. `outer` tells the extents of dims that only positions have here.
struct oracle_walk {
  using array = reference::array;
  using K = known_extents const&;

  template <class E>
  static array ordered(E const&, array x) {
    auto const axes = axis_names(typename E::shape::dims{});
    return axes == x.axes ? x : reference::arrange(x, axes);
  }

  template <class T, class S, class... A>
  static array of(tensor_view<T, S, A...> const& v, K) {
    static_assert(std::same_as<S, host>, "the oracle reads host memory");
    return elements(v.data, axis_names(types<typename A::dim...>{}), {v.extents, v.extents + v.rank}, {v.strides, v.strides + v.rank});
  }
  template <class T>
  static array elements(T const* data, reference::names axes, reference::extents shape, reference::extents const& strides) {
    return reference::generate(std::move(axes), std::move(shape), [&](reference::extents const& at) {
      return reference::bounded{static_cast<double>(data[reference::offset(strides, at)]), 0};
    });
  }
  template <class T, class S, class... A>
  static array of(owned<T, S, A...> const& x, K k) { return of(x.whole, k); }
  template <class T>
  static array of(scalar<T> const& x, K) { return reference::scalar({static_cast<double>(x.value), 0}); }
  template <class D>
  static array of(index_node<D> const&, K outer) { return reference::index(axis_name_of<D>::get(), outer.at(axis_name_of<D>::get())); }
  template <class D>
  static array of(length_node<D> const&, K outer) {
    auto const name = axis_name_of<D>::get();
    auto const n = static_cast<double>(outer.at(name));
    return reference::generate({name}, {outer.at(name)}, [&](auto const&) { return reference::bounded{n, 0}; });
  }

  // A constant takes the format of what it meets.
  template <class E, class X>
  static array operand(X const& x, K k) {
    array v = of(x, k);
    if constexpr (is_scalar<X> && floating<typename X::value_type>) v.set(0, constant(v.values[0], computed_in<E>()));
    return v;
  }
  template <class Op, class... X>
  static array of(elementwise<Op, X...> const& e, K outer) {
    using meeting = as_floating<typename joined<X...>::value_type>;
    known_extents const k = with(extents_known::of(e), outer);
    constexpr auto p = computed_in<typename elementwise<Op, X...>::value_type>();
    auto const f = [&](auto const&... x) {
      // a cast to the type there already is: nobody needs to round
      if constexpr ((std::same_as<Op, op::cast<typename X::value_type>> && ...)) return (correctly_rounded(x, kept_in<typename X::value_type>()), ...);
      else if constexpr (std::same_as<Op, op::div> && (!floating<typename X::value_type> && ...)) return bounded_vocabulary::of_whole(Op{}, p, x...);
      else return bounded_vocabulary::of(Op{}, p, x...);
    };
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return ordered(e, reference::map(f, operand<meeting>(operand_of<I>(e), k)...));
    }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class M, class X>
  static array of(elementwise<op::masked, M, X> const& e, K outer) {
    known_extents const k = with(extents_known::of(e), outer);
    return ordered(e, reference::map([](auto const& m, auto const& x) { return reference::masked(m, x); }, of(operand_of<0>(e), k), of(operand_of<1>(e), k)));
  }

  // What must lie in memory before it is read is kept in its type: attention weights that a matrix kernel reads, in bf16.
  template <class X>
  static array factor(X const& x, K k) {
    if constexpr (half_precision<typename X::value_type>) return reference::stored(of(x, k), kept_in<typename X::value_type>());
    else return of(x, k);
  }
  template <class X, class Y, class D, class O>
  static array of(contraction<X, Y, D, O> const& e, K outer) {
    known_extents const k = with(with(extents_known::of(e.x), extents_known::of(e.y)), without(outer, D{}));
    constexpr auto p = computed_in<typename contraction<X, Y, D, O>::value_type>();
    return ordered(e, reference::contract(factor(e.x, k), factor(e.y, k), axis_names(D{}), p));
  }

  template <class X, class D>
  static array reduced(reduction<op::sum, X, D> const&, array const& x) { return reference::sum(x, axis_names(D{}), computed_in<typename X::value_type>()); }
  template <class X, class D>
  static array reduced(reduction<op::mean, X, D> const&, array const& x) {
    return reference::mean(x, axis_names(D{}), computed_in<as_floating<typename X::value_type>>());
  }
  template <class X, class D>
  static array reduced(reduction<op::max, X, D> const&, array const& x) { return reference::max(x, axis_names(D{})); }
  template <class X, class D>
  static array reduced(reduction<op::min, X, D> const&, array const& x) { return reference::min(x, axis_names(D{})); }
  template <class X, class D>
  static array reduced(reduction<op::logsumexp, X, D> const&, array const& x) {
    return reference::logsumexp(x, axis_names(D{}), computed_in<as_floating<typename X::value_type>>());
  }
  template <class Op, class X, class D>
  static array of(reduction<Op, X, D> const& e, K outer) { return ordered(e, reduced(e, of(e.x, without(outer, D{})))); }

  template <class X, class D, class Empty, class O>
  static array of(softmax_node<X, D, Empty, O> const& e, K outer) {
    using T = typename softmax_node<X, D, Empty, O>::value_type;
    return reference::softmax(of(e.x, outer), axis_names(D{}), policy_of<Empty>(), computed_in<T>());
  }
  template <class T, class I, class D>
  static array of(gather_node<T, I, D> const& e, K outer) {
    known_extents const k = with(extents_known::of(e), outer);
    return ordered(e, reference::gather(factor(e.table, without(k, types<D>{})), axis_name_of<D>::get(), of(e.ids, k)));
  }
  template <class X>
  static array of(dropout_node<X> const& e, K outer) {
    return reference::dropout(of(e.x, outer), e.p, static_cast<std::uint64_t>(e.seed), computed_in<typename dropout_node<X>::value_type>());
  }

  template <class X>
  static array of(transposed<X> const& e, K outer) { return of(e.x, outer); }
  template <class X, class R, class C>
  static array of(oriented_node<X, R, C> const& e, K outer) { return of(e.x, outer); }
  template <class X, class F, class T>
  static array of(renamed<X, F, T> const& e, K outer) {
    known_extents const k = with_name<T, F>(without(outer, minus_t<types<F>, types<T>>{}));
    return reference::rename(of(e.x, k), axis_name_of<F>::get(), axis_name_of<T>::get());
  }
  template <class X, class C, class... P>
  static array of(split_node<X, C, P...> const& e, K outer) {
    using parts = types<typename P::dim...>;
    known_extents k = without(outer, types<C>{});
    reference::extents shape;
    long n = 1;
    known_extents const own = extents_known::of(e.x);
    auto const whole = own.find(axis_name_of<C>::get());
    for (auto const& name : axis_names(parts{})) n *= k.contains(name) ? k[name] : 0;
    k = without(k, parts{});
    k[axis_name_of<C>::get()] = whole != own.end() ? whole->second : n;
    array const x = of(e.x, k);
    return reference::split(x, axis_name_of<C>::get(), axis_names(parts{}), extents_known::part_extents(e, reference::extent(x, axis_name_of<C>::get())));
  }
  template <class X, class D, class C>
  static array of(merged<X, D, C> const& e, K outer) {
    return ordered(e, reference::merge(factor(e.x, without(outer, types<C>{})), axis_names(D{}), axis_name_of<C>::get()));
  }
  template <class X, class D, long N>
  static array of(sliced<X, D, N> const& e, K outer) {
    known_extents k = outer;
    k[axis_name_of<D>::get()] = e.end; // for positions: all that is seen of them
    return reference::slice(factor(e.x, k), axis_name_of<D>::get(), e.begin, e.end - e.begin);
  }
  template <class X, class D>
  static array of(at_node<X, D> const& e, K outer) {
    known_extents k = outer;
    k[axis_name_of<D>::get()] = e.i + 1;
    return ordered(e, reference::at(factor(e.x, k), axis_name_of<D>::get(), e.i));
  }
};

} // namespace detail

/// The expression in float64 with error bounds, its result as an implementation would store it; axes in the order of
/// the expression's dims. Throws std::invalid_argument where extents disagree.
template <expression E>
kernels::reference::array oracle(E const& e) {
  if constexpr (detail::broken<E>) return {};
  else return kernels::reference::stored(detail::oracle_walk::of(detail::as_node(e), {}), detail::kept_in<typename E::value_type>());
}

} // namespace attend
