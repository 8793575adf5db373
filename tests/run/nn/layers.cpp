// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers against the float64 oracle of the same formula written out, and the modules that they make.
#include <attend/nn/layers.hpp>
#include <cmath>
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::test::expect_right;
namespace nn = attend::nn;

inline constexpr auto features = c = 64_c;
inline constexpr auto hidden = f = 128_c;
inline constexpr auto inner = e = 96_c;

/// Memory for the parameters of a layer, which are views.
template <auto Out, auto In>
struct made {
  decltype(attend::normal<float>(Out, In)) weight;
  decltype(attend::normal<float>(Out)) bias = attend::normal<float>(Out);
  explicit made(std::uint64_t stream) : weight(evaluate(attend::normal<float>(attend::seed{stream}, Out, In) / std::sqrt(double(In.size())))) {}
  nn::linear_parameters<Out, In> linear() const { return {attend::view(weight.data(), Out, In), attend::view(bias.data(), Out)}; }
  nn::projection_parameters<Out, In> projection() const { return {attend::view(weight.data(), Out, In)}; }
};

template <class X, class Y>
void expect_same(X const& x, Y const& y) {
  auto const a = evaluate(x), b = evaluate(y);
  static_assert(std::is_same_v<typename decltype(a)::shape, typename decltype(b)::shape>);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

TEST(linear, is_the_product_with_the_transposed_weight) {
  auto const x = attend::normal<float>(b = 2, s = 7, features);
  made<hidden, features> const p(1);
  auto const y = nn::linear(x, p.linear());
  expect_same(y, x * transpose(p.weight) + p.bias);
  expect_right(y);
  expect_right(nn::linear(x, p.projection()), "without bias");
  expect_right(nn::linear(exp(x / 4), p.linear()), "of an expression");
  expect_right(y * transpose(rename(y, s, t)), "its result has rows and columns");
}

TEST(linear, finds_its_dim_by_name) {
  made<hidden, features> const p(1);
  auto const image = attend::normal<float>(b = 2, features, h = 3, w = 5); // the channels are no column
  expect_right(nn::linear(image, p.linear()));
  auto const turned = attend::normal<float>(b = 2, features, s = 7);
  expect_right(nn::linear(turned, p.linear()), "features before rows");
}

TEST(pointwise_convolution, is_a_linear_map_of_each_pixel) {
  auto const image = attend::normal<float>(b = 2, c = 3_c, h = 8, w = 9);
  auto const weight = attend::normal<float>(f = 16_c, c = 3_c, h = 1_c, w = 1_c);
  auto const bias = attend::normal<float>(f = 16_c);
  nn::pointwise_parameters<(f = 16_c), (c = 3_c)> const p{weight.view().readable(), bias.view().readable()};
  auto const y = nn::pointwise_convolution(image, p);
  expect_same(y, contract(image, attend::view(weight.data(), f = 16_c, c = 3_c), c) + bias);
  expect_right(y);
}

TEST(layer_norm, normalises_features) {
  auto const x = attend::normal<float>(b = 2, s = 7, features);
  auto const gain = attend::uniform<float>(features), shift = attend::normal<float>(features);
  nn::norm_parameters<features> const p{gain.view().readable(), shift.view().readable()};
  expect_right(nn::layer_norm(x, p));
  auto const one = attend::ones<float>(features), zero = attend::zeros<float>(features);
  auto const y = evaluate(nn::layer_norm(x * 1000 + 5, nn::norm_parameters<features>{one.view().readable(), zero.view().readable()}, 0));
  auto const average = evaluate(mean(y, c)), square = evaluate(mean(hadamard(y, y), c));
  for (float const m : average) EXPECT_NEAR(m, 0, 1e-6);
  for (float const v : square) EXPECT_NEAR(v, 1, 1e-5);
}

TEST(embedding, row_1) {
  auto const ids = attend::values<std::int64_t>({100, 200, 300, 300, 0, 22, 33, 44, 0, 0, 66, 55, 66, 30, 0}, b = 3_c, s = 5_c);
  auto const table = attend::normal<float>(w = 301_c, c = 512_c);
  nn::embedding_parameters<(w = 301_c), (c = 512_c)> const p{table.view().readable()};
  auto const x = nn::embedding(ids, p);
  expect_same(x, gather(table, ids, w));
  EXPECT_EQ(evaluate(x).size(), 3 * 5 * 512);
}

// Attention with projections, then two maps with a GELU between them, each added to what goes in.
TEST(layers, make_a_transformer_block) {
  auto const x = attend::normal<float>(b = 2, s = 11, features);
  made<inner, features> const q(1), k(2), v(3);
  made<features, inner> const o(4);
  made<hidden, features> const up(5);
  made<features, hidden> const down(6);
  // [block]
  auto const heads = [](auto const& y) { return split(y, e, n = 3_c, d); };
  auto const attended = [&](auto const& y) {
    auto const scores = heads(nn::linear(y, q.linear())) * transpose(heads(nn::linear(y, k.linear()))) / std::sqrt(32.);
    return nn::linear(merge(softmax(scores) * heads(nn::linear(y, v.projection())), n, d, e), o.linear());
  };
  auto const first = nn::residual(x, attended); // projections, one fused attention, the output layer with its residual
  // [/block]
  static_assert(attend::is_fused<decltype(first)>);
  expect_right(first);
  expect_right(attend::dropout(first, 0.1, 3), "output dropout");
  auto const y = evaluate(first);
  expect_right(nn::residual(y, [&](auto const& z) { return nn::feed_forward(z, up.linear(), down.linear()); }), "feed-forward");
}

} // namespace
