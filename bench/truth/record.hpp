// One row of a table of measurements, asked by the names of its columns.
//
// A column that is not there, an empty field and a field that is no number read as nothing, or as
// what the caller says: tables of published measurements have holes. The record borrows both the
// names and the fields, which have to live as long.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::bench {

inline bool has(std::string_view text, std::string_view word) {
    return text.find(word) != std::string_view::npos;
}

class Record {
public:
    Record(const std::unordered_map<std::string, std::size_t>& columns,
           const std::vector<std::string_view>& fields)
        : columns_(columns), fields_(fields) {}

    [[nodiscard]] std::string_view text(const std::string& column) const {
        const auto found = columns_.find(column);
        return found == columns_.end() || found->second >= fields_.size() ? std::string_view{}
                                                                          : fields_[found->second];
    }
    [[nodiscard]] double number(const std::string& column, double otherwise = 0) const {
        const std::string_view field = text(column);
        double value = otherwise;
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
        return error == std::errc{} && end == field.data() + field.size() ? value : otherwise;
    }
    [[nodiscard]] std::uint32_t count(const std::string& column,
                                      std::uint32_t otherwise = 0) const {
        return static_cast<std::uint32_t>(number(column, otherwise));
    }

private:
    const std::unordered_map<std::string, std::size_t>& columns_;
    const std::vector<std::string_view>& fields_;
};

}  // namespace weir::bench
