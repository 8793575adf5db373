// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The modules of a transformer on a batch of three padded sentences of five tokens, embedding 512, eight heads of 64:
// embedding, masks by name, self-attention with its weights, multi-head attention with dropout. Every result is
// compared with the float64 oracle.
#include "modules.hpp"
#include "random_parameters.hpp"
#include "show.hpp"
#include <attend/attend.hpp>

using namespace attend::dims;
using namespace attend::literals;

int main() {
  examples::results results;

  // Row 1: ids and their embeddings. Id 0 is padding.
  auto const ids = attend::values<std::int64_t>({100, 200, 300, 300, 0, 22, 33, 44, 0, 0, 66, 55, 66, 30, 0}, b = 3_c, s = 5_c);
  auto const table = attend::normal<float>(attend::seed{1}, w = 301_c, c = 512_c);
  auto const embedded = gather(table, ids); // (b, s, c)
  auto const x = evaluate(embedded);
  results.show("embedding", embedded, x);

  // Rows 2-4: the padding mask is an expression of the ids. By name it broadcasts over queries and heads, never stored.
  auto const padding = rename(ids == 0, s, prime(s)); // (b, s'): of the keys

  // Rows 5, 6: two conventions. A row with nothing kept gives zeros under minus infinity, a uniform row under -1e9.
  auto const scores = attend::normal<float>(attend::seed{2}, b = 3_c, s = 5_c, prime(s) = 5_c);
  auto const nothing = attend::full<bool>(true, b = 3_c, prime(s) = 5_c);
  auto const infinite = softmax(masked(scores, drop(padding)));
  auto const finite = softmax(masked(scores, drop(padding), -1e9));
  results.show("weights, minus infinity at padding", infinite, evaluate(infinite));
  results.show("weights, -1e9 at padding", finite, evaluate(finite));
  auto const zeros = evaluate(softmax(masked(scores, drop(nothing))));
  auto const uniform = evaluate(softmax(masked(scores, drop(nothing), -1e9)));
  std::printf("all padding: %g under minus infinity, %g under -1e9\n", static_cast<double>(zeros.data()[0]), static_cast<double>(uniform.data()[0]));
  results.require(zeros.data()[0] == 0 && std::abs(uniform.data()[0] - .2f) < 1e-7f);

  // Row 7: self-attention with a single head; the output and the weights of one evaluation.
  examples::random_parameters const file(3);
  modules::parameters p;
  attend::nn::load(p, file);
  {
    auto const [output, weights] = modules::single_head(x, drop(padding), p);
    auto const [o, w] = evaluate(output, weights);
    results.show("self-attention, output", output, o);
    results.show("self-attention, weights", weights, w);
  }

  // Row 8: heads that do not divide the embedding are refused; a static extent already by the compiler.
  try {
    long const heads = 7;
    evaluate(modules::multi_head(x, drop(padding), p, n = heads).first);
    results.require(false);
  } catch (attend::shape_error const& error) {
    std::printf("refused: %s\n", error.what());
  }

  // Rows 9-12: eight heads of 64, dropout on the weights - those returned are the dropped ones - and the heads merged.
  auto const plain = modules::multi_head(x, drop(padding), p, n = 8_c).first;
  static_assert(attend::is_fused<decltype(plain)>); // projections, one fused attention, the output layer
  results.show("multi-head attention", plain, evaluate(plain));
  auto const [trained, dropped] = modules::multi_head(x, drop(padding), p, n = 8_c, [](auto const& weights) { return dropout(weights, 0.1, 42); });
  auto const [o, w] = evaluate(trained, dropped);
  results.show("multi-head attention, dropout, output", trained, o);
  results.show("multi-head attention, dropout, weights", dropped, w);
  return results.status();
}
