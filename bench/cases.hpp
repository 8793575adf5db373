// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A case: one computation under a name, with what a driver needs to know to run the same by other libraries.
#pragma once
#include <concepts>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// What the score functions are made of: the soft cap, keys to the left in a window, tokens of a document.
inline constexpr double cap = 30;
inline constexpr long left_window = 256, document = 512;

/// What is computed. Queries are (batch, heads, queries, depth), keys and values (batch, groups, keys, depth).
struct problem {
  std::string kind;  ///< forward, score, decode, short, phase or ceiling
  std::string dtype; ///< f32 or bf16
  std::string score; ///< full, causal, softcap, alibi, window, alibi-window or documents
  long batch = 1, heads = 1, groups = 1, queries = 1, keys = 1, depth = 1, window = left_window;
};

/// One computation, ready to be repeated.
using call = std::function<void()>;

/// A problem with its name, what it costs and how it is made ready.
struct named_case {
  problem what;
  std::string name;
  double kept = 0;  ///< scores that the mask keeps, over all batches and heads
  double flops = 0; ///< of one call: 4 depth a score, all scores counted, half of them if causal, else those kept
  double bytes = 0; ///< of one call: those of keys and values, or those a ceiling moves
  std::function<call()> prepare;
};

template <class T>
std::string dtype_name() {
  return std::same_as<T, float> ? "f32" : "bf16";
}

/// Every case there is, in the order of registration.
std::vector<named_case>& all_cases();

/// Names a problem, counts its costs and lists it.
void add(problem what, call (*prepare)(problem const&));

/// Lists a measurement of the machine, with the operations and bytes of one call.
void add_ceiling(std::string const& name, double flops, double bytes, call (*prepare)());

/// Lists one step of the fused attention alone, with the operations and scores of one call.
void add_phase(std::string const& name, long depth, double flops, double scores, call (*prepare)());

// Each file's cases.
void add_ceilings();
void add_phases();
void add_forward();
void add_scores();
void add_decode();

} // namespace bench
