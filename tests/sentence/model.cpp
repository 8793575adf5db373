// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model: its embeddings are the Python original's, whatever shares a batch with a text, and its weights are weights.
#include "../../examples/sentence/model.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "support.hpp"

namespace {

using namespace attend::dims;
using sentence::token_ids;

sentence::model& net() {
  static sentence::model result{model_folder()};
  return result;
}

std::vector<token_ids> stored_texts() {
  std::vector<token_ids> result;
  for (auto const& reference : references().at("texts")) result.push_back(reference.at("ids"));
  return result;
}

double furthest(float const* x, std::vector<double> const& y) {
  double result = 0;
  for (std::size_t i = 0; i < y.size(); ++i)
    if (double const distance = std::abs(static_cast<double>(x[i]) - y[i]); !(distance <= result)) result = distance;
  return result;
}

TEST(batches, keep_like_lengths_together) {
  std::vector<token_ids> const texts{token_ids(2), token_ids(100), token_ids(7), token_ids(90), token_ids(100)};
  auto const order = sentence::sorted_by_length(texts);
  EXPECT_EQ(order, (std::vector<std::size_t>{1, 4, 3, 2, 0}));
  auto const batches = sentence::batches_of(texts, order, 300);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(batches[0].end, 3U); // 100, 100, 90
  EXPECT_EQ(batches[0].longest, 100U);
  EXPECT_EQ(batches[1].end, 4U);
  EXPECT_EQ(batches[2].longest, 2U);
  EXPECT_EQ(sentence::batches_of(texts, order, 1).size(), texts.size()); // a text that is too long alone still goes
  EXPECT_TRUE(sentence::batches_of({}, {}, 300).empty());
}

TEST(model, embeds_as_the_original_does) {
  auto const texts = stored_texts();
  auto const embeddings = net().embed(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const& reference = references().at("texts").at(i);
    EXPECT_LE(furthest(&embeddings(b = i), reference.at("embedding")), 1e-4) << reference.at("text");
  }
}

TEST(model, embeds_a_text_alike_alone_and_in_company) {
  auto const texts = stored_texts();
  auto const together = net().embed(texts);
  for (std::size_t const i : {0U, 6U, 17U, 36U, 40U}) {
    auto const alone = net().embed({&texts.at(i), 1});
    EXPECT_LE(furthest(&alone(b = 0), {&together(b = i), &together(b = i) + 384}), 1e-5) << i;
  }
  EXPECT_EQ(net().embed({}).size(), 0);
}

// So many that every thread has batches of its own, and one may be left over that all of them share.
TEST(model, embeds_a_text_alike_in_any_batch) {
  auto const texts = stored_texts();
  auto const once = net().embed(texts);
  std::vector<token_ids> many;
  for (int i = 0; i < 12; ++i) many.insert(many.end(), texts.begin(), texts.end());
  auto const embeddings = net().embed(many);
  for (std::size_t i = 0; i < many.size(); ++i) {
    auto const* const expected = &once(b = i % texts.size());
    EXPECT_LE(furthest(&embeddings(b = i), {expected, expected + 384}), 1e-5) << i;
  }
}

TEST(model, finds_a_text_like_itself) {
  auto const texts = stored_texts();
  auto const alike = net().similarities(net().embed({texts.data(), 5}));
  for (long i = 0; i < 5; ++i) {
    EXPECT_NEAR(alike(b = i, prime(b) = i), 1, 1e-5);
    for (long j = 0; j < i; ++j) EXPECT_NEAR(alike(b = i, prime(b) = j), alike(b = j, prime(b) = i), 1e-6);
  }
}

TEST(model, shows_weights_that_sum_to_one) {
  auto const text = stored_texts().at(0);
  for (std::size_t const layer : {0U, 5U}) {
    auto const weights = net().weights(text, layer);
    auto const tokens = static_cast<long>(text.size());
    ASSERT_EQ(weights.size(), 12 * tokens * tokens);
    for (long head = 0; head < 12; ++head)
      for (long i = 0; i < tokens; ++i) {
        double total = 0;
        for (long j = 0; j < tokens; ++j) total += static_cast<double>(weights(s = i, n = head, prime(s) = j));
        EXPECT_NEAR(total, 1, 1e-5);
      }
  }
  EXPECT_THROW(net().weights(text, 6), std::out_of_range);
}

// Both operands of every product are rounded by at most 2^-9 of themselves, which errors of many signs average out. The
// bound is some five times what texts of 122 tokens are turned by, and OpenVINO's bf16 turns them by.
TEST(model, turns_embeddings_little_in_bf16) {
  sentence::model narrow{model_folder(), sentence::precision::bf16};
  auto const texts = stored_texts();
  auto const wide_embeddings = net().embed(texts), narrow_embeddings = narrow.embed(texts);
  double furthest_turn = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    double cosine = 0;
    for (long k = 0; k < 384; ++k) cosine += static_cast<double>((&wide_embeddings(b = i))[k]) * static_cast<double>((&narrow_embeddings(b = i))[k]);
    EXPECT_LE(1 - cosine, 2e-4) << i;
    furthest_turn = std::max(furthest_turn, 1 - cosine);
  }
  EXPECT_GT(furthest_turn, 1e-7); // it is another model
  auto const weights = narrow.weights(texts.at(0), 2);
  auto const expected = net().weights(texts.at(0), 2);
  for (long i = 0; i < expected.size(); ++i) EXPECT_NEAR(weights.data()[i], expected.data()[i], 0.02);
}

TEST(model, refuses_ids_that_have_no_embedding) {
  std::vector<token_ids> texts{{101, 30522, 102}};
  EXPECT_THROW(net().embed(texts), attend::index_error);
  for (int i = 0; i < 40; ++i) texts.push_back(token_ids(256, 101)); // in batches of a thread's own
  texts.push_back(token_ids(256, 30522));
  EXPECT_THROW(net().embed(texts), attend::index_error);
}

} // namespace
