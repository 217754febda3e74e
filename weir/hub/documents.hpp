// Documents: what is kept beside the journal, to be found without a replay.
//
// A job that ended is one document with everything that `weir show` prints, so it needs no memory
// and no journal. A client's key is one document that says which submission it stands for. Both are
// written in the commit that makes them true.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/result.hpp"
#include "weir/hub/hub.hpp"
#include "weir/store/store.hpp"

namespace weir::hub {

inline constexpr std::string_view job_collection = "job";
inline constexpr std::string_view key_collection = "key";

// Collection "job": id = the number of the job, rank = the same, tag = its state.
store::Document document_of(const JobView& view);
// Ensures: job_view_of(document_of(view)) gives the view back.
Result<JobView> job_view_of(const store::Document& document);

struct KeyedSubmission {
    JobId first;
    std::uint32_t count = 1;
    std::string body_digest;
};

// Keys of different owners (tenants, else users) are different keys.
std::string key_id(std::string_view owner, std::string_view key);
store::Document document_of(const std::string& id, const KeyedSubmission& keyed);
Result<KeyedSubmission> keyed_submission_of(const store::Document& document);

}  // namespace weir::hub
