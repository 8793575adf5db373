// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The largest example's evaluation - image and weights of cross-attention with eight heads - for compile_time.py.
//   COMPILED 0  what it includes
//            1  evaluated as written
//            2  planned
#include <attend/attend.hpp>
#include <image_cross_attention.hpp>

using namespace attend::dims;
using namespace attend::literals;
using image_cross_attention::rgb;

#if COMPILED > 0
namespace {

auto in_order(auto const& expr) {
#if COMPILED == 1
  return as_written(expr);
#else
  return expr;
#endif
}

} // namespace

// The side of the image is known where it runs (then two plans are compiled, of which its extents choose), or here.
#ifdef KNOWN_SIDE
inline constexpr auto side = 512_c;
inline constexpr auto pixels = 262144_c;
void run(float const* colours, float const* tokens, image_cross_attention::parameters const& p, float* painted, float* weights) {
#else
void run(float const* colours, float const* tokens, image_cross_attention::parameters const& p, float* painted, float* weights, long side) {
  long const pixels = side * side;
#endif
  auto const image = attend::view(colours, b = 3_c, rgb = 3_c, h = side, w = side);
  auto const context = attend::view(tokens, b = 3_c, s = 5_c, c = 512_c);
  auto const [result, attending] = image_cross_attention::eight_heads(image, context, p);
  evaluate(into(attend::view(painted, b = 3_c, rgb = 3_c, h = side, w = side), attend::view(weights, b = 3_c, n = 8_c, t = pixels, s = 5_c)), in_order(result),
           in_order(attending));
}
#endif
