// The values of Slurm's options: times, amounts, dependencies, generic resources.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/base/units.hpp"

namespace weir::job {

// "30" minutes, "30:00", "1:30:00", "1-12", "1-12:30", "1-12:30:15". None = no limit
// ("UNLIMITED", "INFINITE", "0").
Result<std::optional<Duration>> parse_slurm_time(std::string_view text);

// "2026-12-01", "2026-12-01T08:00", "2026-12-01T08:00:00". Times of Slurm that count from now or
// mean today are refused: whoever reads a script does not know when it is submitted.
Result<Time> parse_slurm_deadline(std::string_view text);

// "4000" MiB, "4G", "512M", "1T", "100K"; an optional B ("4GB").
Result<Bytes> parse_slurm_memory(std::string_view text);

// "4", "2-8": at least, at most.
struct NodeRange {
    std::uint32_t low = 1;
    std::uint32_t high = 1;
};
Result<NodeRange> parse_slurm_nodes(std::string_view text);

// A positive count.
Result<std::uint32_t> parse_slurm_count(std::string_view text);

// "gpu", "gpu:4", "gpu:h200:4" of --gres; "4", "h200:4" of --gpus and its relatives.
struct ChipCount {
    std::string kind;  // "" = any
    std::uint32_t count = 0;
};
Result<ChipCount> parse_slurm_gres(std::string_view text);
Result<ChipCount> parse_slurm_gpus(std::string_view text);

struct Dependencies {
    std::vector<std::string> after;
    std::vector<std::string> after_any;
    std::vector<std::string> after_failure;
};
// "afterok:12:13,afterany:14"
Result<Dependencies> parse_slurm_dependency(std::string_view text);

}  // namespace weir::job
