// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of fused attention: element type x mask x results x policy for empty rows. Each row of it runs at extents
// from none and one to many, with few queries and with many, and on numbers that are huge, infinite and NaN. Every
// element type meets every mask; results and policies go round, for all products would take an hour to compile.
#include "support/fused.hpp"
#include "support/routes.hpp"
#include <random>

namespace {

using namespace attend::dims;
using attend::bf16;
using attend::f16;
using attend::index;
using attend::oracle;
using attend::test::expect_within;

constexpr double infinity = std::numeric_limits<double>::infinity();

struct extents {
  long batch, heads, queries, keys, depth, width;
};
std::ostream& operator<<(std::ostream& out, extents const& x) {
  return out << "b " << x.batch << ", n " << x.heads << ", s " << x.queries << ", t " << x.keys << ", d " << x.depth
             << ", e " << x.width;
}
constexpr extents usual[] = {
    {1, 1, 1, 1, 1, 1},      {2, 1, 50, 1, 16, 8},     {1, 2, 1, 70, 5, 3},     {2, 3, 37, 101, 24, 9},
    {1, 1, 17, 40, 256, 5},  {1, 2, 33, 129, 64, 128}, {1, 1, 130, 257, 8, 12}, // rows of more than one item, keys of more than two blocks
    {2, 2, 20, 2, 3, 1},                                                        // less than a group of keys and values
    {2, 2, 3, 600, 33, 17},                                                     // few queries
    {1, 1, 1, 1100, 64, 64},                                                    // and threads that share the keys
};
constexpr extents empty[] = {{0, 2, 5, 7, 8, 3}, {2, 0, 5, 7, 8, 3}, {2, 2, 0, 7, 8, 3}, {2, 2, 5, 0, 8, 3},
                             {2, 2, 1, 0, 8, 3}, {2, 2, 5, 7, 0, 3}, {2, 2, 5, 7, 8, 0}};
constexpr extents many_and_few[] = {{1, 2, 37, 201, 9, 7}, {1, 2, 4, 600, 9, 7}};

enum class numbers { normal, huge, special };

/// The tensors that attention and its masks read.
template <class T>
struct operands {
  std::mt19937 random{7};
  extents of;
  decltype(attend::uninitialized<T>(b = 0l, n = 0l, s = 0l, d = 0l)) q;
  decltype(attend::uninitialized<T>(b = 0l, n = 0l, t = 0l, d = 0l)) k;
  decltype(attend::uninitialized<T>(b = 0l, n = 0l, t = 0l, e = 0l)) v;
  decltype(attend::uninitialized<std::int32_t>(b = 0l)) lengths;
  decltype(attend::uninitialized<std::int64_t>(b = 0l, s = 0l)) documents_q;
  decltype(attend::uninitialized<std::int64_t>(b = 0l, t = 0l)) documents_k;
  decltype(attend::uninitialized<bool>(n = 0l, s = 0l, t = 0l)) flags;
  decltype(attend::uninitialized<float>(s = 0l, t = 0l)) bias;

