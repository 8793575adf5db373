// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences laid end to end: one attention over all of them is the loop over them, on every route.
#include "support/routes.hpp"
#include <algorithm>

namespace {

using namespace attend::dims;
using namespace attend::literals;
using attend::index;
using attend::test::expect_right;
using attend::test::expect_within;

template <class T>
class packed : public ::testing::Test {};
using element_types = ::testing::Types<float, attend::bf16>;
TYPED_TEST_SUITE(packed, element_types);

TYPED_TEST(packed, is_the_loop_over_sequences) {
  long const begins[] = {0, 17, 17, 130, 131, 400}; // one is empty, one has one position
  auto const q = attend::normal<TypeParam>(n = 3, s = 400, d = 24);
  auto const k = attend::normal<TypeParam>(n = 3, t = 400, d = 24);
  auto const v = attend::normal<TypeParam>(n = 3, t = 400, e = 9);
  auto const offsets = attend::values<std::int64_t>({0, 17, 17, 130, 131, 400}, b = 6);
  auto const all = softmax(masked(q * transpose(k) / 4, keep(same_sequence(s, t, offsets)))) * v;
  auto const causal_all = softmax(masked(q * transpose(k) / 4, keep(same_sequence(s, t, offsets) && causal(s, t)))) * v;
  static_assert(attend::is_fused<decltype(all)> && attend::is_fused<decltype(causal_all)>);
  auto const result = evaluate(all);
  auto const causal_result = evaluate(causal_all);
  for (int i = 0; i + 1 < 6; ++i) {
    auto const one = [&](auto const& x, auto dim) { return slice(x, dim, begins[i], begins[i + 1]); };
    auto const x = one(q, s) * transpose(one(k, t)) / 4;
    expect_within(oracle(softmax(x) * one(v, t)), evaluate(one(result, s)), "sequence " + std::to_string(i));
    expect_within(oracle(softmax(masked(x, keep(causal(s, t)))) * one(v, t)), evaluate(one(causal_result, s)), "causal sequence " + std::to_string(i));
  }
  expect_right(causal_all, "all at once");
}

// The last queries of each sequence against all of its keys.
TEST(packed, queries_and_keys_of_other_lengths) {
  auto const q = attend::normal<float>(n = 2, s = 30, d = 16);
  auto const k = attend::normal<float>(n = 2, t = 300, d = 16);
  auto const v = attend::normal<float>(n = 2, t = 300, e = 8);
  auto const query_offsets = attend::values<std::int32_t>({0, 1, 21, 30}, b = 4);
  auto const key_offsets = attend::values<std::int32_t>({0, 100, 120, 300}, b = 4);
  auto const ends = attend::values<std::int64_t>({100 - 1, 20 - 20, 180 - 9}, b = 3); // keys before the first query
  auto const shift = gather(ends, sequence_of(s, query_offsets) - 1, b);
  auto const kept = same_sequence(s, t, query_offsets, key_offsets) &&
                    position_in_sequence(t, key_offsets) <= position_in_sequence(s, query_offsets) + shift;
  auto const expr = softmax(masked(q * transpose(k) / 4, keep(kept))) * v;
  static_assert(attend::is_fused<decltype(expr)>);
  expect_right(expr, "decoding");
  // the first query of sequence 1 sees one key
  auto const out = evaluate(expr);
  for (long i = 0; i < 8; ++i) EXPECT_NEAR(out(n = 1, s = 1, e = i), v(n = 1, t = 100, e = i), 1e-6);
}

TEST(packed, positions) {
  auto const offsets = attend::values<std::int64_t>({0, 2, 2, 5}, b = 4);
  auto const x = attend::zeros<std::int64_t>(s = 5);
  auto const sequences = evaluate(sequence_of(s, offsets) + x);
  auto const places = evaluate(position_in_sequence(s, offsets) + x);
  long const expected_sequences[] = {1, 1, 3, 3, 3}, expected_places[] = {0, 1, 0, 1, 2};
  EXPECT_TRUE(std::equal(sequences.begin(), sequences.end(), expected_sequences));
  EXPECT_TRUE(std::equal(places.begin(), places.end(), expected_places));
}

} // namespace
