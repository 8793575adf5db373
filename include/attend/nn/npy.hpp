// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads NumPy's .npy files in place, a tensor a file: "layer.0.weight" is the file layer.0.weight.npy of a folder.
// The format: a magic word, a version, the length of a header, the header - a Python dict of three entries - and the
// elements, row-major.
#pragma once
#include <attend/nn/files.hpp>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <regex>
#include <string_view>

namespace attend::nn {

/// The format's name of an element type; it has none for bf16.
template <class T>
inline constexpr std::string_view npy_type = "";
template <>
inline constexpr std::string_view npy_type<float> = "<f4";
template <>
inline constexpr std::string_view npy_type<double> = "<f8";
template <>
inline constexpr std::string_view npy_type<f16> = "<f2";
template <>
inline constexpr std::string_view npy_type<std::int32_t> = "<i4";
template <>
inline constexpr std::string_view npy_type<std::int64_t> = "<i8";

/// One .npy file, its header read and checked, its elements mapped.
class npy_file {
public:
  /// Maps a file; throws parameter_error where it can't be read, isn't of the format, or is stored column by column.
  explicit npy_file(std::filesystem::path const& path) : file_(path.string()) {
    static_assert(std::endian::native == std::endian::little, "elements are read as they lie in memory");
    data_ = file_.bytes();
    if (data_.size() < 10 || std::memcmp(data_.data(), "\x93NUMPY", 6) != 0) file_.fail("isn't a .npy file");
    auto const byte = [&](std::size_t i) { return std::to_integer<std::size_t>(data_[i]); };
    std::size_t const version = byte(6), begin = version == 1 ? 10 : 12;
    if (version < 1 || version > 3) file_.fail("is of version " + std::to_string(version) + " of the .npy format, which isn't known");
    if (data_.size() < begin) file_.fail("is cut short: it is smaller than a header's length");
    std::size_t const length = version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
    if (length > data_.size() - begin)
      file_.fail("is cut short: its header takes " + std::to_string(length) + " bytes, the file has " + std::to_string(data_.size() - begin) + " left");
    read_header(std::string(reinterpret_cast<char const*>(data_.data()) + begin, length));
    data_ = data_.subspan(begin + length);
  }

  /// The extents.
  file_shape const& shape() const { return shape_; }

  /// The elements, which must be of type T and of this shape; throws parameter_error where they are of another, or not
  /// all there. The span lives as long as this object. `name` is what messages call the tensor.
  template <class T>
  std::span<T const> elements(file_shape const& shape, std::string const& name) const {
    static_assert(!npy_type<T>.empty(), "elements<T>(shape, name) requires 'T' to be a type that files can hold");
    file_.require(name, type_, npy_type<T>, shape_, shape);
    std::size_t bytes;
    if (!detail::bytes_of(shape_, sizeof(T), bytes) || bytes != data_.size())
      file_.fail("tensor '" + name + "' of the shape " + detail::text_of(shape_) + " and type " + type_ + " does not take the " + std::to_string(data_.size()) +
                 " bytes that are there");
    return file_.elements<T>(data_, name);
  }

private:
  void read_header(std::string const& header) {
    auto const entry = [&](char const* pattern) {
      std::smatch found;
      if (!std::regex_search(header, found, std::regex(pattern))) file_.fail("has a header that isn't one of .npy: " + header);
      return found[1].str();
    };
    type_ = entry("'descr': *'([^']*)'");
    if (entry("'fortran_order': *(True|False)") == "True") file_.fail("is stored column by column; save numpy.ascontiguousarray of it");
    std::string const extents = entry("'shape': *\\(([0-9, ]*)\\)");
    std::regex const number("[0-9]{1,18}");
    for (std::sregex_iterator at(extents.begin(), extents.end(), number), end; at != end; ++at) shape_.push_back(std::stoll(at->str()));
  }

  detail::mapped_file file_;
  std::span<std::byte const> data_;
  std::string type_;
  file_shape shape_;
};

/// A folder of .npy files, each mapped when it is first asked for and kept. One thread at a time may ask.
class npy_folder {
public:
  explicit npy_folder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The extents of a tensor; throws parameter_error where its file can't be read.
  file_shape const& shape(std::string const& name) const { return file(name).shape(); }
  /// The elements of a tensor, as npy_file::elements.
  template <class T>
  std::span<T const> tensor(std::string const& name, file_shape const& shape) const {
    return file(name).template elements<T>(shape, name);
  }

private:
  npy_file const& file(std::string const& name) const {
    auto& kept = files_[name];
    if (!kept) kept = std::make_unique<npy_file>(folder_ / (name + ".npy"));
    return *kept;
  }

  std::filesystem::path folder_;
  mutable std::map<std::string, std::unique_ptr<npy_file>> files_;
};

} // namespace attend::nn
