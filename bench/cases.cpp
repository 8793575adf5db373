// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The list of cases, their names and their costs.
#include "cases.hpp"
#include <algorithm>
#include <sstream>

namespace bench {
namespace {

// Scores of one head that the mask keeps.
double kept_scores(problem const& p) {
  double sum = 0;
  for (long i = 0; i < p.queries; ++i) {
    long kept = p.keys;
    if (p.score == "causal") kept = i + 1;
    if (p.score.ends_with("window")) kept = std::min(i, p.window) + 1;
    if (p.score == "documents") kept = std::min(document, p.keys - i / document * document);
    sum += static_cast<double>(std::min(kept, p.keys));
  }
  return sum;
}

std::string name_of(problem const& p) {
  std::ostringstream name;
  name << p.kind << '/' << p.dtype << '/' << p.score;
  if (p.window != left_window) name << '-' << p.window;
  name << '/' << p.batch << 'x' << p.heads;
  if (p.groups != p.heads) name << ':' << p.groups;
  name << 'x' << p.queries;
  if (p.keys != p.queries) name << ':' << p.keys;
  name << 'x' << p.depth;
  return name.str();
}

} // namespace

std::vector<named_case>& all_cases() {
  static std::vector<named_case> cases;
  return cases;
}

void add(problem what, call (*prepare)(problem const&)) {
  auto const number = [](long x) { return static_cast<double>(x); };
  named_case c;
  c.name = name_of(what);
  c.kept = number(what.batch * what.heads) * kept_scores(what);
  double const all = number(what.batch * what.heads) * number(what.queries) * number(what.keys);
  c.flops = 4 * number(what.depth) * (what.score == "causal" ? all / 2 : c.kept);
  c.bytes = (what.dtype == "f32" ? 8 : 4) * number(what.batch * what.groups) * number(what.keys) * number(what.depth);
  c.prepare = [what, prepare] { return prepare(what); };
  c.what = std::move(what);
  all_cases().push_back(std::move(c));
}

void add_ceiling(std::string const& name, double flops, double bytes, call (*prepare)()) {
  named_case c;
  c.what.kind = "ceiling";
  c.name = "ceiling/" + name;
  c.flops = flops;
  c.bytes = bytes;
  c.prepare = prepare;
  all_cases().push_back(std::move(c));
}

void add_phase(std::string const& name, long depth, double flops, double scores, call (*prepare)()) {
  named_case c;
  c.what = {"phase", "f32", name.substr(0, name.find('/'))};
  c.what.depth = depth;
  c.name = "phase/" + name;
  c.kept = scores;
  c.flops = flops;
  c.prepare = prepare;
  all_cases().push_back(std::move(c));
}

} // namespace bench
