// Policy: the site's rules for what starts, waits and stops, as one plain value.
//
// A policy is one of a few named ones with, if wanted, single keys changed: "weir",
// "easy", "weir reservations=16 prediction=limit". The same text is the value of `--policy`, of
// `--vary KEY=A,B` and what the journal records.
//
//   fcfs          strict order: nobody overtakes
//   easy          one promise for each pool, to the first job that waits for it; whoever is in
//                 nobody's way may overtake (EASY backfill)
//   conservative  the same with promises to all who wait, as far as the work budget goes
//   weir          the default: a dated queue with kept promises
//
// The dated queue: a job's place is its submission plus date_factor times the limit it asks for, at
// most date_cap later. So short jobs go ahead of long ones, but nobody who is submitted date_cap
// after a job gets ahead of it. The first one that does not fit gets a promise, which is never
// broken by later arrivals; it has some slack (slack + slack_percent of the limit) while the job
// has waited less than slack_until, and the room is held to the promise rather than to the earliest
// possible time until the job has waited tighten_after. Measured in docs/results.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/time.hpp"
#include "weir/tenancy/fair_share.hpp"

namespace weir::sched {

// The place in the queue inside a class of priority.
enum class Order : std::uint8_t { submission, date };
// What a job is expected to take, for the order of those that may overtake only: never for a
// promise, nor for what is in its way.
enum class Prediction : std::uint8_t { limit, history };

// Which node a gang goes to that fits on one: the tightest, or the one where it costs the tasks of
// this site least (fleet/supply.hpp).
enum class PlacementRule : std::uint8_t { tight, supply };

struct Policy {
    std::string name = "weir";           // of the preset it began as
    bool backfill = true;                // false: strict order
    std::uint32_t reservations_max = 1;  // promises for each pool, at most
    std::uint64_t plan_work_max = 64;    // steps of planning in one pass, on average: runs of nodes
                                         // looked at, and what is held there; and 4,096 times as
                                         // many in one pass, of jobs looked at that run, to find
                                         // whom owners have stopped; 0 = no limit
    Order order = Order::date;
    std::uint32_t date_factor = 12;
    Duration date_cap = seconds(std::int64_t{3} * 86'400);
    Duration slack = seconds(3600);
    std::uint32_t slack_percent = 25;
    Duration slack_until = seconds(86'400);
    Duration tighten_after = seconds(std::int64_t{2} * 86'400);
    Prediction prediction = Prediction::limit;
    PlacementRule placement = PlacementRule::tight;
    bool preempt = true;
    Duration min_run = seconds(600);  // nobody is stopped for others before
    std::uint32_t preemptions_per_hour_max = 60;
    Duration suspect_for = seconds(86'400);  // a node that failed is avoided for so long
    // Who goes first among organisations that borrow (tenancy/fair_share.hpp), and how long what
    // they did is remembered.
    tenancy::FairRule fair = tenancy::FairRule::drf;
    Duration fair_half_life = seconds(std::int64_t{7} * 86'400);

    static const Policy fcfs;
    static const Policy easy;
    static const Policy conservative;
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
