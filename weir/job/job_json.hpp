// JobSpec as JSON text: how it lies in the journal and travels over the API.
//
// Durations are whole milliseconds (`limit_ms`), amounts of memory bytes (`memory_bytes`), the
// members of an array a list of ranges ("0-99"). What has its default value is left out, except
// script and gang. Reading is strict: an unknown key or another type is an error that names it.
#pragma once

#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/job/job.hpp"

namespace weir::job {

std::string spec_to_json(const JobSpec& spec);

// The spec has passed check_spec(). spec_from_json(spec_to_json(s)) == s for every such s whose
// texts are UTF-8.
Result<JobSpec> spec_from_json(std::string_view json);

}  // namespace weir::job
