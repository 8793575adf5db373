// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reader of safetensors files and the loader by member names: what they find and what they say of broken files.
#include "../../examples/sentence/parameters.hpp"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support.hpp"

namespace {

using sentence::safetensors;

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
  std::string complaint(safetensors::shape_type const& shape = {}) const {
    try {
      safetensors const opened{path};
      opened.tensor<float>("x", shape);
    } catch (sentence::safetensors_error const& error) {
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
  } catch (sentence::safetensors_error const& error) {
    EXPECT_TRUE(contains(error.what(), {"'x'", "F32", "F64"}));
  }
  try {
    opened.tensor<float>("y", {2, 3});
    FAIL();
  } catch (sentence::safetensors_error const& error) {
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
  using pair = sentence::parameter<two>;
  BOOST_HANA_DEFINE_STRUCT(inner, (pair, weight));
};
struct outer {
  using stack = std::array<inner, 2>;
  using single = sentence::parameter<one>;
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
  } catch (sentence::safetensors_error const& error) {
    EXPECT_TRUE(contains(error.what(), {"'layer.1.weight'", "(1, 2)", "(2)"}));
  }
}

TEST(model, has_every_parameter_that_is_asked_for) {
  safetensors const opened{model_folder() / "model.safetensors"};
  sentence::model_parameters parameters;
  load(parameters, opened);
  auto const key = opened.tensor<float>("encoder.layer.3.attention.self.key.bias", {384});
  EXPECT_EQ(parameters.encoder.layer[3].attention.self.key.bias.data, key.data());
  auto const norm = opened.tensor<float>("embeddings.LayerNorm.weight", {384});
  EXPECT_EQ(parameters.embeddings.LayerNorm.weight.data, norm.data());
}

} // namespace
