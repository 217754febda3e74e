// Policy: the site's rules for what starts, waits and stops, as one plain value.
//
// A policy is one of a few named ones with, if wanted, single keys changed: "weir",
// "easy", "weir reservations=16 prediction=limit". The same text is the value of `--policy`, of
// `--vary KEY=A,B` and what the journal records.
//
//   fcfs   strict order: nobody overtakes
//   easy   one promise for each pool, to the first job that waits for it (EASY backfill)
//   weir   the default: promises to the first jobs that wait, as many as the work budget allows;
//          whoever fits beside them may start, the shortest expected first; preemption
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::sched {

// Which of the jobs that may overtake is tried first.
enum class Candidates : std::uint8_t { queue, shortest };
// What a job is expected to take, for the order of candidates only: never for a promise.
enum class Prediction : std::uint8_t { limit, history };

struct Policy {
    std::string name = "weir";  // of the preset it began as
    bool backfill = true;       // false: strict order
    std::uint32_t reservations_max = 64;  // promises for each pool, at most
    std::uint64_t plan_work_max = 0;      // node visits for planning in one pass; 0 = no limit
    Candidates candidates = Candidates::shortest;
    Prediction prediction = Prediction::history;
    bool preempt = true;
    Duration min_run = seconds(600);        // nobody is stopped for others before
    std::uint32_t preemptions_per_hour_max = 60;
    Duration suspect_for = seconds(86'400);  // a node that failed is avoided for so long

    static const Policy fcfs;
    static const Policy easy;
    static const Policy weir;

    friend bool operator==(const Policy&, const Policy&) = default;
};

// "weir reservations=16": the preset, and the keys that differ from it, so that
// policy_from_text(text_of(policy)) gives the policy back.
std::string text_of(const Policy& policy);
// The error names the key, the value and what is valid.
Result<Policy> policy_from_text(std::string_view text);
// The names of the keys that may be changed.
std::vector<std::string_view> policy_keys();
// Names and one line each of the keys that may be changed, for --help and the documents.
std::string policy_reference();

}  // namespace weir::sched
