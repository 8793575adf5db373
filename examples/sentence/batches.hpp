// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cuts many texts of many lengths into batches of few: texts of like length together, so that little is padded.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <attend/create.hpp>

namespace sentence {

/// One text after the other, as token ids.
using token_ids = std::vector<std::int32_t>;

/// Texts that go through the model together.
struct batch {
  std::size_t begin, end; // in the sorted order
  std::size_t longest;    // tokens a row
};

/// The texts' numbers from the longest to the shortest; equals stay in order.
inline std::vector<std::size_t> sorted_by_length(std::span<token_ids const> texts) {
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
    return texts[x].size() != texts[y].size() ? texts[x].size() > texts[y].size() : x < y;
  });
  return order;
}

/// Batches of about `tokens` tokens each, at least one text, padding included; a batch also ends where its rows would
/// be filled up by more than an eighth.
inline std::vector<batch> batches_of(std::span<token_ids const> texts, std::span<std::size_t const> order,
                                     std::size_t tokens) {
  std::vector<batch> result;
  for (std::size_t begin = 0; begin < order.size();) {
    auto const longest = texts[order[begin]].size();
    auto const most = begin + std::max<std::size_t>(tokens / longest, 1);
    auto end = begin + 1;
    while (end < std::min(most, order.size()) && 8 * texts[order[end]].size() >= 7 * longest) ++end;
    result.push_back({begin, end, longest});
    begin = end;
  }
  return result;
}

/// Token ids (b, s) in rows of one length, filled up with 0, and how many of each row are a text's own (b).
struct padded_ids {
  decltype(attend::uninitialized<std::int32_t>(attend::dims::b = 1, attend::dims::s = 1)) ids;
  decltype(attend::uninitialized<std::int32_t>(attend::dims::b = 1)) lengths;
};

/// Some of the texts as the rows of one tensor.
inline padded_ids padded(std::span<token_ids const> texts, std::span<std::size_t const> which, std::size_t longest) {
  using namespace attend::dims;
  padded_ids result{attend::full<std::int32_t>(0, b = which.size(), s = longest),
                    attend::uninitialized<std::int32_t>(b = which.size())};
  for (std::size_t row = 0; row < which.size(); ++row) {
    auto const& ids = texts[which[row]];
    std::copy(ids.begin(), ids.end(), &result.ids(b = row));
    result.lengths(b = row) = static_cast<std::int32_t>(ids.size());
  }
  return result;
}

} // namespace sentence
