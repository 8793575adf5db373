// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The readers of files of parameters and the loader by member names: what they find and what they say of broken files.
#include <attend/nn/narrowed.hpp>
#include <attend/nn/npy.hpp>
#include <attend/nn/parameters.hpp>
#include <attend/nn/safetensors.hpp>

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using attend::nn::npy_file;
using attend::nn::npy_folder;
using attend::nn::safetensors;

class file : public testing::Test {
protected:
  file() : path{std::filesystem::temp_directory_path() / ("attend-" + std::to_string(getpid()) + ".safetensors")} {}
  ~file() override { std::filesystem::remove(path); }

  void write(std::string const& header, std::string const& bytes, std::uint64_t length) const {
    std::ofstream out{path, std::ios::binary};
    out.write(reinterpret_cast<char const*>(&length), sizeof length);
    out << header << bytes;
  }
  // The header filled up to a multiple of 8, as writers of the format do.
  void write(std::string header, std::string const& bytes) const {
    header.resize((header.size() + 7) / 8 * 8, ' ');
    write(header, bytes, header.size());
  }
  // What opening the file, or reading tensor "x" of these extents from it, complains of.
  std::string complaint(attend::nn::file_shape const& shape = {}) const {
    try {
      safetensors const opened{path};
      opened.tensor<float>("x", shape);
    } catch (attend::nn::parameter_error const& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path path;
};

std::string bytes_of(std::vector<float> const& values) {
  return {reinterpret_cast<char const*>(values.data()), values.size() * sizeof(float)};
}

testing::AssertionResult contains(std::string const& text, std::initializer_list<char const*> parts) {
  for (auto const* const part : parts)
    if (text.find(part) == std::string::npos) return testing::AssertionFailure() << "'" << part << "' isn't in: " << text;
  return testing::AssertionSuccess();
}

TEST_F(file, is_read_in_place) {
  write(R"({"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},)"
        R"("n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"e":{"dtype":"F32","shape":[0,5],"data_offsets":[32,32]},)"
        R"("s":{"dtype":"F32","shape":[],"data_offsets":[32,36]},"u":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[32,36]}})",
        std::string("\7\0\0\0\0\0\0\0", 8) + bytes_of({1, 2, 3, 4, 5, 6}) + bytes_of({7}));
  safetensors const opened{path};
  EXPECT_EQ(opened.names(), (std::vector<std::string>{"e", "n", "s", "u", "x"}));
  auto const x = opened.tensor<float>("x", {2, 3});
  EXPECT_EQ((std::vector<float>{x.begin(), x.end()}), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(opened.tensor<std::int64_t>("n", {1})[0], 7);
  EXPECT_TRUE(opened.tensor<float>("e", {0, 5}).empty());
  EXPECT_EQ(opened.tensor<float>("s", {})[0], 7);
}

TEST_F(file, names_what_is_missing_or_different) {
  write(R"({"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", bytes_of({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(complaint({2, 3}), "");
  EXPECT_TRUE(contains(complaint({3, 2}), {path.c_str(), "'x'", "(2, 3)", "(3, 2)"}));
  EXPECT_TRUE(contains(complaint({6}), {"'x'", "(2, 3)", "(6)"}));
  safetensors const opened{path};
  try {
    opened.tensor<double>("x", {2, 3});
    FAIL();
  } catch (attend::nn::parameter_error const& error) {
    EXPECT_TRUE(contains(error.what(), {"'x'", "F32", "F64"}));
  }
  try {
    opened.tensor<float>("y", {2, 3});
    FAIL();
  } catch (attend::nn::parameter_error const& error) {
    EXPECT_TRUE(contains(error.what(), {path.c_str(), "no tensor 'y'"}));
  }
}

TEST_F(file, that_is_cut_short_is_refused) {
  EXPECT_TRUE(contains(complaint(), {path.c_str(), "can't be read"}));
  write("", "", 0), std::filesystem::resize_file(path, 0);
  EXPECT_TRUE(contains(complaint(), {path.c_str(), "can't be read"}));
  write("", "", 0), std::filesystem::resize_file(path, 5);
  EXPECT_TRUE(contains(complaint(), {"cut short", "header"}));
  write("{}", "", 1000);
  EXPECT_TRUE(contains(complaint(), {"cut short", "1000", "2"}));
  write("{}", "", ~std::uint64_t{0});
  EXPECT_TRUE(contains(complaint(), {"cut short"}));
  write(R"({"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", bytes_of({1, 2, 3, 4, 5}));
  EXPECT_TRUE(contains(complaint(), {"cut short", "'x'", "24", "20"}));
}

TEST_F(file, whose_header_is_wrong_is_refused) {
  for (auto const* const header : {"", "{", "[]", "3", R"({"x":1})", R"({"x":{"dtype":"F32","shape":[2]}})",
                                   R"({"x":{"dtype":"F32","shape":"2","data_offsets":[0,8]}})",
                                   R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}})"}) {
    write(header, bytes_of({1, 2}));
    EXPECT_TRUE(contains(complaint(), {path.c_str(), "header"})) << header;
  }
  for (auto const* const shape : {"[3]", "[-2]", "[4294967296,4294967296]", "[2,9223372036854775807]"}) {
    write(std::string{R"({"x":{"dtype":"F32","shape":)"} + shape + R"(,"data_offsets":[0,8]}})", bytes_of({1, 2}));
    EXPECT_TRUE(contains(complaint({2}), {"'x'", "shape"})) << shape;
  }
  for (auto const* const offsets : {"[8,0]", "[0,99]", "[18446744073709551615,18446744073709551615]", "[-8,0]"}) {
    write(std::string{R"({"x":{"dtype":"F32","shape":[2],"data_offsets":)"} + offsets + "}}", bytes_of({1, 2}));
    EXPECT_TRUE(contains(complaint({2}), {"'x'", "bytes"})) << offsets;
  }
}

