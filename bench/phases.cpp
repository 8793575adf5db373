// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the time of the fused attention goes: its three steps, each alone, on a panel of rows and a block of keys that
// lie in the cache.
#include "cases.hpp"
#include <algorithm>
#include <attend/kernels/cpu/attention_arithmetic.hpp>
#include <attend/kernels/cpu/attention_products.hpp>
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/attention_softmax.hpp>
#include <oneapi/tbb/parallel_for.h>

namespace bench {
namespace {

namespace cpu = attend::kernels::cpu;
using cpu::detail::kept_keys;
using cpu::detail::tile_view;

constexpr long rows = cpu::panel_rows, keys = cpu::tuning.key_block;

// A call is so many chunks for the workers to share, of so many steps each.
constexpr int chunks = 64, steps = 32;
constexpr double scores = double(chunks) * steps * rows * keys;

// What a step reads and writes: a thread's own, filled with numbers that stay small.
struct workplace {
  cpu::detail::attention_scratch scratch;
  cpu::detail::lines_ahead ahead; // nothing is asked for
  cpu::vec factors[cpu::tuning.vectors];

  explicit workplace(long depth) {
    scratch.reserve(1, cpu::detail::in_floats::sizes(depth, depth));
    auto const& panel = scratch.panel[0];
    for (float* x : {panel.query, panel.output}) std::fill_n(x, depth * rows, 0.01f);
    for (float* x : {scratch.key, scratch.value}) std::fill_n(x, depth * keys, 0.01f);
    for (float* x : {panel.max, panel.sum}) std::fill_n(x, rows, 1.0f);
    std::fill_n(scratch.scores, keys * rows, 0.01f);
    for (auto& f : factors) f = cpu::vec(0.5f);
  }
};

template <long Depth, class Step>
call repeated(Step step) {
  return [step] {
    tbb::parallel_for(0, chunks, [&](int) {
      thread_local workplace place(Depth);
      for (int i = 0; i < steps; ++i) step(place);
    });
  };
}

template <long Depth>
void add_depth() {
  std::string const depth = '/' + std::to_string(Depth);
  add_phase("scores" + depth, Depth, 2 * Depth * scores, scores, [] {
    return repeated<Depth>([](workplace& w) {
      cpu::vec largest[cpu::tuning.vectors];
      cpu::detail::score_products(w.scratch.panel[0].query, Depth, tile_view{w.scratch.key, Depth}, keys, {}, w.scratch.scores, largest, w.ahead);
    });
  });
  add_phase("softmax" + depth, Depth, 0, scores, [] {
    return repeated<Depth>([](workplace& w) {
      cpu::vec rescale[cpu::tuning.vectors];
      cpu::detail::online_softmax<0>(w.factors, w.scratch.panel[0], rescale, [&](auto const& m, auto& total) {
        cpu::detail::exponentials<false>(w.scratch.scores, kept_keys(keys), m, total);
      });
    });
  });
  add_phase("output" + depth, Depth, 2 * Depth * scores, scores, [] {
    return repeated<Depth>([](workplace& w) {
      cpu::detail::output_products(w.scratch.scores, kept_keys(keys), tile_view{w.scratch.value, Depth}, Depth, w.factors, w.scratch.panel[0].output, false, w.ahead);
    });
  });
}

} // namespace

void add_phases() {
  add_depth<64>();
  add_depth<128>();
}

} // namespace bench
