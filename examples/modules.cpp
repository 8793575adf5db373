// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The modules of a transformer on a batch of three padded sentences of five tokens, embedding 512, eight heads of 64:
// embedding, masks by name, self-attention with its weights, multi-head attention with dropout. Every result is
// compared with the float64 oracle.
#include <attend/attend.hpp>
#include <attend/oracle.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace attend::dims;
using namespace attend::literals;

namespace {

bool all_close = true;

// Prints the dims of a result and how far it is from the oracle, in units of the bound that f32 arithmetic allows.
template <class E, class T, class... A>
void show(char const* what, E const& expr, attend::tensor<T, struct attend::host, A...> const& result) {
  auto const expected = attend::oracle(expr);
  double worst = 0;
  for (long i = 0; i < expected.size(); ++i) {
    double const want = expected[i].value, have = static_cast<double>(result.data()[i]);
    if (want == have || (std::isnan(want) && std::isnan(have))) continue;
    worst = std::fmax(worst, std::abs(want - have) / expected[i].bound);
  }
  std::printf("%-44s (", what);
  char const* separator = "";
  ((std::printf("%s%s = %ld", separator, A::dim::name().c_str(), result.extent(typename A::dim{})), separator = ", "), ...);
  std::printf(")  error / bound %.3f\n", worst);
  all_close = all_close && worst <= 1;
}

} // namespace

int main() {
  // Row 1: ids and their embeddings. Id 0 is padding.
  auto const ids = attend::values<std::int64_t>({100, 200, 300, 300, 0, 22, 33, 44, 0, 0, 66, 55, 66, 30, 0}, b = 3_c, s = 5_c);
  auto const table = attend::normal<float>(attend::seed{1}, w = 301_c, c = 512_c);
  auto const embedded = gather(table, ids); // (b, s, c)
  auto const x = evaluate(embedded);
  show("embedding", embedded, x);

  // Rows 2-4: the padding mask is an expression of the ids. By name it broadcasts over queries and heads, never stored.
  auto const padding = rename(ids == 0, s, prime(s)); // (b, s'): of the keys

  // Rows 5, 6: two conventions. A row with nothing kept gives zeros under minus infinity, a uniform row under -1e9.
  auto const scores = attend::normal<float>(attend::seed{2}, b = 3_c, s = 5_c, prime(s) = 5_c);
  auto const nothing = attend::full<bool>(true, b = 3_c, prime(s) = 5_c);
  auto const infinite = softmax(masked(scores, drop(padding)));
  auto const finite = softmax(masked(scores, drop(padding), -1e9));
  show("weights, minus infinity at padding", infinite, evaluate(infinite));
  show("weights, -1e9 at padding", finite, evaluate(finite));
  auto const zeros = evaluate(softmax(masked(scores, drop(nothing))));
  auto const uniform = evaluate(softmax(masked(scores, drop(nothing), -1e9)));
  std::printf("all padding: %g under minus infinity, %g under -1e9\n", static_cast<double>(zeros.data()[0]), static_cast<double>(uniform.data()[0]));
  all_close = all_close && zeros.data()[0] == 0 && std::abs(uniform.data()[0] - .2f) < 1e-7f;

  // Row 7: self-attention with a single head; the output and the weights of one evaluation.
  double const shrink = 1 / std::sqrt(512.);
  auto const weight = [&](std::uint64_t stream) { return evaluate(attend::normal<float>(attend::seed{stream}, c = 512_c, f = 512_c) * shrink); };
  auto const wq = weight(3), wk = weight(4), wv = weight(5);
  auto const wo = evaluate(attend::normal<float>(attend::seed{6}, f = 512_c, c = 512_c) * shrink);
  auto const bo = attend::normal<float>(attend::seed{7}, c = 512_c);
  {
    auto const q = x * wq, k = x * wk, v = x * wv;                                      // (b, s, f)
    auto const weights = softmax(masked(q * transpose(k) * shrink, drop(padding)));     // (b, s, s')
    auto const output = weights * v * wo + bo;                                          // (b, s, c)
    auto const [o, w] = evaluate(output, weights);
    show("self-attention, output", output, o);
    show("self-attention, weights", weights, w);
  }

  // Row 8: heads that do not divide the embedding are refused; a static extent already by the compiler.
  try {
    long const heads = 7;
    evaluate(split(x, c, n = heads, d));
    all_close = false;
  } catch (attend::shape_error const& error) {
    std::printf("refused: %s\n", error.what());
  }

  // Rows 9-12: eight heads of 64, dropout on the weights - those returned are the dropped ones - and the heads merged.
  auto const heads = [&](auto const& w) { return split(x * w, f, n = 8_c, d); };        // (b, s, n, d)
  auto const q = heads(wq), k = heads(wk), v = heads(wv);
  auto const multi_head = [&](auto const& weights) { return merge(weights * v, n, d, f) * wo + bo; };
  auto const weights = softmax(masked(q * transpose(k) / 8, drop(padding)));            // scale 1 / sqrt(64)
  auto const dropped = dropout(weights, 0.1, 42);
  auto const output = multi_head(weights);
  auto const trained = multi_head(dropped);
  static_assert(attend::is_fused<decltype(output)>); // projections, one fused attention, the output layer
  show("multi-head attention", output, evaluate(output));
  auto const [o, w] = evaluate(trained, dropped);
  show("multi-head attention, dropout, output", trained, o);
  show("multi-head attention, dropout, weights", dropped, w);

  if (!all_close) std::puts("a result is further from the oracle than f32 allows");
  return all_close ? EXIT_SUCCESS : EXIT_FAILURE;
}
