// What every JobSpec must fulfil, however it was written.
//
// The parsers say more, with places; this is the last gate, and the only one for specs that arrive
// as JSON. It keeps the promise of job.hpp that numbers are in ranges in which the core cannot
// overflow. It is generous where a hub has filled in what an environment or a login gave.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/job/job.hpp"

namespace weir::job {

inline constexpr std::uint32_t replicas_max = 1'000'000;
inline constexpr std::int64_t cpus_milli_max = 1'000'000'000;
inline constexpr std::uint32_t retries_max = 100;
inline constexpr std::size_t script_bytes_max = std::size_t{1} << 20;
// A config.json is a few kilobytes; a file of more is another one.
inline constexpr std::size_t train_config_bytes_max = 1 << 18;
inline constexpr Duration duration_max = seconds(std::int64_t{10} * 365 * 86'400);

// The first thing that is wrong: "gang.replicas: 0 is out of range; valid are 1 to 1000000".
Result<void> check_spec(const JobSpec& spec);

// A name must not look like an id ("12", "12_3"): what a user writes behind `weir show` is either.
// Nothing, or what would be valid.
std::optional<std::string> test_job_name(std::string_view name);
// "university/aero": names with '/' between.
std::optional<std::string> test_tenant(std::string_view path);
// A dataset is a file or folder of that name in the storage of a site, where names with a dot in
// front are weir's own.
std::optional<std::string> test_dataset(std::string_view name);
// A path that leads nowhere but below where it begins: "data/era5".
std::optional<std::string> test_path_below(std::string_view path);
// The codes of an output file's name that stand for nothing ("%q"), each once.
std::vector<std::string> codes_of_nothing(std::string_view pattern);
// A variable: letters, digits, '_'; not WEIR_… nor the numbers of a rank, which weir sets itself.
std::optional<std::string> test_variable(std::string_view name);

}  // namespace weir::job
