// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes arrays as NumPy's .npy files, version 1.0: a header of ASCII padded to 64 bytes, then the elements row-major.
#pragma once
#include <bit>
#include <concepts>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// Writes elements of the given shape. Throws std::runtime_error where the file cannot be written.
template <std::floating_point T>
void write_npy(std::filesystem::path const& path, std::span<T const> elements, std::vector<long> const& shape) {
  static_assert(std::endian::native == std::endian::little);
  std::string header =
      std::string("{'descr': '<f") + std::to_string(sizeof(T)) + "', 'fortran_order': False, 'shape': (";
  for (long const n : shape) header.append(std::to_string(n)).append(",");
  header += "), }";
  std::size_t const before = 10; // magic, version and the header's length
  header.append(63 - (before + header.size()) % 64, ' ').push_back('\n');

  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  auto const length = static_cast<unsigned>(header.size());
  file.put(static_cast<char>(length & 255)).put(static_cast<char>(length >> 8));
  file << header;
  file.write(reinterpret_cast<char const*>(elements.data()), static_cast<std::streamsize>(elements.size_bytes()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

} // namespace bench
