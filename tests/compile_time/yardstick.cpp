// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Work for a compiler that has nothing to do with this library: what it takes tells how fast the machine is just now.
#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

using word = std::variant<long, double, std::string>;

std::map<std::string, std::vector<word>> sorted_words(std::vector<std::pair<std::string, std::string>> const& pairs) {
  std::map<std::string, std::vector<word>> found;
  for (auto const& [name, value] : pairs) {
    auto& words = found[name];
    if (value.find('.') != std::string::npos) {
      words.emplace_back(std::stod(value));
    } else if (!value.empty() && value[0] >= '0' && value[0] <= '9') {
      words.emplace_back(std::stol(value));
    } else {
      words.emplace_back(value);
    }
  }
  for (auto& [name, words] : found) {
    std::ranges::sort(words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
  }
  return found;
}

std::unordered_map<std::string, long> lengths(std::vector<std::string> const& words) {
  std::unordered_map<std::string, long> result;
  std::function<bool(char)> const counts = [](char letter) { return letter != ' '; };
  for (auto const& word : words | std::views::filter([](auto const& each) { return !each.empty(); }) | std::views::reverse) {
    result.insert_or_assign(word, std::ranges::count_if(word, counts));
  }
  return result;
}
