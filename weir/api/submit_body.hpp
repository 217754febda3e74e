// The body of POST /v1/jobs: what was sent, as submissions for the hub.
//
// Strict at the edge: unknown and repeated keys, wrong types and texts that are no job are each
// refused with one sentence that says which job of the body it was, and nothing is half-accepted.
// A job text keeps the place names of its own parser ("sweep.yaml:12: gang.chips: ...").
//
// Everything that reads bytes from outside is hostile here: depth and count are limited before
// anything is built, the size was limited by the server.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/hub/hub.hpp"

namespace weir::api {

inline constexpr std::size_t jobs_per_request_max = 10'000;

struct SubmitBody {
    std::vector<hub::Submission> submissions;
    std::vector<std::vector<std::string>> notes;  // of each, from its parser
};

Result<SubmitBody> parse_submit_body(std::string_view json);

}  // namespace weir::api
