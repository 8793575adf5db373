// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a safetensors file in place: the file is mapped into memory and its tensors are spans over it, never copied.
// The format: 8 bytes of header length (little endian), that many bytes of JSON, then the tensors' bytes.
#pragma once
#include <attend/nn/files.hpp>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace attend::nn {

/// The format's name of an element type.
template <class T>
inline constexpr std::string_view safetensors_type = "";
template <>
inline constexpr std::string_view safetensors_type<float> = "F32";
template <>
inline constexpr std::string_view safetensors_type<double> = "F64";
template <>
inline constexpr std::string_view safetensors_type<bf16> = "BF16";
template <>
inline constexpr std::string_view safetensors_type<f16> = "F16";
template <>
inline constexpr std::string_view safetensors_type<std::int32_t> = "I32";
template <>
inline constexpr std::string_view safetensors_type<std::int64_t> = "I64";

/// A safetensors file, its header read and checked, its tensors mapped.
class safetensors {
public:
  /// Maps a file; throws parameter_error where it can't be read or its header doesn't hold together.
  explicit safetensors(std::filesystem::path const& path) : file_(path.string()) {
    static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");
    read_header();
    for (auto const& [name, entry] : entries_) check(name, entry);
  }

  /// The extents of a tensor; throws parameter_error where there is none of this name.
  file_shape const& shape(std::string const& name) const { return find(name).shape; }

  /// The elements of a tensor, which must be of type T and of this shape; throws parameter_error where there is no such
  /// tensor, or another type or shape. The span lives as long as this object.
  template <class T>
  std::span<T const> tensor(std::string const& name, file_shape const& shape) const {
    static_assert(!safetensors_type<T>.empty(), "tensor<T>(name, shape) requires 'T' to be a type that files can hold");
    auto const& entry = find(name);
    file_.require(name, entry.type, safetensors_type<T>, entry.shape, shape);
    return file_.elements<T>(data_.subspan(entry.begin, entry.end - entry.begin), name);
  }

  /// The names of all tensors, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (auto const& [name, entry] : entries_) result.push_back(name);
    return result;
  }

private:
  struct entry_type {
    std::string type;
    file_shape shape;
    std::size_t begin, end; // bytes from the end of the header
  };

  entry_type const& find(std::string const& name) const {
    auto const found = entries_.find(name);
    if (found == entries_.end()) file_.fail("has no tensor '" + name + "'");
    return found->second;
  }

  // Bytes an element takes; 0 for a type this reader doesn't know, whose tensors then only can't be asked for.
  static std::size_t size_of(std::string_view type) {
    static std::map<std::string_view, std::size_t> const sizes{
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2},
        {"I32", 4},  {"U32", 4}, {"F32", 4}, {"F64", 8}, {"I64", 8}, {"U64", 8}};
    auto const found = sizes.find(type);
    return found == sizes.end() ? 0 : found->second;
  }

  // Fills the entries and leaves the tensors' bytes in data_.
  void read_header() {
    std::uint64_t length = 0;
    data_ = file_.bytes();
    if (data_.size() < sizeof length) file_.fail("is cut short: it is smaller than a header's length");
    std::memcpy(&length, data_.data(), sizeof length);
    data_ = data_.subspan(sizeof length);
    if (length > data_.size())
      file_.fail("is cut short: its header takes " + std::to_string(length) + " bytes, the file has " + std::to_string(data_.size()) + " left");
    std::string_view const header(reinterpret_cast<char const*>(data_.data()), static_cast<std::size_t>(length));
    data_ = data_.subspan(static_cast<std::size_t>(length));
    try {
      auto const table = nlohmann::json::parse(header); // outlives the loop over its items
      if (!table.is_object()) file_.fail("has a header that isn't a JSON object");
      for (auto const& [name, entry] : table.items()) {
        if (name == "__metadata__") continue;
        auto const& offsets = entry.at("data_offsets");
        entries_[name] = {entry.at("dtype"), entry.at("shape"), offsets.at(0), offsets.at(1)};
      }
    } catch (nlohmann::json::exception const& error) {
      file_.fail(std::string("has a header that isn't one of safetensors: ") + error.what());
    }
  }

  void check(std::string const& name, entry_type const& entry) const {
    auto const available = data_.size();
    if (entry.begin > entry.end || entry.end > available)
      file_.fail("is cut short: tensor '" + name + "' takes the bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end) +
                 ", the file has " + std::to_string(available));
    auto const element = size_of(entry.type);
    if (element == 0) return;
    std::size_t bytes;
    if (!detail::bytes_of(entry.shape, element, bytes)) file_.fail("tensor '" + name + "' of the shape " + detail::text_of(entry.shape) + " can't be in memory");
    if (bytes != entry.end - entry.begin)
      file_.fail("tensor '" + name + "' of the shape " + detail::text_of(entry.shape) + " and type " + entry.type + " needs " + std::to_string(bytes) +
                 " bytes, but has " + std::to_string(entry.end - entry.begin));
  }

  detail::mapped_file file_;
  std::span<std::byte const> data_;
  std::map<std::string, entry_type> entries_;
};

} // namespace attend::nn
