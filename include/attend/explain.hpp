// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An expression explained: its tree as written with dims and types, then the steps it becomes, or why they are not one.
#pragma once
#include <attend/rules.hpp> // first, so that an error is traced through no other header

#include <attend/codegen/place.hpp>
#include <attend/plan.hpp>
#include <sstream>
#include <string>

namespace attend {
namespace detail::inline ATTEND_DETAIL_ISA {

/// Writes the written tree, one node a line, children indented. One overload per kind of node.
class tree_printer {
public:
  std::string text;

  template <class E>
  void print(E const& e, int depth = 0) { of(e, depth); }

private:
  template <class E>
  void line(E const&, int depth, std::string const& what) {
    std::string head = std::string(static_cast<std::size_t>(2 * depth), ' ') + what;
    head.resize(std::max<std::size_t>(head.size() + 2, 44), ' ');
    text += head + dims<E>() + "\n";
  }
  template <class E>
  static std::string dims() {
    std::string s = "(";
    [&]<class... A>(shape<A...>) { ((s += (s.size() > 1 ? ", " : "") + A::dim::name() + (A::extent >= 0 ? " = " + std::to_string(A::extent) : "")), ...); }(typename E::shape{});
    return s + ") " + type_name<typename E::value_type>();
  }
  template <class... D>
  static std::string names(types<D...>) {
    std::string s;
    ((s += (s.empty() ? "" : ", ") + D::name()), ...);
    return s;
  }
  static std::string number(double x) {
    std::ostringstream s;
    s << x;
    return s.str();
  }

