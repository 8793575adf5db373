// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What goes wrong at run time: every error is thrown before anything is written.
#pragma once
#include <stdexcept>

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

} // namespace attend
