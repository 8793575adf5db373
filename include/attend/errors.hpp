// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What goes wrong at run time: every error but those of CUDA is thrown before anything is written.
#pragma once
#include <stdexcept>
#include <string>

namespace attend {

/// Two extents that must be equal are not, or an extent cannot be what an operation asks; the message names the
/// operation, the dimension and both extents.
struct shape_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A position outside its dimension: an id beyond its table, a slice beyond its tensor.
struct index_error : std::out_of_range {
  using std::out_of_range::out_of_range;
};

/// An argument no extent is at fault for: an unknown route, a probability outside [0, 1).
struct argument_error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A call of CUDA or of its libraries failed, or this machine has no device; the message names the call and gives CUDA's
/// own words. What a kernel does wrong is found by a later call.
struct cuda_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The texts are made where they are thrown, by functions that are compiled once and for size.
namespace detail {

/// What an error calls an operation: operator+(x, y), where(x, y, z). Its text is made when it is thrown.
struct operation_name {
  char const* symbol;
  bool infix = false;
  int operands = 0; // 0: the symbol says it all
};
using dim_name = std::string (*)();

[[noreturn, gnu::cold, gnu::noinline]] inline void extents_differ(operation_name const& operation, dim_name dim, long x, long y) {
  char const* const lists[] = {"", "(x)", "(x, y)", "(x, y, z)"};
  throw shape_error((operation.infix ? "operator" : "") + std::string(operation.symbol) + lists[operation.operands] + " requires the dimension '" + dim() +
                    "' to have one extent; it is " + std::to_string(x) + " in one operand and " + std::to_string(y) + " in another");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void slice_beyond(dim_name dim, long begin, long end, long whole) {
  throw shape_error("slice(x, " + dim() + ", " + std::to_string(begin) + ", " + std::to_string(end) + ") requires positions within the extent of '" +
                    dim() + "', which is " + std::to_string(whole));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void at_beyond(dim_name dim, long i, long whole) {
  throw shape_error("at(x, " + dim() + ", " + std::to_string(i) + ") requires a position within the extent of '" + dim() + "', which is " + std::to_string(whole));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void parts_differ(dim_name dim, long whole, long product) {
  throw shape_error("split(x, " + dim() + ", parts...) requires the extent of '" + dim() + "' to be the product of its parts; it is " +
                    std::to_string(whole) + " and the parts given make " + std::to_string(product));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void extent_below_zero(dim_name dim, long n) {
  throw shape_error("a tensor requires extents of at least 0; the extent of '" + dim() + "' is " + std::to_string(n));
}
/// n, if it can be an extent of D.
template <class D>
constexpr long valid_extent(long n) {
  if (n < 0) extent_below_zero(&D::name, n);
  return n;
}
[[noreturn, gnu::cold, gnu::noinline]] inline void extent_unknown(dim_name dim) {
  throw shape_error("evaluate(x) requires an operand that says how long the dimension '" + dim() + "' is; only positions have it");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void elements_missing(char const* operation, long size, long count) {
  throw shape_error(std::string(operation) + " requires as many elements as the extents make, " + std::to_string(size) + "; there are " + std::to_string(count));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void id_beyond_table(dim_name dim, long rows, long id) {
  throw index_error("gather(table, ids) requires ids within the dimension '" + dim() + "' of the table, which has " + std::to_string(rows) +
                    " entries; an id is " + std::to_string(id));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void no_probability(double p) {
  throw argument_error("dropout(x, p, seed) requires 0 <= p < 1; p is " + std::to_string(p));
}
[[noreturn, gnu::cold, gnu::noinline]] inline void reference_of_device_memory() {
  throw argument_error("ATTEND_ATTENTION=reference requires operands in host memory");
}
[[noreturn, gnu::cold, gnu::noinline]] inline void unknown_route(char const* name) {
  throw argument_error("ATTEND_ATTENTION requires one of 'fused', 'thrust', 'reference'; it is '" + std::string(name) + "'");
}

} // namespace detail
} // namespace attend
