// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What files of parameters have in common: a file mapped into memory, the names of element types, one kind of error.
#pragma once
#include <attend/types.hpp>
#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace attend::nn {

/// A file of parameters is not what it should be; the message names the file, the tensor and what was found.
struct parameter_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The extents of a tensor in a file.
using file_shape = std::vector<std::int64_t>;

namespace detail {

inline std::string text_of(file_shape const& shape) {
  std::string result;
  for (auto const n : shape) result += (result.empty() ? "" : ", ") + (n < 0 ? std::string("any") : std::to_string(n));
  return "(" + result + ")";
}

/// Bytes of a tensor; false where they are more than memory has addresses, or an extent is negative.
inline bool bytes_of(file_shape const& shape, std::size_t element, std::size_t& bytes) {
  bytes = element;
  for (auto const n : shape) {
    if (n < 0) return false;
    auto const factor = static_cast<std::size_t>(n);
    if (factor != 0 && bytes > std::numeric_limits<std::size_t>::max() / factor) return false;
    bytes *= factor;
  }
  return true;
}

/// A file in memory, read where it lies. Throws parameter_error where it cannot be read.
class mapped_file {
public:
  explicit mapped_file(std::string path) : path_(std::move(path)) {
    namespace ipc = boost::interprocess;
    try {
      region_ = ipc::mapped_region(ipc::file_mapping(path_.c_str(), ipc::read_only), ipc::read_only);
    } catch (ipc::interprocess_exception const& error) {
      fail(std::string("can't be read: ") + error.what());
    }
  }
  std::span<std::byte const> bytes() const { return {static_cast<std::byte const*>(region_.get_address()), region_.get_size()}; }
  [[noreturn]] void fail(std::string const& what) const { throw parameter_error("'" + path_ + "' " + what); }

  /// Fails where a tensor is of another type or shape than is asked for.
  void require(std::string const& tensor, std::string_view type, std::string_view type_asked, file_shape const& shape, file_shape const& shape_asked) const {
    if (type != type_asked) fail("tensor '" + tensor + "' holds " + std::string(type) + ", but " + std::string(type_asked) + " is asked for");
    if (shape != shape_asked) fail("tensor '" + tensor + "' has the shape " + text_of(shape) + ", but " + text_of(shape_asked) + " is asked for");
  }
  /// Bytes as elements of T; fails where they are not aligned as such.
  template <class T>
  std::span<T const> elements(std::span<std::byte const> bytes, std::string const& tensor) const {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) fail("tensor '" + tensor + "' isn't aligned to its elements");
    return {reinterpret_cast<T const*>(bytes.data()), bytes.size() / sizeof(T)};
  }

private:
  std::string path_;
  boost::interprocess::mapped_region region_;
};

} // namespace detail
} // namespace attend::nn
