// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The elementwise vocabulary: one empty type per operation. Expressions and kernels share these names and nothing else.
// `symbol` is how explanations print it; `infix` ones stand between their operands.
#pragma once
#include <attend/types.hpp>

namespace attend::op {

// clang-format off
struct add { static constexpr char const* symbol = "+"; static constexpr bool infix = true; };
struct sub { static constexpr char const* symbol = "-"; static constexpr bool infix = true; };
struct mul { static constexpr char const* symbol = "*"; static constexpr bool infix = true; };
struct div { static constexpr char const* symbol = "/"; static constexpr bool infix = true; };   // true division, also of integers
struct max { static constexpr char const* symbol = "max"; };
struct min { static constexpr char const* symbol = "min"; };
struct pow { static constexpr char const* symbol = "pow"; };

struct neg { static constexpr char const* symbol = "-"; };
struct abs { static constexpr char const* symbol = "abs"; };
struct floor { static constexpr char const* symbol = "floor"; };
struct exp { static constexpr char const* symbol = "exp"; };
struct log { static constexpr char const* symbol = "log"; };
struct sqrt { static constexpr char const* symbol = "sqrt"; };
struct rsqrt { static constexpr char const* symbol = "rsqrt"; };
struct sin { static constexpr char const* symbol = "sin"; };
struct cos { static constexpr char const* symbol = "cos"; };
struct tanh { static constexpr char const* symbol = "tanh"; };
struct erf { static constexpr char const* symbol = "erf"; };
struct sigmoid { static constexpr char const* symbol = "sigmoid"; };
struct relu { static constexpr char const* symbol = "relu"; };
struct gelu { static constexpr char const* symbol = "gelu"; };            // x (1 + erf(x / sqrt 2)) / 2
struct gelu_tanh { static constexpr char const* symbol = "gelu_tanh"; };  // its approximation by a tanh
struct silu { static constexpr char const* symbol = "silu"; };            // x sigmoid(x)

struct less { static constexpr char const* symbol = "<"; static constexpr bool infix = true; };
struct less_equal { static constexpr char const* symbol = "<="; static constexpr bool infix = true; };
struct equal { static constexpr char const* symbol = "=="; static constexpr bool infix = true; };
struct not_equal { static constexpr char const* symbol = "!="; static constexpr bool infix = true; };
struct both { static constexpr char const* symbol = "&&"; static constexpr bool infix = true; };
struct either { static constexpr char const* symbol = "||"; static constexpr bool infix = true; };
struct no { static constexpr char const* symbol = "!"; };

struct where { static constexpr char const* symbol = "where"; };          // where(c, x, y): x if c, else y
struct filled : where {};                                                // a mask with a finite fill: where(kept, x, fill)
struct masked { static constexpr char const* symbol = "masked"; };        // masked(kept, x): x if kept, else minus infinity
struct kept { static constexpr char const* symbol = "kept"; };            // kept(x, c): x if c, else 0
struct random { static constexpr char const* symbol = "random"; };        // random(position, seed): 24 random bits

/// exp(x - m), m being the row's maximum; where that is minus infinity, nothing is kept and Empty says what stands there.
template <class Empty> struct softmax_term { static constexpr char const* symbol = "softmax_term"; };
/// exp(x - m) / l, l being the sum of the row's terms.
template <class Empty> struct softmax_weight { static constexpr char const* symbol = "softmax_weight"; };
// clang-format on

/// Conversion to T: rounded to nearest even for floats, toward zero for integers, `!= 0` for bool.
template <class T>
struct cast {
  static constexpr char const* symbol = type_name<T>();
};

} // namespace attend::op

namespace attend::empty_row {
/// What softmax gives for a row with nothing kept.
struct zeros_t { static constexpr char const* name = "zeros"; };
struct uniform_t { static constexpr char const* name = "uniform"; };
struct nan_t { static constexpr char const* name = "nan"; };
inline constexpr zeros_t zeros{};
inline constexpr uniform_t uniform{};
inline constexpr nan_t nan{};
} // namespace attend::empty_row
