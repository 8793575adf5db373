// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The heat map: what its picture and its tables say.
#include "../../examples/sentence/heat_map.hpp"

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using sentence::heat_map;

heat_map small() { return {"head <1>", {"ab", "中文", "&"}, {"x", "\"é\""}, {0, 0.5F, 1, 0.25F, 0.001F, 0.75F}}; }

int count(std::string const& text, std::string const& part) {
  int result = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++result;
  return result;
}

TEST(heat_map, is_a_picture_of_one_cell_a_value) {
  std::ostringstream out;
  write_svg(out, small());
  auto const svg = out.str();
  EXPECT_EQ(svg.rfind("<svg xmlns", 0), 0U);
  EXPECT_EQ(count(svg, "<title>"), 6);
  EXPECT_EQ(count(svg, "rgb(247,251,255)"), 2); // 0 and 0.001
  EXPECT_EQ(count(svg, "rgb(8,48,107)"), 1);    // 1
  EXPECT_NE(svg.find("head &lt;1&gt;"), std::string::npos);
  EXPECT_NE(svg.find("&amp; → &quot;é&quot;: 0.75"), std::string::npos);
  EXPECT_EQ(count(svg, "<text"), count(svg, "</text>"));
  EXPECT_EQ(svg.find("head <1>"), std::string::npos);
}

TEST(heat_map, is_a_table_that_reads_without_colour) {
  std::ostringstream out;
  print(out, small(), false);
  EXPECT_EQ(out.str(), "head <1>\n"
                       "            \"\n"
                       "            é\n"
                       "        x   \"\n"
                       "  ab    .  50\n"
                       "中文  100  25\n"
                       "   &    .  75\n"
                       "(per cent)\n");
}

TEST(heat_map, is_a_table_of_coloured_cells) {
  std::ostringstream out;
  print(out, small(), true);
  auto const table = out.str();
  EXPECT_EQ(count(table, "m  "), 6);
  EXPECT_EQ(count(table, "\x1b[0m\n"), 3);
  EXPECT_NE(table.find("中文 \x1b[48;2;8;48;107m  "), std::string::npos);
}

TEST(heat_map, leaves_out_columns_beyond_the_width) {
  std::ostringstream out;
  print(out, small(), false, 10);
  EXPECT_NE(out.str().find("(1 more columns)"), std::string::npos);
  EXPECT_EQ(out.str().find("50"), std::string::npos);
}

TEST(heat_map, takes_what_is_empty_or_no_number) {
  std::ostringstream out;
  print(out, heat_map{"", {}, {}, {}}, true);
  print(out, heat_map{"", {"a"}, {"b"}, {NAN}}, true);
  write_svg(out, heat_map{"", {"a"}, {"b"}, {INFINITY}});
  EXPECT_THROW(print(out, heat_map{"", {"a"}, {"b"}, {}}, true), std::invalid_argument);
  EXPECT_THROW(write_svg(out, heat_map{"", {"a"}, {}, {1}}), std::invalid_argument);
}

TEST(similarities, stand_beside_their_texts) {
  std::ostringstream out;
  std::vector<std::string> const texts{"one", "two"};
  std::vector<float> const values{1, -0.25F, -0.25F, 1};
  sentence::print_similarities(out, texts, values, false);
  EXPECT_EQ(out.str(), "         1     2\n"
                       "  1   1.00 -0.25  one\n"
                       "  2  -0.25  1.00  two\n");
  EXPECT_THROW(sentence::print_similarities(out, texts, std::span{values}.first(3), false), std::invalid_argument);
}

} // namespace
