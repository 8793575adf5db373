// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a program tells a driver of its cases, as JSON.
#pragma once
#include "cases.hpp"
#include <nlohmann/json.hpp>

namespace bench {

/// Every case with its extents, costs and window, and what other score functions are made of.
inline nlohmann::json listing_of_cases() {
  nlohmann::json cases = nlohmann::json::array();
  for (auto const& c : all_cases())
    cases.push_back({{"name", c.name},
                     {"kind", c.what.kind},
                     {"dtype", c.what.dtype},
                     {"score", c.what.score},
                     {"batch", c.what.batch},
                     {"heads", c.what.heads},
                     {"groups", c.what.groups},
                     {"queries", c.what.queries},
                     {"keys", c.what.keys},
                     {"depth", c.what.depth},
                     {"window", c.what.window},
                     {"kept", c.kept},
                     {"flops", c.flops},
                     {"bytes", c.bytes}});
  return {{"cases", cases}, {"scores", {{"cap", cap}, {"document", document}}}};
}

} // namespace bench