  operands(extents const& x, numbers how)
      : of(x), q(attend::normal<T>(attend::seed{1}, b = x.batch, n = x.heads, s = x.queries, d = x.depth)),
        k(attend::normal<T>(attend::seed{2}, b = x.batch, n = x.heads, t = x.keys, d = x.depth)),
        v(attend::normal<T>(attend::seed{3}, b = x.batch, n = x.heads, t = x.keys, e = x.width)),
        lengths(attend::uninitialized<std::int32_t>(b = x.batch)),
        documents_q(attend::uninitialized<std::int64_t>(b = x.batch, s = x.queries)),
        documents_k(attend::uninitialized<std::int64_t>(b = x.batch, t = x.keys)),
        flags(attend::uninitialized<bool>(n = x.heads, s = x.queries, t = x.keys)),
        bias(attend::normal<float>(attend::seed{4}, s = x.queries, t = x.keys)) {
    long i = 0;
    for (auto& l : lengths) l = static_cast<std::int32_t>(i++ == 0 ? x.keys * 2 / 3 : 0);
    for (i = 0; auto& id : documents_q) id = (1l << 40) + i++ % std::max(x.queries, 1l) / 13;
    for (i = 0; auto& id : documents_k) id = (1l << 40) + i++ % std::max(x.keys, 1l) / 29;
    bool kept = true; // rows and runs of keys of which nothing is
    for (i = 0; auto& flag : flags) {
      if (i++ % 7 == 0) kept = random() % 3;
      flag = kept && i / std::max(x.keys, 1l) % 9 != 4 && random() % 2;
    }
    for (i = 0; auto& y : bias)
      if (random() % 3 == 0 || i++ / std::max(x.keys, 1l) % 11 == 5) y = -static_cast<float>(infinity);
    if (how == numbers::huge) be_huge();
    if (how == numbers::special) be_special();
  }

private:
  static T number(double x) { return static_cast<T>(static_cast<float>(x)); }
  void be_huge() {
    double const much = std::is_same_v<T, f16> ? 2e4 : 1e18;
    for (long j = 0; j < of.heads; ++j)
      for (long i = 0; i < of.queries; ++i)
        for (long c = 0; c < of.depth; ++c) {
          auto& x = q(n = j, s = i, d = c);
          x = number(static_cast<double>(x) * (i % 3 == 0 ? much : i % 3 == 1 ? 1 / much : 1));
        }
    for (long j = 0; j < of.keys; ++j) bias(s = of.queries - 1, t = j) = j == 5 ? 3e38f : -3e38f;
  }
  // Of the first head every query but one drops a key, for which that one has an infinite score.
  void be_special() {
    for (long i = 0; i < of.queries; ++i)
      for (long c : {1, 3}) {
        auto& x = q(s = i, d = c);
        double const size = std::abs(static_cast<double>(static_cast<float>(x))) + 1e-3;
        x = number(c == 1 && i != 2 ? size : -size);
      }
    q(s = 1, d = 2) = number(std::nan(""));
    q(s = of.queries - 1, d = 0) = number(infinity);
    k(t = of.keys / 2, d = 1) = number(-infinity);
    k(t = of.keys - 1, d = 3) = number(infinity);
    bias(s = 0, t = of.keys / 3) = std::nanf("");
  }
};

// Masks: what becomes of scores x.
#define ATTEND_MASK(NAME, EXPRESSION)                                                                                  \
  struct NAME {                                                                                                        \
    static constexpr char const* name = #NAME;                                                                         \
    static auto of(auto const& x, [[maybe_unused]] auto const& o) { return EXPRESSION; }                               \
  };
ATTEND_MASK(no_mask, x / 1)
ATTEND_MASK(causal, masked(x, keep(attend::causal(s, t))))
ATTEND_MASK(bottom_right, masked(x, keep(attend::causal(s, t, attend::bottom_right))))
ATTEND_MASK(window, masked(x, keep(attend::window(s, t, 20, 3))))
ATTEND_MASK(padding, masked(x, drop(attend::padding(t, o.lengths))))
ATTEND_MASK(documents, masked(x, keep(same_document(o.documents_q, o.documents_k))))
ATTEND_MASK(flags, masked(x, keep(o.flags)))
ATTEND_MASK(bias, x + o.bias)
ATTEND_MASK(finite_fill, masked(x, keep(attend::causal(s, t)), -1e4))
ATTEND_MASK(sinks, masked(x, keep((index(s) - index(t) <= 9 && index(t) <= index(s)) || index(t) < 4)))
ATTEND_MASK(rows_dropped, masked(x, keep(index(s) > 2 && index(s) < 60 && index(t) >= 5)))
#undef ATTEND_MASK

template <class... E>
void expect_fused(E const&... e) {
  auto const results = attend::test::fused(e...);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (expect_within(oracle(e), std::get<I>(results), "result " + std::to_string(I), 0.4), ...);
  }(std::index_sequence_for<E...>{});
}

// Results: of scores x and values v.
#define ATTEND_RESULTS(NAME, ...)                                                                                      \
  struct NAME {                                                                                                        \
    static constexpr char const* name = #NAME;                                                                         \
    static void check(auto const& x, auto const& v, auto policy) {                                                     \
      [[maybe_unused]] auto const weights = softmax(x, t, policy);                                                     \
      [[maybe_unused]] auto const dropped = attend::dropout(weights, 0.3, 7);                                          \
      expect_fused(__VA_ARGS__);                                                                                       \
    }                                                                                                                  \
  };