TEST_F(file, whose_elements_are_not_aligned_is_refused) {
  write(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})", "-" + bytes_of({1}));
  EXPECT_TRUE(contains(complaint({1}), {"'x'", "aligned"}));
}

using namespace attend::dims;
using namespace attend::literals;
inline constexpr auto two = c = 2_c;
inline constexpr auto one = f = 1_c;

struct inner {
  using pair = attend::nn::parameter<two>;
  BOOST_HANA_DEFINE_STRUCT(inner, (pair, weight));
};
struct outer {
  using stack = std::array<inner, 2>;
  using single = attend::nn::parameter<one>;
  BOOST_HANA_DEFINE_STRUCT(outer, (stack, layer), (single, bias));
};

TEST_F(file, fills_a_struct_by_the_names_of_its_members) {
  write(R"({"layer.0.weight":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
        R"("layer.1.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
        R"("bias":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}})",
        bytes_of({1, 2, 3, 4, 5}));
  safetensors const opened{path};
  outer whole;
  load(whole, opened);
  EXPECT_EQ(whole.layer[0].weight.data[1], 4);
  EXPECT_EQ(whole.layer[1].weight.data[0], 1);
  EXPECT_EQ(whole.bias.data[0], 5);

  write(R"({"layer.0.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
        R"("layer.1.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})",
        bytes_of({1, 2}));
  safetensors const other{path};
  try {
    load(whole, other);
    FAIL();
  } catch (attend::nn::parameter_error const& error) {
    EXPECT_TRUE(contains(error.what(), {"'layer.1.weight'", "(1, 2)", "(2)"}));
  }
}

struct loose {
  using matrix = attend::nn::parameter_of<attend::bf16, (f = 0), (c = 2_c)>;
  BOOST_HANA_DEFINE_STRUCT(loose, (matrix, weight));
};

