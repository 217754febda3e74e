// LineReader: a text file line by line, plain or gzip-compressed, inside stated limits.
//
// Whether a file is compressed is decided by its first two bytes, not by its name. Lines are views
// into one buffer that is refilled as needed, so reading allocates nothing per line; a line may end
// in "\n", "\r\n" or the end of the file. A gzip file that ends early or is damaged is an error and
// never looks like a shorter log. The limits bound what a small compressed file can unfold to.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"

namespace weir::sim {

struct LineLimits {
    std::uint64_t bytes_max = std::uint64_t{8} << 30;  // of the uncompressed text
    std::size_t line_max = std::size_t{1} << 20;       // bytes in one line
};

class LineReader {
public:
    static Result<LineReader> open(const std::string& path, LineLimits limits = {});
    // Reads bytes that are in memory already; `name` stands for the path in errors.
    static LineReader over(std::string name, std::string bytes, LineLimits limits = {});

    LineReader(LineReader&&) noexcept;
    LineReader& operator=(LineReader&&) noexcept;
    ~LineReader();

    // Puts the next line, without its end, into `line`; false when there is none. The view is
    // valid until the next call.
    Result<bool> next(std::string_view& line);

    // Of the line that next() gave last, counted from 1.
    [[nodiscard]] std::uint64_t line_number() const;
    // "NAME:LINE", to stand in front of what is wrong there.
    [[nodiscard]] std::string here() const;
    [[nodiscard]] const std::string& name() const;
    // Share of the file that was read, 0..1, by compressed bytes; 0 where the size is unknown.
    [[nodiscard]] double share_read() const;

private:
    struct Source;
    explicit LineReader(std::unique_ptr<Source> source);
    std::unique_ptr<Source> source_;
};

// The whole of a small text file, plain or gzip-compressed; an error above `bytes_max`.
Result<std::string> read_whole_file(const std::string& path, std::uint64_t bytes_max);

}  // namespace weir::sim
