// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluation: checks every extent, then runs the plan where the operands live.
#pragma once
#include <attend/rules.hpp> // first, so that an error is traced through no other header

#include <attend/codegen/together.hpp>
#include <attend/on.hpp>
#include <attend/oracle.hpp>
#include <attend/plan.hpp>
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tuple>

namespace attend {

/// What computes attention: the fused kernel where the expression has one, the unfused steps, or the float64 oracle.
enum class route { fused, thrust, reference };

/// The route that the environment variable ATTEND_ATTENTION names; fused without it.
/// Throws argument_error, with the list of known ones, for any other value.
inline route route_from_environment() {
  char const* const text = std::getenv("ATTEND_ATTENTION");
  std::string_view const name = text ? text : "";
  if (name.empty() || name == "fused") return route::fused;
  if (name == "thrust") return route::thrust;
  if (name == "reference") return route::reference;
  detail::unknown_route(text);
}

/// Where a result goes: tensors or views, whose dims are the expression's in any order.
template <class... V>
struct into_views {
  std::tuple<V...> views;
};

namespace detail::inline ATTEND_DETAIL_ISA {

template <class T, class S, class... A>
constexpr tensor_view<T, S, A...> writable(tensor<T, S, A...>& x) {
  return x.view();
}
template <class T, class S, class... A>
  requires(!std::is_const_v<T>)
constexpr tensor_view<T, S, A...> writable(tensor_view<T, S, A...> const& x) {
  return x;
}
template <class X>
constexpr auto writable(X const&) {
  if constexpr (broken<X>) return ill_formed{};
  else return violation<rule::into_writable<argument_given<X>>>{};
}

template <class E>
using node_of = lifted<E>;

template <class Shape>
inline constexpr bool every_extent_given = true;
template <class... A>
inline constexpr bool every_extent_given<shape<A...>> = ((A::extent != unknown) && ...);

// length(dim) that nothing in the expression says is the result's.
template <class X, class Out>
auto with_result_lengths(X const& tree, Out const& out) {
  if constexpr (codegen::detail::has_length<X>) {
    auto const sizes = codegen::detail::sizing::of(out);
    return codegen::detail::binding<std::remove_cv_t<decltype(sizes)>>{sizes}.of(tree);
  } else return tree;
}

template <class E, class Out>
void check_result(E const& e, Out const& out) {
  auto const sizes = codegen::sizes_of(e);
  [&]<class... D>(types<D...>) {
    [[maybe_unused]] auto const one = [&]<class Dim>(std::type_identity<Dim>) {
      long const want = sizes.template of<Dim>(), have = out.extent(Dim{});
      if (want >= 0 && want != have) codegen::detail::extents_differ({"evaluate(into(out), x)"}, &Dim::name, want, have);
    };
    (one(std::type_identity<D>{}), ...);
  }(typename E::shape::dims{});
}

// The oracle's values, rounded to the result's type; they are in the order of the expression's dims, the result in any.
template <class T>
void write_element(void* data, long i, double x) {
  static_cast<T*>(data)[i] = kernels::store_number<T>(x);
}
template <class E, class T, class S, class... A>
void run_reference(E const& e, tensor_view<T, S, A...> const& out) {
  [&]<class... D>(types<D...>) {
    kernels::reference::write(oracle(e), {out.stride(D{})...}, out.data, write_element<T>);
  }(typename E::shape::dims{});
}

/// The plan that the extents of an expression and its result ask for.
template <class E, class Out>
codegen::variant variant_for(E const& e, Out const& out) {
  using codegen::variant;
  if constexpr (codegen::has_variant<E, variant::split_otherwise>)
    if (!codegen::splits_undo_merges(e)) return variant::split_otherwise;
  if constexpr (codegen::has_variant<E, variant::other>) {
    auto const cost = [&](auto const& tree) { return codegen::detail::plan_cost(with_result_lengths(tree, out), out); };
    if (cost(codegen::planned_form<true, variant::other>(e)) < cost(codegen::planned_form<true, variant::likely>(e))) return variant::other;
  }
  return variant::likely;
}
/// f of the variant as a constant; only those are instantiated that one of the expressions E has.
template <class... E, class F>
void with_variant(codegen::variant v, F const& f) {
  using codegen::variant;
  if constexpr ((codegen::has_variant<E, variant::split_otherwise> || ...))
    if (v == variant::split_otherwise) return f(std::integral_constant<variant, variant::split_otherwise>{});
  if constexpr ((codegen::has_variant<E, variant::other> || ...))
    if (v == variant::other) return f(std::integral_constant<variant, variant::other>{});
  f(std::integral_constant<variant, variant::likely>{});
}

/// Runs one of an expression's plans.
template <codegen::variant V, codegen::machine M, class E, class Out>
void evaluate_plan(M const& on, E const& e, Out const& out, route how) {
  auto const tree = with_result_lengths(codegen::planned_form<true, V>(e), out);
  codegen::detail::check_lookups(tree, out);
  if (how == route::reference) {
    if constexpr (std::is_same_v<typename M::space, struct host>) return run_reference(e, out);
    else reference_of_device_memory();
  }
  using Written = std::remove_cv_t<decltype(codegen::planned_form<false, V>(e))>;
  using Recognised = std::remove_cv_t<decltype(codegen::planned_form<true, V>(e))>;
  if (!codegen::detail::guards_hold(tree)) { // a softmax only by its types: the tensors differ
    if constexpr (!std::is_same_v<Written, Recognised>)
      return codegen::detail::run<false>(on, with_result_lengths(codegen::planned_form<false, V>(e), out), out);
    how = route::thrust;
  }
  // without the fused kernels one order of the products is as good as another
  if constexpr (V == codegen::variant::other)
    if (how == route::thrust) return evaluate_plan<codegen::variant::likely>(on, e, out, how);
  codegen::detail::expect(on, tree, out);
  if (how == route::fused) codegen::detail::run<true>(on, tree, out);
  else if constexpr (V != codegen::variant::other) codegen::detail::run<false>(on, tree, out);
}

/// Runs an expression into a view of its dims.
template <codegen::machine M, class E, class Out>
void evaluate_node(M const& on, E const& e, Out const& out, route how) {
  check_result(e, out);
  with_variant<E>(variant_for(e, out), [&]<codegen::variant V>(std::integral_constant<codegen::variant, V>) { evaluate_plan<V>(on, e, out, how); });
}

// The machine for an expression, or for its result, where the caller names none.
template <class X>
using machine_of = typename codegen::machine_for<typename X::space>::type;

template <class E>
constexpr auto evaluable() {
  if constexpr (broken<E>) return ill_formed{};
  else if constexpr (!every_extent_given<typename E::shape>) return violation<rule::extent_known<apply_list_t<typename E::shape::dims, dims_of_expression>>>{};
  else if constexpr (!codegen::has_machine<typename E::space>) return violation<rule::machine_for_space<memory_of_x<typename E::space>>>{};
  else return fine{};
}
template <class E>
inline constexpr bool can_evaluate = std::is_same_v<decltype(evaluable<E>()), fine>;

template <class E, class Out>
constexpr auto fitting() {
  using Want = typename E::shape::dims;
  using Have = typename Out::shape::dims;
  using D = clash_t<typename E::shape, typename Out::shape>;
  if constexpr (broken<E> || broken<Out>) return ill_formed{};
  else if constexpr (minus_t<Want, Have>::size > 0 || minus_t<Have, Want>::size > 0)
    return violation<rule::into_same_dims<apply_list_t<Want, dims_of_expression>, apply_list_t<Have, dims_of_result>>>{};
  else if constexpr (!std::is_void_v<D>)
    return violation<rule::same_extent<extents_of_x_and_y<D, extent_in<typename E::shape, D>, extent_in<typename Out::shape, D>>>>{};
  else if constexpr (space_clash<E, Out>) return violation<rule::one_memory_space<memory_of_x<typename E::space>, memory_of_y<typename Out::space>>>{};
  else if constexpr (!codegen::has_machine<typename Out::space>) return violation<rule::machine_for_space<memory_of_x<typename Out::space>>>{};
  else return fine{};
}
template <class E, class Out>
inline constexpr bool fits_into = std::is_same_v<decltype(fitting<E, Out>()), fine>;

// The first of several answers that is a broken rule, else ill_formed where there is one of these.
template <class First, class... Rest>
constexpr auto first_violation() {
  if constexpr (sizeof...(Rest) == 0) return First{};
  else if constexpr (broken<First> && !std::is_same_v<First, ill_formed>) return First{};
  else return first_violation<Rest...>();
}

template <codegen::machine M, class E>
auto result_for(M const& on, E const& e) {
  auto const sizes = codegen::sizes_of(e);
  return [&]<class... A>(shape<A...>) {
    return on.template tensor<typename E::value_type>(extent_from<A>(sizes.template of<typename A::dim>())...);
  }(typename E::shape{});
}

// Whether a result or an expression is where the machine is that the caller named.
template <class M, class... X>
constexpr auto within_reach() {
  if constexpr (!((std::is_same_v<typename X::space, typename M::space>) && ...)) return violation<rule::stream_for_device_memory<memory_of_x<typename X::space>...>>{};
  else return fine{};
}
template <class M, class... X>
inline constexpr bool reaches = std::is_same_v<decltype(within_reach<M, X...>()), fine>;

// A machine that wants to know how far an evaluation is, is told its end, whatever route it took.
template <codegen::machine M>
void done(M const& on) {
  if constexpr (requires { on.finish(); }) on.finish();
}

template <codegen::machine M, class V, class E>
auto evaluate_one(M const& on, V const& out, E const& e) {
  if constexpr (!fits_into<E, V>) return fitting<E, V>();
  else if constexpr (!reaches<M, V>) return within_reach<M, V>();
  else return evaluate_node(on, e, out, route_from_environment()), done(on), fine{};
}
template <class V, class E>
auto evaluate_one(V const& out, E const& e) {
  if constexpr (!fits_into<E, V>) return fitting<E, V>();
  else return evaluate_one(machine_of<V>{}, out, e);
}

// Several results: those that others contain come first, and the others read them. Where they only look as if they
// shared, or another route is asked for, one after another is evaluated, and never by a plan compiled for that alone.
template <codegen::variant V, class E>
inline constexpr codegen::variant plan_alone = codegen::has_variant<E, V> && V == codegen::variant::split_otherwise ? V : codegen::variant::likely;
template <codegen::variant V, codegen::machine M, class Outs, class... E>
void run_plans(M const& on, Outs const& outs, route how, E const&... e) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    auto const trees = std::make_tuple(with_result_lengths(codegen::planned_form<true, V>(e), std::get<I>(outs))...);
    (codegen::detail::check_lookups(std::get<I>(trees), std::get<I>(outs)), ...);
    if (how != route::fused || !(codegen::detail::guards_hold(std::get<I>(trees)) && ...) || !codegen::run_together(on, trees, outs))
      (evaluate_plan<plan_alone<V, E>>(on, e, std::get<I>(outs), how), ...);
  }(std::index_sequence_for<E...>{});
}
template <codegen::machine M, class Outs, class... E>
auto evaluate_several(M const& on, Outs const& outs, E const&... e) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    if constexpr (!(fits_into<E, std::tuple_element_t<I, Outs>> && ...)) return first_violation<decltype(fitting<E, std::tuple_element_t<I, Outs>>())...>();
    else if constexpr (!reaches<M, std::tuple_element_t<I, Outs>...>) return within_reach<M, std::tuple_element_t<I, Outs>...>();
    else {
      route const how = route_from_environment();
      (check_result(e, std::get<I>(outs)), ...);
      auto const v = std::max({variant_for(e, std::get<I>(outs))...});
      with_variant<E...>(v, [&]<codegen::variant V>(std::integral_constant<codegen::variant, V>) { run_plans<V>(on, outs, how, e...); });
      return done(on), fine{};
    }
  }(std::make_index_sequence<sizeof...(E)>{});
}