ATTEND_RESULTS(output, weights* v)
ATTEND_RESULTS(output_and_sums, weights* v, logsumexp(x, t))
ATTEND_RESULTS(output_and_weights, weights* v, weights)
ATTEND_RESULTS(all_results, weights* v, weights, logsumexp(x, t))
ATTEND_RESULTS(dropout, dropped* v)
ATTEND_RESULTS(dropout_and_dropped, dropped* v, dropped)
ATTEND_RESULTS(all_with_dropout, dropped* v, dropped, logsumexp(x, t))
#undef ATTEND_RESULTS

using attend::empty_row::nan_t;
using attend::empty_row::uniform_t;
using attend::empty_row::zeros_t;

template <class T_, class Mask_, class Results_, class Policy_>
struct row {
  using T = T_;
  using Mask = Mask_;
  using Results = Results_;
  using Policy = Policy_;
};
using table = testing::Types<row<float, no_mask, output, zeros_t>,                //
                             row<bf16, no_mask, all_results, uniform_t>,          //
                             row<f16, no_mask, output_and_weights, nan_t>,        //
                             row<float, causal, output_and_weights, uniform_t>,   //
                             row<bf16, causal, output, zeros_t>,                  //
                             row<f16, causal, output_and_sums, zeros_t>,          //
                             row<float, bottom_right, output_and_sums, zeros_t>,  //
                             row<bf16, bottom_right, output_and_weights, nan_t>,  //
                             row<f16, bottom_right, output, zeros_t>,             //
                             row<float, window, dropout, zeros_t>,                //
                             row<bf16, window, output_and_sums, zeros_t>,         //
                             row<f16, window, all_results, uniform_t>,            //
                             row<float, padding, all_results, nan_t>,             //
                             row<bf16, padding, dropout, zeros_t>,                //
                             row<f16, padding, dropout_and_dropped, uniform_t>,   //
                             row<float, documents, dropout_and_dropped, zeros_t>, //
                             row<bf16, documents, output_and_sums, uniform_t>,    //
                             row<f16, documents, dropout, zeros_t>,               //
                             row<float, flags, output, nan_t>,                    //
                             row<bf16, flags, all_with_dropout, zeros_t>,         //
                             row<f16, flags, output_and_sums, zeros_t>,           //
                             row<float, bias, output_and_sums, zeros_t>,          //
                             row<bf16, bias, output, uniform_t>,                  //
                             row<f16, bias, all_results, zeros_t>,                //
                             row<float, finite_fill, all_results, zeros_t>,       //
                             row<bf16, finite_fill, output_and_weights, zeros_t>, //
                             row<f16, finite_fill, output, nan_t>,                //
                             row<float, sinks, all_with_dropout, uniform_t>,      //
                             row<bf16, sinks, output_and_sums, zeros_t>,          //
                             row<f16, sinks, dropout, nan_t>,                     //
                             row<float, rows_dropped, dropout, uniform_t>,        //
                             row<bf16, rows_dropped, dropout_and_dropped, nan_t>, //
                             row<f16, rows_dropped, output, zeros_t>>;

struct row_names {
  template <class Row>
  static std::string GetName(int) {
    char const* const policy = std::is_same_v<typename Row::Policy, zeros_t>     ? "zeros"
                               : std::is_same_v<typename Row::Policy, uniform_t> ? "uniform"
                                                                                 : "nan";
    return std::string(attend::type_name<typename Row::T>()) + "." + Row::Mask::name + "." + Row::Results::name + "." +
           policy;
  }
};
template <class Row>
class attention_table : public testing::Test {
protected:
  static void run(extents const& of, numbers how = numbers::normal) {
    SCOPED_TRACE(testing::Message() << of << ", numbers " << static_cast<int>(how));
    operands<typename Row::T> const o(of, how);
    Row::Results::check(Row::Mask::of(o.q * transpose(o.k) / 4, o), o.v, typename Row::Policy{});
  }
};
TYPED_TEST_SUITE(attention_table, table, row_names);

TYPED_TEST(attention_table, at_all_extents) {
  for (auto const& of : usual) this->run(of);
  for (auto const& of : empty) this->run(of);
}
TYPED_TEST(attention_table, of_huge_and_special_numbers) {
  for (auto const& of : many_and_few)
    for (numbers how : {numbers::huge, numbers::special}) this->run(of, how);
}

} // namespace
