// The space that a search for plans covers, dimension by dimension.
//
// in_space() in search.hpp says of one strategy whether it belongs; what is here lists the values
// of a dimension once the dimensions before it are chosen. The tests hold the number of strategies
// that these lists make equal to the number that in_space() lets pass.
//
// What a launch of a framework cannot say is outside: a test launches every plan of small spaces.
// Rules of one dimension or of the model are closed by options_for(); those of several dimensions
// are here, by strategy.framework.
//
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "weir/plan/search.hpp"

namespace weir::plan {

// Divisors of `value` within the range, ascending.
std::vector<std::uint32_t> divisors(std::uint32_t value, const Range& range);

std::uint32_t layers_per_stage(const TrainingJob& job, std::uint32_t pp);

// Each takes a strategy in which the degrees that it depends on are set.
bool tp_fits(const Strategy& s, const TrainingJob& job);  // tp
bool cp_fits(const Strategy& s, const TrainingJob& job);  // tp, cp
bool pp_fits(const Strategy& s, const TrainingJob& job);  // pp
bool ep_fits(const Strategy& s, const TrainingJob& job);  // all degrees, etp

struct Depth {
    Schedule schedule = Schedule::one_f_one_b;
    std::uint32_t vpp = 1;
};
// Of pp, dp and micro-batch.
std::vector<Depth> depths_of(const Strategy& s, const TrainingJob& job, const SearchOptions& o);
bool depth_fits(const Strategy& s, const TrainingJob& job);
// Of them vpp alone, where it is above 1.
bool vpp_fits(const Strategy& s, const TrainingJob& job);

// Of tp and cp: with sequence parallelism and without it.
std::vector<bool> sequence_parallels_of(const Strategy& s,
                                        const TrainingJob& job,
                                        const SearchOptions& options);

// Of dp, cp and pp.
std::vector<std::uint32_t> zeros_of(const Strategy& s, const SearchOptions& options);
// Of zero: whether the optimiser's state may lie on the host.
bool offload_fits(const Strategy& s);

// What happens to activations: they are kept, computed again, or go to the host.
struct Again {
    Recompute recompute = Recompute::none;
    RecomputeParts parts{};
    std::uint32_t layers = 0;
    std::uint32_t offload_layers = 0;

    [[nodiscard]] Strategy of(Strategy s) const {
        s.recompute = recompute;
        s.recompute_layers = layers;
        s.parts = parts;
        s.offload_layers = offload_layers;
        return s;
    }
};
// Of pp; from the least work done again on, as far as that is known before. Some go with one vpp
// and not with another, which recompute_fits() says.
std::vector<Again> recomputes_of(const Strategy& s, const TrainingJob& job, const SearchOptions& o);
bool recompute_fits(const Strategy& s, const TrainingJob& job);
// So many layers, beside all else. Megatron-LM takes none of a pipeline, and not all of a model.
bool offload_fits(const Strategy& s, const TrainingJob& job, const SearchOptions& o);
// All parts that can be computed again alone.
RecomputeParts parts_of(const TrainingJob& job, const Strategy& base);

// What the fuller of two stages keeps at least, whatever is sharded (one of `zeros`), offloaded and
// computed again. The shallowest pipeline holds the fewest activations.
double least_memory_bytes(const TrainingModel& model,
                          const SearchOptions& options,
                          Strategy s,
                          const TrainingModel::Layers& layers,
                          const std::vector<std::uint32_t>& zeros,
                          std::array<std::uint32_t, 2> stages);

// Without what needs other chips.
SearchOptions options_on(const Machine& machine, SearchOptions options);

// The members of Overlap, in one order.
inline constexpr std::array<bool Overlap::*, 5> overlaps{&Overlap::pipeline,
                                                         &Overlap::grad_reduce,
                                                         &Overlap::param_gather,
                                                         &Overlap::tensor,
                                                         &Overlap::experts};
// Those that do something, once everything else is chosen.
Overlap effective(const Strategy& s);
// Those that do something and may be used.
Overlap usable(const Strategy& s, const SearchOptions& options);
// Those that the framework cannot do without.
Overlap needed(const Strategy& s);
// Whether weights come in beside computation only where gradients leave beside it.
bool gather_needs_reduce(Framework framework);
// How many choices of overlap there are, once everything else is chosen.
double overlaps_of(const Strategy& s, const SearchOptions& options);

// Why the space is empty: which option leaves nothing, and what is valid.
tl::unexpected<Error> nothing_to_search(const TrainingModel& model, const SearchOptions& options);

// By what a second of a plan on so many chips counts.
double weight_of(const TrainingModel& model, const SearchOptions& options, std::uint64_t chips);

}  // namespace weir::plan
