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

template <mask Kept, class Check>
void with_functor(shape const& n, Check check) {
  if constexpr (Kept == mask::none) check(score, 0);
  else if constexpr (Kept == mask::causal) check(causal(), 0);
  else if constexpr (Kept == mask::window) check(window(40, 9, score), 0);
  else if constexpr (Kept == mask::softcap) check(softcap(2), 2);
  else {
    table<float> const slopes("slopes", n.g * n.r, [](long i) { return std::exp2(-static_cast<float>(i + 2)); });
    check(alibi(slopes.data(), n.r), static_cast<double>(n.s + n.t));
  }
}

/// Runs the entry if it is one of these.
template <int Depth, int Width, class T, mask... Kept>
bool run(entry const& x) {
  auto const head_dim = [](long n) { return n <= 64 ? 64 : n <= 96 ? 96 : n <= 128 ? 128 : n <= 192 ? 192 : 256; };
  int const depth = head_dim(std::max(x.n.d, x.n.e)), width = depth == 192 && x.n.e <= 128 ? 128 : depth;
  if (depth != Depth || width != Width || (x.element == type::bf16) != std::is_same_v<T, bf16>) return false;
  bool ran = false;
  auto const one = [&]<mask Is>(std::integral_constant<mask, Is>) {
    if (x.kept != Is) return;
    ran = true;
    with_functor<Is>(x.n, [&](auto const& functor, double spread) {
      inputs<T> const in(x.n);
      on_sm_90 const machine(x.order, x.seed);
      check<empty_row::zeros_t, void, in_tiles<typename cuda::warpgroup_tuning<Depth, Width, Is == mask::none>::tiles>>(in, functor, {}, {}, spread);
    });
  };
  (one(std::integral_constant<mask, Kept>{}), ...);
  return ran;
}
bool run(entry const& x) {
  using enum mask;
  return run<64, 64, bf16, none, causal, window, softcap, alibi>(x) || run<64, 64, f16, none, causal, window, softcap, alibi>(x) ||
         run<128, 128, bf16, none, causal, window, softcap, alibi>(x) || run<128, 128, f16, none, causal, window, softcap, alibi>(x) ||
         run<96, 96, bf16, none, window>(x) || run<96, 96, f16, alibi>(x) || run<192, 192, bf16, causal>(x) || run<192, 192, f16, none>(x) ||
         run<192, 128, bf16, none>(x) || run<192, 128, f16, causal>(x) || run<256, 256, bf16, none, alibi>(x) || run<256, 256, f16, causal>(x);
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
  for (shape const& n : {shape{1, 1, 1, 130, 260, 64, 64}, {1, 1, 1, 130, 400, 128, 128}}) add(n, every);
  for (shape const& n : {shape{1, 1, 1, 40, 140, 8, 24}, {1, 1, 1, 40, 140, 104, 120}}) add(n, plain_and_causal);
  for (long d : {96l, 72l})
    for (auto const& [element, kept] : {std::pair{type::bf16, mask::none}, {type::bf16, mask::window}, {type::f16, mask::alibi}})
      all.push_back({element, kept, {1, 2, 1, 70, 300, d, 96}});
  for (long d : {192l, 136l})
    for (auto const& [element, kept, width] : {std::tuple{type::bf16, mask::causal, 144l}, {type::f16, mask::none, 192l}, {type::bf16, mask::none, 128l}, {type::f16, mask::causal, 128l}})
      all.push_back({element, kept, {1, 1, 1, 130, 250, d, width}});
  for (long d : {256l, 8l})
    for (auto const& [element, kept] : {std::pair{type::bf16, mask::none}, {type::bf16, mask::alibi}, {type::f16, mask::causal}})
      all.push_back({element, kept, {1, 1, 1, 130, 180, d, 200}});
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
  EXPECT_TRUE(run(GetParam())) << "there is no such kernel here";
}
INSTANTIATE_TEST_SUITE_P(cases, attention_sm90, testing::ValuesIn(entries()));

// Tiles of packed rows: what is kept differs from head to head.
class packed_heads : public testing::TestWithParam<landing> {
protected:
  template <class Score>
  void run(Score const& f) {
    inputs<bf16> const in({2, 1, 4, 40, 300, 64, 64});
    on_sm_90 const machine(GetParam());
    check<empty_row::zeros_t, void, in_tiles<cuda::warpgroup_tuning<64, 64, false>::tiles>>(in, f);
  }
};
INSTANTIATE_TEST_SUITE_P(orders, packed_heads, testing::Values(landing::late, landing::early));
constexpr coordinate<2> head{};
TEST_P(packed_heads, keep_keys_by_their_number) { run(make(op::masked{}, make(op::less{}, key, make(op::mul{}, head, whole_constant{90})), score)); }
TEST_P(packed_heads, are_kept_or_not) {
  table<bool> const keep("keep", 4, [](long i) { return i % 2 == 1; });
  run(make(op::masked{}, element<bool, 2>{keep.data(), {1}}, score));
}
TEST_P(packed_heads, keep_keys_of_their_own) {
  table<bool> const keep("keep", 4 * 300, [](long i) { return i / 300 * 70 < i % 300; });
  run(make(op::masked{}, element<bool, 2, 4>{keep.data(), {300, 1}}, score));
}
TEST_P(packed_heads, of_rows_that_keep_their_own) {
  table<bool> const keep("keep", 40 * 4, [](long i) { return i % 3 != 0; });
  run(make(op::masked{}, element<bool, 2, 3>{keep.data(), {40, 1}}, score));
}

} // namespace
} // namespace attend::emulated
