// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a safetensors file in place: the file is mapped into memory and its tensors are spans over it, never copied.
// The format: 8 bytes of header length (little endian), that many bytes of JSON, then the tensors' bytes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <nlohmann/json.hpp>

namespace sentence {

/// A file that isn't what it should be; the message names the file, the tensor and what was found.
struct safetensors_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The format's name of an element type.
template <class T> inline constexpr std::string_view safetensors_type = "";
template <> inline constexpr std::string_view safetensors_type<float> = "F32";
template <> inline constexpr std::string_view safetensors_type<double> = "F64";
template <> inline constexpr std::string_view safetensors_type<std::int32_t> = "I32";
template <> inline constexpr std::string_view safetensors_type<std::int64_t> = "I64";

/// A safetensors file, its header read and checked, its tensors mapped.
class safetensors {
public:
  using shape_type = std::vector<std::int64_t>;

  /// Maps `path`; throws `safetensors_error` where the file can't be read or its header doesn't hold together.
  explicit safetensors(std::filesystem::path const& path) : path_{path.string()} {
    static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");
    map();
    auto const rest = read_header();
    for (auto const& [name, entry] : entries) check(name, entry, rest);
  }

  /// The elements of tensor `name`, which must hold `T`s in this `shape`; throws `safetensors_error` where there is no
  /// such tensor, or another type or shape. The span lives as long as this object.
  template <class T> std::span<T const> tensor(std::string const& name, shape_type const& shape) const {
    static_assert(!safetensors_type<T>.empty(), "tensor<T>(name, shape) requires 'T' to be a type that files can hold");
    auto const found = entries.find(name);
    if (found == entries.end()) fail("has no tensor '" + name + "'");
    auto const& entry = found->second;
    if (entry.type != safetensors_type<T>)
      fail("tensor '" + name + "' holds " + entry.type + ", but " + std::string{safetensors_type<T>} + " is asked for");
    if (entry.shape != shape)
      fail("tensor '" + name + "' has the shape " + text(entry.shape) + ", but " + text(shape) + " is asked for");
    auto const bytes = data.subspan(entry.begin, entry.end - entry.begin);
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0)
      fail("tensor '" + name + "' isn't aligned to its elements");
    return {reinterpret_cast<T const*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  /// The names of all tensors, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (auto const& [name, entry] : entries) result.push_back(name);
    return result;
  }

private:
  struct entry_type {
    std::string type;
    shape_type shape;
    std::size_t begin, end; // bytes from the end of the header
  };

  [[noreturn]] void fail(std::string const& what) const { throw safetensors_error{"'" + path_ + "' " + what}; }

  static std::string text(shape_type const& shape) {
    std::string result;
    for (auto const extent : shape) result += (result.empty() ? "" : ", ") + std::to_string(extent);
    return "(" + result + ")";
  }

  // Bytes an element takes; 0 for a type this reader doesn't know, whose tensors then only can't be asked for.
  static std::size_t size_of(std::string_view type) {
    static std::map<std::string_view, std::size_t> const sizes{
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2},
        {"I32", 4},  {"U32", 4}, {"F32", 4}, {"F64", 8}, {"I64", 8}, {"U64", 8}};
    auto const found = sizes.find(type);
    return found == sizes.end() ? 0 : found->second;
  }

  void map() {
    namespace ipc = boost::interprocess;
    try {
      region = ipc::mapped_region{ipc::file_mapping{path_.c_str(), ipc::read_only}, ipc::read_only};
    } catch (ipc::interprocess_exception const& error) {
      fail(std::string{"can't be read: "} + error.what());
    }
    data = {static_cast<std::byte const*>(region.get_address()), region.get_size()};
  }

  // Fills the entries, leaves the tensors' bytes in `data` and answers how many those are.
  std::size_t read_header() {
    std::uint64_t length = 0;
    if (data.size() < sizeof length) fail("is cut short: it is smaller than a header's length");
    std::memcpy(&length, data.data(), sizeof length);
    data = data.subspan(sizeof length);
    if (length > data.size())
      fail("is cut short: its header takes " + std::to_string(length) + " bytes, the file has " +
           std::to_string(data.size()) + " left");
    std::string_view const header{reinterpret_cast<char const*>(data.data()), static_cast<std::size_t>(length)};
    data = data.subspan(static_cast<std::size_t>(length));
    try {
      auto const table = nlohmann::json::parse(header); // outlives the loop over its items
      if (!table.is_object()) fail("has a header that isn't a JSON object");
      for (auto const& [name, entry] : table.items()) {
        if (name == "__metadata__") continue;
        auto const& offsets = entry.at("data_offsets");
        entries[name] = {entry.at("dtype"), entry.at("shape"), offsets.at(0), offsets.at(1)};
      }
    } catch (nlohmann::json::exception const& error) {
      fail(std::string{"has a header that isn't one of safetensors: "} + error.what());
    }
    return data.size();
  }

  void check(std::string const& name, entry_type const& entry, std::size_t available) const {
    if (entry.begin > entry.end || entry.end > available)
      fail("is cut short: tensor '" + name + "' takes the bytes " + std::to_string(entry.begin) + " to " +
           std::to_string(entry.end) + ", the file has " + std::to_string(available));
    auto bytes = size_of(entry.type);
    if (bytes == 0) return;
    for (auto const extent : entry.shape) {
      if (extent < 0) fail("tensor '" + name + "' has the shape " + text(entry.shape));
      auto const factor = static_cast<std::size_t>(extent);
      if (factor != 0 && bytes > std::numeric_limits<std::size_t>::max() / factor)
        fail("tensor '" + name + "' of the shape " + text(entry.shape) + " is larger than memory");
      bytes *= factor;
    }
    if (bytes != entry.end - entry.begin)
      fail("tensor '" + name + "' of the shape " + text(entry.shape) + " and type " + entry.type + " needs " +
           std::to_string(bytes) + " bytes, but has " + std::to_string(entry.end - entry.begin));
  }

  std::string path_;
  boost::interprocess::mapped_region region;
  std::span<std::byte const> data;
  std::map<std::string, entry_type> entries;
};

} // namespace sentence
