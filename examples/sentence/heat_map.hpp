// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws a matrix of numbers from 0 to 1 with a word at every row and column: as an SVG picture and in the terminal.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace sentence {

/// A matrix with its words: `values` holds the rows one after the other.
struct heat_map {
  std::string title;
  std::vector<std::string> rows, columns;
  std::vector<float> values; // (rows, columns)

  /// The value at a row and a column.
  float at(std::size_t row, std::size_t column) const { return values.at(row * columns.size() + column); }
};

namespace detail {

using colour = std::array<int, 3>; // red, green, blue, 0 to 255

// From nearly white to dark blue, by way of light blue: dark is much, so that a picture on white paper reads well.
inline colour shade(double value) {
  constexpr std::array<std::array<double, 3>, 5> stops{
      {{247, 251, 255}, {198, 219, 239}, {107, 174, 214}, {33, 113, 181}, {8, 48, 107}}};
  auto const where = (value > 0 ? std::min(value, 1.0) : 0.0) * (stops.size() - 1); // a NaN is shown as nothing
  auto const left = std::min(static_cast<std::size_t>(where), stops.size() - 2);
  colour result{};
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = static_cast<int>(std::lround(std::lerp(stops[left][i], stops[left + 1][i], where - double(left))));
  return result;
}

// What the whole range of colours stands for: the largest value, or 1 where nothing is larger than 0.
inline double brightest(heat_map const& map) {
  double result = 0;
  for (auto const value : map.values)
    if (value > result) result = value;
  return result > 0 ? result : 1;
}

// Splits UTF-8 text into the pieces that a terminal shows in cells of their own, marks with the letter they sit on.
struct glyph {
  std::string text;
  int width; // in cells
};

inline int cells_of(UChar32 c) {
  auto const category = U_GET_GC_MASK(c);
  if (category & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_CF_MASK | U_GC_CC_MASK)) return 0;
  auto const width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

inline std::vector<glyph> glyphs_of(std::string_view utf8) {
  std::vector<glyph> result;
  auto const length = static_cast<std::int32_t>(utf8.size());
  for (std::int32_t i = 0; i < length;) {
    auto const begin = i;
    UChar32 c;
    U8_NEXT_OR_FFFD(utf8.data(), i, length, c);
    auto const text = utf8.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(i - begin));
    if (auto const width = cells_of(c); width == 0 && !result.empty())
      result.back().text += text;
    else
      result.push_back({std::string{text}, width});
  }
  return result;
}

inline int cells_of(std::string_view utf8) {
  int result = 0;
  for (auto const& glyph : glyphs_of(utf8)) result += glyph.width;
  return result;
}

inline std::string spaces(int count) { return std::string(static_cast<std::size_t>(std::max(count, 0)), ' '); }

// `text` at the right end of `width` cells.
inline std::string flush_right(std::string_view text, int width) {
  return spaces(width - cells_of(text)) + std::string{text};
}

inline std::string escaped(std::string_view text) {
  std::string result;
  for (char const c : text) switch (c) {
    case '&': result += "&amp;"; break;
    case '<': result += "&lt;"; break;
    case '>': result += "&gt;"; break;
    case '"': result += "&quot;"; break;
    default: result += c;
    }
  return result;
}

inline void check(heat_map const& map) {
  if (map.values.size() != map.rows.size() * map.columns.size())
    throw std::invalid_argument{"a heat map of " + std::to_string(map.rows.size()) + " rows and " +
                                std::to_string(map.columns.size()) + " columns has " +
                                std::to_string(map.values.size()) + " values"};
}

} // namespace detail

/// Writes the map as an SVG picture that stands alone; a cell's title is its exact value.
inline void write_svg(std::ostream& out, heat_map const& map) {
  detail::check(map);
  constexpr int cell = 22, letter = 8, margin = 12;
  auto const longest = [](std::vector<std::string> const& words) {
    int result = 0;
    for (auto const& word : words) result = std::max(result, detail::cells_of(word));
    return result;
  };
  auto const left = margin + letter * longest(map.rows) + 8;
  auto const top = 3 * margin + letter * longest(map.columns) + 8;
  auto const width = std::max(left + cell * static_cast<int>(map.columns.size()),
                              margin + letter * detail::cells_of(map.title)) + margin;
  auto const height = top + cell * static_cast<int>(map.rows.size()) + margin;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height << "\" viewBox=\"0 0 "
      << width << ' ' << height << "\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\">\n"
      << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      << "<text x=\"" << margin << "\" y=\"" << 2 * margin << "\" font-weight=\"bold\">" << detail::escaped(map.title)
      << "</text>\n";
  for (std::size_t column = 0; column < map.columns.size(); ++column) {
    auto const x = left + cell * static_cast<int>(column) + cell / 2 + 4;
    out << "<text transform=\"translate(" << x << ' ' << top - 6 << ") rotate(-90)\">"
        << detail::escaped(map.columns[column]) << "</text>\n";
  }
  auto const most = detail::brightest(map);
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    auto const y = top + cell * static_cast<int>(row);
    out << "<text x=\"" << left - 6 << "\" y=\"" << y + cell / 2 + 4 << "\" text-anchor=\"end\">"
        << detail::escaped(map.rows[row]) << "</text>\n";
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      auto const [red, green, blue] = detail::shade(map.at(row, column) / most);
      out << "<rect x=\"" << left + cell * static_cast<int>(column) << "\" y=\"" << y << "\" width=\"" << cell - 1
          << "\" height=\"" << cell - 1 << "\" fill=\"rgb(" << red << ',' << green << ',' << blue << ")\"><title>"
          << detail::escaped(map.rows[row]) << " \u2192 " << detail::escaped(map.columns[column]) << ": "
          << map.at(row, column) << "</title></rect>\n";
    }
  }
  out << "</svg>\n";
}

