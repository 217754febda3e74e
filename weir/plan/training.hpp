// How long a training step takes, and what it keeps in memory: the heart of the planner.
//
// A step is put together from the kernels of one layer (kernel_time.hpp), what chips tell each
// other (collective_time.hpp), the order in which a pipeline does it, and what the optimiser does
// at its end. Everything is closed form: one prediction costs about a microsecond. Costs that
// depend on few dimensions of a strategy are kept in a LayerCost, so that a search pays for them
// once.
//
// Each term says where a second goes, and the terms sum to the step; memory likewise by cause.
//
// Threads: a TrainingModel is immutable; any number of threads may ask it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "weir/plan/layer_cost.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

// Where the time of a step goes. `exposed` parts of communication are waited for; hidden parts run
// beside computation and are told apart, outside the sum.
enum class Term : std::uint8_t {
    products,  // products of matrices, forward and backward
    attention,
    memory_bound,  // norms, activations, residuals, loss
    recompute,     // forward work done again
    tensor,        // communication of tensor parallelism, exposed
    context,       // of context parallelism
    experts,       // of expert parallelism
    pipeline,      // sends between stages
    data,          // of data parallelism: gradients and weights
    bubble,        // stages waiting for each other
    optimizer,
    overhead,  // starting kernels, host, stragglers, offload
};
inline constexpr std::size_t term_count = 12;
std::string_view name_of(Term term);
// What chips tell each other, which may run beside computation.
inline constexpr std::array communication_terms{
    Term::tensor, Term::context, Term::experts, Term::pipeline, Term::data};

enum class MemoryPart : std::uint8_t {
    weights,
    gradients,
    optimizer,
    activations,
    buffers,
    reserve
};
inline constexpr std::size_t memory_part_count = 6;
std::string_view name_of(MemoryPart part);

struct Prediction {
    double step_s = 0;
    std::array<double, term_count> term_s{};  // sum to step_s
    // Communication beside computation, by what it is for; overhead: copies to the host and back.
    std::array<double, term_count> hidden_s{};
    std::array<double, memory_part_count> memory_bytes{};  // of the fullest chip
    double model_flops = 0;  // of one step: what the job asks for, no recomputation
    double mfu = 0;          // model_flops / (step_s x chips x peak of the precision's products)
    double tokens_per_s = 0;

    [[nodiscard]] double at(Term term) const { return term_s[static_cast<std::size_t>(term)]; }
    [[nodiscard]] double at(MemoryPart part) const {
        return memory_bytes[static_cast<std::size_t>(part)];
    }
    [[nodiscard]] double hidden_at(Term term) const {
        return hidden_s[static_cast<std::size_t>(term)];
    }
    [[nodiscard]] double hidden_total_s() const;
    // Of the fullest chip, with the reserve for fragmentation and without it (what allocators
    // report as their peak).
    [[nodiscard]] double memory_total_bytes() const;
    [[nodiscard]] double memory_allocated_bytes() const {
        return memory_total_bytes() - at(MemoryPart::reserve);
    }
};

// By MemoryPart.
using Memory = std::array<double, memory_part_count>;
double sum_of(const Memory& memory);

// Predicts strategies of one job on one kind of machine.
class TrainingModel {
public:
    TrainingModel(const TrainingJob& job, const Machine& machine);

    // Requires: check(strategy, job, strategy.chips()) holds. Cost: about a microsecond.
    [[nodiscard]] Prediction predict(const Strategy& strategy) const;

    // The same in two steps, for searches: layers first, which depend on tp, cp, ep, micro-batch,
    // precision and kernels only; then the step they make.
    struct Layers {
        LayerCost dense{};
        LayerCost moe{};
        EndCost end{};
    };
    [[nodiscard]] Layers layers(const Strategy& strategy) const;
    [[nodiscard]] Prediction predict(const Strategy& strategy, const Layers& layers) const;
    // Of a chip of one pipeline stage, from 0.
    [[nodiscard]] Memory memory(const Strategy& strategy,
                                const Layers& layers,
                                std::uint32_t stage) const;

    [[nodiscard]] const TrainingJob& job() const { return job_; }
    [[nodiscard]] const Machine& machine() const { return machine_; }

private:
    TrainingJob job_;
    Machine machine_;
    double moe_layers_ = 0;
    double model_flops_ = 0;
};

}  // namespace weir::plan
