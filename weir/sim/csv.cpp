#include "weir/sim/csv.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::sim {
namespace {

constexpr std::size_t record_max = std::size_t{1} << 20;

}  // namespace

Result<bool> CsvReader::next(std::vector<std::string_view>& fields) {
    fields.clear();
    std::string_view line;
    do {
        WEIR_TRY(const bool more, lines_.next(line));
        if (!more) return false;
    } while (line.empty());
    first_line_ = lines_.line_number();
    if (line.find('"') != std::string_view::npos) {
        WEIR_CHECK(read_quoted(line, fields));
        return true;
    }
    std::size_t begin = 0;
    for (;;) {
        const std::size_t comma = line.find(',', begin);
        fields.push_back(line.substr(begin, comma - begin));
        if (comma == std::string_view::npos) return true;
        begin = comma + 1;
    }
}

// A little machine over characters; it asks for the next line when one ends inside quotes.
Result<void> CsvReader::read_quoted(std::string_view line, std::vector<std::string_view>& fields) {
    text_.clear();
    std::vector<std::pair<std::size_t, std::size_t>> ranges;  // text_ moves while it grows
    std::size_t begin = 0;
    std::size_t at = 0;
    bool inside = false;
    bool closed = false;  // a quoted field ended: only a comma or the end may follow
    for (;;) {
        if (at == line.size()) {
            if (!inside) break;
            text_.push_back('\n');
            WEIR_TRY(const bool more, lines_.next(line));
            if (!more) {
                return fail(
                    Code::invalid,
                    fmt::format("{}: a quoted field that never ends; a '\"' is missing", here()));
            }
            if (text_.size() + line.size() > record_max) {
                return fail(Code::too_large,
                            fmt::format("{}: a record of more than {} bytes; is a '\"' missing?",
                                        here(),
                                        record_max));
            }
            at = 0;
            continue;
        }
        const char c = line[at++];
        if (inside) {
            if (c != '"') {
                text_.push_back(c);
            } else if (at < line.size() && line[at] == '"') {
                text_.push_back('"');
                ++at;
            } else {
                inside = false;
                closed = true;
            }
        } else if (c == ',') {
            ranges.emplace_back(begin, text_.size());
            begin = text_.size();
            closed = false;
        } else if (c == '"' && !closed && text_.size() == begin) {
            inside = true;
        } else if (c == '"' || closed) {
            return fail(Code::invalid,
                        fmt::format("{}: a '\"' in the middle of field {}; quotes go around a "
                                    "whole field, and a quote inside is written twice",
                                    here(),
                                    ranges.size() + 1));
        } else {
            text_.push_back(c);
        }
    }
    ranges.emplace_back(begin, text_.size());
    for (const auto& [from, to] : ranges) {
        fields.push_back(std::string_view(text_).substr(from, to - from));
    }
    return {};
}

std::string CsvReader::here() const {
    return fmt::format("{}:{}", lines_.name(), first_line_);
}

void append_csv_field(std::string& out, std::string_view field) {
    if (field.find_first_of(",\"\r\n") == std::string_view::npos) {
        out.append(field);
        return;
    }
    out.push_back('"');
    for (const char c : field) {
        if (c == '"') out.push_back('"');
        out.push_back(c);
    }
    out.push_back('"');
}

}  // namespace weir::sim