/// Prints the map as a table: a block of 24-bit colour for every cell or, without `coloured`, per cent as numbers.
/// The columns' words run downwards; a table wider than `width` characters leaves its last columns out and says so.
inline void print(std::ostream& out, heat_map const& map, bool coloured, int width = 120) {
  detail::check(map);
  int const cell = coloured ? 2 : 4;
  int label = 0;
  for (auto const& word : map.rows) label = std::max(label, detail::cells_of(word));
  auto const room = static_cast<std::size_t>(std::max(1, (width - label - 1) / cell));
  auto const shown = std::min(map.columns.size(), room);

  std::vector<std::vector<detail::glyph>> headers;
  std::size_t tallest = 0;
  for (std::size_t column = 0; column < shown; ++column) {
    headers.push_back(detail::glyphs_of(map.columns[column]));
    tallest = std::max(tallest, headers.back().size());
  }
  out << map.title << '\n';
  for (std::size_t line = 0; line < tallest; ++line) {
    out << detail::spaces(label + 1);
    for (auto const& header : headers) { // words end at the table
      auto const above = tallest - header.size();
      out << detail::flush_right(line < above ? std::string{} : header[line - above].text, cell);
    }
    out << '\n';
  }
  auto const most = detail::brightest(map);
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    out << detail::flush_right(map.rows[row], label) << ' ';
    for (std::size_t column = 0; column < shown; ++column) {
      std::array<char, 32> text{};
      auto const value = map.at(row, column);
      if (coloured) {
        auto const [red, green, blue] = detail::shade(value / most);
        std::snprintf(text.data(), text.size(), "\x1b[48;2;%d;%d;%dm  ", red, green, blue);
      } else if (value < 0.005F) {
        std::snprintf(text.data(), text.size(), "%*s", cell, ".");
      } else {
        std::snprintf(text.data(), text.size(), "%*.0f", cell, 100 * static_cast<double>(value));
      }
      out << text.data();
    }
    out << (coloured ? "\x1b[0m\n" : "\n");
  }
  if (shown < map.columns.size()) out << "(" << map.columns.size() - shown << " more columns)\n";
  if (coloured) {
    out << detail::spaces(label + 1) << "0 ";
    for (int step = 0; step <= 16; ++step) {
      auto const [red, green, blue] = detail::shade(step / 16.0);
      out << "\x1b[48;2;" << red << ';' << green << ';' << blue << "m ";
    }
    out << "\x1b[0m " << most << '\n';
  } else {
    out << "(per cent)\n";
  }
}

/// Prints how similar the texts are to each other, `similarities` (texts, texts) from -1 to 1, beside the texts.
inline void print_similarities(std::ostream& out, std::span<std::string const> texts,
                               std::span<float const> similarities, bool coloured) {
  auto const count = texts.size();
  if (similarities.size() != count * count) throw std::invalid_argument{"a similarity matrix is square over its texts"};
  std::array<char, 48> text{};
  out << "    ";
  for (std::size_t column = 0; column < count; ++column) {
    std::snprintf(text.data(), text.size(), " %5zu", column + 1);
    out << text.data();
  }
  out << '\n';
  for (std::size_t row = 0; row < count; ++row) {
    std::snprintf(text.data(), text.size(), "%3zu ", row + 1);
    out << text.data();
    for (std::size_t column = 0; column < count; ++column) {
      auto const value = static_cast<double>(similarities[row * count + column]);
      if (coloured) {
        auto const [red, green, blue] = detail::shade(value);
        std::snprintf(text.data(), text.size(), "\x1b[48;2;%d;%d;%dm\x1b[38;5;%dm %5.2f", red, green, blue,
                      value > 0.5 ? 231 : 16, value);
      } else {
        std::snprintf(text.data(), text.size(), " %5.2f", value);
      }
      out << text.data();
    }
    out << (coloured ? "\x1b[0m" : "") << "  " << texts[row] << '\n';
  }
}

} // namespace sentence