template <class Outs, class... E>
auto evaluate_several(Outs const& outs, E const&... e) {
  return [&]<class... V>(std::type_identity<std::tuple<V...>>) {
    if constexpr (!(fits_into<E, V> && ...)) return first_violation<decltype(fitting<E, V>())...>();
    else return evaluate_several(machine_of<element_of_t<types<V...>, 0>>{}, outs, e...);
  }(std::type_identity<Outs>{});
}

template <codegen::machine M, class E>
auto evaluate_on(M const& on, E const& node) {
  auto out = result_for(on, node);
  evaluate_node(on, node, out.view(), route_from_environment());
  done(on);
  return out;
}
template <codegen::machine M, class... E>
auto evaluate_all_on(M const& on, E const&... node) {
  auto results = std::make_tuple(result_for(on, node)...);
  std::apply([&](auto&... out) { static_cast<void>(reported(evaluate_several(on, std::make_tuple(out.view()...), node...))); }, results);
  return results;
}

} // namespace detail::inline ATTEND_DETAIL_ISA

inline namespace ATTEND_DETAIL_ISA {

/// Names where results go: `evaluate(into(out), x)`, `evaluate(into(o, w), x, weights)`.
template <class... V>
auto into(V&&... out) {
  return into_views<decltype(detail::reported(detail::writable(out)))...>{{detail::reported(detail::writable(out))...}};
}

/// The value of an expression, a tensor of its dims where its operands live.
/// Throws shape_error where extents disagree and index_error where an id is outside its table.
template <expression E>
auto evaluate(E&& e) {
  auto const node = detail::lift(static_cast<E&&>(e));
  using Node = std::remove_cv_t<decltype(node)>;
  if constexpr (!detail::can_evaluate<Node>) return detail::reported(detail::evaluable<Node>());
  else return detail::evaluate_on(detail::machine_of<Node>{}, node);
}
/// The same on a stream of a device, or on any other machine: evaluate(on(stream), x). Asynchronous.
template <codegen::machine M, expression E>
auto evaluate(M const& where, E&& e) {
  auto const node = detail::lift(static_cast<E&&>(e));
  using Node = std::remove_cv_t<decltype(node)>;
  if constexpr (!detail::can_evaluate<Node>) return detail::reported(detail::evaluable<Node>());
  else if constexpr (!detail::reaches<M, Node>) return detail::reported(detail::within_reach<M, Node>());
  else return detail::evaluate_on(where, node);
}

/// The values of several expressions, which share what they have in common: `auto [o, w] = evaluate(x, weights)`.
template <expression... E>
  requires(sizeof...(E) > 1)
auto evaluate(E&&... e) {
  if constexpr (!(detail::can_evaluate<detail::lifted<E>> && ...)) {
    static_cast<void>(detail::reported(detail::first_violation<decltype(detail::evaluable<detail::lifted<E>>())...>()));
    return std::make_tuple((static_cast<void>(e), ill_formed{})...); // as many as there are names for
  } else return detail::evaluate_all_on(detail::machine_of<detail::element_of_t<detail::types<detail::lifted<E>...>, 0>>{}, detail::lift(static_cast<E&&>(e))...);
}
template <codegen::machine M, expression... E>
  requires(sizeof...(E) > 1)
auto evaluate(M const& where, E&&... e) {
  if constexpr (!(detail::can_evaluate<detail::lifted<E>> && ...)) {
    static_cast<void>(detail::reported(detail::first_violation<decltype(detail::evaluable<detail::lifted<E>>())...>()));
    return std::make_tuple((static_cast<void>(e), ill_formed{})...);
  } else return detail::evaluate_all_on(where, detail::lift(static_cast<E&&>(e))...);
}

/// Writes the value of an expression into a tensor or view of its dims in any order; allocates nothing but workspace.
/// A result that overlaps an operand is computed aside first.
template <class V, expression E>
void evaluate(into_views<V> const& out, E&& e) {
  static_cast<void>(detail::reported(detail::evaluate_one(std::get<0>(out.views), detail::lift(static_cast<E&&>(e)))));
}
template <codegen::machine M, class V, expression E>
void evaluate(M const& where, into_views<V> const& out, E&& e) {
  static_cast<void>(detail::reported(detail::evaluate_one(where, std::get<0>(out.views), detail::lift(static_cast<E&&>(e)))));
}
template <class... V, expression... E>
  requires(sizeof...(V) > 1 && sizeof...(V) == sizeof...(E))
void evaluate(into_views<V...> const& out, E&&... e) {
  static_cast<void>(detail::reported(detail::evaluate_several(out.views, detail::lift(static_cast<E&&>(e))...)));
}
template <codegen::machine M, class... V, expression... E>
  requires(sizeof...(V) > 1 && sizeof...(V) == sizeof...(E))
void evaluate(M const& where, into_views<V...> const& out, E&&... e) {
  static_cast<void>(detail::reported(detail::evaluate_several(where, out.views, detail::lift(static_cast<E&&>(e))...)));
}

/// Gives back the workspace that this thread keeps between evaluations.
inline void release_workspace() { codegen::workspace::release(); }

} // namespace ATTEND_DETAIL_ISA
} // namespace attend
