// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parameters of a narrower type than their file's: load(parameters, narrowed<bf16>(file)).
#pragma once
#include <algorithm>
#include <attend/nn/files.hpp>
#include <attend/types.hpp>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace attend::nn {

/// A file, as `load` reads it, whose f32 tensors are also tensors of T: rounded to nearest even when they are first asked
/// for, and kept in memory of this object. Tensors asked for in another type are the file's, which must outlive this.
template <half_precision T, class File>
class narrowed {
public:
  explicit narrowed(File const& file) : file_(file) {}

  /// The extents of a tensor; throws parameter_error where there is none of this name.
  file_shape const& shape(std::string const& name) const { return file_.shape(name); }

  /// The elements of a tensor of this shape; throws parameter_error where there is no such tensor, or another shape, or
  /// where the file's is of neither type. The span lives as long as this object.
  template <class U>
  std::span<U const> tensor(std::string const& name, file_shape const& shape) const {
    if constexpr (!std::is_same_v<U, T>) return file_.template tensor<U>(name, shape);
    else {
      auto const wide = file_.template tensor<float>(name, shape);
      auto& mine = kept_[name];
      if (mine.empty()) {
        mine.resize(wide.size());
        std::transform(wide.begin(), wide.end(), mine.begin(), [](float x) { return static_cast<T>(x); });
      }
      return mine;
    }
  }

private:
  File const& file_;
  mutable std::map<std::string, std::vector<T>> kept_;
};

} // namespace attend::nn
