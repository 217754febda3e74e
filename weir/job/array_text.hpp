// "0-99%10", "1,3,5-9:2": the members of an array as Slurm users write them.
#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/job/job.hpp"

namespace weir::job {

inline constexpr std::size_t array_members_max = 100'000;
inline constexpr std::uint32_t array_index_max = 4'000'000;  // Slurm's ceiling for MaxArraySize

// Indices come back sorted and without repetitions.
Result<Array> parse_array(std::string_view text);

// The shortest list of ranges that parse_array() reads back as the same value.
std::string array_text(const Array& array);

}  // namespace weir::job
