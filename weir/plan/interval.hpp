// How far off a prediction may be: an interval instead of a number, a probability instead of a yes.
//
// Errors of step times are log-normal, as those of the calibration are: `spread` of a chip is the
// standard deviation of log(measured / predicted) over the published runs that it was fitted on. A
// run of somebody else is off by more than those: how much is measured on sources left out of the
// fit. What is less well known still makes the interval wider (a chip or a link that nobody
// measured, a bandwidth that nobody states, time spent waiting for the host, a sequence, a batch or
// a scale beyond all published ones), and each cause is named in a sentence. Too far outside the
// answer is a refusal.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/strategy.hpp"
#include "weir/plan/training.hpp"

namespace weir::plan {

// Nine tenths of a normal distribution lie within so many standard deviations.
inline constexpr double ninety_percent = 1.645;

struct Interval {
    double low_s = 0;  // of ten such steps nine take between low_s and high_s
    double high_s = 0;
    double spread = 0;                  // standard deviation of the log of the step time
    std::vector<std::string> causes{};  // why it is wider than that of the calibrated runs
    bool extrapolated = false;          // beyond what was measured: warn
};

// Of a prediction that `machine` and `strategy` gave.
Interval interval_of(const Prediction& prediction,
                     const TrainingJob& job,
                     const Machine& machine,
                     const Strategy& strategy);

// Why so far outside what was measured nothing should be said.
Result<void> check_extrapolation(const TrainingJob& job, const Strategy& strategy);

// Root of the mean square of log(measured / predicted) of the memory of a chip, over the 181
// published peaks of Megatron-LM, SimuMax and torchtitan. (Over the 41 of more than 10 GiB it is
// 0.04; sources that state less of their configuration are further off.)
inline constexpr double memory_spread = 0.10;

// How much time a link that nobody measured may take more or less: the reached shares of the ten
// links that were measured differ by this much (standard deviation of their logs).
inline constexpr double link_spread = 0.45;

// That the fullest chip needs more than it has.
double out_of_memory_probability(const Prediction& prediction, const Machine& machine);

// The probability that plans may have where nobody says. Of the same 41 peaks 88 % lie above the
// predicted median, by a few percent each, and 5 % above what this leaves free, as many as with
// 0.05; it costs 1.4 % of the speed (the mean of 13 jobs from 8 to 2,048 chips), 0.05 costs 2.0 %.
inline constexpr double usual_risk = 0.10;

// The share of the memory that a prediction has to leave free for a probability of at most `risk`.
// Requires: 0 < risk <= 0.5.
double margin_of_risk(double risk);

}  // namespace weir::plan
