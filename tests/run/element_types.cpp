// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions whose numbers change type on the way: f64 made of other types, products whose sums are f64, products rounded
// to a narrower type, operands widened.
#include <support/routes.hpp>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::bf16;
using attend::cast;
using attend::f16;
using attend::test::expect_right;

TEST(element_types, f64_made_by_a_cast_is_computed_in_f64) {
  auto const x = attend::normal<float>(s = 5, t = 19);
  expect_right(exp(cast<double>(x)), "exp");
  expect_right(sum(exp(cast<double>(x)), t), "sum");
  expect_right(max(exp(cast<double>(x)) - 1, t), "maximum");
  expect_right(softmax(cast<double>(x), t), "softmax");
  expect_right(cast<double>(x) / 3 + cast<double>(attend::normal<bf16>(t = 19)), "of two types");
  // a third of a number is above its third in f32
  expect_right(where(cast<double>(x) / 3 < cast<double>(x / 3), 1., 2.), "compared");
}

TEST(element_types, products_in_f64) {
  auto const x = attend::normal<double>(b = 3, s = 37, d = 41);
  auto const y = attend::normal<double>(attend::seed{2}, b = 3, t = 29, d = 41);
  auto const bias = attend::normal<double>(attend::seed{3}, t = 29);
  expect_right(x * transpose(y), "matrices");
  expect_right(contract(x, y, b, d), "over two dims");
  expect_right(contract(x, attend::normal<double>(attend::seed{4}, d = 41), d), "matrix and vector");
  expect_right(gelu(x * transpose(y) / 7 + bias) + attend::normal<double>(attend::seed{5}, b = 3, s = 37, t = 29), "with an epilogue");
  expect_right(x * transpose(y) + attend::normal<float>(attend::seed{6}, t = 29), "with a bias of f32");
  expect_right(contract(exp(x), y + 1, d), "of expressions");
  expect_right(contract(contract(x, y, d), attend::normal<double>(attend::seed{7}, t = 29, e = 8), t), "of a product");
  expect_right(softmax(x * transpose(y) / 6) * attend::normal<double>(attend::seed{8}, b = 3, t = 29, e = 5), "attention");
  expect_right(contract(slice(x, s, 5, 30), slice(y, t, 3, 4), d), "of slices");
  auto const wide = attend::normal<double>(s = 5, d = 20000);
  expect_right(contract(wide, rename(wide, s, t), d), "long sums");
  expect_right(contract(attend::zeros<double>(s = 3, d = 0), attend::zeros<double>(t = 4, d = 0), d) + 1, "nothing to sum");
  expect_right(contract(attend::zeros<double>(s = 0, d = 4), attend::zeros<double>(t = 4, d = 4), d), "nothing to write");
}

TEST(element_types, products_in_f64_of_other_types) {
  auto const x = attend::normal<float>(s = 37, d = 41);
  auto const y = attend::normal<bf16>(attend::seed{2}, t = 29, d = 41);
  expect_right(contract(cast<double>(x), cast<double>(y), d), "both cast");
  expect_right(contract(cast<double>(x), y, d), "one cast");
  expect_right(contract(attend::normal<double>(attend::seed{3}, s = 37, d = 41), y, d), "one of f64");
  expect_right(cast<float>(contract(cast<double>(x), cast<double>(y), d)), "rounded to f32");
  expect_right(cast<bf16>(contract(cast<double>(x), cast<double>(y), d) + cast<double>(attend::normal<f16>(attend::seed{4}, t = 29))), "rounded to bf16");
  expect_right(contract(cast<double>(contract(x, y, d)), cast<double>(x), s), "of a product in f32");
  std::vector<std::int32_t> const numbers{7, -3, 123456789, 5, -2000000011, 1, 0, 9, -4, 77, 65537, -65539};
  auto const whole_numbers = attend::copy_of(std::span(numbers), s = 3, d = 4);
  expect_right(contract(cast<double>(whole_numbers), cast<double>(rename(whole_numbers, s, t)), d), "of whole numbers");
}

TEST(element_types, a_product_that_is_rounded_is_one_step) {
  auto const x = attend::normal<float>(s = 37, d = 41);
  auto const y = attend::normal<float>(attend::seed{2}, t = 29, d = 41);
  auto const bias = attend::normal<float>(attend::seed{3}, t = 29);
  auto const rounded = cast<bf16>(contract(x, y, d) * 2 + bias);
  expect_right(rounded, "rounded");
  EXPECT_EQ(attend::plan_of<decltype(rounded)>::steps, 1);
  expect_right(contract(rounded, attend::normal<bf16>(attend::seed{4}, t = 29, e = 8), t), "then multiplied");
  // what is stored wider is rounded all the same
  auto wide = attend::uninitialized<float>(s = 37, t = 29);
  evaluate(into(wide), rounded);
  auto const narrow = evaluate(rounded);
  for (long i = 0; i < wide.size(); ++i) ASSERT_EQ(wide.data()[i], static_cast<float>(narrow.data()[i])) << i;
}

TEST(element_types, operands_widened_are_read_as_they_are_stored) {
  auto const x = attend::normal<bf16>(s = 37, d = 41);
  auto const y = attend::normal<float>(attend::seed{2}, t = 29, d = 41);
  auto const expr = contract(cast<float>(x), y, d) + cast<float>(attend::normal<f16>(attend::seed{3}, t = 29));
  expect_right(expr, "widened");
  EXPECT_EQ(attend::plan_of<decltype(expr)>::steps, 1);
  expect_right(softmax(cast<float>(x) * transpose(y)) * attend::normal<float>(attend::seed{4}, t = 29, e = 16), "attention");
  expect_right(cast<float>(x) * 2 - 1, "elementwise");
  // in place: memory of another type below a result
  std::vector<float> memory(37 * 29);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i % 11) - 5;
  auto const numbers = attend::view(reinterpret_cast<float*>(memory.data()), s = 29, t = 29);
  auto const expected = evaluate(contract(cast<double>(numbers), cast<double>(rename(numbers, s, e)), t));
  auto const place = attend::view(memory.data(), s = 29, e = 29);
  evaluate(into(place), contract(cast<double>(numbers), cast<double>(rename(numbers, s, e)), t));
  for (long i = 0; i < 29 * 29; ++i) ASSERT_EQ(memory[static_cast<std::size_t>(i)], static_cast<float>(expected.data()[i])) << i;
}

} // namespace
