// CsvReader: records of comma-separated values after RFC 4180.
//
// Fields may be quoted; inside quotes a comma and a line break are ordinary and "" is one quote.
// A field is a view: into the line itself when it has no quotes, else into a text of the reader.
// Nothing is allocated for a plain line.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/sim/line_reader.hpp"

namespace weir::sim {

class CsvReader {
public:
    explicit CsvReader(LineReader& lines) : lines_(lines) {}

    // The next record; false when there is none. Empty lines are skipped. The views are valid
    // until the next call.
    Result<bool> next(std::vector<std::string_view>& fields);

    // "NAME:LINE" of the record's first line.
    [[nodiscard]] std::string here() const;
    [[nodiscard]] std::uint64_t line() const { return first_line_; }

private:
    Result<void> read_quoted(std::string_view line, std::vector<std::string_view>& fields);

    LineReader& lines_;
    std::uint64_t first_line_ = 0;
    std::string text_;  // of a record with quotes, without them
};

// Appends one field, in quotes where it needs them.
void append_csv_field(std::string& out, std::string_view field);

}  // namespace weir::sim
