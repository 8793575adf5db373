// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A walk through the language: each part is a listing of the README.
#include <attend/attend.hpp>
#include <cstdio>
#include <iostream>
#include <span>

using namespace attend::dims;
using namespace attend::literals;

// [own-dim]
inline constexpr struct seq final : attend::dim<"seq", attend::role::matrix, seq> { using dim::operator=; } seq;
// [/own-dim]

int main() {
  auto q = attend::normal<float>(b = 2, n = 8, s = 100, d = 64_c);
  auto k = attend::normal<float>(b = 2, n = 8, t = 120, d = 64_c);
  auto v = attend::normal<float>(b = 2, n = 8, t = 120, d = 64_c);

  // [scores]
  auto slope = attend::normal<float>(n = 8);                                             // one a head
  auto alibi = softmax(q * transpose(k) / 8 + slope * (index(t) - index(s))) * v;        // ALiBi
  auto capped = softmax(30 * tanh(q * transpose(k) / 8 / 30)) * v;                       // softcap
  auto local = softmax(masked(q * transpose(k) / 8, keep(window(s, t, 64, 0)))) * v;     // sliding window
  auto sinks = softmax(masked(q * transpose(k) / 8,                                      // a window, and the first four keys
                              keep(index(s) - index(t) <= 64 || index(t) < 4))) * v;
  // [/scores]

  // [masks]
  auto lengths = attend::values<std::int32_t>({120, 77}, b = 2);
  auto padded = softmax(masked(q * transpose(k) / 8, drop(padding(t, lengths)))) * v;    // b by name, over n and s
  auto cached = softmax(masked(q * transpose(k) / 8, keep(causal(s, t, attend::bottom_right)))) * v;
  auto uniform = softmax(masked(q * transpose(k) / 8, drop(padding(t, lengths))), attend::empty_row::uniform) * v;
  // [/masks]

  // [weights]
  auto dropped = attend::dropout(softmax(q * transpose(k) / 8), 0.1, 42) * v;            // the same bits on every machine
  auto z = attend::normal<float>(n = 8);
  auto shared = softmax(q * transpose(k) / 8, attend::sink(z)) * v;                      // a sink takes its share of every row
  auto gates = sigmoid(q * transpose(k) / 8 - 3) * v;                                    // no softmax at all
  auto decay = contract(hadamard(where(causal(s, t), q * transpose(k), 0),               // linear attention that forgets
                                 exp(-0.01f * (index(s) - index(t)))), v, t);
  // [/weights]

  // [packed]
  auto tokens = attend::normal<float>(n = 8, s = 220, d = 64_c);                         // three sequences, end to end
  auto offsets = attend::values<std::int64_t>({0, 100, 120, 220}, b = 4);
  auto packed = softmax(masked(tokens * transpose(tokens) / 8,                           // tiles between sequences are skipped
                               keep(same_sequence(s, prime(s), offsets) && causal(s, prime(s))))) * tokens;
  // [/packed]

  // [groups]
  auto kg = attend::normal<float>(b = 2, g = 2, t = 120, d = 64_c);                      // two key-value heads
  auto vg = attend::normal<float>(b = 2, g = 2, t = 120, d = 64_c);
  auto grouped = softmax(split(q, n, g = 2, r) * transpose(kg) / 8) * vg;                // nothing is repeated
  // [/groups]

  // [module]
  auto x = attend::normal<float>(b = 2, s = 100, c = 512);
  auto wqkv = attend::normal<float>(c = 512, f = 3 * 512);
  auto wo = attend::normal<float>(e = 512, c = 512);
  auto qkv = split(x * wqkv, f, part = 3_c, n = 8_c, d);                                 // (b, s, part, n, d)
  auto self = softmax(at(qkv, part, 0) * transpose(at(qkv, part, 1)) / 8) * at(qkv, part, 2);
  auto block = x + merge(self, n, d, e) * wo;                                            // residual and output layer
  // [/module]

  // [evaluate]
  auto o = evaluate(alibi);                                                              // a tensor where the operands live
  evaluate(into(o), capped);                                                             // into one that is there
  auto scores = q * transpose(k) / 8;
  auto [out, weights, sums] = evaluate(softmax(scores) * v, softmax(scores), logsumexp(scores)); // all by one kernel
  std::cout << explain(block);                                                           // tree, steps, operations, bytes
  // [/evaluate]

  // [plans]
  auto const pixels = attend::normal<float>(s = 100000, f = 3_c);
  auto const in = attend::normal<float>(f = 3_c, c = 64_c);
  auto const mix = attend::normal<float>(c = 64_c, e = 64_c);
  auto const down = attend::normal<float>(e = 64_c, d = 3_c);
  auto const shift = attend::normal<float>(e = 64_c);
  auto const painted = (pixels * in * mix + shift) * down;                             // evaluated as pixels * (in * mix * down) + shift * down
  auto const kept = as_written(painted);                                               // evaluated from left to right
  auto room = attend::uninitialized<float>(c = attend::workspace_of(kept) / 4);        // in blocks of rows: 4 MiB between the steps
  auto image = evaluate(attend::on(std::as_writable_bytes(std::span(room))), kept);    // in your own memory
  evaluate(attend::on_progress([](double fraction) { std::fprintf(stderr, "%3.0f %%\r", 100 * fraction); }), into(image), kept);
  // [/plans]

  evaluate(into(o), local);
  evaluate(into(o), sinks);
  evaluate(into(o), padded);
  evaluate(into(o), cached);
  evaluate(into(o), uniform);
  static_assert(attend::is_fused<decltype(alibi)> && attend::is_fused<decltype(capped)> && attend::is_fused<decltype(local)>);
  auto const p = evaluate(packed);
  evaluate(into(o), dropped);
  evaluate(into(o), shared);
  evaluate(into(o), gates);
  evaluate(into(o), decay);
  static_assert(attend::is_fused<decltype(dropped)> && attend::is_fused<decltype(shared)> && attend::is_fused<decltype(gates)>);
  static_assert(attend::is_fused<decltype(decay)> && attend::is_fused<decltype(packed)>);
  static_assert(attend::is_fused<decltype(sinks)> && attend::is_fused<decltype(grouped)> && attend::is_fused<decltype(block)>);
  auto const g = evaluate(grouped);
  auto const y = evaluate(block);
  auto const own = attend::normal<float>(b = 2, seq = 7);
  std::printf("%ld %ld %ld %ld %ld %ld %ld\n", g.size(), y.size(), p.size(), own.extent(seq), out.size(), weights.size(), sums.size());
}