  template <class T, class S, class... A>
  void of(tensor_view<T, S, A...> const& e, int depth) { line(e, depth, "tensor"); }
  template <class T, class S, class... A>
  void of(owned<T, S, A...> const& e, int depth) { line(e, depth, "tensor"); }
  template <class T>
  void of(scalar<T> const& e, int depth) { text += std::string(static_cast<std::size_t>(2 * depth), ' ') + number(static_cast<double>(e.value)) + "\n"; }
  template <class D>
  void of(index_node<D> const& e, int depth) { line(e, depth, "index(" + D::name() + ")"); }
  template <class D>
  void of(length_node<D> const& e, int depth) { line(e, depth, "length(" + D::name() + ")"); }
  template <class Op, class... X>
  void of(elementwise<Op, X...> const& e, int depth) {
    line(e, depth, Op::symbol);
    [&]<int... I>(std::integer_sequence<int, I...>) { (of(codegen::operand_of<I>(e), depth + 1), ...); }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class X, class Y, class D, class O>
  void of(contraction<X, Y, D, O> const& e, int depth) {
    line(e, depth, "contract over " + names(D{}));
    of(e.x, depth + 1);
    of(e.y, depth + 1);
  }
  template <class Op, class X, class D>
  void of(reduction<Op, X, D> const& e, int depth) { one(e, depth, std::string(Op::symbol) + " over " + names(D{})); }
  template <class X, class D, class P, class O>
  void of(softmax_node<X, D, P, O> const& e, int depth) { one(e, depth, "softmax over " + names(D{}) + ", an empty row gives " + P::name); }
  template <class T, class I, class D>
  void of(gather_node<T, I, D> const& e, int depth) {
    line(e, depth, "gather along " + D::name());
    of(e.table, depth + 1);
    of(e.ids, depth + 1);
  }
  template <class X>
  void of(dropout_node<X> const& e, int depth) { one(e, depth, "dropout p = " + number(e.p) + ", seed " + std::to_string(e.seed)); }
  template <class X>
  void of(transposed<X> const& e, int depth) { one(e, depth, "transpose"); }
  template <class X, class R, class C>
  void of(oriented_node<X, R, C> const& e, int depth) { one(e, depth, "oriented " + R::name() + ", " + C::name()); }
  template <class X, class F, class T>
  void of(renamed<X, F, T> const& e, int depth) { one(e, depth, "rename " + F::name() + " to " + T::name()); }
  template <class X, class C, class... P>
  void of(split_node<X, C, P...> const& e, int depth) { one(e, depth, "split " + C::name() + " into " + names(types<typename P::dim...>{})); }
  template <class X, class D, class C>
  void of(merged<X, D, C> const& e, int depth) { one(e, depth, "merge " + names(D{}) + " into " + C::name()); }
  template <class X, class D, long N>
  void of(sliced<X, D, N> const& e, int depth) { one(e, depth, "slice " + D::name() + " from " + std::to_string(e.begin) + " to " + std::to_string(e.end)); }
  template <class X, class D>
  void of(at_node<X, D> const& e, int depth) { one(e, depth, "at " + D::name() + " = " + std::to_string(e.i)); }
  template <class E>
  void one(E const& e, int depth, std::string const& what) {
    line(e, depth, what);
    of(e.x, depth + 1);
  }
};

inline std::string with_unit(double x, char const* unit) {
  char const* const prefixes[] = {"", "k", "M", "G", "T", "P"};
  int i = 0;
  while (x >= 1000 && i < 5) x /= 1000, ++i;
  std::ostringstream s;
  s.precision(4);
  s << x << ' ' << prefixes[i] << unit;
  return s.str();
}

// The effective scale of the fused attention at the root, whatever it was written of.
template <class R>
std::string scale_line(R const&) { return ""; }
template <class... X>
std::string scale_line(codegen::attention<X...> const& r) {
  std::ostringstream s;
  s << "effective scale of the scores " << r.scale.value;
  if (r.output_scale.value != 1) s << ", of the result " << r.output_scale.value;
  return s.str() + "\n";
}

template <class Tree>
std::string explain_steps(Tree const& tree) {
  if constexpr (codegen::detail::is_merged_root<Tree>) return explain_steps(tree.x);
  else {
    auto region = codegen::cover<true>(tree);
    auto const result = codegen::detail::store<typename Tree::value_type>(tree, typename Tree::shape::dims{}).whole();
    codegen::detail::placing<true> places;
    places.template root<typename Tree::value_type>(region, result);
    long const workspace = places.lay_out();
    std::string s;
    int i = 0;
    double flops = 0, bytes = 0;
    for (auto const& step : places.steps) {
      s += "step " + std::to_string(++i) + ": " + step.kernel + " -> " + (step.writes < 0 ? std::string("result ") : "buffer " + std::to_string(step.writes) + " ") + step.result + "\n";
      s += "  pattern " + step.pattern + "; " + with_unit(static_cast<double>(step.flops), "flop") + ", " + with_unit(static_cast<double>(step.bytes), "B");
      for (std::size_t k = 0; k < step.reads.size(); ++k) s += (k ? ", " : "; reads buffer ") + std::to_string(step.reads[k]);
      s += "\n";
      flops += static_cast<double>(step.flops);
      bytes += static_cast<double>(step.bytes);
    }
    s += scale_line(region);
    s += "in all " + with_unit(flops, "flop") + ", " + with_unit(bytes, "B") + " read and written, workspace " + with_unit(static_cast<double>(workspace), "B") + "\n";
    return s;
  }
}

} // namespace detail::inline ATTEND_DETAIL_ISA

inline namespace ATTEND_DETAIL_ISA {

/// The expression's tree with dims and types, its steps with pattern, kernel, operations and bytes, the effective scale,
/// and why it is not fused where it is not. Throws shape_error where extents disagree.
template <expression E>
std::string explain(E const& e) {
  auto const node = detail::lift(e);
  using Node = std::remove_cv_t<decltype(node)>;
  if constexpr (detail::broken<Node>) return {};
  else {
    static_cast<void>(codegen::sizes_of(node));
    detail::tree_printer printer;
    printer.print(node);
    std::string s = printer.text + "\n" + detail::explain_steps(codegen::normal_form(node));
    if constexpr (is_fused<Node>) s += "fused: yes\n";
    else s += std::string("fused: no: ") + codegen::detail::reason_t<Node>::sentence + "\n";
    return s;
  }
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend
