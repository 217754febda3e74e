// What a job wrote, in slices: the file may still grow, so a slice says where it stopped.
#pragma once

#include <cstdint>
#include <string>

#include "weir/base/result.hpp"

namespace weir::api {

inline constexpr std::uint64_t log_slice_bytes_max = 1024 * 1024;

struct LogSlice {
    std::string bytes;
    std::uint64_t next = 0;  // where the next slice begins
    bool at_end = true;      // of the file as it was at this moment
};

// Reads at most `limit` bytes from `offset`. A file that is not there yet is empty; an offset
// behind its end gives nothing and the end as `next`. Anything but a regular file is refused: a
// job may name a pipe as its output, and reading that would wait, or steal bytes from its owner.
Result<LogSlice> read_log(const std::string& path, std::uint64_t offset, std::uint64_t limit);

// The same, but the last `bytes` bytes of the file, from the beginning of a line.
Result<LogSlice> read_log_tail(const std::string& path, std::uint64_t bytes);

}  // namespace weir::api
