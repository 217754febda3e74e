// Amounts of resources as people write them: "4096" chips, "0.5" CPUs, "3.2 EFLOP/s" of bf16.
//
// A resource counts in whole units that are small enough to be exact (organisations.hpp): digits
// that would be lost are refused, and an amount that was read is written back as the same.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/tenancy/organisations.hpp"

namespace weir::tenancy {

// Of one amount and of all quotas of a resource together, in the units of Resource: 10^14 chips, or
// 10^23 FLOP/s. Sums of a few of them stay far inside 64 bits.
inline constexpr std::int64_t amount_total_max = 100'000'000'000'000'000;

// Which resource a key of `quota` means: a number format, `cpus`, or else a chip.
Resource resource_of(std::string_view key);

// What stands behind that key: thousandths of a chip or CPU, MFLOP/s or MOP/s.
Result<std::int64_t> parse_amount(const Resource& resource, std::string_view text);

// As parse_amount() reads it: "4096", "0.5", "3.2 EFLOP/s".
std::string text_of(const Resource& resource, std::int64_t amount);
// And with what it is of: "4096 ascend-910b3", "16 CPUs", "3.2 EFLOP/s of bf16".
std::string named_text_of(const Resource& resource, std::int64_t amount);

}  // namespace weir::tenancy
