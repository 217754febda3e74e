// A model of a converged centre: simulation, training and batches of inference from many
// organisations in one log, each job with the number format that its results need.
//
// An organisation asks for `load` times what it owns over thirty days, but not evenly: each has its
// campaigns, three days at a time, so that some are over their quota while others are idle. Those
// that own chips with full precision run simulation (fp64, whole nodes by powers of two); the
// others train (bf16, likewise) and, in many more and smaller jobs, infer (int8). Run times are
// lognormal. No job is wider than what its organisation owns, so that fixed quotas can run it.
//
// Where there are datasets, each organisation has one of them, and three in ten of its simulations
// and training jobs read it. Who has which is drawn apart from everything else: the same jobs with
// and without data.
//
// This is a model of ours: shares and campaigns are assumed, not fitted to a log. Equal options
// give equal jobs on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/catalog/format.hpp"

namespace weir::sim {

struct ConvergedOwner {
    std::string name;
    std::uint64_t chips = 0;  // that it owns
    bool full_precision = false;
};

struct ConvergedOptions {
    std::vector<ConvergedOwner> owners;
    double load = 0.7;
    std::uint64_t seed = 1;
    std::vector<std::string> datasets{};  // that somebody may have; none: nobody reads any
};

struct ConvergedJob {
    std::int64_t submit_s = 0;
    std::int64_t run_s = 0;
    std::int64_t limit_s = 0;
    std::uint32_t chips = 1;
    catalog::Format precision = catalog::Format::fp64;
    std::uint32_t owner = 0;               // position in ConvergedOptions::owners
    std::optional<std::uint32_t> reads{};  // position in ConvergedOptions::datasets

    friend bool operator==(const ConvergedJob&, const ConvergedJob&) = default;
};

inline constexpr std::int64_t converged_span_s = std::int64_t{30} * 86'400;

// By submission. An error where nobody owns a chip, or the load is not above 0.
Result<std::vector<ConvergedJob>> generate_converged(const ConvergedOptions& options);

// The CSV of docs/reference/traces.md.
Result<void> write_converged(const std::string& path,
                             const ConvergedOptions& options,
                             const std::vector<ConvergedJob>& jobs);

}  // namespace weir::sim
