// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An expression explained: its tree as written with dims and types, then the steps it becomes, or why they are not one.
#pragma once
#include <attend/rules.hpp> // first, so that an error is traced through no other header

#include <attend/evaluate.hpp>
#include <attend/kernels/cuda/attention_layouts.hpp>
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
    with_values(e.x, [&](X const&... x) { (of(x, depth + 1), ...); });
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
  template <class X>
  void of(as_written_node<X> const& e, int depth) { one(e, depth, "as written"); }
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

// Of fused attention in device memory, here and in what it reads: which of the kernels its operands are for.
template <class R, class Out>
std::string of_this(R const&, Out const&) { return ""; }
template <class... X, class T, class... A>
std::string of_this(codegen::attention<X...> const& r, tensor_view<T, struct cuda, A...> const& out) {
  char const* left = nullptr;
  codegen::detail::with_attention(r, out, [&](auto const& p, auto const& score, auto const&...) { left = kernels::cuda::left_to_sm_80<std::remove_cvref_t<decltype(score)>>(p); });
  return left ? std::string("on sm_90, too, the kernel of sm_80: ") + left + "\n" : "on sm_90 the kernel of warpgroups, elsewhere that of sm_80\n";
}
template <class R, class Out>
std::string kernel_lines(R& region, Out const& out) {
  std::string s;
  codegen::detail::each_buffer(region, [&](auto& b) { s += kernel_lines(b.x, b.whole()); });
  return s + of_this(region, out);
}

// The memory that a tree's result would have, none being there.
template <class Tree>
auto result_of_nobody(Tree const& tree) {
  return codegen::detail::store<typename Tree::value_type>(tree, typename Tree::shape::dims{}).whole();
}
template <class Tree>
auto below_merges(Tree const& tree) {
  return codegen::detail::below_merges(tree, result_of_nobody(tree)).tree;
}

// A tree's steps and where their buffers are, for a result that there is no memory of. Describe: steps as data.
template <bool Describe, class Tree>
struct planned_steps {
  using stream = codegen::detail::stream_t<Tree>;
  decltype(codegen::cover<true>(std::declval<Tree const&>())) region;
  codegen::detail::placing<Describe> places{codegen::detail::number_of<stream>};
  codegen::blocking blocks{};
  long workspace;

  explicit planned_steps(Tree const& tree) : region(codegen::cover<true>(tree)) {
    auto const result = result_of_nobody(tree);
    places.template root<typename Tree::value_type>(region, result);
    if constexpr (!std::is_void_v<stream>) blocks = places.blocks(result.extent(stream{}));
    workspace = places.lay_out(blocks);
  }
  double flops() const {
    double sum = 0;
    for (auto const& step : places.steps) sum += static_cast<double>(step.flops);
    return sum;
  }
};

template <class Tree>
std::string explain_steps(Tree const& tree) {
  planned_steps<true, Tree> plan(tree);
  using Stream = typename planned_steps<true, Tree>::stream;
  std::string s;
  int i = 0;
  double bytes = 0;
  for (auto const& step : plan.places.steps) {
    s += "step " + std::to_string(++i) + ": " + step.kernel + " -> " + (step.writes < 0 ? std::string("result ") : "buffer " + std::to_string(step.writes) + " ") + step.result + "\n";
    s += "  pattern " + step.pattern + "; " + with_unit(static_cast<double>(step.flops), "flop") + ", " + with_unit(static_cast<double>(step.bytes), "B");
    for (std::size_t k = 0; k < step.reads.size(); ++k) s += (k ? ", " : "; reads buffer ") + std::to_string(step.reads[k]);
    s += "\n";
    bytes += static_cast<double>(step.bytes);
  }
  if constexpr (!std::is_void_v<Stream>)
    if (!plan.blocks.whole()) s += "in " + std::to_string(plan.blocks.blocks()) + " blocks of " + std::to_string(plan.blocks.block) + " along " + Stream::name() + "\n";
  s += kernel_lines(plan.region, result_of_nobody(tree));
  s += scale_line(plan.region);
  s += "in all " + with_unit(plan.flops(), "flop") + ", " + with_unit(bytes, "B") + " read and written, workspace " + with_unit(static_cast<double>(plan.workspace), "B") + "\n";
  return s;
}
// The steps that these extents ask for, and what they save.
template <class E>
std::string explain_plan(E const& e) {
  std::string s;
  with_variant<E>(variant_for(e, result_of_nobody(codegen::normal_form(e))), [&]<codegen::variant V>(std::integral_constant<codegen::variant, V>) {
    auto const planned = codegen::planned_form<true, V>(e);
    auto const written = codegen::normal_form<true, V != codegen::variant::split_otherwise>(e);
    s = explain_steps(below_merges(planned));
    if constexpr (!std::is_same_v<decltype(planned), decltype(written)>) {
      auto const tree = below_merges(written);
      s += "products in another order than written, which takes " + with_unit(planned_steps<true, std::remove_cv_t<decltype(tree)>>(tree).flops(), "flop") + "; as_written(x) keeps it\n";
    }
  });
  return s;
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
    std::string s = printer.text + "\n" + detail::explain_plan(node);
    if constexpr (is_fused<Node>) s += "fused: yes\n";
    else s += std::string("fused: no: ") + codegen::detail::reason_t<Node>::sentence + "\n";
    return s;
  }
}

/// Bytes of memory that evaluate(x) needs between its steps: what evaluate(on(workspace), x) asks for. plan_of<E> tells
/// the same without values, but takes steps of one type for one. Throws shape_error where extents disagree.
template <expression E>
long workspace_of(E const& e) {
  auto const node = detail::lift(e);
  using Node = std::remove_cv_t<decltype(node)>;
  if constexpr (detail::broken<Node>) return 0;
  else {
    static_cast<void>(codegen::sizes_of(node));
    long bytes = 0;
    detail::with_variant<Node>(detail::variant_for(node, detail::result_of_nobody(codegen::normal_form(node))), [&]<codegen::variant V>(std::integral_constant<codegen::variant, V>) {
      auto const tree = detail::below_merges(codegen::planned_form<true, V>(node));
      bytes = detail::planned_steps<false, std::remove_cv_t<decltype(tree)>>(tree).workspace;
    });
    return bytes;
  }
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend
