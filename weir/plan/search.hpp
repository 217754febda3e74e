// The best plans for a job on so many chips of one kind: a search that leaves nothing out.
//
// The space is every strategy that check() takes and a launcher would (see in_space()), over the
// dimensions that the options leave open. The answer is the optimum of the model, not a sample: a
// branch of the space is left out only where a bound proves that nothing in it can enter the list.
// Bounds are predictions of the branch's most favourable member, one for time and one for memory,
// so they follow the model when it changes. search_reference.hpp asks every strategy one by one;
// the tests hold the two lists equal.
//
// Of equally good plans the simpler one comes first (simpler()).
//
// Threads: pure functions; a search uses one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/strategy.hpp"
#include "weir/plan/training.hpp"

namespace weir::plan {

// What the best plan has least of. All are counted for one step, which trains the same tokens
// whatever the plan.
enum class Objective : std::uint8_t {
    time,     // seconds
    cost,     // price of the chips, for the time that they are held
    energy,   // joules of busy chips
    goodput,  // seconds, with those for checkpoints, failures and lost work
};
std::string_view name_of(Objective objective);

// What failures and the checkpoints against them cost at scale. Intervals are Daly's
// (job/checkpoint_advice.hpp).
struct Failures {
    double node_mtbf_s = 0;          // mean time between failures of one node; 0 = they never fail
    double restart_s = 300;          // from a failure until the job works again
    double write_bytes_per_s = 2e9;  // of one node, to where checkpoints are kept
    friend bool operator==(const Failures&, const Failures&) = default;
};
// The share of time that is work done once, of a job on so many chips; 1 without failures. A
// checkpoint has weights in BF16 and optimiser state in FP32: 14 bytes a parameter.
double useful_share(const TrainingJob& job,
                    const Machine& machine,
                    std::uint64_t chips,
                    const Failures& failures);

// Values that a degree may take, both ends included.
struct Range {
    std::uint32_t low = 1;
    std::uint32_t high = std::numeric_limits<std::uint32_t>::max();
    [[nodiscard]] bool has(std::uint32_t value) const { return value >= low && value <= high; }
    [[nodiscard]] bool fixed() const { return low == high; }
    friend bool operator==(const Range&, const Range&) = default;
};

enum class Choice : std::uint8_t { off, on, both };

struct SearchOptions {
    std::uint64_t chips = 0;
    // Plans that leave chips unused count too. Where the objective is time this is seldom worth
    // the wait; with the others it often is the answer.
    bool fewer_chips = false;

    // What is not varied: kernels, gradients, framework, kind of context parallelism.
    Strategy base{};
    // Formats of the products that the job allows: never one below what was asked for.
    std::vector<Precision> precisions{Precision::bf16};

    Range tp{};
    Range pp{};
    Range dp{};
    Range cp{};
    Range ep{};
    Range vpp{};
    Range micro_batch{};
    bool expert_tensor = true;  // experts as they are, beside experts split like the rest (etp)

    std::vector<std::uint32_t> zero{0, 1};
    Choice sequence_parallel = Choice::both;

    bool recompute_none = true;
    bool recompute_selective = true;  // every set of parts that the model has
    bool recompute_full = true;
    bool recompute_block = true;  // full, of 1, 2, ... layers of each stage
    bool offload_optimizer = false;
    bool offload_layers = false;  // activations of 1, 2, ... layers, where pp is 1, or of none
    std::vector<Schedule> schedules{Schedule::one_f_one_b};

    // Each member: whether its overlap may be used, and whether not using it counts as a plan.
    Overlap overlap{true, true, true, true, true};
    bool overlap_off = true;

    Objective objective = Objective::time;
    Failures failures{};
    double memory_margin =
        0;  // share of the memory that stays free, beside the reserve of the model

    std::size_t top_k = 10;
    // One plan for each (tp, cp, pp, dp, ep, etp): its best. Otherwise lists are full of siblings.
    bool one_per_layout = true;
    // Plans that are not better than this are not looked for; in the objective's unit.
    double better_than = std::numeric_limits<double>::infinity();

    friend bool operator==(const SearchOptions&, const SearchOptions&) = default;
};

// What a framework offers, with every dimension open that it has.
SearchOptions options_for(Framework framework);
// The same for a model of which something does not go with the framework. Where launch.hpp can
// launch the model at all, it can launch every strategy of this space.
SearchOptions options_for(Framework framework, const catalog::Model& model);

// Beyond check(): what launchers demand, and that no switch is set which does nothing, so that no
// plan is counted twice. The reason is for people.
Result<void> in_space(const Strategy& strategy,
                      const TrainingJob& job,
                      const SearchOptions& options);

// A total order: of two plans the one that asks less of people and machines.
bool simpler(const Strategy& one, const Strategy& other);

struct Plan {
    Strategy strategy{};
    Prediction prediction{};
    double value = 0;  // of the objective, for one step
};

struct SearchResult {
    std::vector<Plan> plans{};  // best first
    double considered = 0;      // strategies in the space
    double predicted = 0;       // of them, asked one by one; bounds settle the others
    // Where nothing fits: what needs the least memory, and by how much it is too large.
    std::optional<Plan> nearest{};
    double missing_bytes = 0;
};

// Fails where the space is empty: which option leaves nothing, and what is valid.
Result<SearchResult> search(const TrainingModel& model, const SearchOptions& options);

// What one step costs by the objective, for plans from elsewhere (--check, launch files).
double value_of(const TrainingModel& model,
                const SearchOptions& options,
                const Strategy& strategy,
                const Prediction& prediction);

// What a chip may hold.
double memory_limit_bytes(const Machine& machine, const SearchOptions& options);

}  // namespace weir::plan
