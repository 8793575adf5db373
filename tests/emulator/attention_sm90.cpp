// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of fused attention on sm_90: element type, head dim, mask, lengths, groups of heads packed into one tile, in
// order and in random orders, with copies and products that take effect at once and as late as they may.
#include "attention_cases.hpp"

namespace attend::emulated {
namespace {

using emulator::landing;

enum class type { bf16, f16 };
enum class mask { none, causal, window, softcap, alibi };
char const* const names[] = {"full", "causal", "window", "softcap", "alibi"};

struct entry {
  type element;
  mask kept;
  shape n;
  std::uint64_t seed = 0;
  landing order = landing::late;
};
std::ostream& operator<<(std::ostream& out, entry const& x) {
  out << (x.element == type::bf16 ? "bf16 " : "f16 ") << names[static_cast<int>(x.kept)] << ' ' << x.n;
  if (x.seed != 0) out << " seed " << x.seed;
  return x.order == landing::early ? out << " early" : out;
}

template <class T>
void run(entry const& x) {
  shape const& n = x.n;
  inputs<T> const in(n);
  on_sm_90 const machine(x.order, x.seed);
  switch (x.kept) {
  case mask::none: return check(in, score);
  case mask::causal: return check(in, causal());
  case mask::window: return check(in, window(40, 9, score));
  case mask::softcap: return check(in, softcap(2), {}, {}, 2);
  case mask::alibi: {
    table<float> const slopes("slopes", n.g * n.r, [](long i) { return std::exp2(-static_cast<float>(i + 2)); });
    return check(in, alibi(slopes.data(), n.r), {}, {}, static_cast<double>(n.s + n.t));
  }
  }
}

std::vector<entry> entries() {
  std::vector<entry> all;
  auto const add = [&](shape const& n, std::initializer_list<mask> masks) {
    for (type element : {type::bf16, type::f16})
      for (mask kept : masks) all.push_back({element, kept, n});
  };
  std::initializer_list<mask> const plain_and_causal = {mask::none, mask::causal};
  std::initializer_list<mask> const every = {mask::none, mask::causal, mask::window, mask::softcap, mask::alibi};
  // Lengths: of one, around the tiles' ends, ragged; more tiles than blocks.
  for (shape const& n : {shape{1, 1, 1, 1, 1, 64, 64}, {1, 1, 1, 1, 300, 64, 64}, {1, 1, 1, 300, 1, 64, 64}, {1, 1, 1, 192, 128, 64, 64},
                         {1, 1, 1, 191, 129, 64, 64}, {1, 1, 1, 200, 513, 64, 64}, {2, 3, 1, 130, 70, 64, 64}})
    add(n, plain_and_causal);
  // Head dims, keys and values of the same and of different ones, padded and not.
  for (shape const& n : {shape{1, 1, 1, 130, 260, 64, 64}, {1, 1, 1, 70, 300, 96, 96}, {1, 1, 1, 130, 400, 128, 128}, {1, 1, 1, 130, 250, 192, 192},
                         {1, 1, 1, 130, 300, 192, 128}, {1, 1, 1, 130, 180, 256, 256}})
    add(n, every);
  for (shape const& n : {shape{1, 1, 1, 40, 140, 8, 24}, {1, 1, 1, 40, 140, 72, 40}, {1, 1, 1, 40, 140, 136, 144}, {1, 1, 1, 40, 140, 200, 8}}) add(n, plain_and_causal);
  // Groups of heads: packed where that leaves fewer tiles, and not.
  for (shape const& n : {shape{1, 1, 8, 1, 200, 64, 64}, {2, 2, 4, 40, 150, 64, 64}, {1, 2, 8, 33, 150, 128, 128}, {1, 1, 64, 3, 100, 64, 64}}) add(n, every);
  for (shape const& n : {shape{1, 2, 3, 40, 150, 64, 64}, {1, 1, 2, 256, 150, 128, 128}}) add(n, plain_and_causal);
  // Threads in random orders, and what begins takes effect at once.
  for (landing order : {landing::late, landing::early})
    for (std::uint64_t seed = 0; seed <= 3; ++seed)
      for (mask kept : every) {
        all.push_back({type::bf16, kept, {1, 1, 2, 200, 330, 64, 64}, seed, order});
        all.push_back({type::f16, kept, {1, 2, 4, 40, 390, 128, 128}, seed, order});
      }
  return all;
}

class attention_sm90 : public testing::TestWithParam<entry> {};
TEST_P(attention_sm90, within_its_bound) {
  if (GetParam().element == type::bf16) run<bf16>(GetParam());
  else run<f16>(GetParam());
}
INSTANTIATE_TEST_SUITE_P(cases, attention_sm90, testing::ValuesIn(entries()));

} // namespace
} // namespace attend::emulated