TEST_F(file, is_narrowed_where_parameters_are_narrower) {
  using namespace attend::dims;
  using namespace attend::literals;
  std::vector<float> const values{1, 1.00390625f, 1.01171875f, -3e38f, 1e-40f, 0}; // a tie goes to even, either way
  write(R"({"map.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"map.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},)"
        R"("norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},"norm.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},)"
        R"("x":{"dtype":"I32","shape":[1],"data_offsets":[28,32]}})",
        bytes_of(values) + bytes_of({5, 6}));
  safetensors const opened{path};
  attend::nn::narrowed<attend::bf16, safetensors> const narrow{opened};
  attend::nn::linear_parameters<e = 2_c, d = 3_c, attend::bf16> map;
  attend::nn::norm_parameters<e = 2_c> norm;
  load(map, narrow, "map");
  load(norm, narrow, "norm");
  float const expected[] = {1, 1, 1.015625f, static_cast<float>(static_cast<attend::bf16>(-3e38f)), static_cast<float>(static_cast<attend::bf16>(1e-40f)), 0};
  for (long i = 0; i < 6; ++i) EXPECT_EQ(static_cast<float>(map.weight.data[i]), expected[i]) << i;
  EXPECT_EQ(static_cast<float>(map.bias.data[1]), 6);
  EXPECT_EQ(norm.weight.data, opened.tensor<float>("norm.weight", {2}).data()) << "what is as wide as in the file is the file's";
  EXPECT_EQ(narrow.tensor<attend::bf16>("map.weight", {2, 3}).data(), map.weight.data) << "converted once";
  auto const said = [&](std::string const& name, attend::nn::file_shape const& shape) -> std::string {
    try {
      narrow.tensor<attend::bf16>(name, shape);
    } catch (attend::nn::parameter_error const& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(contains(said("map.weight", {3, 2}), {"'map.weight'", "(3, 2)", "(2, 3)"}));
  EXPECT_TRUE(contains(said("map.other", {1}), {"no tensor 'map.other'"}));
  EXPECT_TRUE(contains(said("x", {1}), {"'x'", "I32", "F32"}));
}

TEST_F(file, gives_the_extents_that_are_not_constants) {
  write(R"({"weight":{"dtype":"BF16","shape":[3,2],"data_offsets":[0,12]}})", std::string(12, '\0'));
  safetensors const opened{path};
  loose whole;
  load(whole, opened);
  EXPECT_EQ(whole.weight.extent(f), 3);
  EXPECT_EQ(whole.weight.extent(c), 2);
  write(R"({"weight":{"dtype":"BF16","shape":[3,4],"data_offsets":[0,24]}})", std::string(24, '\0'));
  try {
    load(whole, safetensors{path});
    FAIL();
  } catch (attend::nn::parameter_error const& error) {
    EXPECT_TRUE(contains(error.what(), {"'weight'", "(3, 4)", "(3, 2)"}));
  }
  write(R"({"weight":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}})", std::string(6, '\0'));
  try {
    load(whole, safetensors{path});
    FAIL();
  } catch (attend::nn::parameter_error const& error) {
    EXPECT_TRUE(contains(error.what(), {"'weight'", "(3)", "(any, 2)"}));
  }
}

class npy : public testing::Test {
protected:
  npy() : folder{std::filesystem::temp_directory_path() / ("attend-npy-" + std::to_string(getpid()))} { std::filesystem::create_directories(folder); }
  ~npy() override { std::filesystem::remove_all(folder); }

  void write(std::string const& name, std::string header, std::string const& bytes, char version = 1) const {
    std::size_t const before = version == 1 ? 10 : 12;
    header.resize((header.size() + before) / 64 * 64 + 64 - before, ' ');
    std::ofstream out{folder / (name + ".npy"), std::ios::binary};
    out << "\x93NUMPY" << version << '\0' << static_cast<char>(header.size() & 255) << static_cast<char>(header.size() >> 8);
    if (version > 1) out << '\0' << '\0';
    out << header << bytes;
  }
  static std::string header(char const* type, char const* shape, char const* fortran = "False") {
    return std::string{"{'descr': '"} + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
  }
  std::string complaint(attend::nn::file_shape const& shape) const {
    try {
      npy_folder{folder}.tensor<float>("x", shape);
    } catch (attend::nn::parameter_error const& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path folder;
};

TEST_F(npy, is_read_in_place) {
  for (char version : {1, 2, 3}) {
    write("x", header("<f4", "(2, 3)"), bytes_of({1, 2, 3, 4, 5, 6}), version);
    npy_folder const opened{folder};
    auto const x = opened.tensor<float>("x", {2, 3});
    EXPECT_EQ((std::vector<float>{x.begin(), x.end()}), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
  write("n", header("<i8", "(1,)"), std::string("\7\0\0\0\0\0\0\0", 8));
  write("s", header("<f4", "()"), bytes_of({7}));
  write("e", header("<f4", "(0, 5)"), "");
  npy_folder const opened{folder};
  EXPECT_EQ(opened.tensor<std::int64_t>("n", {1})[0], 7);
  EXPECT_EQ(opened.tensor<float>("s", {})[0], 7);
  EXPECT_TRUE(opened.tensor<float>("e", {0, 5}).empty());
}

TEST_F(npy, fills_a_struct_by_the_names_of_its_members) {
  write("layer.0.weight", header("<f4", "(2,)"), bytes_of({3, 4}));
  write("layer.1.weight", header("<f4", "(2,)"), bytes_of({1, 2}));
  write("bias", header("<f4", "(1,)"), bytes_of({5}));
  npy_folder const opened{folder};
  outer whole;
  load(whole, opened);
  EXPECT_EQ(whole.layer[0].weight.data[1], 4);
  EXPECT_EQ(whole.layer[1].weight.data[0], 1);
  EXPECT_EQ(whole.bias.data[0], 5);
}

TEST_F(npy, that_is_wrong_is_refused) {
  EXPECT_TRUE(contains(complaint({2}), {"x.npy", "can't be read"}));
  write("x", header("<f4", "(2, 3)"), bytes_of({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(complaint({2, 3}), "");
  EXPECT_TRUE(contains(complaint({3, 2}), {"'x'", "(2, 3)", "(3, 2)"}));
  write("x", header("<f8", "(2,)"), bytes_of({1, 2, 3, 4}));
  EXPECT_TRUE(contains(complaint({2}), {"'x'", "<f8", "<f4"}));
  write("x", header("<f4", "(2, 3)"), bytes_of({1, 2, 3, 4, 5}));
  EXPECT_TRUE(contains(complaint({2, 3}), {"'x'", "(2, 3)", "20"}));
  write("x", header("<f4", "(2, 3)", "True"), bytes_of({1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(contains(complaint({2, 3}), {"x.npy", "column by column"}));
  write("x", header("<f4", "(2, 3)"), bytes_of({1, 2, 3, 4, 5, 6}), 4);
  EXPECT_TRUE(contains(complaint({2, 3}), {"version 4"}));
  write("x", "{'descr': '<f4'}", "");
  EXPECT_TRUE(contains(complaint({2, 3}), {"header"}));
  std::filesystem::resize_file(folder / "x.npy", 20);
  EXPECT_TRUE(contains(complaint({2, 3}), {"cut short", "header"}));
  std::filesystem::resize_file(folder / "x.npy", 8);
  EXPECT_TRUE(contains(complaint({2, 3}), {"isn't a .npy file"}));
}

} // namespace
